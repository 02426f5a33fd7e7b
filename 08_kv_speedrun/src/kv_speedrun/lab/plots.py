"""Figures, drawn from the results dictionary alone."""

from pathlib import Path
from statistics import median

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from .plots_headline import memory, speedrun, two_numbers
from .style import BLACK, BLUE, GREY, ORANGE, VERMILION, figure, label, save


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    figures = {
        "speedrun.png": ("headline", speedrun),
        "two_numbers.png": ("headline", two_numbers),
        "memory.png": ("headline", memory),
        "bench.png": ("bench", bench),
        "break_it.png": ("break_it", break_it),
        "smollm2.png": ("smollm2", real_model),
    }
    return [
        save(make(results[section]), Path(folder) / name)
        for name, (section, make) in figures.items()
        if section in results
    ]


# -- bench -------------------------------------------------------------------------------------------------------------


def bench(section: dict) -> Figure:
    """Tokens per second of every contender at batch 1, with the limit that memory sets for its bytes."""
    panels = {threads: table["1"]["contenders"] for threads, table in section["by_threads"].items()}
    names = sorted(next(iter(panels.values())), key=lambda name: not name.startswith("transformers"))
    gains = [g["got"] for g in section["goals"] if g["goal"].startswith("fp32, batch 1") and "gain" in g["goal"]]
    found = " and ".join(f"{gain:.2f}" for gain in gains)
    claim = "Same weights, same tokens, other layout: " + (f"{found} times transformers" if gains else "faster")
    fig = figure(claim, (4.3 * len(panels) + 1.6, 3.7))
    axes = fig.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for ax, (threads, rows) in zip(axes, panels.items(), strict=True):
        for y, name in enumerate(names):
            bar(ax, y, name, rows[name])
        ax.set_yticks(range(len(names)), names if ax is axes[0] else [""] * len(names))
        ax.invert_yaxis()
        ax.set_title(f"batch 1, {threads} thread{'s' * (threads != '1')}")
    fig.supxlabel("tokens/s; blue: same tokens, orange: rounded weights, red: limit of memory", fontsize=8.5)
    return fig


def bar(ax, y: int, name: str, row: dict) -> None:
    exact = name in ("as trained", "transposed", "packed", "fastest")
    color = GREY if name.startswith("transformers") else BLUE if exact else ORANGE
    value, low, high = median(row["per_second"]), min(row["per_second"]), max(row["per_second"])
    ax.barh(y, value, color=color, height=0.66)
    ax.plot([low, high], [y, y], color=BLACK, lw=1.2)
    label(ax, high, y, f"{value:.0f}", BLACK, fontweight="normal", fontsize=9)
    if "limit" in row:
        ax.plot([row["limit"]] * 2, [y - 0.36, y + 0.36], color=VERMILION, lw=2)


# -- the real model ----------------------------------------------------------------------------------------------------


def real_model(section: dict) -> Figure:
    """Left: tokens per second of every contender. Right: bytes of its cache."""
    speed = section["speed"]
    gain = median(speed["fp32, fastest"]["per_second"]) / median(speed["fp32, no cache"]["per_second"])
    fig = figure(f"SmolLM2: a cache and a layout give {gain:.0f} times the tokens; shared heads a third of the bytes",
                 (10, 3.7))  # fmt: skip
    left, right = fig.subplots(1, 2, width_ratios=(1.3, 1))
    for y, (name, row) in enumerate(speed.items()):
        bar(left, y, name, row)
        left.patches[-1].set_color(GREY if name.startswith("llama") else BLUE if name.startswith("fp32") else ORANGE)
    left.set_yticks(range(len(speed)), list(speed))
    left.invert_yaxis()
    left.set(xlabel="tokens/s; red: limit of memory; orange: rounded weights")
    m = section["memory"]
    lines = ((m["unshared"], GREY, "keys for each of nine heads"), (m["predicted"]["fp32"], BLUE, "three heads, fp32"),
             (m["predicted"]["int8"], ORANGE, "three heads, int8"))  # fmt: skip
    for values, color, text in lines:
        mib = [v / 2**20 for v in values]
        right.plot(m["lengths"], mib, "o-", color=color, lw=2, ms=4)
        right.annotate(text, (m["lengths"][-1], mib[-1]), (-8, 6), textcoords="offset points", ha="right", color=color)
    right.set(xlabel="tokens", ylabel="MiB of the cache, one row", ylim=(0, 1.2 * m["unshared"][-1] / 2**20))
    return fig


# -- break it ----------------------------------------------------------------------------------------------------------


def break_it(section: dict) -> Figure:
    """Two mistakes in nats, one in bytes."""
    fig = figure("A broken cache does not crash: it predicts worse, or copies everything at every step", (10, 3.2))
    axes = fig.subplots(1, 3)
    no_offset(axes[0], section["no_offset"])
    top_left(axes[1], section["top_left"])
    copies(axes[2], section["concatenate"])
    return fig


def no_offset(ax, r: dict, width: int = 16) -> None:
    """`width` bytes per point, because single positions are noisy."""
    starts = range(0, len(r["right"]) - width + 1, width)
    for name, color in (("wrong", VERMILION), ("right", BLUE)):
        y = [sum(r[name][i : i + width]) / width for i in starts]
        ax.plot([i + width / 2 for i in starts], y, color=color, lw=2)
    ax.axvline(r["prompt_len"], color=GREY, lw=1, ls=":")
    ax.text(0.03, 0.93, "no offset", color=VERMILION, fontweight="bold", transform=ax.transAxes)
    ax.text(0.03, 0.84, "right", color=BLUE, fontweight="bold", transform=ax.transAxes)
    ax.set(xlabel="position (prompt up to the dotted line)", ylabel="nats per byte")
    ax.set_title("every decoded byte at position 0")
    ax.margins(y=0.25)


def top_left(ax, r: dict) -> None:
    chunks, wrong = list(r["wrong"]), list(r["wrong"].values())
    ax.plot(range(len(chunks)), wrong, "o-", color=VERMILION, lw=2)
    ax.axhline(r["right"], color=BLUE, lw=2)
    ax.text(len(chunks) - 1, r["right"], "right", color=BLUE, va="bottom", ha="right", fontweight="bold")
    ax.text(1.1, wrong[2], "top left", color=VERMILION, ha="right", fontweight="bold")
    ax.set_xticks(range(len(chunks)), chunks)
    ax.set(xlabel="bytes per chunk", ylabel="nats per byte")
    ax.set_title("mask aligned at the top left")
    ax.margins(y=0.15)


def copies(ax, r: dict) -> None:
    for name, color, text, up in (("growing", VERMILION, "concatenate", 0), ("static", BLUE, "in place", 8)):
        points = [(n, b / 2**20) for n, b in zip(r["lengths"], r["bytes"][name], strict=True) if b > 0]
        ax.plot(*zip(*points, strict=True), color=color, lw=2)
        ax.annotate(text, points[-1], (-8, up), textcoords="offset points", ha="right", color=color, fontweight="bold")
    ax.set(xscale="log", yscale="log", xlabel="tokens", ylabel="MiB copied so far")
    ax.set_title("a cache that concatenates")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_locator(NullLocator())
