"""The headline: dense attention past its training length, a stream of 100,000 tokens, and a planted sink."""

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from ..model import Llama
from ..stream import stream_loss
from .backcopy import MODELS, planted_sink
from .cli import seeds_of
from .fetch import load_text
from .training import CONTEXT, as_bytes, byte_model, windows

LENGTH = 1024
WINDOW, SINKS = 60, 4
STREAM, PART = 100_000, 5_000
READERS = {"dense": None, "window": (WINDOW + SINKS, 0), "sinks and window": (WINDOW, SINKS)}
Log = Callable[[str], None]


def headline(options: argparse.Namespace, log: Log) -> dict:
    """Everything is checked to agree before it is timed."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    data = as_bytes(load_text(options.data))
    held_out = len(data) - max(STREAM + 1, len(data) // 5)
    training, unseen = data[:held_out], data[held_out:]
    steps, texts = (4, 1) if options.quick else (320, 6)
    content = {"seeds": seeds, "context": CONTEXT, "length": LENGTH, "window": WINDOW, "sinks": SINKS}
    content |= {"loss": {name: [] for name in READERS}, "planted": {}}
    first = None
    for seed in seeds:
        model = byte_model(training, seed, steps, lambda line, s=seed: log(f"seed {s}: {line}"))
        check(model, unseen)
        first = first or model
        pieces = windows(unseen, LENGTH + 1, texts, torch.Generator().manual_seed(seed))
        for name in READERS:
            content["loss"][name].append(by_distance(model, pieces, name))
        for kind in MODELS:
            found = planted_sink(kind, seed, 4 if options.quick else 400, log)
            content["planted"].setdefault(kind, []).append(found)
    content["edges"] = edges()
    content["stream"] = stream(first, unseen, 600 if options.quick else STREAM, 200 if options.quick else PART, log)
    return content


def reader(model: Llama, name: str):
    """A new cache of this kind, or None for dense attention."""
    return None if READERS[name] is None else model.new_cache(*READERS[name])


def check(model: Llama, data: Tensor) -> None:
    """The stream gives, token by token, the loss of the text read at once.

    Raises:
        ValueError: it does not.
    """
    tokens = data[None, :200]
    for name in list(READERS)[1:]:
        whole, single = (stream_loss(model, tokens, reader(model, name), chunk) for chunk in (200, 1))
        error = float((whole - single).abs().max())
        if error > 1e-3:
            raise ValueError(f"error={error}: '{name}' must not depend on how the text is cut")


def edges() -> list[int]:
    """Borders of the positions whose losses are averaged: doubling, and the trained length among them."""
    return [1, 32, 64, 128, 192, 256, 384, 512, 768, LENGTH]


def by_distance(model: Llama, pieces: Tensor, name: str) -> list[float]:
    """The mean loss between two edges, over all pieces."""
    losses = torch.stack([stream_loss(model, piece[None], reader(model, name)) for piece in pieces])  # n LENGTH
    marks = edges()
    return [float(losses[:, a:b].mean()) for a, b in zip(marks, marks[1:], strict=False)]


def stream(model: Llama, data: Tensor, length: int, part: int, log: Log) -> dict:
    """One token at a time through the same cache: loss, seconds, bytes."""
    cache = model.new_cache(WINDOW, SINKS)
    found = {"tokens": length, "part": part, "loss": [], "microseconds": [], "cache bytes": [], "peak MiB": []}
    for start in range(0, length, part):
        log(f"streaming: token {start:,} of {length:,}")
        tokens = data[None, start : start + part + 1]
        times = []
        losses = []
        for t in range(0, part, 100):
            begin = time.process_time()
            losses.append(stream_loss(model, tokens[:, t : t + 101], cache, chunk=1).mean())
            times.append(1e6 * (time.process_time() - begin) / 100)
        found["loss"].append(float(torch.stack(losses).mean()))
        found["microseconds"].append(median(times))
        found["cache bytes"].append(cache.nbytes)
        found["peak MiB"].append(peak_mib())
    return found


def peak_mib() -> float:
    """Peak resident memory of this process."""
    if sys.platform == "win32":
        return importlib.import_module("psutil").Process().memory_info().peak_wset / 2**20
    resource = importlib.import_module("resource")  # Windows has none
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
