"""Llama's decoder, frozen, with low-rank adapters on queries and values (Hu et al. 2021).

The reference of the KL penalty is the same model with its adapters switched off: no second copy of the weights.

Dimensions:
    B rows   T tokens   C = d_model   H query heads   G key/value heads   D head width   V vocabulary
"""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of the model."""

    vocab_size: int
    d_model: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    rope_base: float | int = 10_000.0
    norm_eps: float | int = 1e-5


class Adapted(nn.Module):
    """A frozen linear layer plus (alpha / rank) · B A. B starts at zero, so nothing changes before the first step."""

    def __init__(self, inputs: int, outputs: int, rank: int = 8, alpha: int = 16):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.lora_a = nn.Parameter(torch.empty(rank, inputs))
        self.lora_b = nn.Parameter(torch.zeros(outputs, rank))
        self.scale, self.active = alpha / rank, True

    def forward(self, x: Tensor) -> Tensor:
        out = F.linear(x, self.weight)
        return out + self.scale * F.linear(F.linear(x, self.lora_a), self.lora_b) if self.active else out


def rms_norm(x: Tensor, weight: Tensor, eps: float | int) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rotate(x: Float[Tensor, "B h T D"], start: int, base: float | int) -> Float[Tensor, "B h T D"]:
    """RoPE on neighbouring channels, as the GGUF file stores them."""
    D = x.shape[-1]
    angles = torch.arange(start, start + x.shape[2])[:, None] / base ** (torch.arange(0, D, 2) / D)  # T D/2
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class LlamaBlock(nn.Module):
    """Grouped attention and SwiGLU, each after its RMSNorm."""

    def __init__(self, config: LlamaConfig):
        super().__init__()
        c = self.config = config
        D = c.d_model // c.heads
        self.attn_norm, self.ffn_norm = nn.Parameter(torch.ones(c.d_model)), nn.Parameter(torch.ones(c.d_model))
        self.q_proj, self.v_proj = Adapted(c.d_model, c.heads * D), Adapted(c.d_model, c.kv_heads * D)
        self.k_proj = nn.Linear(c.d_model, c.kv_heads * D, bias=False)
        self.o_proj = nn.Linear(c.heads * D, c.d_model, bias=False)
        self.gate_proj = nn.Linear(c.d_model, c.ffn, bias=False)
        self.up_proj = nn.Linear(c.d_model, c.ffn, bias=False)
        self.down_proj = nn.Linear(c.ffn, c.d_model, bias=False)

    def forward(self, x: Tensor, cache: list | None, layer: int, start: int) -> Tensor:
        c, (B, T, _) = self.config, x.shape
        normed = rms_norm(x, self.attn_norm, c.norm_eps)
        q, k, v = (p(normed).view(B, T, -1, c.d_model // c.heads).transpose(1, 2) for p in self.projections)
        q, k = rotate(q, start, c.rope_base), rotate(k, start, c.rope_base)
        if cache is not None:
            k, v = cache[layer] = tuple(torch.cat(pair, 2) for pair in zip(cache[layer], (k, v), strict=True))
        mask = torch.ones(T, k.shape[2], dtype=torch.bool).tril(k.shape[2] - T)
        attn_out = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        normed = rms_norm(x, self.ffn_norm, c.norm_eps)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))

    @property
    def projections(self) -> tuple:
        return self.q_proj, self.k_proj, self.v_proj


class LlamaCache:
    """Keys and values of each layer, growing."""

    def __init__(self, config: LlamaConfig, batch: int):
        shape = (batch, config.kv_heads, 0, config.d_model // config.heads)
        self.layers = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(config.layers)]
        self.length = 0


class Llama(nn.Module):
    """Tokens to logits; it is called like the chapter's Decoder, so `sample` takes it as it is."""

    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(LlamaBlock(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.d_model))

    def forward(
        self, tokens: Int[Tensor, "B T"], cache: LlamaCache | None = None, last: int | None = None
    ) -> Float[Tensor, "B t V"]:
        """The logits of all positions, or of the last so many."""
        start = cache.length if cache is not None else 0
        x = self.wte(tokens)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache.layers if cache is not None else None, layer, start)
        if cache is not None:
            cache.length += tokens.shape[1]
            last = 1
        x = x if last is None else x[:, -last:]
        return rms_norm(x, self.norm, self.config.norm_eps) @ self.wte.weight.T

    def new_cache(self, batch: int) -> LlamaCache:
        return LlamaCache(self.config, batch)

    def adapters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [p for name, p in self.named_parameters() if "lora" in name]

    @contextmanager
    def as_reference(self):
        """The model without its adapters."""
        layers = [module for module in self.modules() if isinstance(module, Adapted)]
        for layer in layers:
            layer.active = False
        try:
            yield self
        finally:
            for layer in layers:
                layer.active = True
