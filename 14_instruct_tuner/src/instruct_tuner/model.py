"""A small decoder in Llama's form. SmolLM2's weights fit into it (`smollm2/`).

RMSNorm, RoPE, grouped attention, SwiGLU, a head tied to the embedding. Positions and mask are arguments, as packing
and padding need them.

Dimensions:
    B rows   T tokens   S keys: those of the cache and the T new ones   C d_model, width of the model   V vocabulary
    H query heads   G key/value heads   D head_dim
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Cache = list[tuple[Tensor, Tensor]]  # keys and values of each layer: B G S D


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
    rope_base: int | float = 10_000.0
    norm_eps: int | float = 1e-5

    def __post_init__(self):
        if self.kv_heads < 1 or self.heads % self.kv_heads:
            raise ValueError(f"kv_heads={self.kv_heads}: must divide heads={self.heads}; try 1 or {self.heads}")
        if self.d_model % (2 * self.heads):
            raise ValueError(f"d_model={self.d_model}: must be a multiple of 2 · heads={2 * self.heads}")

    @property
    def head_dim(self) -> int:
        return self.d_model // self.heads


class RMSNorm(nn.Module):
    """x / √(mean of x²), times a weight."""

    def __init__(self, width: int, eps: int | float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight


def rotate(
    x: Float[Tensor, "B H T D"], position_ids: Int[Tensor, "B T"], base: int | float
) -> Float[Tensor, "B H T D"]:
    """RoPE: neighbouring channels rotate by position times a frequency."""
    frequencies = base ** (-torch.arange(0, x.shape[-1], 2, device=x.device) / x.shape[-1])
    angles = position_ids[:, None, :, None] * frequencies  # B 1 T D/2
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Attention(nn.Module):
    """Projections, rotation, and PyTorch's attention with a given mask."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = c = config
        self.q_proj = nn.Linear(c.d_model, c.d_model, bias=False)
        self.k_proj, self.v_proj = (nn.Linear(c.d_model, c.kv_heads * c.head_dim, bias=False) for _ in range(2))
        self.o_proj = nn.Linear(c.d_model, c.d_model, bias=False)

    def forward(self, x: Tensor, position_ids: Tensor, mask: Tensor, cache: Cache | None, layer: int) -> Tensor:
        c = self.config
        q, k, v = (
            proj(x).unflatten(-1, (-1, c.head_dim)).transpose(1, 2)  # B H T D
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, position_ids, c.rope_base), rotate(k, position_ids, c.rope_base)
        if cache is not None:
            if layer < len(cache):
                k, v = torch.cat([cache[layer][0], k], 2), torch.cat([cache[layer][1], v], 2)
                cache[layer] = k, v
            else:
                cache.append((k, v))
        k, v = (t.repeat_interleave(c.heads // c.kv_heads, 1) for t in (k, v))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
        return self.o_proj(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each added to what is there."""

    def __init__(self, config: Config):
        super().__init__()
        c = config
        self.attn_norm, self.ffn_norm = RMSNorm(c.d_model, c.norm_eps), RMSNorm(c.d_model, c.norm_eps)
        self.attn = Attention(c)
        self.gate_proj, self.up_proj = (nn.Linear(c.d_model, c.ffn, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(c.ffn, c.d_model, bias=False)

    def forward(self, x: Tensor, position_ids: Tensor, mask: Tensor, cache: Cache | None, layer: int) -> Tensor:
        x = x + self.attn(self.attn_norm(x), position_ids, mask, cache, layer)
        normed = self.ffn_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))


class Decoder(nn.Module):
    """Token ids -> logits."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.init_weights(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator) -> None:
        """Matrices: normal, with a deviation of 1/√(inputs); 0.02 in the embedding."""
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and not weight.is_meta:
                weight.normal_(std=0.02 if name == "wte.weight" else weight.shape[1] ** -0.5, generator=generator)

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        position_ids: Int[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B T S"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Logits of every position. `attention_mask[b, q, k]` is True where query q may see key k; causal by default.

        With a cache, a list that is empty at first, the tokens follow those that it holds.
        """
        return F.linear(self.hidden(self.wte(input_ids), position_ids, attention_mask, cache), self.wte.weight)

    def hidden(
        self, x: Float[Tensor, "B T C"], position_ids: Tensor | None, mask: Tensor | None, cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """From embeddings to the last norm: where soft prompts come in (`variants/`)."""
        B, T, _ = x.shape
        past = cache[0][0].shape[2] if cache else 0
        if position_ids is None:
            position_ids = torch.arange(past, past + T, device=x.device).expand(B, T)
        if mask is None:
            mask = torch.ones(T, past + T, dtype=torch.bool, device=x.device).tril(past).expand(B, -1, -1)
        for layer, block in enumerate(self.blocks):
            x = block(x, position_ids, mask, cache, layer)
        return self.norm(x)
