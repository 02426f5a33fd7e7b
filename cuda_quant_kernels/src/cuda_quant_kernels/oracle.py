"""What every kernel must compute, in plain PyTorch.

Integer results are exact. Quantized values are exact too: the oracles do the same float32 operations in the same order
as the kernels (scale = absmax / max_value, inverse = 1 / scale, y = x * inverse, round to nearest even), and IEEE
arithmetic fixes every bit. A quantizer that divides by the scale instead may differ by one unit.

Dimensions:
    M tokens, K inputs, N outputs of a linear layer
    R rows, C columns of a matrix, G groups of 128 columns in a row
"""

import torch
from jaxtyping import Float, Int8, Int32, Shaped
from torch import Tensor

from .int4 import GROUP_SIZE, unpack_int4_words

MAX_VALUE = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0, torch.float8_e5m2: 57344.0}
SMALLEST_NORMAL = torch.finfo(torch.float32).tiny  # its reciprocal is still finite


def add_int8(
    a: Int8[Tensor, " n"],
    b: Int8[Tensor, " n"],
    scale_a: float,
    zero_a: int,
    scale_b: float,
    zero_b: int,
    scale_c: float,
    zero_c: int,
) -> Int8[Tensor, " n"]:
    """round(((a - zero_a) scale_a + (b - zero_b) scale_b) / scale_c) + zero_c, saturated to [-128, 127].

    The kernel uses one fused multiply-add. Here float64 holds the exact product, and for these ranges the exact sum;
    rounding that sum to float32 is the fma.
    """
    ratio_a, ratio_b = (torch.tensor(s, dtype=torch.float32) / torch.tensor(scale_c) for s in (scale_a, scale_b))
    second = (b.float() - zero_b) * ratio_b
    y = ((a.double() - zero_a) * ratio_a.double() + second.double()).float()
    return (y.round() + zero_c).clamp(-128, 127).to(torch.int8)


def encode(y: Float[Tensor, "*shape"], dtype: torch.dtype) -> Shaped[Tensor, "*shape"]:
    """The nearest code, ties to even, saturated: int8 to [-127, 127], E4M3 to 448, E5M2 to 57344."""
    y = y.clamp(-MAX_VALUE[dtype], MAX_VALUE[dtype])
    return (y.round() if dtype == torch.int8 else y).to(dtype)


def scale_from_absmax(absmax: Float[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """absmax / max_value; 1 for a block of zeros, and never below the smallest normal number."""
    scale = (absmax / MAX_VALUE[dtype]).clamp(min=SMALLEST_NORMAL)
    return torch.where(absmax == 0, torch.ones_like(scale), scale)


def expand_scale(scale: Float[Tensor, "*scales"], rows: int, cols: int) -> Float[Tensor, "R C"]:
    """Scales in the shape of the data: one for the tensor, one a row, or one for each 128 columns of a row."""
    if scale.numel() == 1:
        return scale.reshape(1, 1).expand(rows, cols)
    scale = scale.reshape(rows, -1)
    if scale.shape[1] == 1:
        return scale.expand(rows, cols)
    return scale.repeat_interleave(GROUP_SIZE, 1)[:, :cols]


def absmax(x: Float[Tensor, "R C"], per: str) -> Float[Tensor, "*scales"]:
    """The largest magnitude per tensor, row or group of 128 columns. The last group of a row may be shorter."""
    if per == "tensor":
        return x.abs().max().reshape(1)
    if per == "row":
        return x.abs().amax(1)
    missing = -x.shape[1] % GROUP_SIZE
    groups = torch.nn.functional.pad(x, (0, missing)).reshape(x.shape[0], -1, GROUP_SIZE)
    return groups.abs().amax(2)


def quantize(
    x: Float[Tensor, "R C"], dtype: torch.dtype, per: str
) -> tuple[Shaped[Tensor, "R C"], Float[Tensor, "*scales"]]:
    """(q, scale) with one scale `per` "tensor", "row" or "group" of 128 columns."""
    x = x.float()
    scale = scale_from_absmax(absmax(x, per), dtype)
    return encode(x * (1 / expand_scale(scale, *x.shape)), dtype), scale


def dequantize(q: Shaped[Tensor, "R C"], scale: Float[Tensor, "*scales"], dtype: torch.dtype) -> Float[Tensor, "R C"]:
    """q * scale in `dtype`."""
    return (q.float() * expand_scale(scale, *q.shape)).to(dtype)


def linear_w8a8(
    a: Int8[Tensor, "M K"], w: Int8[Tensor, "N K"], scale_a: Float[Tensor, " M"], scale_w: Float[Tensor, " N"]
) -> Float[Tensor, "M N"]:
    """scale_a[m] scale_w[n] sum_k a[m,k] w[n,k]. Sums in float64 are exact: they stay far below 2^53."""
    return scale_a[:, None] * scale_w[None, :] * (a.double() @ w.double().T).float()


def linear_w4a16(
    x: Float[Tensor, "M K"], packed: Int32[Tensor, "N words"], scale: Float[Tensor, "N G"]
) -> Float[Tensor, "M N"]:
    """x @ dequantized(w).T in float64. The caller rounds to fp16."""
    w = (unpack_int4_words(packed) - 8).double() * scale.double().repeat_interleave(GROUP_SIZE, 1)
    return x.double() @ w.T
