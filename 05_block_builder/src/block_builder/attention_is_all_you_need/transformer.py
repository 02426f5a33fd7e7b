"""The 2017 Transformer: Post-LN, ReLU, sinusoids, one shared table scaled by sqrt(d_model), dropout on sums.

Dimensions:
    B   sequences in a batch
    T   positions of the target, S of the source
    C   d_model
    V   the shared vocabulary
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..config import Config
from ..encoder_decoder import DecoderBlock, EncoderBlock

BASE = Config(37_000, 1024, layers=6, heads=8, width=512, dropout=0.1, norm_first=False, activation="relu")
BIG = Config(37_000, 1024, layers=6, heads=16, width=1024, dropout=0.3, norm_first=False, activation="relu")


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos of the same (section 3.5)."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    frequency = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    table = torch.zeros(length, width, dtype=torch.float64)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency[: width // 2])
    return table.float()


class Transformer(nn.Module):
    """Figure 1 and section 3 of the paper.

    Raises:
        ValueError: the configuration is Pre-LN or has another activation than ReLU.
    """

    def __init__(self, config: Config = BASE):
        super().__init__()
        if config.norm_first or config.activation != "relu":
            raise ValueError(
                f"config={config}: the paper has Post-LN and ReLU; set norm_first=False, activation='relu'"
            )
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        nn.init.normal_(self.wte.weight, std=config.width**-0.5)  # times sqrt(d_model): unit variance
        self.register_buffer("positions", sinusoids(config.context_length, config.width), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))

    def embed(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T C"]:
        """Sections 3.4, 3.5 and 5.4: table times sqrt(d_model), plus positions, then dropout."""
        x = self.wte(tokens) * math.sqrt(self.config.width)
        return self.dropout(x + self.positions[: tokens.shape[1]].to(x.dtype))

    def encode(
        self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"] | None = None
    ) -> Float[Tensor, "B S C"]:
        memory = self.embed(source)
        for block in self.encoder:
            memory = block(memory, source_mask)
        return memory

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S C"],
        memory_mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        x = self.embed(target)
        for block in self.decoder:
            x = block(x, memory, memory_mask)
        return x @ self.wte.weight.T

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        return self.decode(target, self.encode(source, source_mask), source_mask)
