"""Pruning: weights that are set to zero and stay there.

Unstructured masks take single weights: no layer gets smaller, but the file does where zeros are not stored. Structured
masks take whole output channels: the layer's matrix becomes smaller, and faster on any machine.

Dimensions:
    O output channels   I input channels
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The matrices and kernels of a model by name; no biases, norms or embeddings."""
    kinds = (nn.Linear, nn.Conv2d)
    return {name: m.weight for name, m in model.named_modules() if isinstance(m, kinds)}


def magnitude_masks(weights: Sequence[Tensor], sparsity: int | float, everywhere: bool = True) -> list[Tensor]:
    """True where a weight stays. `everywhere`: the smallest of all layers together go, else of each layer by itself.

    Raises:
        ValueError: a sparsity outside of 0 … 1.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity={sparsity}: the share of weights that go; between 0 and 1")
    if not everywhere:
        return [magnitude_masks([weight], sparsity)[0] for weight in weights]
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    keep = torch.ones(len(sizes), dtype=torch.bool)
    keep[sizes.argsort(stable=True)[: round(sparsity * len(sizes))]] = False
    return [part.view_as(w) for part, w in zip(keep.split([w.numel() for w in weights]), weights, strict=True)]


def channel_mask(weight: Tensor, sparsity: int | float) -> Bool[Tensor, "O"]:
    """True for the output channels that stay: those with the largest norm."""
    norms = weight.detach().flatten(1).norm(dim=1)
    keep = torch.ones(len(norms), dtype=torch.bool)
    keep[norms.argsort()[: round(sparsity * len(norms))]] = False
    return keep


def wanda_mask(
    weight: Float[Tensor, "O I"], hessian: Float[Tensor, "I I"], sparsity: int | float
) -> Bool[Tensor, "O I"]:
    """Wanda (Sun et al. 2024): |w| times the norm of its input, compared within each row."""
    score = weight.abs() * hessian.diagonal().sqrt()
    count = round(sparsity * weight.shape[1])
    return torch.ones_like(weight, dtype=torch.bool).scatter(1, score.argsort(dim=1)[:, :count], False)


@torch.no_grad()
def apply_masks(weights: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    """Set to zero, in place, what the masks do not keep. Needed again after each step of an optimizer."""
    for weight, mask in zip(weights, masks, strict=True):
        weight.mul_(mask)


def keep_masks(masks: Sequence[Tensor]) -> Callable[[nn.Module], None]:
    """For `fit(after_step=…)`: momentum and weight decay would move the pruned weights away from zero."""
    return lambda model: apply_masks(list(prunable(model).values()), masks)


def sparsity_of(model: nn.Module) -> float:
    """The share of zeros among the prunable weights."""
    weights = list(prunable(model).values())
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


def without_channels(first: nn.Linear, second: nn.Linear, keep: Bool[Tensor, "O"]) -> tuple[nn.Linear, nn.Linear]:
    """Two linear layers that follow each other, smaller: the first loses outputs, the second the same inputs."""
    made = nn.Linear(first.in_features, int(keep.sum())), nn.Linear(int(keep.sum()), second.out_features)
    with torch.no_grad():
        made[0].weight.copy_(first.weight[keep])
        made[0].bias.copy_(first.bias[keep])
        made[1].weight.copy_(second.weight[:, keep])
        made[1].bias.copy_(second.bias)
    return made
