"""From a tensor to a kernel: which library, which types at the C boundary, which stream.

One table of signatures serves every build, so the same call reaches the GPU, the CPU emulator, the tracer's build and
the sanitizer's. A tensor is passed as its address, and the stream is PyTorch's current one.
"""

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from .build import load
from .on_cpu.library import Library

KERNELS = Path(__file__).parent / "kernels"
P, I, L, F = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float
SIGNATURES = {
    "quantized_add": ("vector_add.cu", [I, P, P, P, L, F, I, F, I, F, I, P]),
    "quantize_given": ("quantize.cu", [I, I, I, P, P, P, P, L, P]),
    "quantize_tensor": ("quantize.cu", [I, I, I, P, P, P, P, L, P]),
    "quantize_rows": ("quantize.cu", [I, I, I, P, P, P, I, I, P]),
    "quantize_groups": ("quantize.cu", [I, I, I, P, P, P, L, I, P]),
    "dequantize": ("quantize.cu", [I, I, I, P, P, P, L, I, I, I, P]),
    "gemm_w8a8": ("gemm_w8a8.cu", [I, P, P, P, P, P, I, I, I, P]),
    "gemm_w4a16": ("gemv_w4a16.cu", [I, P, P, P, P, I, I, I, P]),
}
NOT_SUPPORTED = 801     # cudaErrorNotSupported


@functools.cache
def library(source: str, target: str) -> Library:
    """The built file of kernels, with the types of its functions set."""
    lib = load(KERNELS / source, target, arch=architecture() if target == "gpu" else None)
    for name, (home, types) in SIGNATURES.items():
        if home == source:
            getattr(lib.cdll, name).argtypes = types
    return lib


def architecture() -> str:
    """What nvcc is to build for: the device at hand. wgmma exists on Hopper alone, under sm_90a."""
    major, minor = torch.cuda.get_device_capability()
    return {9: "sm_90a", 10: "sm_100"}.get(major, f"sm_{major}{minor}")


def default_target(tensor: Tensor) -> str:
    return "gpu" if tensor.is_cuda else "cpu"


def launch(name: str, *arguments, target: str) -> None:
    """Calls a launcher on tensors and numbers.

    Raises:
        RuntimeError: the launch was refused, with CUDA's error number. On the CPU builds a kernel that does what it
            may not do raises KernelFault, naming the line.
    """
    lib = library(SIGNATURES[name][0], target)
    stream = torch.cuda.current_stream().cuda_stream if target == "gpu" else None
    code = getattr(lib, name)(*(a.data_ptr() if isinstance(a, Tensor) else a for a in arguments), stream)
    if code == NOT_SUPPORTED:
        raise RuntimeError(f"{name}: this version of the kernel does not exist on this machine (target {target!r})")
    if code:
        raise RuntimeError(f"{name}: CUDA error {code}")
