"""What makes an encoding relative, as a test that can be run against any implementation."""

from collections.abc import Callable

import torch
from torch import Tensor


def assert_relative(rotary: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Test that scores under `rotary(q, k, positions)` depend on distance, and on distance alone.

    Su et al. 2021, eq. 11: <f(q, m), f(k, n)> = g(q, k, m - n). Three checks, because a wrong encoding can pass any
    two of them. A small shift of all positions changes no score. A far shift changes no score. Moving tokens apart
    changes some scores: without this check an encoding that ignores positions would pass.

    Raises:
        AssertionError: a shift changed a score, or moving tokens apart changed none.
    """
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 3, 7, 16, generator=generator, dtype=torch.float64)
    k = torch.randn(2, 3, 7, 16, generator=generator, dtype=torch.float64)
    positions = torch.tensor([0, 1, 2, 5, 11, 23, 40])
    scores = score_matrix(rotary, q, k, positions)
    for shift in (1, 7, 4000):
        shifted = score_matrix(rotary, q, k, positions + shift)
        change = (shifted - scores).abs().max().item()
        assert change < 1e-9, f"all positions shifted by {shift}: a score changed by {change:.3g}"
    change = (score_matrix(rotary, q, k, 3 * positions) - scores).abs().max().item()
    assert change > 1e-3, "tokens three times as far apart: no score changed, so positions are ignored"


def score_matrix(rotary: Callable, q: Tensor, k: Tensor, positions: Tensor) -> Tensor:
    """Dot products of every rotated query with every rotated key."""
    rotated_q, rotated_k = rotary(q, k, positions)
    return rotated_q @ rotated_k.transpose(-1, -2)
