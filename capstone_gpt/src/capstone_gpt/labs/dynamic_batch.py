"""Batches whose size changes: by the length of their lines, so that little is padding, and with the step."""

import random
from collections.abc import Callable, Iterator
from statistics import median

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..optim import AdamW, constant_lr, polynomial_lr
from ..training.train_step import IGNORE
from . import drawing
from .small_run import SEQ_LEN, batches, mean_loss, offline_text, small_modern, valid_loss

QUESTION = "What is gained by batches of changing size: sorted by length, or growing while the run goes on?"
PREDICTION = (
    "Buckets by length save most of the padding. A growing batch does what a falling rate does, in fewer steps."
)
TOKENS, LINES = 1024, 2000
BUDGET, PEAK, WARMUP, SEEDS = 3200, 3e-2, 10, 3  # windows of one run


def lines() -> list[list[int]]:
    """Lines of the text as tokens, cut to what the model can read, in one shuffled order."""
    text = offline_text()
    split = text.tokenizer.decode(text.x.flatten().tolist()).split("\n")
    found = [text.tokenizer.encode(line)[: SEQ_LEN + 1] for line in split if len(line) > 1][:LINES]
    random.Random(0).shuffle(found)
    return found


def fixed_rows(sizes: list[int], seed: int) -> list[list[int]]:
    """Batches of as many rows as always fit, in the given order."""
    rows = TOKENS // SEQ_LEN
    return [list(range(i, min(i + rows, len(sizes)))) for i in range(0, len(sizes), rows)]


def token_budget(sizes: list[int], seed: int) -> list[list[int]]:
    """Lines sorted by length; each batch takes rows as long as rows times the longest stays within TOKENS."""
    made, batch = [], []
    for i in sorted(range(len(sizes)), key=sizes.__getitem__):
        if batch and (len(batch) + 1) * sizes[i] > TOKENS:
            made.append(batch)
            batch = []
        batch.append(i)
    made.append(batch)
    random.Random(seed).shuffle(made)
    return made


def padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Inputs padded with token 0, and targets padded with IGNORE."""
    longest = max(map(len, rows)) - 1
    x = torch.tensor([row[:-1] + [0] * (longest + 1 - len(row)) for row in rows])
    y = torch.tensor([row[1:] + [IGNORE] * (longest + 1 - len(row)) for row in rows])
    return x, y


def padding(way: Callable, seed: int, found: list[list[int]]) -> dict:
    """Over one epoch: the share of padding, the batches, and positions that the model computes for each real token."""
    sizes = [len(line) - 1 for line in found]
    made = way(sizes, seed)
    held = [len(batch) * max(sizes[i] for i in batch) for batch in made]
    real = sum(sizes)
    return {"batches": len(made), "padding": 1 - real / sum(held), "positions": sum(held), "tokens": real,
            "rows": [min(map(len, made)), max(map(len, made))]}  # fmt: skip


def mean_of_lines(seed: int, found: list[list[int]]) -> dict[str, float]:
    """Padding does not change the loss of a batch; it must only not be counted. Distances from the loss by line."""
    model = small_modern(seed).double()
    torch.manual_seed(seed)
    nn.init.normal_(model.lm_head.weight, std=0.1)
    x, y = padded(found[:12])
    with torch.no_grad():
        by_line = [F.cross_entropy(model(torch.tensor([r[:-1]]))[0], torch.tensor(r[1:]), reduction="sum")
                   for r in found[:12]]  # fmt: skip
        right = float(sum(by_line)) / sum(len(r) - 1 for r in found[:12])
        logits = model(x).flatten(0, 1)
        ignored = float(F.cross_entropy(logits, y.flatten(), ignore_index=IGNORE))
        counted = float(F.cross_entropy(logits, y.flatten().clamp(min=0)))
    return {"padding ignored": abs(ignored - right), "padding counted": abs(counted - right)}


def sizes_of(name: str) -> Iterator[tuple[int, float]]:
    """(windows, share of the peak rate) of each step, until BUDGET windows are used."""
    used, step, total = 0, 0, BUDGET // 16
    while used < BUDGET:
        quarter = min(3, 4 * used // BUDGET)
        size = 16 * 2**quarter if name == "growing batch" else 16
        if name == "falling rate":
            share = polynomial_lr(step, 1.0, WARMUP, total)
        else:
            share = constant_lr(step, 1.0, WARMUP)
        size = min(size, BUDGET - used)
        yield size, share
        used, step = used + size, step + 1


def grown(name: str, seed: int, quick: bool) -> dict:
    """A run over BUDGET windows: steps, losses against windows, validation loss."""
    model, curve, used = small_modern(seed), [], 0
    optimizer = AdamW(model.parameters(), PEAK)
    data = {size: batches(seed, size) for size in (16, 32, 64, 128)}
    plan = list(sizes_of(name))[: 4 if quick else None]
    for size, share in plan:
        for group in optimizer.param_groups:
            group["lr"] = PEAK * share
        x, y = next(data[min(s for s in data if s >= size)])
        loss = mean_loss(model, x[:size], y[:size])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        used += size
        curve.append([used, loss.item()])
    return {"steps": len(plan), "curve": curve, "valid": valid_loss(model)}


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Padding of two ways to make batches; three ways to use one budget of windows."""
    found = lines()
    pads = {"fixed rows": padding(fixed_rows, seed, found), "budget of tokens": padding(token_budget, seed, found)}
    runs = {}
    for name in ("constant", "falling rate", "growing batch"):
        log(f"one budget of windows: {name}")
        all_ = [grown(name, seed + i, quick) for i in range(1 if quick else SEEDS)]
        runs[name] = {"steps": all_[0]["steps"], "curve": all_[0]["curve"], "valid": [one["valid"] for one in all_]}
    return {"padding": pads, "mean": mean_of_lines(seed, found), "runs": runs, "budget": BUDGET, "tokens": TOKENS}


