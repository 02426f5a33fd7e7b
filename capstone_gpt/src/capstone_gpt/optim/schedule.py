"""Learning rates as functions of the step: nothing to save, nothing to forget when a run resumes."""

import math


def cosine_lr(
    micro_step: int,
    peak_lr: float | int,
    warmup_steps: int,
    total_steps: int,
    min_lr: float | int = 0.0,
    accumulation: int = 1,
) -> float:
    """The rate of optimizer step `micro_step // accumulation`, counted from 0 (Loshchilov and Hutter 2017).

    Warm-up rises in equal steps, from peak / (warmup_steps + 1) at step 0, to the peak at step `warmup_steps`. From
    there half a cosine falls, to `min_lr` at step `total_steps`. Later steps stay there.

    Raises:
        ValueError: `total_steps` is not above `warmup_steps`.
    """
    if total_steps <= warmup_steps:
        raise ValueError(f"total_steps={total_steps}: must be above warmup_steps={warmup_steps}")
    step = micro_step // accumulation
    if step < warmup_steps:
        return peak_lr * (step + 1) / (warmup_steps + 1)
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return min_lr + (peak_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2


def warmup(step: int, warmup_steps: int) -> float:
    """The share of the peak: 1 from step `warmup_steps` on, never 0."""
    return min(1.0, (step + 1) / (warmup_steps + 1))


def constant_lr(step: int, peak_lr: float | int, warmup_steps: int = 0) -> float:
    """Warm-up, then the peak."""
    return peak_lr * warmup(step, warmup_steps)


def trapezoid_lr(
    step: int, peak_lr: float | int, warmup_steps: int, total_steps: int, decay: float | int = 0.5
) -> float:
    """Warm-up, the peak, and a straight line to 0 over the last `decay` of the steps ("warm-up, stable, decay")."""
    return peak_lr * min(warmup(step, warmup_steps), max(0.0, (total_steps - step) / (total_steps * decay)), 1.0)


def polynomial_lr(
    step: int,
    peak_lr: float | int,
    warmup_steps: int,
    total_steps: int,
    power: float | int = 1.0,
    min_lr: float | int = 0.0,
) -> float:
    """Warm-up, then (1 - progress) to a power; 1 is a straight line."""
    if step < warmup_steps:
        return peak_lr * warmup(step, warmup_steps)
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return min_lr + (peak_lr - min_lr) * (1 - progress) ** power


def step_lr(step: int, peak_lr: float | int, every: int, factor: float | int = 0.1) -> float:
    """Multiplied by `factor` after every so many steps."""
    return peak_lr * factor ** (step // every)


def restarts_lr(
    step: int, peak_lr: float | int, first_cycle: int, factor: int = 2, min_lr: float | int = 0.0, warmup_steps: int = 0
) -> float:
    """Half a cosine again and again, each cycle `factor` times as long as the last (SGDR)."""
    if step < warmup_steps:
        return peak_lr * warmup(step, warmup_steps)
    step, length = step - warmup_steps, first_cycle
    while step >= length:
        step, length = step - length, length * factor
    return min_lr + (peak_lr - min_lr) * (1 + math.cos(math.pi * step / length)) / 2


class Plateau:
    """Divides the rate when the validation loss has not improved for more than `patience` evaluations.

    The only schedule with a memory: its state belongs into the checkpoint.
    """

    def __init__(self, factor: float | int = 0.1, patience: int = 2, threshold: float | int = 1e-4):
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best, self.bad, self.share = math.inf, 0, 1.0

    def observe(self, loss: float | int) -> float:
        """The share of the peak from now on."""
        if loss < self.best * (1 - self.threshold):
            self.best, self.bad = loss, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.share, self.bad = self.share * self.factor, 0
        return self.share

    def state_dict(self) -> dict:
        return {"best": self.best, "bad": self.bad, "share": self.share}

    def load_state_dict(self, state: dict) -> None:
        self.best, self.bad, self.share = state["best"], state["bad"], state["share"]
