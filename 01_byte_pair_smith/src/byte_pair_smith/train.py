"""Learning the merges: the plain form, which recounts the corpus for every merge, then the one that never recounts.

Byte-pair encoding for words is Sennrich, Haddow & Birch 2016, algorithm 1; on bytes instead of characters it is
Radford et al. 2019 (GPT-2), section 2.2. The algorithm is a compressor's, Gage 1994.

Names: an *id* is the number of a token; ids 0..255 are the bytes and 256 + k is what merge k makes. A *word* is one
piece of the pre-tokenized text. Every two neighbours count as a pair, so `aaa` holds (a, a) twice although only one
of them can be merged: that is what all the libraries count.
"""
import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from .alphabet import BYTE_ORDER
from .pretokenize import GPT2, pretokenize, pretokenize_fast


def count_pairs(words: Mapping[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each two neighbouring ids occur, where `words` says how often each word does."""
    counts: dict[tuple[int, int], int] = {}
    for word, times in words.items():
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + times
    return counts


def merge(ids: Sequence[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """`ids` with each occurrence of `pair`, taken from the left and never overlapping, replaced by `new_id`."""
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def train(text: str, vocab_size: int, pattern: str = GPT2) -> list[tuple[int, int]]:
    """The merges, in the order they were made; merge k makes id 256 + k.

    Each merge takes the most frequent pair; of several, the smallest (a, b). The list is shorter than
    `vocab_size - 256` when the text runs out: when every word is one token.

    Raises:
        ValueError: a vocab_size that has no room for the 256 bytes.
    """
    if vocab_size < 256:
        raise ValueError(f"vocab_size={vocab_size} is below 256: the bytes themselves are the first 256 tokens")
    words = Counter(tuple(piece.encode()) for piece in pretokenize(text, pattern))
    merges: list[tuple[int, int]] = []
    while len(merges) < vocab_size - 256 and (counts := count_pairs(words)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        new_id = 256 + len(merges)
        words = Counter({tuple(merge(word, best, new_id)): times for word, times in words.items()})
        merges.append(best)
    return merges


def train_fast(text: str, vocab_size: int, pattern: str = GPT2, alphabet: bytes = BYTE_ORDER) -> list[tuple[int, int]]:
    """The merges of `train`, in time near-linear in the corpus.

    Three ideas: count each distinct word once (Zipf: a megabyte has some 15,000); keep, for each pair, the words that
    hold it, and touch only those; keep the counts in a heap, and when the top is out of date put it back as it is.
    A word is a `str` whose characters are its ids, so that splitting it at a pair is one call that runs in C.

    `alphabet` lists the 256 bytes in the order of their ids. It decides ties, and nothing else: with `BYTE_ORDER` the
    merges are those of `train` and of rustbpe, with `GPT2_ORDER` those of Hugging Face `tokenizers`.

    Raises:
        ValueError: as `train`, or an alphabet that is not the 256 bytes.
    """
    if vocab_size < 256:
        raise ValueError(f"vocab_size={vocab_size} is below 256: the bytes themselves are the first 256 tokens")
    words, times = distinct_words(text, pattern, id_of_byte(alphabet))
    counts, where = index_pairs(words, times)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    merges: list[tuple[int, int]] = []
    while len(merges) < vocab_size - 256 and (best := pop_most_frequent(heap, counts)):
        new = chr(256 + len(merges))
        for pair, holders in merge_everywhere(best, new, words, times, counts, where).items():
            where[pair] = holders                   # born of this merge: no older entry can exist
            counts[pair] = sum(map(times.__getitem__, holders))
            heapq.heappush(heap, (-counts[pair], pair))
        merges.append((ord(best[0]), ord(best[1])))
    return merges


def id_of_byte(alphabet: bytes) -> bytes:
    """A table for `bytes.translate` that turns bytes into their ids."""
    if sorted(alphabet) != list(range(256)):
        raise ValueError(f"alphabet={alphabet[:8]!r}... must hold each of the 256 bytes once, in order of their ids")
    return bytes(alphabet.index(b) for b in range(256))


def distinct_words(text: str, pattern: str, table: bytes) -> tuple[list[str], list[int]]:
    """The distinct words as strings of ids, and how often each occurs."""
    pieces = Counter(pretokenize_fast(text, pattern))
    return [piece.encode().translate(table).decode("latin-1") for piece in pieces], list(pieces.values())


def index_pairs(words: list[str], times: list[int]) -> tuple[dict[str, int], dict[str, list[int]]]:
    """How often each pair occurs, and in which words (a word is listed once per occurrence)."""
    where: dict[str, list[int]] = defaultdict(list)
    for n, word in enumerate(words):
        for pair in map(str.__add__, word, word[1:]):
            where[pair].append(n)
    return {pair: sum(map(times.__getitem__, holders)) for pair, holders in where.items()}, where


def pop_most_frequent(heap: list[tuple[int, str]], counts: dict[str, int]) -> str | None:
    """The most frequent pair, the smallest of several; None when no pair is left.

    Counts only ever fall after they are pushed, so a stale entry stands too high, never too low: it is met on the way
    and pushed again with its count of today.
    """
    while heap:
        negative, pair = heapq.heappop(heap)
        today = counts[pair]
        if today == -negative and today:
            return pair
        if today:
            heapq.heappush(heap, (-today, pair))
    return None


def merge_everywhere(pair: str, new: str, words: list[str], times: list[int], counts: dict[str, int],
                     where: dict[str, list[int]]) -> dict[str, list[int]]:
    """Merge `pair` in all its words; lower the counts it takes away, and return the pairs it gives birth to, each with
    the words that hold it.

    Around each occurrence `l a b r` the pairs (l, a) and (b, r) go, and (l, new) and (new, r) come. Two occurrences
    side by side, `a b a b`, share one neighbour: (b, a) goes and (new, new) comes, once.
    """
    a, b = pair
    born: dict[str, list[int]] = defaultdict(list)
    for n in set(where.pop(pair)):
        parts = words[n].split(pair)
        if len(parts) == 1:                         # the word has lost the pair to an earlier merge
            continue
        often = times[n]
        words[n] = new.join(parts)
        left = parts[0][-1:]                        # what stands before the occurrence; "" at the word's start
        for part in parts[1:]:
            if left:
                counts[b + a if left == new else left + a] -= often
                born[left + new].append(n)
            if part:
                counts[b + part[0]] -= often
                born[new + part[0]].append(n)
            left = part[-1:] or new
    counts[pair] = 0
    return born
