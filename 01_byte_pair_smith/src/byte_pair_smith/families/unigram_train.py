"""Training Unigram: expectation-maximization and pruning (Kudo 2018, section 3.2).

With n(w) the count of word w and Z(w) its probability summed over segmentations (`unigram.py`), training maximizes

    L = sum over words w of n(w) log Z(w).

BPE starts small and adds tokens. Unigram starts with far too many pieces and removes them.

1. Seed. All substrings that occur at least twice, ranked by count x length, and every single character.
2. EM. E: c(x) = the expected number of times that x is used, from forward-backward. M: p(x) = c(x) / sum of c.
   L never falls (Dempster, Laird & Rubin 1977): log Z is at least the E step's lower bound, and the M step raises that.
3. Prune. Without x, the segmentations of w that use it are gone. They hold the share q of Z(w), which forward-backward
   has found already. So the loss is

       loss(x) = - sum over w of n(w) log(1 - q(w, x)).

   Keep the best three quarters and all single characters. Go back to 2 until the size is right. What counts is how much
   worse the vocabulary would be without the piece, not how often the piece is used.

Kudo and SentencePiece estimate the loss from the second-best segmentation of x itself. The share q is the same idea
without the estimate. SentencePiece's M step is exp(digamma(c)) / exp(digamma(sum of c)), which removes rare pieces
sooner. This one is maximum likelihood.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from .lattice_fast import CorpusLattice


def seed_pieces(words: Counter[str], size: int, longest: int) -> dict[str, int]:
    """The seed vocabulary with counts: all characters, then the substrings with the highest count x length.

    A substring that is always followed by the same character is left out, because the longer one can replace it.
    SentencePiece takes the inner nodes of a suffix tree, which leaves them out too.
    """
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                counts[word[start:end]] += count
    redundant = {s[:-1] for s, count in counts.items() if counts.get(s[:-1]) == count}
    characters = sorted(s for s in counts if len(s) == 1)
    longer = [s for s, count in counts.items() if len(s) > 1 and count > 1 and s not in redundant]
    longer.sort(key=lambda s: (-counts[s] * len(s), s))
    return {s: counts[s] for s in characters + longer[: max(0, size - len(characters))]}


def maximize(counts: Float[np.ndarray, "P"]) -> Float[np.ndarray, "P"]:
    """The M step: log p(x) = log(c(x) / sum of c). A piece with an expected count of 0 gets minus infinity."""
    with np.errstate(divide="ignore"):
        return np.log(counts) - math.log(counts.sum())


@dataclass(frozen=True)
class Round:
    """One round of training: how many pieces there were, and the log likelihood in nats before each EM step."""

    pieces: int
    log_likelihoods: tuple[float, ...]


def learn_unigram(
    words: Counter[str], size: int, seed_size: int, longest: int, shrink: float, em_steps: int
) -> tuple[list[str], Float[np.ndarray, "P"], list[Round]]:
    """Learn `size` pieces (<unk> not counted): seed, then EM and pruning in turns, then EM once more.

    Returns the pieces, their log probabilities, and the rounds. The arguments are those of `Unigram.train`.
    """
    seeds = seed_pieces(words, max(seed_size, size), longest)
    pieces = list(seeds)
    lattice = CorpusLattice(words, pieces)
    log_probs = maximize(np.array(list(seeds.values()), float))
    rounds: list[Round] = []
    while True:
        history = []
        for _ in range(em_steps):
            expectation = lattice.expect(log_probs)
            log_probs = maximize(expectation.counts)
            history.append(expectation.log_likelihood)
        rounds.append(Round(len(pieces), tuple(history)))
        if len(pieces) <= size:
            return pieces, maximize_with_characters(expectation.counts, pieces), rounds
        expectation = lattice.expect(log_probs)
        kept = best_pieces(pieces, expectation.loss, max(size, int(shrink * len(pieces))))
        lattice.keep(kept)
        pieces = [piece for piece, keep in zip(pieces, kept, strict=True) if keep]
        log_probs = maximize_with_characters(expectation.counts[kept], pieces)


def best_pieces(pieces: Sequence[str], loss: Float[np.ndarray, "P"], size: int) -> Bool[np.ndarray, "P"]:
    """A mask of `size` pieces: every single character, then those with the greatest loss, earlier ones first."""
    value = np.where([len(piece) == 1 for piece in pieces], np.inf, loss)
    kept = np.zeros(len(pieces), bool)
    kept[np.argsort(-value, kind="stable")[:size]] = True
    return kept


def maximize_with_characters(counts: Float[np.ndarray, "P"], pieces: Sequence[str]) -> Float[np.ndarray, "P"]:
    """The M step with a minimum: each character counts at least half, so that every string keeps a segmentation."""
    return maximize(np.maximum(counts, [0.5 if len(piece) == 1 else 1e-9 for piece in pieces]))
