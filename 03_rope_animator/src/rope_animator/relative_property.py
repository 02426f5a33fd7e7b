"""What makes an encoding relative, as a test that can be run against any implementation."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

POSITIONS = torch.tensor([0, 1, 2, 5, 11, 23, 40])
APART = 3 * POSITIONS
SHIFTS = (1, 7, 4000)  # two near ones, and one beyond the end of a table
QUERIES, KEYS = torch.randn(2, 1, 3, 7, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
allclose = functools.partial(torch.allclose, rtol=0, atol=1e-9)  # float64 keeps scores to 1e-11, float32 angles to 1e-4


def assert_relative(rotary: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Test that scores under `rotary(q, k, positions)` depend on distance, and on distance alone.

    Su et al. 2021, eq. 11: <f(q, m), f(k, n)> = g(q, k, m - n). Three checks, because a wrong encoding can pass any
    two of them. A small shift of all positions changes no score. A far shift changes no score. Moving tokens apart
    changes some scores: without this check an encoding that ignores positions would pass.

    Raises:
        AssertionError: a shift changed a score, or moving tokens apart changed none.
    """
    scores = score_matrix(rotary, POSITIONS)
    for shift in SHIFTS:
        shifted = score_matrix(rotary, POSITIONS + shift)
        assert allclose(shifted, scores), f"all positions shifted by {shift}: a score changed"
    apart = score_matrix(rotary, APART)
    assert not allclose(apart, scores), "tokens three times as far apart: no score changed, so positions are ignored"


def score_matrix(rotary: Callable, positions: Tensor) -> Tensor:
    """Dot products of every rotated query with every rotated key."""
    rotated_q, rotated_k = rotary(QUERIES, KEYS, positions)
    return rotated_q @ rotated_k.mT
