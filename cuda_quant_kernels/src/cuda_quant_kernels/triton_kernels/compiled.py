"""Compiles the Triton kernels to machine code without a GPU, and counts the instructions that matter in it."""

import os
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from .quantize_rows import quantize_rows_kernel
from .w4a16 import w4a16_kernel
from .w8a8 import w8a8_kernel

# kernel, types of its arguments, constants, options
KERNELS = {
    "quantize_rows": (
        quantize_rows_kernel,
        "x *bf16, q *i8, scale *fp32, cols i32, BLOCK c",
        {"BLOCK": 4096},
        {"num_warps": 8, "enable_fp_fusion": False},
    ),
    "w8a8": (
        w8a8_kernel,
        "a tensordesc<i8[128,64]>, w tensordesc<i8[128,64]>, sa *fp32, sw *fp32, c *fp32, "
        "M i32, N i32, K c, BM c, BN c, BK c",
        {"K": 8192, "BM": 128, "BN": 128, "BK": 64},
        {"num_warps": 8, "num_stages": 3},
    ),
    "w4a16": (
        w4a16_kernel,
        "x *fp16, packed *i32, scale *fp16, y *fp16, M i32, N i32, K c, BM c, BN c",
        {"K": 8192, "BM": 16, "BN": 64},
        {"num_warps": 4, "num_stages": 3},
    ),
}


def machine_code(name: str, capability: int) -> str:
    """The SASS of a kernel for compute capability 80, 90, ...

    Raises:
        ValueError: no kernel has that name.
        RuntimeError: Triton's own disassembler is missing or refuses the code.
    """
    if name not in KERNELS:
        raise ValueError(f"name={name!r}: unknown kernel; choose {', '.join(KERNELS)}")
    kernel, types, constants, options = KERNELS[name]
    signature = {n: "constexpr" if t == "c" else t for n, t in (part.split() for part in types.split(", "))}
    whole = {(i,): [["tt.divisibility", 16]] for i, t in enumerate(signature.values()) if t != "constexpr"}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=whole)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.cubin")
        Path(path).write_bytes(compiled.asm["cubin"])
        done = subprocess.run([tool, "-sass", path], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{tool.name} refuses the code: {done.stderr.strip()}")
    return done.stdout


def instructions(sass: str) -> Counter:
    """How often each instruction occurs, by its name before the first point."""
    return Counter(re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)", sass, re.MULTILINE))
