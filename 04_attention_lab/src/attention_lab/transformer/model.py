"""A transformer language model with the chapter's attention. The block itself is project 05's subject.

Dimensions:
    B   sequences       T        positions
    V   vocabulary      d_model  width
    L   layers          H        heads in a layer
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import scaled_dot_product_attention
from ..masks import causal_mask
from ..multihead import MultiHeadAttention, merge_heads, split_heads


class Block(nn.Module):
    """Attention, then a feed-forward layer, each added to what is there."""

    def __init__(self, d_model: int, heads: int):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(d_model), MultiHeadAttention(d_model, heads, bias=False)
        self.norm2 = nn.LayerNorm(d_model)
        self.up, self.down = nn.Linear(d_model, 2 * d_model), nn.Linear(2 * d_model, d_model)

    def forward(self, x: Tensor, mask: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, d_model) in and out, and the weights (B, H, T, T). `kept` (H,) is 0 for a removed head."""
        layer, normed = self.attention, self.norm1(x)
        q, k, v = (split_heads(p(normed), layer.heads) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
        attn_out, weights = scaled_dot_product_attention(q, k, v, mask)  # B H T D
        x = x + layer.o_proj(merge_heads(attn_out * kept[:, None, None]))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh")), weights


class Transformer(nn.Module):
    """Token ids (B, T) -> logits (B, T, V)."""

    def __init__(self, vocab_size: int, seq_len: int, d_model: int, layers: int, heads: int, positions: bool = True):
        """`positions=False` leaves the position embedding out: the model sees each prefix as a set of tokens.

        Raises:
            ValueError: `heads` does not divide `d_model`.
        """
        super().__init__()
        self.seq_len, self.heads = seq_len, heads
        self.wte = nn.Embedding(vocab_size, d_model)
        self.wpe = nn.Embedding(seq_len, d_model) if positions else None
        self.blocks = nn.ModuleList(Block(d_model, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(d_model), nn.Linear(d_model, vocab_size, bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.05)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.look(tokens)[0]

    def look(self, tokens: Tensor, removed: tuple[tuple[int, int], ...] = ()) -> tuple[Tensor, Tensor]:
        """Logits, and the weights of every head (L, B, H, T, T). `removed` are (layer, head) pairs that write nothing.

        Raises:
            ValueError: the sequence is longer than `seq_len`.
        """
        T = tokens.shape[1]
        if T > self.seq_len:
            raise ValueError(f"tokens: {T} positions, but the model has seq_len={self.seq_len}; crop them")
        x, mask, patterns = self.wte(tokens), causal_mask(T), []  # B T d_model
        if self.wpe is not None:
            x = x + self.wpe.weight[:T]
        for layer, block in enumerate(self.blocks):
            kept = torch.ones(self.heads)
            for of_layer, head in removed:
                if of_layer == layer:
                    kept[head] = 0
            x, weights = block(x, mask, kept)
            patterns.append(weights)
        return self.head(self.norm(x)), torch.stack(patterns)
