"""The interactive page: one HTML file with sliders, and the numbers that it should show."""

import json
from importlib.resources import files
from pathlib import Path

import torch

from ..rope import apply_rope
from .record import write_text


def vectors(dim: int = 128, seed: int = 0) -> dict[str, list[float]]:
    """The page's query and key: fixed random numbers with a correlation of 0.8."""
    generator = torch.Generator().manual_seed(seed)
    q, noise = torch.randn(2, dim, generator=generator, dtype=torch.float64)
    k = 0.8 * q + 0.6 * noise
    return {"q": [round(v, 6) for v in q.tolist()], "k": [round(v, 6) for v in k.tolist()]}


def page() -> str:
    """The whole page. It loads nothing else."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return template.replace("/*VECTORS*/null", json.dumps(vectors()))


def page_score(m: int, n: int, dim: int, base: float) -> float:
    """The dot product that the page should show, computed with `apply_rope`."""
    q = torch.tensor(vectors()["q"][:dim], dtype=torch.float64).view(1, 1, 1, dim)
    k = torch.tensor(vectors()["k"][:dim], dtype=torch.float64).view(1, 1, 1, dim)
    rotated_q, _ = apply_rope(q, q, torch.tensor([m]), base, "interleaved")
    _, rotated_k = apply_rope(k, k, torch.tensor([n]), base, "interleaved")
    return (rotated_q * rotated_k).sum().item()


def write_page(folder: Path) -> Path:
    """Write rope.html."""
    return write_text(folder / "rope.html", page())
