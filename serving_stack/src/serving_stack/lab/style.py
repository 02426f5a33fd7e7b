"""How figures look: one claim as the title, direct labels, and colours that all kinds of eyes tell apart."""

import textwrap
from functools import partial
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from .record import atomic

Number = int | float

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color/
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, BLACK, GREY = "#0072B2", "#D55E00", "#CC79A7", "#222222", "#8A8A8A"

STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


class StyledFigure(Figure):
    """A figure whose axes and files have STYLE, wherever they are made. Global settings stay as they are."""

    def add_subplot(self, *args, **kwargs):
        with rc_context(STYLE):
            ax = super().add_subplot(*args, **kwargs)
        if hasattr(ax, "set_title"):
            font = {"fontsize": STYLE["axes.titlesize"]}  # these rc values are read when the title is set
            ax.set_title = partial(ax.set_title, fontdict=font, loc="left")
        return ax

    def savefig(self, *args, **kwargs):
        with rc_context(STYLE):
            super().savefig(*args, **kwargs)


def figure(claim: str, size: tuple[Number, Number] = (7, 4), **kwargs) -> Figure:
    """A figure with its claim as a bold title at the left. pyplot is not used, so a notebook keeps its backend."""
    kwargs.setdefault("layout", "constrained")
    with rc_context(STYLE):
        made = StyledFigure(figsize=size, **kwargs)
        title = textwrap.fill(claim, max(20, int(size[0] * 12)))
        made.suptitle(title, x=0.012, ha="left", fontweight="bold", fontsize=10.5, color=BLACK)
    return made


def save(figure: Figure, path: Path | str) -> Path:
    """Write the figure as a whole or not at all, without a date or a version in it."""
    path = Path(path)
    kind = path.suffix.lstrip(".") or "png"
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}.get(kind)
    with atomic(path) as tmp:
        figure.savefig(tmp, dpi=150, format=kind, metadata=metadata)
    return path


def label(ax, x: Number, y: Number, text: str, color: str, **kwargs):
    """A direct label to the right of the point (x, y)."""
    settings = {"va": "center", "fontweight": "bold", "annotation_clip": False} | kwargs
    return ax.annotate(text, (x, y), (5, 0), textcoords="offset points", color=color, **settings)
