"""The interactive map: one HTML file with everything in it. N words, n neighbours."""
import html
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from .record import replace


def fit_square(points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    """The points moved and scaled, alike in both directions, into the square from -1 to 1."""
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    return (points - centre) / np.abs(points - centre).max()


def write_page(path: Path, title: str, words: list[str], maps: dict[str, Float[np.ndarray, "N 2"]],
               clusters: Int[np.ndarray, "N"], neighbours: list[list[str]], counts: list[int]) -> Path:
    """Writes the page: `maps` are the layouts it can change between, `neighbours` what a word shows when pointed at.

    Raises ValueError if the parts do not have one entry for each word.
    """
    sizes = {"words": len(words), "clusters": len(clusters), "neighbours": len(neighbours), "counts": len(counts),
             **{name: len(points) for name, points in maps.items()}}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"the parts of the map have different sizes: {sizes}")
    data = {
        "words": words, "counts": counts, "clusters": clusters.tolist(), "neighbours": neighbours,
        "maps": {name: np.round(fit_square(points), 4).tolist() for name, points in maps.items()},
    }
    # "</" inside a script would end it; in JSON the slash may be written with a backslash.
    script = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return replace(path, template.replace("__TITLE__", html.escape(title)).replace("__DATA__", script))
