"""A small decoder in Llama's form, with any number of key/value heads and a cache.

RMSNorm, RoPE, grouped attention, SwiGLU, a head tied to the embedding. SmolLM2's weights fit into it (`smollm2/`).

Dimensions:
    B rows   T tokens   W = d_model, width of the model   V vocabulary   H, G, R, D: as in grouped.py
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .cache import Cache, Part
from .grouped import grouped_attention, merge_groups, split_groups
from .rotary import rotate


@dataclass(frozen=True)
class Config:
    """The sizes of a decoder.

    Raises:
        ValueError: heads that cannot be shared out, or a head width that RoPE cannot pair.
    """

    vocab_size: int
    d_model: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.kv_heads < 1 or self.heads % self.kv_heads:
            raise ValueError(f"kv_heads={self.kv_heads}: must divide heads={self.heads}; try 1 or {self.heads}")
        if self.d_model % (2 * self.heads):
            raise ValueError(f"d_model={self.d_model}: must be a multiple of 2 · heads={2 * self.heads}")

    @property
    def head_dim(self) -> int:
        return self.d_model // self.heads

    @property
    def cache_parts(self) -> list[Part]:
        """One token's keys and values in a layer."""
        return [(self.kv_heads, self.head_dim)] * 2


class RMSNorm(nn.Module):
    """x / √(mean of x²), times a weight."""

    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Float[Tensor, "*batch W"]) -> Float[Tensor, "*batch W"]:
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight


class GroupedAttention(nn.Module):
    """Projections, rotation and grouped attention. Only k_proj and v_proj know the number of key/value heads."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = c = config
        kv_width = c.kv_heads * c.head_dim
        self.q_proj = nn.Linear(c.d_model, c.d_model, bias=False)
        self.k_proj = nn.Linear(c.d_model, kv_width, bias=False)
        self.v_proj = nn.Linear(c.d_model, kv_width, bias=False)
        self.o_proj = nn.Linear(c.d_model, c.d_model, bias=False)

    def forward(
        self, x: Float[Tensor, "B T W"], positions: Int[Tensor, "T"], layer: int, cache: Cache | None
    ) -> Float[Tensor, "B T W"]:
        c = self.config
        q = rotate(split_groups(self.q_proj(x), c.heads, c.kv_heads), positions, c.rope_base)  # B G R T D
        k, v = (split_groups(proj(x), c.kv_heads, c.kv_heads)[:, :, 0] for proj in (self.k_proj, self.v_proj))
        k = rotate(k, positions, c.rope_base)  # B G T D
        if cache is not None:
            k, v = cache.update(layer, k, v)
        return self.o_proj(merge_groups(grouped_attention(q, k, v)))


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each added to what is there."""

    def __init__(self, config: Config, attention: type[nn.Module]):
        super().__init__()
        c = config
        self.attn_norm, self.ffn_norm = RMSNorm(c.d_model, c.norm_eps), RMSNorm(c.d_model, c.norm_eps)
        self.attn = attention(config)
        self.gate_proj, self.up_proj = (nn.Linear(c.d_model, c.ffn, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(c.ffn, c.d_model, bias=False)

    def forward(self, x: Tensor, positions: Tensor, layer: int, cache: Cache | None) -> Tensor:
        x = x + self.attn(self.attn_norm(x), positions, layer, cache)
        normed = self.ffn_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))


class Decoder(nn.Module):
    """Token ids -> logits. `attention` is the class of its attention layers."""

    def __init__(self, config: Config, attention: type[nn.Module] = GroupedAttention, seed: int = 0):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config, attention) for _ in range(config.layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.init_weights(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator) -> None:
        """Matrices: normal, with a deviation of 1/√(inputs); 0.02 in the embedding."""
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and not weight.is_meta:
                std = 0.02 if name == "wte.weight" else weight.shape[1] ** -0.5
                weight.normal_(std=std, generator=generator)

    def forward(self, tokens: Int[Tensor, "B T"], cache: Cache | None = None) -> Float[Tensor, "B T V"]:
        """Logits of every position. With a cache, the tokens follow those that it holds."""
        start = cache.position if cache is not None else 0
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x = self.wte(tokens)
        for layer, block in enumerate(self.blocks):
            x = block(x, positions, layer, cache)
        return F.linear(self.norm(x), self.wte.weight)

    def new_cache(self, batch: int, max_len: int) -> Cache:
        """An empty cache in the dtype and on the device of the weights."""
        c, weight = self.config, self.wte.weight
        return Cache(c.layers, batch, max_len, c.cache_parts, weight.dtype, weight.device)
