"""The fast form of `windows.py`: subsampling and windows of a whole text at once, in NumPy.

Dimensions: N words of text, B pairs in a batch, w the largest width of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from .corpus import Corpus
from .windows import keep_probability


@dataclass(frozen=True)
class WindowedText:
    """One epoch's text after subsampling. Word i sees `left[i]` words before it and `right[i]` words after it."""

    ids: Int[np.ndarray, "N"]
    left: Int[np.ndarray, "N"]
    right: Int[np.ndarray, "N"]
    window: int

    def __len__(self) -> int:
        return len(self.ids)

    def n_pairs(self) -> int:
        """How many (center, context) pairs the text holds."""
        return int(self.left.sum() + self.right.sum())


def windowed_text(
    corpus: Corpus, window: int, threshold: float | None, rng: np.random.Generator, shrink_windows: bool = True
) -> WindowedText:
    """Draws one epoch: drops frequent words, then draws the width of each window from 1..`window`.

    Words are dropped before windows are cut, so that a window reaches over the gaps, as in word2vec.c.
    `threshold` None keeps every word. Without `shrink_windows` every window has the full width.

    Raises:
        ValueError: `window` is below one, or `threshold` is not positive.
    """
    if window < 1:
        raise ValueError(f"window={window}: must be at least 1; a word needs neighbors")
    kept = np.ones(len(corpus), dtype=bool)
    if threshold is not None:
        kept = rng.random(len(corpus)) < keep_probability(corpus.vocabulary.counts, threshold)[corpus.ids]
    positions = np.arange(int(kept.sum()))
    widths = np.full(len(positions), window)
    if shrink_windows:
        widths = rng.integers(1, window + 1, len(positions))
    # Sentence numbers are sorted: a search finds where each word's sentence begins and ends among the kept words.
    sentences = np.searchsorted(corpus.starts, np.flatnonzero(kept), side="right")
    first = np.searchsorted(sentences, sentences, side="left")
    last = np.searchsorted(sentences, sentences, side="right") - 1
    left = np.minimum(widths, positions - first)
    right = np.minimum(widths, last - positions)
    return WindowedText(corpus.ids[kept], left, right, window)


def pair_batches(text: WindowedText, centers: int) -> Iterator[Int[np.ndarray, "B 2"]]:
    """The pairs of the text in reading order, those of `centers` words at a time."""
    offsets = np.arange(-text.window, text.window + 1)
    for start in range(0, len(text), centers):
        stop = min(start + centers, len(text))
        left, right = text.left[start:stop, None], text.right[start:stop, None]
        seen = (-left <= offsets) & (offsets <= right) & (offsets != 0)
        row, column = np.nonzero(seen)
        center = start + row
        yield np.stack([text.ids[center], text.ids[center + offsets[column]]], axis=1)
