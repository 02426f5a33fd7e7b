"""Figures, drawn from the results dictionary alone."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .break_it import BASELINE
from .foundation_plots import descent, estimation
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, save

GROUP_COLORS = [BLUE, VERMILION, GREEN, ORANGE, PURPLE, "#5B5B5B", "#A0522D", SKY]
DATA_COLORS = {"iris": BLUE, "wine": VERMILION, "breast cancer": GREEN}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    makers = {
        "headline.png": ("headline", lambda r: word_map(r["map"], "Python's documentation")),
        "exact.png": ("headline", lambda r: exact(r["exact"])),
        "bench.png": ("bench", bench),
        "break_it.png": ("break_it", break_it),
        "novels.png": ("novels", novels),
        "novels_words.png": ("novels", lambda r: word_map(r["map"], "27 English novels")),
        "estimation.png": ("foundations", estimation),
        "descent.png": ("foundations", descent),
        "smollm2.png": ("smollm2", real_space),
        "smollm2_words.png": (
            "smollm2",
            lambda r: word_map(r["map"], "SmolLM2's matrix", "Most words of a kind lie together"),
        ),
        "probes.png": ("probes", lambda r: probes(r["compare"]["rows"])),
    }
    return [
        save(maker(results[section]), folder / name) for name, (section, maker) in makers.items() if section in results
    ]


# -- the map -----------------------------------------------------------------------------------------------------------


def word_map(content: dict, text: str, claim: str = "Words with the same neighbors lie together") -> Figure:
    """Every head and its group in a color; the heads are set in bold."""
    xy, group = np.array(content["xy"]), np.array(content["group"])
    heads = content["heads"]
    fig = figure(f"{claim}: {len(heads)} groups from {text}", (10, 6.4))
    FigureCanvasAgg(fig)  # measures the words before they are placed
    ax = fig.subplots()
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.scatter(*xy.T, s=14, color=[GROUP_COLORS[g % len(GROUP_COLORS)] for g in group], linewidths=0)
    fig.draw_without_rendering()  # settles the scales, on which the words' places depend
    boxes: list = []
    heads_first = sorted(range(len(xy)), key=lambda i: content["words"][i] not in heads)
    for i in heads_first:
        word = content["words"][i]
        place_word(fig, ax, xy[i], word, GROUP_COLORS[group[i] % len(GROUP_COLORS)], word in heads, boxes)
    note = "bold: words chosen beforehand; the others are the six nearest of each; flattened by t-SNE: no unit"
    ax.text(0, -0.015, note, transform=ax.transAxes, fontsize=8, color=GREY, va="top")
    return fig


def place_word(fig: Figure, ax, point, word: str, color: str, bold: bool, boxes: list) -> None:
    """Writes a word next to its dot where it covers no other word. If there is no such place, it is left out."""
    weight = "bold" if bold else "normal"
    for dx, dy, align in ((4, 2, "left"), (-4, 2, "right"), (4, -8, "left"), (-4, -8, "right"), (0, 6, "center")):
        text = ax.annotate(word, point, (dx, dy), textcoords="offset points", fontsize=10 if bold else 8.5,
                           color=color, ha=align, fontweight=weight)  # fmt: skip
        box = text.get_window_extent(fig.canvas.get_renderer())
        if not any(box.overlaps(other) for other in boxes):
            boxes.append(box)
            return
        text.remove()


# -- the exact result --------------------------------------------------------------------------------------------------


def exact(content: dict) -> Figure:
    """Left: correlation by dimensions. Right: the scores at full dimension and at four."""
    rows = content["rows"]
    dims = [row["dimensions"] for row in rows]
    fig = figure(
        f"Skip-gram's optimum is PMI − log k: with all {dims[-1]} dimensions the scores agree to "
        f"{rows[-1]['largest_deviation']:.1g} nats",
        (10, 4.2),
    )
    left, right = fig.subplots(1, 2)
    left.axhline(1, color=GREY, lw=0.8, ls="--")
    left.plot(dims, [row["svd"] for row in rows], "o-", color=ORANGE, ms=4)
    left.plot(dims, [row["correlation"] for row in rows], "o-", color=BLUE, ms=4)
    left.text(0.3, 0.50, "truncated SVD of PMI − log k", color=ORANGE, transform=left.transAxes)
    left.text(0.3, 0.43, "skip-gram with that many dimensions", color=BLUE, transform=left.transAxes)
    left.set(xlabel="dimensions", ylabel="correlation of scores with PMI − log k", ylim=(-0.05, 1.05))
    want = np.array(content["optimum"])
    limits = (want.min() - 0.4, want.max() + 0.4)
    right.plot(limits, limits, color=GREY, lw=0.8, ls="--")
    shown = [row for row in rows if "scores" in row][-2:]
    for row, color, y in zip(shown, (VERMILION, BLUE), (0.87, 0.94), strict=False):
        right.scatter(want, row["scores"], s=5, color=color, linewidths=0)
        text = f"{row['dimensions']} dimensions, r = {row['correlation']:.{8 if row['correlation'] > 0.999 else 2}f}"
        right.text(0.03, y, text, color=color, transform=right.transAxes)
    right.set(xlabel=f"PMI − log {content['negatives']}  (nats)", ylabel="w · c after training", xlim=limits)
    return fig


# -- speed -------------------------------------------------------------------------------------------------------------


def bench(content: dict) -> Figure:
    """Words a second of every side, all rounds, and what the machine allows."""
    speed = dict(sorted(content["speed"].items(), key=lambda item: np.median(item[1])))
    limit = content["limit"]["words_per_second"] / 1e3
    fig = figure("Shared negatives turn vector work into matrix products" + _against_gensim(speed), (9, 3.6))
    ax = fig.subplots()
    for i, (name, runs) in enumerate(speed.items()):
        thousands = np.array(runs) / 1e3
        color = BLUE if name.startswith("blocks") else ORANGE if name.startswith("gensim") else GREY
        ax.barh(i, np.median(thousands), color=color, alpha=0.85, height=0.62)
        ax.plot(thousands, [i] * len(runs), "|", color=BLACK, ms=9)
        ax.text(thousands.max() * 1.03 + 8, i, f"{np.median(thousands):,.0f}", va="center")
    ax.axvline(limit, color=VERMILION, ls="--", lw=1)
    text = "bytes and FLOPs of the blocks at \nthis machine's full speed, 1 thread "
    ax.text(limit, -0.95, text, color=VERMILION, ha="right", va="bottom", fontsize=8)
    ax.set_yticks(range(len(speed)), list(speed))
    widest = max(limit, *(max(runs) / 1e3 for runs in speed.values()))
    ax.set(
        xlabel="thousand words a second (bar: median; strokes: every run)",
        xlim=(0, 1.08 * widest),
        ylim=(-1, len(speed) - 0.4),
    )
    return fig


def _against_gensim(speed: dict[str, list[float]]) -> str:
    """The end of the title, if the blocks are faster than gensim on one thread."""
    if "gensim, 1 thread" not in speed:
        return ""
    faster = np.median(speed["blocks, 1 thread"]) > np.median(speed["gensim, 1 thread"])
    return ", and on one thread pass gensim" if faster else ""


# -- what goes wrong ---------------------------------------------------------------------------------------------------

MEASURES = {
    "cosine": "mean cosine of\nrandom pairs, %",
    "frequent_neighbors": "words near a\ntop-20 word, %",
    "same_suffix": "neighbors with the\nsame suffix, %",
    "high_lift": "neighbors that meet\nin the text, %",
    "analogies": "analogies of word\nforms right, %",
}


def break_it(content: dict) -> Figure:
    """A row for each experiment, a column for each measure."""
    variants = content["variants"]
    fig = figure("Negatives, word order and dimensions carry the meaning; the window decides which", (11, 3.5))
    names = list(variants)[::-1]
    for ax, (key, title) in zip(fig.subplots(1, len(MEASURES), sharey=True), MEASURES.items(), strict=True):
        values = [variants[name][key] for name in names]
        ax.barh(names, values, color=[BLUE if name == BASELINE else VERMILION for name in names], height=0.62)
        ax.axvline(variants[BASELINE][key], color=BLUE, lw=0.8, ls="--")
        for i, value in enumerate(values):
            ax.text(max(value, 0) + 2, i, f"{value:.0f}", va="center", fontsize=9)
        ax.set_title(title, fontsize=9)
        ax.set(xlim=(min(0, *values), 118), xticks=[0, 50, 100])
    return fig


# -- the novels --------------------------------------------------------------------------------------------------------

NOVEL_SCORES = {
    "family": "family analogies, % right",
    "grammar": "grammar analogies, % right",
    "wordsim353": "WordSim-353, Spearman × 100",
    "simlex999": "SimLex-999, Spearman × 100",
}


def novels(content: dict) -> Figure:
    """Both sides on four scores, every run a point."""
    words, epochs = content["text"]["words"] / 1e6, content["text"]["epochs"]
    fig = figure(f"{words:.1f} million words of novels, {epochs} epochs: on every score the two are close", (9, 3.4))
    ax = fig.subplots()
    for row, key in enumerate(reversed(NOVEL_SCORES)):
        for side, color, shift in (("ours", BLUE, 0.14), ("gensim", ORANGE, -0.14)):
            runs = content["sides"].get(side, {}).get(key, [])
            ax.plot(runs, [row + shift] * len(runs), "o", color=color, alpha=0.75, ms=7)
            if runs:
                text = f"{side} {np.mean(runs):.1f}"
                ax.text(max(runs) + 1, row + shift, text, color=color, va="center", fontsize=9)
    ax.set_yticks(range(len(NOVEL_SCORES)), list(reversed(NOVEL_SCORES.values())))
    ax.set(
        xlim=(0, 65),
        ylim=(-0.5, len(NOVEL_SCORES) - 0.4),
        xlabel="each point a run with its own seed; the number is their mean",
    )
    ax.grid(axis="x", color="#EEEEEE")
    return fig


# -- a real model's matrix ---------------------------------------------------------------------------------------------


def real_space(content: dict) -> Figure:
    """Left: four scores of both spaces on the same words. Right: cosines of random pairs, with and without the mean."""
    raw = content["spaces"]["SmolLM2"][0]["mean_cosine"]
    title = "The input matrix of a language model is a space of words; its vectors share a direction"
    fig = figure(f"{title} (mean cosine {raw:.2f})", (10, 3.8))
    left, right = fig.subplots(1, 2, width_ratios=(1.15, 1))
    colors = {"SmolLM2": BLUE, "skip-gram": ORANGE}
    for row, key in enumerate(reversed(NOVEL_SCORES)):
        for (name, color), shift in zip(colors.items(), (0.14, -0.14), strict=True):
            runs = [run[key] for run in content["spaces"][name]]
            left.plot(runs, [row + shift] * len(runs), "o", color=color, alpha=0.75, ms=6)
            text = f"{name} {np.median(runs):.0f}"
            left.text(max(runs) + 2, row + shift, text, color=color, va="center", fontsize=9)
    left.set_yticks(range(len(NOVEL_SCORES)), list(reversed(NOVEL_SCORES.values())))
    left.set(xlim=(0, 100), ylim=(-0.5, len(NOVEL_SCORES) - 0.4), xlabel=f"on the {content['common']:,} common words")
    left.grid(axis="x", color="#EEEEEE")
    edges = np.linspace(-0.5, 1, 76)
    for name, color, style in (("SmolLM2", BLUE, "-"), ("SmolLM2, mean subtracted", BLUE, ":"),
                               ("skip-gram", ORANGE, "-")):  # fmt: skip
        right.plot(edges[:-1] + 0.01, 100 * np.array(content["spaces"][name][0]["histogram"]), style, color=color)
    tallest = 100 * max(content["spaces"]["SmolLM2, mean subtracted"][0]["histogram"])
    right.text(0.0, tallest * 1.02, "SmolLM2, mean subtracted", color=BLUE, ha="center", va="bottom", fontsize=9)
    right.text(raw + 0.2, 0.62 * tallest, "SmolLM2", color=BLUE, fontsize=9)
    right.text(raw + 0.2, 0.52 * tallest, "skip-gram", color=ORANGE, fontsize=9)
    right.set(
        xlabel="cosine of two random words", ylabel="% of the pairs", ylim=(0, 1.15 * tallest), yticks=[0, 2, 4, 6]
    )
    return fig


# -- the probes --------------------------------------------------------------------------------------------------------


def probes(rows: list[dict]) -> Figure:
    """Left: difference of scores, with its standard error over the folds. Right: ratio of times."""
    algorithms = list(dict.fromkeys(row["algorithm"] for row in rows))
    points = {id(row): 100 * (row["ours"] - row["theirs"]) for row in rows}
    largest = max(abs(point) for point in points.values())
    unique = max(abs(points[id(row)]) for row in rows if row["gap"] is not None)
    fig = figure(
        f"Where the optimum is unique, scores by hand are scikit-learn's to {max(unique, 0.1):.1f} points; "
        f"elsewhere to {largest:.1f}",
        (10, 5.6),
    )
    left, right = fig.subplots(1, 2, sharey=True)
    for k, (name, color) in enumerate(DATA_COLORS.items()):
        chosen = [row for row in rows if row["data"] == name]
        heights = [algorithms.index(row["algorithm"]) + (k - 1) * 0.22 for row in chosen]
        errors = [100 * row["difference_sd"] / np.sqrt(row["fits"]) for row in chosen]
        left.errorbar([points[id(row)] for row in chosen], heights, color=color, fmt="o", ms=4.5, elinewidth=1,
                      xerr=errors)  # fmt: skip
        ratios = [row["ours_ms"] / row["theirs_ms"] for row in chosen]
        right.scatter(ratios, heights, s=22, color=color, label=name)
    left.axvline(0, color=GREY, lw=1, zorder=0)
    left.set_xlim(-max(2.5, 1.3 * largest), max(2.5, 1.3 * largest))
    left.set_xlabel("score, ours less scikit-learn (points of 100)")
    left.set_yticks(range(len(algorithms)), algorithms)
    left.invert_yaxis()
    right.axvline(1, color=GREY, lw=1, zorder=0)
    right.set_xscale("log")
    right.set_xlabel("CPU time to fit, ours / scikit-learn")
    for x, text, side in ((0.93, "ours faster", "right"), (1.07, "scikit-learn faster", "left")):
        right.text(x, 1.0, text, color=GREY, fontsize=8, ha=side, transform=right.get_xaxis_transform(), va="bottom")
    right.legend(frameon=False, loc="lower right", fontsize=8)
    for ax in (left, right):
        ax.grid(axis="y", color="#EEEEEE", lw=0.6)
    return fig
