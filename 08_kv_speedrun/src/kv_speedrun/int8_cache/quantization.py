"""Symmetric int8 quantization: one scale for each row of the last dimension, codes -127 to 127.

Dimensions: D width of a head. Each row (a layer's, batch row's, head's token) has its own scale.
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor


def quantize(x: Float[Tensor, "*rows D"]) -> tuple[Int8[Tensor, "*rows D"], Float[Tensor, "*rows 1"]]:
    """The nearest of 255 evenly spaced codes, and the fp32 scale that turns codes back: |x - codes·scale| <= scale/2.

    The scale puts the row's largest magnitude on ±127. Code -128 is not used: with it the codes of x and -x would not
    mirror each other. Halves are rounded to even, as IEEE 754 and torch.round do. Rounding them up would add a small
    positive mean to every row. A row of zeros (or so small that its scale is not a normal number) gets scale 1 and
    codes 0.

    Raises:
        ValueError: x holds NaN or infinity (in fp32), which no scale can represent.
    """
    absmax = x.abs().amax(dim=-1, keepdim=True).float()
    if not torch.isfinite(absmax).all():
        raise ValueError("x holds NaN or infinity: no scale can represent them; find where they come from")
    scale = absmax / 127
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, torch.ones_like(scale), scale)
    return (x / scale).round().to(torch.int8), scale


def dequantize(codes: Int8[Tensor, "*rows D"], scale: Float[Tensor, "*rows 1"]) -> Float[Tensor, "*rows D"]:
    """codes · scale, in the scale's dtype."""
    return codes * scale
