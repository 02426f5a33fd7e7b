"""Break it: one experiment a mistake, each in a second. A test compares the outcomes with what the workbook says."""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..batch_norm import batch_norm
from ..dynamics import Network, Plain, examine, update_ratios
from ..layer_norm import layer_norm
from .images import digits

Log = Callable[[str], None]


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All five. `--quick` changes nothing: they take seconds."""
    seeds = [options.seed + i for i in range(options.seeds or 3)]
    parts = {
        "no norm at 24 layers": no_norm,
        "He for tanh": he_for_tanh,
        "a large negative bias": dead_units,
        "BatchNorm with batch size 2": small_batches,
        "eps 0 on a constant row": no_eps,
    }
    outcome: dict = {"seeds": seeds}
    for name, part in parts.items():
        log(name)
        found = [part(seed) for seed in seeds]
        outcome[name] = {key: [f[key] for f in found] for key in found[0]}
    return outcome


def fit(
    config: Plain, seed: int, steps: int = 150, lr: float = 0.05, batch_size: int = 64
) -> tuple[float, list[float]]:
    """(accuracy on unseen digits, update ratios of the first step) of plain SGD with momentum."""
    x, classes = digits()
    generator = torch.Generator().manual_seed(seed)
    network = Network(config, 64, 10, generator)
    optimizer = torch.optim.SGD(network.parameters(), lr, momentum=0.9, foreach=True)
    first = []
    for step in range(steps):
        rows = torch.randint(1400, (batch_size,), generator=generator)
        loss = F.cross_entropy(network(x[rows]), classes[rows])
        optimizer.zero_grad()
        loss.backward()
        before = [layer.weight.detach().clone() for layer in network.hidden]
        optimizer.step()
        if step == 0:
            first = update_ratios(before, [layer.weight.detach() for layer in network.hidden])
    with torch.no_grad():
        right = (network(x[1400:]).argmax(-1) == classes[1400:]).float().mean()
    return float(right), first


def no_norm(seed: int) -> dict[str, float]:
    """24 layers of tanh from small weights, without and with LayerNorm; and what LayerNorm cannot do for ReLU."""
    small = {"layers": 24, "init": "normal 0.02"}
    bare, normed = (Plain(**small, activation="tanh", norm=norm) for norm in ("none", "layer"))
    signal = health(bare, seed).signal
    found = {"signal at layer 24 / layer 1, no norm": signal[-1] / signal[0]}
    for lr in (0.01, 0.0001):
        accuracy, ratios = fit(normed, seed, 100, lr)
        found[f"accuracy, no norm, lr {lr:g}"] = fit(bare, seed, 100, lr)[0]
        found[f"accuracy, LayerNorm, lr {lr:g}"] = accuracy
        found[f"first update / weight, LayerNorm, lr {lr:g}"] = max(ratios)
    for norm, name in (("layer", "LayerNorm"), ("batch", "BatchNorm")):
        found[f"cosine between examples at layer 24, ReLU, {name}"] = alike(Plain(24, norm=norm), seed)
    return found


def alike(config: Plain, seed: int) -> float:
    """The mean cosine between the last layer's outputs of two examples: 1 when all point in one direction."""
    network = Network(config, 64, 10, torch.Generator().manual_seed(seed))
    network(digits()[0][:256])
    directions = F.normalize(network.outputs[-1].detach(), dim=-1)
    return float((directions @ directions.T).mean())


def health(config: Plain, seed: int, N: int = 256):
    x, classes = digits()
    network = Network(config, 64, 10, torch.Generator().manual_seed(seed))
    return examine(network, x[:N], lambda logits: F.cross_entropy(logits, classes[:N]))


def he_for_tanh(seed: int) -> dict[str, float]:
    """Weights √2 too large push tanh into its flat ends: its outputs pile up at -1 and 1."""
    found = {}
    for init in ("xavier", "he"):
        network = Network(Plain(24, activation="tanh", init=init), 64, 10, torch.Generator().manual_seed(seed))
        network(digits()[0][:256])
        last = network.outputs[-1].detach()
        found[f"|output| > 0.9 at layer 24, {init}"] = float((last.abs() > 0.9).float().mean())
    for init in ("xavier", "he"):
        found[f"accuracy, {init}"] = fit(Plain(24, activation="tanh", init=init), seed, 100, 0.002)[0]
    return found


def dead_units(seed: int) -> dict[str, float]:
    """Every bias starts at -5. LayerNorm after the bias brings the units back."""
    bare, normed = Plain(3, bias=-5.0), Plain(3, bias=-5.0, norm="layer")
    return {
        "dead at the start": health(bare, seed).dead[-1],
        "dead with LayerNorm": health(normed, seed).dead[-1],
        "accuracy": fit(bare, seed)[0],
        "accuracy with LayerNorm": fit(normed, seed)[0],
    }


def small_batches(seed: int) -> dict[str, float]:
    """With two examples, BatchNorm knows of each feature only which of the two is larger: x̂ is -1 or 1."""
    x = torch.randn(2, 1000, generator=torch.Generator().manual_seed(seed))
    one, zero = torch.ones(1000), torch.zeros(1000)
    x_hat, *_ = batch_norm(x, one, zero, zero, one, True)
    found = {"|x̂| between 0.99 and 1, batch size 2": float(((x_hat.abs() > 0.99) & (x_hat.abs() <= 1)).float().mean())}
    for batch_size in (2, 64):
        found[f"accuracy, BatchNorm, batch size {batch_size}"] = fit(
            Plain(3, norm="batch"), seed, 400, 0.01, batch_size
        )[0]
    found["accuracy, LayerNorm, batch size 2"] = fit(Plain(3, norm="layer"), seed, 400, 0.01, 2)[0]
    return found


def no_eps(seed: int) -> dict[str, int]:
    """0 / 0 in one row of 64. Its gradient of the weight is NaN, and the weight serves every row."""
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(seed))
    x[5] = 3.0
    found = {}
    for eps in (0.0, 1e-5):
        weight, bias = torch.ones(8, requires_grad=True), torch.zeros(8)
        y = layer_norm(x, weight, bias, eps)
        y.square().sum().backward()
        found[f"rows with NaN, eps {eps:g}"] = int(y.isnan().any(-1).sum())
        found[f"NaN in the weight's gradient, eps {eps:g}"] = int(weight.grad.isnan().sum())
    return found
