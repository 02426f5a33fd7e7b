"""Rotary positions (RoPE), the subject of 03_rope_animator: here as short as possible.

Neighbouring channels 2i and 2i + 1 are a pair, as in the paper and in GGUF files.

Dimensions:
    T  tokens   D  width of a head
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rotate(x: Float[Tensor, "*batch T D"], positions: Int[Tensor, "T"], base: float = 10_000.0):
    """Rotate pair i of each vector by the angle position · base^(-2i/D). The shape stays.

    Every head rotates by the same angles, so the rotation of a mean of heads is the mean of their rotations.
    """
    width = x.shape[-1]
    frequencies = base ** (-torch.arange(0, width, 2, device=x.device) / width)  # D/2
    angles = (positions[:, None] * frequencies).to(x.dtype)  # T D/2
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)
