"""What makes an encoding relative, as a test one can run against any implementation.

Letters: B batch, H heads, T tokens, D width of a head.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def assert_relative(rotary: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Raise AssertionError unless scores under `rotary(q, k, positions)` depend on distance, and on distance alone.

    Su et al. 2021, eq. 11: <f(q, m), f(k, n)> = g(q, k, m - n). Three things, each of which a wrong implementation
    can satisfy without the others: shifting all positions changes no score; so does a far shift; and moving
    the tokens apart does change scores (or else an encoding that ignores positions would pass).
    """
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(2, 3, 7, 16, generator=generator, dtype=torch.float64) for _ in range(2))
    positions = torch.tensor([0, 1, 2, 5, 11, 23, 40])

    def scores(at: Tensor) -> Tensor:
        turned_q, turned_k = rotary(q, k, at)
        return turned_q @ turned_k.transpose(-1, -2)

    here = scores(positions)
    for shift in (1, 7, 4000):
        worst = (scores(positions + shift) - here).abs().max().item()
        assert worst < 1e-9, f"all positions shifted by {shift}: a score changed by {worst:.3g}"
    apart = (scores(3 * positions) - here).abs()
    assert apart.max() > 1e-3, "tokens three times as far apart: no score changed, so positions are ignored"
