"""Training Unigram: expectation-maximisation and pruning (Kudo 2018, section 3.2).

With n(w) the count of word w and Z(w) its probability summed over segmentations (`unigram.py`), training maximises

    L = sum over words w of n(w) log Z(w).

It goes down, where BPE goes up: from far too many pieces to as many as were asked for.

1. Seed. All substrings that occur at least twice, ranked by count x length, and every single character.
2. EM. E: c(x) = the expected number of times x is used, from forward-backward. M: p(x) = c(x) / sum of c.
   L never falls (Dempster, Laird & Rubin 1977): log Z is at least the E step's lower bound, and the M step raises that.
3. Prune. Without x, the segmentations of w that use it are gone. They hold the share q of Z(w), the posterior that
   forward-backward has already found, so that the loss is

       loss(x) = - sum over w of n(w) log(1 - q(w, x)).

   Keep the best three quarters and all single characters; go back to 2 until the size is right. A piece is kept for
   what the vocabulary could not do without it, not for how often it is seen.

Kudo and SentencePiece estimate the loss from the second-best segmentation of x itself; the share q is the same idea
without the estimate. SentencePiece's M step is exp(digamma(c)) / exp(digamma(sum of c)), which pushes rare pieces out
sooner; this one is maximum likelihood.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from .corpus_lattice import CorpusLattice


def seed_pieces(words: Counter[str], size: int, longest: int) -> dict[str, int]:
    """The seed vocabulary with counts: all characters, then the substrings with the highest count x length.

    A substring that is always followed by the same character is left out: the longer one says all that it says.
    (SentencePiece takes the inner nodes of a suffix tree, which leaves them out as well.)
    """
    counts: Counter[str] = Counter()
    for word, times in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                counts[word[start:end]] += times
    redundant = {s[:-1] for s, count in counts.items() if counts.get(s[:-1]) == count}
    characters = sorted(s for s in counts if len(s) == 1)
    longer = [s for s, count in counts.items() if len(s) > 1 and count > 1 and s not in redundant]
    longer.sort(key=lambda s: (-counts[s] * len(s), s))
    return {s: counts[s] for s in characters + longer[: max(0, size - len(characters))]}


def maximise(counts: Float[np.ndarray, "P"]) -> Float[np.ndarray, "P"]:
    """The M step: log p(x) = log(c(x) / sum of c). A piece that is expected nowhere gets minus infinity."""
    with np.errstate(divide="ignore"):
        return np.log(counts) - math.log(counts.sum())


@dataclass(frozen=True)
class Round:
    """What one round of training found: how many pieces, and the log likelihood in nats before each EM step."""

    pieces: int
    log_likelihoods: tuple[float, ...]


def learn_unigram(
    words: Counter[str], size: int, seed_size: int, longest: int, shrink: float, em_steps: int
) -> tuple[list[str], Float[np.ndarray, "P"], list[Round]]:
    """Learn `size` pieces (<unk> not counted): seed, then EM and pruning in turns, then EM once more."""
    seeds = seed_pieces(words, max(seed_size, size), longest)
    pieces = list(seeds)
    lattice = CorpusLattice(words, pieces)
    log_probs = maximise(np.array(list(seeds.values()), float))
    rounds: list[Round] = []
    while True:
        history = []
        for _ in range(em_steps):
            found = lattice.expect(log_probs)
            log_probs = maximise(found.counts)
            history.append(found.log_likelihood)
        rounds.append(Round(len(pieces), tuple(history)))
        if len(pieces) <= size:
            return pieces, with_every_character(found.counts, pieces), rounds
        found = lattice.expect(log_probs)
        kept = choose(pieces, found.loss, max(size, int(shrink * len(pieces))))
        lattice.keep(kept)
        pieces = [piece for piece, keep in zip(pieces, kept, strict=True) if keep]
        log_probs = with_every_character(found.counts[kept], pieces)


def choose(pieces: Sequence[str], loss: Float[np.ndarray, "P"], size: int) -> Bool[np.ndarray, "P"]:
    """Mark the `size` pieces to keep: every single character, then those of the greatest loss, earlier ones first."""
    worth = np.where([len(piece) == 1 for piece in pieces], np.inf, loss)
    kept = np.zeros(len(pieces), bool)
    kept[np.argsort(-worth, kind="stable")[:size]] = True
    return kept


def with_every_character(counts: Float[np.ndarray, "P"], pieces: Sequence[str]) -> Float[np.ndarray, "P"]:
    """The M step with a floor: half an occurrence for each character, so that no string loses its last spelling."""
    return maximise(np.maximum(counts, [0.5 if len(piece) == 1 else 1e-9 for piece in pieces]))
