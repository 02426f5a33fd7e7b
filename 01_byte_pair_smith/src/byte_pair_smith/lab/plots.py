"""Figures, drawn from the recorded results alone."""

from pathlib import Path
from statistics import median

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .families_tables import SHOWN
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW, figure, save

TINTS = ["#CFE5F5", "#FBE3B4", "#CDEADF", "#F6D3E2", "#E2DEF2"]
LIGHT_GREY = "#C9C9C9"
WHITE_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    figures = {
        "premium.png": ("headline", premium),
        "compression.png": ("headline", compression),
        "tokens.png": ("headline", tokens),
        "bench.png": ("bench", bench),
        "growth.png": ("bench", growth),
        "digits.png": ("break_it", digits),
        "families.png": ("families", families),
    }
    paths = []
    for name, (section, function) in figures.items():
        if section in results:
            paths.append(save(function(results[section]), Path(folder) / name))
    return paths


# ---------------------------------------------------------------- headline


def premium(section: dict) -> Figure:
    """Tokens for the same content relative to English, a dot for each tokenizer."""
    text = "declaration" if "declaration" in section["premium"] else "sentences"
    by_name = {name: {k: v["premium"] for k, v in row.items()} for name, row in section["premium"][text].items()}
    ours = section["premium"][text][next(iter(by_name))]
    languages = sorted(ours, key=lambda language: ours[language]["premium"])
    highest = f"{ours[languages[-1]]['premium']:.1f} times the tokens of English"
    content = {"declaration": "The Declaration of Human Rights", "sentences": "One sentence"}[text]
    fig = figure(f"{content} takes up to {highest}", (8.4, 7.2))
    ax = fig.subplots()
    for y, language in enumerate(languages):
        ax.plot([1, max(row[language] for row in by_name.values())], [y, y], color="#E4E4E4", lw=1.5, zorder=1)
    for n, (name, row) in enumerate(by_name.items()):
        color = (VERMILION, BLUE, GREEN, PURPLE)[n]
        ax.scatter([row[language] for language in languages], range(len(languages)), color=color, s=34, zorder=3)
        ax.text(0.98, 0.34 - 0.04 * n, name, color=color, transform=ax.transAxes, ha="right", fontweight="bold")
    limit = [ours[language]["bytes"] / ours["English"]["tokens"] for language in languages]
    ax.scatter(limit, range(len(languages)), marker="|", color=GREY, s=60, zorder=2)
    note = "one token per byte,\nthe most that ours can take"
    ax.annotate(note, (limit[0], 0), (8, 0), textcoords="offset points", color=GREY, va="center", fontsize=8.5)
    ax.axvline(1, color=BLACK, lw=1)
    ax.set_yticks(range(len(languages)), languages)
    ax.set(xlim=(0.7, max(limit) * 1.04), ylim=(-0.8, len(languages) - 0.2))
    ax.set_xlabel("premium: tokens ÷ tokens of the English text")
    return fig


def compression(section: dict) -> Figure:
    """Bytes per token by vocabulary size, and the limit that the split sets."""
    c = section["compression"]
    x = c["sizes"]
    fig = figure("Each doubling of the vocabulary gains less, and next to nothing for unseen languages", (7.6, 4.3))
    ax = fig.subplots()
    for (kind, curves), color in zip(c["curves"].items(), (BLUE, ORANGE, VERMILION), strict=True):
        columns = list(zip(*curves, strict=True))
        y = list(map(median, columns))
        ax.fill_between(x, list(map(min, columns)), list(map(max, columns)), color=color, alpha=0.25, lw=0)
        ax.plot(x, y, color=color, lw=2.2)
        style = {"textcoords": "offset points", "va": "center", "fontweight": "bold"}
        ax.annotate(kind, (x[-1], y[-1]), (6, 0), color=color, **style)
        if kind != "24 other languages":
            ax.axhline(c["limits"][kind], color=color, lw=1, ls=(0, (4, 3)))
    top = max(list(c["limits"].values())[:2])
    ax.text(x[0], top + 0.06, "dashed: bytes per pre-token, which merges do not cross", fontsize=8.5, color=GREY)
    ax.axhline(1, color=GREY, lw=1)
    ax.text(x[-1], 0.97, "one token per byte", fontsize=8.5, color=GREY, ha="right", va="top")
    ax.set(xscale="log", xlabel="vocabulary size (tokens)", ylabel="bytes per token", ylim=(0.8, None))
    ticks = [n for n in (256, 512, 1024, 2048, 4096, 8192) if n <= x[-1]]
    ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    return fig


