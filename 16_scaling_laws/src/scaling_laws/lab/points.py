"""The runs of other people: the points that Besiroglu et al. (2024) read off Hoffmann et al.'s figure 4."""

import csv
from pathlib import Path

import numpy as np

from . import fetch

OUTLIERS = 5
Points = tuple[np.ndarray, np.ndarray, np.ndarray]


def chinchilla_points() -> Points:
    """(N, D, loss) of 245 runs; D is FLOPs / 6N.

    Raises:
        OSError: the file is not on this machine and cannot be downloaded.
    """
    return read_points(fetch.fetch(fetch.REMOTES["chinchilla"]))


def read_points(path: Path) -> Points:
    """The columns of the file.

    Raises:
        ValueError: it has other columns.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        n, flops, loss = (
            np.array([float(row[name]) for row in rows]) for name in ("Model Size", "Training FLOP", "loss")
        )
    except KeyError as error:
        raise ValueError(f"{path}: its columns lack {error}; get the file again") from None
    return n, flops / (6 * n), loss


def without_outliers(n: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> Points:
    """Without the five highest losses, which no smooth law meets (Besiroglu et al., section 2)."""
    kept = np.sort(np.argsort(loss)[:-OUTLIERS])
    return n[kept], tokens[kept], loss[kept]