def outcome(result: dict) -> str:
    """What sorting saves, and what growing gives."""
    fixed, sorted_ = result["padding"].values()
    runs = {name: median(one["valid"]) for name, one in result["runs"].items()}
    steps = {name: one["steps"] for name, one in result["runs"].items()}
    return (
        f"With fixed rows {fixed['padding']:.0%} of the positions are padding; sorted by length under a budget of "
        f"{result['tokens']:,} tokens it is {sorted_['padding']:.1%}, in {sorted_['batches']} batches in place of "
        f"{fixed['batches']}. Padding that is counted as a target moves the loss by "
        f"{result['mean']['padding counted']:.2f} nats. On {result['budget']:,} windows a constant rate ends at "
        f"{runs['constant']:.3f}, a falling rate at {runs['falling rate']:.3f}, and a growing batch at "
        f"{runs['growing batch']:.3f} with {steps['growing batch']} steps in place of {steps['falling rate']}."
    )


def figure(result: dict) -> Figure:
    """Left: padding. Right: one budget, three ways."""
    fixed, sorted_ = result["padding"].values()
    made = drawing.figure(
        f"Sorted by length, padding falls from {fixed['padding']:.0%} to {sorted_['padding']:.1%} of the positions",
        (10, 3.8),
    )
    left, right = made.subplots(1, 2, width_ratios=[1, 1.6])
    names = list(result["padding"])
    real = [one["tokens"] for one in result["padding"].values()]
    pads = [one["positions"] - one["tokens"] for one in result["padding"].values()]
    left.bar(names, real, color=drawing.BLUE, width=0.6)
    left.bar(names, pads, bottom=real, color=drawing.VERMILION, width=0.6)
    left.text(0, real[0] + pads[0] / 2, "padding", color="white", ha="center", va="center", fontweight="bold")
    left.text(0, real[0] / 2, "text", color="white", ha="center", va="center", fontweight="bold")
    left.set(ylabel="positions computed in one epoch")
    ends = []
    for (name, one), color in zip(result["runs"].items(), drawing.COLORS, strict=False):
        used, losses = zip(*one["curve"], strict=True)
        smooth = [sum(losses[max(0, i - 9) : i + 1]) / len(losses[max(0, i - 9) : i + 1]) for i in range(len(losses))]
        right.plot(used, smooth, color=color)
        ends.append((used[-1], smooth[-1], f"{name}, {one['steps']} steps", color))
    right.set(xlabel="windows used", ylabel="training loss, nats a character", xlim=(0, ends[0][0]))
    right.set_title("one budget of windows")
    drawing.spread_labels(right, ends)
    return made


def rows(result: dict) -> list[list[str]]:
    """Padding, then runs."""
    made = [["", "batches or steps", "padding", "validation loss"]]
    for name, one in result["padding"].items():
        made.append([name, str(one["batches"]), f"{one['padding']:.1%}", ""])
    for name, one in result["runs"].items():
        loss = f"{median(one['valid']):.3f} ({min(one['valid']):.3f}–{max(one['valid']):.3f})"
        made.append([name, str(one["steps"]), "", loss])
    return made
