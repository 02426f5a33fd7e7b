"""Why rotary scores fade with distance, in closed form (Su et al. 2021, section 3.4.3).

Dimensions:
    N  distances
    P  pairs of coordinates, P = dim / 2
"""

import torch
from jaxtyping import Float64, Real
from torch import Tensor

from .rope import angles
from .sinusoidal import frequencies


def decay_bound(distance: Real[Tensor, "N"], dim: int, base: float = 10_000.0) -> Float64[Tensor, "N"]:
    """Mean of |S_1|, ..., |S_P|, where S_j is the sum of the first j unit vectors e^(i distance theta) (their eq. 37).

    Abel summation bounds the rotary score by P times this mean, times the largest step between neighbouring products
    q_i k_i. At distance 0 all unit vectors agree and the mean is (P + 1) / 2. Far away the fast ones point in all
    directions and cancel.
    """
    angle = angles(distance, frequencies(dim, base))  # N P
    partial_sums = torch.polar(torch.ones_like(angle), angle).cumsum(1)
    return partial_sums.abs().mean(1)


def aligned_score(distance: Real[Tensor, "N"], dim: int, base: float = 10_000.0) -> Float64[Tensor, "N"]:
    """Rotary score of a vector with itself at a distance, divided by its score at distance 0.

    For a vector whose pairs all have one length this is the mean of cos(distance theta). It is an example and not a
    bound, and it does not fall monotonically.
    """
    return angles(distance, frequencies(dim, base)).cos().mean(1)
