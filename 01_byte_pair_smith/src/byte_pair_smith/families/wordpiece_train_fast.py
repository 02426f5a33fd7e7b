"""`learn_pieces`, faster: counts are kept up to date instead of counted again.

One merge changes the score of every pair that holds either symbol. So the counts lie in arrays, and NumPy scores all
pairs again: that is cheaper than finding out which scores changed.

Dimensions: P pairs, S symbols.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Shaped

from .wordpiece_train import Pair, Score, check_arguments, first_pieces, gains, join, may_merge, merge, symbols_of


def learn_pieces_fast(
    words: Mapping[str, int], vocab_size: int, score: Score = "likelihood", min_count: int = 2
) -> list[str]:
    """The pieces of `learn_pieces`. Raises as it does."""
    check_arguments(score, min_count)
    table = PairTable(words)
    pieces = first_pieces(table.ids, vocab_size)
    while len(pieces) < vocab_size:
        pair = table.best(score, min_count)
        if pair is None:
            break
        table.merge(pair)
        pieces[join(*pair)] = None
    return list(pieces)


class PairTable:
    """The words of the corpus as symbols, with the counts of symbols and of pairs."""

    def __init__(self, words: Mapping[str, int]):
        self.ids: dict[str, int] = {}  # symbol: its row in symbol_counts
        self.symbol_counts = np.zeros(1024)
        self.rows: dict[Pair, int] = {}  # pair: its row in the three arrays below
        self.pairs: list[Pair] = []
        self.holders: list[set[int]] = []  # for each pair, the numbers of the words that hold it
        self.pair_counts, self.left, self.right = np.zeros(1024), np.zeros(1024, int), np.zeros(1024, int)
        self.words = [(symbols_of(word), count) for word, count in words.items()]
        for i, (symbols, count) in enumerate(self.words):
            self.add(i, symbols, count)

    def add(self, i: int, symbols: list[str], count: int) -> None:
        """Add `count` to everything that word i holds. A negative count takes away."""
        for symbol in symbols:
            row = self.symbol_row(symbol)  # first: it may replace the array
            self.symbol_counts[row] += count
        for a, b in pairwise(symbols):
            if may_merge(a, b):
                row = self.pair_row((a, b))
                self.pair_counts[row] += count
                self.holders[row].add(i)

    def symbol_row(self, symbol: str) -> int:
        """The row of a symbol, a new one for a new symbol."""
        if symbol not in self.ids:
            self.ids[symbol] = len(self.ids)
            self.symbol_counts = room_for(self.symbol_counts, len(self.ids))
        return self.ids[symbol]

    def pair_row(self, pair: Pair) -> int:
        """The row of a pair, a new one for a new pair."""
        if pair not in self.rows:
            row = self.rows[pair] = len(self.pairs)
            self.pairs.append(pair)
            self.holders.append(set())
            self.pair_counts = room_for(self.pair_counts, row + 1)
            self.left, self.right = room_for(self.left, row + 1), room_for(self.right, row + 1)
            self.left[row], self.right[row] = self.symbol_row(pair[0]), self.symbol_row(pair[1])
        return self.rows[pair]

    def best(self, score: Score, min_count: int) -> Pair | None:
        """The pair to merge next: the highest score, then the highest count, then the first in code point order."""
        counts, symbols = self.pair_counts[: len(self.pairs)], self.symbol_counts
        allowed = np.flatnonzero(counts >= min_count)
        if not len(allowed):
            return None
        counts, left, right = counts[allowed], self.left[allowed], self.right[allowed]
        scores = counts / (symbols[left] * symbols[right])
        if score == "gain":
            scores = gains(counts, symbols[left], symbols[right], left == right, symbols.sum())
        ties = np.flatnonzero(scores == scores.max())
        return min((-counts[t], self.pairs[allowed[t]]) for t in ties)[1]

    def merge(self, pair: Pair) -> None:
        """Merge the pair in every word that holds it, and correct the counts."""
        for i in tuple(self.holders[self.rows[pair]]):
            symbols, count = self.words[i]
            merged = merge(symbols, pair)
            self.add(i, symbols, -count)
            self.add(i, merged, count)
            self.words[i] = merged, count


def room_for(array: Shaped[np.ndarray, "N"], size: int) -> Shaped[np.ndarray, "M"]:
    """The array, doubled if it has fewer than `size` rows."""
    return array if size <= len(array) else np.concatenate([array, np.zeros_like(array)])
