"""GroupNorm and InstanceNorm: statistics of one example, over a group of its channels.

Dimensions:
    N   examples
    C   channels, axis 1; the axes after it are space
    G   groups, a divisor of C
    k   values of a group: C / G times the size of the space

The family differs only in the numbers that share a mean and a variance:

    BatchNorm      one channel    of all examples        (depends on the batch)
    LayerNorm      all channels   of one token
    GroupNorm      C / G channels of one example and all its space
    InstanceNorm   one channel    of one example and all its space: G = C
"""

from jaxtyping import Float
from torch import Tensor

from .layer_norm import standardize

Channels = Float[Tensor, " C"]


def group_norm(
    x: Float[Tensor, "N C *space"], groups: int, weight: Channels, bias: Channels, eps: float = 1e-5
) -> Float[Tensor, "N C *space"]:
    """GroupNorm (Wu and He 2018, eq. 7): a batch of one is as good as any other.

    Raises:
        ValueError: the groups do not divide the channels.
    """
    x_hat, _ = standardize(_grouped(x, groups), eps)
    return _by_channel(weight, x) * x_hat.reshape(x.shape) + _by_channel(bias, x)


def group_norm_backward(
    dy: Float[Tensor, "N C *space"], x: Float[Tensor, "N C *space"], groups: int, weight: Channels, eps: float = 1e-5
) -> tuple[Float[Tensor, "N C *space"], Channels, Channels]:
    """(dx, dweight, dbias): LayerNorm's three terms in each group. The gain is by channel, so it sums over the rest."""
    x_hat, rstd = standardize(_grouped(x, groups), eps)  # N G k
    g = _grouped(dy * _by_channel(weight, x), groups)
    dx = (g - g.mean(dim=-1, keepdim=True) - x_hat * (g * x_hat).mean(dim=-1, keepdim=True)) * rstd
    others = [axis for axis in range(x.ndim) if axis != 1]
    dweight = (dy * x_hat.reshape(x.shape)).sum(dim=others)  # C
    return dx.reshape(x.shape), dweight, dy.sum(dim=others)


def instance_norm(
    x: Float[Tensor, "N C *space"], weight: Channels, bias: Channels, eps: float = 1e-5
) -> Float[Tensor, "N C *space"]:
    """InstanceNorm (Ulyanov et al. 2016): a group for each channel. It removes an image's contrast."""
    return group_norm(x, x.shape[1], weight, bias, eps)


def instance_norm_backward(
    dy: Float[Tensor, "N C *space"], x: Float[Tensor, "N C *space"], weight: Channels, eps: float = 1e-5
) -> tuple[Float[Tensor, "N C *space"], Channels, Channels]:
    """(dx, dweight, dbias) of `instance_norm`."""
    return group_norm_backward(dy, x, x.shape[1], weight, eps)


def _grouped(x: Float[Tensor, "N C *space"], groups: int) -> Float[Tensor, "N G k"]:
    """Each group of channels, with its space, as one row."""
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"groups={groups}: must divide the {x.shape[1]} channels; choose a divisor")
    return x.reshape(x.shape[0], groups, -1)


def _by_channel(values: Channels, x: Tensor) -> Tensor:
    """A value for each channel, in a shape that broadcasts over x."""
    return values.reshape(-1, *[1] * (x.ndim - 2))
