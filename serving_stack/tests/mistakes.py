"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import torch
from grader import combine, error_of

TASKS = ["softmax"]

# ---------------------------------------------------------------- softmax

SHIFT = ["right", "WITHOUT subtracting the maximum", "that subtracts the maximum of ALL rows"]
AXIS = ["right", "over the FIRST axis"]
TEMPERATURE = ["right", "that MULTIPLIES by the temperature", "that IGNORES the temperature"]
KNOBS = {"shift": SHIFT, "axis": AXIS, "temperature": TEMPERATURE}
HINTS = {
    SHIFT[1]: "What is exp(1000) in float32?",
    SHIFT[2]: "One row is 300 lower than another. What is left of it after the subtraction, and after exp?",
    AXIS[1]: "Which numbers must sum to one?",
    TEMPERATURE[1]: "A high temperature makes the distribution flat. What do high scores divided by it become?",
    TEMPERATURE[2]: "Compare temperature 0.5 with temperature 2. Does anything change?",
}


def wrong_softmax(shift, axis, temperature):
    def softmax(scores, temperature_=1.0):
        if temperature_ <= 0:
            raise ValueError("temperature")
        scale = {TEMPERATURE[0]: 1 / temperature_, TEMPERATURE[1]: temperature_, TEMPERATURE[2]: 1.0}[temperature]
        dim = -1 if axis == "right" else 0
        scaled = scores * scale
        if shift == "right":
            scaled = scaled - scaled.amax(dim, keepdim=True)
        elif shift == SHIFT[2]:
            scaled = scaled - scaled.max()
        weights = scaled.exp()
        return weights / weights.sum(dim, keepdim=True)

    return lambda scores, temperature=1.0: softmax(scores, temperature)


def scores_of(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def ordinary_scores(impl, seed):
    return impl.softmax(scores_of(seed, 3, 5, 7))


def low_and_high_temperatures(impl, seed):
    return {f"temperature {t}": impl.softmax(scores_of(seed + 1, 5, 7), t) for t in (0.5, 2.0)}


def scores_in_the_hundreds(impl, seed):
    steps = torch.tensor([0.0, 300.0]) + scores_of(seed + 2, 2)
    scores = steps[:, None] + steps
    return {f"temperature {t}": impl.softmax(scores, t) for t in (0.5, 2.0)}


def one_score(impl, seed):
    return impl.softmax(scores_of(seed + 3, 1))


def other_number_formats(impl, seed):
    formats = (torch.float64, torch.bfloat16)
    return {f"dtype of {t}": str(impl.softmax(scores_of(seed + 4, 2, 3, dtype=t)).dtype) for t in formats}


def temperatures_that_are_refused(impl, seed):
    scores = scores_of(seed + 5, 2, 3)
    return {f"temperature {t}": error_of(lambda t=t: impl.softmax(scores, t)) for t in (0.0, -1.0, 0.01, 1.0)}


PROBES = {
    "softmax": [
        ordinary_scores,
        low_and_high_temperatures,
        scores_in_the_hundreds,
        one_score,
        other_number_formats,
        temperatures_that_are_refused,
    ]
}


def of(task):
    """Every known mistake of a task."""
    yield from {"softmax": combine("softmax", "a softmax", KNOBS, wrong_softmax, HINTS)}[task]
