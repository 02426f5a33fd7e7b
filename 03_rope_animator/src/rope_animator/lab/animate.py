"""The animated picture: pairs that rotate with position, and a dot product that stays the same."""

from pathlib import Path

import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from torch import Tensor

from ..rope import angles, apply_rope
from ..sinusoidal import frequencies, wavelengths
from .record import atomic
from .style import BLUE, GREEN, GREY, VERMILION, figure


def write_gif(folder: Path, frames: int | None = None) -> Path:
    """Write rope.gif, or its first frames only. It stays under 3 MB."""
    dials, path = Dials(), folder / "rope.gif"
    count = len(dials.positions) if frames is None else frames
    with atomic(path) as tmp:
        FuncAnimation(dials.figure, dials.show, frames=count, blit=False).save(tmp, writer=PillowWriter(fps=14))
    return path


class Dials:
    """Four pairs as clocks above one plot of the score. `show(frame)` moves the hands."""

    def __init__(self, distance: int = 6, last: int = 54, base: float = 100.0, dim: int = 8) -> None:
        generator = torch.Generator().manual_seed(4)
        self.q, noise = torch.randn(2, dim, generator=generator, dtype=torch.float64)
        self.k, self.distance, self.base = 0.8 * self.q + 0.6 * noise, distance, base
        self.positions = torch.arange(2 * distance, 2 * last + 1).double() / 2  # half a token for each frame
        self.rotary = rotary_scores(self.q, self.k, self.positions, distance, base)
        self.added = added_scores(self.q, self.k, self.positions, distance, base)
        claim = "Every pair rotates with position; the dot product depends on the distance alone"
        self.figure = figure(claim, size=(8.0, 4.6), dpi=90, layout=None)
        FigureCanvasAgg(self.figure)
        grid = self.figure.add_gridspec(
            2, 4, height_ratios=(1.25, 1), hspace=0.2, top=0.85, bottom=0.13, left=0.08, right=0.97
        )
        waves = wavelengths(frequencies(dim, base)).tolist()
        self.hands = [draw_clock(self.figure.add_subplot(grid[0, i]), waves[i], i == 0) for i in range(4)]
        self.line, self.added_line = self.draw_plot(self.figure.add_subplot(grid[1, :]))

    def draw_plot(self, axes: Axes) -> tuple[Line2D, Line2D]:
        """The two curves of score against position, still empty."""
        low, high, end = self.added.min().item(), self.added.max().item(), self.positions[-1].item() + 1
        axes.set(xlim=(self.distance, end + 12), ylim=(min(0, low) - 1, high + 1))
        axes.set(xlabel=f"position of the query (key {self.distance} tokens before it)", ylabel="dot product")
        rotary, added = self.rotary[-1].item(), self.added[-1].item()
        above = rotary > added
        axes.text(end, rotary, "rotated (RoPE)", color=GREEN, va="bottom" if above else "top")
        axes.text(end, added, "sines added", color=GREY, va="top" if above else "bottom")
        (line,) = axes.plot([], [], color=GREEN, linewidth=2.2)
        (added_line,) = axes.plot([], [], color=GREY, linewidth=1.4)
        return line, added_line

    def show(self, frame: int) -> list[Line2D]:
        """Move the hands and extend the curves to a frame."""
        position = self.positions[frame]
        for index, (x, at) in enumerate(((self.q, position), (self.k, position - self.distance))):
            vector = x.view(1, 1, 1, -1)
            rotated, _ = apply_rope(vector, vector, at[None], self.base, "interleaved")
            for hands, (a, b) in zip(self.hands, rotated.view(-1, 2).tolist(), strict=True):
                length = (a * a + b * b) ** 0.5
                hands[index].set_data([0, a / length], [0, b / length])
        positions = self.positions[: frame + 1].tolist()
        self.line.set_data(positions, self.rotary[: frame + 1].tolist())
        self.added_line.set_data(positions, self.added[: frame + 1].tolist())
        return [self.line, self.added_line]


def draw_clock(axes: Axes, wavelength: float, with_names: bool) -> tuple[Line2D, ...]:
    """An empty clock and its two hands: query and key."""
    axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    axes.axis("off")
    axes.add_patch(Circle((0, 0), 1, fill=False, color=GREY, linewidth=0.8))
    axes.text(0, 1.35, f"one rotation in {wavelength:.0f} tokens", fontsize=9, ha="center")
    if with_names:
        axes.text(-1.3, 1.05, "query", color=BLUE, ha="right")
        axes.text(-1.3, 0.7, "key", color=VERMILION, ha="right")
    style = {"linewidth": 2.5, "marker": "o", "markevery": [-1]}
    return tuple(axes.plot([], [], color=color, **style)[0] for color in (BLUE, VERMILION))


def rotary_scores(q: Tensor, k: Tensor, positions: Tensor, distance: int, base: float) -> Tensor:
    """Score of q at each position with k `distance` tokens before it, both rotated."""
    q, k = (x.expand(1, 1, len(positions), -1) for x in (q, k))
    rotated_q, _ = apply_rope(q, k, positions, base, "interleaved")
    _, rotated_k = apply_rope(q, k, positions - distance, base, "interleaved")
    return (rotated_q * rotated_k).sum(-1).flatten()


def added_scores(q: Tensor, k: Tensor, positions: Tensor, distance: int, base: float) -> Tensor:
    """The same score with sinusoids added to q and k."""
    dim = q.shape[-1]
    return ((q + sinusoids(positions, dim, base)) * (k + sinusoids(positions - distance, dim, base))).sum(-1)


def sinusoids(positions: Tensor, dim: int, base: float) -> Tensor:
    """Rows of the sinusoidal table at positions that need not be whole, for smooth motion."""
    angle = angles(positions, frequencies(dim, base))
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)
