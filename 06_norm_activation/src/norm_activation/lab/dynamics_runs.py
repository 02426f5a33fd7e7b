"""Signal and gradient by layer, for inits, activations and norms; LayerNorm's gradients beside RMSNorm's."""

import argparse
from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dynamics import INITS, Network, Plain, examine, histogram
from ..layer_norm import layer_norm_backward
from ..rms_norm import rms_norm_backward
from .cli import seeds_of
from .images import digits

Log = Callable[[str], None]
LAYERS = 24
SHOWN = (0, 7, 15, 23)  # layers whose histograms are kept
RANGES = {"tanh": (-1, 1), "relu": (0, 4), "gelu": (-1, 4)}  # of the outputs
POWERS = (-12, 5)  # of ten: the size of the gradients


def dynamics(options: argparse.Namespace, log: Log) -> dict:
    """One forward and one backward pass of each network on 256 digits. Seconds."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    x, classes = digits()
    by_layer, histograms = {}, {}
    for activation, init, norm in product(("tanh", "relu", "gelu"), INITS, ("none", "layer", "rms", "batch")):
        log(f"{activation}, {init}, {norm}")
        name, rows = f"{activation}, {init}, {norm}", []
        for seed in seeds:
            network = Network(Plain(LAYERS, 64, activation, init, norm), 64, 10, torch.Generator().manual_seed(seed))
            rows.append(examine(network, x[:256], lambda logits: F.cross_entropy(logits, classes[:256])))
        by_layer[name] = {"signal": [r.signal for r in rows], "gradient": [r.gradient for r in rows]}
        by_layer[name]["dead"] = [r.dead[-1] for r in rows]
        if norm in ("none", "layer"):
            histograms[name] = shares(network, x[:256], classes[:256], RANGES[activation])
    return {
        "seeds": seeds,
        "by layer": by_layer,
        "histograms": histograms,
        "shown": [layer + 1 for layer in SHOWN],
        "ranges": RANGES | {"gradient": POWERS},
        "gradients": gradients(seeds),
    }


def shares(network: Network, x: Tensor, classes: Tensor, limits: tuple[int, int]) -> dict[str, list[list[float]]]:
    """Histograms of the shown layers: the outputs, and the powers of ten of the loss's gradient in them."""
    loss = F.cross_entropy(network(x), classes)
    grads = torch.autograd.grad(loss, network.outputs)
    found: dict[str, list[list[float]]] = {"outputs": [], "gradient": []}
    for layer in SHOWN:
        found["outputs"].append(histogram(network.outputs[layer].detach(), *limits))
        found["gradient"].append(histogram(grads[layer].abs().clamp(min=1e-45).log10(), *POWERS))
    return found


def gradients(seeds: list[int], rows: int = 512, D: int = 96) -> dict[str, list[float]]:
    """How alike the two norms' gradients are, by the mean of x in standard deviations: cosine of the dx of a batch."""
    found: dict[str, list[float]] = {}
    for shift in (0.0, 0.1, 0.3, 1.0, 3.0):
        found[str(shift)] = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            x, dy = torch.randn(rows, D, generator=generator) + shift, torch.randn(rows, D, generator=generator)
            one = torch.ones(D)
            a, b = layer_norm_backward(dy, x, one)[0], rms_norm_backward(dy, x, one)[0]
            found[str(shift)].append(float(F.cosine_similarity(a.flatten(), b.flatten(), dim=0)))
    return found
