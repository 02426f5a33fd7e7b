"""From a tensor to a kernel: which library, which types at the C boundary, which stream.

One table of signatures serves every build. The same call reaches the GPU, the CPU emulator, the tracer's build and the
sanitizer's. A tensor is passed as its address, and the stream is PyTorch's current one.
"""

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from .build import load
from .on_cpu.library import Library
from .on_cpu.trace import Report, trace

KERNELS = Path(__file__).parent / "kernels"
P, I, L, F = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float
GEMM = ([I, P, P, P, P, P, I, I, I, P], "version a w scale_a scale_w c m n k")
GEMV = ([I, P, P, P, P, I, I, I, P], "version w scale x y m n k")
# launcher: its file, its arguments' types and names. The last argument is the stream, which `launch` adds.
SIGNATURES = {
    "quantized_add": (
        "vector_add.cu",
        [I, P, P, P, L, F, I, F, I, F, I, P],
        "version a b c n scale_a zero_a scale_b zero_b scale_c zero_c",
    ),
    "quantize_static": ("quantize.cu", [I, I, I, P, P, P, P, L, P], "x_type q_type vectorized x scale q nonfinite n"),
    "quantize_tensor": ("quantize.cu", [I, I, I, P, P, P, P, L, P], "x_type q_type vectorized x absmax q scale n"),
    "quantize_rows": ("quantize.cu", [I, I, I, P, P, P, I, I, P], "version x_type q_type x q scale rows cols"),
    "quantize_groups": (
        "quantize_groups.cu",
        [I, I, I, P, P, P, L, I, P],
        "x_type q_type vectorized x q scale rows cols",
    ),
    "dequantize": (
        "quantize_groups.cu",
        [I, I, I, P, P, P, L, I, I, I, P],
        "q_type x_type vectorized q scale x n cols group_size scales_per_row",
    ),
    "gemm_w8a8": ("gemm_w8a8.cu", *GEMM),
    "gemm_w8a8_tensor": ("gemm_w8a8_tensor.cu", *GEMM),
    "gemv_w4a16": ("gemv_w4a16.cu", *GEMV),
    "gemm_w4a16": ("gemm_w4a16.cu", *GEMV),
}
SOURCES = tuple(dict.fromkeys(source for source, _, _ in SIGNATURES.values()))
NOT_SUPPORTED = 801  # cudaErrorNotSupported


@functools.cache
def library(source: str, target: str) -> Library:
    """The built file of kernels, with the types of its functions set."""
    lib = load(KERNELS / source, target, arch=architecture() if target == "gpu" else None)
    for name, (home, types, _) in SIGNATURES.items():
        if home == source:
            getattr(lib.cdll, name).argtypes = types
    return lib


def architecture() -> str:
    """What nvcc is to build for: the device at hand. wgmma exists on Hopper only, under sm_90a."""
    major, minor = torch.cuda.get_device_capability()
    return {9: "sm_90a", 10: "sm_100"}.get(major, f"sm_{major}{minor}")


def default_target(tensor: Tensor) -> str:
    """ "gpu" for a tensor on a GPU, "cpu" (the emulator) for any other."""
    return "gpu" if tensor.is_cuda else "cpu"


class Tracing:
    """A target that runs every launch under the tracer and keeps the reports, with the arrays under their names."""

    def __init__(self):
        self.reports: list[Report] = []

    def run(self, name: str, pointers: list, arguments: tuple) -> int:
        """Runs one launch; its error code.

        Raises:
            RuntimeError: a race, or something else that the tracer reports.
        """
        source, _, names = SIGNATURES[name]
        named = zip(names.split(), arguments, strict=True)
        buffers = {n: a.view(torch.uint8) for n, a in named if isinstance(a, Tensor)}
        report = trace(library(source, "trace"), lambda lib: getattr(lib, name)(*pointers, None), buffers)
        if not report.clean:
            raise RuntimeError(f"{name}: " + "; ".join(map(str, [*report.faults, *report.races])))
        self.reports.append(report)
        return report.result


def launch(name: str, *arguments, target: str | Tracing) -> None:
    """Calls a launcher on tensors and numbers.

    Raises:
        RuntimeError: the launch was refused, with CUDA's error number. On the CPU builds a faulty kernel raises
            KernelFault, which names the line; under a Tracing, a race does too.
    """
    pointers = [a.data_ptr() if isinstance(a, Tensor) else a for a in arguments]
    if isinstance(target, Tracing):
        code = target.run(name, pointers, arguments)
    else:
        stream = torch.cuda.current_stream().cuda_stream if target == "gpu" else None
        code = getattr(library(SIGNATURES[name][0], target), name)(*pointers, stream)
    if code == NOT_SUPPORTED:
        raise RuntimeError(f"{name}: this version of the kernel does not exist on this machine (target {target!r})")
    if code:
        raise RuntimeError(f"{name}: CUDA error {code}")
