"""The figures of the theory, one for each page."""

import math
from pathlib import Path

import numpy as np

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save

COLORS = (BLUE, ORANGE, VERMILION)


def draw_theory(r: dict, folder: Path) -> list[Path]:
    """All seven."""
    pages = {
        "edge_of_stability": edge_of_stability,
        "slices": slices,
        "saddle_points": saddle_points,
        "compression": compression,
        "promises": promises,
        "approximation": approximation,
        "tickets": tickets,
    }
    return [save(draw(r[name]), folder / f"{name}.png") for name, draw in pages.items()]


def edge_of_stability(r: dict):
    """Sharpness against steps with 2 / rate, and the spectrum at the end."""
    made = figure("The sharpness rises until it meets 2 / rate, and stays there", (8, 3.8))
    left, right = made.subplots(1, 2, width_ratios=(3, 2))
    for (lr, run), color in zip(r["runs"].items(), COLORS, strict=True):
        steps = r["every"] * np.arange(len(run["sharpness"]))
        left.plot(steps, run["sharpness"], color=color)
        left.axhline(2 / float(lr), color=color, ls="--", lw=1)
        left.text(steps[-1] * 1.07, 2 / float(lr), f"2 / {lr}", color=color, va="center")
    left.set(xlabel="steps of gradient descent", ylabel="largest eigenvalue of the Hessian", ylim=(0, None))
    values, weights = (np.array(r["spectrum"][name]) for name in ("values", "weights"))
    right.vlines(values, 1e-6, np.maximum(weights, 1e-6), color=PURPLE)
    right.set_yscale("log")
    right.set(xlabel="eigenvalue", ylabel="weight", title="Lanczos: most directions are flat")
    return made


def slices(r: dict):
    """Both networks along both kinds of direction."""
    made = figure("Two networks that compute the same: only the filter-normalised slice agrees", (8, 3.6))
    axes = made.subplots(1, 2, sharey=True)
    for ax, kind in zip(axes, ("plain", "filter-normalised"), strict=True):
        for name, color, style in (("rescaled by 1", BLUE, "-"), ("rescaled by 4", VERMILION, "--")):
            ax.plot(r["at"], r[name][kind], color=color, ls=style, lw=2)
            if kind == "plain":
                ax.text(r["at"][-1], r[name][kind][-1], name.replace("rescaled by ", "× "), color=color, va="bottom")
        ax.set(xlabel="distance along the direction", title=f"{kind} direction")
    axes[1].plot(r["at"], r["rescaled by 1"]["Taylor"], color=GREY, ls=":")
    place = 32  # of 41, right of the middle
    taylor = (r["at"][place], r["rescaled by 1"]["Taylor"][place])
    axes[1].annotate("Taylor", taylor, (4, -4), textcoords="offset points", color=GREY, va="top")
    axes[0].set_ylabel("loss, nats")
    return made


def saddle_points(r: dict):
    """The share of minima by dimension, and the index under a shift."""
    made = figure("At random, minima die out with the dimension: five directions leave one in thousands", (8, 3.6))
    left, right = made.subplots(1, 2)
    d = [int(k) for k in r["shares"]]
    left.plot(d, r["shares"].values(), "o", color=BLUE)
    left.plot([int(k) for k in r["exact"]], r["exact"].values(), "_", color=BLACK, ms=18)
    left.plot(d, r["decay"].values(), ":", color=GREY)
    label(left, 3, r["decay"]["3"] * 1.6, "leading term", GREY)
    left.set_yscale("log")
    left.set(xlabel="dimension", ylabel="share of minima", title="bars: exact", xticks=d)
    right.plot([p["shift"] for p in r["index"]], [p["theory"] for p in r["index"]], color=BLACK, lw=1)
    right.plot([p["shift"] for p in r["index"]], [p["measured"] for p in r["index"]], "o", color=BLUE)
    right.set(xlabel="shift of all eigenvalues, in √d", ylabel="share of directions downhill",
              title="line: Wigner's half circle")  # fmt: skip
    return made


