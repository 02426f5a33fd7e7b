"""The lottery ticket (Frankle and Carbin 2019): a pruned network trained again from its own first weights.

Train, prune a part of the smallest weights, put the rest back to where they began, and repeat. The control has the same
masks and other first weights.
"""

import copy
from collections.abc import Callable

from torch import Tensor, nn

from .prune import apply_masks, magnitude_masks, prunable

Train = Callable[[nn.Module, list[Tensor] | None], nn.Module]


def iterative_masks(start: nn.Module, train: Train, sparsity: float, rounds: int) -> list[Tensor]:
    """Masks of the given sparsity, found in several rounds of training, pruning and rewinding.

    Each round keeps the same share of what was left: (1 − sparsity)^(1/rounds).
    """
    masks = None
    for i in range(1, rounds + 1):
        trained = train(rewound(start, masks), masks)
        masks = magnitude_masks(list(prunable(trained).values()), 1 - (1 - sparsity) ** (i / rounds))
    return masks


def rewound(start: nn.Module, masks: list[Tensor] | None) -> nn.Module:
    """A copy of the untrained network, with what the masks do not keep set to zero."""
    made = copy.deepcopy(start)
    if masks is not None:
        apply_masks(list(prunable(made).values()), masks)
    return made
