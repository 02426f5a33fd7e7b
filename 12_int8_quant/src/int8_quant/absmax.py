"""Symmetric quantization: one scale, integers on both sides of zero, and an error of at most half a step.

codes = round(x / scale)        scale = max |x| / 127        x ≈ codes · scale
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor


def largest_code(bits: int) -> int:
    """127 for eight bits. The code −128 stays unused, so that the range is symmetric.

    Raises:
        ValueError: fewer than 2 or more than 8 bits.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits={bits}: codes are stored in int8; choose 2 to 8")
    return 2 ** (bits - 1) - 1


def check_finite(x: Tensor) -> None:
    """Raises ValueError where a NaN or an infinity would become the scale."""
    if not x.isfinite().all():
        raise ValueError("x: holds NaN or infinity, which have no code; find where they come from")


def absmax_quantize(x: Float[Tensor, "*shape"], bits: int = 8) -> tuple[Int8[Tensor, "*shape"], Float[Tensor, ""]]:
    """Codes and the scale. The largest magnitude gets the largest code; halves go to the even neighbour.

    The clamp matters in bfloat16: there the rounded scale can push the largest value to 128, which int8 wraps to −128.

    Raises:
        ValueError: NaN or infinity in x.
    """
    check_finite(x)
    limit = largest_code(bits)
    largest = x.abs().max()
    scale = torch.where(largest > 0, largest / limit, 1)
    codes = (x / scale).round().clamp(-limit, limit)
    return codes.to(torch.int8), scale


def dequantize(codes: Int8[Tensor, "*shape"], scale: Tensor) -> Tensor:
    """The numbers that the codes stand for. `scale` is broadcast."""
    return codes * scale


def rms_error(x: Float[Tensor, "*shape"], approximation: Float[Tensor, "*shape"]) -> float:
    """Root of the mean squared error, divided by the deviation from zero of x."""
    return float((approximation - x).square().mean().sqrt() / x.square().mean().sqrt())
