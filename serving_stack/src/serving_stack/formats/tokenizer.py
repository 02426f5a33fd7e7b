"""The tokenizer inside of a GGUF file: byte-level BPE with special tokens. (Its training is 01_byte_pair_smith.)"""

import re
from collections.abc import Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush

# GPT-2's pre-tokens, with every digit a token of its own. \w minus digits and _ are letters.
PRE_TOKENS = re.compile(r"'(?:[sdmt]|ll|ve|re)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
CONTROL = 3  # in tokenizer.ggml.token_type


def byte_letters() -> dict[int, str]:
    """The printable character that stands for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


class Tokenizer:
    """Text to ids, and the bytes of each id."""

    def __init__(self, vocabulary: Sequence[str], merges: Sequence[str], special: Sequence[int] = ()):
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
        self.letters = byte_letters()
        letter_bytes = {letter: bytes([b]) for b, letter in self.letters.items()}
        self.special = {vocabulary[i]: i for i in special}
        self.token_bytes = [
            b"" if i in set(self.special.values()) else b"".join(letter_bytes.get(c, c.encode()) for c in token)
            for i, token in enumerate(vocabulary)
        ]
        names = sorted(self.special, key=len, reverse=True)
        self.split = re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else None
        self.encode_word = lru_cache(50_000)(self._encode_word)

    @classmethod
    def from_metadata(cls, metadata: dict) -> "Tokenizer":
        """Of a GGUF file with a GPT-2 tokenizer.

        Raises:
            ValueError: another kind of tokenizer.
        """
        kind = metadata.get("tokenizer.ggml.model")
        if kind != "gpt2":
            raise ValueError(f"tokenizer.ggml.model={kind!r}: this reader knows 'gpt2'")
        types = metadata.get("tokenizer.ggml.token_type", [])
        special = [i for i, t in enumerate(types) if t == CONTROL]
        return cls(metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.merges"], special)

    def encode(self, text: str) -> list[int]:
        """Token ids. Special tokens are found by their text."""
        parts = self.split.split(text) if self.split else [text]
        ids = []
        for part in parts:
            if part in self.special:
                ids.append(self.special[part])
            else:
                ids += [i for match in PRE_TOKENS.finditer(part) for i in self.encode_word(match[0])]
        return ids

    def _encode_word(self, word: str) -> tuple[int, ...]:
        """Merge the pair of lowest rank, the leftmost first, from a heap: n log n, as a word may be a megabyte."""
        parts: list[str | None] = [self.letters[b] for b in word.encode()]  # a merged pair is its left place's
        after = list(range(1, len(parts) + 1))
        before = list(range(-1, len(parts) - 1))
        heap = [(rank, i, pair) for i, pair in enumerate(zip(parts, parts[1:], strict=False))
                if (rank := self.ranks.get(pair)) is not None]  # fmt: skip
        heapify(heap)
        while heap:
            _, i, pair = heappop(heap)
            j = after[i]
            if j == len(parts) or (parts[i], parts[j]) != pair:
                continue  # one of the two has been merged since
            parts[i], parts[j] = "".join(pair), None
            after[i] = after[j]
            if after[i] < len(parts):
                before[after[i]] = i
            for left, right in ((before[i], i), (i, after[i])):
                if left >= 0 and right < len(parts):
                    pair = (parts[left], parts[right])
                    if (rank := self.ranks.get(pair)) is not None:
                        heappush(heap, (rank, left, pair))
        return tuple(self.ids[part] for part in parts if part is not None)
