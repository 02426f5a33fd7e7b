"""Clipping by norm and by value: what each does to the direction, what it saves, and where it belongs."""

from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..optim import AdamW
from ..training import train_step
from . import drawing
from .small_run import batches, last, mean_loss, number, small_gpt, small_modern, token_sum, valid_loss
from .update_rules import SGD

QUESTION = (
    "One batch in fifty has a gradient many times too large. Which clipping saves the run, and what does it change?"
)
PREDICTION = "Clipping by norm only shortens the step; clipping by value also turns it. Under AdamW neither is needed."
STEPS, EVERY, TIMES = 150, 50, 300.0
MAX_NORM, MAX_VALUE = 1.0, 0.03
OPTIMIZERS = {"SGD, momentum": lambda p: SGD(p, 0.3, momentum=0.9), "AdamW": lambda p: AdamW(p, 3e-2)}
WAYS = ("none", "norm", "value")


def clip(parameters: list[Tensor], way: str, max_norm: float = MAX_NORM, max_value: float = MAX_VALUE) -> float:
    """Clip the gradients in place: all together to a norm, each number to a range, or not; the norm before."""
    norm = torch.stack([p.grad.norm() for p in parameters]).norm()
    if way == "norm":
        share = min(1.0, max_norm / float(norm))
        for p in parameters:
            p.grad.mul_(share)
    elif way == "value":
        for p in parameters:
            p.grad.clamp_(-max_value, max_value)
    return float(norm)


