"""WordPiece: merge what raises the likelihood, then encode by the longest match (Schuster & Nakajima 2012; BERT).

Training. Let the corpus be N symbols drawn independently, symbol x with its relative frequency c(x)/N. Its log
likelihood is

    L = sum_x c(x) log(c(x) / N).

Name the pair ab, which stands n times in the corpus. Every such place spent log(c(a)/N) + log(c(b)/N) on two symbols
and then spends log(n/N) on one, so to leading order L rises by

    n log( n N / (c(a) c(b)) )         the gain, in nats
      log( n N / (c(a) c(b)) )         the gain of each place: the pair's pointwise mutual information

N is the same for every pair, so that ranking pairs by the gain of each place is ranking them by

    score(a, b) = count(ab) / (count(a) count(b)),

the form in which WordPiece is usually told. BPE merges what is frequent; the score merges what is *surprisingly*
together. It is also blind to how often: a pair of two symbols that each occur once has the highest score there is, 1,
and so rare strings are finished before frequent words are begun. `score="gain"` keeps the factor n that the usual form
drops. Training Google's own vocabularies was never published; the trainer in Hugging Face `tokenizers` that bears the
name counts pairs as BPE does, and only its encoder is WordPiece.

Encoding. From the left, take the longest piece of the vocabulary that the rest of the word begins with; "##" marks a
piece that continues a word. No merges and no scores are needed, only the set of pieces. If nothing matches, the *whole
word* is <unk>, also where only its last character is strange.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_words

CONTINUES = "##"
Score = Literal["likelihood", "gain"]
Pair = tuple[str, str]


def symbols_of(word: str) -> list[str]:
    """A word before any merge: its first character, then each other with the mark of a continuation."""
    return [word[0], *(CONTINUES + c for c in word[1:])]


def join(a: str, b: str) -> str:
    """The name of the merged pair: "a" + "##b" is "ab", "##a" + "##b" is "##ab"."""
    return a + b.removeprefix(CONTINUES)


def _room_for(array: np.ndarray, size: int) -> np.ndarray:
    return array if size <= len(array) else np.concatenate([array, np.zeros_like(array)])


class PairTable:
    """The words of the corpus as symbols, and the counts of symbols and of adjacent pairs, kept up to date.

    The counts lie in arrays, because one merge changes the score of every pair that holds either symbol: scoring
    everything again in NumPy is cheaper than finding out what changed.
    """

    def __init__(self, words: Counter[str]):
        self.ids: dict[str, int] = {}
        self.symbol_counts = np.zeros(1024)
        self.rows: dict[Pair, int] = {}
        self.pairs: list[Pair] = []
        self.where: list[set[int]] = []
        self.pair_counts, self.left, self.right = np.zeros(1024), np.zeros(1024, int), np.zeros(1024, int)
        self.words = [(symbols_of(word), count) for word, count in words.items()]
        for i, (symbols, count) in enumerate(self.words):
            self._add(i, symbols, count)

    def _id(self, symbol: str) -> int:
        if symbol not in self.ids:
            self.ids[symbol] = len(self.ids)
            self.symbol_counts = _room_for(self.symbol_counts, len(self.ids))
        return self.ids[symbol]

    def _row(self, pair: Pair) -> int:
        if pair not in self.rows:
            row = self.rows[pair] = len(self.pairs)
            self.pairs.append(pair)
            self.where.append(set())
            self.pair_counts = _room_for(self.pair_counts, row + 1)
            self.left, self.right = _room_for(self.left, row + 1), _room_for(self.right, row + 1)
            self.left[row], self.right[row] = self._id(pair[0]), self._id(pair[1])
        return self.rows[pair]

    def _add(self, i: int, symbols: list[str], count: int) -> None:
        for symbol in symbols:
            index = self._id(symbol)
            self.symbol_counts[index] += count
        for a, b in zip(symbols, symbols[1:], strict=False):
            # "#" + "###x" would begin a word with "##x", which reads as a continuation: such a pair is never merged.
            if join(a, b).startswith(CONTINUES) == a.startswith(CONTINUES):
                row = self._row((a, b))
                self.pair_counts[row] += count
                self.where[row].add(i)

    def best(self, score: Score, min_count: int) -> Pair | None:
        """The pair to merge next: highest score, then highest count, then first in code point order."""
        size = len(self.pairs)
        counts, symbols = self.pair_counts[:size], self.symbol_counts
        allowed = np.flatnonzero(counts >= min_count)
        if not len(allowed):
            return None
        counts = counts[allowed]
        scores = counts / (symbols[self.left[allowed]] * symbols[self.right[allowed]])
        if score == "gain":
            scores = counts * np.log(scores * symbols.sum())
        ties = np.flatnonzero(scores == scores.max())
        return min((-counts[t], self.pairs[allowed[t]]) for t in ties)[1]

    def merge(self, pair: Pair) -> None:
        """Write the pair as one symbol in every word that holds it, left to right, and correct the counts."""
        a, b = pair
        for i in tuple(self.where[self.rows[pair]]):
            symbols, count = self.words[i]
            merged: list[str] = []
            for symbol in symbols:
                if merged and merged[-1] == a and symbol == b:
                    merged[-1] = join(a, b)
                else:
                    merged.append(symbol)
            self._add(i, symbols, -count)
            self._add(i, merged, count)
            self.words[i] = merged, count


def learn_pieces(words: Counter[str], vocab_size: int, score: Score = "likelihood", min_count: int = 2) -> list[str]:
    """Learn a WordPiece vocabulary: <unk>, the single characters, then the merged pieces in the order of learning.

    Args:
        words: the pre-tokens of the corpus with their counts.
        vocab_size: pieces in all; fewer come back when no pair is left that occurs `min_count` times.
        score: "likelihood" for count(ab) / (count(a) count(b)), "gain" for that pair's whole gain in log likelihood.
        min_count: pairs that occur less often are never merged.
    Raises:
        ValueError: `vocab_size` cannot hold <unk> and the characters, or another argument is out of its range.
    """
    if score not in ("likelihood", "gain"):
        raise ValueError(f"score={score!r} is not one of 'likelihood', 'gain'")
    if min_count < 1:
        raise ValueError(f"min_count={min_count} must be at least 1")
    table = PairTable(words)
    pieces = dict.fromkeys([UNK, *sorted(table.ids)])
    if len(pieces) > vocab_size:
        raise ValueError(
            f"vocab_size={vocab_size} cannot hold <unk> and the {len(pieces) - 1} single characters of this text: "
            f"give at least {len(pieces)}"
        )
    while len(pieces) < vocab_size and (pair := table.best(score, min_count)):
        table.merge(pair)
        pieces[join(*pair)] = None  # two different pairs may spell the same piece: it is one piece
    return list(pieces)


@dataclass(frozen=True)
class WordPiece(Family):
    """A tokenizer over a WordPiece vocabulary, such as BERT's: ids are positions in `pieces`.

    Words of more than `max_chars` characters are <unk>, as in BERT, whose cost of the longest match grows with the
    square of the length.
    Raises:
        ValueError: `pieces` is empty, holds a piece twice or lacks `unk`.
    """

    pieces: tuple[str, ...]
    unk: str = UNK
    max_chars: int = 100
    pattern: str = GPT2
    vocab: tuple[bytes, ...] = field(init=False, repr=False)
    unk_id: int = field(init=False)
    _ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self):
        check_vocab(self.pieces)
        if self.unk not in self.pieces:
            raise ValueError(f"pieces lacks unk={self.unk!r}: name the piece that stands for an unknown word")
        object.__setattr__(self, "_ids", {piece: i for i, piece in enumerate(self.pieces)})
        object.__setattr__(self, "vocab", tuple(self._text(piece).encode() for piece in self.pieces))
        object.__setattr__(self, "unk_id", self._ids[self.unk])

    @staticmethod
    def _text(piece: str) -> str:
        return piece.removeprefix(CONTINUES) or piece

    @classmethod
    def train(
        cls, text: str, vocab_size: int, score: Score = "likelihood", min_count: int = 2, pattern: str = GPT2
    ) -> "WordPiece":
        """Learn a vocabulary from a text (`learn_pieces`). Raises ValueError as it does, and for an empty text."""
        pieces = learn_pieces(count_words(text, pattern), vocab_size, score, min_count)
        return cls(tuple(pieces), pattern=pattern)

    def cut(self, word: str) -> list[Token]:
        """Greedy longest match, left to right; the whole word is <unk> if some place has no match."""
        unknown = [Token(self.unk_id, word.encode())]
        if len(word) > self.max_chars:
            return unknown
        tokens, start = [], 0
        while start < len(word):
            mark = CONTINUES if start else ""
            matches = (end for end in range(len(word), start, -1) if mark + word[start:end] in self._ids)
            end = next(matches, None)
            if end is None:
                return unknown
            tokens.append(Token(self._ids[mark + word[start:end]], word[start:end].encode()))
            start = end
        return tokens
