"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from .block_page import write_page
from .design import draw_costs
from .style import BLUE, GREEN, GREY, ORANGE, VERMILION, figure, label, save


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    made = []
    if "headline" in results:
        head = results["headline"]
        made.append(save(timeline(head["race"]), folder / "timeline.png"))
        made.append(save(step_cost(head["line"]), folder / "step.png"))
        made.append(save(memory(head["memory"]), folder / "memory.png"))
        made.append(write_page(folder))
    if "bench" in results:
        made.append(save(routing(results["bench"]["routing"]), folder / "routing.png"))
    if "design" in results:
        made.append(save(draw_costs(), folder / "break_even.png"))
    return made


def timeline(race: dict):
    """Who computes what in each step, static above, continuous below."""
    steps = race["steps"]
    ratio = median(race["ratio"])
    made = figure(f"Continuous batching: no row waits for the longest, {ratio:.1f} times the useful tokens a second",
                  (8, 5.2))  # fmt: skip
    top, bottom = made.subplots(2, 1, sharex=True)
    for ax, name in ((top, "static"), (bottom, "continuous")):
        for i, plan in enumerate(race["log"][name]):
            for request, count in plan:
                ax.barh(int(request), 1, left=i, height=0.8, color=ORANGE if count > 1 else BLUE, lw=0)
        ax.set_title(f"{name}: {steps[name]} steps")
        ax.set_ylabel("request")
        ax.invert_yaxis()
    bottom.set_xlabel("step")
    label(top, len(race["log"]["static"]) * 0.62, 2, "prompt", ORANGE)
    label(top, len(race["log"]["static"]) * 0.62, 5, "one token", BLUE)
    return made


def step_cost(line: dict):
    """Seconds of a step against its tokens, with the fitted line."""
    a, b = 1e3 * line["a"], 1e3 * line["b"]
    made = figure(f"The budget bounds the stall: {a:.1f} ms a step and {b:.2f} ms a token", (6.4, 3.6))
    ax = made.subplots()
    xs = [int(n) for n in line["points"]]
    for x, values in zip(xs, line["points"].values(), strict=True):
        ax.plot([x] * len(values), [1e3 * v for v in values], "o", color=BLUE, alpha=0.5, ms=4)
    ax.plot([0, max(xs)], [a, a + b * max(xs)], color=GREY, ls="--")
    ax.set(xlabel="tokens of the step", ylabel="CPU milliseconds", ylim=(0, None), xlim=(0, None))
    label(ax, max(xs) * 0.55, a + b * max(xs) * 0.45, "a + b · tokens", GREY)
    return made


def memory(content: dict):
    """The share of reserved memory that holds tokens."""
    made = figure("Blocks waste little; a reservation for the longest wastes most", (6.4, 2.6))
    ax = made.subplots()
    names = ["paged", "whole request", "contiguous"]
    texts = ["blocks of 16", "as long as this request will be", "as long as any request may be"]
    colors = [GREEN, ORANGE, VERMILION]
    for i, (name, color) in enumerate(zip(names, colors, strict=True)):
        ax.barh(i, 100 * content[name], color=color)
        label(ax, 100 * content[name], i, f"{content[name]:.0%}", color)
    ax.set(
        yticks=range(3), yticklabels=texts, xlabel="% of the reserved memory that holds keys and values", xlim=(0, 108)
    )
    ax.invert_yaxis()
    return made


def routing(content: dict):
    """Times to the first token by policy."""
    made = figure("The least work after the cache beats the least load", (6.4, 3.0))
    ax = made.subplots()
    for i, rows in enumerate(content.values()):
        values = [r["p50"] for r in rows]
        ax.barh(i, median(values), color=GREEN if i == len(content) - 1 else GREY)
        ax.plot([min(values), max(values)], [i, i], color="black", lw=1)
        label(ax, max(values), i, f"{median(values):.2f} s, {median(r['found'] for r in rows):.0%} cached", "#444444")
    ax.set(
        yticks=range(len(content)), yticklabels=list(content), xlabel="seconds to the first token, median of requests"
    )
    ax.set_xlim(0, 1.35 * max(r["p50"] for rows in content.values() for r in rows))
    ax.invert_yaxis()
    return made
