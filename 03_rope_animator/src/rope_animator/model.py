"""A tiny causal language model whose position scheme is the only thing that changes.

Letters: B batch, T tokens, V vocabulary, C width of the model, H heads, D = C/H width of a head.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .alibi import alibi_bias
from .extend import Scaled
from .learned import LearnedPositions
from .relative import T5Bias
from .rope import angles, turn
from .sinusoidal import frequencies, sinusoidal_table

SCHEMES = ("none", "learned", "sinusoidal", "t5", "rope", "alibi")


@dataclass(frozen=True)
class Config:
    """Shape of the model, and how it is told where its tokens stand."""

    vocabulary: int
    scheme: str = "rope"
    length: int = 64  # tokens in training, and rows of the learned table
    layers: int = 2
    heads: int = 4
    dim: int = 64
    base: float = 10_000.0  # of the sinusoidal and the rotary frequencies
    rotated: float = 1.0  # share of each head's coordinates that the rotary scheme turns
    layout: str = "half"  # which coordinates the rotary scheme pairs

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme = {self.scheme!r}: must be one of {SCHEMES}")
        if self.dim % self.heads:
            raise ValueError(f"dim = {self.dim}: must be a multiple of heads = {self.heads}")
        if self.turned % 2 or not 0 < self.rotated <= 1:
            raise ValueError(f"rotated = {self.rotated}: must leave an even, positive part of {self.dim // self.heads}")

    @property
    def turned(self) -> int:
        """Coordinates of a head that the rotary scheme turns."""
        return int(self.rotated * self.dim // self.heads)


class Block(nn.Module):
    """Pre-norm attention and MLP, as in GPT-2, without dropout."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.turned, self.layout = config.heads, config.turned, config.layout
        self.norm_a, self.norm_m = nn.LayerNorm(config.dim), nn.LayerNorm(config.dim)
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.out = nn.Linear(config.dim, config.dim, bias=False)
        self.up, self.down = nn.Linear(config.dim, 4 * config.dim), nn.Linear(4 * config.dim, config.dim)

    def forward(self, x: Tensor, angle: Tensor | None, temperature: float, bias: Tensor | None) -> Tensor:
        q, k, v = self.qkv(self.norm_a(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # 3 B H T D
        if angle is not None:
            q, k = (self.turn(t, angle) * temperature for t in (q, k))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm_m(x))))

    def turn(self, x: Tensor, angle: Tensor) -> Tensor:
        """Turn the first part of each head; the rest keeps its direction and knows no position."""
        if self.turned == x.shape[-1]:
            return turn(x, angle, self.layout)
        return torch.cat((turn(x[..., : self.turned], angle, self.layout), x[..., self.turned :]), dim=-1)


class TinyLM(nn.Module):
    """Embedding, blocks, and the embedding again as the output layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        nn.init.normal_(self.embedding.weight, std=config.dim**-0.5)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.learned = LearnedPositions(config.length, config.dim) if config.scheme == "learned" else None
        self.t5 = T5Bias(config.heads) if config.scheme == "t5" else None

    def forward(self, tokens: Int[Tensor, "B T"], scaled: Scaled | None = None) -> Float[Tensor, "B T V"]:
        """Logits. `scaled` replaces the rotary frequencies, which is how a trained model is stretched."""
        config, length = self.config, tokens.shape[1]
        x = self.embedding(tokens) * math.sqrt(config.dim)  # Vaswani et al. 2017, section 3.4: beside a table of ones
        if config.scheme == "sinusoidal":
            x = x + sinusoidal_table(length, config.dim, config.base).to(x)
        if self.learned is not None:
            x = x + self.learned(torch.arange(length, device=x.device))
        scaled = scaled or Scaled(frequencies(config.turned, config.base))
        angle = angles(torch.arange(length), scaled.frequencies) if config.scheme == "rope" else None
        bias = self.bias(length, x.device)
        for block in self.blocks:
            x = block(x, angle, scaled.temperature, bias)
        return F.linear(self.norm(x), self.embedding.weight)

    def bias(self, length: int, device: torch.device) -> Tensor | None:
        """Scores' bias with the causal mask in it, or None where the causal mask is all there is."""
        if self.config.scheme == "alibi":
            bias = alibi_bias(self.config.heads, length, length).to(device)
        elif self.t5 is not None:
            bias = self.t5(length, length)
        else:
            return None
        ahead = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)
        return bias.masked_fill(ahead, -torch.inf)
