"""One matrix, six ways to keep it for decoding. Same product, different bytes and a different order of them.

A decode step multiplies one row (or a few) by every matrix of the model, so it costs what it costs to READ the
matrices. The measured reasons below are for GPT-2's matrices on a two-core server CPU (AMD Zen 4, torch 2.13), from
main memory, GiB/s of the stored bytes; `python -m kv_speedrun bench` measures whole models where you are.

Dimensions: B rows, I inputs, O outputs.
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .model import GPT


class AsTrained(nn.Module):
    """nn.Linear's own: fp32, stored (out, in). 12.5 GiB/s on one thread and 12.5 on two.

    At one row MKL takes a dot product per output and leaves half the bandwidth, and the second core, unused. At four
    rows it costs three to four times one row: a batch gains little.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        """Bytes that one product has to read; biases are below a thousandth and left out."""
        return self.weight.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return F.linear(x, self.weight, self.bias)


class Transposed(nn.Module):
    """fp32, stored (in, out), as GPT-2's own Conv1D has it. 21 GiB/s on one thread, 20 on two.

    One row is then a sum of scaled matrix rows, read in order, which prefetching likes. Nothing is gained with two
    threads or more rows.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        self.register_buffer("weight", weight.T.contiguous())                   # I O
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        return self.weight.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        rows = x.reshape(-1, x.shape[-1])                                       # B I
        y = rows @ self.weight if self.bias is None else torch.addmm(self.bias, rows, self.weight)
        return y.view(*x.shape[:-1], -1)


class Packed(nn.Module):
    """fp32 in oneDNN's blocks. 16 GiB/s on one thread, 27 on two; four rows cost half of what F.linear takes.

    The blocks are chosen for the processor and for `rows` when the model is laid out, and both cores read. Packed for
    one row, a product of eight takes half as long again as packed for eight. A packed matrix is opaque: it has no
    strides, cannot be saved, and exists on CPU only.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None, rows: int = 1):
        super().__init__()
        self.weight_bytes = weight.nbytes
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
        self.register_buffer("bias", bias)

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")


class BFloat16(AsTrained):
    """Half the bytes, eight bits of mantissa: 10.5 GiB/s on one thread, 19 on two, of half as many bytes.

    Eight rows cost little more than one. The product is taken in bf16 and returned in fp32, so the residual stream
    keeps its precision. (fp16 would have more mantissa; this processor has no instructions for it.)
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__(weight.bfloat16(), None if bias is None else bias.bfloat16())

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return super().forward(x.bfloat16()).float()


class Int8Weights(nn.Module):
    """int8 codes with a scale per output; activations in bf16. A quarter of the bytes, at 13 GiB/s on one
    thread and 25 on two.

    The kernel widens codes on their way into the registers, so memory carries bytes and arithmetic stays floating.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        codes, scale = rows_to_int8(weight.contiguous())
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale[:, 0].bfloat16())
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        y = torch._weight_int8pack_mm(x.reshape(-1, x.shape[-1]).bfloat16(), self.codes, self.scale).float()
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


class W8A8(nn.Module):
    """int8 weights and int8 activations, summed exactly in int32: 20 GiB/s on one thread, 34 on two.

    Integer dot products (VNNI) do four multiply-adds where fp32 does one, which begins to matter from about eight rows.
    Each activation row gets its own scale when it arrives; rounding it is the price.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        codes, scale = rows_to_int8(weight.contiguous())
        self.register_buffer("codes", codes.T)                                  # I O: a view, still stored (out, in)
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        codes, scale = rows_to_int8(x.reshape(-1, x.shape[-1]))
        y = torch._int_mm(codes, self.codes) * (scale * self.scale)             # B O
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


def rows_to_int8(x: Float[Tensor, "R N"]) -> tuple[Tensor, Tensor]:
    """Codes -127..127 and one scale per row, as `quantize` does, without its checks: this runs at every product."""
    scale = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-30) / 127
    return (x / scale).round().to(torch.int8), scale


LAYOUTS = {"as trained": AsTrained, "transposed": Transposed, "packed": Packed, "bf16": BFloat16,
           "int8 weights": Int8Weights, "W8A8": W8A8}


def why_absent(name: str) -> str | None:
    """None where the layout works here, else the reason: several of these operators exist on some platforms only."""
    weight, bias = torch.randn(64, 32), torch.randn(64)
    try:
        got = LAYOUTS[name](weight, bias)(torch.randn(1, 32))
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {str(error).split('. ')[0]}"
    return None if got.shape == (1, 64) else f"returned shape {tuple(got.shape)}"


def lay_out(model: GPT, name: str, rows: int = 1) -> GPT:
    """A copy of `model` for decoding `rows` rows on CPU, each matrix kept as `name` says, the head included.

    The head cannot stay tied: the embedding is looked up by row and stays as it is, the head is read whole at every
    step (38.6 of GPT-2's 124 million weights) and gets the layout. That is 154 MB more memory and none more traffic.

    Raises ValueError for an unknown layout, or one this platform does not have.
    """
    if name not in LAYOUTS:
        raise ValueError(f"layout={name!r}: choose one of {', '.join(LAYOUTS)}")
    if reason := why_absent(name):
        raise ValueError(f"layout={name!r} does not work here: {reason}")
    return replace_linears(model, partial(Packed, rows=rows) if name == "packed" else LAYOUTS[name])


def replace_linears(model: GPT, keep: Callable[[Tensor, Tensor | None], nn.Module]) -> GPT:
    """A copy of `model` in which each nn.Linear is what `keep` makes of its weight and bias."""
    laid = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(laid.modules()):
        for child_name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, child_name, keep(child.weight.data, None if child.bias is None else child.bias.data))
    return laid


def weight_bytes(model: nn.Module) -> int:
    """Bytes of matrices a step reads; the embedding rows it looks up are a few kilobytes and left out."""
    return sum(getattr(module, "weight_bytes", 0) for module in model.modules())
