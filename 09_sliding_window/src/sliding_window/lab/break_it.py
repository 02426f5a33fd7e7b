"""Break it: one experiment for each mistake. What stands in the workbook is compared with these outcomes by a test."""

import argparse
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..attention import attend, rotate
from ..receptive import WaveNet, WaveNetConfig
from ..stream import stream_loss
from ..window import window_mask
from .fetch import load_text
from .training import CONTEXT, as_bytes, byte_model, fit, windows

Log = Callable[[str], None]
DISTANCE, SYMBOLS = 20, 8


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """Five mistakes on small models; those of the real model are in its own section."""
    content = {"mask": wrong_masks(), "eviction": early_eviction(), "rotated twice": rotated_twice()}
    log("a WaveNet with dilation 1 everywhere")
    steps = 3 if options.quick else 250
    content["dilations"] = {
        name: copy_loss(dilations, options.seed, steps)
        for name, dilations in (("1, 2, 4, 8, 16", (1, 2, 4, 8, 16)), ("1, 1, 1, 1, 1", (1, 1, 1, 1, 1)))
    }
    content["chance"] = math.log(SYMBOLS)
    data = as_bytes(load_text(options.data))
    model = byte_model(data[: len(data) * 4 // 5], options.seed, 3 if options.quick else 300, log)
    pieces = windows(data[len(data) * 4 // 5 :], 769, 2 if options.quick else 8, torch.Generator().manual_seed(1))
    content["windows"] = {str(w): late_loss(model, pieces, w, 0, True) for w in (64, 32, 8, 2)}
    content["positions"] = {
        "of the cache": late_loss(model, pieces, 60, 4, True),
        "of the text": late_loss(model, pieces, 60, 4, False),
    }
    content["stale"] = stale(model, pieces)
    return content


def late_loss(model, pieces: Tensor, window: int, sinks: int, reassign: bool) -> float:
    """The loss on tokens beyond four training lengths."""
    losses = [stream_loss(model, p[None], model.new_cache(window, sinks, reassign))[4 * CONTEXT :] for p in pieces]
    return float(torch.stack(losses).mean())


def stale(model, pieces: Tensor) -> dict:
    """The first 32 tokens of a text, after a reset and after somebody else's text without one."""
    found = {"reset": [], "not reset": []}
    for first, second in zip(pieces, pieces.roll(1, 0), strict=True):
        for name in found:
            cache = model.new_cache(60, 4)
            stream_loss(model, first[None], cache)
            if name == "reset":
                cache.reset()
            found[name].append(model(second[None, :32], cache)[0])
    logits = {name: torch.cat(values) for name, values in found.items()}
    targets = pieces.roll(1, 0)[:, 1:33].flatten()
    losses = {name: float(F.cross_entropy(x, targets)) for name, x in logits.items()}
    changed = logits["reset"].argmax(-1) != logits["not reset"].argmax(-1)
    return losses | {"changed": float(changed.float().mean())}


def wrong_masks() -> dict:
    """12 tokens read in chunks of 4 with a mask that is aligned at the top left: the rows that differ."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 12, 8) for _ in range(3))
    whole = attend(q, k, v, window_mask(12, 12, 3))
    out = []
    for start in range(0, 12, 4):
        mask = window_mask(12, 12, 3)[:4, : start + 4]  # the first rows: top left
        out.append(attend(q[:, :, start : start + 4], k[:, :, : start + 4], v[:, :, : start + 4], mask))
    wrong = ((torch.cat(out, 2) - whole).abs().amax((0, 1, 3)) > 1e-5).tolist()
    return {"rows": len(wrong), "wrong": [i for i, bad in enumerate(wrong) if bad]}


def early_eviction() -> dict:
    """12 tokens in chunks of 4 with a window of 3, where each chunk is written before the older keys are read."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 12, 8) for _ in range(3))
    whole, ring = attend(q, k, v, window_mask(12, 12, 3)), torch.zeros(2, 3, 8)
    out = []
    for start in range(0, 12, 4):
        for t in range(start, start + 4):  # written first: only the last three tokens are left
            ring[:, t % 3] = torch.stack((k[0, 0, t], v[0, 0, t]))
        order = torch.arange(start + 1, start + 4) % 3
        keys, values = (x[order][None, None] for x in ring)
        mask = torch.arange(start, start + 4)[:, None] >= torch.arange(start + 1, start + 4)
        mask[0, 0] = True  # the first query has lost even its own key
        out.append(attend(q[:, :, start : start + 4], keys, values, mask))
    wrong = ((torch.cat(out, 2) - whole).abs().amax((0, 1, 3)) > 1e-5).tolist()
    return {"rows": len(wrong), "wrong": [i for i, bad in enumerate(wrong) if bad]}


def rotated_twice() -> dict:
    """Where a key stands that is cached after its rotation, and rotated again."""
    k = torch.ones(1, 4)
    at = torch.arange(5, 9)
    again = rotate(rotate(k.expand(4, 4), at), at)
    once = rotate(k.expand(4, 4), 2 * at)
    return {"same as twice the position": bool(torch.allclose(again, once, atol=1e-5))}


def copy_loss(dilations: tuple[int, ...], seed: int, steps: int) -> float:
    """A WaveNet that must name the token DISTANCE positions back, among random ones."""
    torch.manual_seed(seed)
    net = WaveNet(WaveNetConfig(SYMBOLS, 24, 2, dilations))
    generator = torch.Generator().manual_seed(seed)

    def loss_of(logits: Tensor, tokens: Tensor) -> Tensor:
        return F.cross_entropy(logits[:, DISTANCE:].flatten(0, 1), tokens[:, : -DISTANCE - 1].flatten())

    def batch(step: int) -> Tensor:
        return torch.randint(SYMBOLS, (16, 65), generator=generator)

    fit(net, batch, steps, 1e-2, loss_of)
    with torch.no_grad():
        tokens = torch.randint(SYMBOLS, (64, 65), generator=generator)
        return float(loss_of(net(tokens[:, :-1]), tokens))
