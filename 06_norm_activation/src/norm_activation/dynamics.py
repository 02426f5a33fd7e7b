"""What to look at when training does not start: the size of the signal, of its gradient, and of each update.

Dimensions:
    L   layers; N examples; D width of every layer

A layer multiplies the variance of its input by fan_in · Var(w) · E[act²]. Over L layers the factor is taken to the
power L: 0.8 to the 24th is 0.005. Initialisation sets the factor to one at the start, and a norm sets it in each step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .activations import ACTIVATIONS
from .layer_norm import layer_norm
from .rms_norm import rms_norm

INITS = ("xavier", "he", "depth-scaled", "normal 0.02", "normal 1")


def init_std(scheme: str, fan_in: int, fan_out: int, layers: int = 1) -> float:
    """The standard deviation of the weights.

    xavier        sqrt(2 / (fan_in + fan_out)), which keeps signal and gradient of tanh (Glorot and Bengio 2010)
    he            sqrt(2 / fan_in), because ReLU drops half of the signal (He et al. 2015)
    depth-scaled  0.02 / sqrt(2 · layers), for the last matrix of a residual branch (GPT-2)

    Raises:
        ValueError: an unknown scheme.
    """
    stds = {
        "xavier": math.sqrt(2 / (fan_in + fan_out)),
        "he": math.sqrt(2 / fan_in),
        "depth-scaled": 0.02 / math.sqrt(2 * layers),
        "normal 0.02": 0.02,
        "normal 1": 1.0,
    }
    if scheme not in stds:
        raise ValueError(f"scheme={scheme!r}: choose one of {', '.join(stds)}")
    return stds[scheme]


@dataclass(frozen=True)
class Plain:
    """A plain network of equal layers: Linear, norm (or none), activation."""

    layers: int = 24
    width: int = 64
    activation: str = "relu"
    init: str = "he"
    norm: str = "none"
    bias: float = 0.0


class Network(nn.Module):
    """A plain network that keeps every layer's input to the activation and its output."""

    def __init__(self, config: Plain, inputs: int, outputs: int, generator: torch.Generator):
        super().__init__()
        self.config = config
        widths = [inputs, *[config.width] * config.layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.head = nn.Linear(config.width, outputs)
        for layer in self.hidden:
            std = init_std(config.init, layer.in_features, layer.out_features, config.layers)
            nn.init.normal_(layer.weight, std=std, generator=generator)
            nn.init.constant_(layer.bias, config.bias)
        nn.init.normal_(self.head.weight, std=init_std("xavier", config.width, outputs), generator=generator)
        nn.init.zeros_(self.head.bias)
        self.outputs: list[Tensor] = []

    def forward(self, x: Float[Tensor, "N inputs"]) -> Float[Tensor, "N outputs"]:
        activation, _ = ACTIVATIONS[self.config.activation]
        self.outputs = []
        for layer in self.hidden:
            x = activation(self.normalized(layer(x)))
            self.outputs.append(x)
        return self.head(x)

    def normalized(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """The configured norm, without a gain or a shift."""
        one, zero = torch.ones_like(x[0]), torch.zeros_like(x[0])
        if self.config.norm == "layer":
            return layer_norm(x, one, zero)
        if self.config.norm == "rms":
            return rms_norm(x, one)
        if self.config.norm == "batch":
            return layer_norm(x.T, torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0])).T
        return x


@dataclass(frozen=True)
class Health:
    """One number a layer: what a histogram of each would show at a glance."""

    signal: list[float]  # standard deviation of the activations
    gradient: list[float]  # root mean square of the loss's gradient with respect to them
    dead: list[float]  # share of units that are never above zero on this batch


def examine(network: Network, x: Float[Tensor, "N inputs"], loss_of: Callable[[Tensor], Tensor]) -> Health:
    """The health of each layer on one batch, from one forward and one backward pass."""
    loss = loss_of(network(x))
    gradients = torch.autograd.grad(loss, network.outputs)
    return Health(
        [float(h.detach().std()) for h in network.outputs],
        [float(g.square().mean().sqrt()) for g in gradients],
        [dead_units(h) for h in network.outputs],
    )


def dead_units(activations: Float[Tensor, "N D"]) -> float:
    """The share of units that are at or below zero for every example. Of ReLU such units get no gradient at all."""
    return float((activations <= 0).all(dim=0).float().mean())


def update_ratios(before: list[Tensor], after: list[Tensor]) -> list[float]:
    """|change| / |weight| of each matrix in one step. Near 1e-3 is healthy; 1e-1 is too fast, and 1e-5 is too slow."""
    return [float((b - a).norm() / a.norm()) for a, b in zip(before, after, strict=True)]


def histogram(values: Tensor, low: float | int, high: float | int, bins: int = 41) -> list[float]:
    """The share of the values in each of `bins` equal bins between low and high. Values outside are not counted."""
    return (torch.histc(values.float(), bins, low, high) / values.numel()).tolist()