def tokens(section: dict) -> Figure:
    """The same texts under each tokenizer."""
    view = {name: section["view"][name] for name in ("prose", "code", "numbers") if name in section["view"]}
    rows = [(label, cells) for by_label in view.values() for label, cells in by_label.items()]
    height = 0.46 * len(rows) + 0.6
    claim = "The same text becomes other tokens in each vocabulary: a colour is a token, a dot a space"
    fig = figure(claim, (11, height), layout=None)
    ax = fig.subplots()
    fig.subplots_adjust(left=0.155, right=0.995, top=1 - 0.5 / height, bottom=0.01)
    for y, (label, cells) in enumerate(rows):
        x = 0.0
        for n, (visible, _) in enumerate(cells):
            width = len(visible) + 0.2
            ax.barh(y, width, left=x, height=0.62, color=TINTS[n % len(TINTS)], lw=0)
            style = {"ha": "center", "va": "center", "family": "monospace", "fontsize": 8.2}
            ax.text(x + width / 2, y, visible.replace("$", r"\$"), **style)
            x += width + 0.15
        ax.text(-1, y, f"{label}: {len(cells)}", ha="right", va="center", fontsize=8.5, color=GREY)
    widest = max(sum(len(visible) + 0.35 for visible, _ in cells) for _, cells in rows)
    ax.set(xlim=(0, widest), ylim=(len(rows) - 0.6, -0.4))
    ax.axis("off")
    return fig


# ---------------------------------------------------------------- bench


def bench(section: dict) -> Figure:
    """MB/s of training and encoding, ours and theirs, at the largest vocabulary."""
    size = max(section["train"], key=int)
    claim = "Pure Python keeps up with tokenizers in training; warm, it encodes nearly as fast as it splits"
    fig = figure(claim, (11, 3.9))
    for ax, name in zip(fig.subplots(1, 2), ("train", "encode"), strict=True):
        seconds = section[name][size]["seconds"]
        sides = sorted(seconds, key=lambda side: median(seconds[side]), reverse=True)
        for y, side in enumerate(sides):
            speed = [section["bytes"] / s / 1e6 for s in seconds[side]]
            color = BLUE if side.startswith("ours") else LIGHT_GREY if "split" in side else ORANGE
            ax.barh(y, median(speed), color=color, height=0.62)
            ax.plot([min(speed), max(speed)], [y, y], color=BLACK, lw=1.2)
            ax.text(max(speed), y, f"  {median(speed):.1f}", va="center", fontsize=9)
        ax.set_yticks(range(len(sides)), sides)
        ax.set_xlabel("MB per CPU second (black: range)")
        ax.set_title({"train": f"training at {int(size):,}", "encode": f"encoding at {int(size):,}"}[name])
        ax.set_xlim(0, ax.get_xlim()[1] * 1.08)
    return fig


