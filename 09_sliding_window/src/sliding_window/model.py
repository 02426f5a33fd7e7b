"""A Llama that reads through a SinkCache: a whole text, a chunk, or one token at a time, by the same path.

RMSNorm and SwiGLU are the subject of project 06, heads that share keys and values of 10.

Dimensions:
    B   sequences        T   positions        V   vocabulary
    H   query heads, groups of them share one key and value head
    D   width of a head
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .attention import cos_and_sin
from .rolling_cache import cache_positions
from .sinks import SinkCache, sink_attention

NO_WINDOW = 1 << 40


@dataclass(frozen=True)
class Config:
    """The sizes of a Llama."""

    vocab_size: int
    d_model: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 4
    ffn: int = 128
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.d_model // self.heads


@dataclass
class Trace:
    """What the layers did, where it is asked for: lists with one tensor a layer."""

    weights: list[Tensor] = field(default_factory=list)  # B H T Tk
    values: list[Tensor] = field(default_factory=list)  # B kv T D
    residual: list[Tensor] = field(default_factory=list)  # B T d_model, after the layer


@functools.lru_cache(16)
def phase_table(count: int, width: int, base: float, dtype: torch.dtype) -> Tensor:
    """cos + i·sin of the positions 0 … count - 1: (count, D/2)."""
    return torch.complex(*cos_and_sin(torch.arange(count), width, base, dtype))


def turned_fast(x: Tensor, phases: Tensor) -> Tensor:
    """RoPE as one complex product: a pair of channels is a complex number."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * phases).flatten(-2)


class RMSNorm(nn.Module):
    """x / √(mean of x²), times a weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each added to what is there."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = c = config
        self.attn_norm, self.ffn_norm = RMSNorm(c.d_model, c.norm_eps), RMSNorm(c.d_model, c.norm_eps)
        self.q_proj, self.o_proj = (nn.Linear(c.d_model, c.d_model, bias=False) for _ in range(2))
        self.k_proj, self.v_proj = (nn.Linear(c.d_model, c.kv_heads * c.head_dim, bias=False) for _ in range(2))
        self.gate_proj, self.up_proj = (nn.Linear(c.d_model, c.ffn, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(c.ffn, c.d_model, bias=False)

    def forward(self, x: Tensor, layer: int, cache: SinkCache | None, trace: Trace | None) -> Tensor:
        normed = self.attn_norm(x)
        q, k, v = (
            proj(normed).unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)  # B H T D
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        if cache is not None and q.shape[2] == 1 and trace is None:
            attn_out = self.decode(q, k, v, layer, cache)
        else:
            attn_out = self.attend(q, k, v, layer, cache, trace)
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        normed = self.ffn_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, layer: int, cache: SinkCache | None, trace: Trace | None
    ) -> Tensor:
        """A chunk of queries."""
        if trace is not None:
            trace.values.append(v)
        window, sinks, reassign, positions = NO_WINDOW, 0, False, torch.arange(k.shape[2])
        if cache is not None:
            k, v, positions = cache.update(layer, k, v)
            window, sinks, reassign = cache.window, cache.sinks, cache.reassign
        groups = self.config.heads // self.config.kv_heads
        k, v = (y.repeat_interleave(groups, dim=1) for y in (k, v))  # B H Tk D
        attn_out, weights = sink_attention(q, k, v, positions, window, sinks, reassign, self.config.rope_base)
        if trace is not None:
            trace.weights.append(weights)
        return attn_out

    def decode(self, q: Tensor, k: Tensor, v: Tensor, layer: int, cache: SinkCache) -> Tensor:
        """One query: it is the newest token, and sees everything that the cache holds. No mask is needed."""
        k, v, positions = cache.update(layer, k, v)
        base, width = self.config.rope_base, self.config.head_dim
        newest = positions.argmax()
        if cache.reassign:  # the positions are always the same few: their angles are computed once
            table = phase_table(cache.sinks + cache.window, width, base, q.dtype)
            phases = table[cache_positions(positions)]
        else:
            phases = torch.complex(*cos_and_sin(positions, width, base, q.dtype))
        q, k = turned_fast(q, phases[newest]), turned_fast(k, phases)
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=self.config.heads != self.config.kv_heads)


class Llama(nn.Module):
    """Token ids (B, T) -> logits (B, T, V); the head is the embedding."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        nn.init.normal_(self.wte.weight, std=0.02)

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        cache: SinkCache | None = None,
        trace: Trace | None = None,
        edit: Callable[[int, Tensor], Tensor] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Logits. Without a cache each token sees all before it; with one, sinks and window, after what is cached.

        `edit(layer, residual)` may replace the residual stream after a layer.
        """
        x = self.wte(tokens)  # B T d_model
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, cache, trace)
            if edit is not None:
                x = edit(layer, x)
            if trace is not None:
                trace.residual.append(x)
        return F.linear(self.norm(x), self.wte.weight)

    def new_cache(self, window: int, sinks: int = 0, reassign: bool = True, batch_size: int = 1) -> SinkCache:
        """An empty cache for this model."""
        c = self.config
        dtype = self.wte.weight.dtype
        return SinkCache(c.layers, batch_size, c.kv_heads, c.head_dim, window, sinks, reassign, dtype)
