"""A small GPT with a cache of keys and values. With one number a token as its head it is a reward or a value model.

Its parts and their order are GPT-2's: learned positions, LayerNorm before each sub-layer, tied head.

Dimensions:
    B rows   T tokens   C = d_model, width of the model   H heads   D = C / H   V vocabulary
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """The sizes of a decoder.

    Raises:
        ValueError: heads that do not divide the width.
    """

    vocab_size: int
    max_len: int
    d_model: int = 32
    layers: int = 2
    heads: int = 2

    def __post_init__(self):
        if self.heads < 1 or self.d_model % self.heads:
            raise ValueError(f"heads={self.heads}: must divide d_model={self.d_model}; try 1")


class KVCache:
    """Keys and values of the tokens so far: (layers, B, H, max_len, D), twice."""

    def __init__(self, config: Config, batch: int):
        shape = (config.layers, batch, config.heads, config.max_len, config.d_model // config.heads)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.length = 0

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write the new tokens' keys and values of a layer; returns all of that layer."""
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Block(nn.Module):
    """Attention and a feed-forward layer, each after its LayerNorm and added to the residual stream."""

    def __init__(self, config: Config):
        super().__init__()
        C = config.d_model
        self.heads = config.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.qkv_proj, self.o_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.fc, self.proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

    def forward(self, x: Tensor, cache: KVCache | None = None, layer: int = 0) -> Tensor:
        B, T, C = x.shape
        qkv = self.qkv_proj(self.ln_1(x)).view(B, T, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 B H T D
        if cache is not None:
            k, v = cache.update(layer, k, v)
        mask = torch.ones(T, k.shape[2], dtype=torch.bool).tril(k.shape[2] - T)
        attn_out = F.scaled_dot_product_attention(q, k, v, mask)  # B H T D
        x = x + self.o_proj(attn_out.transpose(1, 2).reshape(B, T, C))
        return x + self.proj(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class Decoder(nn.Module):
    """Tokens to the logits of the next token."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.wpe = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.d_model)
        initialise(self, seed)

    def hidden(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T C"]:
        """The last hidden state of each token. With a cache, the tokens follow those that it holds.

        Raises:
            ValueError: more tokens than there are positions.
        """
        start, T = (cache.length if cache is not None else 0), tokens.shape[1]
        if start + T > self.config.max_len:
            raise ValueError(f"tokens={start + T}: the model has {self.config.max_len} positions; shorten the text")
        x = self.wte(tokens) + self.wpe.weight[start : start + T]
        for layer, block in enumerate(self.blocks):
            x = block(x, cache, layer)
        if cache is not None:
            cache.length += T
        return self.ln_f(x)

    def forward(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T V"]:
        return self.hidden(tokens, cache) @ self.wte.weight.T

    def new_cache(self, batch: int) -> KVCache:
        return KVCache(self.config, batch)


class ScalarModel(nn.Module):
    """The same trunk with one number a token: a reward model reads the last one, a value model all of them.

    InstructGPT starts both from a trained policy: `ScalarModel.from_policy`. The head starts at zero.
    """

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.trunk = Decoder(config, seed)
        self.head = nn.Linear(config.d_model, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def from_policy(cls, policy: Decoder) -> "ScalarModel":
        """A model whose trunk starts as a copy of the policy's."""
        made = cls(policy.config)
        made.trunk.load_state_dict(policy.state_dict())
        return made

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        return self.head(self.trunk.hidden(tokens))[..., 0]


def initialise(model: nn.Module, seed: int) -> None:
    """Small normal weights from the seed, biases zero; LayerNorm stays as it is."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.05, generator=generator)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
