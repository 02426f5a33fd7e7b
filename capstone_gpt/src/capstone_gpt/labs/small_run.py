"""What most labs train: a GPT of GPT-2's shape, two thin layers, on the English that ships with Python.

Dimensions:
    N  windows      T  tokens of a window
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pydoc_data.topics import topics

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from ..data import CharTokenizer, Sampler, windows
from ..model import GPT, GPTConfig, ModernConfig, ModernGPT
from ..training import evaluate

SEQ_LEN = 32
VALID_WINDOWS = 256
BATCH = 16


@dataclass(frozen=True)
class Text:
    """Characters as tokens: windows of training and validation, and the tokenizer that made them."""

    tokenizer: CharTokenizer
    x: Int[Tensor, "N T"]
    y: Int[Tensor, "N T"]
    valid_x: Int[Tensor, "M T"]
    valid_y: Int[Tensor, "M T"]

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size


@lru_cache(4)
def offline_text(characters: int = 200_000, seq_len: int = SEQ_LEN) -> Text:
    """`characters` of Python's own topics, in one shuffled order; at most VALID_WINDOWS windows of validation."""
    names = sorted(topics)
    random.Random(0).shuffle(names)  # so that the end of the text, the validation, is like its beginning
    text = "\n".join(topics[name] for name in names)[:characters]
    tokenizer = CharTokenizer(text)
    tokens = torch.tensor(tokenizer.encode(text))
    x, y = windows(tokens, seq_len)
    valid_x, valid_y = windows(tokens, seq_len, "valid")
    return Text(tokenizer, x, y, valid_x[:VALID_WINDOWS], valid_y[:VALID_WINDOWS])


def small_gpt(seed: int, n_embd: int = 48, n_layer: int = 2, n_head: int = 4, vocab_size: int | None = None) -> GPT:
    """A model for `offline_text`, with the weights of this seed."""
    torch.manual_seed(seed)
    vocab_size = vocab_size or offline_text().vocab_size
    return GPT(GPTConfig(vocab_size, SEQ_LEN, n_layer, n_head, n_embd))


def small_modern(seed: int, n_embd: int = 48, n_layer: int = 2, n_head: int = 4) -> ModernGPT:
    """The same sizes as a modern decoder. It learns faster, so it serves where runs are compared at their ends."""
    torch.manual_seed(seed)
    return ModernGPT(ModernConfig(offline_text().vocab_size, SEQ_LEN, n_layer, n_head, n_embd))


def batches(seed: int, batch_size: int = BATCH, text: Text | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless shuffled batches of the training windows: (inputs, targets)."""
    text = text or offline_text()
    for rows in Sampler(len(text.x), batch_size, seed):
        yield text.x[rows], text.y[rows]


def mean_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The mean loss of all next tokens, in nats."""
    return F.cross_entropy(model(x).flatten(0, 1).float(), y.flatten())


def token_sum(model: nn.Module, factor: float | int = 1.0) -> Callable[[Tensor, Tensor], Tensor]:
    """The sum of the losses of all next tokens, as `train_step` wants it, times `factor`."""
    return lambda x, y: factor * F.cross_entropy(model(x).flatten(0, 1).float(), y.flatten(), reduction="sum")


def valid_loss(model: nn.Module, text: Text | None = None) -> float | None:
    """The loss on the validation windows, in nats; None where it is not a number."""
    text = text or offline_text()
    return number(evaluate(model, text.valid_x, text.valid_y, 128))


def number(value: float | int) -> float | None:
    """The value, and None where it is infinite or not a number: JSON has neither."""
    return float(value) if math.isfinite(value) else None


def constant(step: int) -> float:
    """The share of the peak rate of a run without a schedule."""
    return 1.0


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    seed: int = 0,
    share: Callable[[int], float] = constant,
    max_norm: float | int = float("inf"),
    batch_size: int = BATCH,
) -> list[float | None]:
    """The training loss of each step, before its update; the last entry is None if the loss stopped being a number.

    Every group's rate is its own peak times `share(step)`. Gradients are clipped to `max_norm`, all together.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    losses, data = [], batches(seed, batch_size)
    for step in range(steps):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * share(step)
        loss = mean_loss(model, *next(data))
        losses.append(number(loss.item()))
        if losses[-1] is None:
            break
        optimizer.zero_grad()
        loss.backward()
        if max_norm < float("inf"):
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    return losses


def last(losses: list[float | None], count: int = 20) -> float | None:
    """The mean of the last losses of a run; None if it ended without a number."""
    tail = losses[-count:]
    return None if None in tail else sum(tail) / len(tail)
