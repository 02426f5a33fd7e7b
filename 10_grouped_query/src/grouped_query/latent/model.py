"""The chapter's decoder with latent attention: `Decoder(config, LatentAttention)`.

As in DeepSeek-V2-Lite, the queries are not compressed. Training uses the expanded form, decoding the absorbed one.

Dimensions: as in latent.py.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..cache import Cache, Part
from ..model import Config
from ..rotary import rotate
from .absorbed import absorbed_attention
from .latent import compress_latent, expanded_attention


@dataclass(frozen=True)
class LatentConfig(Config):
    """A decoder's sizes, and those of its latent. A head's key has head_dim numbers, and rope_dim rotated ones."""

    latent_dim: int = 32
    rope_dim: int = 8
    latent_norm: bool = True  # False only to see what happens

    @property
    def cache_parts(self) -> list[Part]:
        """One token's latent and rotated key in a layer."""
        return [(self.latent_dim,), (self.rope_dim,)]


class LatentAttention(nn.Module):
    """Latent attention with DeepSeek's names in the paper: W_DKV and W_KR (kv_down), W_UK, W_UV."""

    def __init__(self, config: LatentConfig):
        super().__init__()
        self.config = c = config
        self.q_proj = nn.Linear(c.d_model, c.heads * (c.head_dim + c.rope_dim), bias=False)
        self.kv_down = nn.Linear(c.d_model, c.latent_dim + c.rope_dim, bias=False)
        self.norm_weight = nn.Parameter(torch.ones(c.latent_dim))
        self.k_up = nn.Linear(c.latent_dim, c.d_model, bias=False)
        self.v_up = nn.Linear(c.latent_dim, c.d_model, bias=False)
        self.o_proj = nn.Linear(c.d_model, c.d_model, bias=False)

    def forward(self, x: Tensor, positions: Tensor, layer: int, cache: Cache | None) -> Tensor:
        c = self.config
        q = self.q_proj(x).unflatten(-1, (c.heads, -1)).transpose(1, 2)  # B H T D+P
        q_nope, q_rope = q.split((c.head_dim, c.rope_dim), dim=-1)
        q_rope = rotate(q_rope, positions)
        if c.latent_norm:
            latent, k_rope = compress_latent(x, self.kv_down.weight, self.norm_weight, positions)
        else:
            latent, k_rope = self.kv_down(x).split((c.latent_dim, c.rope_dim), dim=-1)
            k_rope = rotate(k_rope, positions)
        attend = expanded_attention
        if cache is not None:
            latent, k_rope = cache.update(layer, latent, k_rope)
            attend = absorbed_attention
        ups = (up.weight.unflatten(0, (c.heads, -1)) for up in (self.k_up, self.v_up))  # H D C
        out = attend(q_nope, q_rope, latent, k_rope, *ups)  # B H T D
        return self.o_proj(out.transpose(1, 2).flatten(2))
