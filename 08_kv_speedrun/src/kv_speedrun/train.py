"""A small model trained for seconds on bytes of text, so that what it writes is not noise and its loss means something.

Dimensions: B batch, T tokens of a window.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Int, UInt8
from torch import Tensor

from .attention import attend_fast
from .model import GPT, Config

SHORT, LONG = 64, 128


def split(text: UInt8[Tensor, "N"], held_out: float = 0.1) -> tuple[UInt8[Tensor, "A"], UInt8[Tensor, "Z"]]:
    """The beginning to train on, the end to test on: windows of the two never overlap."""
    cut = int(len(text) * (1 - held_out))
    return text[:cut], text[cut:]


def windows(text: UInt8[Tensor, "N"], count: int, length: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """`count` random stretches of `length` bytes. Raises ValueError when the text is shorter than one."""
    if len(text) < length:
        raise ValueError(f"length={length}: the text has only {len(text)} bytes")
    starts = torch.randint(len(text) - length + 1, (count,), generator=generator)
    return text.unfold(0, length, 1)[starts].long()


def train(
    text: UInt8[Tensor, "N"],
    config: Config,
    steps: int,
    seed: int = 0,
    rate: float = 2.5e-3,
    say: Callable[[str], None] = print,
) -> GPT:
    """AdamW with a short warm-up and a cosine to zero; positions from LONG on stay untrained.

    Short and long windows alternate: on a budget of seconds, many short beginnings teach more than a few long texts,
    but a learned position that was never shown is noise.
    """
    model = GPT(config, attend_fast, seed)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1)
    warm = min(20, steps)
    for step in range(steps):
        fraction = min((step + 1) / warm, (1 + math.cos(math.pi * step / steps)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = rate * fraction
        batch, window = (16, SHORT) if step % 2 else (8, LONG)
        loss = next_byte_loss(model, windows(text, batch, window + 1, generator)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        say(f"training: step {step + 1} of {steps}, loss {loss.item():.2f} nats per byte")
    return model.eval()


def next_byte_loss(model, tokens: Int[Tensor, "B T"], cache=None):
    """Cross-entropy of each row, nats per byte; through a cache when one is given."""
    logits = model(tokens[:, :-1], cache)
    return F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none").mean(dim=1)
