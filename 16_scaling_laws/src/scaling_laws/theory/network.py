"""The small network on which the theory is measured: one hidden layer, its parameters as one flat vector.

Dimensions:
    n   samples     d   inputs     h   hidden units     k   outputs     p   parameters, h (d + k)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}


class Sizes(NamedTuple):
    """One hidden layer without biases."""

    inputs: int
    hidden: int
    outputs: int
    activation: str = "tanh"

    @property
    def parameters(self) -> int:
        return self.hidden * (self.inputs + self.outputs)


def unpack(theta: Float[Tensor, " p"], sizes: Sizes) -> tuple[Float[Tensor, "h d"], Float[Tensor, "k h"]]:
    """The two weight matrices in the flat vector."""
    first, second = theta.split([sizes.hidden * sizes.inputs, sizes.outputs * sizes.hidden])
    return first.view(sizes.hidden, sizes.inputs), second.view(sizes.outputs, sizes.hidden)


def pack(first: Float[Tensor, "h d"], second: Float[Tensor, "k h"]) -> Float[Tensor, " p"]:
    """The flat vector of two weight matrices."""
    return torch.cat([first.flatten(), second.flatten()])


def initial(sizes: Sizes, seed: int) -> Float[Tensor, " p"]:
    """Normal weights of variance 1 / inputs of each layer."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(sizes.hidden, sizes.inputs, generator=generator) / sizes.inputs**0.5
    second = torch.randn(sizes.outputs, sizes.hidden, generator=generator) / sizes.hidden**0.5
    return pack(first, second)


def hidden(theta: Float[Tensor, " p"], x: Float[Tensor, "n d"], sizes: Sizes) -> Float[Tensor, "n h"]:
    """Activations of the hidden layer."""
    return ACTIVATIONS[sizes.activation](x @ unpack(theta, sizes)[0].T)


def forward(theta: Float[Tensor, " p"], x: Float[Tensor, "n d"], sizes: Sizes) -> Float[Tensor, "n k"]:
    """The network's outputs."""
    return hidden(theta, x, sizes) @ unpack(theta, sizes)[1].T


def cross_entropy(theta: Tensor, x: Tensor, y: Int[Tensor, " n"], sizes: Sizes) -> Tensor:
    """Mean cross-entropy in nats."""
    return F.cross_entropy(forward(theta, x, sizes), y)


def error_rate(theta: Tensor, x: Tensor, y: Int[Tensor, " n"], sizes: Sizes) -> float:
    """The share of wrong answers."""
    return float((forward(theta, x, sizes).argmax(1) != y).float().mean())


def descend(
    loss: Callable[[Tensor], Tensor], theta: Float[Tensor, " p"], lr: int | float, steps: int
) -> Float[Tensor, " p"]:
    """Plain gradient descent on all data."""
    theta = theta.clone()
    gradient = torch.func.grad(loss)
    for _ in range(steps):
        theta = theta - lr * gradient(theta)
    return theta
