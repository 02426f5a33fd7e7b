"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from .style import BLUE, GREY, figure, label, save


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if "headline" in results:
        paths.append(save(headline(results["headline"]), folder / "headline.png"))
    return paths


def headline(content: dict):
    """Entropy against temperature, with its limit."""
    temperatures = [float(name) for name in content["entropy"]]
    values = list(content["entropy"].values())
    made = figure("A higher temperature brings the entropy to its limit, log T", (6.4, 3.6))
    ax = made.subplots()
    ax.axhline(content["limit"], color=GREY, ls="--")
    ax.fill_between(temperatures, [min(v) for v in values], [max(v) for v in values], color=BLUE, alpha=0.25, lw=0)
    ax.plot(temperatures, [median(v) for v in values], "o-", color=BLUE)
    ax.set(xscale="log", xlabel="temperature", ylabel="entropy, nats", ylim=(0, None))
    ax.text(temperatures[0], content["limit"], f"log {content['tokens']}", color=GREY, va="bottom")
    label(ax, temperatures[-1], median(values[-1]) - 0.4, "softmax", BLUE)
    return made
