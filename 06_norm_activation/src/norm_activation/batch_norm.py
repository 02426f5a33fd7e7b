"""BatchNorm: each channel gets mean 0 and variance 1 over the batch, so every example depends on the others.

Dimensions:
    N   examples of the batch
    C   channels, axis 1; the axes after it are space, or time
    n   values of a channel: N times the size of the space

Training uses the statistics of the batch. Evaluation has no batch to speak of, so it uses running averages that
training left behind:

    running = (1 - momentum) · running + momentum · statistic of the batch

The backward pass of training is LayerNorm's, with means over the batch in place of means over the features. At
evaluation the statistics are constants, and dx is dy · weight / σ.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Channels = Float[Tensor, " C"]


def batch_norm(
    x: Float[Tensor, "N C *space"],
    weight: Channels,
    bias: Channels,
    running_mean: Channels,
    running_var: Channels,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Float[Tensor, "N C *space"], Channels, Channels]:
    """(y, running_mean, running_var) over all axes but axis 1 (Ioffe and Szegedy 2015, algorithm 1).

    The running averages are returned as new tensors; at evaluation they are those that were given. As in PyTorch, the
    batch is divided by its biased variance, and the running variance takes the unbiased one (n - 1).

    Raises:
        ValueError: training with a single value a channel: its variance is zero, and y would be `bias` whatever x is.
    """
    values = x.transpose(0, 1).flatten(1)  # C n
    n = values.shape[1]
    mean, var = running_mean, running_var
    if training:
        if n == 1:
            raise ValueError(f"x={tuple(x.shape)}: one value a channel has no variance; give a larger batch")
        mean = values.mean(dim=1)
        var = (values - mean[:, None]).square().mean(dim=1)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    gain = weight * torch.rsqrt(var + eps)
    y = gain[:, None] * (values - mean[:, None]) + bias[:, None]  # C n
    return _as_x(y, x), running_mean, running_var


def batch_norm_backward(
    dy: Float[Tensor, "N C *space"], x: Float[Tensor, "N C *space"], weight: Channels, eps: float = 1e-5
) -> tuple[Float[Tensor, "N C *space"], Channels, Channels]:
    """(dx, dweight, dbias) of training. Every example of the batch gets gradient from every other."""
    values, d = x.transpose(0, 1).flatten(1), dy.transpose(0, 1).flatten(1)  # C n
    centered = values - values.mean(dim=1, keepdim=True)
    rstd = torch.rsqrt(centered.square().mean(dim=1, keepdim=True) + eps)
    x_hat = centered * rstd
    g = d * weight[:, None]
    dx = (g - g.mean(dim=1, keepdim=True) - x_hat * (g * x_hat).mean(dim=1, keepdim=True)) * rstd
    return _as_x(dx, x), (d * x_hat).sum(dim=1), d.sum(dim=1)


def batch_norm_backward_at_evaluation(
    dy: Float[Tensor, "N C *space"],
    x: Float[Tensor, "N C *space"],
    weight: Channels,
    running_mean: Channels,
    running_var: Channels,
    eps: float = 1e-5,
) -> tuple[Float[Tensor, "N C *space"], Channels, Channels]:
    """(dx, dweight, dbias) of evaluation: the statistics are constants, so each example is alone."""
    values, d = x.transpose(0, 1).flatten(1), dy.transpose(0, 1).flatten(1)  # C n
    rstd = torch.rsqrt(running_var + eps)[:, None]
    x_hat = (values - running_mean[:, None]) * rstd
    return _as_x(d * weight[:, None] * rstd, x), (d * x_hat).sum(dim=1), d.sum(dim=1)


def _as_x(values: Float[Tensor, "C n"], x: Float[Tensor, "N C *space"]) -> Float[Tensor, "N C *space"]:
    """Channels by values, back in the shape of x."""
    return values.unflatten(1, (x.shape[0], *x.shape[2:])).transpose(0, 1)
