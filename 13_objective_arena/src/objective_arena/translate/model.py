"""An encoder-decoder (Vaswani et al. 2017): the decoder looks at what it wrote, and at the whole source.

Pre-norm, learned positions, one embedding for both languages, head tied to it.

Dimensions:
    B pairs, S source tokens, T target tokens, D width, V tokens of the vocabulary
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class TranslatorConfig:
    """Sizes, and the ids of padding, start and end."""

    vocab_size: int
    d_model: int = 64
    layers: int = 2
    heads: int = 4
    max_len: int = 32
    pad_id: int = 0
    bos_id: int = 1
    eos_id: int = 2


def shift_right(labels: Int[Tensor, "B T"], start_id: int, pad_id: int) -> Int[Tensor, "B T"]:
    """Teacher forcing: the decoder reads the start token and then the right tokens, each one place late.

    Labels of -100 become padding, as in T5.
    """
    inputs = labels.roll(1, 1)
    inputs[:, 0] = start_id
    return inputs.masked_fill(inputs == -100, pad_id)


class Attention(nn.Module):
    """Queries from x; keys and values from x too, or from another sequence (cross-attention)."""

    def __init__(self, D: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(D, D) for _ in range(4))

    def forward(
        self, x: Float[Tensor, "B T D"], memory: Float[Tensor, "B S D"], mask: Bool[Tensor, "..."]
    ) -> Float[Tensor, "B T D"]:
        def split(y: Tensor) -> Tensor:
            return y.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q, k, v = split(self.q_proj(x)), split(self.k_proj(memory)), split(self.v_proj(memory))
        return self.o_proj(F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Self-attention, in a decoder cross-attention, and a feed-forward layer."""

    def __init__(self, config: TranslatorConfig, decoder: bool):
        super().__init__()
        D = config.d_model
        self.self_attention = Attention(D, config.heads)
        self.cross_attention = Attention(D, config.heads) if decoder else None
        self.feed_forward = nn.Sequential(nn.Linear(D, 4 * D), nn.GELU(), nn.Linear(4 * D, D))
        self.norms = nn.ModuleList(nn.LayerNorm(D) for _ in range(3))

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "..."],
        memory: Float[Tensor, "B S D"] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "B T D"]:
        y = self.norms[0](x)
        x = x + self.self_attention(y, y, mask)
        if self.cross_attention is not None:
            x = x + self.cross_attention(self.norms[1](x), memory, memory_mask)
        return x + self.feed_forward(self.norms[2](x))


class Translator(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: TranslatorConfig, seed: int = 0):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.wte = nn.Embedding(config.vocab_size, config.d_model)
            self.wpe = nn.Embedding(config.max_len, config.d_model)
            self.encoder = nn.ModuleList(Layer(config, False) for _ in range(config.layers))
            self.decoder = nn.ModuleList(Layer(config, True) for _ in range(config.layers))
            self.encoder_norm, self.decoder_norm = nn.LayerNorm(config.d_model), nn.LayerNorm(config.d_model)
            for table in (self.wte, self.wpe):
                nn.init.normal_(table.weight, std=0.1)

    def embed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return self.wte(ids) + self.wpe.weight[: ids.shape[1]]

    def encode(self, source: Int[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
        """The source, read in both directions."""
        mask, x = self.source_mask(source), self.embed(source)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x)

    def source_mask(self, source: Int[Tensor, "B S"]) -> Bool[Tensor, "B 1 1 S"]:
        return (source != self.config.pad_id)[:, None, None]

    def decode(
        self, inputs: Int[Tensor, "B T"], memory: Float[Tensor, "B S D"], source: Int[Tensor, "B S"]
    ) -> Float[Tensor, "B T V"]:
        """Scores of the next target token after each of the decoder's inputs."""
        T, x = inputs.shape[1], self.embed(inputs)
        causal = torch.ones(T, T, dtype=torch.bool).tril()
        for layer in self.decoder:
            x = layer(x, causal, memory, self.source_mask(source))
        return self.decoder_norm(x) @ self.wte.weight.T

    def forward(self, source: Int[Tensor, "B S"], labels: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Teacher forcing: scores of every target token, given the right ones before it."""
        inputs = shift_right(labels, self.config.bos_id, self.config.pad_id)
        return self.decode(inputs, self.encode(source), source)
