"""Figures, drawn from the results alone: one claim each. The pattern of block-sparse attention needs no results."""

from pathlib import Path
from statistics import median

import torch

from ..block_sparse import bigbird_blocks, dilated_window, longformer, to_mask
from ..window import window_mask
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save

NAMES = {"4 sinks, positions of the text": "4 sinks,\ntext positions"}
COLORS = {"dense": VERMILION, "window": BLUE, "sinks and window": GREEN}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    made = {
        "headline": {"headline.png": past_the_length, "stream.png": stream, "planted.png": planted},
        "real": {"real.png": real, "massive.png": massive},
        "bench": {"bench.png": bench},
        "wavenet": {"wavenet.png": wavenet},
    }
    paths = []
    for section, figures in made.items():
        if section in results:
            paths += [save(make(results[section]), folder / name) for name, make in figures.items()]
    if "break_it" in results:
        paths.append(save(patterns(), folder / "patterns.png"))
    return paths


def past_the_length(content: dict):
    """Loss by position."""
    made = figure("Dense attention fails past its training length. A window does not.", (7, 3.8))
    ax, marks = made.subplots(), content["edges"]
    middles = [(a * b) ** 0.5 for a, b in zip(marks, marks[1:], strict=False)]
    for name, rows in content["loss"].items():
        columns = list(zip(*rows, strict=True))
        middle = [median(c) for c in columns]
        ax.fill_between(
            middles, [min(c) for c in columns], [max(c) for c in columns], color=COLORS[name], alpha=0.2, lw=0
        )
        ax.plot(middles, middle, "o-" if name != "sinks and window" else "x--", color=COLORS[name])
        up = {"dense": 0.0, "window": -0.12, "sinks and window": 0.12}[name]
        label(ax, middles[-1], middle[-1] + up, name, COLORS[name])
    ax.axvline(content["context"], color=GREY, ls="--")
    ax.text(content["context"] * 0.96, ax.get_ylim()[1], "trained\nlength", color=GREY, va="top", ha="right")
    ax.set(xscale="log", xlabel="position in the text, bytes", ylabel="loss, nats a byte", xlim=(4, 2600))
    ax.set_xticks([8, 32, 128, 512, 1024], ["8", "32", "128", "512", "1,024"])
    ax.minorticks_off()
    return made


def stream(content: dict):
    """Time, loss and memory along the stream."""
    s = content["stream"]
    made = figure(f"{s['tokens']:,} tokens: time, loss and cache stay where they were", (7, 4.4))
    axes = made.subplots(3, 1, sharex=True)
    at = [(i + 1) * s["part"] / 1000 for i in range(len(s["loss"]))]
    rows = (
        (s["microseconds"], "µs a token"),
        (s["loss"], "loss, nats"),
        ([b / 1024 for b in s["cache bytes"]], "cache, KiB"),
    )
    for ax, (values, name), color in zip(axes, rows, (BLUE, GREEN, ORANGE), strict=True):
        ax.plot(at, values, "o-", color=color, ms=3)
        ax.set(ylabel=name, ylim=(0, 1.3 * max(values)))
    axes[-1].set(xlabel="thousand tokens")
    return made


def planted(content: dict):
    """The weights of the one head, and the values."""
    made = figure("A head with nothing to say looks at the first token, and that token's value is small", (7, 3.6))
    left, right = made.subplots(1, 2, width_ratios=(1, 1))
    found = content["planted"]["learned positions"]
    one = next(f for f in found if f["weights"])
    left.imshow(one["weights"], cmap="Blues", vmin=0, vmax=1)
    for t in one["triggers"]:
        left.text(len(one["weights"]) + 0.2, t, "trigger", color=VERMILION, va="center", fontsize=7)
    left.set(xlabel="key", ylabel="query", title="weights of the head")
    names = ("value of BOS", "value of others")
    for i, name in enumerate(names):
        values = [f[name] for f in found]
        right.bar(i, median(values), color=(BLUE, GREY)[i], width=0.6)
        right.plot([i] * len(values), values, "o", color="#222222", ms=4)
    right.set_xticks(range(2), ["first token", "all others"])
    right.set(ylabel="length of the value vector", title=f"{len(found)} seeds")
    return made


