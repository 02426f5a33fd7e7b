"""The Hessian of each linear layer's inputs, collected in one pass over calibration data."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..quantize_model import linears


@torch.no_grad()
def collect_hessians(model: nn.Module, batch: Int[Tensor, "B T"]) -> dict[str, Float[Tensor, "I I"]]:
    """XᵀX for each linear layer by name. Layers with the same input (q, k and v; gate and up) share one tensor."""
    found: dict[str, Tensor] = {}
    last: dict[str, Tensor | None] = {"x": None, "hessian": None}

    def watch(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple) -> None:
            if inputs[0] is not last["x"]:
                x = inputs[0].flatten(0, -2)
                last["x"], last["hessian"] = inputs[0], x.T @ x
                if name in found:
                    found[name] += last["hessian"]
                    last["hessian"] = found[name]
            found.setdefault(name, last["hessian"])

        return hook

    hooks = [linear.register_forward_pre_hook(watch(name)) for name, linear in linears(model).items()]
    for row in batch:
        model(row[None])
    for hook in hooks:
        hook.remove()
    return found
