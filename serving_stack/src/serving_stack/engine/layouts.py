"""How a weight lies in memory. The same product, at another speed, size, or order of additions.

Dimensions:
    N   tokens    I   inputs    O   outputs
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Linear = Callable[[Tensor], Tensor]
SPLIT = 768  # inputs; oneDNN adds up so many in one order whatever the number of rows is
ROWS = 8  # the number of rows that the packed form is made for


def plain(weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None) -> Linear:
    """PyTorch's own. With two to eight rows it is slow: the weight is read in the wrong order."""
    return lambda x: F.linear(x, weight, bias)


def packed(weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None) -> Linear:
    """oneDNN's order of the weight, made once. About twice as fast for a batch of four to sixteen rows."""
    reordered = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
    multiply = torch.ops.mkldnn._linear_pointwise
    return lambda x: multiply(x, reordered, bias, "none", [], "")


def invariant(weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None) -> Linear:
    """Packed in pieces of SPLIT inputs that are added in order: a row's result does not depend on the other rows."""
    starts = range(0, weight.shape[1], SPLIT)
    parts = [packed(weight[:, i : i + SPLIT], bias if i == 0 else None) for i in starts]

    def multiply(x: Tensor) -> Tensor:
        total = parts[0](x[:, :SPLIT].contiguous())
        for part, i in zip(parts[1:], starts[1:], strict=True):
            total = total + part(x[:, i : i + SPLIT].contiguous())
        return total

    return multiply


def w8a8(weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None) -> Linear:
    """Weights and activations in eight bits, one scale a row of each: a quarter of the bytes, and integer products."""
    scale = (weight.abs().amax(1) / 127).clamp_min(1e-8)  # O
    small = (weight / scale[:, None]).round().to(torch.int8).contiguous()

    def multiply(x: Tensor) -> Tensor:
        row_scale = (x.abs().amax(1, keepdim=True) / 127).clamp_min(1e-8)  # N 1
        rows = (x / row_scale).round().to(torch.int8)
        y = torch._int_mm(rows, small.t()).float() * row_scale * scale
        return y if bias is None else y + bias

    return multiply


LAYOUTS = {"plain": plain, "packed": packed, "invariant": invariant, "w8a8": w8a8}


def lay_out(weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None = None, layout: str = "plain") -> Linear:
    """The product with a weight, as a function of the rows.

    Raises:
        ValueError: no such layout, or not on this device, or this build of PyTorch has no oneDNN.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r}: choose one of {', '.join(LAYOUTS)}")
    if layout != "plain" and weight.device.type != "cpu":
        raise ValueError(f"layout={layout!r}: made for the CPU, and the weight is on {weight.device}; choose 'plain'")
    if layout in ("packed", "invariant") and not torch.backends.mkldnn.is_available():
        raise ValueError(f"layout={layout!r}: this build of PyTorch has no oneDNN; choose 'plain'")
    return LAYOUTS[layout](weight, bias)