def real(content: dict):
    """Loss along the long text."""
    long, part = content["long"], content["part"]
    made = figure("Past its trained length SmolLM2 breaks down; with 4 sinks it does not", (7, 3.9))
    ax = made.subplots()
    at = [(i + 0.5) * part for i in range(len(long["4 sinks"]))]
    styles = {"dense": (GREY, "-"), "no sink": (VERMILION, "-"), "4 sinks": (GREEN, "-"),
              "4 sinks, positions of the text": (PURPLE, "--")}  # fmt: skip
    ends = {}
    for name, values in long.items():
        color, line = styles[name]
        ax.plot(at, values, line, color=color)
        ends[name] = values[-1]
    low = -1.0
    for name in sorted(ends, key=ends.get):
        low = max(ends[name], low + 0.3)
        label(ax, at[-1], low, NAMES.get(name, name),
              styles[name][0], fontsize=8)  # fmt: skip
    if at[-1] > content["trained"]:  # a quick run ends before
        ax.axvline(content["trained"], color=GREY, ls=":")
        ax.text(content["trained"] - 90, ax.get_ylim()[1], "trained length", color=GREY, va="top", ha="right")
    ax.set(xlabel="tokens", ylabel="loss, nats a token", xlim=(0, at[-1] * 1.18))
    return made


def massive(content: dict):
    """Mass and peaks by layer."""
    m = content["massive"]
    made = figure(
        "Layer 11 writes a huge activation into the first token, and from then on the heads look there", (7, 4.4)
    )
    top, below = made.subplots(2, 1, sharex=True)
    layers = range(len(m["mass"]))
    means = [sum(heads) / len(heads) for heads in m["mass"]]
    for i, heads in zip(layers, m["mass"], strict=True):
        top.plot([i] * len(heads), heads, ".", color=GREY, ms=4)
    top.plot(layers, means, "o-", color=BLUE)
    top.plot(layers, m["mass without"], "--", color=VERMILION)
    label(top, len(means) - 1, means[-1], "mean head", BLUE)
    label(top, len(means) - 1, m["mass without"][-1] - 0.05, "peak removed", VERMILION)
    top.set(ylabel="attention on\nthe first token", ylim=(-0.03, 1.03))
    below.plot(layers, m["first"], "o-", color=BLUE)
    below.plot(layers, m["others"], "o-", color=GREY)
    label(below, len(means) - 1, m["first"][-1], "first token", BLUE)
    label(below, len(means) - 1, m["others"][-1], "others", GREY)
    below.set(yscale="log", xlabel="layer", ylabel="largest activation", xlim=(-1, len(means) + 5))
    return made


def bench(content: dict):
    """The band beside PyTorch."""
    ms = content["milliseconds"]
    made = figure("The band costs O(T·W): beside PyTorch's attention at T = 4,096 and W = 256, one thread", (7, 2.8))
    ax = made.subplots()
    names = list(ms)[::-1]
    for i, name in enumerate(names):
        values = ms[name]
        ax.barh(i, median(values), color=BLUE if name.startswith("ours") else GREY, height=0.6)
        ax.plot([min(values), max(values)], [i, i], color="#222222", lw=1.5)
        label(ax, max(values), i, f"{median(values):.0f} ms", "#222222")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="CPU milliseconds, median and range", xlim=(0, 1.15 * max(map(max, ms.values()))))
    return made


def wavenet(content: dict):
    """Loss beside the state that is kept."""
    made = figure("After 200 steps WaveNet predicts best, and keeps less than the window does", (7, 3.2))
    ax = made.subplots()
    colors = {"WaveNet": ORANGE, "window attention": BLUE, "GRU": GREEN}
    for name, m in content["models"].items():
        ax.plot([m["state"]] * len(m["loss"]), m["loss"], "o", color=colors[name])
        label(ax, m["state"], median(m["loss"]), name, colors[name])
    ax.set(xscale="log", xlabel="numbers that generation keeps", ylabel="loss, nats a byte", xlim=(60, 60_000))
    return made


def patterns():
    """The patterns of block_sparse, drawn."""
    blocks = bigbird_blocks(12, 2, 1, 1, torch.Generator().manual_seed(3))
    shown = {
        "window 8": window_mask(48, 48, 8),
        "dilated window, 4 keys, 4 apart": dilated_window(48, 4, 4),
        "Longformer: window and global": longformer(48, 8, 3),
        "BigBird: window, global, random": to_mask(blocks, 4),
    }
    made = figure("Four patterns of query (row) and key (column): the pairs grow with T, not with T²", (7, 2.5))
    for ax, (name, mask) in zip(made.subplots(1, 4), shown.items(), strict=True):
        ax.imshow(mask, cmap="Blues", vmin=0, vmax=1.4)
        ax.set_title(f"{name}\n{mask.float().mean():.0%} of the square", fontsize=7)
        ax.set_xticks([]), ax.set_yticks([])
    return made