def spiked(optimizer: str, way: str, seed: int, steps: int) -> dict:
    """A run in which the loss of every fiftieth batch counts TIMES times."""
    model, data = small_modern(seed), batches(seed)
    parameters, losses, norms = list(model.parameters()), [], []
    rule = OPTIMIZERS[optimizer](parameters)
    for step in range(steps):
        loss = mean_loss(model, *next(data))
        losses.append(number(loss.item()))
        if losses[-1] is None:
            break
        rule.zero_grad()
        (loss * TIMES if step % EVERY == EVERY // 2 else loss).backward()
        norms.append(number(clip(parameters, way)))
        rule.step()
    return {"losses": losses, "norms": norms, "train": last(losses), "valid": valid_loss(model)}


def direction(seed: int) -> dict[str, float]:
    """The cosine between a gradient of the untrained GPT and the same gradient clipped to a tenth of its size."""
    found = {}
    for way in ("norm", "value"):
        model = small_gpt(seed)
        parameters = list(model.parameters())
        mean_loss(model, *next(batches(seed))).backward()
        before = torch.cat([p.grad.flatten() for p in parameters]).double()
        size = float(before.norm()) / 10
        clip(parameters, way, max_norm=size, max_value=float(before.abs().max()) / 10)
        after = torch.cat([p.grad.flatten() for p in parameters]).double()
        found[way] = float(F.cosine_similarity(before, after, dim=0))
    return found


def accumulation(seed: int) -> dict[str, float]:
    """Distances, in float64, of the gradient of three unequal micro-batches from that of one batch of all rows."""
    x, y = next(batches(seed, 12))
    parts = [(x[:1], y[:1]), (x[1:4], y[1:4]), (x[4:], y[4:])]
    whole = gradient(seed, lambda m: train_step(token_sum(m), Still(m), [(x, y)], 1.0))
    summed = gradient(seed, lambda m: train_step(token_sum(m), Still(m), parts, 1.0))
    each = gradient(seed, lambda m: clip_each(m, parts))
    return {name: float((g - whole).norm() / whole.norm())
            for name, g in (("clipped once, after the sum", summed), ("each micro-batch clipped", each))}  # fmt: skip


class Still(torch.optim.SGD):
    """An optimizer that takes no step: what is looked at is the gradient that it would have used."""

    def __init__(self, model: nn.Module):
        super().__init__(model.parameters(), lr=0.0)


def clip_each(model: nn.Module, parts: list[tuple[Tensor, Tensor]]) -> None:
    """The mistake: every micro-batch's gradient is clipped before it is added."""
    targets = sum(y.numel() for _, y in parts)
    total = [torch.zeros_like(p) for p in model.parameters()]
    for x, y in parts:
        model.zero_grad()
        (token_sum(model)(x, y) / y.numel()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for sum_, p in zip(total, model.parameters(), strict=True):
            sum_.add_(p.grad, alpha=y.numel() / targets)
    for sum_, p in zip(total, model.parameters(), strict=True):
        p.grad = sum_


def gradient(seed: int, make: Callable[[nn.Module], object]) -> Tensor:
    model = small_gpt(seed).double()
    make(model)
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Spiked runs for two optimizers and three ways; the direction; accumulation."""
    steps, runs = (6 if quick else STEPS), {}
    for optimizer in OPTIMIZERS:
        for way in WAYS:
            log(f"{optimizer}, clipped by {way}")
            found = [spiked(optimizer, way, seed + i, steps) for i in range(1 if quick else 2)]
            runs.setdefault(optimizer, {})[way] = {**found[0], "valid": [one["valid"] for one in found]}
    return {"steps": steps, "times": TIMES, "runs": runs, "direction": direction(seed),
            "accumulation": accumulation(seed)}  # fmt: skip


def end(one: dict) -> float:
    """The median validation loss of the seeds; infinite where one ended without a number."""
    return float("inf") if None in one["valid"] else median(one["valid"])


def text_of(loss: float) -> str:
    return "NaN" if loss == float("inf") else f"{loss:,.0f}" if loss > 20 else f"{loss:.2f}"


def outcome(result: dict) -> str:
    """What each way saves, turns and equals."""
    said = []
    for name, runs in result["runs"].items():
        said.append(f"{name} ends at " + ", ".join(f"{text_of(end(runs[way]))} ({way})" for way in WAYS))
    turned, sums = result["direction"], result["accumulation"]
    once, each = sums.values()
    return (
        f"With every fiftieth gradient {result['times']:g} times too large, {'; '.join(said)}. "
        f"Clipped to a tenth, a gradient keeps its direction by norm (cosine {turned['norm']:.3f}) and by value "
        f"it turns (cosine {turned['value']:.3f}). Micro-batches that are summed and clipped once give the gradient "
        f"of one batch to {once:.0e}; clipped one by one they are {each:.0%} away."
    )


def figure(result: dict) -> Figure:
    """Training with spikes, a panel an optimizer."""
    sgd = result["runs"]["SGD, momentum"]
    made = drawing.figure(
        f"One gradient in {EVERY} is {result['times']:g} times too large: SGD ends at {text_of(end(sgd['none']))} "
        f"nats, clipped by norm at {text_of(end(sgd['norm']))}",
        (10, 4),
    )
    for ax, (name, runs) in zip(made.subplots(1, 2, sharey=True), result["runs"].items(), strict=True):
        ends = []
        for (way, one), color in zip(runs.items(), drawing.COLORS[3::-1], strict=False):
            values = [min(v, 9.0) for v in one["losses"] if v is not None]
            ax.plot(values, color=color, lw=1)
            beyond = ", off the scale" if values[-1] == 9.0 else ""
            ends.append((len(values) - 1, values[-1], f"none{beyond}" if way == "none" else f"by {way}", color))
        for spike in range(EVERY // 2, result["steps"], EVERY):
            ax.axvline(spike, color=drawing.GREY, lw=0.7, ls=":")
        ax.set(xlabel="step (dotted: the large gradients)", xlim=(0, 1.01 * result["steps"]), ylim=(1.5, 9.2))
        ax.set_title(name)
        drawing.spread_labels(ax, ends)
        ax.set_ylabel("training loss, nats a character" if name.startswith("SGD") else "")
    return made


def rows(result: dict) -> list[list[str]]:
    """A row an optimizer, then direction and accumulation."""
    made = [["", "not clipped", f"norm {MAX_NORM:g}", f"value {MAX_VALUE:g}"]]
    for name, runs in result["runs"].items():
        made.append([f"validation loss, {name}", *(text_of(end(runs[way])) for way in WAYS)])
    turned = result["direction"]
    made.append(["cosine to the gradient, clipped to a tenth", "1", f"{turned['norm']:.3f}", f"{turned['value']:.3f}"])
    return made
