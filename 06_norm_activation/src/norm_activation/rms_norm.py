"""RMSNorm: divide each token by its root mean square. No mean is subtracted and no shift is added.

Dimensions:
    D   features, the last axis; everything before it is batch

With r = sqrt(mean(x²) + eps) and x̂ = x / r, the output is y = weight · x̂. Its backward pass is LayerNorm's without the
term of the mean:

    ∂x̂_i / ∂x_j = (δ_ij - x̂_i x̂_j / D) / r
    dx = (g - x̂ · mean(g · x̂)) / r        with g = dy · weight
"""

import torch
from jaxtyping import Float
from torch import Tensor


def rms_norm(x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-6) -> Float[Tensor, "*batch D"]:
    """weight · x / sqrt(mean(x²) + eps) over the last axis (Zhang and Sennrich 2019, eq. 4).

    The statistics of bfloat16 and float16 inputs are computed in float32, as Llama does: the squares of a thousand
    numbers lose most of their digits in eight bits. The output has the dtype of x.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    rstd = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)  # *batch 1
    return weight * (wide * rstd).to(x.dtype)


def rms_norm_backward(
    dy: Float[Tensor, "*batch D"], x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-6
) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, " D"]]:
    """(dx, dweight) for the gradient dy of the output. The derivation stands at the head of this module."""
    rstd = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps)  # *batch 1
    x_hat = x * rstd
    g = dy * weight
    dx = (g - x_hat * (g * x_hat).mean(dim=-1, keepdim=True)) * rstd
    dweight = (dy * x_hat).reshape(-1, x.shape[-1]).sum(dim=0)  # D
    return dx, dweight
