"""Figures, drawn from the results dictionary alone. Colours are Okabe and Ito's, told apart by all kinds of eyes."""
from pathlib import Path
from statistics import median

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY, BLACK = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#8A8A8A",
                                                       "#222222")
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11,
         "axes.edgecolor": "#555555", "axes.titlelocation": "left", "axes.titleweight": "bold",
         "figure.facecolor": "white"}
TINTS = ["#CFE5F5", "#FBE3B4", "#CDEADF", "#F6D3E2", "#E2DEF2"]


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    wanted = {"tax.png": ("headline", tax), "compression.png": ("headline", compression),
              "tokens.png": ("headline", tokens), "bench.png": ("bench", bench), "growth.png": ("bench", growth),
              "digits.png": ("break_it", digits)}
    paths = []
    for name, (section, function) in wanted.items():
        if section in results:
            with rc_context(STYLE):
                paths.append(save(function(results[section]), folder / name))
    return paths


def save(figure: Figure, path: Path) -> Path:
    """Write the figure beside its place and rename it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name("." + path.name)
    figure.savefig(beside, dpi=150, format="png")
    beside.replace(path)
    return path


# ---------------------------------------------------------------- headline

def tax(headline: dict) -> Figure:
    """Tokens for the same content beside English, a dot for each tokenizer."""
    text = "declaration" if "declaration" in headline["tax"] else "sentences"
    prices = headline["tax"][text]
    names = list(prices)
    first = prices[names[0]]
    languages = sorted(first, key=lambda language: first[language]["tax"])
    figure = Figure(figsize=(8.4, 7.2), layout="constrained")
    ax = figure.subplots()
    for y, language in enumerate(languages):
        values = [prices[name][language]["tax"] for name in names]
        ax.plot([1, max(values)], [y, y], color="#E4E4E4", lw=1.5, zorder=1)
    apart = max(languages, key=lambda language: gap([prices[name][language]["tax"] for name in names]))
    for name, colour in zip(names, (VERMILION, BLUE, GREEN), strict=False):
        x = [prices[name][language]["tax"] for language in languages]
        ax.scatter(x, range(len(languages)), color=colour, s=34, zorder=3)
        ax.annotate(name.split(",")[0], (x[languages.index(apart)], languages.index(apart)), (0, 7), color=colour,
                    textcoords="offset points", ha="center", fontweight="bold", fontsize=9)
    ceiling = [first[language]["bytes"] / first["English"]["tokens"] for language in languages]
    ax.scatter(ceiling, range(len(languages)), marker="|", color=GREY, s=60, zorder=2)
    ax.annotate("one token per byte,\nthe most ours can cost", (ceiling[0], 0), (8, 0), textcoords="offset points",
                color=GREY, va="center", fontsize=8.5)
    ax.axvline(1, color=BLACK, lw=1)
    ax.set_yticks(range(len(languages)), languages)
    ax.set(xlabel="tokens ÷ tokens of the English text", xlim=(0.7, max(ceiling) * 1.04),
           ylim=(-0.8, len(languages) - 0.2))
    what = {"declaration": "The Declaration of Human Rights", "sentences": "One sentence"}[text]
    dearest = languages[-1]
    figure.suptitle(f"{what} costs up to {first[dearest]['tax']:.1f} times the tokens of English",
                    x=0.01, ha="left", fontweight="bold", fontsize=11)
    return figure


def gap(values: list[float]) -> float:
    """The smallest distance between two of the values."""
    ordered = sorted(values)
    return min((b - a for a, b in zip(ordered, ordered[1:], strict=False)), default=0.0)


def compression(headline: dict) -> Figure:
    """Bytes per token by vocabulary size, and the limit that the split sets."""
    found = headline["compression"]
    figure = Figure(figsize=(7.6, 4.3), layout="constrained")
    ax = figure.subplots()
    x = found["sizes"]
    for (kind, curves), colour in zip(found["curves"].items(), (BLUE, ORANGE, VERMILION), strict=True):
        y = [median(curve[i] for curve in curves) for i in range(len(x))]
        low, high = ([pick(curve[i] for curve in curves) for i in range(len(x))] for pick in (min, max))
        ax.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
        ax.plot(x, y, color=colour, lw=2.2)
        ax.annotate(kind, (x[-1], y[-1]), (6, 0), textcoords="offset points", color=colour, va="center",
                    fontweight="bold")
        if kind != "24 other languages":
            ax.axhline(found["limits"][kind], color=colour, lw=1, ls=(0, (4, 3)))
    ax.text(x[0], max(found["limits"][k] for k in list(found["limits"])[:2]) + 0.06,
            "dashed: bytes per piece of the split, which no merge crosses", fontsize=8.5, color=GREY)
    ax.axhline(1, color=GREY, lw=1)
    ax.text(x[-1], 0.97, "one token per byte", fontsize=8.5, color=GREY, ha="right", va="top")
    ax.set(xscale="log", xlabel="vocabulary size (tokens)", ylabel="bytes per token", ylim=(0.8, None))
    ticks = [n for n in (256, 512, 1024, 2048, 4096, 8192) if n <= x[-1]]
    ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_title("Each doubling of the vocabulary buys less, and next to nothing for unseen languages")
    return figure


def tokens(headline: dict) -> Figure:
    """The same texts as each tokenizer sees them."""
    view = {name: headline["view"][name] for name in ("prose", "code", "numbers") if name in headline["view"]}
    rows = [(name, label, cells) for name, per in view.items() for label, cells in per.items()]
    figure = Figure(figsize=(11, 0.46 * len(rows) + 0.6))
    ax = figure.subplots()
    figure.subplots_adjust(left=0.155, right=0.995, top=1 - 0.5 / (0.46 * len(rows) + 0.6), bottom=0.01)
    widest = max(sum(len(seen) + 0.35 for seen, _ in cells) for _, _, cells in rows)
    for y, (_, label, cells) in enumerate(rows):
        x = 0.0
        for n, (seen, _) in enumerate(cells):
            width = len(seen)
            ax.barh(y, width + 0.2, left=x, height=0.62, color=TINTS[n % len(TINTS)], lw=0)
            ax.text(x + (width + 0.2) / 2, y, seen.replace("$", r"\$"), ha="center", va="center", family="monospace",
                    fontsize=8.2)
            x += width + 0.35
        ax.text(-1, y, f"{label}: {len(cells)}", ha="right", va="center", fontsize=8.5, color=GREY)
    ax.set(xlim=(0, widest), ylim=(len(rows) - 0.6, -0.4))
    ax.axis("off")
    figure.suptitle("The same texts, cut by each vocabulary: a colour is a token, a dot a space", x=0.012, ha="left",
                    fontweight="bold", fontsize=12)
    return figure


# ---------------------------------------------------------------- bench

def bench(found: dict) -> Figure:
    """MB/s of training and encoding, ours and theirs, at the largest vocabulary."""
    size = list(found["train"])[-1]
    figure = Figure(figsize=(11, 3.9), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, what in zip(axes, ("train", "encode"), strict=True):
        seconds = found[what][size]["seconds"]
        names = sorted(seconds, key=lambda name: median(seconds[name]), reverse=True)
        for y, name in enumerate(names):
            speed = [found["bytes"] / s / 1e6 for s in seconds[name]]
            colour = BLUE if name.startswith("ours") else "#C9C9C9" if "split" in name else ORANGE
            ax.barh(y, median(speed), color=colour, height=0.62)
            ax.plot([min(speed), max(speed)], [y, y], color=BLACK, lw=1.2)
            ax.text(max(speed), y, f"  {median(speed):.1f}", va="center", fontsize=9)
        ax.set_yticks(range(len(names)), names)
        ax.set_xlabel("MB per CPU second (black: range)")
        ax.set_title({"train": f"training at {int(size):,}", "encode": f"encoding at {int(size):,}"}[what])
        ax.set_xlim(0, ax.get_xlim()[1] * 1.08)
    figure.suptitle("Pure Python trains faster than tokenizers, and encodes at the speed of its regular expression",
                    x=0.008, ha="left", fontweight="bold", fontsize=12)
    return figure


def growth(found: dict) -> Figure:
    """Cost against size, on logarithmic axes, with the exponent of each."""
    found = found["growth"]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, names, label in zip(axes, (["text"], ["vocabulary"], ["word, search", "word, heap"]),
                                ("characters of text", "vocabulary size", "bytes in one word"), strict=True):
        for name, colour in zip(names, (VERMILION, BLUE) if len(names) == 2 else (BLUE,), strict=True):
            g = found[name]
            ax.plot(g["x"], g["seconds"], "o-", color=colour, lw=2, ms=4)
            text = f"{name.removeprefix('word, ')}: exponent {g['exponent']:.2f}"
            if name == "word, heap":
                ax.text(1, 0.1, text, transform=ax.transAxes, ha="right", color=colour, fontweight="bold", fontsize=9)
            else:
                ax.annotate(text, (g["x"][-1], g["seconds"][-1]), (0, 7), textcoords="offset points", ha="right",
                            color=colour, fontweight="bold", fontsize=9)
        line = found[names[-1]]
        proportion = [line["seconds"][-1] * x / line["x"][-1] for x in line["x"]]
        ax.plot(line["x"], proportion, color=GREY, lw=1, ls=(0, (4, 3)))
        ax.set(xscale="log", yscale="log", xlabel=label)
        ax.set_xticks(line["x"], [binary(n) for n in line["x"]])
        ax.yaxis.set_major_locator(LogLocator(subs=(1,) if len(names) == 2 else (1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_locator(NullLocator())
    axes[0].set_ylabel("CPU seconds")
    figure.suptitle("Training is near-linear in its text, and so is the heap in its word (dashed: in proportion)",
                    x=0.008, ha="left", fontweight="bold", fontsize=12)
    return figure


def binary(n: int) -> str:
    """A size in units of 1,024."""
    return next((f"{n / 1024**k:.0f}{unit}" for k, unit in ((2, "Mi"), (1, "Ki")) if n >= 1024**k), str(n))


# ---------------------------------------------------------------- break it

def digits(found: dict) -> Figure:
    """How four-digit numbers are cut under three rules, and how often a sum's columns line up."""
    found = found["digits"]
    shades = [BLUE, ORANGE, GREEN, PURPLE, VERMILION, "#56B4E9", "#F0E442", GREY]
    figure = Figure(figsize=(8.6, 3.1), layout="constrained")
    ax = figure.subplots()
    shapes = sorted({shape for rule in found.values() for shape in rule["shapes"]}, key=lambda s: (s.count("+"), s))
    for y, (_, rule) in enumerate(found.items()):
        x = 0.0
        for shape in shapes:
            share = rule["shapes"].get(shape, 0.0)
            ax.barh(y, share, left=x, color=shades[shapes.index(shape) % len(shades)], height=0.62, edgecolor="white")
            if share > 0.06:
                ax.text(x + share / 2, y, shape, ha="center", va="center", fontsize=9, color="white", fontweight="bold")
            x += share
        ax.text(1.015, y, f"columns line up\nin {rule['aligned']:.0%} of sums", va="center", fontsize=9)
    ax.set_yticks(range(len(found)), list(found))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.24), xlabel="share of the numbers 1000 to 9999, by the lengths of their tokens")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0%}"))
    ax.set_title("Only with one digit a token do the columns of every sum line up")
    return figure
