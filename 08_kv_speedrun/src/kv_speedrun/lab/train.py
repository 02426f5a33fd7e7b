"""A small model trained for seconds on bytes of text. What it writes is not noise, so its loss means something.

Dimensions: B batch, T tokens of a window, N bytes of text.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ..attention_fast import attend_fast
from ..cache import KVCache
from ..config import Config
from ..model import GPT
from .fetch import load_text

SHORT, LONG = 64, 128


def load_bytes(name: str = "pydoc") -> UInt8[Tensor, "N"]:
    """The UTF-8 bytes of a text: one of `fetch.TEXTS`, or the path of a text file."""
    return torch.frombuffer(bytearray(load_text(name).encode()), dtype=torch.uint8)


def split(text: UInt8[Tensor, "N"], held_out: float = 0.1) -> tuple[UInt8[Tensor, "A"], UInt8[Tensor, "Z"]]:
    """The beginning for training and the end for testing. Windows of the two never overlap."""
    cut = int(len(text) * (1 - held_out))
    return text[:cut], text[cut:]


def windows(text: UInt8[Tensor, "N"], count: int, length: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """`count` random stretches of `length` bytes.

    Raises:
        ValueError: the text is shorter than one window.
    """
    if len(text) < length:
        raise ValueError(f"length={length}: the text has only {len(text)} bytes; give more text")
    starts = torch.randint(len(text) - length + 1, (count,), generator=generator)
    return text.unfold(0, length, 1)[starts].long()


def train(
    text: UInt8[Tensor, "N"],
    config: Config,
    steps: int,
    seed: int = 0,
    lr: float = 2.5e-3,
    log: Callable[[str], None] = print,
) -> GPT:
    """AdamW with a short warm-up and a cosine to zero. Positions from LONG on stay untrained.

    Short and long windows alternate. On a budget of seconds, many short beginnings teach more than a few long texts,
    but a learned position that was never shown is noise.

    Raises:
        ValueError: the text is too short, or the loss diverged.
    """
    model = GPT(config, attend_fast, seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * schedule(step, steps)
        batch, window = (16, SHORT) if step % 2 else (8, LONG)
        loss = next_byte_loss(model, windows(text, batch, window + 1, generator)).mean()
        if not torch.isfinite(loss):
            raise ValueError(f"lr={lr}: the loss is {loss.item()} at step {step + 1}; train with a smaller lr")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        log(f"training: step {step + 1} of {steps}, loss {loss.item():.2f} nats per byte")
    return model.eval()


def schedule(step: int, steps: int, warmup: int = 20) -> float:
    """The fraction of the learning rate: linear warm-up, then a cosine to zero."""
    return min((step + 1) / min(warmup, steps), (1 + math.cos(math.pi * step / steps)) / 2)


def next_byte_loss(model: GPT, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B"]:
    """Cross-entropy of each row in nats per byte; through a cache when one is given."""
    logits = model(tokens[:, :-1], cache)
    return F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none").mean(dim=1)
