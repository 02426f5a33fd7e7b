"""A whole model in one of the layouts.

Dimensions: B rows, I inputs, O outputs.
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ..model import GPT
from .layouts import LAYOUTS, Packed


def lay_out(model: GPT, name: str, rows: int = 1) -> GPT:
    """A copy of `model` for decoding `rows` rows on CPU, each matrix stored as `name` says, the head included.

    The head cannot stay tied. The embedding is looked up by row and stays as it is. The head is read whole at every
    step (38.6 of GPT-2's 124 million weights) and gets the layout. That is 154 MB more memory and no more traffic.

    Raises:
        ValueError: the layout is unknown or does not work on this platform, or the model is not float32 on CPU.
    """
    if name not in LAYOUTS:
        raise ValueError(f"layout={name!r}: choose one of {', '.join(LAYOUTS)}")
    if reason := why_absent(name):
        raise ValueError(f"layout={name!r}: does not work on this platform ({reason}); choose another")
    return replace_linears(model, partial(Packed, rows=rows) if name == "packed" else LAYOUTS[name])


def replace_linears(model: GPT, layout: Callable[[Tensor, Tensor | None], nn.Module]) -> GPT:
    """A copy of `model` with `layout(weight, bias)` in place of each nn.Linear.

    Raises:
        ValueError: the model is not float32 on CPU. Layouts of another dtype or device would change the results.
    """
    weight = model.wte.weight
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        raise ValueError(f"model is {weight.dtype} on {weight.device}: must be float32 on cpu; use model.float().cpu()")
    laid_out = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(laid_out.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, layout(child.weight.data, None if child.bias is None else child.bias.data))
    return laid_out


def why_absent(name: str) -> str | None:
    """None where the layout works, else the reason. Several of its operators exist on some platforms only."""
    weight, bias, x = torch.randn(64, 32), torch.randn(64), torch.randn(1, 32)
    try:
        y = LAYOUTS[name](weight, bias)(x)
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {str(error).split('. ')[0]}"
    want = x @ weight.T + bias
    if y.shape != want.shape or (y - want).abs().max() > 0.1 * want.abs().max():
        return "its product is wrong"
    return None


def weight_bytes(model: nn.Module) -> int:
    """Bytes of matrices that a step reads. The embedding rows it looks up are a few kilobytes and left out."""
    return sum(getattr(module, "weight_bytes", 0) for module in model.modules())
