"""What the figures of the labs have in common: the claim as the title, direct labels, colours that all eyes tell apart.

Whoever shows a lab lends it the style of the other figures: fonts, spines and sizes come from `matplotlib`'s settings.
"""

import textwrap

from matplotlib.figure import Figure

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color/
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, BLACK, GREY = "#0072B2", "#D55E00", "#CC79A7", "#222222", "#8A8A8A"
COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK, GREY)


def figure(claim: str, size: tuple[float | int, float | int] = (7, 4)) -> Figure:
    """An empty figure with its claim as a bold title at the left; `size` in inches. pyplot is not used."""
    made = Figure(figsize=size, layout="constrained")
    title = textwrap.fill(claim, max(20, int(size[0] * 11)))
    made.suptitle(title, x=0.012, ha="left", fontweight="bold", fontsize=10.5, color=BLACK)
    return made


def label(ax, x: float | int, y: float | int, text: str, color: str, **kwargs):
    """A direct label to the right of the point (x, y)."""
    settings = {"va": "center", "fontweight": "bold", "annotation_clip": False} | kwargs
    return ax.annotate(text, (x, y), (5, 0), textcoords="offset points", color=color, **settings)


def spread_labels(ax, ends: list[tuple[float | int, float | int, str, str]], gap: float | int = 0.06) -> None:
    """Labels (x, y, text, color) at the ends of curves, moved apart to at least `gap` of the axis' height.

    The axis' scale, and its limits where they are not automatic, must be set before: they are fixed here.
    """
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())  # the limits are only computed when they are asked for
    place = ax.transData + ax.transAxes.inverted()
    points = [place.transform((x, y)) for x, y, _, _ in ends]
    heights = apart([y for _, y in points], gap)
    for (_, _, text, color), (x, _), y in zip(ends, points, heights, strict=True):
        settings = {"va": "center", "fontweight": "bold", "annotation_clip": False, "xycoords": "axes fraction"}
        ax.annotate(text, (x, y), (5, 0), textcoords="offset points", color=color, **settings)


def apart(heights: list[float], gap: float | int) -> list[float]:
    """The heights, moved as little as possible so that neighbours are at least `gap` apart; the order stays."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    groups: list[list[float]] = []  # each: [centre, members]
    for i in order:
        groups.append([heights[i], 1])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2:
            centre, count = groups.pop()
            below, number = groups.pop()
            groups.append([(centre * count + below * number) / (count + number), count + number])
    moved = [centre + gap * (k - (count - 1) / 2) for centre, count in groups for k in range(int(count))]
    placed = [0.0] * len(heights)
    for i, height in zip(order, moved, strict=True):
        placed[i] = height
    return placed
