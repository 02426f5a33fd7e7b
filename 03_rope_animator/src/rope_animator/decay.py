"""Why rotary scores fade with distance, in closed form (Su et al. 2021, section 3.4.3)."""

import torch
from jaxtyping import Float64, Real
from torch import Tensor

from .sinusoidal import frequencies


def decay_bound(distance: Real[Tensor, "N"], dim: int, base: float = 10_000.0) -> Float64[Tensor, "N"]:
    """Mean of |S_1|, ..., |S_P| with S_j the sum of the first j unit vectors e^(i distance theta) (their eq. 37).

    Abel summation bounds the rotary score by this mean times the largest step between neighbouring products q_i k_i.
    At distance 0 all vectors agree and the mean is (P + 1) / 2; farther, the fast ones point everywhere and cancel.
    """
    angle = distance.double()[:, None] * frequencies(dim, base)  # N P
    return torch.polar(torch.ones_like(angle), angle).cumsum(1).abs().mean(1)


def aligned_score(distance: Real[Tensor, "N"], dim: int, base: float = 10_000.0) -> Float64[Tensor, "N"]:
    """Rotary score of a vector with itself at a distance, over its score at 0, all pairs of equal length.

    The mean of cos(distance theta): not a bound but an example, and not monotone.
    """
    return (distance.double()[:, None] * frequencies(dim, base)).cos().mean(1)
