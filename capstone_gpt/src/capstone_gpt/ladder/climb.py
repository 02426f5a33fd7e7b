"""All rungs on the same names at equal budgets of CPU seconds: counts, MLP, BatchNorm, WaveNet, GPT."""

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..model.gpt import GPT, GPTConfig
from ..optim.adamw import AdamW
from .mlp import MLPModel
from .names import IGNORE, Names
from .ngram_fast import FastKneserNey
from .wavenet import WaveNetModel

CONTEXT, LENGTH = 8, 16


def rungs(vocab_size: int) -> dict[str, tuple[Callable[[], nn.Module], str, float, int]]:
    """{name: (how it is made, kind of examples, learning rate, batch size)}, from the bottom up."""
    return {
        "MLP": (lambda: MLPModel(vocab_size, CONTEXT), "contexts", 5e-3, 256),
        "MLP, 3 layers, BatchNorm": (
            lambda: MLPModel(vocab_size, CONTEXT, hidden=128, depth=3, batch_norm=True), "contexts", 5e-3, 256),
        "WaveNet": (lambda: WaveNetModel(vocab_size, CONTEXT), "contexts", 5e-3, 256),
        "GPT": (lambda: GPT(GPTConfig(vocab_size, LENGTH, 3, 4, 64)), "sequences", 3e-3, 64),
    }  # fmt: skip


def climb(names: Names, rung: str, seconds: float | int, seed: int) -> tuple[float, int]:
    """(validation loss, parameters) of one rung after so many CPU seconds of training.

    The rate falls with the budget that is used up, so every budget is a run of its own.
    """
    make, kind, lr, batch = rungs(names.vocab_size)[rung]
    torch.manual_seed(seed)
    model = make()
    size = CONTEXT if kind == "contexts" else LENGTH
    (x, y), (vx, vy) = (getattr(names, kind)(split, size) for split in ("train", "valid"))
    optimizer, used, step = AdamW(model.parameters(), lr, betas=(0.9, 0.99), weight_decay=0.01), 0.0, 0
    while used < seconds:
        start = time.process_time()
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 50) * max(0.02, 1 - used / seconds)
        chosen = torch.randint(len(x), (batch,))
        loss = F.cross_entropy(model(x[chosen]).flatten(0, -2), y[chosen].flatten(), ignore_index=IGNORE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        used += time.process_time() - start
    model.eval()
    with torch.no_grad():
        valid = F.cross_entropy(model(vx).flatten(0, -2), vy.flatten(), ignore_index=IGNORE).item()
    return valid, sum(p.numel() for p in model.parameters())


def counted(names: Names, order: int) -> tuple[float, int, float]:
    """(validation loss, numbers in its tables, CPU seconds) of n-gram counts on names.

    Every name stands behind `order` - 1 ends, as the contexts of the other rungs do.
    """
    ends = [0] * max(1, order - 1)
    start = time.process_time()
    stream = []
    for name in names.splits["train"]:
        stream += ends + [names.number[c] for c in name]
    table = FastKneserNey(np.array(stream + ends), order, names.vocab_size)
    seconds = time.process_time() - start
    x, y = (t.numpy() for t in names.contexts("valid", max(order - 1, 1)))
    p = table.probabilities(x, np.concatenate([x[:, 1:], y[:, None]], axis=1))[:, -1]
    return float(-np.log(p).mean()), sum(2 * len(level[0]) for level in table.levels), seconds


def crossings(budgets: list, below: list, above: list) -> list[tuple[float, float]]:
    """Where the second curve comes under the first: (seconds, loss), on straight lines over the logarithm of time."""
    found, logs = [], np.log(budgets)
    for i in range(len(budgets) - 1):
        a, b = below[i] - above[i], below[i + 1] - above[i + 1]
        if a < 0 <= b:
            share = a / (a - b)
            found.append(
                (float(np.exp(logs[i] + share * (logs[i + 1] - logs[i]))), below[i] + share * (below[i + 1] - below[i]))
            )
    return found
