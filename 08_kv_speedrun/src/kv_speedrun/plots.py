"""Figures, drawn from the results dictionary alone. Colours are Okabe and Ito's, told apart by all kinds of eyes."""

from pathlib import Path
from statistics import median

from matplotlib import rc_context
from matplotlib.figure import Figure  # not pyplot: a notebook that imports this keeps its own backend
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

ORANGE, BLUE, GREEN, VERMILION, GREY, BLACK = "#E69F00", "#0072B2", "#009E73", "#D55E00", "#8A8A8A", "#222222"
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
         "axes.edgecolor": "#555555", "axes.titlelocation": "left", "figure.facecolor": "white"}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    wanted = {
        "speedrun.png": ("headline", speedrun), "two_numbers.png": ("headline", two_numbers),
        "memory.png": ("headline", memory), "bench.png": ("bench", bench), "break_it.png": ("break_it", break_it),
    }
    paths = []
    for name, (section, function) in wanted.items():
        if section in results:
            with rc_context(STYLE):
                figure = function(results[section])
                paths.append(_save(figure, folder / name))
    return paths


def _save(figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name("." + path.name)
    figure.savefig(beside, dpi=150, format="png")
    beside.replace(path)
    return path


def _title(figure, text: str) -> None:
    figure.suptitle(text, x=0.012, ha="left", fontweight="bold", fontsize=10.5, color=BLACK)


# -- the headline ------------------------------------------------------------------------------------------------------

def speedrun(headline: dict):
    """Square and column; time per token; time in all."""
    speed = headline["speed"]
    figure = Figure(figsize=(10, 4.9))
    figure.suptitle("Keep the keys and values, and a new token costs one column of work instead of the whole square",
                    x=0.012, y=0.975, ha="left", fontsize=12, fontweight="bold", color=BLACK)
    grid = figure.add_gridspec(2, 3, width_ratios=[0.52, 1, 1], left=0.012, right=0.93, top=0.84, bottom=0.16,
                               wspace=0.42, hspace=0.38)
    square(figure.add_subplot(grid[0, 0]), "without a cache", VERMILION, cached=False)
    square(figure.add_subplot(grid[1, 0]), "with a cache", BLUE, cached=True)
    _curves(figure.add_subplot(grid[:, 1]), speed, "per_token", "flops_per_token", 1e3, "milliseconds per token")
    _curves(figure.add_subplot(grid[:, 2]), speed, "total", "total_flops", 1.0, "seconds since the prompt")
    threads = "one thread" if speed["threads"] == 1 else f"{speed['threads']} threads"
    model = headline["model"]
    figure.text(0.012, 0.02, f"{model['layers']} layers of width {model['width']}, prompt {speed['prompt']}, batch 1, "
                f"fp32, {threads}; bands: range of {speed['repeats']} runs; dashed: FLOPs by formula, brought to the "
                "last point", fontsize=8, color=GREY)
    return figure


def square(ax, title: str, colour: str, cached: bool, size: int = 8) -> None:
    """The attention matrix of the step that feeds token `size`: what is computed in colour, what is kept in grey."""
    for query in range(size):
        for key in range(query + 1):
            now = query == size - 1 or not cached
            ax.add_patch(Rectangle((query, key), 0.86, 0.86, color=colour if now else "#E2E2E2", lw=0))
    ax.set(xlim=(-0.2, size), ylim=(size, -0.2), xticks=[], yticks=[], aspect="equal", anchor="W")
    ax.set_title(title, color=colour, fontweight="bold")
    ax.set_xlabel("queries", fontsize=8, color=GREY, loc="left", labelpad=1)
    ax.spines[:].set_visible(False)
    count = size if cached else size * (size + 1) // 2
    ax.text(0.1, size - 1.2, f"step {size}:\n{count} products", fontsize=8, color=BLACK, va="center")


def _curves(ax, speed: dict, what: str, work: str, unit: float, label: str) -> None:
    x = speed["lengths"]
    for name, colour, text in (("without", VERMILION, "without"), ("with", BLUE, "with")):
        curve = speed[name]
        runs = [[v * unit for v in point] for point in curve[what]]
        y = [median(point) for point in runs]
        ax.fill_between(x, [min(p) for p in runs], [max(p) for p in runs], color=colour, alpha=0.25, lw=0)
        scale = y[-1] / curve[work][-1]
        ax.plot(x, [f * scale for f in curve[work]], color=colour, lw=1, ls=(0, (4, 3)), alpha=0.9)
        ax.plot(x, y, color=colour, lw=2.2)
        ax.annotate(text, (x[-1], y[-1]), (5, 0), textcoords="offset points", color=colour, va="center",
                    fontweight="bold", annotation_clip=False)
    ax.set(xscale="log", yscale="log", xlabel="tokens in the sequence")
    ticks = [n for n in (64, 128, 256, 512, 1024) if n <= x[-1]]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(subs=(1,) if max(y) / min(y) > 50 else (1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_title(label)
    ax.grid(axis="y", color="#EEEEEE", lw=0.8)
    ax.set_axisbelow(True)
    if what == "total":
        _slopes(ax, speed)
    else:
        ratio = median(speed["without"][what][-1]) / median(speed["with"][what][-1])
        _bracket(ax, speed, what, unit, f"{ratio:.0f}×")


def _slopes(ax, speed: dict) -> None:
    lines = [("without", VERMILION, 0.94), ("with", BLUE, 0.885)]
    for name, colour, y in lines:
        s = speed[name]["slope"]
        ax.text(0.04, y, f"slope {s['total']:.2f}  (FLOPs {s['total_flops']:.2f})", color=colour, fontsize=8.5,
                transform=ax.transAxes)


def _bracket(ax, speed: dict, what: str, unit: float, text: str) -> None:
    """An arrow from one curve to the other at the longest length."""
    x = speed["lengths"][-1]
    low, high = (median(speed[name][what][-1]) * unit for name in ("with", "without"))
    ax.annotate("", (x * 0.93, low * 1.12), (x * 0.93, high * 0.9), arrowprops={"arrowstyle": "<->", "color": GREY})
    ax.text(x * 0.88, (low * high) ** 0.5, text, ha="right", va="center", fontsize=13, fontweight="bold", color=BLACK)


def two_numbers(headline: dict):
    """The ratio of work and the ratio of time, and the rate that explains the difference."""
    work = headline["speed"]["work"]
    rows = [("tokens through the matrices", work["matmul_token_ratio"], ORANGE),
            ("FLOPs", work["flop_ratio"], ORANGE), ("seconds", work["time_ratio"], BLUE)]
    figure = Figure(figsize=(7.6, 2.9), layout="constrained")
    ax = figure.subplots()
    for y, (_, ratio, colour) in enumerate(rows):
        ax.barh(y, ratio, color=colour, height=0.62)
        ax.text(ratio * 1.03, y, f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×", va="center", fontweight="bold")
    slow, fast = work["gflops_per_second"][1], work["gflops_per_second"][0]
    ax.text(work["time_ratio"] * 1.75, 2, f"what is left runs at {slow:.2g} GFLOP/s,\nwhat was avoided ran at "
            f"{fast:.2g}", va="center", fontsize=9, color=GREY)
    ax.set_yticks(range(3), [name for name, _, _ in rows])
    ax.invert_yaxis()
    ax.set(xscale="log", xlim=(1, 330),
           xlabel=f"without a cache ÷ with one (prompt {work['prompt']}, {work['new']} new tokens)")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}×"))
    _title(figure, f"The cache avoids {1 - 1 / work['flop_ratio']:.1%} of the work, and "
           f"{1 - 1 / work['time_ratio']:.0%} of the time")
    return figure


def memory(headline: dict):
    """Formula as lines, the allocator's count as points."""
    m = headline["memory"]
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    ax = figure.subplots()
    for kind, colour in (("fp32", VERMILION), ("bf16", ORANGE), ("int8", BLUE)):
        formula, counted = ([v / 2**20 for v in m[key][kind]] for key in ("predicted", "measured"))
        ax.plot(m["lengths"], formula, color=colour, lw=1.6)
        ax.plot(m["lengths"], counted, "o", color=colour, ms=6)
        ax.annotate(f"{kind}\n{formula[-1] * 2**10 / m['lengths'][-1]:.1f} kiB per token",
                    (m["lengths"][-1], formula[-1]), (9, 0), textcoords="offset points", color=colour, va="center",
                    fontweight="bold", annotation_clip=False)
    ax.set(xlabel="tokens", ylabel="MiB of GPT-2's cache, batch 1", ylim=(0, None), xticks=m["lengths"])
    _title(figure, "2·L·B·T·H·D·bytes is exact: lines by formula, points allocated")
    return figure


# -- bench and break it ------------------------------------------------------------------------------------------------

def bench(results: dict):
    """Tokens per second of every contender at batch 1, with the limit that memory sets for its bytes."""
    tables = {threads: t["1"]["contenders"] for threads, t in results["threads"].items()}
    names = list(next(iter(tables.values())))
    names = [n for n in names if n.startswith("transformers")] + [n for n in names if not n.startswith("transformers")]
    figure = Figure(figsize=(4.3 * len(tables) + 1.6, 3.7), layout="constrained")
    axes = figure.subplots(1, len(tables), sharex=True, squeeze=False)
    gains = [g["got"] for g in results["goals"] if "fp32, batch 1" in g["goal"] and "gain" in g["goal"]]
    _title(figure, f"Same weights, same tokens, other layout: {max(gains):.2f}× transformers"
           if gains else "Weights laid out for decoding")
    for ax, (threads, rows) in zip(axes[0], tables.items(), strict=True):
        for y, name in enumerate(names):
            _bar(ax, y, name, rows[name])
        ax.set_yticks(range(len(names)), names if ax is axes[0][0] else [""] * len(names))
        ax.invert_yaxis()
        ax.set_title(f"batch 1, {threads} thread{'s' if threads != '1' else ''}")
        ax.set_xlabel("tokens/s with range of rounds; red: the most that memory allows", fontsize=8.5)
    return figure


def _bar(ax, y: int, name: str, row: dict) -> None:
    value, exact = median(row["per_second"]), name in ("as trained", "transposed", "packed", "fastest")
    colour = GREY if name.startswith("transformers") else BLUE if exact else ORANGE
    ax.barh(y, value, color=colour, height=0.66)
    ax.plot([min(row["per_second"]), max(row["per_second"])], [y, y], color=BLACK, lw=1.2)
    ax.annotate(f"{value:.0f}", (max(row["per_second"]), y), (4, 0), textcoords="offset points", va="center",
                fontsize=9)
    if "limit" in row:
        ax.plot([row["limit"]] * 2, [y - 0.36, y + 0.36], color=VERMILION, lw=2)


def break_it(results: dict):
    """Three mistakes in nats, one in bytes."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    _title(figure, "A broken cache does not crash: it predicts worse, or copies everything at every step")
    _no_offset(axes[0], results["no_offset"])
    _top_left(axes[1], results["top_left"])
    _copies(axes[2], results["concatenate"])
    return figure


def _no_offset(ax, r: dict) -> None:
    width = 16                                                    # bytes per point: single positions are noisy

    def smooth(values):
        return [sum(values[i:i + width]) / width for i in range(0, len(values) - width + 1, width)]

    x = [i + width / 2 for i in range(0, len(r["right"]) - width + 1, width)]
    ax.plot(x, smooth(r["wrong"]), color=VERMILION, lw=2)
    ax.plot(x, smooth(r["right"]), color=BLUE, lw=2)
    ax.axvline(r["prompt"], color=GREY, lw=1, ls=":")
    ax.text(0.03, 0.93, "no offset", color=VERMILION, fontweight="bold", transform=ax.transAxes)
    ax.text(0.03, 0.84, "right", color=BLUE, fontweight="bold", transform=ax.transAxes)
    ax.set(xlabel="position (prompt up to the dotted line)", title="every decoded byte at position 0",
           ylabel="nats per byte")
    ax.margins(y=0.25)


def _top_left(ax, r: dict) -> None:
    chunks = list(r["wrong"])
    ax.plot(range(len(chunks)), list(r["wrong"].values()), "o-", color=VERMILION, lw=2)
    ax.axhline(r["right"], color=BLUE, lw=2)
    ax.text(len(chunks) - 1, r["right"], "right", color=BLUE, va="bottom", ha="right", fontweight="bold")
    ax.text(1.1, list(r["wrong"].values())[2], "top left", color=VERMILION, ha="right", fontweight="bold")
    ax.set_xticks(range(len(chunks)), chunks)
    ax.set(xlabel="bytes per chunk", title="mask aligned at the top left", ylabel="nats per byte")
    ax.margins(y=0.15)


def _copies(ax, r: dict) -> None:
    for name, colour, text in (("growing", VERMILION, "concatenate"), ("static", BLUE, "in place")):
        y = [b / 2**20 for b in r["bytes"][name]]
        points = [(n, v) for n, v in zip(r["lengths"], y, strict=True) if v > 0]
        ax.plot(*zip(*points, strict=True), color=colour, lw=2)
        ax.annotate(text, points[-1], (-8, 0 if name == "growing" else 8), textcoords="offset points", ha="right",
                    color=colour, fontweight="bold")
    ax.set(xscale="log", yscale="log", xlabel="tokens", ylabel="MiB copied so far", title="a cache that concatenates")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_locator(NullLocator())
