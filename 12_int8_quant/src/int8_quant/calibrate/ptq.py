"""Post-training quantization, static and dynamic, and quantization-aware training of a small classifier.

Dimensions:
    N images   B images of a batch
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from .lenet import RoundedLayer, rounded_layers


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Int[Tensor, "N"],
    steps: int,
    lr: float = 2e-3,
    batch: int = 64,
    seed: int = 0,
    after_step: Callable[[nn.Module], None] | None = None,
    loss_of: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> nn.Module:
    """Adam with a linear decay; changes the model and returns it.

    `after_step(model)` runs after each step, e.g. to apply pruning masks again. `loss_of(logits, chosen)` replaces
    cross-entropy with the labels; `chosen` are the indices of the batch.

    Raises:
        ValueError: the loss is not a number any more.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        chosen = torch.randint(len(images), (batch,), generator=generator)
        logits = model(images[chosen])
        loss = F.cross_entropy(logits, labels[chosen]) if loss_of is None else loss_of(logits, chosen)
        if not torch.isfinite(loss):
            raise ValueError(f"lr={lr}: the loss is {loss.item()} at step {step + 1}; train with a smaller lr")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after_step is not None:
            after_step(model)
    return model


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Int[Tensor, "N"]) -> float:
    """The share of images whose largest logit is the right one."""
    right = [(model(x).argmax(-1) == y).sum() for x, y in zip(images.split(500), labels.split(500), strict=True)]
    return float(sum(right)) / len(labels)


@torch.no_grad()
def post_training(
    model: nn.Module, calibration: Tensor, bits: int = 8, weights: str = "channel", activations: str = "static"
) -> nn.Module:
    """A rounded copy. Static ranges are observed on the calibration images (a hundred are enough), and then fixed."""
    made = copy.deepcopy(model)
    for name, layer in list(made.named_children()):
        setattr(made, name, RoundedLayer(layer, bits, weights, activations))
    if activations == "static":
        made(calibration)
        for layer in rounded_layers(made):
            layer.observing = False
    return made


def quantization_aware(
    model: nn.Module,
    images: Tensor,
    labels: Int[Tensor, "N"],
    steps: int,
    bits: int = 8,
    weights: str = "channel",
    activations: str = "static",
    lr: float = 5e-4,
    seed: int = 0,
) -> nn.Module:
    """A trained model, rounded, and then trained on with the rounding in the forward pass."""
    made = post_training(model, images[:200], bits, weights, activations)
    return fit(made, images, labels, steps, lr, seed=seed)
