"""Learning the merges: the plain form, which recounts the corpus for every merge.

Byte-pair encoding for words is Sennrich, Haddow & Birch 2016, algorithm 1. On bytes instead of characters it is GPT-2's
(Radford et al. 2019, section 2.2). The algorithm comes from a compressor (Gage 1994).

An *id* is the number of a token. Ids 0..255 are the bytes, and 256 + k is the token that merge k makes. A *pre-token*
is one piece of the split text, about a word with the space before it. No merge crosses its border.

Every two neighbours count as a pair: `aaa` holds (a, a) twice, although only one of the two can be merged. All
libraries count like this.

`train_fast.py` gives the same merges in time near-linear in the corpus: it recounts only the pre-tokens that hold the
merged pair.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from .checks import check_vocab_size
from .pretokenize import GPT2, pretokenize


def count_pairs(pre_tokens: Mapping[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each two neighbouring ids occur. `pre_tokens` maps the ids of a pre-token to its count."""
    counts: dict[tuple[int, int], int] = {}
    for ids, count in pre_tokens.items():
        for pair in pairwise(ids):
            counts[pair] = counts.get(pair, 0) + count
    return counts


def merge(ids: Sequence[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """`ids` with each occurrence of `pair` replaced by `new_id`, from the left and without overlap.

    `merge([97, 97, 97], (97, 97), 256)` is `[256, 97]`.
    """
    merged = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def train(text: str, vocab_size: int, pattern: str = GPT2) -> list[tuple[int, int]]:
    """The merges, in the order in which they were made. Merge k makes id 256 + k.

    Each step merges the most frequent pair. Of equally frequent pairs it takes the one with the lower first id, then
    the lower second. The list is shorter than `vocab_size - 256` when no pair is left: when every pre-token is one
    token.

    Raises:
        TypeError: `text` is not a str.
        ValueError: `vocab_size` is below 256, or `text` holds a lone surrogate (half of a character of UTF-16).
    """
    check_vocab_size(vocab_size)
    pre_tokens = Counter(tuple(pre_token.encode()) for pre_token in pretokenize(text, pattern))
    merges: list[tuple[int, int]] = []
    while len(merges) < vocab_size - 256:
        counts = count_pairs(pre_tokens)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        new_id = 256 + len(merges)
        # two pre-tokens never become equal: a merge can be undone
        pre_tokens = {tuple(merge(ids, best, new_id)): count for ids, count in pre_tokens.items()}
        merges.append(best)
    return merges
