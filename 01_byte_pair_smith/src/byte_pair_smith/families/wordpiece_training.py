"""Training WordPiece: merge what raises the likelihood (Schuster & Nakajima 2012).

Let the corpus be N symbols drawn independently, symbol x with its relative frequency c(x)/N. Its log likelihood is

    L = sum_x c(x) log(c(x) / N) = sum_x f(c(x)) - f(N),        f(c) = c log c.

Merge the pair ab, which stands n times in the corpus: a and b lose n occurrences each, ab gains them, N falls by n.

    gain(a, b) = f(c(a) - n) + f(c(b) - n) + f(n) - f(c(a)) - f(c(b)) + f(N) - f(N - n)        exactly, in nats
               = n (log(n N / (c(a) c(b))) - 1 + O(n / c(a)) + O(n / c(b)))                    for n << c(a), c(b)

Divide by n, and drop what is the same for every pair: the gain of *each place* ranks pairs like

    score(a, b) = count(ab) / (count(a) count(b)),

the form in which WordPiece is usually told. BPE merges what is frequent; the score merges what is *surprisingly*
together. It is also blind to how often: a pair of two symbols that each occur once has the highest score there is, 1,
and so rare strings are finished before frequent words are begun. `score="gain"` takes the whole gain, the factor n
included, which is what Schuster and Nakajima describe: the unit that raises the likelihood of the training data most.
The trainer behind BERT's vocabulary was not released; the one in Hugging Face `tokenizers` counts pairs as BPE does,
and only its encoder is WordPiece.
"""

from collections import Counter
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

from .family import UNK

CONTINUES = "##"
Score = Literal["likelihood", "gain"]
Pair = tuple[str, str]


def symbols_of(word: str) -> list[str]:
    """A word before any merge: its first character, then each other with the mark of a continuation."""
    return [word[0], *(CONTINUES + c for c in word[1:])]


def join(a: str, b: str) -> str:
    """The name of the merged pair: "a" + "##b" is "ab", "##a" + "##b" is "##ab"."""
    return a + b.removeprefix(CONTINUES)


def gains(
    n: Float[np.ndarray, "P"],
    a: Float[np.ndarray, "P"],
    b: Float[np.ndarray, "P"],
    twins: Bool[np.ndarray, "P"],
    total: float,
) -> Float[np.ndarray, "P"]:
    """The rise of the log likelihood in nats for pairs that stand `n` times, of symbols that stand `a` and `b` times.

    `twins` marks pairs of a symbol with itself, which lose 2n occurrences of that one symbol, or all where pairs
    overlap ("aaa" holds two).
    """
    both = f(a - n) - f(a) + (f(b - n) - f(b))
    same = f(np.maximum(a - 2 * n, 0)) - f(a)
    return np.where(twins, same, both) + f(n) + f(total) - f(total - n)


def f(count: Shaped[np.ndarray, "..."] | float) -> Shaped[np.ndarray, "..."] | float:
    """c log c, and 0 for a count of 0; counts are whole numbers."""
    return count * np.log(np.maximum(count, 1))


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
        counts, left, right = counts[allowed], self.left[allowed], self.right[allowed]
        if score == "gain":
            scores = gains(counts, symbols[left], symbols[right], left == right, symbols.sum())
        else:
            scores = counts / (symbols[left] * symbols[right])
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
        score: "likelihood" for count(ab) / (count(a) count(b)), "gain" for the whole gain in log likelihood.
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
