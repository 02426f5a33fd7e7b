"""Sixteen bits: autocast, the scaling that float16 needs, and a guard against NaN."""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor


def autocast(precision: str, device: str = "cpu") -> contextlib.AbstractContextManager:
    """Products in `precision`, sums and norms in float32; nothing at all for "float32"."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device, getattr(torch, precision))


class LossScaler:
    """Multiplies the loss so that float16 gradients do not vanish, and takes it out again before the step.

    A step whose gradients overflow is left out and the scale halved; after `growth_interval` good steps in a row it
    doubles (Micikevicius et al. 2018). The methods are those of `torch.amp.GradScaler`.
    """

    def __init__(self, init_scale: float | int = 2.0**16, growth_interval: int = 2000):
        self.value, self.growth_interval = float(init_scale), growth_interval
        self.good_steps, self.unscaled, self.overflow = 0, False, False

    def scale(self, loss: Tensor) -> Tensor:
        return loss * self.value

    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        grads = [p.grad for p in parameters_of(optimizer) if p.grad is not None]
        for grad in grads:
            grad.div_(self.value)
        self.overflow = not all(bool(grad.isfinite().all()) for grad in grads)
        self.unscaled = True

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        if not self.unscaled:
            self.unscale_(optimizer)
        if not self.overflow:
            optimizer.step()

    def update(self) -> None:
        if self.overflow:
            self.value, self.good_steps = self.value / 2, 0
        else:
            self.good_steps += 1
            if self.good_steps == self.growth_interval:
                self.value, self.good_steps = self.value * 2, 0
        self.unscaled = self.overflow = False

    def get_scale(self) -> float:
        return self.value

    def state_dict(self) -> dict:
        return {"value": self.value, "good_steps": self.good_steps}

    def load_state_dict(self, state: dict) -> None:
        self.value, self.good_steps = state["value"], state["good_steps"]


def parameters_of(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


class NaNGuard:
    """Stops a run at the first loss that is not finite. Without a scaler no such step can be taken back."""

    def on_step(self, trainer, record: dict) -> None:
        """Raises:
        FloatingPointError: the loss is NaN or infinite.
        """
        if not math.isfinite(record["loss"]):
            raise FloatingPointError(f"step={record['step']}: the loss is {record['loss']}; resume with a lower rate")
