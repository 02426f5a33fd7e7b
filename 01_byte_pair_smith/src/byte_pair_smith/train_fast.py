"""`train` in time near-linear in the corpus: the same merges. After the first count, a merge reads what it changes.

Four ideas:
1. Count each distinct pre-token once. A megabyte of English has some 15,000 of them (Zipf's law).
2. Keep, for each pair, the list of pre-tokens that hold it. A merge visits only those.
3. Keep the counts in a heap. Counts only go down, so an old entry can be too large, never too small. When the top entry
   is old, put it back with its current count.
4. Store a pre-token as a `str` whose characters are its ids. Then `str.split(pair)` finds all occurrences in C.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping

from .checks import byte_to_id, check_text, check_vocab_size
from .pretokenize import GPT2
from .pretokenize_fast import pretokenize_fast

BYTE_ORDER = bytes(range(256))


def train_fast(text: str, vocab_size: int, pattern: str = GPT2, alphabet: bytes = BYTE_ORDER) -> list[tuple[int, int]]:
    """The merges of `train`, for a long text.

    `alphabet` lists the 256 bytes in the order of their ids. It decides ties and nothing else. With `BYTE_ORDER` the
    merges are those of `train` and of rustbpe. With `GPT2_ORDER` they are those of Hugging Face `tokenizers`.

    Raises:
        TypeError, ValueError: as for `train`; or `alphabet` is not the 256 bytes.
    """
    check_vocab_size(vocab_size)
    check_text(text)
    index = PairIndex(count_pre_tokens(text, pattern, alphabet))
    merges: list[tuple[int, int]] = []
    while len(merges) < vocab_size - 256:
        pair = index.pop_most_frequent()
        if pair is None:
            break
        index.merge(pair, chr(256 + len(merges)))
        merges.append((ord(pair[0]), ord(pair[1])))
    return merges


def count_pre_tokens(text: str, pattern: str, alphabet: bytes) -> dict[str, int]:
    """{pre-token as a string of ids: how often it occurs}."""
    table = byte_to_id(alphabet)
    counts = Counter(pretokenize_fast(text, pattern))
    return {pre_token.encode().translate(table).decode("latin-1"): count for pre_token, count in counts.items()}


class PairIndex:
    """The corpus, with the count of each pair and the pre-tokens that hold it, kept up to date through all merges.

    A pair is a `str` of two characters, which are ids.
    """

    def __init__(self, pre_tokens: Mapping[str, int]):
        self.pre_tokens = list(pre_tokens)
        self.frequency = list(pre_tokens.values())  # of pre-token n, how often the text holds it
        self.holders: dict[str, list[int]] = defaultdict(list)  # pair: numbers of pre-tokens, once per occurrence
        for n, ids in enumerate(self.pre_tokens):
            for pair in map(str.__add__, ids, ids[1:]):
                self.holders[pair].append(n)
        self.counts = {pair: self.count(holders) for pair, holders in self.holders.items()}
        self.heap = [(-count, pair) for pair, count in self.counts.items()]
        heapq.heapify(self.heap)

    def count(self, holders: list[int]) -> int:
        """How often a pair occurs in the corpus."""
        return sum(map(self.frequency.__getitem__, holders))

    def pop_most_frequent(self) -> str | None:
        """The most frequent pair, the smallest of several. None when no pair is left."""
        while self.heap:
            negative_count, pair = heapq.heappop(self.heap)
            current_count = self.counts[pair]
            if current_count == 0:
                continue
            if current_count == -negative_count:
                return pair
            heapq.heappush(self.heap, (-current_count, pair))  # the entry was old, and so too large
        return None

    def merge(self, pair: str, new: str) -> None:
        """Replace `pair` by the character `new` everywhere, and bring counts, holders and heap up to date."""
        for new_pair, holders in self.replace(pair, new).items():
            self.holders[new_pair] = holders
            self.counts[new_pair] = self.count(holders)
            heapq.heappush(self.heap, (-self.counts[new_pair], new_pair))

    def replace(self, pair: str, new: str) -> dict[str, list[int]]:
        """Replace `pair` in its pre-tokens and lower the counts of its neighbours. Returns {new pair: its holders}.

        Around an occurrence `l a b r`, the pairs (l, a) and (b, r) go, and (l, new) and (new, r) come. In `a b a b` the
        two occurrences share a neighbour: (b, a) goes and (new, new) comes, once.
        """
        a, b = pair
        counts = self.counts
        new_pairs: dict[str, list[int]] = defaultdict(list)
        for n in set(self.holders.pop(pair)):
            parts = self.pre_tokens[n].split(pair)
            if len(parts) == 1:  # an earlier merge has taken the pair out of this pre-token
                continue
            count = self.frequency[n]
            self.pre_tokens[n] = new.join(parts)
            left = parts[0][-1:]  # the character before the occurrence; "" at the start of the pre-token
            for part in parts[1:]:
                if left:
                    counts[b + a if left == new else left + a] -= count
                    new_pairs[left + new].append(n)
                if part:
                    counts[b + part[0]] -= count
                    new_pairs[new + part[0]].append(n)
                left = part[-1:] or new
        counts[pair] = 0
        return new_pairs
