"""LayerNorm: the features of each token get mean 0 and variance 1, then a gain and a shift of their own.

Dimensions:
    D   features, the last axis; everything before it is batch

With x̂ = (x - mean) / σ and σ² = mean((x - mean)²) + eps, the output is y = weight · x̂ + bias.

The backward pass. Each x_j moves every x̂_i of its row in three ways: directly, through the mean, and through σ:

    ∂x̂_i / ∂x_j = (δ_ij - 1/D - x̂_i x̂_j / D) / σ

Multiply by g_i = dy_i · weight_i and sum over i. The three ways give three terms:

    dx = (g - mean(g) - x̂ · mean(g · x̂)) / σ

The two means make dx orthogonal to a constant row and to x̂: a shift or a scaling of x changes no output.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def standardize(
    x: Float[Tensor, "*batch D"], eps: float
) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch 1"]]:
    """x̂ and 1/σ over the last axis. The variance is the biased one, the mean of the squares."""
    centered = x - x.mean(dim=-1, keepdim=True)
    rstd = torch.rsqrt(centered.square().mean(dim=-1, keepdim=True) + eps)  # *batch 1
    return centered * rstd, rstd


def layer_norm(
    x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], bias: Float[Tensor, " D"], eps: float = 1e-5
) -> Float[Tensor, "*batch D"]:
    """weight · x̂ + bias over the last axis (Ba, Kiros and Hinton 2016, eq. 4).

    `eps` stands inside the root: a row of equal numbers gives `bias`, not NaN.
    """
    x_hat, _ = standardize(x, eps)
    return weight * x_hat + bias


def layer_norm_backward(
    dy: Float[Tensor, "*batch D"], x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-5
) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, " D"], Float[Tensor, " D"]]:
    """(dx, dweight, dbias) for the gradient dy of the output. The derivation stands at the head of this module."""
    x_hat, rstd = standardize(x, eps)
    g = dy * weight
    mean_g = g.mean(dim=-1, keepdim=True)
    mean_gx = (g * x_hat).mean(dim=-1, keepdim=True)
    dx = (g - mean_g - x_hat * mean_gx) * rstd
    D = x.shape[-1]
    dweight = (dy * x_hat).reshape(-1, D).sum(dim=0)  # D
    dbias = dy.reshape(-1, D).sum(dim=0)  # D
    return dx, dweight, dbias
