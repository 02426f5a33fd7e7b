"""Symmetric int8 quantization of a cache: one scale for the last dimension, codes -127..127.

Dimensions: D width of a head; whatever stands before it (layers, batch, heads, tokens) gets a scale of its own.
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor


def quantize(x: Float[Tensor, "*rows D"]) -> tuple[Int8[Tensor, "*rows D"], Float[Tensor, "*rows 1"]]:
    """The nearest of 255 evenly spaced codes, and the fp32 scale that turns codes back: |x - codes·scale| <= scale/2.

    The scale puts the row's largest magnitude on ±127. The code -128 stays unused: with it the grid would not be
    symmetric, and x and -x would not be stored alike. Rounding is half to even, as IEEE 754 and torch.round have it,
    because rounding halves up would add a small positive mean to every row. A row of zeros (or one so small that its
    scale would not be a normal number) gets scale 1 and codes 0.

    Raises ValueError when x holds NaN or infinity (in fp32): no scale represents them.
    """
    largest = x.abs().amax(dim=-1, keepdim=True).float()
    if not torch.isfinite(largest).all():
        raise ValueError("quantize: x holds NaN or infinity, which no scale can represent; find where it comes from")
    scale = largest / 127
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, torch.ones_like(scale), scale)
    return (x / scale).round().to(torch.int8), scale


def dequantize(codes: Int8[Tensor, "*rows D"], scale: Float[Tensor, "*rows 1"]) -> Float[Tensor, "*rows D"]:
    """codes · scale, in the scale's dtype."""
    return codes.to(scale.dtype) * scale
