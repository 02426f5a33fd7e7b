"""Where the probes' results are kept: one section of results.json."""
import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from ..record import PROJECT, read, write

SECTION = "probes"


def recorded(name: str, folder: Path = PROJECT / "results") -> dict:
    """One experiment from the recorded results. Raises ValueError when it has not been run."""
    try:
        return read(folder)[SECTION][name]
    except KeyError:
        raise ValueError(f"{folder / 'results.json'} has no {SECTION}/{name}: "
                         "run python -m meaning_space.probes --out results") from None


def record(results: dict[str, Any], folder: Path, seed: int) -> Path:
    """Replace the section in `folder`/results.json, leaving the others; written beside and renamed."""
    write(SECTION, results, folder, [seed])
    return folder / "results.json"


def saved_figure(fig: plt.Figure, path: Path) -> None:
    """Write the figure beside `path` and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    fig.tight_layout()
    fig.savefig(beside, dpi=150)
    plt.close(fig)
    os.replace(beside, path)
