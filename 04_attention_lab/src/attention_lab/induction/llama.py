"""The forward pass of a Llama with the chapter's attention. Every head's weights are kept, and heads can be removed.

RMSNorm and SwiGLU are the subject of project 06, RoPE of 03, shared keys of 10.

Dimensions:
    B   sequences        T   positions
    L   layers           H   query heads, G of them share one key and value head
    D   width of a head
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import scaled_dot_product_attention
from ..masks import causal_mask
from ..multihead import merge_heads, split_heads


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a Llama."""

    layers: int
    d_model: int
    heads: int
    kv_heads: int
    ffn: int
    vocab_size: int
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5


class RMSNorm(nn.Module):
    """x / √(mean of x²), times a weight."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight


def rotate(x: Tensor, base: float) -> Tensor:
    """RoPE: channels 2i and 2i + 1 of a head (B, H, T, D) are turned by position · base^(-2i/D)."""
    T, D = x.shape[-2:]
    angles = torch.arange(T)[:, None] * base ** (-torch.arange(0, D, 2) / D)  # T D/2
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class LlamaBlock(nn.Module):
    """Attention and a gated feed-forward layer, each added to what is there."""

    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.config = c = config
        kv_width = c.d_model // c.heads * c.kv_heads
        self.attn_norm, self.ffn_norm = RMSNorm(c.d_model, c.norm_eps), RMSNorm(c.d_model, c.norm_eps)
        self.q_proj, self.o_proj = (nn.Linear(c.d_model, c.d_model, bias=False) for _ in range(2))
        self.k_proj, self.v_proj = (nn.Linear(c.d_model, kv_width, bias=False) for _ in range(2))
        self.gate_proj, self.up_proj = (nn.Linear(c.d_model, c.ffn, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(c.ffn, c.d_model, bias=False)

    def forward(self, x: Tensor, mask: Tensor, removed: list[int]) -> tuple[Tensor, Tensor]:
        """(B, T, d_model) in and out, and the weights (B, H, T, T). The heads of `removed` write nothing."""
        c, normed = self.config, self.attn_norm(x)
        q = rotate(split_heads(self.q_proj(normed), c.heads), c.rope_base)  # B H T D
        k = rotate(split_heads(self.k_proj(normed), c.kv_heads), c.rope_base)  # B H/G T D
        v = split_heads(self.v_proj(normed), c.kv_heads)
        k, v = (y.repeat_interleave(c.heads // c.kv_heads, dim=1) for y in (k, v))  # B H T D
        attn_out, weights = scaled_dot_product_attention(q, k, v, mask)
        if removed:
            attn_out = attn_out.index_fill(1, torch.tensor(removed), 0.0)
        x = x + self.o_proj(merge_heads(attn_out))
        normed = self.ffn_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed)), weights


class Llama(nn.Module):
    """Token ids (B, T) -> logits (B, T, V); the head is the embedding."""

    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(LlamaBlock(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)

    @classmethod
    def from_state(cls, config: LlamaConfig, state: dict[str, Tensor]) -> "Llama":
        """A model with these weights. Names and shapes are checked by `load_state_dict`."""
        with torch.device("meta"):
            model = cls(config)
        model.load_state_dict(state, assign=True)
        return model.eval().requires_grad_(False)

    def look(self, tokens: Tensor, removed: tuple[tuple[int, int], ...] = ()) -> tuple[Tensor, Tensor]:
        """Logits, and the weights of every head (L, B, H, T, T). The (layer, head) pairs of `removed` write nothing."""
        x, mask, patterns = self.wte(tokens), causal_mask(tokens.shape[1]), []
        for layer, block in enumerate(self.blocks):
            x, weights = block(x, mask, [head for of_layer, head in removed if of_layer == layer])
            patterns.append(weights)
        return F.linear(self.norm(x), self.wte.weight), torch.stack(patterns)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.look(tokens)[0]
