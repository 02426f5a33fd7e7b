"""QLoRA: a frozen weight in NF4, and two narrow matrices beside it that learn (Dettmers et al. 2023; Hu et al. 2022).

    y = x · dequantize(W)ᵀ + (α / r) · x · Aᵀ · Bᵀ        A: r × I, B: O × r, B starts at zero

The frozen weight needs no gradient and no optimizer state. GPTQ's weight needs none either, but it is a rounding for a
model that is finished: nothing learns.

Dimensions:
    O output channels   I input channels   r rank
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..formats import double_dequantize, double_quantize, nf4_dequantize, nf4_quantize
from ..quantize_model import replace_linears


class NF4Linear(nn.Module):
    """A frozen weight in NF4 with double quantization; it is widened at each call."""

    def __init__(self, weight: Float[Tensor, "O I"], block_size: int = 64):
        super().__init__()
        self.shape = tuple(weight.shape)
        packed, absmax = nf4_quantize(weight, block_size)
        codes, scales, mean = double_quantize(absmax)
        for name, tensor in (("packed", packed), ("codes", codes), ("scales", scales), ("mean", mean)):
            self.register_buffer(name, tensor)

    def weight(self) -> Float[Tensor, "O I"]:
        """The numbers that the codes stand for."""
        absmax = double_dequantize(self.codes, self.scales, self.mean)
        return nf4_dequantize(self.packed, absmax).view(self.shape)

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        return x @ self.weight().T


class LoRALinear(nn.Module):
    """A frozen layer and its adapter."""

    def __init__(self, base: nn.Module, inputs: int, outputs: int, rank: int, alpha: float = 16.0, seed: int = 0):
        super().__init__()
        self.base, self.scaling = base, alpha / rank
        generator = torch.Generator().manual_seed(seed)
        self.a = nn.Parameter(torch.randn(rank, inputs, generator=generator) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        return self.base(x) + self.scaling * (x @ self.a.T @ self.b.T)


def lora_parameters(inputs: int, outputs: int, rank: int) -> int:
    """r · (I + O): a rank of 8 beside a matrix of 576 × 576 is 9,216 numbers against 331,776."""
    return rank * (inputs + outputs)


def to_nf4(model: nn.Module) -> nn.Module:
    """A copy with every linear layer of the blocks in NF4."""
    return replace_linears(model, lambda name, linear: NF4Linear(linear.weight.detach()))


def to_qlora(model: nn.Module, rank: int = 8) -> nn.Module:
    """A copy in NF4 with an adapter at every linear layer of the blocks. Only the adapters are trained."""

    def make(name: str, linear: nn.Linear) -> nn.Module:
        return LoRALinear(NF4Linear(linear.weight.detach()), linear.in_features, linear.out_features, rank)

    made = replace_linears(model, make)
    for name, parameter in made.named_parameters():
        parameter.requires_grad_(name.endswith((".a", ".b")))
    return made
