"""What people do to a reward before they optimise it: normalise, cap, ask several models and believe the worst."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..rollout import Rollout

Score = Callable[[Rollout], Tensor]


class RunningNormalizer:
    """Rewards divided by the deviation of all rewards so far (Welford's sums, merged batch by batch).

    The mean is subtracted only where `center` is set: without it the sign of a reward is kept.
    """

    def __init__(self, center: bool = True):
        self.center = center
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    @property
    def std(self) -> float:
        """1 before there are two rewards."""
        return (self.squares / (self.count - 1)) ** 0.5 if self.count > 1 else 1.0

    def update(self, rewards: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
        """Take the batch into the sums, and return it normalised."""
        x = rewards.double()
        n, mean, squares = len(x), float(x.mean()), float((x - x.mean()).square().sum())
        delta, total = mean - self.mean, self.count + len(x)
        self.squares += squares + delta**2 * self.count * n / total
        self.mean += delta * n / total
        self.count = total
        return (rewards - (self.mean if self.center else 0.0)) / (self.std + 1e-8)


def capped(score: Score, highest: float | int) -> Score:
    """A score that is not counted above a cap: beyond it there is nothing to gain."""
    return lambda rollout: score(rollout).clamp(max=highest)


def worst_of(scores: Sequence[Score]) -> Score:
    """The lowest score of several models (Coste et al. 2023): where they disagree, nobody has seen enough."""
    return lambda rollout: torch.stack([score(rollout) for score in scores]).amin(0)
