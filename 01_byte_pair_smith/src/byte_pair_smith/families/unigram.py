"""Unigram: a probability for each piece, and the most probable segmentation (Kudo 2018).

The pieces of a text are drawn independently, piece x with probability p(x). So a segmentation x_1 ... x_m has the
probability prod p(x_i). Which segmentation it was is hidden. The likelihood of a word sums over all of them:

    Z(w) = sum over segmentations x of w of prod p(x_i).

Training (`unigram_train.py`) maximizes the sum of log Z over the words of a corpus. Encoding is Viterbi on the lattice.
Sampling from the lattice shows a model the same text in another segmentation each time: subword regularization.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..checks import check_text
from ..pretokenize import GPT2, pretokenize
from .family import UNK, Family, Token, check_vocab, count_pre_tokens
from .lattice import UNKNOWN_PENALTY, Edge, edges_of, forward, sample, viterbi
from .unigram_train import Round, learn_unigram


@dataclass(frozen=True)
class Unigram(Family):
    """A tokenizer over pieces with log probabilities. Id 0 is <unk>, and `pieces[i]` has the id i + 1.

    A character without a piece costs the lowest log probability less 10 nats. Neighbouring ones become one <unk>, as in
    SentencePiece.

    Raises:
        ValueError: the pieces are not distinct strings, or do not have one finite log probability each.
    """

    pieces: tuple[str, ...]
    log_probs: tuple[float, ...]
    pattern: str = GPT2
    rounds: tuple[Round, ...] = field(default=(), repr=False)
    unk_id = 0

    def __post_init__(self):
        check_vocab(self.pieces)
        if len(self.log_probs) != len(self.pieces):
            raise ValueError(f"log_probs: {len(self.log_probs)} entries for {len(self.pieces)} pieces; give one each")
        for p in self.log_probs:
            if not math.isfinite(p):
                raise ValueError(f"log_probs: it holds {p}; leave out pieces of probability zero")

    @cached_property
    def vocab(self) -> tuple[bytes, ...]:
        return (UNK.encode(), *(piece.encode() for piece in self.pieces))

    @cached_property
    def ids(self) -> dict[str, int]:
        """{piece: id}."""
        return {piece: i for i, piece in enumerate(self.pieces, start=1)}

    @cached_property
    def scores(self) -> dict[str, float]:
        """{piece: log probability}."""
        return dict(zip(self.pieces, self.log_probs, strict=True))

    @cached_property
    def longest(self) -> int:
        """Characters of the longest piece."""
        return max(map(len, self.pieces))

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

        Training starts with `seed_size` pieces of at most `longest` characters. Each round has `em_steps` EM steps, and
        pruning keeps the share `shrink` of the pieces.

        Raises:
            ValueError: an argument is out of range, `text` is empty, or `vocab_size` cannot hold <unk> and all
                characters.
        """
        if not 0 < shrink < 1:
            raise ValueError(f"shrink={shrink}: it must lie between 0 and 1, the share of pieces that a round keeps")
        if longest < 1 or em_steps < 1:
            raise ValueError(f"longest={longest}, em_steps={em_steps}: both must be at least 1")
        words = count_pre_tokens(text, pattern)
        characters = len(set("".join(words)))
        if vocab_size < characters + 1:
            raise ValueError(
                f"vocab_size={vocab_size}: there is no room for <unk> and the {characters} characters of this text; "
                f"give at least {characters + 1}"
            )
        pieces, log_probs, rounds = learn_unigram(words, vocab_size - 1, seed_size, longest, shrink, em_steps)
        ranked = sorted(zip(log_probs.tolist(), pieces, strict=True), key=lambda entry: (-entry[0], entry[1]))
        return cls(tuple(p for _, p in ranked), tuple(s for s, _ in ranked), pattern, tuple(rounds))

    def edges(self, word: str) -> list[Edge]:
        """The lattice of one pre-token."""
        return edges_of(word, self.scores, self.longest, min(self.log_probs) - UNKNOWN_PENALTY)

    def best_path(self, word: str) -> list[Edge]:
        """The most probable segmentation of one pre-token, as edges of its lattice."""
        return viterbi(self.edges(word), len(word))

    def tokenize_word(self, word: str) -> list[Token]:
        return self.tokens_of(word, self.best_path(word))

    def tokens_of(self, word: str, path: Sequence[Edge]) -> list[Token]:
        """The tokens of a path. Neighbouring unknown characters become one <unk>."""
        tokens: list[Token] = []
        for edge in path:
            surface = word[edge.start : edge.end]
            if edge.known:
                tokens.append(Token(self.ids[surface], surface.encode()))
            elif tokens and tokens[-1].id == self.unk_id:
                tokens[-1] = Token(self.unk_id, tokens[-1].surface + surface.encode())
            else:
                tokens.append(Token(self.unk_id, surface.encode()))
        return tokens

    def sample(self, text: str, theta: float, rng: random.Random) -> list[Token]:
        """Tokenize at random: each pre-token's segmentation with probability proportional to p^theta.

        Raises:
            ValueError: `theta` is negative or not finite, or `text` holds a lone surrogate.
        """
        if not (math.isfinite(theta) and theta >= 0):
            raise ValueError(f"theta={theta}: it must be finite and at least 0; 0 draws evenly, a large one is Viterbi")
        check_text(text)
        tokens = []
        for word in pretokenize(text, self.pattern):
            tokens += self.tokens_of(word, sample(self.edges(word), len(word), theta, rng))
        return tokens

    def log_likelihood(self, text: str) -> float:
        """log p(text) in nats, summed over all segmentations of every pre-token."""
        check_text(text)
        words = Counter(pretokenize(text, self.pattern))
        return sum(count * forward(self.edges(word), len(word))[-1] for word, count in words.items())
