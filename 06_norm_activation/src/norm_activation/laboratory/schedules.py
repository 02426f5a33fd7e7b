"""Learning-rate schedules: the factor on the learning rate at each step."""

import math

SCHEDULES = ("constant", "step", "cosine", "warm-up + cosine")


def schedule(name: str, step: int, steps: int) -> float:
    """The factor at `step` of `steps`, counted from 0.

    step              divided by 10 at two thirds of the way
    cosine            half a wave from 1 down to 0 (Loshchilov and Hutter 2017)
    warm-up + cosine  a tenth of the steps from 0 up to 1, then the half wave

    Raises:
        ValueError: an unknown name.
    """
    if name == "constant":
        return 1.0
    if name == "step":
        return 1.0 if step < 2 * steps / 3 else 0.1
    if name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / steps))
    if name == "warm-up + cosine":
        warm = max(1, steps // 10)
        return (step + 1) / warm if step < warm else schedule("cosine", step - warm, steps - warm)
    raise ValueError(f"name={name!r}: choose one of {', '.join(SCHEDULES)}")
