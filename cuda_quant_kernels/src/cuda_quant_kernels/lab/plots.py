"""Figures, drawn from results alone. A title is the figure's claim."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from . import record
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, figure, save
from .tables import CEILING_NAMES, gpu_microseconds, milliseconds


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure for which `results` has a section. What else the folder has recorded is drawn into it."""
    recorded = record.read(folder) | results
    figures = (
        ("headline", "ladder.png", ladder),
        ("headline", "roofline.png", roofline),
        ("break_it", "break_it.png", break_it),
        ("bench", "bench.png", bench),
    )
    return [save(function(recorded), folder / name) for section, name, function in figures if section in results]


def ladder(results: dict) -> Figure:
    """The three pipes' times, version by version, and the measured ones where a GPU has run them."""
    headline, measured = results["headline"], gpu_microseconds(results)
    rows = headline["ladder"]
    ratios = [us / 1e3 / row["lower_bound_ms"] for row in rows if (us := measured.get(f"w8a8 {row['version']}"))]
    claim = "Every version waits longest for its own requests, not for arithmetic or device memory"
    if ratios:
        claim = (
            f"On the GPU each version takes {min(ratios):.1f} to {max(ratios):.1f} times the bound that its counts give"
        )
    made = figure(claim, (9, 4.4))
    ax = made.subplots()
    pipes = (
        ("load/store", BLUE, f"requests and wavefronts, {milliseconds(rows[0]['lower_bound_ms'])}"),
        ("arithmetic", ORANGE, "arithmetic"),
        ("memory", GREEN, "device memory"),
    )
    for i, (pipe, colour, label) in enumerate(pipes):
        times = [row["pipes_ms"][pipe] for row in rows]
        ax.barh(np.arange(len(rows)) + (i - 1) * 0.26, times, 0.24, color=colour)
        ax.text(times[0] * 1.06, (i - 1) * 0.26, label, color=colour, va="center", fontsize=9)
    for y, row in enumerate(rows[1:], 1):  # the first row's bars carry the pipes' names
        at = (row["lower_bound_ms"] * 1.08, y - 0.26 * (row["bound"] == "load/store"))
        ax.text(*at, milliseconds(row["lower_bound_ms"]), va="center", fontsize=9)
    for y, row in enumerate(rows):
        if us := measured.get(f"w8a8 {row['version']}"):
            ax.plot(us / 1e3, y, "D", color=BLACK, ms=5, zorder=3)
            label = f"measured {milliseconds(us / 1e3)}"
            ax.annotate(label, (us / 1e3, y), (7, -3), textcoords="offset points", fontsize=8)
    peak = rows[-1]["pipes_ms"]["arithmetic"]
    ax.axvline(peak, color=GREY, lw=1, ls="--")
    ax.text(peak, len(rows) - 0.53, " tensor cores at their peak", color=GREY, fontsize=8, va="center")
    ax.set_yticks(range(len(rows)), [row["version"] for row in rows])
    ax.invert_yaxis()
    xlabel = f"lower bound of the time on an {headline['machine']} for {headline['side']}³, by the {headline['source']}"
    ax.set(xscale="log", xlabel=xlabel, xlim=(0.05, 9000))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g} ms"))
    return made


def roofline(results: dict) -> Figure:
    """Operations per requested byte, and the rate that the pipes allow; the measured rate where a GPU has run them."""
    headline, measured = results["headline"], gpu_microseconds(results)
    rows, side = headline["ladder"], headline["side"]
    made = figure("Tiles raise the intensity; only register tiles and tensor cores turn it into speed", (8.2, 4.7))
    ax = made.subplots()
    x = np.logspace(-1.6, 3, 200)
    for (label, roof), colour in zip(headline["roofs"].items(), (BLUE, ORANGE, GREEN), strict=True):
        ax.plot(x, np.minimum(roof, x * headline["sector_bandwidth"]) / 1e12, color=colour, lw=1.2)
        ax.text(1000, roof / 1e12 * 1.12, f"{label}, {roof / 1e12:.0f} TOPS", color=colour, ha="right", fontsize=9)
    for row in rows:
        rate = 2 * side**3 / (row["lower_bound_ms"] / 1e3) / 1e12
        ax.plot(row["intensity"], rate, "o", color=BLACK, ms=6, zorder=3)
        offset = (8, -3) if row["version"] == "wgmma" else (6, -13)
        label = f"{row['version']}, {rate:,.0f} TOPS"
        ax.annotate(label, (row["intensity"], rate), offset, textcoords="offset points", fontsize=9)
        if us := measured.get(f"w8a8 {row['version']}"):
            ax.plot(row["intensity"], 2 * side**3 / us / 1e6, "D", mfc="none", mec=BLACK, ms=6, zorder=3)
    if measured:
        ax.text(1.2, 0.42, "diamonds: measured", color=BLACK, fontsize=9)
    ax.text(0.03, 9, "128 B a cycle for\neach multiprocessor", color=GREY, fontsize=8)
    xlabel = "operations for each requested byte of global memory"
    ax.set(xscale="log", yscale="log", xlim=(0.025, 1600), ylim=(0.3, 4000), xlabel=xlabel)
    ax.set_ylabel("TOPS that the lower bound allows")
    return made


