"""The interactive page: one HTML file that spends a budget by any of the laws."""

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

from ..allocate import A100, H100
from ..chinchilla import PUBLISHED, ChinchillaLaw
from .record import write_text


def laws(refitted: dict | None = None) -> dict[str, ChinchillaLaw]:
    """The laws that the page offers: the published ones, and the refit where it is recorded."""
    own = {"our refit of Hoffmann's points": ChinchillaLaw(**refitted["law"])} if refitted else {}
    return {**own, **dict(reversed(PUBLISHED.items()))}


def page(refitted: dict | None = None) -> str:
    """The whole page. It loads nothing else."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    data = {
        "laws": {name: law._asdict() for name, law in laws(refitted).items()},
        "cards": {card.name: asdict(card) for card in (H100, A100)},
    }
    return template.replace("/*DATA*/null", json.dumps(data))


def write_page(folder: Path, refitted: dict | None = None) -> Path:
    """Write allocate.html."""
    return write_text(folder / "allocate.html", page(refitted))
