"""The paper's training: its schedule, its Adam, its label smoothing (section 5).

Dimensions:
    N   tokens
    V   the vocabulary
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def learning_rate(step: int, width: int, warmup: int = 4000) -> float:
    """Equation 3: a straight line up to `warmup`, then the inverse square root. Steps count from 1.

    Raises:
        ValueError: a step before the first.
    """
    if step < 1:
        raise ValueError(f"step={step}: the first step is 1; count from there")
    return width**-0.5 * min(step**-0.5, step * warmup**-1.5)


def label_smoothing_loss(
    logits: Float[Tensor, "N V"], targets: Int[Tensor, "N"], padding: int, smoothing: float = 0.1
) -> Float[Tensor, ""]:
    """Cross-entropy with `smoothing` of the probability spread evenly over the vocabulary (Szegedy et al. 2015).

    Positions whose target is `padding` do not count.
    """
    log_p = logits.log_softmax(dim=-1)  # N V
    right = -log_p.gather(1, targets[:, None])[:, 0]  # N
    spread = -log_p.mean(dim=-1)
    losses = (1 - smoothing) * right + smoothing * spread
    counted = targets != padding
    return losses[counted].mean()


class NoamAdam:
    """Adam with the paper's constants (0.9, 0.98, 1e-9) and its schedule."""

    def __init__(self, model: nn.Module, width: int, warmup: int = 4000):
        self.optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
        self.width, self.warmup, self.steps = width, warmup, 0

    def step(self, loss: Tensor) -> None:
        """One update at the schedule's rate."""
        self.steps += 1
        self.optimizer.param_groups[0]["lr"] = learning_rate(self.steps, self.width, self.warmup)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
