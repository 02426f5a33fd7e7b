"""The loop: batches of examples, loss on the answers, AdamW.

Dimensions:
    B rows   T tokens of the longest row
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from .labels import IGNORE, answer_loss
from .packing import packed_layout
from .packing_fast import pack_best_fit_fast

Log = Callable[[str], None]


class Example(NamedTuple):
    """One tokenized conversation. `labels` are ids, or IGNORE where nothing is learnt."""

    input_ids: Int[Tensor, "T"]
    labels: Int[Tensor, "T"]


class Batch(NamedTuple):
    """What the model and the loss are given."""

    input_ids: Int[Tensor, "B T"]
    labels: Int[Tensor, "B T"]
    position_ids: Int[Tensor, "B T"] | None = None
    attention_mask: Bool[Tensor, "B T T"] | None = None


def pad_batch(examples: Sequence[Example], pad_id: int = 0) -> Batch:
    """Rows as long as the longest example. Padding comes last, so the causal mask hides it; its labels are IGNORE."""
    ids, labels = ([e[i] for e in examples] for i in (0, 1))
    pad = torch.nn.utils.rnn.pad_sequence
    return Batch(pad(ids, batch_first=True, padding_value=pad_id), pad(labels, batch_first=True, padding_value=IGNORE))


def pack_batch(examples: Sequence[Example], rows: Sequence[Sequence[int]], capacity: int, pad_id: int = 0) -> Batch:
    """Rows of several examples each. The first label of an example is IGNORE: nothing before it may predict it."""
    parts = [[], [], [], []]
    for row in rows:
        chosen = [examples[i] for i in row]
        lengths = [len(e.input_ids) for e in chosen]
        ids, labels = torch.full((capacity,), pad_id), torch.full((capacity,), IGNORE)
        ids[: sum(lengths)] = torch.cat([e.input_ids for e in chosen])
        labels[: sum(lengths)] = torch.cat([torch.cat([e.labels[:1] * 0 + IGNORE, e.labels[1:]]) for e in chosen])
        for part, value in zip(parts, (ids, labels, *packed_layout(lengths, capacity)), strict=True):
            part.append(value)
    return Batch(*map(torch.stack, parts))


def batch_loss(model: nn.Module, batch: Batch, count: int | None = None) -> Tensor:
    """Mean loss of the scored tokens."""
    return answer_loss(model(batch.input_ids, batch.position_ids, batch.attention_mask), batch.labels, count)


def shuffled_batches(examples: Sequence[Example], size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Padded batches without end, in a new order each epoch; an epoch's incomplete last batch is left out."""
    while True:
        order = torch.randperm(len(examples), generator=generator).tolist()
        for start in range(0, max(len(order) - size, 0) + 1, size):
            yield pad_batch([examples[i] for i in order[start : start + size]])


def packed_batches(
    examples: Sequence[Example], capacity: int, size: int, generator: torch.Generator
) -> Iterator[Batch]:
    """The same, packed. Which examples share a row is decided once; the rows are shuffled."""
    rows = pack_best_fit_fast([len(e.input_ids) for e in examples], capacity)
    while True:
        order = torch.randperm(len(rows), generator=generator).tolist()
        for start in range(0, max(len(order) - size, 0) + 1, size):
            yield pack_batch(examples, [rows[i] for i in order[start : start + size]], capacity)


def schedule(step: int, steps: int, warmup: int = 10) -> float:
    """The fraction of the learning rate: linear warm-up, then a cosine to zero."""
    return min((step + 1) / min(warmup, steps), (1 + math.cos(math.pi * step / steps)) / 2)


def finetune(
    model: nn.Module,
    batches: Iterator[Batch],
    steps: int,
    lr: int | float,
    accumulate: int = 1,
    weight_decay: int | float = 0.0,
    log: Log = lambda line: None,
) -> list[float]:
    """Train the parameters that require a gradient; returns the loss of each step.

    With `accumulate`, a step adds the gradients of so many batches, each token of all of them weighing the same.

    Raises:
        ValueError: nothing to train, or the loss is not a number any more.
    """
    chosen = [p for p in model.parameters() if p.requires_grad]
    if not chosen:
        raise ValueError("model: no parameter requires a gradient; add adapters, or unfreeze it")
    optimizer = torch.optim.AdamW(chosen, lr=lr, betas=(0.9, 0.95), weight_decay=weight_decay)
    losses = []
    model.train()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * schedule(step, steps)
        losses.append(accumulated_step(model, [next(batches) for _ in range(accumulate)]))
        if not math.isfinite(losses[-1]):
            raise ValueError(f"lr={lr}: the loss is {losses[-1]} at step {step + 1}; train with a smaller lr")
        nn.utils.clip_grad_norm_(chosen, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        log(f"step {step + 1} of {steps}, loss {losses[-1]:.2f}")
    model.eval()
    return losses


def accumulated_step(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Gradients of the mean over all scored tokens of the batches together; returns that mean."""
    count = sum(int((b.labels[:, 1:] != IGNORE).sum()) for b in batches)
    total = 0.0
    for batch in batches:
        loss = batch_loss(model, batch, count)
        loss.backward()
        total += loss.item()
    return total
