"""WaveNet as a language model: a tower of dilated causal convolutions (van den Oord et al. 2016).

With kernel 2 and dilations 1, 2, 4, …, 2^(n-1), n layers see 2^n tokens. n windows of 2 see n + 1. Generation keeps
one rolling buffer a layer, as long as its dilation reaches: the rolling cache of this chapter, ten years before it
(fast generation, Paine et al. 2016).

Dimensions:
    B   sequences        T   positions        C   channels        K   kernel size
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .causal_conv import causal_conv1d
from .conv_stack import Conv, conv_receptive_field


@dataclass(frozen=True)
class WaveNetConfig:
    """Sizes; the dilations say how many layers there are."""

    vocab_size: int
    channels: int = 64
    kernel: int = 2
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32)

    @property
    def receptive_field(self) -> int:
        return conv_receptive_field([Conv(self.kernel, dilation=d) for d in self.dilations])[0]


@dataclass
class WaveNetState:
    """For each layer, the last inputs that its next output needs: (B, C, (K - 1)·dilation), zeros at first."""

    buffers: list[Tensor]


class Layer(nn.Module):
    """tanh(filter) · sigmoid(gate), then a residual and a skip connection."""

    def __init__(self, config: WaveNetConfig, dilation: int) -> None:
        super().__init__()
        C, self.dilation = config.channels, dilation
        self.filter_and_gate = nn.Parameter(torch.randn(2 * C, C, config.kernel) / (C * config.kernel) ** 0.5)
        self.out = nn.Conv1d(C, 2 * C, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.combine(x, causal_conv1d(x, self.filter_and_gate, self.dilation))

    def step(self, x: Tensor, buffer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One position (B, C, 1), with the inputs before it; returns (x, skip, the next buffer)."""
        seen = torch.cat((buffer, x), dim=2)
        mixed = causal_conv1d(seen[:, :, :: self.dilation], self.filter_and_gate)[:, :, -1:]
        return *self.combine(x, mixed), seen[:, :, 1:]

    def combine(self, x: Tensor, mixed: Tensor) -> tuple[Tensor, Tensor]:
        filtered, gate = mixed.chunk(2, dim=1)
        residual, skip = self.out(filtered.tanh() * gate.sigmoid()).chunk(2, dim=1)
        return x + residual, skip


class WaveNet(nn.Module):
    """Token ids (B, T) -> logits (B, T, V) of the next token."""

    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.channels)
        self.layers = nn.ModuleList(Layer(config, d) for d in config.dilations)
        self.hidden = nn.Linear(config.channels, config.channels)
        self.head = nn.Linear(config.channels, config.vocab_size)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x = self.wte(tokens).transpose(1, 2)  # B C T
        skips = []
        for layer in self.layers:
            x, skip = layer(x)
            skips.append(skip)
        return self.logits(skips)

    def start(self, batch_size: int = 1) -> WaveNetState:
        """The state before the first token."""
        c = self.config
        return WaveNetState([torch.zeros(batch_size, c.channels, (c.kernel - 1) * d) for d in c.dilations])

    def step(self, tokens: Int[Tensor, "B 1"], state: WaveNetState) -> Float[Tensor, "B 1 V"]:
        """The logits after one more token. The state changes, and its size does not."""
        x = self.wte(tokens).transpose(1, 2)  # B C 1
        skips = []
        for i, layer in enumerate(self.layers):
            x, skip, state.buffers[i] = layer.step(x, state.buffers[i])
            skips.append(skip)
        return self.logits(skips)

    def logits(self, skips: list[Tensor]) -> Tensor:
        total = torch.stack(skips).sum(dim=0).transpose(1, 2)  # B T C
        return self.head(F.relu(self.hidden(F.relu(total))))
