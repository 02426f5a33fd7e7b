"""Asymmetric quantization: the 256 codes span [min, max], and zero has a code of its own (Jacob et al. 2018, eq. 1).

    x ≈ scale · (codes − zero_point)

After a ReLU there are no negative numbers: half of the symmetric codes would be wasted. Zero must be exact, because
padding, masks and ReLU write it everywhere.
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from .absmax import check_finite


def zeropoint_quantize(x: Float[Tensor, "*shape"]) -> tuple[Int8[Tensor, "*shape"], Float[Tensor, ""], Tensor]:
    """Codes in −128…127, the scale, and the zero point: the code of 0, as an int32 tensor without axes.

    The range is widened until it holds zero. Halves go to the even neighbour. The minimum gets −128 exactly; above, two
    roundings may add up to 128, which is clamped.

    Raises:
        ValueError: NaN or infinity in x.
    """
    check_finite(x)
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    width = high - low
    scale = torch.where(width > 0, width / 255, 1)
    zero_point = -128 - (low / scale).round()
    codes = ((x / scale).round() + zero_point).clamp(max=127)
    return codes.to(torch.int8), scale, zero_point.to(torch.int32)


def zeropoint_dequantize(codes: Int8[Tensor, "*shape"], scale: Tensor, zero_point: Tensor) -> Tensor:
    """The numbers that the codes stand for. The difference of two codes does not fit into int8: it is widened first."""
    return (codes.int() - zero_point) * scale
