"""Seven optimizers on a narrow valley and on one small GPT: paths, convergence, bytes of state, when to use which."""

from statistics import median

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..optim import AdamW, MuonAdamW, param_groups, polynomial_lr
from . import drawing
from .small_run import fit, small_modern, valid_loss
from .update_rules import SGD, Adafactor, Adam, Lion, state_bytes

__all__ = ["SGD", "Adafactor", "Adam", "Lion", "figure", "outcome", "rows", "run"]

QUESTION = "Which optimizer trains a small GPT best in equal steps, and what does its state cost?"
PREDICTION = "Adam and its descendants are close to each other, SGD is far behind, and a better loss costs more state."
STEPS, WARMUP, SEEDS = 150, 10, 3
DECAY = 0.1
RATES = {
    "SGD": (0.3, 1.0, 3.0),
    "momentum": (0.1, 0.3, 1.0),
    "Adam": (1e-2, 3e-2, 1e-1),
    "AdamW": (1e-2, 3e-2, 1e-1),
    "Lion": (1e-3, 3e-3, 1e-2),
    "Adafactor": (0.1, 0.3, 1.0),
    "Muon": (0.01, 0.03, 0.1),
}
REST_RATE = 1e-2  # of AdamW, for what Muon leaves to it
VALLEY_RATES = {"SGD": 0.018, "momentum": 0.012, "Adam": 0.3, "AdamW": 0.3, "Lion": 0.2, "Adafactor": 0.2, "Muon": 0.3}
START, CURVATURE = (-8.0, 2.0), (1.0, 100.0)
WHEN = {
    "SGD": "no memory for a state; smooth problems, or a rate that was searched for",
    "momentum": "convolutional networks; with a searched rate also a small normalised GPT",
    "Adam": "sparse or badly scaled gradients, without weight decay",
    "AdamW": "the default of language models; decay acts as one expects",
    "Lion": "half of Adam's state; a rate 3 to 10 times lower, a decay as much higher",
    "Adafactor": "models whose Adam state does not fit; rates relative to the weights",
    "Muon": "hidden matrices of a model trained from its start; AdamW for the rest",
}


def build(name: str, model: nn.Module, lr: float | int) -> torch.optim.Optimizer:
    """An optimizer for the model. Decay is decoupled where the rule has it so, and 0 for plain SGD and Adam."""
    if name in ("SGD", "momentum"):
        return SGD(model.parameters(), lr, momentum=0.9 if name == "momentum" else 0.0)
    if name == "Adam":
        return Adam(model.parameters(), lr)
    if name == "Muon":
        return MuonAdamW(model, REST_RATE, lr, weight_decay=DECAY, dtype=torch.float32)
    made = {"AdamW": AdamW, "Lion": Lion, "Adafactor": Adafactor}[name]
    return made(param_groups(model, DECAY), lr)


