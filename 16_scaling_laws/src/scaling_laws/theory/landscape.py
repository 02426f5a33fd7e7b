"""Slices of the loss along random directions, with filter normalisation (Li et al. 2018, arXiv:1712.09913).

A plain random direction makes a network of small weights look sharp and one of large weights flat, although a ReLU
network can be rescaled without changing what it computes. With each filter (the weights into one unit) as long as the
network's own, the slice of a rescaled network is the same.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .network import Sizes, pack, unpack


def random_direction(theta: Float[Tensor, " p"], seed: int) -> Float[Tensor, " p"]:
    """Normal numbers, as long as theta in all."""
    direction = torch.randn(theta.shape, generator=torch.Generator().manual_seed(seed), dtype=theta.dtype)
    return direction * theta.norm() / direction.norm()


def filter_normalised(direction: Float[Tensor, " p"], theta: Float[Tensor, " p"], sizes: Sizes) -> Float[Tensor, " p"]:
    """The direction with each filter as long as the same filter of theta."""
    scaled = []
    for part, weights in zip(unpack(direction, sizes), unpack(theta, sizes), strict=True):
        length = weights.norm(dim=1, keepdim=True) / part.norm(dim=1, keepdim=True).clamp(min=1e-12)
        scaled.append(part * length)
    return pack(*scaled)


def loss_slice(
    loss: Callable[[Tensor], Tensor],
    theta: Float[Tensor, " p"],
    direction: Float[Tensor, " p"],
    at: Float[Tensor, " a"],
) -> Float[Tensor, " a"]:
    """The loss at theta + a * direction for each a."""
    return torch.stack([loss(theta + a * direction) for a in at])


def quadratic_slice(
    loss: Callable[[Tensor], Tensor],
    theta: Float[Tensor, " p"],
    direction: Float[Tensor, " p"],
    at: Float[Tensor, " a"],
) -> Float[Tensor, " a"]:
    """The slice by Taylor's formula: L + a g.d + a^2 d.Hd / 2."""
    gradient, product = torch.func.vjp(torch.func.grad(loss), theta)
    curvature = direction @ product(direction)[0]
    return loss(theta) + at * (gradient @ direction) + at**2 * curvature / 2
