"""All words of a corpus in one lattice: the expectation step of Unigram, fast.

The plain forward-backward (`lattice.py`) visits one edge at a time. Here the edges of all distinct words lie in flat
arrays. The recursion takes one step for each *position*, not for each edge: first the edges that end at position 1 of
any word, then those that end at position 2, and so on. A corpus of 6,000 words takes as many steps as its longest word
has characters.

The nodes of all words are numbered through. Word w of n characters has n + 1 nodes, from `first[w]` to `last[w]`.

Removing pieces only removes edges, so the lattice is built once for a whole training run.

Dimensions: E edges, N nodes, W words, P pieces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Expectation:
    """The result of one expectation step.

    `counts` is how often each piece is expected to be used in the corpus. `loss` is what the corpus's log likelihood
    would lose in nats if that piece alone were removed.
    """

    counts: Float[np.ndarray, "P"]
    loss: Float[np.ndarray, "P"]
    log_likelihood: float


@dataclass(frozen=True)
class Edges:
    """The edges of all words. `start` and `end` are positions in the word, `source` and `target` are nodes."""

    end: Int[np.ndarray, "E"]
    start: Int[np.ndarray, "E"]
    source: Int[np.ndarray, "E"]
    target: Int[np.ndarray, "E"]
    piece: Int[np.ndarray, "E"]
    word: Int[np.ndarray, "E"]

    def take(self, rows: np.ndarray) -> "Edges":
        """Some of the edges: a mask, or their numbers in a new order."""
        return Edges(*(column[rows] for column in vars(self).values()))


@dataclass(frozen=True)
class Sweep:
    """One direction of the recursion: the order in which edges are visited, and the slice of each step.

    A step is (low, high, groups): the edges order[low:high], where groups says at which of them a new node begins.
    """

    order: Int[np.ndarray, "E"]
    steps: list[tuple[int, int, np.ndarray]]


def sweep(position: Int[np.ndarray, "E"], node: Int[np.ndarray, "E"], backward: bool) -> Sweep:
    """Sort the edges by position and node, and cut them into steps of one position each."""
    order = np.lexsort((node, position))
    position, node = position[order], node[order]
    bounds = np.flatnonzero(np.diff(position, prepend=-1))
    steps = []
    for low, high in zip(bounds, [*bounds[1:], len(position)], strict=True):
        groups = np.flatnonzero(np.diff(node[low:high], prepend=-1))
        steps.append((int(low), int(high), groups))
    return Sweep(order, steps[::-1] if backward else steps)


class CorpusLattice:
    """The lattices of all words. `words` maps each word to its count in the corpus."""

    def __init__(self, words: Mapping[str, int], pieces: Sequence[str]):
        lengths = np.fromiter(map(len, words), int)
        self.counts = np.fromiter(words.values(), float)
        self.last = np.cumsum(lengths + 1) - 1
        self.first = self.last - lengths
        self.set_edges(find_edges(words, pieces, self.first))

    def set_edges(self, edges: Edges) -> None:
        """Keep these edges, and sort them for both directions."""
        self.edges = edges
        self.forward = sweep(edges.end, edges.target, backward=False)
        self.backward = sweep(edges.start, edges.source, backward=True)

    def keep(self, kept: Bool[np.ndarray, "P"]) -> None:
        """Remove the edges of all pieces that are not kept, and number the kept pieces anew."""
        edges = self.edges.take(kept[self.edges.piece])
        number = np.cumsum(kept) - 1
        self.set_edges(Edges(**{**vars(edges), "piece": number[edges.piece]}))

    def expect(self, log_probs: Float[np.ndarray, "P"]) -> Expectation:
        """Forward and backward over every word, then the expected count and the loss of each piece.

        Without a piece, the segmentations that use it are gone. They hold the share q of the word's probability, so
        its log likelihood changes by log(1 - q). This is exact where the piece occurs once in the word. Several
        occurrences are added up as if they were independent.

        Raises:
            ValueError: some word has no segmentation.
        """
        e = self.edges
        scores = log_probs[e.piece]
        alpha = self.log_sums(self.forward, self.first, e.source, e.target, scores)
        beta = self.log_sums(self.backward, self.last, e.target, e.source, scores)
        log_z = alpha[self.last]
        if not np.isfinite(log_z).all():
            raise ValueError("pieces: some words have no segmentation; every character of the corpus must be a piece")
        q = np.exp(alpha[e.source] + scores + beta[e.target] - log_z[e.word])
        loss = -np.log1p(-np.minimum(q, 1 - 2.0**-53))
        weights = self.counts[e.word]
        return Expectation(
            np.bincount(e.piece, weights * q, len(log_probs)),
            np.bincount(e.piece, weights * loss, len(log_probs)),
            float(self.counts @ log_z),
        )

    def log_sums(
        self,
        sweep: Sweep,
        begin: Int[np.ndarray, "W"],
        source: Int[np.ndarray, "E"],
        target: Int[np.ndarray, "E"],
        scores: Float[np.ndarray, "E"],
    ) -> Float[np.ndarray, "N"]:
        """The log probability of all paths from `begin` to each node, position by position."""
        source, target, scores = source[sweep.order], target[sweep.order], scores[sweep.order]
        sums = np.full(self.last[-1] + 1, -np.inf)
        sums[begin] = 0.0
        for low, high, groups in sweep.steps:
            arriving = sums[source[low:high]] + scores[low:high]
            sums[target[low:high][groups]] = np.logaddexp.reduceat(arriving, groups)
        return sums


def find_edges(words: Mapping[str, int], pieces: Sequence[str], first: Int[np.ndarray, "W"]) -> Edges:
    """Every occurrence of a piece in a word."""
    index = {piece: i for i, piece in enumerate(pieces)}
    longest = max(map(len, pieces))
    rows = []
    for w, word in enumerate(words):
        base = int(first[w])
        for end in range(1, len(word) + 1):
            for start in range(max(0, end - longest), end):
                piece = index.get(word[start:end])
                if piece is not None:
                    rows.append((end, start, base + start, base + end, piece, w))
    return Edges(*np.array(rows, dtype=int).reshape(-1, 6).T)
