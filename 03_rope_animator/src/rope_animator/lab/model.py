"""A small causal language model in which only the position scheme varies.

Dimensions:
    B  sequences of a batch
    T  tokens
    V  vocabulary
    C  width of the model
    H  heads
    D  width of a head, D = C / H
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..alibi import alibi_bias
from ..extend import RopeScaling
from ..learned import LearnedPositionalEmbedding
from ..rope import angles, check_layout, rotate_heads
from ..sinusoidal import frequencies, sinusoidal_table
from ..t5_bias import T5Bias

SCHEMES = ("none", "learned", "sinusoidal", "t5", "rope", "alibi")


@dataclass(frozen=True)
class Config:
    """Shape of the model and its position scheme."""

    vocab_size: int
    scheme: str = "rope"
    trained_len: int = 64  # tokens of a training text, and rows of the learned table
    num_layers: int = 2
    num_heads: int = 4
    dim: int = 64
    base: float = 10_000.0  # of the sinusoidal and the rotary frequencies
    rotary_fraction: float = 1.0  # share of each head's coordinates that RoPE rotates
    layout: str = "half"  # which coordinates RoPE takes as pairs

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme={self.scheme!r}: unknown; use one of {SCHEMES}")
        if self.num_heads < 1 or self.dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads}: heads share dim={self.dim}; use a divisor of dim")
        if not 0 < self.rotary_fraction <= 1 or self.rotary_dim < 2 or self.rotary_dim % 2:
            raise ValueError(
                f"rotary_fraction={self.rotary_fraction}: an even number of the {self.head_dim} coordinates must be "
                "rotated; use 0.25, 0.5 or 1"
            )
        check_layout(self.layout)

    @property
    def head_dim(self) -> int:
        """Coordinates of a head."""
        return self.dim // self.num_heads

    @property
    def rotary_dim(self) -> int:
        """Coordinates of a head that RoPE rotates."""
        return int(self.rotary_fraction * self.head_dim)


class Block(nn.Module):
    """Pre-norm attention and MLP, as in GPT-2, without dropout."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.attn_norm = nn.LayerNorm(config.dim)
        self.qkv_proj = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.o_proj = nn.Linear(config.dim, config.dim, bias=False)
        self.mlp_norm = nn.LayerNorm(config.dim)
        self.up_proj = nn.Linear(config.dim, 4 * config.dim)
        self.down_proj = nn.Linear(4 * config.dim, config.dim)

    def forward(self, x: Tensor, angle: Tensor | None, attention_factor: float, bias: Tensor | None) -> Tensor:
        qkv = self.qkv_proj(self.attn_norm(x)).unflatten(-1, (3, self.config.num_heads, -1))  # B T 3 H D
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 B H T D
        if angle is not None:
            q = self.rotate_part(q, angle) * attention_factor
            k = self.rotate_part(k, angle) * attention_factor
        attn_out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None)
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        return x + self.down_proj(F.gelu(self.up_proj(self.mlp_norm(x))))

    def rotate_part(self, x: Tensor, angle: Tensor) -> Tensor:
        """Rotate the first `rotary_dim` coordinates of each head and keep the rest."""
        rotary_dim = self.config.rotary_dim
        rotated = rotate_heads(x[..., :rotary_dim], angle, self.config.layout)
        return torch.cat((rotated, x[..., rotary_dim:]), dim=-1)


class TinyLM(nn.Module):
    """Token embedding, blocks, and the embedding again as the output layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.dim)
        nn.init.normal_(self.wte.weight, std=config.dim**-0.5)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.dim)
        self.wpe = LearnedPositionalEmbedding(config.trained_len, config.dim) if config.scheme == "learned" else None
        self.t5_bias = T5Bias(config.num_heads) if config.scheme == "t5" else None

    def forward(self, tokens: Int[Tensor, "B T"], scaling: RopeScaling | None = None) -> Float[Tensor, "B T V"]:
        """Logits. `scaling` replaces the rotary frequencies, to read texts longer than those in training."""
        config, seq_len = self.config, tokens.shape[1]
        x = self.embed(tokens)
        scaling = scaling or RopeScaling(frequencies(config.rotary_dim, config.base))
        angle = angles(torch.arange(seq_len), scaling.frequencies) if config.scheme == "rope" else None
        bias = self.attention_bias(seq_len, x.device)
        for block in self.blocks:
            x = block(x, angle, scaling.attention_factor, bias)
        return F.linear(self.norm(x), self.wte.weight)

    def embed(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T C"]:
        """Token embeddings, and positions where the scheme adds them here."""
        seq_len = tokens.shape[1]
        x = self.wte(tokens) * math.sqrt(
            self.config.dim
        )  # Vaswani et al. 2017, section 3.4: the size of the table's rows
        if self.config.scheme == "sinusoidal":
            x = x + sinusoidal_table(seq_len, self.config.dim, self.config.base).to(x)
        if self.wpe is not None:
            x = x + self.wpe(torch.arange(seq_len, device=x.device))
        return x

    def attention_bias(self, seq_len: int, device: torch.device) -> Tensor | None:
        """The scheme's bias with the causal mask in it, or None where the causal mask is enough."""
        if self.config.scheme == "alibi":
            bias = alibi_bias(self.config.num_heads, seq_len, seq_len).to(device)
        elif self.t5_bias is not None:
            bias = self.t5_bias(seq_len, seq_len)
        else:
            return None
        future = torch.ones(seq_len, seq_len, dtype=torch.bool, device=device).triu(1)
        return bias.masked_fill(future, -torch.inf)
