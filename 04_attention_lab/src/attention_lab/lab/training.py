"""Character language models on a text: batches, training, validation loss."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Corpus(NamedTuple):
    """A text as ids: nine tenths to train on, the last tenth to validate."""

    characters: list[str]
    train: Tensor
    valid: Tensor


def corpus(text: str) -> Corpus:
    """Raises ValueError if the text is too short to be cut."""
    if len(text) < 2000:
        raise ValueError(f"text: {len(text)} characters; at least 2000 are needed")
    characters = sorted(set(text))
    index = {c: i for i, c in enumerate(characters)}
    ids = torch.tensor([index[c] for c in text])
    cut = len(ids) * 9 // 10
    return Corpus(characters, ids[:cut], ids[cut:])


def windows(ids: Tensor, starts: Tensor, seq_len: int) -> Tensor:
    """(B, seq_len + 1): inputs and, one further, targets."""
    return ids[starts[:, None] + torch.arange(seq_len + 1)]


def loss_of(model: Callable[[Tensor], Tensor], tokens: Tensor) -> Tensor:
    """Mean next-token loss in nats."""
    return F.cross_entropy(model(tokens[:, :-1]).transpose(1, 2), tokens[:, 1:])


def validation(corpus: Corpus, seq_len: int, rows: int = 64) -> Tensor:
    """The same windows for every model, evenly spaced."""
    last = len(corpus.valid) - seq_len - 1
    return windows(corpus.valid, torch.arange(rows) * last // rows, seq_len)


class Trained(NamedTuple):
    """What training showed beside the model itself."""

    gradient_norms: list[float]  # before clipping
    seconds: float  # of CPU


def train(model: nn.Module, corpus: Corpus, seq_len: int, steps: int, lr: float, seed: int, batch: int = 16) -> Trained:
    """AdamW with a one-cycle schedule; gradients are clipped at norm 1."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    norms, start = [], time.process_time()
    for _ in range(steps):
        starts = torch.randint(len(corpus.train) - seq_len, (batch,), generator=generator)
        loss = loss_of(model, windows(corpus.train, starts, seq_len))
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        optimizer.step()
        schedule.step()
    return Trained(norms, time.process_time() - start)
