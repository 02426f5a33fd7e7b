"""Every linear layer of a model replaced, by one of the methods that Dettmers' and Xiao's tables compare.

The layers here round to codes and go back to floating point before the product: the numbers of int8 layers, without
their speed (`test_linear.py` shows that they are equal). The head is left as it is, as in both papers.

Dimensions:
    B rows   T tokens   I input channels   O output channels   R rows: tokens, or output channels
"""

import copy
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .absmax import absmax_quantize, dequantize
from .granularity import dequantize_groups, quantize_groups
from .outliers import llm_int8_linear
from .smoothquant import smooth_factors
from .zeropoint import zeropoint_dequantize, zeropoint_quantize


def by_tensor(x: Tensor) -> Tensor:
    """Rounded with one symmetric scale."""
    return dequantize(*absmax_quantize(x))


def by_tensor_zeropoint(x: Tensor) -> Tensor:
    """Rounded with one scale and a zero point."""
    return zeropoint_dequantize(*zeropoint_quantize(x))


def by_row(x: Float[Tensor, "R I"]) -> Float[Tensor, "R I"]:
    """Rounded with a scale for each row: a token of activations, an output channel of a weight."""
    return dequantize_groups(*quantize_groups(x, x.shape[1]))


# name: (how activations are rounded, how weights are, whether they are smoothed)
METHODS = {
    "absmax": (by_tensor, by_tensor, False),
    "zero-point": (by_tensor_zeropoint, by_tensor_zeropoint, False),
    "row-wise": (by_row, by_tensor, False),
    "vector-wise": (by_row, by_row, False),
    "LLM.int8": (None, None, False),
    "SmoothQuant, per tensor": (by_tensor, by_tensor, True),
    "SmoothQuant, vector-wise": (by_row, by_row, True),
}


class RoundedLinear(nn.Module):
    """A linear layer on rounded activations and weights. `factors` are SmoothQuant's, None without."""

    def __init__(self, weight: Tensor, activations: Callable, weights: Callable, factors: Tensor | None):
        super().__init__()
        self.activations, self.factors = activations, factors
        self.rounded = weights(weight if factors is None else weight * factors)

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        x = x if self.factors is None else x / self.factors
        return (self.activations(x.flatten(0, -2)) @ self.rounded.T).unflatten(0, x.shape[:-1])


class LLMInt8Linear(nn.Module):
    """`llm_int8_linear` as a layer."""

    def __init__(self, weight: Tensor, threshold: int | float):
        super().__init__()
        self.weight, self.threshold = weight, threshold

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        return llm_int8_linear(x.flatten(0, -2), self.weight, self.threshold).unflatten(0, x.shape[:-1])


def linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of the blocks by name. The head is not among them."""
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and name.startswith("blocks")}


@torch.no_grad()
def replace_linears(model: nn.Module, make: Callable[[str, nn.Linear], nn.Module]) -> nn.Module:
    """A copy with `make(name, linear)` for each linear layer. All other weights are shared with the original."""
    memo = {id(p): p for p in model.parameters()}
    made = copy.deepcopy(model, memo)
    for name, linear in linears(made).items():
        parent, _, last = name.rpartition(".")
        setattr(made.get_submodule(parent), last, make(name, linear))
    return made


@torch.no_grad()
def activation_absmax(model: nn.Module, batch: Int[Tensor, "B T"]) -> dict[str, Float[Tensor, "I"]]:
    """The largest magnitude of each input channel of each linear layer, on calibration data."""
    found: dict[str, Tensor] = {}

    def watch(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple) -> None:
            new = inputs[0].abs().flatten(0, -2).amax(dim=0)
            found[name] = torch.maximum(found[name], new) if name in found else new

        return hook

    hooks = [linear.register_forward_pre_hook(watch(name)) for name, linear in linears(model).items()]
    for row in batch:
        model(row[None])
    for hook in hooks:
        hook.remove()
    return found


def quantize_model(
    model: nn.Module,
    method: str,
    act_absmax: dict[str, Tensor] | None = None,
    alpha: int | float = 0.5,
    threshold: int | float = 6.0,
) -> nn.Module:
    """A copy of the model by one of METHODS. SmoothQuant needs `act_absmax` of calibration data.

    Raises:
        ValueError: an unknown method, or SmoothQuant without calibration.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: must be one of {', '.join(METHODS)}")
    activations, weights, smooth = METHODS[method]
    if smooth and act_absmax is None:
        raise ValueError(f"method={method!r}: needs act_absmax; call activation_absmax on calibration data first")

    def make(name: str, linear: nn.Linear) -> nn.Module:
        weight = linear.weight.detach()
        if method == "LLM.int8":
            return LLMInt8Linear(weight, threshold)
        factors = smooth_factors(act_absmax[name], [weight], alpha) if smooth else None
        return RoundedLinear(weight, activations, weights, factors)

    return replace_linears(model, make)


def weights_only(model: nn.Module, round_weight: Callable[[str, Tensor], Tensor]) -> nn.Module:
    """A copy whose weights are `round_weight(name, weight)`; activations are left alone."""

    def make(name: str, linear: nn.Linear) -> nn.Linear:
        made = nn.Linear(linear.in_features, linear.out_features, bias=False, device="meta")
        made.weight = nn.Parameter(round_weight(name, linear.weight.detach()), requires_grad=False)
        return made

    return replace_linears(model, make)
