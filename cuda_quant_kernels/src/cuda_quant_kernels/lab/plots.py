"""Figures, drawn from the results dictionary alone. Colours are Okabe and Ito's, told apart by all kinds of eyes.

No pyplot: a bare Figure saves itself on any machine, and a notebook that imports this keeps its own way of showing.
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

ORANGE, BLUE, GREEN, VERMILION, GREY, BLACK = "#E69F00", "#0072B2", "#009E73", "#D55E00", "#8A8A8A", "#222222"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.edgecolor": "#555555",
    "axes.titlelocation": "left",
    "figure.facecolor": "white",
}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    wanted = {
        "ladder.png": ("headline", ladder),
        "roofline.png": ("headline", roofline),
        "break_it.png": ("break_it", break_it),
        "bench.png": ("bench", bench),
    }
    return [
        _save(name, function, results, folder) for name, (section, function) in wanted.items() if section in results
    ]


def _save(name: str, function, results: dict, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{name}"
    with matplotlib.rc_context(STYLE):
        figure = function(results)
        figure.savefig(beside, dpi=150, format="png")
    beside.replace(folder / name)
    return folder / name


def milliseconds(ms: float) -> str:
    return f"{ms:.0f} ms" if ms >= 20 else f"{ms:.1f} ms" if ms >= 2 else f"{ms:.2f} ms"


def _measured(results: dict) -> dict[str, float]:
    """Microseconds of each kernel on the GPU of the committed run, if there is one."""
    return {row["kernel"]: row["median_us"] for row in results.get("bench", {}).get("rows", [])}


def ladder(results: dict):
    """The three pipes' times, version by version, and the measured ones where a GPU has run them."""
    headline, measured = results["headline"], _measured(results)
    rows = headline["ladder"]
    figure = Figure(figsize=(9, 4.3), layout="constrained")
    ax = figure.subplots()
    pipes = (
        ("load/store", BLUE, f"requests and passes, {milliseconds(rows[0]['floor_ms'])}"),
        ("arithmetic", ORANGE, "arithmetic"),
        ("memory", GREEN, "device memory"),
    )
    for i, (pipe, colour, label) in enumerate(pipes):
        times = [row["pipes_ms"][pipe] for row in rows]
        ax.barh(np.arange(len(rows)) + (i - 1) * 0.26, times, 0.24, color=colour)
        ax.text(times[0] * 1.06, (i - 1) * 0.26, label, color=colour, va="center", fontsize=9)
    for y, row in enumerate(rows[1:], 1):  # the first row's bars carry the pipes' names
        ax.text(
            row["floor_ms"] * 1.08,
            y - 0.26 * (row["bound"] == "load/store"),
            milliseconds(row["floor_ms"]),
            va="center",
            fontsize=9,
        )
    ax.axvline(rows[-1]["pipes_ms"]["arithmetic"], color=GREY, lw=1, ls="--")
    for y, row in enumerate(rows):
        if us := measured.get(f"w8a8 {row['version']}"):
            ax.plot(us / 1e3, y, "D", color=BLACK, ms=5, zorder=3)
            said = f"measured {milliseconds(us / 1e3)}"
            ax.annotate(said, (us / 1e3, y), (7, -3), textcoords="offset points", fontsize=8)
    at_peak = (rows[-1]["pipes_ms"]["arithmetic"], len(rows) - 0.53)
    ax.text(*at_peak, " tensor cores at their peak", color=GREY, fontsize=8, va="center")
    ax.set_yticks(range(len(rows)), [row["version"] for row in rows])
    ax.invert_yaxis()
    ax.set(
        xscale="log",
        xlabel=f"least time on an {headline['machine']} for {headline['side']}³, by the {headline['source']}",
        xlim=(0.05, 9000),
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g} ms"))
    ax.set_title(
        "Every version waits longest for its own requests, not for arithmetic or device memory", fontweight="bold"
    )
    return figure


