"""The interactive map: one HTML file that holds everything it shows.

Dimensions: N words.
"""

import html
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from .record import write_text


def fit_square(points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    """The points, moved and scaled into the square from -1 to 1. Both directions have the same scale."""
    center = (points.max(axis=0) + points.min(axis=0)) / 2
    return (points - center) / np.abs(points - center).max()


def write_page(
    path: Path,
    title: str,
    words: list[str],
    maps: dict[str, Float[np.ndarray, "N 2"]],
    clusters: Int[np.ndarray, "N"],
    neighbors: list[list[str]],
    counts: list[int],
) -> Path:
    """Writes the page. `maps` are its layouts, `neighbors` what it shows for a word.

    Raises:
        ValueError: a part does not have one entry for each word.
    """
    parts = {"clusters": clusters, "neighbors": neighbors, "counts": counts, **maps}
    for name, part in parts.items():
        if len(part) != len(words):
            raise ValueError(f"{name}={len(part)} entries: must have one for each of the {len(words)} words")
    data = {
        "words": words,
        "counts": counts,
        "clusters": clusters.tolist(),
        "neighbors": neighbors,
        "maps": {name: np.round(fit_square(points), 4).tolist() for name, points in maps.items()},
    }
    return write_text(path, fill(title, json.dumps(data, separators=(",", ":"))))


def fill(title: str, data: str) -> str:
    """The page's template with a title and JSON in it. "</" would end the script; in JSON the slash may be escaped."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return template.replace("__TITLE__", html.escape(title)).replace("__DATA__", data.replace("</", "<\\/"))
