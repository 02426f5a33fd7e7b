"""How large the weights are at the start: smaller at the end of each branch, the deeper the model."""

import math

import torch
from torch import Tensor, nn

RESIDUAL = ("o_proj.weight", "fc_out.weight")  # the last matrix of each branch: what it makes is added to the stream


def standard_normal(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Standard normal numbers for every parameter, by name."""
    return {name: torch.randn(p.shape, generator=generator) for name, p in model.named_parameters()}


@torch.no_grad()
def init_weights(model: nn.Module, noise: dict[str, Tensor], std: float = 0.02) -> None:
    """Set every parameter of a model, as GPT-2 does (Radford et al. 2019, section 2.3).

    Biases are 0 and the weights of norms 1. Matrices are `std` times their noise. With N branches, the last matrix of
    each is smaller by sqrt(N): N independent sums then have the variance of one.
    """
    branches = sum(name.endswith(RESIDUAL) for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        elif name.endswith(RESIDUAL):
            parameter.copy_(noise[name] * std / math.sqrt(branches))
        else:
            parameter.copy_(noise[name] * std)


def seeded(model: nn.Module, seed: int, std: float = 0.02) -> nn.Module:
    """The model with weights drawn from a seed."""
    init_weights(model, standard_normal(model, torch.Generator().manual_seed(seed)), std)
    return model
