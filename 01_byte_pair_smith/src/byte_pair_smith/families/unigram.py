"""Unigram: a probability for each piece, and the most probable spelling (Kudo 2018).

A text's pieces are drawn independently, piece x with probability p(x), so that a segmentation x_1 ... x_m has the
probability prod p(x_i). Which segmentation it was is hidden. The likelihood of a word sums over all of them,

    Z(w) = sum over segmentations x of w of prod p(x_i),

and training (`unigram_training.py`) maximises the sum of log Z over the words of a corpus, while it comes down from far
too many pieces to as many as were asked for. Encoding is Viterbi on the lattice. Sampling from the lattice instead
shows a model the same text in another spelling each time: subword regularisation.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..pretokenize import GPT2, pretokenize
from .family import UNK, Family, Token, check_text, check_vocab, count_words
from .lattice import UNKNOWN_PENALTY, Edge, edges_of, forward, sample, viterbi
from .unigram_training import Round, learn_unigram


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
