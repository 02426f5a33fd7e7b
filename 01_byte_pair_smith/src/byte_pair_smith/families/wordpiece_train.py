"""Training WordPiece: merge what raises the likelihood (Schuster & Nakajima 2012). The plain form.

Let the corpus be N symbols drawn independently, symbol x with its relative frequency c(x)/N. Its log likelihood is

    L = sum_x c(x) log(c(x) / N) = sum_x f(c(x)) - f(N),        f(c) = c log c.

Merge the pair ab, which occurs n times. Then a and b lose n occurrences each, ab gains them, and N falls by n:

    gain(a, b) = f(c(a) - n) + f(c(b) - n) + f(n) - f(c(a)) - f(c(b)) + f(N) - f(N - n)        exactly, in nats
               = n (log(n N / (c(a) c(b))) - 1 + O(n / c(a)) + O(n / c(b)))                    for n << c(a), c(b)

Divide by n and drop what is the same for every pair. The gain of *each occurrence* then ranks pairs like

    score(a, b) = count(ab) / (count(a) count(b)),

which is how WordPiece is usually explained. BPE merges what is frequent; this score merges what occurs together
*surprisingly often*. It does not see how often: two symbols that each occur once have the highest score, 1. So rare
strings are finished before frequent words are begun. `score="gain"` takes the whole gain, with the factor n. That is
what Schuster and Nakajima describe: the unit that raises the likelihood of the training data most.

The trainer behind BERT's vocabulary was not released. The one in Hugging Face `tokenizers` counts pairs as BPE does;
only its encoder is WordPiece.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

from .family import UNK

CONTINUES = "##"
Score = Literal["likelihood", "gain"]
Pair = tuple[str, str]


def learn_pieces(
    words: Mapping[str, int], vocab_size: int, score: Score = "likelihood", min_count: int = 2
) -> list[str]:
    """A WordPiece vocabulary: <unk>, the single characters, then the merged pieces in the order of learning.

    `words` are the pre-tokens of the corpus with their counts. `score` is "likelihood" for count(ab) / (count(a)
    count(b)), or "gain" for the whole gain in log likelihood. Pairs that occur less than `min_count` times are never
    merged. The vocabulary is smaller than `vocab_size` when no pair is left.

    Raises:
        ValueError: `vocab_size` cannot hold <unk> and the characters, or another argument is out of its range.
    """
    check_arguments(score, min_count)
    corpus = [(symbols_of(word), count) for word, count in words.items()]
    pieces = first_pieces(count_symbols(corpus), vocab_size)
    while len(pieces) < vocab_size:
        pair = best_pair(count_symbols(corpus), count_pairs(corpus), score, min_count)
        if pair is None:
            break
        corpus = [(merge(symbols, pair), count) for symbols, count in corpus]
        pieces[join(*pair)] = None  # two different pairs may spell the same piece: it is one piece
    return list(pieces)


def best_pair(symbols: Mapping[str, int], pairs: Mapping[Pair, int], score: Score, min_count: int) -> Pair | None:
    """The pair to merge next: the highest score, then the highest count, then the first in code point order."""
    total = float(sum(symbols.values()))
    ranked = []
    for (a, b), n in pairs.items():
        if n >= min_count:
            value = n / (symbols[a] * symbols[b])
            if score == "gain":
                counts = (np.array([float(x)]) for x in (n, symbols[a], symbols[b]))
                value = float(gains(*counts, np.array([a == b]), total)[0])
            ranked.append((-value, -n, (a, b)))
    return min(ranked)[2] if ranked else None


def gains(
    n: Float[np.ndarray, "P"],
    a: Float[np.ndarray, "P"],
    b: Float[np.ndarray, "P"],
    twins: Bool[np.ndarray, "P"],
    total: float,
) -> Float[np.ndarray, "P"]:
    """The rise of the log likelihood in nats, for pairs that occur `n` times, of symbols that occur `a` and `b` times.

    `twins` marks pairs of a symbol with itself. They take 2n occurrences from that symbol, or all of them where pairs
    overlap ("aaa" holds two).
    """
    both = f(a - n) - f(a) + (f(b - n) - f(b))
    same = f(np.maximum(a - 2 * n, 0)) - f(a)
    return np.where(twins, same, both) + f(n) + f(total) - f(total - n)


def f(count: Shaped[np.ndarray, "..."] | float) -> Shaped[np.ndarray, "..."] | float:
    """c log c for whole numbers; 0 for a count of 0."""
    return count * np.log(np.maximum(count, 1))


def symbols_of(word: str) -> list[str]:
    """A word before any merge: its first character, then each other one with the mark of a continuation."""
    return [word[0], *(CONTINUES + c for c in word[1:])]


def join(a: str, b: str) -> str:
    """The name of the merged pair: "a" + "##b" is "ab", "##a" + "##b" is "##ab"."""
    return a + b.removeprefix(CONTINUES)


def may_merge(a: str, b: str) -> bool:
    """Whether the merged piece can be read. "#" + "###x" would be "##x", which looks like a continuation."""
    return join(a, b).startswith(CONTINUES) == a.startswith(CONTINUES)


def merge(symbols: Iterable[str], pair: Pair) -> list[str]:
    """The symbols with each occurrence of the pair merged, from the left."""
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] = join(*pair)
        else:
            merged.append(symbol)
    return merged


def count_symbols(corpus: Iterable[tuple[list[str], int]]) -> Counter[str]:
    """How often each symbol occurs."""
    counts: Counter[str] = Counter()
    for symbols, count in corpus:
        for symbol in symbols:
            counts[symbol] += count
    return counts


def count_pairs(corpus: Iterable[tuple[list[str], int]]) -> Counter[Pair]:
    """How often each pair that may be merged occurs."""
    counts: Counter[Pair] = Counter()
    for symbols, count in corpus:
        for a, b in pairwise(symbols):
            if may_merge(a, b):
                counts[a, b] += count
    return counts


def first_pieces(characters: Iterable[str], vocab_size: int) -> dict[str, None]:
    """<unk> and the single characters, as the keys of a dict.

    Raises:
        ValueError: `vocab_size` has no room for them.
    """
    pieces = dict.fromkeys([UNK, *sorted(characters)])
    if len(pieces) > vocab_size:
        raise ValueError(
            f"vocab_size={vocab_size}: there is no room for <unk> and the {len(pieces) - 1} single characters of this "
            f"text; give at least {len(pieces)}"
        )
    return pieces


def check_arguments(score: str, min_count: int) -> None:
    """Raise ValueError for a score that does not exist or a count below 1."""
    if score not in ("likelihood", "gain"):
        raise ValueError(f"score={score!r}: choose 'likelihood' or 'gain'")
    if min_count < 1:
        raise ValueError(f"min_count={min_count}: it must be at least 1")
