"""The model that is quantized: a small decoder in Llama's form, so that SmolLM2's weights fit into it.

RMSNorm, RoPE on neighbouring channels, grouped attention, SwiGLU, a head tied to the embedding. Earlier projects build
each of them slowly; here they are as short as possible.

Dimensions:
    B rows   T tokens   C = d_model, width of the model   V vocabulary   N prompt and new tokens
    H query heads   G key/value heads   n one of the two   D width of a head
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

Cache = list[tuple[Tensor, Tensor]]


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


class RMSNorm(nn.Module):
    """x / √(mean of x²), times a gain."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotate(x: Float[Tensor, "B n T D"], start: int, base: float) -> Float[Tensor, "B n T D"]:
    """RoPE: pair i of each vector rotates by position · base^(−2i/D)."""
    T, D = x.shape[2:]
    frequencies = base ** (-torch.arange(0, D, 2, device=x.device) / D)
    angles = torch.arange(start, start + T, device=x.device)[:, None] * frequencies  # T D/2
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Attention(nn.Module):
    """Causal attention in which H/G query heads share a key/value head."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = c = config
        self.q_proj = nn.Linear(c.d_model, c.d_model, bias=False)
        self.k_proj = nn.Linear(c.d_model, c.kv_heads * c.head_dim, bias=False)
        self.v_proj = nn.Linear(c.d_model, c.kv_heads * c.head_dim, bias=False)
        self.o_proj = nn.Linear(c.d_model, c.d_model, bias=False)

    def heads(self, x: Float[Tensor, "B T _"]) -> Float[Tensor, "B n T D"]:
        return x.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)

    def forward(self, x: Float[Tensor, "B T C"], start: int, cache: Cache | None, layer: int) -> Tensor:
        base = self.config.rope_base
        q = rotate(self.heads(self.q_proj(x)), start, base)  # B H T D
        k, v = rotate(self.heads(self.k_proj(x)), start, base), self.heads(self.v_proj(x))  # B G T D
        if cache is not None:
            if len(cache) > layer:
                k, v = torch.cat((cache[layer][0], k), dim=2), torch.cat((cache[layer][1], v), dim=2)
                cache[layer] = k, v
            else:
                cache.append((k, v))
        one = q.shape[2] == 1  # a single new token sees all keys
        y = F.scaled_dot_product_attention(q, k, v, is_causal=not one, enable_gqa=q.shape[1] != k.shape[1])
        return self.o_proj(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each added to what is there."""

    def __init__(self, config: Config):
        super().__init__()
        c = config
        self.attn_norm, self.ffn_norm = RMSNorm(c.d_model, c.norm_eps), RMSNorm(c.d_model, c.norm_eps)
        self.attn = Attention(config)
        self.gate_proj = nn.Linear(c.d_model, c.ffn, bias=False)
        self.up_proj = nn.Linear(c.d_model, c.ffn, bias=False)
        self.down_proj = nn.Linear(c.ffn, c.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T C"], start: int, cache: Cache | None, layer: int) -> Tensor:
        x = x + self.attn(self.attn_norm(x), start, cache, layer)
        normed = self.ffn_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))


class Decoder(nn.Module):
    """Token ids -> logits. `cache` is a list that the first call, over the prompt, fills; then one token at a time."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.head: nn.Module | None = None  # None: the embedding is the head, too
        self.init_weights(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator) -> None:
        """Matrices: normal, with a deviation of 1/√(inputs); 0.02 in the embedding."""
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and not weight.is_meta:
                std = 0.02 if name == "wte.weight" else weight.shape[1] ** -0.5
                weight.normal_(std=std, generator=generator)

    def forward(self, tokens: Int[Tensor, "B T"], cache: Cache | None = None) -> Float[Tensor, "B T V"]:
        start = cache[0][0].shape[2] if cache else 0
        x = self.wte(tokens)
        for layer, block in enumerate(self.blocks):
            x = block(x, start, cache, layer)
        x = self.norm(x)
        return F.linear(x, self.wte.weight) if self.head is None else self.head(x)


@torch.no_grad()
def generate(model: Decoder, tokens: Int[Tensor, "B T"], max_new_tokens: int) -> Int[Tensor, "B N"]:
    """Greedy continuation: the prompt and the new tokens."""
    cache: Cache = []
    new = tokens
    for _ in range(max_new_tokens):
        new = model(new, cache)[:, -1:].argmax(-1)
        tokens = torch.cat((tokens, new), dim=1)
    return tokens
