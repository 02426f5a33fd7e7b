"""What a run logs while it trains: nothing that the board of a real training could not show."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .faulty_run import EVALUATIONS, Run

Curves = dict[str, list]
GROUPS = {"embedding": ("wte.", "wpe."), "first block": ("blocks.0.",), "blocks": ("blocks.",), "head": ("lm_head.",)}
STEP = ("loss", "lr", "norm", "grad", "zeros", "cosine", "update", "moved", "weights")
LOOK = ("valid", "valid_again", "train", "entropy")


def train(run: Run, steps: int | None = None) -> Curves:
    """Train the run as it is set up. Each step and each evaluation adds a number to each of its curves.

    Each step: loss, lr, norm (of all gradients), grad (norm of each group), zeros (share of gradient elements that are
    0, without the embedding), cosine (of this gradient with the last), update (length of each group's change, as a
    share of the group), moved (root mean square of the change, divided by the rate), weights (length of the blocks).
    Each evaluation: valid and valid_again (twice on the same windows), train (in the same mode, training text),
    entropy (of the first block's attention at the last token, as a share of the most that is possible).
    """
    curves: Curves = {name: [] for name in STEP + LOOK}
    steps = steps or run.setup.steps
    every = max(1, steps // EVALUATIONS)
    board = Board(run)
    for step in range(steps):
        if step % every == 0:
            look(run, curves)
        loss = run.backward(*run.batch())
        board.gradients(curves)
        run.update(step)
        board.updates(curves, run.rate(step))
        curves["loss"].append(loss)
        curves["lr"].append(run.rate(step))
    look(run, curves)
    return curves


def look(run: Run, curves: Curves) -> None:
    """One evaluation."""
    curves["valid"].append(run.evaluate(run.valid_tokens, seed=5))
    curves["valid_again"].append(run.evaluate(run.valid_tokens, seed=5))
    curves["train"].append(run.evaluate(run.train_tokens, seed=6))
    curves["entropy"].append(run.entropy())


class Board:
    """The weights of the last step and the last gradient, as flat vectors with a slice of each group."""

    def __init__(self, run: Run):
        self.parameters = dict(run.model.named_parameters())
        self.weights = self.flat(list(self.parameters.values()))
        self.last = torch.zeros_like(self.weights)
        self.members = {group: self.places(prefixes) for group, prefixes in GROUPS.items()}
        self.inner = slice(self.members["embedding"].stop, None)

    def places(self, prefixes: tuple[str, ...]) -> slice:
        """Where the parameters of a group lie: they are neighbours, in the order of the model."""
        first, end, position = None, 0, 0
        for name, p in self.parameters.items():
            if name.startswith(prefixes):
                first, end = (position if first is None else first), position + p.numel()
            position += p.numel()
        return slice(first, end)

    def flat(self, tensors: list[Tensor]) -> Float[Tensor, "n"]:
        return torch.cat([t.detach().flatten() for t in tensors])

    def gradients(self, curves: Curves) -> None:
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters.values()]
        now = self.flat(grads)
        inner, before = now[self.inner], self.last[self.inner]
        both = float(inner.norm()) * float(before.norm())
        curves["norm"].append(float(now.norm()))
        curves["grad"].append([float(now[place].norm()) for place in self.members.values()])
        curves["zeros"].append(float((inner == 0).float().mean()))
        curves["cosine"].append(float(inner @ before) / both if both else 0.0)
        self.last = now

    def updates(self, curves: Curves, rate: float) -> None:
        now = self.flat(list(self.parameters.values()))
        change = now - self.weights
        places = self.members.values()
        curves["update"].append([float(change[p].norm()) / max(1e-12, float(self.weights[p].norm())) for p in places])
        curves["moved"].append(float(change.norm()) / math.sqrt(len(change)) / max(1e-30, rate))
        curves["weights"].append(float(now[self.members["blocks"]].norm()))
        self.weights = now
