"""Figures, drawn from the results dictionary alone. Colours are Okabe and Ito's, told apart by all kinds of eyes."""
import os
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
GREY, BLACK = "#8A8A8A", "#222222"
CYCLE = [BLUE, VERMILION, GREEN, ORANGE, PURPLE, "#5B5B5B", "#A0522D", SKY]
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11,
         "axes.edgecolor": "#555555", "axes.titlelocation": "left", "figure.facecolor": "white"}
MAP_TITLES = {"headline": "Words that keep the same company lie together: sixteen families from Python's documentation",
              "novels": "Words that keep the same company lie together: sixteen families from 27 English novels"}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    wanted = {"headline.png": ("headline", lambda r: word_map(r["map"], MAP_TITLES["headline"])),
              "exact.png": ("headline", lambda r: exact(r["exact"])),
              "bench.png": ("bench", bench), "break_it.png": ("break_it", break_it),
              "novels.png": ("novels", novels),
              "novels_words.png": ("novels", lambda r: word_map(r["map"], MAP_TITLES["novels"]))}
    paths = []
    for name, (section, function) in wanted.items():
        if section in results:
            with matplotlib.rc_context(STYLE):
                paths.append(_save(function(results[section]), folder / name))
    return paths


def _save(figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    FigureCanvasAgg(figure)         # no pyplot: a notebook that imports this keeps its own way of showing figures
    figure.savefig(beside, dpi=150, format="png")
    beside.replace(path)
    return path


# -- the map -----------------------------------------------------------------------------------------------------------

def word_map(picture: dict, title: str):
    """Every head and its family in a colour; the heads are set in bold."""
    xy, family = np.array(picture["xy"]), np.array(picture["family"])
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    FigureCanvasAgg(figure)         # measures the words before they are placed
    axes = figure.subplots()
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.scatter(*xy.T, s=14, color=[CYCLE[f % len(CYCLE)] for f in family], linewidths=0)
    figure.draw_without_rendering()         # settles scales and margins, on which the words' places depend
    boxes: list = []
    heads = len(picture["heads"])
    order = sorted(range(len(xy)), key=lambda i: picture["words"][i] not in picture["heads"])
    for place, i in enumerate(order):
        _label(figure, axes, xy[i], picture["words"][i], CYCLE[family[i] % len(CYCLE)], place < heads, boxes)
    axes.text(0, -0.015, f"bold: {heads} words chosen beforehand; the others are the six nearest of each in 100 "
              "dimensions; flattened by t-SNE, whose axes have no unit", transform=axes.transAxes, fontsize=8,
              color=GREY, va="top")
    return figure


def _label(figure, axes, point, word: str, colour: str, bold: bool, boxes: list) -> None:
    """Writes a word beside its dot, on the side where it covers no other; if there is none, not at all."""
    for dx, dy, ha in ((4, 2, "left"), (-4, 2, "right"), (4, -8, "left"), (-4, -8, "right"), (0, 6, "center")):
        text = axes.annotate(word, point, xytext=(dx, dy), textcoords="offset points", fontsize=10 if bold else 8.5,
                             color=colour, ha=ha, fontweight="bold" if bold else "normal")
        box = text.get_window_extent(figure.canvas.get_renderer())
        if not any(box.overlaps(other) for other in boxes):
            boxes.append(box)
            return
        text.remove()


# -- the exact result --------------------------------------------------------------------------------------------------

def exact(result: dict):
    """Left: correlation against dimensions. Right: the scores themselves, at full dimension and at four."""
    rows = result["rows"]
    d = [r["dimensions"] for r in rows]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"Skip-gram's optimum is PMI − log k: with all {d[-1]} dimensions the scores agree to "
                    f"{rows[-1]['largest_deviation']:.3f} nats", x=0.01, ha="left", fontsize=12)
    left.axhline(1, color=GREY, lw=0.8, ls="--")
    left.plot(d, [r["svd"] for r in rows], "o-", color=ORANGE, ms=4)
    left.plot(d, [r["correlation"] for r in rows], "o-", color=BLUE, ms=4)
    left.text(0.3, 0.50, "truncated SVD of PMI − log k", color=ORANGE, transform=left.transAxes)
    left.text(0.3, 0.43, "skip-gram with that many dimensions", color=BLUE, transform=left.transAxes)
    left.set(xlabel="dimensions", ylabel="correlation of scores with PMI − log k", ylim=(-0.05, 1.05))
    want = np.array(result["optimum"])
    lim = (min(want) - 0.4, max(want) + 0.4)
    right.plot(lim, lim, color=GREY, lw=0.8, ls="--")
    for row, colour in zip([r for r in rows if "scores" in r][-2:], (VERMILION, BLUE), strict=False):
        right.scatter(want, row["scores"], s=5, color=colour, linewidths=0)
        right.text(0.03, 0.94 if colour == BLUE else 0.87, f"{row['dimensions']} dimensions, r = "
                   f"{row['correlation']:.7f}" if colour == BLUE else f"{row['dimensions']} dimensions, r = "
                   f"{row['correlation']:.2f}", color=colour, transform=right.transAxes)
    right.set(xlabel=f"PMI − log {result['negatives']}  (nats)", ylabel="w · c after training", xlim=lim)
    return figure