def roofline(results: dict):
    """Operations per byte asked for, and the rate that the pipes allow; the rate reached where a GPU has run them."""
    headline, measured = results["headline"], _measured(results)
    rows, side = headline["ladder"], headline["side"]
    figure = Figure(figsize=(8.2, 4.6), layout="constrained")
    ax = figure.subplots()
    rate = [2 * side**3 / (row["floor_ms"] / 1e3) / 1e12 for row in rows]
    x = np.logspace(-1.6, 3, 200)
    roofs = zip(headline["roofs"].items(), (BLUE, ORANGE, GREEN), strict=True)
    for (label, roof), colour in roofs:
        ax.plot(x, np.minimum(roof, x * headline["sector_bandwidth"]) / 1e12, color=colour, lw=1.2)
        ax.text(1000, roof / 1e12 * 1.12, f"{label}, {roof / 1e12:.0f} TOPS", color=colour, ha="right", fontsize=9)
    for row, r in zip(rows, rate, strict=True):
        ax.plot(row["intensity"], r, "o", color=BLACK, ms=6, zorder=3)
        said, below = f"{row['version']}, {r:,.0f} TOPS", (8, -3) if row["version"] == "wgmma" else (6, -13)
        ax.annotate(said, (row["intensity"], r), below, textcoords="offset points", fontsize=9)
        if us := measured.get(f"w8a8 {row['version']}"):
            ax.plot(row["intensity"], 2 * side**3 / us / 1e6, "D", mfc="none", mec=BLACK, ms=6, zorder=3)
    if measured:
        ax.text(0.04, 1.2, "diamonds: measured", color=BLACK, fontsize=8)
    ax.text(0.04, 6.5, "128 B a cycle for\neach multiprocessor", color=GREY, fontsize=8)
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(0.025, 1600),
        ylim=(0.5, 4000),
        xlabel="operations for each byte of global memory asked for",
        ylabel="TOPS that the floor allows",
    )
    ax.set_title(
        "Tiles raise the intensity; only register tiles and tensor cores turn it into speed", fontweight="bold"
    )
    return figure


UNITS = {"bytes": ("TB/s, measured by a plain copy", 2), "operations": ("TOPS, measured by torch._int_mm", 0)}


def bench(results: dict):
    """Shares of the ceilings measured on the same GPU: ours beside the peers, with the goals."""
    section = results["bench"]
    figure = Figure(figsize=(9, 7.4), layout="constrained")
    panels = figure.subplots(2, 1, height_ratios=[sum(r["unit"] == u for r in section["rows"]) for u in UNITS])
    for ax, (unit, (what, scale)) in zip(panels, UNITS.items(), strict=True):
        rows = [r for r in section["rows"] if r["unit"] == unit]
        for y, row in enumerate(rows):
            share = [100 * row["of_ceiling"] * row["median_us"] / row[end] for end in ("high_us", "low_us")]
            ours = row["peer"] is not None or row["goal"] is not None
            ax.barh(y, 100 * row["of_ceiling"], 0.7, color=BLUE if ours else GREY)
            ax.plot(share, [y, y], color=BLACK, lw=1)
            right = min(max(*share, 100 * (row["goal"] or 0)), 112) + 1
            label = ax.text(right, y, f"{row['median_us']:,.1f} µs", va="center", fontsize=8)
            label.set_in_layout(False)
            if row["goal"]:
                ax.plot([100 * row["goal"]] * 2, [y - 0.42, y + 0.42], color=VERMILION, lw=2)
        ax.set_yticks(range(len(rows)), [r["kernel"] for r in rows], fontsize=8)
        ax.invert_yaxis()
        ax.axvline(100, color=GREY, lw=1, ls="--")
        ax.set(xlim=(0, 128), xlabel=f"% of {section['ceilings'][unit] / 1e12:,.{scale}f} {what}")
    met = sum(r["of_ceiling"] >= r["goal"] for r in section["rows"] if r["goal"])
    of = sum(r["goal"] is not None for r in section["rows"])
    panels[0].set_title(f"{met} of {of} goals (red) met; ours blue, peers grey", fontweight="bold")
    return figure


def break_it(results: dict):
    """What each fault does: wrong elements by thread order, and the share of right sums in int8."""
    results = results["break_it"]
    figure = Figure(figsize=(9.4, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    kernels = results["barriers"]
    for i, (order, colour) in enumerate(zip(kernels[0]["wrong"], (BLUE, ORANGE, GREEN), strict=True)):
        share = [100 * k["wrong"][order] / k["of"] for k in kernels]
        left.bar(np.arange(len(kernels)) + (i - 1) * 0.26, share, 0.24, color=colour)
        left.text(1 + (i - 1) * 0.26, share[1] + 2, order, color=colour, rotation=60, fontsize=8, ha="left")
    left.text(0, 2, "none", color=GREY, ha="center", fontsize=8)
    left.set_xticks(range(len(kernels)), [k["kernel"] for k in kernels])
    left.set(ylabel="% of elements wrong", ylim=(0, 135))
    left.set_yticks([0, 50, 100])
    left.set_title("Without a barrier hardly an element is right")
    sums = results["int8_sum"]
    right.plot([s["k"] for s in sums], [100 * s["right"] for s in sums], "o-", color=VERMILION)
    right.text(1.1, 88, "4-bit operands,\nsums kept in int8", color=VERMILION, fontsize=9)
    right.axhline(100, color=GREY, lw=1, ls="--")
    right.text(64, 101, "int32", color=GREY, ha="right", va="bottom", fontsize=8)
    right.set(xscale="log", xlabel="products in a sum (K)", ylabel="% of sums right", ylim=(0, 112))
    right.set_xticks([s["k"] for s in sums], [str(s["k"]) for s in sums])
    right.minorticks_off()
    right.set_title("An int8 sum is right until it is not")
    return figure
