"""Activations and their derivatives, each written at the INPUT x.

A layer stores its input for the backward pass, so each derivative below is a function of x. Sigmoid and tanh can also
be differentiated from their output y alone, y · (1 - y) and 1 - y². That form must be fed y, not x. GELU and SiLU
have no such form: they are not monotone, and one output belongs to two inputs.

Φ and φ are the distribution function and the density of the standard normal distribution.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, "*shape"]

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # fitted by Hendrycks and Gimpel, so that tanh follows Φ


def sigmoid(x: Values) -> Values:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    return 0.5 * (1 + torch.tanh(0.5 * x))


def sigmoid_grad(x: Values) -> Values:
    """σ(x) (1 - σ(x)): at most 1/4, so that ten layers of it shrink a gradient a million times."""
    return sigmoid(x) * sigmoid(-x)


def tanh(x: Values) -> Values:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), a sigmoid that is centered on zero."""
    return torch.tanh(x)


def tanh_grad(x: Values) -> Values:
    """1 - tanh²(x): 1 at zero, and nearly nothing beyond 3."""
    return 1 - torch.tanh(x).square()


def relu(x: Values) -> Values:
    """max(x, 0) (Nair and Hinton 2010)."""
    return x.clamp(min=0)


def relu_grad(x: Values) -> Values:
    """1 above zero, else 0: a unit whose inputs are all negative gets no gradient, and is dead."""
    return (x > 0).to(x.dtype)


def leaky_relu(x: Values, slope: float = 0.01) -> Values:
    """x above zero and slope · x below (Maas et al. 2013): no unit is ever quite dead."""
    return torch.where(x > 0, x, slope * x)


def leaky_relu_grad(x: Values, slope: float = 0.01) -> Values:
    """1 above zero, `slope` below."""
    return slope + (1 - slope) * (x > 0).to(x.dtype)


def gelu(x: Values, approximate: str = "none") -> Values:
    """x Φ(x), with Φ by erf ("none"), or with GPT-2's "tanh" in its place (Hendrycks and Gimpel 2016, section 2).

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """
    if approximate == "none":
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    if approximate == "tanh":
        return 0.5 * x * (1 + torch.tanh(SQRT_2_OVER_PI * (x + CUBIC * x**3)))
    raise ValueError(f'approximate={approximate!r}: choose "none" for erf, or "tanh"')


def gelu_grad(x: Values, approximate: str = "none") -> Values:
    """The derivative at x: Φ(x) + x φ(x), or that of the tanh form. It is below 0 for x < -0.75, and above 1 at x = 1.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """
    if approximate == "none":
        density = torch.exp(-0.5 * x.square()) / math.sqrt(2 * math.pi)
        return 0.5 * (1 + torch.erf(x / math.sqrt(2))) + x * density
    if approximate == "tanh":
        t = torch.tanh(SQRT_2_OVER_PI * (x + CUBIC * x**3))
        inner = SQRT_2_OVER_PI * (1 + 3 * CUBIC * x.square())
        return 0.5 * (1 + t) + 0.5 * x * (1 - t.square()) * inner
    raise ValueError(f'approximate={approximate!r}: choose "none" for erf, or "tanh"')


def silu(x: Values) -> Values:
    """x σ(x), also called Swish (Ramachandran et al. 2017)."""
    return x * sigmoid(x)


def silu_grad(x: Values) -> Values:
    """σ(x) + x σ(x) (1 - σ(x))."""
    return sigmoid(x) + x * sigmoid_grad(x)


ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "sigmoid": (sigmoid, sigmoid_grad),
    "tanh": (tanh, tanh_grad),
    "relu": (relu, relu_grad),
    "leaky_relu": (leaky_relu, leaky_relu_grad),
    "gelu": (gelu, gelu_grad),
    "silu": (silu, silu_grad),
}
