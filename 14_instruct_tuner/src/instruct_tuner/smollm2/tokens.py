"""SmolLM2's byte-level BPE, from the merges in its file. The subject of 01_byte_pair_smith; here what chat needs."""

import re
from collections.abc import Iterable
from functools import lru_cache

from ..template import IM_END, IM_START

# GPT-2's pre-tokens, with every digit a token of its own. \w minus digits and _ are letters.
PRE_TOKENS = re.compile(r"'(?:[sdmt]|ll|ve|re)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
SPECIAL = re.compile(f"({re.escape(IM_START)}|{re.escape(IM_END)})")


def byte_letters() -> dict[int, str]:
    """The printable character that stands for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


class Tokens:
    """Text to ids. Merges are applied to each pre-token, lowest rank first."""

    def __init__(self, vocabulary: list[str], merges: list[str]):
        self.vocabulary = vocabulary
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
        self.letters = byte_letters()
        self.bytes = {letter: b for b, letter in self.letters.items()}
        self.encode_word = lru_cache(50_000)(self._encode_word)

    @property
    def end(self) -> int:
        """The id of the end of a message."""
        return self.ids[IM_END]

    @property
    def header(self) -> list[int]:
        """What opens an assistant's message."""
        return self.encode(f"{IM_START}assistant\n")

    def encode(self, text: str) -> list[int]:
        """Token ids of a formatted text; the two special tokens of the format are one id each."""
        found: list[int] = []
        for part in SPECIAL.split(text):
            if part in (IM_START, IM_END):
                found.append(self.ids[part])
            else:
                found += [i for match in PRE_TOKENS.finditer(part) for i in self.encode_word(match[0])]
        return found

    def decode(self, ids: Iterable[int]) -> str:
        """The text; bytes that are no UTF-8 become replacement characters."""
        letters = "".join(self.vocabulary[i] for i in ids)
        return bytes(self.bytes[letter] for letter in letters).decode(errors="replace")

    def _encode_word(self, word: str) -> tuple[int, ...]:
        parts = [self.letters[b] for b in word.encode()]
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:], strict=False))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            i = pairs.index(best)
            parts[i : i + 2] = ["".join(best)]
        return tuple(self.ids[part] for part in parts)
