"""The small decoder that the sweep trains: pre-norm, rotary positions, tied head, no biases.

Dimensions:
    B   rows of a batch   T   tokens       d   width      H   heads      V   vocabulary     D   width of a head
"""

import math

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional as F

from .count import Shape

HEAD_DIM = 16  # of every head, as far as the width allows
ROPE_BASE = 100.0


def rotate(x: Float[Tensor, "B H T D"]) -> Float[Tensor, "B H T D"]:
    """RoPE (Su et al. 2021): channel i and channel i + D/2 rotate by an angle that grows with the position."""
    T, D = x.shape[-2:]
    angles = torch.arange(T)[:, None] * ROPE_BASE ** (-torch.arange(0, D, 2) / D)  # T D/2
    first, second = x.chunk(2, -1)
    return torch.cat([first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()], -1)


class Attention(nn.Module):
    """Causal self-attention, with its two products written out so that they can be counted."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.heads = max(1, shape.d_model // HEAD_DIM)
        self.qkv_proj = nn.Linear(shape.d_model, 3 * shape.d_model, bias=False)
        self.o_proj = nn.Linear(shape.d_model, shape.d_model, bias=False)
        future = torch.ones(shape.context, shape.context, dtype=torch.bool).triu(1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
        T = x.shape[1]
        q, k, v = self.qkv_proj(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each B H T d/H
        scores = rotate(q) @ rotate(k).mT / math.sqrt(q.shape[-1])  # B H T T
        weights = scores.masked_fill(self.future[:T, :T], -math.inf).softmax(-1)
        return self.o_proj((weights @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a norm and added."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.attention_norm = nn.LayerNorm(shape.d_model, bias=False)
        self.attention = Attention(shape)
        self.ffn_norm = nn.LayerNorm(shape.d_model, bias=False)
        self.up = nn.Linear(shape.d_model, shape.d_ff, bias=False)
        self.down = nn.Linear(shape.d_ff, shape.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
        x = x + self.attention(self.attention_norm(x))
        return x + self.down(F.gelu(self.up(self.ffn_norm(x))))


class Decoder(nn.Module):
    """Bytes in, logits of the next byte out."""

    def __init__(self, shape: Shape, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.wte = nn.Embedding(shape.vocab_size, shape.d_model)
            self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
            self.norm = nn.LayerNorm(shape.d_model, bias=False)
            nn.init.normal_(self.wte.weight, std=shape.d_model**-0.5)

    def forward(self, tokens: Integer[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x = self.wte(tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.wte.weight)
