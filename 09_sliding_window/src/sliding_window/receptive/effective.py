"""The receptive field by gradient: which inputs have any influence, and how much (Luo et al. 2016)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .conv_stack import Conv


def stack_of(layers: Sequence[Conv], pools: Sequence[bool] = (), channels: int = 1) -> nn.Sequential:
    """The 1-D stack as PyTorch modules, in float64 with weights that are all positive, so that nothing cancels."""
    made = []
    for i, layer in enumerate(layers):
        if i < len(pools) and pools[i]:
            if layer.dilation != 1:
                raise ValueError(f"dilation={layer.dilation}: average pooling has none; use 1")
            made.append(nn.AvgPool1d(layer.kernel, layer.stride, layer.padding))
            continue
        conv = nn.Conv1d(channels, channels, layer.kernel, layer.stride, layer.padding, layer.dilation, bias=False)
        nn.init.uniform_(conv.weight, 0.5, 1.0)
        made.append(conv)
    return nn.Sequential(*made).double()


def gradient_field(
    stack: nn.Module, x: Float[Tensor, "B C *space"], output: tuple[int, ...]
) -> Float[Tensor, "*space"]:
    """|d output / d input| for one output position, summed over batch and channels."""
    x = x.detach().clone().requires_grad_()
    out = stack(x)  # B C *space
    out[(slice(None), slice(None), *output)].sum().backward()
    assert x.grad is not None
    return x.grad.abs().sum(dim=(0, 1))


def effective_radius(influence: Float[Tensor, "T"]) -> float:
    """The standard deviation of the influence over positions: the width that is in use, in inputs."""
    share = influence / influence.sum()
    positions = torch.arange(len(share), dtype=share.dtype)
    mean = (share * positions).sum()
    return float((share * (positions - mean).square()).sum().sqrt())
