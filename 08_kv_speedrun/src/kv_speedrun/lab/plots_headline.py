"""The figures of the headline experiment, drawn from its section of the results alone."""

from statistics import median

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .style import BLACK, BLUE, GREY, ORANGE, VERMILION, figure, label


def speedrun(headline: dict) -> Figure:
    """Square and column; time per token; time in all."""
    speed, model = headline["speed"], headline["model"]
    claim = "Keep the keys and values, and a new token costs one column of work instead of the whole square"
    fig = figure(claim, (10, 4.9), layout=None)
    grid = fig.add_gridspec(
        2, 3, width_ratios=[0.52, 1, 1], left=0.012, right=0.93, top=0.84, bottom=0.16, wspace=0.42, hspace=0.38
    )
    square(fig.add_subplot(grid[0, 0]), "without a cache", VERMILION, cached=False)
    square(fig.add_subplot(grid[1, 0]), "with a cache", BLUE, cached=True)
    per_token, total = fig.add_subplot(grid[:, 1]), fig.add_subplot(grid[:, 2])
    curves(per_token, speed, "per_token", "flops_per_token", 1e3, "milliseconds per token")
    ratio_arrow(per_token, speed, 1e3)
    curves(total, speed, "total", "total_flops", 1.0, "seconds since the prompt")
    slopes(total, speed)
    threads = "one thread" if speed["threads"] == 1 else f"{speed['threads']} threads"
    note = (
        f"{model['layers']} layers of width {model['width']}, prompt {speed['prompt_len']}, batch 1, fp32, {threads}; "
        f"bands: range of {speed['repeats']} runs; dashed: FLOPs by formula, scaled to the last point"
    )
    fig.text(0.012, 0.02, note, fontsize=8, color=GREY)
    return fig


def square(ax, title: str, color: str, cached: bool, size: int = 8) -> None:
    """The attention matrix of the step that feeds token `size`: computed now in color, kept from before in grey."""
    for query in range(size):
        for key in range(query + 1):
            now = query == size - 1 or not cached
            ax.add_patch(Rectangle((query, key), 0.86, 0.86, color=color if now else "#E2E2E2", lw=0))
    ax.set(xlim=(-0.2, size), ylim=(size, -0.2), xticks=[], yticks=[], aspect="equal", anchor="W")
    ax.set_title(title, color=color, fontweight="bold")
    ax.set_xlabel("queries", fontsize=8, color=GREY, loc="left", labelpad=1)
    ax.spines[:].set_visible(False)
    count = size if cached else size * (size + 1) // 2
    ax.text(0.1, size - 1.2, f"step {size}:\n{count} products", fontsize=8, color=BLACK, va="center")


def curves(ax, speed: dict, what: str, flops: str, unit: float, title: str) -> None:
    """Both curves with their range, and the FLOPs as dashed lines through the last point."""
    x = speed["lengths"]
    for name, color in (("without", VERMILION), ("with", BLUE)):
        runs = [[v * unit for v in point] for point in speed[name][what]]
        y = [median(point) for point in runs]
        scale = y[-1] / speed[name][flops][-1]
        ax.fill_between(x, [min(p) for p in runs], [max(p) for p in runs], color=color, alpha=0.25, lw=0)
        ax.plot(x, [f * scale for f in speed[name][flops]], color=color, lw=1, ls=(0, (4, 3)), alpha=0.9)
        ax.plot(x, y, color=color, lw=2.2)
        label(ax, x[-1], y[-1], name, color)
    ax.set(xscale="log", yscale="log", xlabel="tokens in the sequence")
    ax.set_title(title)
    ticks = [n for n in (64, 128, 256, 512, 1024) if n <= x[-1]]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 300 else (1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.grid(axis="y", color="#EEEEEE", lw=0.8)


def slopes(ax, speed: dict) -> None:
    for name, color, y in (("without", VERMILION, 0.94), ("with", BLUE, 0.885)):
        s = speed[name]["slope"]
        text = f"slope {s['total']:.2f}  (FLOPs {s['total_flops']:.2f})"
        ax.text(0.04, y, text, color=color, fontsize=8.5, transform=ax.transAxes)


def ratio_arrow(ax, speed: dict, unit: float) -> None:
    """An arrow from one curve to the other at the longest length."""
    x = speed["lengths"][-1]
    low, high = (median(speed[name]["per_token"][-1]) * unit for name in ("with", "without"))
    ax.annotate("", (x * 0.93, low * 1.12), (x * 0.93, high * 0.9), arrowprops={"arrowstyle": "<->", "color": GREY})
    middle = (low * high) ** 0.5
    ax.text(
        x * 0.88, middle, f"{high / low:.0f}×", ha="right", va="center", fontsize=13, fontweight="bold", color=BLACK
    )


def two_numbers(headline: dict) -> Figure:
    """The ratio of work and the ratio of time, and the rate that explains the difference."""
    work = headline["speed"]["work"]
    less_work, less_time = 1 - 1 / work["flop_ratio"], 1 - 1 / work["time_ratio"]
    fig = figure(f"The cache avoids {less_work:.1%} of the work, and {less_time:.0%} of the time", (7.6, 2.9))
    ax = fig.subplots()
    rows = (
        ("tokens through the matrices", work["matmul_token_ratio"], ORANGE),
        ("FLOPs", work["flop_ratio"], ORANGE),
        ("seconds", work["time_ratio"], BLUE),
    )
    for y, (_, ratio, color) in enumerate(rows):
        ax.barh(y, ratio, color=color, height=0.62)
        ax.text(ratio * 1.03, y, f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×", va="center", fontweight="bold")
    avoided, left = work["gflops_per_second"]
    rates = f"what is left runs at {left:.2g} GFLOP/s,\nwhat was avoided ran at {avoided:.2g}"
    ax.text(work["time_ratio"] * 1.75, 2, rates, va="center", fontsize=9, color=GREY)
    ax.set_yticks(range(3), [name for name, _, _ in rows])
    ax.invert_yaxis()
    ax.set(xscale="log", xlim=(1, 330))
    ax.set_xlabel(f"without a cache ÷ with one (prompt {work['prompt_len']}, {work['max_new_tokens']} new tokens)")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}×"))
    return fig


def memory(headline: dict) -> Figure:
    """Formula as lines, the allocator's count as points."""
    m = headline["memory"]
    fig = figure("2·L·B·T·H·D·bytes is exact: lines by formula, points allocated", (6.4, 4))
    ax = fig.subplots()
    for kind, color in (("fp32", VERMILION), ("bf16", ORANGE), ("int8", BLUE)):
        formula, counted = ([v / 2**20 for v in m[key][kind]] for key in ("predicted", "measured"))
        ax.plot(m["lengths"], formula, color=color, lw=1.6)
        ax.plot(m["lengths"], counted, "o", color=color, ms=6)
        per_token = formula[-1] * 2**10 / m["lengths"][-1]
        label(ax, m["lengths"][-1], formula[-1], f" {kind}\n {per_token:.1f} KiB per token", color)
    ax.set(xlabel="tokens", ylabel="MiB of GPT-2's cache, batch 1", ylim=(0, None), xticks=m["lengths"])
    return fig
