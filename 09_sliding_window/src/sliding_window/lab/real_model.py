"""StreamingLLM's table on a real model, where its sinks are, and what they rest on. `--model smollm2`."""

import argparse
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..massive import pull_down, residual_peaks, sink_mass, value_norms
from ..model import Llama, Trace
from ..pretrained import read_checkpoint
from ..stream import stream_loss
from . import fetch

SLOTS, TRAINED = 256, 8192
LENGTH, SKIPPED = 1024, 300
LONG, PART = 16_384, 512
READERS = {  # window, sinks, positions of the cache
    "dense": None,
    "no sink": (SLOTS, 0, True),
    "1 sink": (SLOTS - 1, 1, True),
    "4 sinks": (SLOTS - 4, 4, True),
    "4 sinks, positions of the text": (SLOTS - 4, 4, False),
    "window 8, no sink": (8, 0, True),
    "window 8, 4 sinks": (8, 4, True),
}
LONG_READERS = ("dense", "no sink", "4 sinks", "4 sinks, positions of the text")
OTHER_SINKS = "\n\n\n\n"  # four line breaks in place of the text's first tokens, as in the paper
Log = Callable[[str], None]


def real(options: argparse.Namespace, log: Log) -> dict:
    """Losses of each reader up to 1,024 tokens and beyond the trained length; mass, activations and values by layer."""
    log("reading the model")
    model, tokens = read_checkpoint(fetch.model(options.model or "smollm2", log))
    text = fetch.load_text(options.data)
    start = len(text) // 2
    long = LONG if not options.quick else 128
    ids = torch.tensor([tokens.encode(text[start : start + 7 * long])])[:, : long + 1]
    length, skipped = (LENGTH, SKIPPED) if not options.quick else (64, 16)
    content = {"tokens": length, "skipped": skipped, "slots": SLOTS, "trained": TRAINED, "loss": {}, "long": {}}
    content["massive"] = massive(model, ids[:, : 256 if not options.quick else 32], log)
    for name in READERS:
        log(f"{length} tokens: {name}")
        losses = stream_loss(model, ids[:, :length], reader(model, name, length))
        content["loss"][name] = float(losses[skipped:].mean())
    log(f"{length} tokens: four line breaks as sinks")
    content["loss"]["4 line breaks as sinks"] = float(with_other_sinks(model, tokens, ids[:, :length])[skipped:].mean())
    for name in LONG_READERS:
        cache = reader(model, name, long)
        content["long"][name] = long_loss(
            model, ids, cache, PART if not options.quick else 32, partial(_line, log, name)
        )
    content["part"] = PART if not options.quick else 32
    return content


def _line(log: Log, name: str, at: int) -> None:
    log(f"the long text, {name}: token {at:,}")


def reader(model: Llama, name: str, length: int):
    """A new cache of this kind. Dense attention is a window as long as the text."""
    window, sinks, reassign = READERS[name] or (length, 0, False)
    return model.new_cache(window, sinks, reassign)


def long_loss(model: Llama, ids: Tensor, cache, part: int, log: Callable[[int], None]) -> list[float]:
    """The mean loss of every `part` tokens."""
    means = []
    for start in range(0, ids.shape[1] - 1, part):
        log(start)
        means.append(float(stream_loss(model, ids[:, start : start + part + 1], cache, chunk=part).mean()))
    return means


def with_other_sinks(model: Llama, tokens, ids: Tensor) -> Tensor:
    """The loss of the text when line breaks stand before it and are kept as its sinks."""
    breaks = torch.tensor([[i for _ in range(4) for i in tokens.encode(OTHER_SINKS[0])]])
    losses = stream_loss(model, torch.cat((breaks, ids), 1), model.new_cache(SLOTS - 4, breaks.shape[1]))
    return losses[breaks.shape[1] :]


@torch.no_grad()
def massive(model: Llama, ids: Tensor, log: Log) -> dict:
    """Attention mass on the first token, peaks of the residual stream, lengths of values; and without the peak."""
    log("attention mass and activations by layer")
    trace = Trace()
    target = ids[0, 1:]
    logits = model(ids, trace=trace)
    mass, (first, others), (v_first, v_others) = (
        sink_mass(trace, 64 if ids.shape[1] > 64 else 8),
        residual_peaks(trace),
        value_norms(trace),
    )
    found = {
        "tokens": ids.shape[1],
        "mass": [[round(x, 4) for x in row] for row in mass.tolist()],
        "first": [round(x, 1) for x in first.tolist()],
        "others": [round(x, 1) for x in others.tolist()],
        "value ratio": [round(x, 3) for x in (v_first / v_others).mean(1).tolist()],
        "loss": float(F.cross_entropy(logits[0, :-1], target)),
    }
    changed = Trace()
    logits = model(ids, trace=changed, edit=lambda layer, residual: pull_down(residual))
    found["loss without"] = float(F.cross_entropy(logits[0, :-1], target))
    after = sink_mass(changed, 64 if ids.shape[1] > 64 else 8).mean(1)
    found["mass without"] = [round(x, 4) for x in after.tolist()]
    return found
