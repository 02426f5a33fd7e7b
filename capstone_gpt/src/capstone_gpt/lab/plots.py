"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import mean, median

from . import labs
from .style import BLUE, GREEN, GREY, ORANGE, VERMILION, figure, label, save

NANOGPT = 1.909


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    made = []
    for name, make in (("headline", headline), ("long", long), ("climb", climb)):
        if name in results:
            made.append(save(make(results[name]), folder / f"{name}.png"))
    if "labs" in results:
        made += labs.draw(results["labs"], folder)
    return made


def headline(c: dict):
    """Left: loss against CPU seconds. Right: what each modernisation is worth."""
    gpt, counts = c["gpt"], c["counts"]
    seconds = f"{median(gpt['cpu_s']):.0f}"
    made = figure(
        f"A GPT of {c['parameters'] / 1e6:.1f}M parameters in {seconds} CPU seconds; counts are still ahead", (9, 3.9)
    )
    left, right = made.subplots(1, 2)
    rate = median(gpt["cpu_s"]) / c["steps"]
    steps, losses = zip(*c["curve"], strict=True)
    left.plot([s * rate for s in steps], losses, color=BLUE, lw=1)
    left.plot(gpt["cpu_s"], gpt["loss"], "o", color=BLUE, ms=4)
    left.axhline(NANOGPT, color=GREY, ls="--", lw=1)
    left.text(0.3, NANOGPT - 0.02, "nanoGPT's recipe", color=GREY, va="top")
    left.plot([counts["cpu_s"]], [counts["loss"]], "D", color=ORANGE)
    label(left, counts["cpu_s"], counts["loss"], f"counts ({counts['order']}-grams)", ORANGE)
    left.text(max(gpt["cpu_s"]), max(gpt["loss"]) + 0.14, "five seeds, validation", color=BLUE, ha="right", va="bottom")
    left.set(xlabel="CPU seconds", ylabel="nats a character", ylim=(1.4, 3.4))
    left.set_title("training loss, and validation at the end")
    base = mean(c["removed"]["nothing"]["loss"])
    names = [n for n in c["removed"] if n != "nothing"]
    change = {n: [v - base for v in c["removed"][n]["loss"]] for n in names}
    names.sort(key=lambda n: mean(change[n]))
    right.barh(
        names, [mean(change[n]) for n in names], color=[VERMILION if mean(change[n]) > 0 else GREEN for n in names]
    )
    for i, n in enumerate(names):
        right.plot(change[n], [i] * len(change[n]), ".", color="black", ms=4)
    own = [v - base for v in c["removed"]["nothing"]["loss"]]
    right.axvspan(min(own), max(own), color=GREY, alpha=0.3, lw=0)
    right.set(xlabel="validation loss without it, minus with it")
    right.set_title("each removed alone (grey: seeds)")
    return made


def long(c: dict):
    """The curve of the long run."""
    reached = f"{c['valid_loss']:.2f} nats a byte after {c['tokens'] / 1e6:.1f} million bytes"
    made = figure(f"The long run: {c['parameters'] / 1e6:.1f}M parameters, {reached}", (6.4, 3.6))
    ax = made.subplots()
    ax.plot([int(s) for s in c["train"]], c["train"].values(), color=BLUE, lw=0.8)
    label(ax, int(list(c["train"])[-1]), list(c["train"].values())[-1], "training", BLUE, va="top")
    if c["valid"]:
        ax.plot([int(s) for s in c["valid"]], c["valid"].values(), "o-", color=ORANGE, ms=3)
        label(ax, int(list(c["valid"])[-1]), list(c["valid"].values())[-1], "validation", ORANGE, va="bottom")
    values = [*c["train"].values(), *c["valid"].values()]
    ax.set(xlabel="step", ylabel="nats a byte", ylim=(min(values) - 0.3, max(values) + 0.3))  # room for the names
    return made


def climb(c: dict):
    """The ladder: loss against the logarithm of the budget."""
    made = figure(c["claim"], (7.2, 4.2))
    ax = made.subplots()
    colors, ends = [GREY, ORANGE, GREEN, VERMILION, BLUE, "#CC79A7", "#56B4E9"], []
    for (name, rung), color in zip(c["rungs"].items(), colors, strict=False):
        values = [rung["loss"][str(b)] for b in c["budgets"]]
        ax.fill_between(c["budgets"], [min(v) for v in values], [max(v) for v in values], color=color, alpha=0.2, lw=0)
        ax.plot(c["budgets"], [median(v) for v in values], "o-", color=color, ms=4)
        ends.append((median(values[-1]), name, color))
    height = -1.0
    for y, name, color in sorted(ends):  # neighbours do not meet
        height = max(y, height + 0.03)
        label(ax, c["budgets"][-1], height, name, color)
    for crossing in c["crossings"]:
        ax.plot(crossing["seconds"], crossing["loss"], "x", color="black", ms=7)
    ax.set(xscale="log", xlabel="CPU seconds (crossings marked)", ylabel="validation loss, nats a character")
    ax.margins(x=0.25)
    return made
