"""Dropout: at training, zero a share of the numbers, and enlarge the others so that the mean stays."""

import torch
from jaxtyping import Float
from torch import Tensor


def dropout(
    x: Float[Tensor, "*shape"], p: float, uniforms: Float[Tensor, "*shape"], training: bool
) -> Float[Tensor, "*shape"]:
    """Inverted dropout (Srivastava et al. 2014, section 10): zero where uniforms < p, else x / (1 - p).

    `uniforms` in [0, 1) decide, so that a test can repeat the draw. At evaluation x passes as it is, because training
    has rescaled it already.

    Raises:
        ValueError: p is not in [0, 1).
    """
    if not 0 <= p < 1:
        raise ValueError(f"p={p}: must be at least 0 and below 1; at 1 nothing would be left")
    return torch.where(uniforms < p, 0.0, x / (1 - p)) if training else x
