"""LayerScale: Pre-LN, and one small learned weight for each feature of a branch (Touvron et al. 2021, eq. 3)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..attention import MultiHeadAttention, causal_mask
from ..block import FeedForward, residual
from ..config import Config


class LayerScaleBlock(nn.Module):
    """A Pre-LN block whose branches start near zero."""

    def __init__(self, config: Config, scale: float = 0.1):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attn = MultiHeadAttention(config.width, config.heads)
        self.mlp = FeedForward(config)
        self.scale_1 = nn.Parameter(torch.full((config.width,), scale))
        self.scale_2 = nn.Parameter(torch.full((config.width,), scale))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        mask = causal_mask(x.shape[1], x.device)
        x = residual(x, lambda h: self.attn(h, h, mask), self.ln_1, lambda branch: self.scale_1 * branch)
        return residual(x, self.mlp, self.ln_2, lambda branch: self.scale_2 * branch)
