"""Where the rotation stands in a model: after the projection and the split into heads, before the scores."""

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor

from .rope import apply_rope


def rotary_attention(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B H T D"],
    v: Float[Tensor, "B H T D"],
    positions: Real[Tensor, "..."],
    base: float = 10_000.0,
) -> Float[Tensor, "B H T D"]:
    """Causal attention whose queries and keys are turned to their positions, half layout (Su et al. 2021, eq. 16).

    Values keep their direction: they carry what is said, and the weights have already decided from where.
    """
    q, k = apply_rope(q, k, positions, base)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(ahead, -math.inf).softmax(-1) @ v
