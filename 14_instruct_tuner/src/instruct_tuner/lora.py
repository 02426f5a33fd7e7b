"""LoRA (Hu et al. 2021): a frozen matrix, and a narrow path beside it that learns.

y = W x + (α/r) · B A x.  B is zero at first, so the tuned model begins as the base model, to the bit.

Dimensions:
    r rank   in, out: the widths of the layer
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """A frozen linear layer `base` with trainable A (r, in) and B (out, r).

    A is uniform in ±1/√in, B is zero, both in the dtype of the base. `dropout` is applied to the input of A, in
    training only.
    """

    def __init__(self, base: nn.Module, r: int, alpha: int | float, dropout: int | float = 0.0):
        super().__init__()
        self.base = base.requires_grad_(False)
        bound = 1 / math.sqrt(base.in_features)
        self.A = nn.Parameter(base.weight.new_empty(r, base.in_features).uniform_(-bound, bound))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        self.scale = alpha / r
        self.dropout = dropout

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        dropped = F.dropout(x, self.dropout, self.training)
        return self.base(x) + self.scale * (dropped @ self.A.T @ self.B.T)


def add_lora(model: nn.Module, targets: Sequence[str], r: int, alpha: int | float) -> list[str]:
    """Put a LoRALinear in place of every linear layer whose own name is in `targets`; freeze everything else.

    Changes the model. Returns the full names of the layers, in the model's order.

    Raises:
        ValueError: a target that is no linear layer's name.
    """
    model.requires_grad_(False)
    chosen = [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in targets
    ]
    if missing := set(targets) - {name.rpartition(".")[2] for name, _ in chosen}:
        raise ValueError(f"targets={sorted(missing)}: no linear layer of the model; look at model.named_modules()")
    for name, layer in chosen:
        model.set_submodule(name, LoRALinear(layer, r, alpha))
    return [name for name, _ in chosen]


def merge_lora(
    weight: Shaped[Tensor, "out in"], A: Float[Tensor, "r in"], B: Float[Tensor, "out r"], alpha: int | float
) -> Float[Tensor, "out in"]:
    """The one matrix that does what both paths do: W + (α/r) B A, in the dtype of W. `weight` stays as it is.

    Raises:
        ValueError: a weight whose numbers are codes: 4-bit weights are dequantized first.
    """
    if not weight.is_floating_point():
        raise ValueError(f"weight.dtype={weight.dtype}: these are codes; dequantize them, then merge")
    return (weight + alpha / len(A) * (B @ A)).to(weight.dtype)


@torch.no_grad()
def merge_model(model: nn.Module) -> nn.Module:
    """Every LoRALinear becomes a plain linear layer again: no product more than the base model has."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoRALinear):
            weight = layer.base.weight
            merged = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.base.bias is not None)
            merged.weight = nn.Parameter(merge_lora(weight, layer.A, layer.B, layer.scale * len(layer.A)))
            merged.bias = layer.base.bias
            model.set_submodule(name, merged)
    return model


def trainable_parameters(model: nn.Module) -> int:
    """How many numbers the optimizer changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def lora_parameters(shapes: Sequence[tuple[int, int]], r: int) -> int:
    """r · (in + out) for each adapted matrix (in, out)."""
    return sum(r * (d_in + d_out) for d_in, d_out in shapes)
