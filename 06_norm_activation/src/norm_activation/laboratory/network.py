"""A small residual network on 8 × 8 digits, S copies at once: one copy for each seed, trained in the same tensors.

    x -> Linear -> [h + Linear(act(Linear(norm(h))))] × blocks -> norm -> Linear

Dimensions: S seeds, N examples, D width, C classes. Weights are (S, in, out). A batched product of S small matrices
costs little more than one, so eight seeds take about the time of two.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from . import regularizers as reg
from .schedules import schedule

REGULARIZERS = (
    "none", "dropout", "DropConnect", "DropPath", "weight decay", "L1", "elastic net", "mixup", "cutmix",
    "label smoothing",
)  # fmt: skip
NORMS = ("none", "layer", "rms", "batch", "group")
OPTIMIZERS = {"sgd": 0.02, "momentum": 0.03, "rmsprop": 0.002, "adamw": 0.005}  # a learning rate that suits each norm
DECAY = {"sgd": 0.01, "momentum": 0.01, "rmsprop": 0.3, "adamw": 0.3}  # the last two are decoupled


@dataclass(frozen=True)
class Recipe:
    """One cell of the laboratory."""

    norm: str = "none"
    optimizer: str = "momentum"
    schedule: str = "constant"
    regularizer: str = "none"
    width: int = 64
    blocks: int = 2
    lr: float = 0.0  # 0: the optimizer's own


def normalized(x: Float[Tensor, "S N D"], norm: str) -> Float[Tensor, "S N D"]:
    """The norm, without gain or shift; BatchNorm with the statistics of this batch."""
    if norm == "none":
        return x
    if norm == "rms":
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
    shape = {"layer": x.shape, "batch": x.shape, "group": (*x.shape[:2], 4, -1)}[norm]
    grouped, axis = x.reshape(shape), 1 if norm == "batch" else -1
    centered = grouped - grouped.mean(axis, keepdim=True)
    return (centered * torch.rsqrt(centered.square().mean(axis, keepdim=True) + 1e-5)).reshape(x.shape)


class Digits:
    """S networks, one for each seed."""

    def __init__(self, recipe: Recipe, seeds: list[int], inputs: int = 64, classes: int = 10):
        D, self.recipe = recipe.width, recipe
        shapes = [(inputs, D), *[(D, D), (D, D)] * recipe.blocks, (D, classes)]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.weights = [
            torch.stack([torch.randn(s, generator=g) * math.sqrt(2 / s[0]) for g in generators]) for s in shapes
        ]
        self.biases = [torch.zeros(len(seeds), 1, s[1]) for s in shapes]
        for parameter in self.parameters():
            parameter.requires_grad_()

    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def linear(self, i: int, x: Float[Tensor, "S N I"], draw: torch.Generator | None) -> Float[Tensor, "S N O"]:
        weight = self.weights[i]
        if draw is not None and self.recipe.regularizer == "DropConnect":
            weight = reg.dropconnect(weight, 0.2, torch.rand(weight.shape, generator=draw))
        return torch.baddbmm(self.biases[i], x, weight)

    def forward(self, x: Float[Tensor, "S N I"], draw: torch.Generator | None = None) -> Float[Tensor, "S N C"]:
        """Logits. `draw` is the randomness of training; without it this is evaluation."""
        kind, norm = self.recipe.regularizer if draw is not None else "none", self.recipe.norm
        h = self.linear(0, x, draw)
        for block in range(self.recipe.blocks):
            inner = self.linear(2 * block + 1, normalized(h, norm), draw).relu()
            if kind == "dropout":
                inner = reg.dropconnect(inner, 0.2, torch.rand(inner.shape, generator=draw))
            branch = self.linear(2 * block + 2, inner, draw)
            if kind == "DropPath":
                branch = reg.drop_path(branch, 0.2, torch.rand(*branch.shape[:2], 1, generator=draw))
            h = h + branch
        return self.linear(2 * self.recipe.blocks + 1, normalized(h, norm), draw)


def fit(
    recipe: Recipe,
    seeds: list[int],
    x: Float[Tensor, "S N I"],
    classes: Int[Tensor, "S N"],
    steps: int,
    batch: int = 50,
) -> Digits:
    """Train one network for each seed, on that seed's own examples and in its own order."""
    network = Digits(recipe, seeds)
    lr = recipe.lr or OPTIMIZERS[recipe.optimizer]
    decay = DECAY[recipe.optimizer] if recipe.regularizer == "weight decay" else 0.0
    groups = [{"params": network.weights, "weight_decay": decay}, {"params": network.biases, "weight_decay": 0.0}]
    optimizer = _optimizer(recipe.optimizer, groups, lr)
    order = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    draw = torch.Generator().manual_seed(seeds[0])
    for step in range(steps):
        rows = torch.stack([torch.randint(x.shape[1], (batch,), generator=g) for g in order])
        inputs = x.gather(1, rows[:, :, None].expand(-1, -1, x.shape[2]))
        targets = reg.one_hot(classes.gather(1, rows), 10)
        inputs, targets = _mixed(recipe, inputs, targets, draw)
        log_probabilities = network.forward(inputs, draw).log_softmax(-1)
        loss = -(targets * log_probabilities).sum(-1).mean(-1).sum() + _penalty(recipe, network.weights)
        for group in optimizer.param_groups:
            group["lr"] = lr * schedule(recipe.schedule, step, steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if recipe.optimizer == "rmsprop" and decay:
            _shrink(network.weights, 1 - optimizer.param_groups[0]["lr"] * decay)
    return network


def _optimizer(name: str, groups: list[dict], lr: float) -> torch.optim.Optimizer:
    """PyTorch's optimizer. Its RMSprop would divide a weight decay by the size of the gradients, so it gets none."""
    if name == "adamw":
        return torch.optim.AdamW(groups, lr, foreach=True)
    if name == "rmsprop":
        return torch.optim.RMSprop([group | {"weight_decay": 0.0} for group in groups], lr, foreach=True)
    return torch.optim.SGD(groups, lr, momentum=0.9 if name == "momentum" else 0.0, foreach=True)


@torch.no_grad()
def _shrink(weights: list[Tensor], factor: float) -> None:
    """Decoupled weight decay (Loshchilov and Hutter 2019)."""
    for weight in weights:
        weight.mul_(factor)


def _mixed(recipe: Recipe, x: Tensor, targets: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs and targets after mixup, cutmix or label smoothing."""
    S, N, _ = x.shape
    if recipe.regularizer == "label smoothing":
        return x, reg.label_smoothing(targets, 0.1)
    if recipe.regularizer not in ("mixup", "cutmix"):
        return x, targets
    partner = torch.stack([torch.randperm(N, generator=draw) for _ in range(S)])
    if recipe.regularizer == "mixup":
        return reg.mixup(x, targets, partner, torch.rand(S, generator=draw))
    top, left = (int(torch.randint(0, 5, (), generator=draw)) for _ in range(2))
    return reg.cutmix(x, targets, partner, (top, top + 4, left, left + 4), 8)


def _penalty(recipe: Recipe, weights: list[Tensor]) -> Tensor | float:
    """The loss's term for large weights."""
    if recipe.regularizer == "L1":
        return 1e-4 * reg.l1(weights)
    if recipe.regularizer == "elastic net":
        return 4e-4 * reg.elastic_net(weights, 0.2)
    return 0.0


@torch.no_grad()
def accuracy(network: Digits, x: Float[Tensor, "S N I"], classes: Int[Tensor, "S N"]) -> list[float]:
    """The share of right answers of each network. BatchNorm uses the statistics of the whole set that it is given."""
    return (network.forward(x).argmax(-1) == classes).float().mean(-1).tolist()
