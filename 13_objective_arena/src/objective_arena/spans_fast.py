"""Span corruption of a whole batch without a loop over texts or spans, in NumPy.

All texts of a batch have one length, so they have equally many hidden tokens and spans. Then every step is one
operation over the flat batch, and the outputs are rectangles. Equal to `span_corruption` on the spans of
`random_spans`, given the same uniform numbers; the tests compare.
"""

import numpy as np
from numpy.typing import NDArray

from .spans import noise_counts


def partition_rows(uniforms: NDArray, parts: int) -> NDArray[np.int64]:
    """`random_partition` of every row. Uniforms (B, gaps) -> lengths (B, parts).

    Only the set of the smallest numbers matters, so a partial sort is enough.
    """
    B, gaps = uniforms.shape
    ends = np.zeros((B, gaps + 1), bool)
    ends[:, gaps] = True  # the last part ends with its row
    if parts > 1:
        smallest = np.partition(uniforms, parts - 2, axis=1)[:, parts - 2, None]
        ends[:, :gaps] = uniforms <= smallest
    edges = np.flatnonzero(ends) + 1
    return np.diff(edges, prepend=0).reshape(B, parts)


def corrupt_batch(
    ids: NDArray[np.int64],
    sentinel_id: int,
    eos_id: int,
    uniforms: tuple[NDArray, NDArray],
    density: float = 0.15,
    mean_length: float = 3.0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets of every row of ids (B, T). Uniforms: (B, visible - 1) and (B, hidden - 1)."""
    B, T = ids.shape
    _, spans = noise_counts(T, density, mean_length)
    lengths = np.stack([partition_rows(u, spans) for u in uniforms], 2).reshape(-1)  # visible, hidden, visible, …
    hidden = np.repeat(np.tile([False, True], B * spans), lengths)  # B·T
    edges = np.cumsum(lengths) - lengths
    sentinels = np.tile(sentinel_id - np.arange(spans), B)
    eos = np.full((B, 1), eos_id, ids.dtype)

    def replaced(drop: NDArray, starts: NDArray) -> NDArray:
        """The rows with each run of `drop` replaced by its sentinel."""
        marked, keep = ids.reshape(-1).copy(), ~drop
        marked[starts] = sentinels
        keep[starts] = True
        return np.concatenate([marked[keep].reshape(B, -1), eos], 1)

    return replaced(hidden, edges[1::2]), replaced(~hidden, edges[::2])


def draw_uniforms(rng: np.random.Generator, B: int, T: int, density: float = 0.15, mean_length: float = 3.0) -> tuple:
    """The uniform numbers that `corrupt_batch` needs."""
    hidden, _ = noise_counts(T, density, mean_length)
    return rng.random((B, T - hidden - 1), dtype=np.float32), rng.random((B, hidden - 1), dtype=np.float32)
