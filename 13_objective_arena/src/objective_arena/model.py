"""One transformer whose attention mask is an argument: with it, the network is a writer, a reader or both.

Pre-norm, learned positions, head tied to the embedding.

Dimensions:
    B texts, T tokens, D width of the model, H heads, V tokens of the vocabulary, b masks: one, or B
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """Sizes of the model."""

    vocab_size: int
    d_model: int = 64
    layers: int = 2
    heads: int = 4
    max_len: int = 32


class Block(nn.Module):
    """Attention, then a feed-forward layer of four times the width."""

    def __init__(self, config: Config):
        super().__init__()
        D = config.d_model
        self.heads = config.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.qkv_proj, self.o_proj = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.fc, self.proj = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x: Float[Tensor, "B T D"], attention_mask: Bool[Tensor, "b 1 T T"]) -> Float[Tensor, "B T D"]:
        B, T, D = x.shape
        qkv = self.qkv_proj(self.ln_1(x)).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each B H T D/H
        attn_out = F.scaled_dot_product_attention(q, k, v, attention_mask)
        x = x + self.o_proj(attn_out.transpose(1, 2).reshape(B, T, D))
        return x + self.proj(F.gelu(self.fc(self.ln_2(x))))


class Transformer(nn.Module):
    """Token ids and an attention mask in, logits out."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.wte = nn.Embedding(config.vocab_size, config.d_model)
            self.wpe = nn.Embedding(config.max_len, config.d_model)
            self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
            self.ln_f = nn.LayerNorm(config.d_model)
            for module in self.modules():
                if isinstance(module, (nn.Linear, nn.Embedding)):
                    nn.init.normal_(module.weight, std=0.1)  # a small model learns to look around sooner
                if isinstance(module, nn.Linear):
                    nn.init.zeros_(module.bias)

    def hidden(self, ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "..."]) -> Float[Tensor, "B T D"]:
        """The last layer's output. The mask is (T, T) for all texts, or (B, T, T) with one for each.

        Raises:
            ValueError: a text longer than the model's positions.
        """
        T = ids.shape[1]
        if T > self.config.max_len:
            raise ValueError(f"ids have {T} tokens: the model has {self.config.max_len} positions; cut the text")
        mask = attention_mask.expand(1, T, T) if attention_mask.ndim == 2 else attention_mask
        x = self.wte(ids) + self.wpe.weight[:T]
        for block in self.blocks:
            x = block(x, mask[:, None])
        return self.ln_f(x)

    def forward(self, ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "..."]) -> Float[Tensor, "B T V"]:
        return self.hidden(ids, attention_mask) @ self.wte.weight.T

    def flops(self, T: int) -> int:
        """Floating-point operations of one forward pass over a text, the same for every mask."""
        D, V = self.config.d_model, self.config.vocab_size
        layer = 2 * T * 12 * D * D + 4 * T * T * D
        return self.config.layers * layer + 2 * T * D * V
