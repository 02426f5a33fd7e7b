"""Positions as sines and cosines, added to the embeddings (Vaswani et al. 2017, section 3.5).

Dimensions:
    T  positions
    D  width of an embedding, or of a head
    P  pairs of coordinates, P = D / 2
"""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def frequencies(dim: int, base: float = 10_000.0) -> Float64[Tensor, "P"]:
    """Radians per token of each pair of coordinates: theta_i = base^(-2i / dim).

    The sinusoidal table and the rotary embedding use the same frequencies (Vaswani et al. 2017, section 3.5;
    Su et al. 2021, section 3.2.2). The first is 1 radian per token, the last is a little above 1 / base.

    They are float64, because an angle is position times frequency. A relative error of 6e-8, which float32 has,
    is an error of 0.006 radians at position 100,000.

    Raises:
        ValueError: `dim` is odd or below 2, or `base` is not a positive finite number.
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim={dim}: coordinates are rotated in pairs, so dim must be even; use 2, 4, 6, ...")
    if not 0 < base < math.inf:
        raise ValueError(f"base={base}: the base must be positive and finite; the usual value is 10000.0")
    exponent = torch.arange(0, dim, 2, dtype=torch.float64) / dim  # P
    return base**-exponent


def wavelengths(theta: Float64[Tensor, "P"]) -> Float64[Tensor, "P"]:
    """Tokens in which each pair completes one full rotation: 2 pi / theta."""
    return 2 * torch.pi / theta


def sinusoidal_table(max_seq_len: int, dim: int, base: float = 10_000.0) -> Float[Tensor, "T D"]:
    """The float32 table to add to the embeddings, one row for each position (Vaswani et al. 2017, section 3.5).

    Row p holds sin(p theta_i) in column 2i and cos(p theta_i) in column 2i + 1. Both are there because the pair at
    position p + k is then the pair at p, rotated by an angle that depends on k only. RoPE builds on this property.

    Raises:
        ValueError: `max_seq_len` is below 1, or `frequencies` refuses `dim` or `base`.
    """
    if max_seq_len < 1:
        raise ValueError(f"max_seq_len={max_seq_len}: a table needs at least one position; use 1 or more")
    angle = torch.arange(max_seq_len)[:, None] * frequencies(dim, base)  # T P
    pairs = torch.stack((angle.sin(), angle.cos()), dim=-1)  # T P 2
    return pairs.flatten(1).float()  # T D
