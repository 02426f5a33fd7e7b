"""SmoothQuant: divide the activations' channels, multiply the weights' columns, and fold the division into the norm.

Outliers are in activations, weights are smooth. x · Wᵀ = (x / s) · (W · s)ᵀ for every s, so a part of the difficulty
can be moved (Xiao et al. 2023, eq. 3 and 4):

    s_j = max |X_j|^α / max |W_j|^(1 − α)

Dimensions:
    I input channels   O output channels
"""

import torch
from jaxtyping import Float
from torch import Tensor


def smooth_factors(act_absmax: Float[Tensor, "I"], weights: list[Tensor], alpha: int | float) -> Float[Tensor, "I"]:
    """s for the weights that read the same activations. 1 where activations or weights are zero in a channel."""
    weight_absmax = torch.cat(weights).abs().amax(dim=0)  # I
    factors = act_absmax**alpha / weight_absmax ** (1 - alpha)
    return torch.where((act_absmax > 0) & (weight_absmax > 0), factors, 1)


def smooth_fold(
    norm_weight: Float[Tensor, "I"], weights: list[Tensor], act_absmax: Float[Tensor, "I"], alpha: int | float = 0.5
) -> tuple[Float[Tensor, "I"], list[Tensor]]:
    """The norm's new gain and the new weights. q, k and v read the same norm: one s for all of them.

    `act_absmax` is the largest magnitude of each channel after the norm, on calibration data.
    """
    factors = smooth_factors(act_absmax, weights, alpha)
    return norm_weight / factors, [weight * factors for weight in weights]
