"""What every kernel must compute, in plain PyTorch.

Integer results are exact. Quantized values are exact too: the references do the same float32 operations in the same
order (scale = absmax / largest, inverse = 1 / scale, y = x * inverse, round to nearest even), and IEEE arithmetic
leaves no freedom. A quantizer that divides by the scale instead may differ from it by one unit.

Letters: M tokens, K inputs, N outputs, R rows, C columns, G groups to a row.
"""

import torch
from jaxtyping import Float, Int8, Int32, Shaped
from torch import Tensor

GROUP = 128
LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0, torch.float8_e5m2: 57344.0}
SMALLEST_SCALE = torch.finfo(torch.float32).tiny     # the smallest normal number: its reciprocal is still finite


def add_int8(
    a: Int8[Tensor, " n"], b: Int8[Tensor, " n"], sa: float, za: int, sb: float, zb: int, sc: float, zc: int
) -> Int8[Tensor, " n"]:
    """c = q(((a - za) sa + (b - zb) sb) / sc) + zc with one fused multiply-add, as the kernel does it.

    float64 holds the exact product and, for these ranges, the exact sum: rounding it to float32 is the fma.
    """
    ra, rb = (torch.tensor(s, dtype=torch.float32) / torch.tensor(sc, dtype=torch.float32) for s in (sa, sb))
    second = (b.float() - zb) * rb
    y = ((a.double() - za) * ra.double() + second.double()).float()
    return (y.round() + zc).clamp(-128, 127).to(torch.int8)


def encode(y: Float[Tensor, "*shape"], dtype: torch.dtype) -> Shaped[Tensor, "*shape"]:
    """Nearest even, saturated: int8 to [-127, 127], E4M3 to 448, E5M2 to 57344."""
    y = y.clamp(-LARGEST[dtype], LARGEST[dtype])
    return (y.round() if dtype == torch.int8 else y).to(dtype)


def scale_of(absmax: Float[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """absmax / largest; 1 for a block of zeros, and never below the smallest normal number."""
    scale = (absmax / LARGEST[dtype]).clamp(min=SMALLEST_SCALE)
    return torch.where(absmax == 0, torch.ones_like(scale), scale)


def spread(scale: Float[Tensor, "*scales"], rows: int, cols: int) -> Float[Tensor, "R C"]:
    """Scales as a matrix of the data's shape: one for all, one a row, or one for each 128 columns of a row."""
    if scale.numel() == 1:
        return scale.reshape(1, 1).expand(rows, cols)
    scale = scale.reshape(rows, -1)
    return scale.expand(rows, cols) if scale.shape[1] == 1 else scale.repeat_interleave(GROUP, 1)[:, :cols]


def quantize(
    x: Float[Tensor, "R C"], dtype: torch.dtype, per: str
) -> tuple[Shaped[Tensor, "R C"], Float[Tensor, "*scales"]]:
    """(q, scale) with one scale `per` tensor, row or group of 128 columns (the last of a row may be shorter)."""
    x = x.float()
    if per == "tensor":
        absmax = x.abs().max().reshape(1)
    elif per == "row":
        absmax = x.abs().amax(1)
    else:
        short = -x.shape[1] % GROUP
        absmax = torch.nn.functional.pad(x, (0, short)).reshape(x.shape[0], -1, GROUP).abs().amax(2)
    scale = scale_of(absmax, dtype)
    return encode(x * (1 / spread(scale, *x.shape)), dtype), scale


def dequantize(q: Shaped[Tensor, "R C"], scale: Float[Tensor, "*scales"], dtype: torch.dtype) -> Float[Tensor, "R C"]:
    return (q.float() * spread(scale, *q.shape)).to(dtype)


def linear_w8a8(
    a: Int8[Tensor, "M K"], w: Int8[Tensor, "N K"], sa: Float[Tensor, " M"], sw: Float[Tensor, " N"]
) -> Float[Tensor, "M N"]:
    """sa[m] sw[n] sum_k a[m,k] w[n,k]. Sums in float64 are exact: they stay far below 2^53."""
    return sa[:, None] * sw[None, :] * (a.double() @ w.double().T).float()


def quantize_int4(w: Float[Tensor, "N K"]) -> tuple[Int32[Tensor, "N words"], Float[Tensor, "N G"]]:
    """(packed, scale): q = round(w / s) + 8 in 1..15, eight to an int32 with the lowest bits first, s in fp16."""
    n, k = w.shape
    groups = w.float().reshape(n, k // GROUP, GROUP)
    scale = (groups.abs().amax(2) / 7).clamp(min=2.0**-14).half()
    q = ((groups / scale.float()[:, :, None]).round().clamp(-7, 7) + 8).reshape(n, k // 8, 8).long()
    words = sum(q[:, :, i] << 4 * i for i in range(8))
    return torch.where(words >= 2**31, words - 2**32, words).int(), scale


def unpack_words(packed: Int32[Tensor, "N words"]) -> Int32[Tensor, "N K"]:
    """The weights in 0..15, in the order of k."""
    nibbles = [packed >> 4 * i & 15 for i in range(8)]
    return torch.stack(nibbles, -1).reshape(packed.shape[0], -1).int()


def linear_w4a16(
    x: Float[Tensor, "M K"], packed: Int32[Tensor, "N words"], scale: Float[Tensor, "N G"]
) -> Float[Tensor, "M N"]:
    """x @ dequantized(w).T in float64, to be rounded to fp16 by whoever compares."""
    w = (unpack_words(packed) - 8).double() * scale.double().repeat_interleave(GROUP, 1)
    return x.double() @ w.T
