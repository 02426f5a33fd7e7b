"""SmolLM2's byte-level BPE, from the merges in its file, and its chat template. 01_byte_pair_smith is about this."""

import re
from functools import lru_cache

# GPT-2's pre-tokens, with every digit a token of its own. \w minus digits and _ are letters.
PRE_TOKENS = re.compile(r"'(?:[sdmt]|ll|ve|re)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
START, END = "<|im_start|>", "<|im_end|>"


def byte_letters() -> dict[int, str]:
    """The printable character that stands for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


class Tokens:
    """Text to ids and back. Merges are applied to each pre-token, lowest rank first."""

    def __init__(self, vocabulary: list[str], merges: list[str]):
        self.vocabulary = vocabulary
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
        self.letters = byte_letters()
        self.bytes = {letter: b for b, letter in self.letters.items()}
        self.encode_word = lru_cache(50_000)(self._encode_word)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens."""
        return [i for match in PRE_TOKENS.finditer(text) for i in self.encode_word(match[0])]

    def decode(self, ids: list[int]) -> str:
        """The text of ordinary tokens; special tokens are written as they are."""
        out = []
        for i in ids:
            token = self.vocabulary[i]
            special = token.startswith("<|") and token.endswith("|>")
            out.append(token.encode() if special else bytes(self.bytes[c] for c in token))
        return b"".join(out).decode("utf-8", errors="replace")

    def chat(self, question: str) -> list[int]:
        """One question in the model's chat template without a system message, up to where the answer begins."""
        asked = [self.ids[START], *self.encode(f"user\n{question}"), self.ids[END], *self.encode("\n")]
        return [*asked, self.ids[START], *self.encode("assistant\n")]

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return self.ids[END]

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
