"""A weight in GPTQ's codes: two in a byte, and a scale in 16 bits for each group."""

import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor, nn

from ..gptq import GPTQResult


def pack_nibbles(codes: Int8[Tensor, "O I"]) -> UInt8[Tensor, "O half"]:
    """Codes −8…7 as two's complement, the first of two neighbours in the high four bits."""
    low = (codes & 15).to(torch.uint8)
    return low[:, 0::2] * 16 + low[:, 1::2]


def unpack_nibbles(packed: UInt8[Tensor, "O half"]) -> Int8[Tensor, "O I"]:
    """The codes again."""
    both = torch.stack((packed >> 4, packed & 15), dim=2).flatten(1).to(torch.int8)
    return torch.where(both > 7, both - 16, both)


class GPTQLinear(nn.Module):
    """A frozen weight of four-bit codes; it is widened at each call."""

    def __init__(self, result: GPTQResult):
        super().__init__()
        self.register_buffer("packed", pack_nibbles(result.codes))
        self.register_buffer("scales", result.scales.half())
        self.register_buffer("groups", result.groups.to(torch.int16))

    def weight(self) -> Float[Tensor, "O I"]:
        """The numbers that the codes stand for."""
        return unpack_nibbles(self.packed) * self.scales.float()[:, self.groups.long()]

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        return x @ self.weight().T