def growth(section: dict) -> Figure:
    """Cost against size on logarithmic axes, with the exponent of each."""
    claim = "Training is near-linear in its text, and the heap in its word (dashed: proportional)"
    fig = figure(claim, (11, 3.6))
    panels = {
        "characters of text": ["text"],
        "vocabulary size": ["vocabulary"],
        "bytes in one word": ["word, search", "word, heap"],
    }
    axes = fig.subplots(1, 3)
    for ax, (label, names) in zip(axes, panels.items(), strict=True):
        for name, color in zip(names, (VERMILION, BLUE)[-len(names) :], strict=True):
            draw_growth(ax, name, section["growth"][name], color)
        line = section["growth"][names[-1]]
        proportional = [line["seconds"][-1] * x / line["x"][-1] for x in line["x"]]
        ax.plot(line["x"], proportional, color=GREY, lw=1, ls=(0, (4, 3)))
        ax.set(xscale="log", yscale="log", xlabel=label)
        ax.set_xticks(line["x"], [binary(n) for n in line["x"]])
        ax.yaxis.set_major_locator(LogLocator(subs=(1,) if len(names) == 2 else (1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_locator(NullLocator())
    axes[0].set_ylabel("CPU seconds")
    return fig


def draw_growth(ax, name: str, curve: dict, color: str) -> None:
    """One curve and its exponent."""
    ax.plot(curve["x"], curve["seconds"], "o-", color=color, lw=2, ms=4)
    text = f"{name.removeprefix('word, ')}: exponent {curve['exponent']:.2f}"
    style = {"ha": "right", "color": color, "fontweight": "bold", "fontsize": 9}
    if name == "word, heap":
        ax.text(1, 0.1, text, transform=ax.transAxes, **style)
    else:
        ax.annotate(text, (curve["x"][-1], curve["seconds"][-1]), (0, 7), textcoords="offset points", **style)


def binary(n: int) -> str:
    """A size in units of 1,024."""
    return next((f"{n / 1024**k:.0f}{unit}" for k, unit in ((2, "Mi"), (1, "Ki")) if n >= 1024**k), str(n))


# ---------------------------------------------------------------- break it


def digits(section: dict) -> Figure:
    """How three rules split four-digit numbers, and how often a sum's columns line up."""
    rules = section["digits"]
    colors = [BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, YELLOW, GREY]
    shapes = sorted({shape for rule in rules.values() for shape in rule["shapes"]}, key=lambda s: (s.count("+"), s))
    fig = figure("Only with one digit a token do the columns of every sum line up", (8.6, 3.1))
    ax = fig.subplots()
    for y, rule in enumerate(rules.values()):
        x = 0.0
        for n, shape in enumerate(shapes):
            share = rule["shapes"].get(shape, 0.0)
            ax.barh(y, share, left=x, color=colors[n % len(colors)], height=0.62, edgecolor="white")
            if share > 0.06:
                style = {"ha": "center", "va": "center", "fontsize": 9, "color": "white", "fontweight": "bold"}
                ax.text(x + share / 2, y, shape, **style)
            x += share
        ax.text(1.015, y, f"columns line up\nin {rule['aligned']:.0%} of sums", va="center", fontsize=9)
    ax.set_yticks(range(len(rules)), list(rules))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.24), xlabel="share of the numbers 1000 to 9999, by the lengths of their tokens")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0%}"))
    return fig


# ---------------------------------------------------------------- the side quest


def families(section: dict) -> Figure:
    """Loss per token beside bits per byte, family by family."""
    rows, at = section["families"], SHOWN - 1
    places = range(len(rows), 0, -1)
    fig = figure("Loss per token ranks tokenizers backwards; bits per byte can be compared", (9.5, 4.4))
    left, right = fig.subplots(1, 2, sharey=True)
    for place, family in zip(places, rows.values(), strict=True):
        whole, free = family["bits_per_byte"][at], family["bits_per_byte_unknowns_free"][at]["median"]
        fallback = whole["median"] - free
        bar(left, place, family["bits_per_token"][at], BLUE)
        bar(right, place, whole, ORANGE, f", {fallback:.2f} of it for <unk>" if fallback > 0.01 else "")
        right.barh(place, free, height=0.62, color=BLUE)
    best_bytes = min(value["median"] for value in rows["bytes"]["bits_per_byte"])
    right.axvline(best_bytes, color=BLACK, linestyle=":", linewidth=1)
    note = f" bytes, {section['order']}-gram: {best_bytes:.2f}"
    right.text(best_bytes, len(rows) + 0.45, note, fontsize=8.5)
    left.set(xlabel="3-gram loss, bits per token", xlim=(0, 1.12 * left.get_xlim()[1]))
    right.set(xlabel="3-gram loss, bits per byte of held-out text", xlim=(0, 1.12 * right.get_xlim()[1]))
    left.set_yticks(list(places), list(rows))
    left.set_ylim(0.4, len(rows) + 0.8)
    for ax in (left, right):
        ax.tick_params(axis="y", length=0)
    return fig


def bar(ax, place: int, value: dict, color: str, note: str = "") -> None:
    """One bar at the median, its range as a line, its value at the end."""
    ax.barh(place, value["median"], height=0.62, color=color)
    ax.plot([value["low"], value["high"]], [place, place], color=BLACK, linewidth=1.4)
    style = {"textcoords": "offset points", "va": "center", "fontsize": 9, "bbox": WHITE_BOX}
    ax.annotate(f"{value['median']:.2f}{note}", (max(value["median"], value["high"]), place), (5, 0), **style)
