"""From text to ids and back: merges applied in the order in which they were learnt.

Encoding replays the training on one word. The lower the id of a merged token, the earlier it was made, so the rule is:
of all pairs present, merge the one with the lowest rank, and again, until no two neighbours make a token. Longest
match from the left is another algorithm (WordPiece's) and gives other ids.

Below the plain form stand the two fast ones. There a word is a `str` whose characters are ids, and `pairs` maps
two such characters to the id they make.
"""
import heapq
from collections.abc import Iterable, Mapping
from itertools import pairwise, repeat

from .pretokenize import GPT2, pretokenize

NO_MERGE = 0x110000         # above every id: an id has to fit a character


def encode(text: str, ranks: Mapping[bytes, int], pattern: str = GPT2) -> list[int]:
    """The ids of `text`: each piece's UTF-8 bytes, merged by rank. `ranks` maps a token's bytes to its id."""
    ids = []
    for piece in pretokenize(text, pattern):
        parts = [bytes([b]) for b in piece.encode()]
        while len(parts) > 1:
            made = [ranks.get(a + b, NO_MERGE) for a, b in pairwise(parts)]
            if (lowest := min(made)) == NO_MERGE:
                break
            at = made.index(lowest)
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        ids += [ranks[part] for part in parts]
    return ids


def decode(ids: Iterable[int], tokens: Mapping[int, bytes], errors: str = "replace") -> str:
    """The text of `ids`. `tokens` maps an id to its bytes.

    The bytes are joined before they are read as UTF-8, because one character may be spread over several tokens.
    `errors` is that of `bytes.decode`: "replace" shows U+FFFD where the bytes are not UTF-8 (a model can emit such
    ids), "strict" raises.

    Raises:
        ValueError: an id that is no token, or bytes that are not UTF-8 under "strict".
    """
    return join_tokens(ids, tokens).decode("utf-8", errors)


def join_tokens(ids: Iterable[int], tokens: Mapping[int, bytes]) -> bytes:
    """The bytes of `ids`, end to end."""
    try:
        return b"".join([tokens[i] for i in ids])
    except KeyError as e:
        raise ValueError(f"id {e.args[0]!r} is no token of this vocabulary of {len(tokens)}") from None


def merge_short_word(word: str, pairs: Mapping[str, int]) -> str:
    """The word with all merges made. After each, only the two pairs beside it are looked up again."""
    made = list(map(pairs.get, map(str.__add__, word, word[1:]), repeat(NO_MERGE)))
    parts = list(word)
    while made and (best := min(made)) != NO_MERGE:
        at = made.index(best)
        parts[at] = new = chr(best)
        del parts[at + 1], made[at]
        if at:
            made[at - 1] = pairs.get(parts[at - 1] + new, NO_MERGE)
        if at < len(made):
            made[at] = pairs.get(new + parts[at + 1], NO_MERGE)
    return "".join(parts)


def merge_long_word(word: str, pairs: Mapping[str, int]) -> str:
    """The same in O(n log n): candidates in a heap, the word as a doubly linked list.

    `merge_short_word` searches the whole word for each merge. Few words of English are longer than twenty bytes, but
    a key in base64, a strand of DNA or a line of Thai is one word of thousands, and n searches of n are n squared.
    """
    parts: list[str | None] = list(word)
    before, after = list(range(-1, len(parts) - 1)), list(range(1, len(parts) + 1))
    heap = [(new, i) for i, (a, b) in enumerate(pairwise(parts)) if (new := pairs.get(a + b)) is not None]
    heapq.heapify(heap)
    while heap:
        new, i = heapq.heappop(heap)
        a, j = parts[i], after[i]
        if a is None or j == len(parts) or pairs.get(a + parts[j]) != new:
            continue                                # one of the two has been merged since
        parts[i], parts[j] = chr(new), None
        after[i] = following = after[j]
        if following < len(parts):
            before[following] = i
        for left, right in ((before[i], i), (i, following)):
            if left >= 0 and right < len(parts) and (made := pairs.get(parts[left] + parts[right])) is not None:
                heapq.heappush(heap, (made, left))
    return "".join(part for part in parts if part is not None)
