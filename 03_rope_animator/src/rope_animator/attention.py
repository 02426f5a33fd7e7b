"""Where the rotation belongs in a model: after the projections and the split into heads, before the scores.

Dimensions:
    B  sequences of a batch
    H  heads
    T  tokens; an underscore: the function checks that it is T
    D  width of a head
"""

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor

from .rope import apply_rope


def rotary_attention(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B H _ D"],
    v: Float[Tensor, "B H _ D"],
    positions: Real[Tensor, "..."],
    base: float = 10_000.0,
) -> Float[Tensor, "B H T D"]:
    """Causal attention with rotated queries and keys, half layout (Su et al. 2021, eq. 16).

    Token t attends to tokens 0 to t, in the order of the tensors, whatever their positions. Values are not rotated:
    they carry the content, and nothing would undo their rotation.

    Raises:
        ValueError: keys and values have different shapes, or `apply_rope` refuses its arguments.
    """
    if v.shape != k.shape:
        raise ValueError(f"v.shape={tuple(v.shape)}: each key needs a value; use the shape of k, {tuple(k.shape)}")
    q, k = apply_rope(q, k, positions, base)
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # B H T T
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    return weights @ v
