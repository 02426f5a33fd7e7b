"""How large the first weights are, and what that does to activations and gradients in depth.

Dimensions:
    out, in  sizes of a linear layer
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

GAIN = {"linear": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}


def xavier(n_out: int, n_in: int, gain: float | int, generator: torch.Generator) -> Float[Tensor, "out in"]:
    """Deviation gain · sqrt(2 / (in + out)): keeps forward and backward signals alike (Glorot and Bengio 2010)."""
    return torch.randn(n_out, n_in, generator=generator) * gain * math.sqrt(2 / (n_in + n_out))


def he(n_out: int, n_in: int, gain: float | int, generator: torch.Generator) -> Float[Tensor, "out in"]:
    """Deviation gain / sqrt(in), with the gain of the activation (He et al. 2015)."""
    return torch.randn(n_out, n_in, generator=generator) * gain / math.sqrt(n_in)


def unscaled(n_out: int, n_in: int, gain: float | int, generator: torch.Generator) -> Float[Tensor, "out in"]:
    """Deviation 1, for comparison."""
    return torch.randn(n_out, n_in, generator=generator)


def signals(
    scheme: Callable, activation: str, depth: int = 8, width: int = 100, rows: int = 200, seed: int = 0
) -> dict[str, list[float]]:
    """Of each layer of a deep network: deviation of its output, share of saturated outputs, deviation of its gradient.

    Saturated is |tanh| above 0.97, or exactly 0 for relu.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, width, generator=generator)
    outputs = []
    for _ in range(depth):
        w = scheme(width, width, GAIN[activation], generator)
        x = (x @ w.T).requires_grad_() if not outputs else x @ w.T
        x = x.tanh() if activation == "tanh" else x.relu() if activation == "relu" else x
        x.retain_grad()
        outputs.append(x)
    (outputs[-1] * torch.randn(rows, width, generator=generator)).sum().backward()
    saturated = [(h.abs() > 0.97) if activation == "tanh" else (h == 0) for h in outputs]
    return {
        "output": [h.std().item() for h in outputs],
        "saturated": [s.float().mean().item() for s in saturated],
        "gradient": [h.grad.std().item() for h in outputs],
    }
