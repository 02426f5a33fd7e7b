"""The byte-level BPE that stands in a GGUF file. Project 01 builds one."""

import functools
import re

# GPT-2's pre-tokens, with every digit a token of its own. \w minus digits and _ are letters.
PRE_TOKENS = re.compile(r"'(?:[sdmt]|ll|ve|re)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


class Tokens:
    """Text to ids and back. In each pre-token the pair of the lowest rank is merged first."""

    def __init__(self, vocabulary: list[str], merges: list[str]) -> None:
        self.vocabulary = vocabulary
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        hidden = [b for b in range(256) if b not in printable]
        self.letters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(hidden)}
        self.bytes = {letter: b for b, letter in self.letters.items()}
        self.word = functools.lru_cache(100_000)(self._encode_word)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; special tokens are not looked for."""
        return [i for match in PRE_TOKENS.finditer(text) for i in self.word(match[0])]

    def _encode_word(self, word: str) -> list[int]:
        parts = [self.letters[b] for b in word.encode()]
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:], strict=False))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            i = pairs.index(best)
            parts[i : i + 2] = ["".join(best)]
        return [self.ids[part] for part in parts]

    def decode(self, ids: list[int]) -> str:
        """The text of some ids; half a character becomes U+FFFD."""
        joined = "".join(self.vocabulary[i] for i in ids)
        return bytes(self.bytes[letter] for letter in joined if letter in self.bytes).decode(errors="replace")
