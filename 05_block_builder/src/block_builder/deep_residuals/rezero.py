"""ReZero: no norm at all; each branch has one learned weight, which starts at zero (Bachlechner et al. 2020, eq. 2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..attention import MultiHeadAttention, causal_mask
from ..block import FeedForward
from ..config import Config


class ReZeroBlock(nn.Module):
    """At the start the block is the identity, so the signal passes any depth unchanged."""

    def __init__(self, config: Config):
        super().__init__()
        self.attn = MultiHeadAttention(config.width, config.heads)
        self.mlp = FeedForward(config)
        self.alpha = nn.Parameter(torch.zeros(2))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        mask = causal_mask(x.shape[1], x.device)
        x = x + self.alpha[0] * self.attn(x, x, mask)
        return x + self.alpha[1] * self.mlp(x)