def compression(r: dict):
    """One unit: exact and estimated; a layer: by bin width."""
    made = figure("tanh 'compresses' because it saturates; the number in bits is the bins' choice", (8.4, 3.8))
    left, right = made.subplots(1, 2)
    for (name, unit), color in zip(r["unit"].items(), (BLUE, VERMILION), strict=True):
        left.plot(r["weights"], unit["exact"], color=color)
        left.plot(r["weights"], unit["estimate"], "o", color=color, ms=4)
        label(left, r["weights"][-1], unit["exact"][-1], name, color)
    left.set_xscale("log")
    left.set(xlabel="weight of the unit", ylabel="binned I(X; T), bits", title="one unit; lines: exact",
             xlim=(0.09, 40))  # fmt: skip
    for (name, layer), color in zip(r["layers"].items(), (BLUE, VERMILION), strict=True):
        for (width, row), style in zip(layer["by width"].items(), ("--", "-"), strict=True):
            x = [max(e, 1) for e in layer["epochs"]]
            right.plot(x, [pair[0] for pair in row], style, color=color)
            label(right, x[-1], row[-1][0] - 0.3, f"{name}, bins {width}", color)
    top = math.log2(r["samples"])
    right.axhline(top, color=GREY, ls=":")
    right.text(1, top + 0.1, "log₂ of the samples", color=GREY, va="bottom")
    right.set_xscale("log")
    right.set(xlabel="steps of training (first: none)", title="three hidden units", xlim=(0.9, 3e4), ylim=(0, top + 1))
    return made


def promises(r: dict):
    """Error on fresh images and the bounds, by samples."""
    rows = r["rows"]
    best = rows[-1]["PAC-Bayes"]
    made = figure(f"PAC-Bayes promises something ({best:.2f}); the other bounds of this network are above one", (8, 4))
    ax, n = made.subplots(), [row["samples"] for row in rows]
    lines = (("test error", BLACK), ("test set", GREY), ("PAC-Bayes", GREEN), ("Rademacher", VERMILION),
             ("parameter count", ORANGE))  # fmt: skip
    for name, color in lines:
        y = [row[name] for row in rows]
        ax.plot(n, y, "o-", color=color)
        words = {"test set": "test set + Hoeffding", "parameter count": "parameters × 32 bits"}.get(name, name)
        label(ax, n[-1], y[-1], words, color)
    ax.axhline(1, color=GREY, ls=":")
    ax.text(n[0], 1.05, "above: no promise at all", color=GREY, va="bottom")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(n, [f"{v:,}" for v in n])
    ax.minorticks_off()
    ax.set(xlabel="training samples", ylabel="error, or bound on it", xlim=(n[0] * 0.9, n[-1] * 2.4))
    return made


def approximation(r: dict):
    """Error of x^2 by units, wide and deep, with both formulas."""
    made = figure("Depth makes the error fall by four for two units, width for twice the units", (7.4, 4))
    ax = made.subplots()
    for name, color in (("wide", BLUE), ("deep", GREEN)):
        units = [row["units"] for row in r[name]]
        ax.plot(units, [row["formula"] for row in r[name]], color=color, lw=1)
        ax.plot(units, [row["error"] for row in r[name]], "o", color=color, ms=5)
    label(ax, r["wide"][-1]["units"], r["wide"][-1]["error"], "one layer: 1 / (4 m²)", BLUE)
    ax.text(9, r["deep"][4]["error"], "two units a layer: 4^-(k+1)", color=GREEN, fontweight="bold", ha="right")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="units", ylabel="largest error of x²", xlim=(0.9, 1500))
    return made


def tickets(r: dict):
    """The nearest subset's error with the counting argument."""
    made = figure("Each random weight more halves the error of the best subset", (7, 3.8))
    ax, n = made.subplots(), [row["weights"] for row in r["rows"]]
    ax.plot(n, [row["formula"] for row in r["rows"]], color=BLACK, lw=1)
    ax.plot(n, [row["error"] for row in r["rows"]], "o", color=PURPLE)
    label(ax, n[-1], r["rows"][-1]["formula"] * 1.1, "ln 2 / (2 · 2ⁿ · density)", BLACK)
    ax.set_yscale("log")
    ax.set(xlabel="random weights to choose from", ylabel=f"median distance to {r['target']}", xticks=n,
           xlim=(n[0] - 0.5, n[-1] + 5))  # fmt: skip
    return made