# -- speed -------------------------------------------------------------------------------------------------------------

def bench(result: dict):
    """Words a second of every side, all rounds, beside what the machine allows."""
    speed = dict(sorted(result["speed"].items(), key=lambda item: np.median(item[1])))
    limit = result["limit"]["words_per_second"]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, (name, runs) in enumerate(speed.items()):
        value = np.median(runs) / 1e3
        colour = BLUE if name.startswith("blocks") else ORANGE if name.startswith("gensim") else GREY
        axes.barh(i, value, color=colour, alpha=0.85, height=0.62)
        axes.plot(np.array(runs) / 1e3, [i] * len(runs), "|", color=BLACK, ms=9)
        axes.text(max(runs) / 1e3 * 1.03 + 8, i, f"{value:,.0f}", va="center")
    axes.axvline(limit / 1e3, color=VERMILION, ls="--", lw=1)
    axes.text(limit / 1e3, -0.95, "bytes and FLOPs of the blocks at \nthis machine's full speed, 1 thread ",
              color=VERMILION, ha="right", va="bottom", fontsize=8)
    axes.set_yticks(range(len(speed)), list(speed))
    axes.set(xlabel="thousand words a second (bar: median; strokes: every run)", xlim=(0, 1.08 * max(
        limit / 1e3, *(max(r) / 1e3 for r in speed.values()))), ylim=(-1, len(speed) - 0.4))
    axes.set_title("Shared noise words turn vector work into matrix products" + (
        ", and on one thread pass gensim" if _beats(speed) else ""))
    return figure


def _beats(speed: dict) -> bool:
    """Whether the blocks are faster than gensim on one thread, if it was there."""
    peer = speed.get("gensim, 1 thread")
    return bool(peer) and bool(np.median(speed["blocks, 1 thread"]) > np.median(peer))


# -- what goes wrong ---------------------------------------------------------------------------------------------------

MEASURES = {"cosine": "mean cosine of\nrandom pairs, %", "frequent_neighbours": "words with a top-20\nword beside, %",
            "same_ending": "neighbours with the\nsame ending, %", "met_often": "neighbours that meet\nin the text, %",
            "analogies": "analogies of word\nforms right, %"}


def break_it(result: dict):
    """A row for each variant, a column for each measure."""
    variants = result["variants"]
    figure = Figure(figsize=(11, 3.5), layout="constrained")
    panels = figure.subplots(1, len(MEASURES), sharey=True)
    figure.suptitle("Noise, word order and dimensions carry the meaning; the window decides which meaning", x=0.01,
                    ha="left", fontsize=12)
    names = list(variants)[::-1]
    for axes, (key, title) in zip(panels, MEASURES.items(), strict=True):
        values = [variants[name][key] for name in names]
        colours = [BLUE if name == "as it should be" else VERMILION for name in names]
        axes.barh(names, values, color=colours, height=0.62)
        axes.axvline(variants["as it should be"][key], color=BLUE, lw=0.8, ls="--")
        for i, value in enumerate(values):
            axes.text(max(value, 0) + 2, i, f"{value:.0f}", va="center", fontsize=9)
        axes.set_title(title, fontsize=9)
        axes.set(xlim=(min(0, *values), 118), xticks=[0, 50, 100])
    return figure


# -- the novels --------------------------------------------------------------------------------------------------------

NOVEL_MARKS = {"family": "family analogies, % right", "grammar": "grammar analogies, % right",
               "wordsim353": "WordSim-353, Spearman × 100", "simlex999": "SimLex-999, Spearman × 100"}


def novels(result: dict):
    """Both sides on four marks, every run a point."""
    sides = result["sides"]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots()
    for row, key in enumerate(reversed(NOVEL_MARKS)):
        for side, colour, shift in (("ours", BLUE, 0.14), ("gensim", ORANGE, -0.14)):
            runs = sides.get(side, {}).get(key, [])
            axes.plot(runs, [row + shift] * len(runs), "o", color=colour, alpha=0.75, ms=7)
            if runs:
                axes.text(max(runs) + 1, row + shift, f"{side} {np.mean(runs):.1f}", color=colour, va="center",
                          fontsize=9)
    axes.set_yticks(range(len(NOVEL_MARKS)), list(reversed(NOVEL_MARKS.values())))
    axes.set(xlim=(0, 65), ylim=(-0.5, len(NOVEL_MARKS) - 0.4), xlabel="a point is a run with its own seed, the number "
             "the mean of its points")
    axes.set_title(f"{result['text']['words'] / 1e6:.1f} million words of novels, {result['text']['epochs']} epochs: "
                   "on every mark the two lie close together")
    axes.grid(axis="x", color="#EEEEEE")
    axes.set_axisbelow(True)
    return figure
