"""Merging one pre-token by rank, fast: two forms, one for short pre-tokens and one for long ones.

Here a pre-token is a `str` whose characters are ids. `pair_ids` maps a `str` of two such characters to the id that the
pair makes.
"""

import heapq
from collections.abc import Mapping
from itertools import pairwise, repeat

NO_MERGE = 0x110000  # above every id, because an id has to fit a character


def merge_short(word: str, pair_ids: Mapping[str, int]) -> str:
    """The word with all merges made. After each merge, only the two pairs beside it are looked up again."""
    ranks = list(map(pair_ids.get, map(str.__add__, word, word[1:]), repeat(NO_MERGE)))
    parts = list(word)
    while ranks:
        lowest = min(ranks)
        if lowest == NO_MERGE:
            break
        i = ranks.index(lowest)
        new = chr(lowest)
        parts[i] = new
        del parts[i + 1], ranks[i]
        if i > 0:
            ranks[i - 1] = pair_ids.get(parts[i - 1] + new, NO_MERGE)
        if i < len(ranks):
            ranks[i] = pair_ids.get(new + parts[i + 1], NO_MERGE)
    return "".join(parts)


def merge_long(word: str, pair_ids: Mapping[str, int]) -> str:
    """The same in O(n log n): candidates in a heap, the word as a doubly linked list.

    `merge_short` searches the whole word for each merge, which is O(n^2). Few English words are longer than twenty
    bytes. But a key in base64, a strand of DNA or a line of Thai is one word of thousands.
    """
    n = len(word)
    parts = list(word)  # "" where a part was merged into the one before it
    before = list(range(-1, n - 1))
    after = list(range(1, n + 1))
    candidates = [(pair_ids[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in pair_ids]
    heapq.heapify(candidates)
    while candidates:
        new, i = heapq.heappop(candidates)
        j = after[i]
        if not parts[i] or j == n or pair_ids.get(parts[i] + parts[j]) != new:
            continue  # another merge has changed one of the two since
        parts[i], parts[j] = chr(new), ""
        after[i] = after[j]
        if after[i] < n:
            before[after[i]] = i
        for left, right in ((before[i], i), (i, after[i])):
            if left >= 0 and right < n and parts[left] + parts[right] in pair_ids:
                heapq.heappush(candidates, (pair_ids[parts[left] + parts[right]], left))
    return "".join(parts)
