"""Focal loss (Lin et al. 2017): easy examples, which are many, count less.

Dimensions:
    N examples
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def focal_loss(
    logits: Float[Tensor, " N"], targets: Float[Tensor, " N"], gamma: float = 2.0, alpha: float | None = 0.25
) -> Float[Tensor, ""]:
    """Binary cross-entropy times (1 - p)^gamma, where p is the probability of the right class.

    `alpha` weighs the positive class, 1 - alpha the negative one; None weighs both with 1. gamma = 0 without alpha is
    cross-entropy.

    Raises:
        ValueError: a negative gamma, or alpha outside of 0 to 1.
    """
    if gamma < 0:
        raise ValueError(f"gamma={gamma}: choose 0 or more")
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"alpha={alpha}: choose 0 to 1, or None")
    signed = torch.where(targets > 0.5, logits, -logits)
    log_p = F.logsigmoid(signed)  # of the right class
    losses = -((-torch.expm1(log_p)) ** gamma) * log_p
    if alpha is not None:
        losses = losses * torch.where(targets > 0.5, alpha, 1 - alpha)
    return losses.mean()
