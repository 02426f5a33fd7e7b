"""Rotary positions (Su et al. 2021): channel i and channel i + D/2 of a head are rotated by position · frequency.

Dimensions:
    B  rows of a batch      H  heads      T  tokens      D  width of a head
"""

import functools

import torch
from jaxtyping import Float
from torch import Tensor


@functools.lru_cache(32)
def tables(length: int, head_dim: int, dtype: torch.dtype, device: torch.device, base: float | int = 10_000.0):
    """Cosines and signed sines of every angle, each (length, D)."""
    exact = {"dtype": torch.float64, "device": "cpu" if device.type == "mps" else device}  # mps has no float64
    with torch.inference_mode(False):
        frequency = base ** (-torch.arange(0, head_dim, 2, **exact) / head_dim)
        angle = torch.arange(length, **exact)[:, None] * frequency  # length D/2
        cos, sin = angle.cos(), angle.sin()
        both = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        return tuple(x.to(dtype=dtype, device=device) for x in both)


def rotate(x: Float[Tensor, "B H T D"], first: int = 0) -> Float[Tensor, "B H T D"]:
    """The tokens at positions first, first + 1, …, rotated."""
    T, D = x.shape[-2:]
    room = max(64, 1 << (first + T - 1).bit_length())  # few different tables
    cos, sin = tables(room, D, x.dtype, x.device)
    halves = torch.cat([x[..., D // 2 :], x[..., : D // 2]], dim=-1)
    return x * cos[first : first + T] + halves * sin[first : first + T]