def bench(results: dict) -> Figure:
    """Shares of the ceilings measured on the same GPU: ours and the peers', with the goals."""
    section = results["bench"]
    rows_of = {unit: [r for r in section["rows"] if r["unit"] == unit] for unit in CEILING_NAMES}
    wanted = [(r["of_ceiling"], r["goal"]) for r in section["rows"]]
    wanted += [(r["speedup"], r["goal_speedup"]) for r in section["rows"]]
    reached = [value >= goal for value, goal in wanted if goal]
    claim = f"{sum(reached)} of {len(reached)} goals (shares of a ceiling are red) are met; ours are blue, peers grey"
    farthest = 100 * max(r["of_ceiling"] for r in section["rows"])
    made = figure(claim, (9, 7.4))
    panels = made.subplots(2, 1, height_ratios=[len(rows) for rows in rows_of.values()])
    for ax, (unit, (ceiling, digits)) in zip(panels, CEILING_NAMES.items(), strict=True):
        for y, row in enumerate(rows_of[unit]):
            _bench_bar(ax, y, row)
        ax.set_yticks(range(len(rows_of[unit])), [r["kernel"] for r in rows_of[unit]], fontsize=8)
        ax.invert_yaxis()
        ax.axvline(100, color=GREY, lw=1, ls="--")
        ax.set(
            xlim=(0, max(128, farthest * 1.15)), xlabel=f"% of {section['ceilings'][unit] / 1e12:,.{digits}f} {ceiling}"
        )
    return made


def _bench_bar(ax, y: int, row: dict) -> None:
    """One kernel: its share, the range of its runs, its time, its goal."""
    spread = [100 * row["of_ceiling"] * row["median_us"] / row[end] for end in ("high_us", "low_us")]
    ours = row["peer"] is not None or row["goal"] is not None
    ax.barh(y, 100 * row["of_ceiling"], 0.7, color=BLUE if ours else GREY)
    ax.plot(spread, [y, y], color=BLACK, lw=1)
    right = max(*spread, 100 * (row["goal"] or 0)) + 1
    ax.text(right, y, f"{row['median_us']:,.1f} µs", va="center", fontsize=8).set_in_layout(False)
    if row["goal"]:
        ax.plot([100 * row["goal"]] * 2, [y - 0.42, y + 0.42], color=VERMILION, lw=2)


def break_it(results: dict) -> Figure:
    """Wrong elements by thread order, and the share of right sums in int8."""
    section = results["break_it"]
    made = figure("Without a barrier hardly an element is right; int8 sums are right only for small K", (9.4, 3.9))
    left, right = made.subplots(1, 2)
    kernels = section["barriers"]
    for i, (order, colour) in enumerate(zip(kernels[0]["wrong"], (BLUE, ORANGE, GREEN), strict=True)):
        share = [100 * k["wrong"][order] / k["of"] for k in kernels]
        left.bar(np.arange(len(kernels)) + (i - 1) * 0.26, share, 0.24, color=colour)
        left.text(1 + (i - 1) * 0.26, share[1] + 2, order, color=colour, rotation=60, fontsize=8, ha="left")
    left.text(0, 2, "none", color=GREY, ha="center", fontsize=8)
    left.set_xticks(range(len(kernels)), [k["kernel"] for k in kernels])
    left.set(ylabel="% of elements wrong", ylim=(0, 135), yticks=[0, 50, 100])
    sums = section["int8_sum"]
    right.plot([s["k"] for s in sums], [100 * s["right"] for s in sums], "o-", color=VERMILION)
    right.text(1.1, 88, "4-bit operands,\nsums kept in int8", color=VERMILION, fontsize=9)
    right.axhline(100, color=GREY, lw=1, ls="--")
    right.text(64, 101, "int32", color=GREY, ha="right", va="bottom", fontsize=8)
    right.set(xscale="log", xlabel="multiply-adds in a sum (K)", ylabel="% of sums right", ylim=(0, 112))
    right.set_xticks([s["k"] for s in sums], [str(s["k"]) for s in sums])
    right.minorticks_off()
    return made
