"""Adam's own comparison on three tasks: a convex one with sparse gradients, an MLP with dropout, and convolutions.

Kingma & Ba 2015, section 6, compare Adam with AdaGrad, RMSProp and SGD with Nesterov's momentum: on logistic
regression, on fully connected networks with dropout, and on a convolutional network. Here each task predicts the next
character of one text. The fourth task, a GPT, is in `optimizers.py`.
"""

from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn

from . import drawing
from .small_run import fit, last, offline_text, valid_loss
from .update_rules import SGD, Adam

QUESTION = "Where is Adam ahead of SGD: on a convex task, on an MLP with dropout, on convolutions?"
PREDICTION = "As in Adam's paper: first or equal first on all three. Momentum comes close on convolutions."
STEPS, SEEDS, BATCH = 200, 3, 16
N_EMBD, HIDDEN, KERNEL, DROPOUT = 12, 96, 8, 0.2
OPTIMIZERS: dict[str, tuple[Callable, tuple[float | int, ...]]] = {
    "SGD": (lambda p, lr: SGD(p, lr), (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
    "momentum": (lambda p, lr: SGD(p, lr, momentum=0.9), (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)),
    "AdaGrad": (lambda p, lr: torch.optim.Adagrad(p, lr), (0.03, 0.1, 0.3, 1.0, 3.0)),
    "RMSprop": (lambda p, lr: torch.optim.RMSprop(p, lr), (1e-3, 3e-3, 1e-2, 3e-2, 0.1)),
    "Adam": (lambda p, lr: Adam(p, lr), (3e-3, 1e-2, 3e-2, 0.1, 0.3)),
}


class Pairs(nn.Module):
    """Softmax regression on the last character: convex, and a step has a gradient only for characters it has seen."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)
        nn.init.zeros_(self.table.weight)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        return self.table(tokens)


class Convolutions(nn.Module):
    """Causal convolutions over the last characters. With one layer it is an MLP on a window of KERNEL characters."""

    def __init__(self, vocab_size: int, kernels: tuple[int, ...], dropout: float | int):
        super().__init__()
        self.wte, self.drop = nn.Embedding(vocab_size, N_EMBD), nn.Dropout(dropout)
        widths = [N_EMBD, *[HIDDEN] * len(kernels)]
        layers = zip(widths, widths[1:], kernels, strict=False)
        self.layers = nn.ModuleList([nn.Conv1d(a, b, kernel) for a, b, kernel in layers])
        self.head = nn.Linear(HIDDEN, vocab_size)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x = self.wte(tokens).mT  # B C T
        for layer in self.layers:
            x = self.drop(layer(F.pad(x, (layer.kernel_size[0] - 1, 0))).relu())
        return self.head(x.mT)


TASKS: dict[str, Callable[[int], nn.Module]] = {
    "convex": Pairs,
    "MLP with dropout": lambda vocab_size: Convolutions(vocab_size, (KERNEL,), DROPOUT),
    "convolutions": lambda vocab_size: Convolutions(vocab_size, (3, 3, 3), 0.0),
}


def train(task: str, name: str, rate: float | int, seed: int, steps: int) -> dict:
    """One run: its training losses, and the loss on the validation windows, without dropout."""
    torch.manual_seed(seed)
    model = TASKS[task](offline_text().vocab_size)
    losses = fit(model, OPTIMIZERS[name][0](model.parameters(), rate), steps, seed, batch_size=BATCH)
    return {"rate": rate, "losses": losses, "train": last(losses), "valid": valid_loss(model.eval())}


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """For each task and optimizer: the best of five or six rates on one seed, then that rate on two seeds more."""
    steps, found = 6 if quick else STEPS, {}
    for task in TASKS:
        log(f"{task}: five optimizers")
        found[task] = {name: best(task, name, seed, steps, quick) for name in OPTIMIZERS}
    return {"steps": steps, "tasks": found}


def best(task: str, name: str, seed: int, steps: int, quick: bool) -> dict:
    """The rate with the lowest validation loss, its curve, and its losses over seeds."""
    rates = OPTIMIZERS[name][1]
    tried = [train(task, name, rate, seed, steps) for rate in (rates[1:2] if quick else rates)]
    one = min(tried, key=lambda each: float("inf") if each["valid"] is None else each["valid"])
    again = [train(task, name, one["rate"], seed + i, steps) for i in range(1, 1 if quick else SEEDS)]
    edge = not quick and one["rate"] in (rates[0], rates[-1])
    return one | {"valid": [one["valid"], *(each["valid"] for each in again)], "edge": edge}


def losses_of(result: dict, task: str) -> dict[str, float]:
    """Median validation loss of each optimizer, the best first."""
    found = {name: median(one["valid"]) for name, one in result["tasks"][task].items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def outcome(result: dict) -> str:
    """Who is first on each task, and how far SGD, momentum and Adam are behind."""
    parts = []
    for task in result["tasks"]:
        losses = losses_of(result, task)
        first, low = next(iter(losses.items()))
        behind = [f"{name} {losses[name] - low:.2f}" for name in ("Adam", "momentum", "SGD") if name != first]
        parts.append(f"{task[0].upper()}{task[1:]}: {first} is first with {low:.2f} nats; behind: {', '.join(behind)}.")
    return " ".join(parts)


def figure(result: dict) -> Figure:
    """Training loss of each optimizer at its best rate, a panel a task."""
    losses = [losses_of(result, task) for task in result["tasks"]]
    ahead, first = sum(one["Adam"] < one["SGD"] for one in losses), sum(next(iter(one)) == "Adam" for one in losses)
    claim = f"Adam is ahead of SGD on {ahead} of {len(losses)} tasks, and first of five on {first}"
    made = drawing.figure(claim, (11, 3.6))
    for ax, (task, found) in zip(made.subplots(1, len(result["tasks"])), result["tasks"].items(), strict=True):
        ends = []
        for (name, one), color in zip(found.items(), drawing.COLORS, strict=False):
            kept = [loss for loss in one["losses"] if loss is not None]
            smooth = [sum(kept[max(0, i - 19) : i + 1]) / len(kept[max(0, i - 19) : i + 1]) for i in range(len(kept))]
            ax.plot(smooth, color=color, lw=1.3)
            ends.append((len(smooth), smooth[-1], name, color))
        low = min(y for _, y, _, _ in ends)
        ax.set(xlabel="step", xlim=(0, 1.38 * result["steps"]), ylim=(low - 0.3, low + 1.3))
        ax.set_title(task, fontsize=9, loc="left")
        drawing.spread_labels(ax, [(x, min(y, low + 1.2), name, color) for x, y, name, color in ends])
    made.supylabel("nats a character, mean of 20 steps", fontsize=9)
    return made


def rows(result: dict) -> list[list[str]]:
    """A row for each task and optimizer."""
    table = [["task", "optimizer", "best rate", "training loss, last 20 steps", "validation loss, three seeds"]]
    for task, found in result["tasks"].items():
        for name in losses_of(result, task):
            one = found[name]
            values = sorted(one["valid"])
            spread = f"{median(values):.3f} ({values[0]:.3f}–{values[-1]:.3f})"
            rate = f"{one['rate']:g}" + (", at the edge of those tried" if one["edge"] else "")
            table.append([task, name, rate, "" if one["train"] is None else f"{one['train']:.3f}", spread])
    return table
