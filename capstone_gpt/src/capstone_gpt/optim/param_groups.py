"""Which parameters decay: matrices do, vectors do not."""

from torch import nn


def param_groups(model: nn.Module, weight_decay: float | int) -> list[dict]:
    """Two groups: parameters of two or more axes with `weight_decay`, the others (norms, biases) with 0.

    Each trainable parameter is in exactly one group, in the order of `model.parameters()`, a tied one once.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trainable if p.ndim >= 2]
    vectors = [p for p in trainable if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
