"""Who is whose neighbour: subsampling of frequent words, windows of dynamic width, pairs.

N tokens, V words in the vocabulary, P pairs, B pairs in a batch, w the largest width.
"""
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .corpus import Corpus


def keep_probability(counts: Int[np.ndarray, "V"], threshold: float = 1e-3) -> Float[np.ndarray, "V"]:
    """The chance with which one occurrence of each word stays in the text, min(1, sqrt(t / f)).

    Mikolov et al. 2013b, eq. 5, gives the chance of discarding, 1 - sqrt(t / f), f being the word's share of all
    tokens. The root leaves the order of the words by frequency as it was: f becomes sqrt(t f).

    Raises ValueError if `threshold` is not positive or a count is below one.
    """
    if not threshold > 0:
        raise ValueError(f"threshold={threshold} must be positive: it is a share of the text, such as 1e-3")
    if counts.min() < 1:
        raise ValueError(f"counts hold {counts.min()}: every word of a vocabulary occurs at least once")
    share = counts / counts.sum()
    return np.minimum(1.0, np.sqrt(threshold / share))


def pairs(ids: Int[np.ndarray, "N"], widths: Int[np.ndarray, "..."]) -> Int[np.ndarray, "P 2"]:
    """Every (centre, context) pair of one sentence, by the centre's place and then the context's.

    The word at place i looks `widths[i]` places to either side, as far as the sentence goes, and not at itself.
    Drawing the widths uniformly from 1..w weights a context at distance d by (w - d + 1) / w (Mikolov et al. 2013a).

    Raises ValueError if there is not one width for each word, or a width is below one.
    """
    if widths.shape != ids.shape:
        raise ValueError(f"widths has shape {widths.shape}, ids {ids.shape}: each word needs its own width")
    if len(widths) and widths.min() < 1:
        raise ValueError(f"widths hold {widths.min()}: a window reaches at least one word to either side")
    found = []
    for i, width in enumerate(widths.tolist()):
        for j in range(max(0, i - width), min(len(ids), i + width + 1)):
            if j != i:
                found.append((ids[i], ids[j]))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Stream:
    """One epoch's text after subsampling, and how far each word looks: `left` and `right` stop at its sentence."""
    ids: Int[np.ndarray, "N"]
    left: Int[np.ndarray, "N"]
    right: Int[np.ndarray, "N"]
    width: int

    def __len__(self) -> int:
        return len(self.ids)

    def mask(self, start: int, stop: int) -> Bool[np.ndarray, "B places"]:
        """For the words at start..stop - 1: which of the places -w..w around each of them it looks at."""
        offset = np.arange(-self.width, self.width + 1)
        left, right = self.left[start:stop, None], self.right[start:stop, None]
        return (-left <= offset) & (offset <= right) & (offset != 0)


def stream(corpus: Corpus, width: int, threshold: float | None, rng: np.random.Generator,
           dynamic: bool = True) -> Stream:
    """Draws one epoch: drops frequent words, then draws a width in 1..`width` for each word that stays.

    Words are dropped before windows are cut, so that windows reach further over the gaps, as in word2vec.c.
    `threshold` None keeps every word; without `dynamic` every window has the full width.

    Raises ValueError if `width` is below one.
    """
    if width < 1:
        raise ValueError(f"width={width} must be at least 1: a word without neighbours has no meaning here")
    kept = np.ones(len(corpus), dtype=bool)
    if threshold is not None:
        kept = rng.random(len(corpus)) < keep_probability(corpus.vocabulary.counts, threshold)[corpus.ids]
    before = np.concatenate(([0], np.cumsum(kept)))
    bounds = before[np.append(corpus.starts, len(corpus))]          # sentence bounds among the kept words
    lengths = np.diff(bounds)
    first, last = np.repeat(bounds[:-1], lengths), np.repeat(bounds[1:] - 1, lengths)
    place = np.arange(kept.sum())
    drawn = rng.integers(1, width + 1, len(place)) if dynamic else np.full(len(place), width)
    return Stream(corpus.ids[kept], np.minimum(drawn, place - first), np.minimum(drawn, last - place), width)


def pair_batches(text: Stream, words: int) -> Iterator[Int[np.ndarray, "B 2"]]:
    """The stream's pairs in reading order, those of `words` centres at a time."""
    offset = np.arange(-text.width, text.width + 1)
    for start in range(0, len(text), words):
        row, column = np.nonzero(text.mask(start, min(start + words, len(text))))
        centre = start + row
        yield np.stack([text.ids[centre], text.ids[centre + offset[column]]], axis=1)
