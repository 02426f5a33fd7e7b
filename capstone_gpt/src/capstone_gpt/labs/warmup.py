"""Warm-up: what the first steps of Adam do to a model that has not begun, and when it is worth its steps."""

from statistics import median

import torch
from matplotlib.figure import Figure
from torch import nn

from ..optim import AdamW, constant_lr
from . import drawing
from .small_run import batches, fit, mean_loss, small_gpt, valid_loss

QUESTION = "How many steps of warm-up does AdamW need, and does it depend on the rate?"
PREDICTION = "Warm-up always helps. Or: it helps where the rate is high, and costs a little where the rate is low."
STEPS, SEEDS = 150, 2
RATES = (1e-3, 3e-3, 1e-2)
WARMUPS = (0, 5, 20, 60)


def first_updates(seed: int, rate: float, count: int) -> list[float]:
    """The length of each of the first updates without warm-up, as a share of the length of all weights."""
    model, data = small_gpt(seed), batches(seed)
    optimizer, shares = AdamW(model.parameters(), rate), []
    for _ in range(count):
        before = nn.utils.parameters_to_vector(model.parameters()).detach()
        optimizer.zero_grad()
        mean_loss(model, *next(data)).backward()
        optimizer.step()
        after = nn.utils.parameters_to_vector(model.parameters()).detach()
        shares.append(float((after - before).norm() / before.norm()))
    return shares


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Losses for each rate and warm-up; the updates of the first steps; how far below its peak Adam's first step is."""
    steps, found = 8 if quick else STEPS, {}
    for rate in RATES[2:] if quick else RATES:
        for warmup in WARMUPS:
            log(f"rate {rate:g}, warm-up {warmup}")
            runs = []
            for i in range(1 if quick else SEEDS):
                model = small_gpt(seed + i)
                optimizer = AdamW(model.parameters(), rate)
                losses = fit(model, optimizer, steps, seed + i, lambda step, w=warmup: constant_lr(step, 1.0, w))
                runs.append((valid_loss(model), losses))
            found.setdefault(f"{rate:g}", {})[str(warmup)] = {"valid": [v for v, _ in runs], "losses": runs[0][1]}
    updates = {f"{rate:g}": first_updates(seed, rate, 3 if quick else 30) for rate in RATES[1:]}
    return {"steps": steps, "rates": found, "updates": updates, "first step": step_over_rate()}


def step_over_rate() -> float:
    """The length of Adam's very first step for one weight, in rates: 1, however small the gradient is."""
    p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    p.grad = torch.full((1,), 1e-4, dtype=torch.float64)
    AdamW([p], 1e-3).step()
    return abs(p.item()) / 1e-3


def gains(result: dict) -> dict[str, float]:
    """For each rate: the loss without warm-up minus that with the longest."""
    ends = {}
    for rate, runs in result["rates"].items():
        ends[rate] = worst(runs["0"]["valid"]) - worst(runs[str(WARMUPS[-1])]["valid"])
    return ends


def worst(values: list[float | None]) -> float:
    """The median loss of the seeds; infinite where one is not a number."""
    return float("inf") if None in values else median(values)


def outcome(result: dict) -> str:
    """What warm-up is worth at each rate."""
    said = []
    for rate, gain in gains(result).items():
        said.append(f"{abs(gain):.2f} nats {'better' if gain > 0 else 'worse'} at {float(rate):g}")
    update = result["updates"]["0.01"]
    return (
        f"After {result['steps']} steps, {WARMUPS[-1]} steps of warm-up are {', '.join(said)}. "
        f"Adam's first step moves every weight by {result['first step']:.2f} times the rate, however small its "
        f"gradient. At 0.01 the first update is {update[0]:.0%} of the length of all weights, the last one shown "
        f"{update[-1]:.0%}."
    )


def figure(result: dict) -> Figure:
    """Left: the curves at one high rate. Right: the end against the warm-up, a line a rate."""
    rate, gain = max(gains(result).items(), key=lambda item: item[1])
    made = drawing.figure(
        f"At a rate of {float(rate):g}, {WARMUPS[-1]} steps of warm-up are worth {gain:.2f} nats", (10, 4)
    )
    left, right = made.subplots(1, 2)
    ends = []
    for (warmup, one), color in zip(result["rates"][rate].items(), drawing.COLORS, strict=False):
        values = [v for v in one["losses"] if v is not None]
        smooth = [sum(values[max(0, i - 4) : i + 1]) / len(values[max(0, i - 4) : i + 1]) for i in range(len(values))]
        left.plot(smooth, color=color)
        ends.append((len(values) - 1, smooth[-1], f"warm-up {warmup}", color))
    left.set(xlabel="step", ylabel="training loss, nats a character", xlim=(0, result["steps"]))
    left.set_title(f"training at {float(rate):g}")
    drawing.spread_labels(left, ends)
    names = []
    for (name, runs), color in zip(result["rates"].items(), drawing.COLORS, strict=False):
        values = [worst(runs[str(w)]["valid"]) for w in WARMUPS]
        right.plot(range(len(WARMUPS)), values, "o-", color=color)
        for place, w in enumerate(WARMUPS):
            seeds = [v for v in runs[str(w)]["valid"] if v is not None]
            right.plot([place] * len(seeds), seeds, ".", color=color, alpha=0.5)
        names.append((len(WARMUPS) - 1, values[-1], f"rate {float(name):g}", color))
    right.set_xticks(range(len(WARMUPS)), [str(w) for w in WARMUPS])
    right.set(xlabel="steps of warm-up", ylabel="validation loss, nats a character")
    right.set_title("the end: medians, and seeds")
    drawing.spread_labels(right, names)
    return made


def rows(result: dict) -> list[list[str]]:
    """A row a rate, a column a warm-up."""
    made = [["rate", *(f"warm-up {w}" for w in WARMUPS)]]
    for rate, runs in result["rates"].items():
        cells = []
        for w in WARMUPS:
            values = runs[str(w)]["valid"]
            cells.append(
                "not a number" if None in values else f"{median(values):.3f} ({min(values):.3f}–{max(values):.3f})"
            )
        made.append([f"{float(rate):g}", *cells])
    return made
