"""QLoRA: a frozen base in four bits, and LoRA beside it in full precision.

The weights are dequantized for each product, forward and backward, and thrown away. Gradients reach x and the
adapters; the codes are no parameters and have none.

Paged optimizers, the third part of the paper: Adam's states lie in memory that the GPU's driver pages to the host
when a long batch needs the room, as an operating system pages to disk. On a CPU there is nothing to page;
`optimizer_bytes` says how much would be. LoRA keeps the states of its adapters alone, so that there is little left.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .lora import LoRALinear
from .nf4 import DoubleQuantized, dequantize_nf4, double_quantize, pack_nibbles, quantize_nf4, unpack_nibbles


class NF4Linear(nn.Module):
    """A linear layer whose weight is 4-bit codes. It has no parameters."""

    def __init__(self, linear: nn.Linear, block_size: int = 64, double: bool = True):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        codes, absmax = quantize_nf4(linear.weight, block_size)
        self.register_buffer("packed", pack_nibbles(codes))
        names = ("absmax_codes", "absmax_scale", "absmax_offset") if double else ("absmax",)
        for name, value in zip(names, double_quantize(absmax) if double else (absmax,), strict=True):
            self.register_buffer(name, value)
        self.double = double
        self.bias = linear.bias

    @property
    @torch.no_grad()
    def weight(self) -> Float[Tensor, "out in"]:
        """The weight that the codes stand for."""
        absmax = self.absmax if not self.double else DoubleQuantized(
            self.absmax_codes, self.absmax_scale, self.absmax_offset
        ).dequantized()  # fmt: skip
        return dequantize_nf4(unpack_nibbles(self.packed), absmax).view(self.out_features, self.in_features)

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        out = Dequantize.apply(x, self)
        return out if self.bias is None else out + self.bias

    @property
    def nbytes(self) -> int:
        """What the layer keeps."""
        return sum(b.nbytes for b in self.buffers())


class Dequantize(torch.autograd.Function):
    """x Wᵀ without keeping W for the backward pass: it is dequantized again."""

    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        return F.linear(x, layer.weight.to(x.dtype))

    @staticmethod
    def backward(ctx, gradient):
        return gradient @ ctx.layer.weight.to(gradient.dtype), None


def quantize_base(model: nn.Module, double: bool = True) -> nn.Module:
    """The frozen layer inside of every LoRALinear, in four bits. Changes the model."""
    for layer in model.modules():
        if isinstance(layer, LoRALinear) and isinstance(layer.base, nn.Linear):
            layer.base = NF4Linear(layer.base, double=double)
    return model


def model_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return sum(t.nbytes for t in [*model.parameters(), *model.buffers()])


def optimizer_bytes(model: nn.Module) -> int:
    """Adam keeps two float32 numbers for each that it changes."""
    return sum(8 * p.numel() for p in model.parameters() if p.requires_grad)
