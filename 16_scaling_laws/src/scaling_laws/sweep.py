"""The sweep: small models of several sizes, each trained on several amounts of data, each with a schedule of its own.

A run whose learning rate has not come down yet has a loss that is too high. So the cosine of a run ends where the run
ends (Hoffmann et al. 2022, section 3), and a run of twice the data is trained anew.

Dimensions:
    B   rows of a batch   T   tokens of a row   n   tokens of the text
"""

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Integer
from torch import Tensor, nn
from torch.nn import functional as F

from .count import Shape, approximate_flops, parameters, training_flops
from .model import Decoder

BASE_LR, BASE_WIDTH, WARMUP = 0.01, 32, 10
Batch = tuple[Tensor, Tensor]


def learning_rate(step: int, steps: int, d_model: int) -> float:
    """The rate of step 0, 1, ... steps - 1: linear warm-up over WARMUP steps, times a cosine from 1 down to 0.1.

    The peak is BASE_LR at width BASE_WIDTH, and BASE_LR * BASE_WIDTH / d_model at others (Yang et al. 2022). The cosine
    reaches 0.1 at `steps`.
    """
    peak = BASE_LR * BASE_WIDTH / d_model
    cosine = 0.55 + 0.45 * math.cos(math.pi * step / steps)
    return peak * min(1.0, (step + 1) / WARMUP) * cosine


def train_run(model: nn.Module, batches: Sequence[Batch], validation: Batch, d_model: int) -> float:
    """Train on each batch once, with Adam at its defaults and `learning_rate`; the validation loss at the end."""
    optimizer = torch.optim.Adam(model.parameters())
    for step, (x, y) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, len(batches), d_model)
        optimizer.zero_grad()
        next_token_loss(model, x, y).backward()
        optimizer.step()
    with torch.no_grad():
        return next_token_loss(model, *validation).item()


def next_token_loss(model: nn.Module, x: Integer[Tensor, "B T"], y: Integer[Tensor, "B T"]) -> Tensor:
    """Mean cross-entropy in nats a token."""
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


# ---------------------------------------------------------------- the grid


class Run(NamedTuple):
    """One run of the sweep."""

    layers: int
    d_model: int
    tokens: int
    seed: int

    def shape(self, vocab_size: int = 256, context: int = 32) -> Shape:
        """The run's decoder: feed-forward four times as wide."""
        return Shape(self.layers, self.d_model, 4 * self.d_model, vocab_size, context)


def batches_of(text: Integer[Tensor, " n"], tokens: int, context: int, rows: int, seed: int) -> list[Batch]:
    """Windows that cover the first tokens of a text once, in random order, as (x, y) batches.

    Raises:
        ValueError: the text is too short.
    """
    count = tokens // context
    if count * context + 1 > len(text):
        raise ValueError(f"tokens={tokens}: the text has {len(text)}, and no token may be seen twice; take fewer")
    x = text[: count * context].view(count, context)
    y = text[1 : count * context + 1].view(count, context)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return [(x[part].long(), y[part].long()) for part in order.split(rows)]


def sweep(
    runs: Iterable[Run],
    text: Integer[Tensor, " n"],
    validation: Batch,
    rows: int = 8,
    done: Path | None = None,
    log: Callable[[str], None] = lambda line: None,
    train: Callable[..., float] = train_run,
) -> list[dict]:
    """Train each run; N, D, C and validation loss of each. With `done`, finished runs are kept there and not redone.

    Raises:
        ValueError: the file `done` is damaged.
    """
    kept, points = read_done(done), []
    context = validation[0].shape[1]
    for run in runs:
        shape, key = run.shape(context=context), str(tuple(run))
        if key not in kept:
            log(f"{run.layers} layers of {run.d_model}, {run.tokens:,} tokens, seed {run.seed}")
            batches = batches_of(text, run.tokens, context, rows, run.seed)
            kept[key] = train(Decoder(shape, run.seed), batches, validation, run.d_model)
            write_done(done, kept)
        n = parameters(shape)
        sizes = {"N": n, "N with embeddings": parameters(shape, True), "D": run.tokens}
        flops = {"C": approximate_flops(n, run.tokens), "FLOPs": training_flops(shape, run.tokens)}
        points.append({**run._asdict(), **sizes, **flops, "loss": kept[key]})
    return points


def read_done(path: Path | None) -> dict[str, float]:
    """The finished runs; none where there is no file."""
    if path is None or not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): float(loss) for key, loss in kept.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"done={path}: this is no record of finished runs ({error}); delete it") from None


def write_done(path: Path | None, kept: dict[str, float]) -> None:
    """Write the record as a whole or not at all."""
    if path is None:
        return
    tmp = path.with_suffix(".tmp")
    tmp.write_text(json.dumps(kept), encoding="utf-8")
    os.replace(tmp, path)
