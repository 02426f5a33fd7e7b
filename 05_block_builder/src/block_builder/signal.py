"""What flows through a stack: the size of activations forward, and of gradients backward, layer by layer.

Dimensions:
    B   sequences in a batch
    T   positions
    L   blocks
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn


@contextmanager
def recorded(blocks: nn.ModuleList) -> Iterator[dict[str, list[Tensor]]]:
    """While it lasts, `forward` and `backward` collect each block's output and that output's gradient.

    The gradients arrive from the last block to the first, so each is put at the front.
    """
    seen: dict[str, list[Tensor]] = {"forward": [], "backward": []}

    def keep(block: nn.Module, inputs: tuple, output: Tensor) -> None:
        seen["forward"].append(output.detach())
        if output.requires_grad:
            output.register_hook(lambda gradient: seen["backward"].insert(0, gradient))

    handles = [block.register_forward_hook(keep) for block in blocks]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def next_token_loss(model: nn.Module, tokens: Int[Tensor, "B T"]) -> Tensor:
    """The mean cross-entropy of each token given those before it, in nats."""
    logits = model(tokens[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def rms(x: Tensor) -> float:
    """The root of the mean square."""
    return float(x.square().mean().sqrt())


def measure(model: nn.Module, tokens: Int[Tensor, "B T"]) -> dict[str, list[float]]:
    """For each block: RMS of the stream after it, of the loss's gradient there, and the gradient norm of `fc_out`.

    The gradients of the model's weights are left as they were found.
    """
    weights = [block.mlp.fc_out.weight for block in model.blocks]
    with recorded(model.blocks) as seen:
        gradients = torch.autograd.grad(next_token_loss(model, tokens), weights)
    return {
        "stream": [rms(x) for x in seen["forward"]],
        "stream gradient": [rms(g) for g in seen["backward"]],
        "fc_out gradient": [float(g.norm()) for g in gradients],
    }
