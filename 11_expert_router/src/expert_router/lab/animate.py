"""The animated picture: the load of eight experts while four decoders are trained."""

from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg

from .experiment import BIAS, EXPERTS, NONE, SWITCH, K, shazeer_name
from .record import atomic
from .style import BLUE, GREEN, GREY, PURPLE, VERMILION, figure

PANELS = {NONE: VERMILION, SWITCH: BLUE, BIAS: GREEN, shazeer_name(0.1, 0.1): PURPLE}
WINDOW = 5  # steps of training in a frame


def write_gif(c: dict, folder: Path) -> Path:
    """Write collapse.gif from the recorded load: one frame for each WINDOW steps."""
    path, bars = folder / "collapse.gif", Bars(c["load"])
    with atomic(path) as tmp:
        FuncAnimation(bars.figure, bars.show, frames=bars.frames, blit=False).save(tmp, writer=PillowWriter(fps=5))
    return path


class Bars:
    """Four panels of eight bars. `show(frame)` sets their heights."""

    def __init__(self, load: dict[str, list[list[int]]]):
        names = [name for name in PANELS if name in load]
        self.load = {name: np.array(load[name], dtype=float) for name in names}
        steps = min(len(counts) for counts in self.load.values())
        self.frames = max(1, steps // WINDOW)
        self.figure = figure("Without balance a few experts take the tokens", (8, 2.9), dpi=80, layout=None)
        FigureCanvasAgg(self.figure)
        axes = self.figure.subplots(1, len(names), sharey=True)
        self.figure.subplots_adjust(top=0.74, bottom=0.17, left=0.08, right=0.98, wspace=0.12)
        self.bars = {}
        for ax, name in zip(axes, names, strict=True):
            self.bars[name] = ax.bar(range(EXPERTS), np.ones(EXPERTS), color=PANELS[name])
            ax.axhline(1, color=GREY, ls="--")
            ax.set(ylim=(0, EXPERTS / K), xlabel="experts, busiest first", xticks=[])
            ax.set_title(name, fontdict={"fontsize": 9})
        axes[0].set_ylabel("tokens / equal share")
        self.step = self.figure.text(0.98, 0.93, "", ha="right", color=GREY)

    def show(self, frame: int) -> list:
        """The bars sorted by height: which expert is the favourite does not matter."""
        first = frame * WINDOW
        self.step.set_text(f"steps {first} to {first + WINDOW - 1}")
        changed = [self.step]
        for name, counts in self.load.items():
            share = counts[first : first + WINDOW].sum(axis=0)
            share = np.sort(share / share.mean())[::-1]
            for bar, height in zip(self.bars[name], share, strict=True):
                bar.set_height(height)
                changed.append(bar)
        return changed
