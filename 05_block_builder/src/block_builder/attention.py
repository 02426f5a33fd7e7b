"""Multi-head attention, handed out: project 04 builds it. Every score is written out, so that patterns can be seen.

Dimensions:
    B   sequences in a batch
    T   positions that ask, S positions that are asked
    C   width of the stream
    H   heads, D = C / H numbers in each
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def causal_mask(T: int, device: torch.device | str = "cpu") -> Bool[Tensor, "1 1 T T"]:
    """True where a position may look: at itself and at what is before it."""
    return torch.ones(1, 1, T, T, dtype=torch.bool, device=device).tril()


def padding_mask(attention_mask: Bool[Tensor, "B S"] | None) -> Bool[Tensor, "B 1 1 S"] | None:
    """True where any position may look: at real tokens. None stays None."""
    return None if attention_mask is None else attention_mask[:, None, None, :]


class MultiHeadAttention(nn.Module):
    """Attention from the positions of `x` to those of `memory` (Vaswani et al. 2017, section 3.2.2)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.o_proj = nn.Linear(width, width)

    def split(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B H T D"]:
        """The width cut into heads."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def weights(
        self, x: Float[Tensor, "B T C"], memory: Float[Tensor, "B S C"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "B H T S"]:
        """How much each position of `x` takes from each of `memory`. A row sums to one."""
        q = self.split(self.q_proj(x))  # B H T D
        k = self.split(self.k_proj(memory))  # B H S D
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # B H T S
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        return scores.softmax(dim=-1)

    def forward(
        self, x: Float[Tensor, "B T C"], memory: Float[Tensor, "B S C"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "B T C"]:
        """Queries come from `x`, keys and values from `memory`. `mask` is True where a position may look."""
        v = self.split(self.v_proj(memory))  # B H S D
        mixed = self.weights(x, memory, mask) @ v  # B H T D
        return self.o_proj(mixed.transpose(1, 2).flatten(2))
