"""All words of a corpus in one lattice: the expectation step of Unigram, fast.

The plain forward-backward (`lattice.py`) visits one edge at a time. Here the lattices of all distinct words lie in flat
arrays, and the recursion takes one step for each *position* instead of one for each edge: the edges that end at
position 1 of any word, then at position 2, and so on. A corpus of 6,000 words takes as many steps as its longest word
has characters. Removing pieces only masks edges away, so that the lattice is built once for a whole training run.

Dimension key: E edges, W words, P pieces.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Expectation:
    """What one expectation step finds out.

    Attributes:
        counts: how often each piece is expected to be used in the corpus.
        loss: nats that the corpus's log likelihood would lose if that piece alone were taken away.
        log_likelihood: of the corpus, in nats.
    """

    counts: Float[np.ndarray, "P"]
    loss: Float[np.ndarray, "P"]
    log_likelihood: float


class CorpusLattice:
    """The edges of all words: `piece`, `word`, and the nodes `source` and `target`, numbered through all words."""

    def __init__(self, words: Counter[str], pieces: Sequence[str]):
        index = {piece: i for i, piece in enumerate(pieces)}
        longest = max(map(len, pieces))
        columns: list[tuple[int, int, int, int, int, int]] = []
        base = 0
        for w, word in enumerate(words):
            for end in range(1, len(word) + 1):
                for start in range(max(0, end - longest), end):
                    if (piece := index.get(word[start:end])) is not None:
                        columns.append((end, start, base + start, base + end, piece, w))
            base += len(word) + 1
        lengths = np.fromiter(map(len, words), int)
        self.times = np.fromiter(words.values(), float)
        self.last = np.cumsum(lengths + 1) - 1
        self.first = self.last - lengths
        self._set(*np.array(sorted(columns), dtype=int).reshape(-1, 6).T)

    def _set(self, end, start, source, target, piece, word) -> None:
        """Keep the edges in order of (end, target); note the order of (start, source) for the way back."""
        order = np.lexsort((target, end))
        self.end, self.start, self.source = end[order], start[order], source[order]
        self.target, self.piece, self.word = target[order], piece[order], word[order]
        self.back = np.lexsort((self.source, self.start))
        self.ahead_steps = _steps(self.end, self.target)
        self.back_steps = _steps(self.start[self.back], self.source[self.back])[::-1]

    def keep(self, kept: Bool[np.ndarray, "P"]) -> None:
        """Take away the edges of all pieces that are not kept, and number the kept ones anew."""
        mask = kept[self.piece]
        number = np.cumsum(kept) - 1
        columns = (self.end, self.start, self.source, self.target, number[self.piece], self.word)
        self._set(*(column[mask] for column in columns))

    def _sums(self, scores: Float[np.ndarray, "E"], steps, begin, come_from, go_to) -> np.ndarray:
        """One sweep of log-sum-exp over the nodes, position by position."""
        sums = np.full(self.last[-1] + 1, -np.inf)
        sums[begin] = 0.0
        for low, high, groups in steps:
            values = sums[come_from[low:high]] + scores[low:high]
            sums[go_to[low:high][groups]] = np.logaddexp.reduceat(values, groups)
        return sums

    def expect(self, log_probs: Float[np.ndarray, "P"]) -> Expectation:
        """Forward and backward over every word, then the expected counts and the loss of each piece.

        Taking a piece away takes away the segmentations that use it, which hold the share q of the word's probability:
        the word's log likelihood changes by log(1 - q). This is exact where the piece has one place in the word;
        several places are added up as if they were independent.

        Raises:
            ValueError: some word has no segmentation.
        """
        scores = log_probs[self.piece]
        back = self.back
        alpha = self._sums(scores, self.ahead_steps, self.first, self.source, self.target)
        beta = self._sums(scores[back], self.back_steps, self.last, self.target[back], self.source[back])
        log_z = alpha[self.last]
        if not np.isfinite(log_z).all():
            raise ValueError("some words cannot be spelled: every character of the corpus must be a piece")
        q = np.exp(alpha[self.source] + scores + beta[self.target] - log_z[self.word])
        times = self.times[self.word]
        loss = -np.log1p(-np.minimum(q, 1 - 2.0**-53))
        return Expectation(
            np.bincount(self.piece, times * q, len(log_probs)),
            np.bincount(self.piece, times * loss, len(log_probs)),
            float(self.times @ log_z),
        )


def _steps(position: Int[np.ndarray, "E"], node: Int[np.ndarray, "E"]) -> list[tuple[int, int, np.ndarray]]:
    """For each position: the slice of its edges, and where in it each node's edges begin."""
    bounds = np.flatnonzero(np.diff(position, prepend=-1))
    steps = []
    for low, high in zip(bounds, [*bounds[1:], len(position)], strict=True):
        steps.append((int(low), int(high), np.flatnonzero(np.diff(node[low:high], prepend=-1))))
    return steps
