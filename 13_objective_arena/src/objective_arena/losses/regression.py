"""Losses for numbers: what one outlier weighs.

The pull of an error e on the fit is its gradient: 2e for the square, ±1 for the absolute value, and at most delta for
Huber's loss (1964), which is a square near zero and a line far away.

Dimensions:
    N examples
"""

import torch
from jaxtyping import Float
from torch import Tensor


def mse_loss(predictions: Float[Tensor, " N"], targets: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """Mean squared error: its best constant is the mean."""
    return (predictions - targets).square().mean()


def mae_loss(predictions: Float[Tensor, " N"], targets: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """Mean absolute error: its best constant is the median."""
    return (predictions - targets).abs().mean()


def huber_loss(predictions: Float[Tensor, " N"], targets: Float[Tensor, " N"], delta: float = 1.0) -> Float[Tensor, ""]:
    """e²/2 for errors up to delta, delta·(|e| - delta/2) beyond.

    Raises:
        ValueError: delta is not positive.
    """
    if delta <= 0:
        raise ValueError(f"delta={delta}: the error at which the line begins; choose one above 0")
    error = (predictions - targets).abs()
    return torch.where(error <= delta, error.square() / 2, delta * (error - delta / 2)).mean()
