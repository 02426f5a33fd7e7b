"""Bytes that training or serving a model needs, by what they are for."""

from typing import NamedTuple


class TrainingBytes(NamedTuple):
    """Activations are not counted: they depend on the batch."""

    weights: float
    gradients: float
    optimizer: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer


def training_bytes(parameters: int, trained: int, bits: int | float) -> TrainingBytes:
    """Frozen weights in `bits`, trained ones in 32; a gradient and Adam's two moments in 32 bits for each trained one.

    QLoRA pages the optimizer's state out to the processor's memory when a long text needs the room; that moves these
    bytes and does not change their number.
    """
    frozen = parameters - trained
    return TrainingBytes(frozen * bits / 8 + 4 * trained, 4 * trained, 8 * trained)
