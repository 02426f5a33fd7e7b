"""Muon (Jordan et al. 2024): momentum, then the nearest orthogonal matrix. For the hidden matrices only."""

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def newton_schulz(G: Tensor, steps: int = 5) -> Tensor:
    """Brings every singular value of a matrix near 1 and keeps its singular vectors.

    Each step applies the odd polynomial a s + b s³ + c s⁵ to the singular values. A tall matrix is transposed for it,
    so that the products are small.
    """
    a, b, c = COEFFICIENTS
    tall = G.shape[0] > G.shape[1]
    X = G.T if tall else G
    X = X / X.norm().clamp(min=1e-7)  # no singular value is above 1 now
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if tall else X


@torch.no_grad()
def muon(
    named_parameters: dict[str, Tensor],
    state: dict[str, Tensor],
    lr: float | int = 0.02,
    momentum: float | int = 0.95,
    weight_decay: float | int = 0.0,
) -> list[str]:
    """One step, in place, of the matrices whose names begin with "blocks."; returns their names.

    Embeddings, head and vectors are left to another optimizer. `state` holds the momentum by name. It is an average
    of the gradients, and the step looks one gradient ahead (Nesterov). A matrix with more rows than columns takes
    steps sqrt(rows / columns) times as large.
    """
    updated = []
    for name, p in named_parameters.items():
        if p.ndim != 2 or not name.startswith("blocks."):
            continue
        average = state.setdefault(name, torch.zeros_like(p))
        average.lerp_(p.grad, 1 - momentum)
        direction = newton_schulz(p.grad.lerp(average, momentum))
        scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * scale * direction)
        updated.append(name)
    return updated
