"""The rotation to look at: an animated picture, and a page with sliders.

`python -m rope_animator animate` writes rope.gif and rope.html.
"""

import json
import os
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from torch import Tensor

from .record import write_text
from .rope import angles, apply_rope
from .sinusoidal import frequencies, wavelengths

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8a8f98"


def vectors(dim: int = 128, seed: int = 0) -> dict[str, list[float]]:
    """The page's query and key: fixed random numbers, the key made to resemble the query (correlation 0.8)."""
    g = torch.Generator().manual_seed(seed)
    q, noise = torch.randn(2, dim, generator=g, dtype=torch.float64)
    return {name: [round(v, 6) for v in x.tolist()] for name, x in (("q", q), ("k", 0.8 * q + 0.6 * noise))}


def page() -> str:
    """The interactive page, whole: one file, no address in it."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return template.replace("/*VECTORS*/null", json.dumps(vectors()))


def page_score(m: int, n: int, dim: int, base: float) -> float:
    """The dot product that the page should show, by `apply_rope`: its oracle."""
    q, k = (torch.tensor(vectors()[name][:dim], dtype=torch.float64).view(1, 1, 1, dim) for name in ("q", "k"))
    turned_q, _ = apply_rope(q, q, torch.tensor([m]), base, "interleaved")
    _, turned_k = apply_rope(k, k, torch.tensor([n]), base, "interleaved")
    return (turned_q * turned_k).sum().item()


def write_page(out: Path) -> Path:
    """Write rope.html."""
    write_text(out / "rope.html", page())
    return out / "rope.html"


# ---------------------------------------------------------------- the animated picture


def sinusoids(positions: Tensor, dim: int, base: float) -> Tensor:
    """Rows of the sinusoidal table at positions that need not be whole, for smooth motion."""
    angle = angles(positions, frequencies(dim, base))
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)


def scores_along(q: Tensor, k: Tensor, positions: Tensor, distance: int, base: float) -> tuple[Tensor, Tensor]:
    """Score of q at each position and k `distance` before it: turned, and with sinusoids added instead."""
    repeat = [x.expand(1, 1, len(positions), -1) for x in (q, k)]
    turned_q, _ = apply_rope(*repeat, positions, base, "interleaved")
    _, turned_k = apply_rope(*repeat, positions - distance, base, "interleaved")
    added = (q.flatten() + sinusoids(positions, q.shape[-1], base)) * (
        k.flatten() + sinusoids(positions - distance, k.shape[-1], base)
    )
    return (turned_q * turned_k).sum(-1).flatten(), added.sum(-1)


class Dials:
    """Four pairs as clocks above one plot of the score; `show(frame)` moves the hands."""

    def __init__(self, distance: int = 6, last: int = 54, base: float = 100.0, dim: int = 8) -> None:
        g = torch.Generator().manual_seed(4)
        self.q, noise = torch.randn(2, dim, generator=g, dtype=torch.float64)
        self.k, self.distance, self.base = 0.8 * self.q + 0.6 * noise, distance, base
        self.positions = torch.arange(2 * distance, 2 * last + 1).double() / 2  # half a token a frame
        self.rotary, self.added = scores_along(self.q, self.k, self.positions, distance, base)
        self.figure = plt.figure(figsize=(8, 4.6), dpi=90)
        self.figure.suptitle("Every pair turns with position; the dot product knows only the distance", fontsize=13)
        grid = self.figure.add_gridspec(
            2, 4, height_ratios=(1.25, 1), hspace=0.2, top=0.85, bottom=0.13, left=0.08, right=0.97
        )
        theta = frequencies(dim, base)
        self.hands = [self.clock(self.figure.add_subplot(grid[0, i]), theta, i) for i in range(4)]
        self.plot(self.figure.add_subplot(grid[1, :]))

    def clock(self, axes, theta: Tensor, i: int) -> tuple:
        """An empty clock for pair i, and its two hands."""
        axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        axes.axis("off")
        axes.add_patch(plt.Circle((0, 0), 1, fill=False, color=GREY, linewidth=0.8))
        wave = wavelengths(theta)[i].item()
        axes.set_title(f"one turn in {wave:.0f} tokens", fontsize=9, pad=2)
        if i == 0:
            axes.text(-1.3, 1.1, "query", color=BLUE, ha="right")
            axes.text(-1.3, 0.75, "key", color=VERMILION, ha="right")
        return tuple(
            axes.plot([], [], color=c, linewidth=2.5, marker="o", markevery=[-1])[0] for c in (BLUE, VERMILION)
        )

    def plot(self, axes) -> None:
        """The two curves of score against position, still empty."""
        low, high = self.added.min().item(), self.added.max().item()
        axes.set(xlim=(self.distance, self.positions[-1].item() + 13), ylim=(min(0, low) - 1, high + 1))
        axes.set(xlabel=f"position of the query (key {self.distance} tokens before it)", ylabel="dot product")
        axes.spines[["top", "right"]].set_visible(False)
        (self.line,) = axes.plot([], [], color=GREEN, linewidth=2.2)
        (self.other,) = axes.plot([], [], color=GREY, linewidth=1.4)
        end = self.positions[-1].item() + 1
        above = self.rotary[-1].item() > self.added[-1].item()
        axes.text(end, self.rotary[-1].item(), "turned (rotary)", color=GREEN, va="bottom" if above else "top")
        axes.text(end, self.added[-1].item(), "sines added", color=GREY, va="top" if above else "bottom")

    def show(self, frame: int) -> list:
        """Move hands and curves to a frame."""
        at = self.positions[frame]
        for x, place, which in ((self.q, at, 0), (self.k, at - self.distance, 1)):
            turned, _ = apply_rope(*(x.view(1, 1, 1, -1),) * 2, place[None], self.base, "interleaved")
            for hand, (a, b) in zip(self.hands, turned.view(-1, 2).tolist(), strict=True):
                length = (a * a + b * b) ** 0.5
                hand[which].set_data([0, a / length], [0, b / length])
        seen = self.positions[: frame + 1].tolist()
        self.line.set_data(seen, self.rotary[: frame + 1].tolist())
        self.other.set_data(seen, self.added[: frame + 1].tolist())
        return [self.line, self.other]


def write_gif(out: Path, frames: int | None = None) -> Path:
    """Write rope.gif, or only its first frames; under 3 MB."""
    dials, path = Dials(), out / "rope.gif"
    count = len(dials.positions) if frames is None else frames
    out.mkdir(parents=True, exist_ok=True)
    beside = out / f"rope.{os.getpid()}.tmp.gif"
    FuncAnimation(dials.figure, dials.show, frames=count, blit=False).save(beside, writer=PillowWriter(fps=14))
    plt.close(dials.figure)
    os.replace(beside, path)
    return path
