"""The arena: five objectives, the same text, network, number of steps and tokens a step, so the same compute.

Each objective is a function from windows of text to (inputs, labels, attention mask). Only the labels that count
differ in number: all positions for a causal model, about 15 % for a masked one.

Dimensions:
    B texts, T tokens, N tokens of the training text, S special tokens, V tokens of the vocabulary
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from .attention_masks import bidirectional_attention_mask
from .causal import causal_attention_mask, shift_labels
from .masked import mask_tokens
from .model import Config, Transformer
from .prefix import prefix_attention_mask, prefix_labels
from .spans import corrupted_lengths, fill_in_the_middle
from .spans_fast import corrupt_batch, draw_uniforms

SPANS = 16  # sentinels


@dataclass(frozen=True)
class SpecialTokens:
    """The special tokens' ids, behind those of the text."""

    first: int

    @property
    def mask(self) -> int:
        return self.first

    @property
    def eos(self) -> int:
        return self.first + 1

    @property
    def marks(self) -> Int[Tensor, "4"]:
        """<PRE>, <SUF>, <MID>, <EOT>."""
        return torch.arange(self.first + 2, self.first + 6)

    @property
    def vocab_size(self) -> int:
        return self.first + 6 + SPANS

    @property
    def sentinel(self) -> int:
        """The first sentinel, which is the highest id."""
        return self.vocab_size - 1

    @property
    def ids(self) -> Int[Tensor, " S"]:
        return torch.arange(self.first, self.vocab_size)


@dataclass(frozen=True)
class Batch:
    """What a model is trained on in one step."""

    inputs: Int[Tensor, "B T"]
    labels: Int[Tensor, "B T"]  # -100 where no loss is taken
    attention_mask: Bool[Tensor, "..."]


def causal(windows: Int[Tensor, "B T"], special: SpecialTokens, generator: torch.Generator) -> Batch:
    """Write: every token predicts the next."""
    return Batch(windows, shift_labels(windows), causal_attention_mask(windows.shape[1]))


def masked(windows: Int[Tensor, "B T"], special: SpecialTokens, generator: torch.Generator) -> Batch:
    """Read: 15 % of the tokens are hidden, both sides are seen."""
    uniforms = torch.rand(3, *windows.shape, generator=generator)
    inputs, labels = mask_tokens(windows, special.ids, special.mask, special.vocab_size, uniforms)
    return Batch(inputs, labels, bidirectional_attention_mask(windows.shape[1]))


def prefix(windows: Int[Tensor, "B T"], special: SpecialTokens, generator: torch.Generator) -> Batch:
    """Both: the first part, of a random length, is read, and the rest is written."""
    B, T = windows.shape
    lengths = torch.randint(1, T, (B,), generator=generator)
    return Batch(windows, prefix_labels(windows, lengths), prefix_attention_mask(lengths, T))


def spans(windows: Int[Tensor, "B T"], special: SpecialTokens, generator: torch.Generator) -> Batch:
    """Span corruption in one stack: the corrupted text is read as a prefix, the hidden spans are written after it.

    T5's last span is the end of its text. Here it is the end of a first part of random length, and the rest stays
    visible: so a model of short texts learns to look to the right of a span.
    """
    B, T = windows.shape
    length = next(n for n in range(T, 0, -1) if sum(corrupted_lengths(n)) <= T)
    head = int(torch.randint(length // 3, length + 1, (1,), generator=generator))
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    made = corrupt_batch(windows[:, :head].numpy(), special.sentinel, special.eos, draw_uniforms(rng, B, head))
    read, written = (torch.from_numpy(part) for part in made)
    read = torch.cat([read[:, :-1], windows[:, head:length], read[:, -1:]], 1)
    lengths = torch.full((B,), read.shape[1])
    padded = F.pad(torch.cat([read, written], 1), (0, T - read.shape[1] - written.shape[1]), value=special.eos)
    labels = prefix_labels(padded, lengths)
    labels[:, read.shape[1] - 1] = -100  # the first sentinel needs no guess
    labels[:, read.shape[1] + written.shape[1] - 1 :] = -100  # the padding
    return Batch(padded, labels, prefix_attention_mask(lengths, T))


def middle(windows: Int[Tensor, "B T"], special: SpecialTokens, generator: torch.Generator) -> Batch:
    """Fill-in-the-middle: a causal model whose texts have their middle at the end."""
    rows, T = [], windows.shape[1]
    for row in windows[:, : T - 4]:
        start, end = torch.randint(0, T - 3, (2,), generator=generator).sort().values.tolist()
        rows.append(fill_in_the_middle(row, start, end, special.marks))
    inputs = torch.stack(rows)
    return Batch(inputs, shift_labels(inputs), causal_attention_mask(T))


Objective = Callable[[Int[Tensor, "B T"], SpecialTokens, torch.Generator], Batch]
OBJECTIVES: dict[str, Objective] = {
    "causal": causal,
    "prefix": prefix,
    "middle": middle,
    "spans": spans,
    "masked": masked,
}


def random_windows(text: Int[Tensor, " N"], B: int, T: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """B windows of T tokens from random places of a text."""
    starts = torch.randint(0, len(text) - T + 1, (B,), generator=generator)
    return text[starts[:, None] + torch.arange(T)]


def train(
    objective: Objective,
    text: Int[Tensor, " N"],
    special: SpecialTokens,
    config: Config,
    steps: int,
    B: int = 32,
    lr: float = 6e-3,
    seed: int = 0,
    label_smoothing: float = 0.0,
) -> tuple[Transformer, list[float]]:
    """A model trained with an objective, and its loss after each step. AdamW, linear warm-up and decay."""
    generator = torch.Generator().manual_seed(seed)
    model = Transformer(config, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr, (0.9, 0.98), weight_decay=0.01)
    warmup = max(1, steps // 10)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min((step + 1) / warmup, (steps - step) / (steps - warmup + 1))
        batch = objective(random_windows(text, B, config.max_len, generator), special, generator)
        logits = model(batch.inputs, batch.attention_mask)
        loss = F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), label_smoothing=label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses
