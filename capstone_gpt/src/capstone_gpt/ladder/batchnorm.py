"""Batch normalisation (Ioffe and Szegedy 2015), forward and backward by hand.

Dimensions:
    N  rows of a batch      C  channels
"""

import torch
from jaxtyping import Float
from torch import Tensor


def batchnorm_forward(
    x: Float[Tensor, "N C"], gamma: Float[Tensor, "C"], beta: Float[Tensor, "C"], eps: float | int = 1e-5
) -> Float[Tensor, "N C"]:
    """Each channel to mean 0 and deviation 1 over the batch, then a gain and a bias. The variance divides by N - 1."""
    x_hat = (x - x.mean(0)) * (x.var(0) + eps).rsqrt()
    return gamma * x_hat + beta


def batchnorm_backward(
    dy: Float[Tensor, "N C"], x: Float[Tensor, "N C"], gamma: Float[Tensor, "C"], eps: float | int = 1e-5
) -> tuple[Float[Tensor, "N C"], Float[Tensor, "C"], Float[Tensor, "C"]]:
    """(dx, dgamma, dbeta): the derivatives of a loss, given dy, its derivative by the output.

    x reaches the output on three paths: directly, through the mean, and through the variance.
    """
    n = len(x)
    inverse = (x.var(0) + eps).rsqrt()
    x_hat = (x - x.mean(0)) * inverse
    dbeta = dy.sum(0)
    dgamma = (dy * x_hat).sum(0)
    dx = gamma * inverse * (dy - dbeta / n - x_hat * dgamma / (n - 1))
    return dx, dgamma, dbeta


class BatchNorm:
    """The layer with its running statistics, as PyTorch's has them (the running variance divides by N - 1)."""

    def __init__(self, channels: int, momentum: float | int = 0.1, eps: float | int = 1e-5):
        self.gamma, self.beta = torch.ones(channels), torch.zeros(channels)
        self.running_mean, self.running_var = torch.zeros(channels), torch.ones(channels)
        self.momentum, self.eps, self.training = momentum, eps, True

    def __call__(self, x: Float[Tensor, "N C"]) -> Float[Tensor, "N C"]:
        if not self.training:
            x_hat = (x - self.running_mean) * (self.running_var + self.eps).rsqrt()
            return self.gamma * x_hat + self.beta
        self.running_mean.lerp_(x.detach().mean(0), self.momentum)
        self.running_var.lerp_(x.detach().var(0), self.momentum)
        return batchnorm_forward(x, self.gamma, self.beta, self.eps)
