"""One optimizer step from several micro-batches: accumulate, unscale, clip, step. The order is the whole difficulty."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

IGNORE = -100  # a target that is not counted, as in torch.nn.functional.cross_entropy


def train_step(
    loss_sum: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[tuple[Tensor, Tensor]],
    max_norm: float | int = float("inf"),
    scaler=None,
) -> tuple[float, float]:
    """(loss, gradient norm before clipping) of one step over all micro-batches together.

    `loss_sum(x, y)` is the sum of the losses of all targets in y that are not -100. The loss of the step is the mean
    over the targets of all micro-batches, as if they were one batch. The gradient of that mean is clipped to
    `max_norm`, all parameters together, and the optimizer steps once. Gradients left over from before do not count.

    `scaler` is a `torch.amp.GradScaler`, or another with its four methods: scale, unscale_, step, update.
    """
    scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
    targets = sum(int((y != IGNORE).sum()) for _, y in micro_batches)
    optimizer.zero_grad()
    loss = 0.0
    for x, y in micro_batches:
        share = loss_sum(x, y) / targets
        scaler.scale(share).backward()
        loss += share.item()
    scaler.unscale_(optimizer)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = clip_grad_norm_(parameters, max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss, norm.item()
