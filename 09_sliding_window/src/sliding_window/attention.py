"""What this chapter starts from: attention under a mask, and RoPE at any positions.

Project 04 builds the first, project 03 the second.

Dimensions:
    B   sequences        H   heads
    Tq  queries          Tk  keys
    D   width of a head  T   tokens that are rotated
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def attend(
    q: Float[Tensor, "B H Tq D"],
    k: Float[Tensor, "B H Tk D"],
    v: Float[Tensor, "B H Tk D"],
    mask: Bool[Tensor, "Tq Tk"],
) -> Float[Tensor, "B H Tq D"]:
    """softmax(q kᵀ / √D) v over the keys that the mask shows (True)."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # B H Tq Tk
    weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)
    return weights @ v


def rotate(
    x: Float[Tensor, "... T D"], positions: Int[Tensor, "T"], base: float = 10_000.0
) -> Float[Tensor, "... T D"]:
    """RoPE (Su et al. 2021): channels 2i and 2i + 1 are rotated by position · base^(-2i/D).

    The angles are computed in float64: at position 100,000 float32 has an error of 0.004 radians.
    """
    cos, sin = cos_and_sin(positions, x.shape[-1], base, x.dtype)  # T D/2
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


def cos_and_sin(positions: Tensor, width: int, base: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of all angles: (T, D/2) each."""
    frequencies = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)  # D/2
    angles = positions[:, None] * frequencies  # T D/2
    return angles.cos().to(dtype), angles.sin().to(dtype)