class Point(nn.Module):
    """Two numbers in a valley, as a matrix of one row: so Muon takes it for a hidden matrix."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ParameterList([torch.tensor([START])])

    def forward(self) -> Tensor:
        return 0.5 * (self.blocks[0].square() * torch.tensor(CURVATURE)).sum()


def path(name: str, steps: int) -> list[list[float]]:
    """The places of a point that rolls down the valley, without decay, at a rate that falls in a straight line."""
    point, places = Point(), []
    optimizer = build(name, point, VALLEY_RATES[name])
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.0
    peaks = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        places.append(point.blocks[0].detach().flatten().tolist())
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = polynomial_lr(step, peak, 0, steps)
        optimizer.zero_grad()
        point().backward()
        optimizer.step()
    return [*places, point.blocks[0].detach().flatten().tolist()]


def height(place: list[float]) -> float:
    """The loss of a place in the valley."""
    return 0.5 * sum(c * x * x for c, x in zip(CURVATURE, place, strict=True))


def train(name: str, rate: float | int, seed: int, steps: int) -> dict:
    """One run on the text: rate, training losses, validation loss, bytes of state a parameter."""
    model = small_modern(seed)
    optimizer = build(name, model, rate)
    losses = fit(model, optimizer, steps, seed, lambda step: polynomial_lr(step, 1.0, WARMUP, steps))
    return {"rate": rate, "losses": losses, "valid": valid_loss(model), "bytes": state_bytes(optimizer)}


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """The best of three rates for each optimizer on one seed; that rate on two seeds more; and the paths."""
    steps, found = 4 if quick else STEPS, {}
    for name, rates in RATES.items():
        log(f"{name}: three rates, then the best on other seeds")
        tried = [train(name, rate, seed, steps) for rate in (rates[1:2] if quick else rates)]
        best = min(tried, key=lambda one: float("inf") if one["valid"] is None else one["valid"])
        again = [train(name, best["rate"], seed + i, steps) for i in range(1, 1 if quick else SEEDS)]
        found[name] = {"tried": {f"{one['rate']:g}": one["valid"] for one in tried}, "rate": best["rate"],
                       "losses": best["losses"], "valid": [best["valid"], *(one["valid"] for one in again)],
                       "bytes": best["bytes"], "path": path(name, 60)}  # fmt: skip
        found[name]["height"] = height(found[name]["path"][-1])
    return {"steps": steps, "optimizers": found}


def ranking(result: dict) -> list[str]:
    """The optimizers by their median validation loss, the best first."""
    return sorted(result["optimizers"], key=lambda name: median(result["optimizers"][name]["valid"]))


def outcome(result: dict) -> str:
    """Best and worst, and what the state costs."""
    found, order = result["optimizers"], ranking(result)
    losses = {name: median(found[name]["valid"]) for name in order}
    return (
        f"After {result['steps']} steps {order[0]} is best with {losses[order[0]]:.2f} nats, and {order[-1]} worst "
        f"with {losses[order[-1]]:.2f}. AdamW reaches {losses['AdamW']:.2f} with {found['AdamW']['bytes']:.1f} bytes "
        f"of state a parameter, Lion {losses['Lion']:.2f} with {found['Lion']['bytes']:.1f}, and Adafactor "
        f"{losses['Adafactor']:.2f} with {found['Adafactor']['bytes']:.1f}. "
        f"In the valley of curvature 100 the lowest point after 60 steps is "
        f"{min(found, key=lambda name: found[name]['height'])}'s: a valley of two numbers does not predict a GPT."
    )


def figure(result: dict) -> Figure:
    """Left: paths in the valley. Right: training of the GPT."""
    found, order = result["optimizers"], ranking(result)
    losses = [median(found[name]["valid"]) for name in order]
    made = drawing.figure(
        f"{order[0]} ends at {losses[0]:.2f} nats, AdamW at {losses[order.index('AdamW')]:.2f} and {order[-1]} at "
        f"{losses[-1]:.2f}, after {result['steps']} equal steps",
        (10, 4.4),
    )
    left, right = made.subplots(1, 2)
    x, y = torch.meshgrid(torch.linspace(-9, 3, 121), torch.linspace(-2.6, 2.6, 121), indexing="ij")
    loss = 0.5 * (CURVATURE[0] * x**2 + CURVATURE[1] * y**2)
    left.contour(x, y, loss, levels=[0.3, 3, 10, 30, 100, 200, 300], colors="#cccccc", linewidths=0.8)
    colors = dict(zip(found, drawing.COLORS, strict=False))
    for name in ("SGD", "momentum", "AdamW", "Lion", "Muon"):
        left.plot(*zip(*found[name]["path"], strict=True), ".-", color=colors[name], ms=3, lw=0.9, label=name)
    left.legend(frameon=False, loc="lower left", ncols=3, fontsize=8)
    left.set(xlabel="flat direction", ylabel="steep direction (100 times the curvature)", ylim=(-2.6, 2.6))
    left.set_title("60 steps in a valley")
    ends = []
    for name, one in found.items():
        values = [v for v in one["losses"] if v is not None]
        smooth = [sum(values[max(0, i - 9) : i + 1]) / len(values[max(0, i - 9) : i + 1]) for i in range(len(values))]
        right.plot(smooth, color=colors[name])
        ends.append((len(values) - 1, smooth[-1], name, colors[name]))
    right.set(xlabel="step", ylabel="training loss, nats a character", xlim=(0, 1.02 * result["steps"]))
    right.set_title("the GPT, each at the best of three rates")
    drawing.spread_labels(right, ends)
    return made


def rows(result: dict) -> list[list[str]]:
    """Optimizer, rate, loss, state, when to use it."""
    made = [["optimizer", "best rate of three", "validation loss", "bytes of state a parameter", "when to use it"]]
    for name in ranking(result):
        one = result["optimizers"][name]
        low, high = min(one["valid"]), max(one["valid"])
        loss = f"{median(one['valid']):.3f} ({low:.3f}–{high:.3f})"
        made.append([name, f"{one['rate']:g}", loss, f"{one['bytes']:.2f}", WHEN[name]])
    return made
