"""The seven tasks as functions, computed by the project's own kernels in NAME.cu, under all checks.

Read in this order:
    quantized_add.cu ...   the kernels that the tasks ask for
    launchers.cu           how each is launched
    calls.py               what each task takes and gives, and its budget of memory traffic
    source.py              from the text of a .cu file to a function
    checks.py              what is checked at each call

Dimensions:
    R rows, C columns; M, N, K as in a GEMM
"""

from jaxtyping import Float32, Int8, Int32, UInt8
from torch import Tensor

from .source import reference_kernel


def quantized_add(
    a: Int8[Tensor, " n"],
    b: Int8[Tensor, " n"],
    scale_a: float,
    zero_a: int,
    scale_b: float,
    zero_b: int,
    scale_c: float,
    zero_c: int,
) -> Int8[Tensor, " n"]:
    """c = round(((a - zero_a) scale_a + (b - zero_b) scale_b) / scale_c) + zero_c, saturated to [-128, 127]."""
    return reference_kernel("quantized_add")(a, b, scale_a, zero_a, scale_b, zero_b, scale_c, zero_c)


def row_absmax(x: Float32[Tensor, "R C"]) -> Float32[Tensor, " R"]:
    """The largest magnitude of each row."""
    return reference_kernel("row_absmax")(x)


def quantize_rows(
    x: Float32[Tensor, "R C"], absmax: Float32[Tensor, " R"]
) -> tuple[Int8[Tensor, "R C"], Float32[Tensor, " R"]]:
    """(q, scale) with scale = absmax / 127, or 1 where absmax is 0, and q = round(x / scale)."""
    return reference_kernel("quantize_rows")(x, absmax)


def coalesced_gemm(a: Int8[Tensor, "M K"], b: Int8[Tensor, "K N"]) -> Int32[Tensor, "M N"]:
    """The exact product, by a thread for each output."""
    return reference_kernel("coalesced_gemm")(a, b)


def tiled_gemm(a: Int8[Tensor, "M K"], b: Int8[Tensor, "K N"]) -> Int32[Tensor, "M N"]:
    """The exact product, through tiles in shared memory."""
    return reference_kernel("tiled_gemm")(a, b)


def dp4a_dot(a: Int8[Tensor, "R K"], b: Int8[Tensor, "R K"]) -> Int32[Tensor, " R"]:
    """The inner product of each pair of rows, four bytes at a time."""
    return reference_kernel("dp4a_dot")(a, b)


def unpack_int4(packed: UInt8[Tensor, " bytes"], n: int) -> Int8[Tensor, " n"]:
    """n two's complement nibbles as int8, the low one of each byte first."""
    return reference_kernel("unpack_int4")(packed, n)
