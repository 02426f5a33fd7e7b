"""Unigram: a probability for each piece, and the most probable spelling (Kudo 2018).

The model. A text's pieces are drawn independently, piece x with probability p(x), so that a segmentation x_1 ... x_m
has probability prod p(x_i). The segmentation is hidden. A word's likelihood sums over all of them, and training
maximises

    L = sum over words w of n(w) log Z(w),      Z(w) = sum over segmentations x of w of prod p(x_i).

Training goes down, where BPE goes up: from far too many pieces to as many as were asked for.

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

Encoding is Viterbi on the lattice. Sampling from the lattice instead gives a model the same text in other spellings
each time it is read: subword regularisation.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ..pretokenize import GPT2, pretokenize
from .corpus_lattice import CorpusLattice
from .family import UNK, Family, Token, check_text, check_vocab, count_words
from .lattice import UNKNOWN_PENALTY, Edge, edges_of, forward, sample, viterbi


def seed_pieces(words: Counter[str], size: int, longest: int) -> dict[str, int]:
    """The seed vocabulary with counts: all characters, then the substrings with the highest count x length.

    A substring that is always followed by the same character is left out: the longer one says all that it says.
    (SentencePiece's suffix array leaves out the same ones.)
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
    """What one round of training found: pieces, and log likelihood in nats after each of its EM steps."""

    pieces: int
    log_likelihoods: tuple[float, ...]


def learn_unigram(
    words: Counter[str], size: int, seed_size: int, longest: int, shrink: float, em_steps: int
) -> tuple[list[str], Float[np.ndarray, "P"], list[Round]]:
    """Learn `size` pieces (<unk> not counted): seed, then EM and pruning in turns, then EM once more."""
    seeds = seed_pieces(words, max(seed_size, size), longest)
    pieces = np.array(list(seeds), dtype=object)
    single = np.array([len(piece) == 1 for piece in pieces])
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
            return pieces.tolist(), _with_every_character(found.counts, single), rounds
        found = lattice.expect(log_probs)
        target = max(size, int(shrink * len(pieces)))
        ranks = np.lexsort((np.arange(len(pieces)), -np.where(single, np.inf, found.loss)))
        kept = np.zeros(len(pieces), bool)
        kept[ranks[:target]] = True
        lattice.keep(kept)
        log_probs = _with_every_character(found.counts[kept], single[kept])
        pieces, single = pieces[kept], single[kept]


def _with_every_character(counts: Float[np.ndarray, "P"], single: np.ndarray) -> Float[np.ndarray, "P"]:
    """The M step with a floor: half an occurrence for each character, so that no string loses its last spelling."""
    return maximise(np.maximum(counts, np.where(single, 0.5, 1e-9)))


@dataclass(frozen=True)
class Unigram(Family):
    """A tokenizer over pieces with log probabilities. Id 0 is <unk>; `pieces[i]` has the id i + 1.

    A character without a piece costs the lowest log probability less 10 nats; neighbouring ones become one <unk>, as
    in SentencePiece.
    Raises:
        ValueError: the pieces are not distinct non-empty strings, or have not one finite log probability each.
    """

    pieces: tuple[str, ...]
    log_probs: tuple[float, ...]
    pattern: str = GPT2
    rounds: tuple[Round, ...] = field(default=(), repr=False)
    vocab: tuple[bytes, ...] = field(init=False, repr=False)
    unk_id: int = field(init=False, default=0)
    _ids: dict[str, int] = field(init=False, repr=False)
    _scores: dict[str, float] = field(init=False, repr=False)
    _longest: int = field(init=False, repr=False)
    _unknown: float = field(init=False, repr=False)

    def __post_init__(self):
        check_vocab(self.pieces)
        if len(self.log_probs) != len(self.pieces):
            raise ValueError(f"log_probs has {len(self.log_probs)} entries, pieces {len(self.pieces)}: give one each")
        if bad := [p for p in self.log_probs if not math.isfinite(p)]:
            raise ValueError(f"log_probs holds {bad[0]}: leave pieces of probability zero out")
        object.__setattr__(self, "vocab", (UNK.encode(), *(piece.encode() for piece in self.pieces)))
        object.__setattr__(self, "_ids", {piece: i for i, piece in enumerate(self.pieces, start=1)})
        object.__setattr__(self, "_scores", dict(zip(self.pieces, self.log_probs, strict=True)))
        object.__setattr__(self, "_longest", max(map(len, self.pieces)))
        object.__setattr__(self, "_unknown", min(self.log_probs) - UNKNOWN_PENALTY)

    @classmethod
    def train(
        cls,
        text: str,
        vocab_size: int,
        seed_size: int = 20_000,
        longest: int = 16,
        shrink: float = 0.75,
        em_steps: int = 2,
        pattern: str = GPT2,
    ) -> "Unigram":
        """Learn a vocabulary of at most `vocab_size` pieces, <unk> counted.

        Args:
            seed_size: pieces to begin with.
            longest: characters of the longest piece.
            shrink: the share of the pieces that each round of pruning keeps.
            em_steps: EM steps in each round.
        Raises:
            ValueError: an argument is out of range, `text` is empty, or `vocab_size` cannot hold <unk> and all
                characters.
        """
        if not 0 < shrink < 1:
            raise ValueError(f"shrink={shrink} must lie between 0 and 1: it is the share of pieces that a round keeps")
        if longest < 1 or em_steps < 1:
            raise ValueError(f"longest={longest} and em_steps={em_steps} must both be at least 1")
        words = count_words(text, pattern)
        characters = len(set("".join(words)))
        if vocab_size < characters + 1:
            raise ValueError(
                f"vocab_size={vocab_size} cannot hold <unk> and the {characters} characters of this text: "
                f"give at least {characters + 1}"
            )
        pieces, log_probs, rounds = learn_unigram(words, vocab_size - 1, seed_size, longest, shrink, em_steps)
        ranked = sorted(zip(log_probs.tolist(), pieces, strict=True), key=lambda entry: (-entry[0], entry[1]))
        return cls(tuple(p for _, p in ranked), tuple(s for s, _ in ranked), pattern, tuple(rounds))

    def edges(self, word: str) -> list[Edge]:
        """The lattice of one pre-token."""
        return edges_of(word, self._scores, self._longest, self._unknown)

    def best_path(self, word: str) -> list[Edge]:
        """The most probable segmentation of one pre-token, as edges of its lattice."""
        return viterbi(self.edges(word), len(word))

    def cut(self, word: str) -> list[Token]:
        return self._tokens(word, self.best_path(word))

    def _tokens(self, word: str, path: Sequence[Edge]) -> list[Token]:
        tokens: list[Token] = []
        for edge in path:
            surface = word[edge.start : edge.end]
            if not edge.known and tokens and tokens[-1].id == self.unk_id:
                tokens[-1] = Token(self.unk_id, tokens[-1].surface + surface.encode())
            else:
                tokens.append(Token(self._ids[surface] if edge.known else self.unk_id, surface.encode()))
        return tokens

    def sample(self, text: str, theta: float, rng: random.Random) -> list[Token]:
        """Cut a text at random, each pre-token's segmentation with probability proportional to p^theta.

        Raises:
            ValueError: `theta` is negative or not finite, or `text` has no UTF-8 form.
        """
        if not (math.isfinite(theta) and theta >= 0):
            raise ValueError(f"theta={theta} must be a finite number of at least 0: 0 is even, large is Viterbi")
        words = pretokenize(check_text(text), self.pattern)
        return [t for w in words for t in self._tokens(w, sample(self.edges(w), len(w), theta, rng))]

    def log_likelihood(self, text: str) -> float:
        """log p(text) in nats, summed over all segmentations of every pre-token."""
        words = Counter(pretokenize(check_text(text), self.pattern))
        return sum(count * forward(self.edges(word), len(word))[-1] for word, count in words.items())
