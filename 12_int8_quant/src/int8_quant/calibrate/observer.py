"""Observers watch the activations of calibration data, and answer with a scale and a zero point."""

import torch
from torch import Tensor


class MinMaxObserver:
    """The smallest and the largest number seen so far."""

    def __init__(self):
        self.low: Tensor | None = None
        self.high: Tensor | None = None

    def observe(self, x: Tensor) -> None:
        """Widen the range to hold this batch."""
        low, high = x.detach().min(), x.detach().max()
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)

    def affine(self, bits: int = 8) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the codes 0 … 2^bits − 1 for a range that holds zero.

        Raises:
            ValueError: nothing was observed.
        """
        if self.low is None:
            raise ValueError("observer: has seen nothing; run calibration data through the model first")
        low, high = self.low.clamp(max=0), self.high.clamp(min=0)
        scale = ((high - low) / (2**bits - 1)).clamp(min=1e-12)
        return scale, (-low / scale).round().clamp(0, 2**bits - 1)


class MovingAverageObserver(MinMaxObserver):
    """The range as a moving average of the batches' ranges: one odd batch moves it by a tenth only."""

    def __init__(self, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum

    def observe(self, x: Tensor) -> None:
        low, high = x.detach().min(), x.detach().max()
        self.low = low if self.low is None else self.low + self.momentum * (low - self.low)
        self.high = high if self.high is None else self.high + self.momentum * (high - self.high)


def affine_round(x: Tensor, scale: Tensor, zero_point: Tensor, bits: int = 8) -> Tensor:
    """x rounded to the codes 0 … 2^bits − 1 and back. The gradient passes inside of the range (straight through)."""
    steps = (x / scale + zero_point).detach().round()
    codes = steps.clamp(0, 2**bits - 1)
    return (codes - zero_point) * scale + (x - x.detach()) * (steps == codes)
