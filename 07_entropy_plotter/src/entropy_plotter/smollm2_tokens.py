"""The tokenizer of the real model: byte-level BPE, read from its file. Project 01 builds one from nothing."""

import re
from itertools import pairwise

from .words import pieces_of

PRE_TOKENS = re.compile(r"'(?:s|d|m|t|ll|ve|re)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def bytes_to_unicode() -> dict[int, str]:
    """GPT-2's printable letter for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(rest)}


class Tokenizer:
    """Text to ids and back. Of the neighbours in a pre-token, the pair with the lowest rank merges first."""

    def __init__(self, vocabulary: list[str], merges: list[str]):
        self.vocabulary = vocabulary
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
        self.letter_of = bytes_to_unicode()
        self.byte_of = {letter: b for b, letter in self.letter_of.items()}

    def encode(self, text: str) -> list[int]:
        """Token ids. Special tokens are not looked for."""
        return [self.ids[part] for pre_token in PRE_TOKENS.findall(text) for part in self._merged(pre_token)]

    def _merged(self, pre_token: str) -> list[str]:
        parts = [self.letter_of[b] for b in pre_token.encode()]
        while len(parts) > 1:
            pairs = [(self.ranks.get(pair, len(self.ranks)), i) for i, pair in enumerate(pairwise(parts))]
            rank, i = min(pairs)
            if rank == len(self.ranks):
                break
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return parts

    def decode(self, ids: list[int]) -> str:
        """The text; special tokens are left out, and half a character becomes U+FFFD."""
        letters = "".join(self.vocabulary[i] for i in ids if not self.is_special(i))
        return bytes(self.byte_of[letter] for letter in letters).decode(errors="replace")

    def pieces(self, ids: list[int]) -> list[str]:
        """One text a token. A character whose bytes are spread over tokens stands at its last one."""
        raw = (b"" if self.is_special(i) else bytes(self.byte_of[c] for c in self.vocabulary[i]) for i in ids)
        return pieces_of(list(raw))

    def is_special(self, token: int) -> bool:
        return self.vocabulary[token].startswith("<|") and self.vocabulary[token].endswith("|>")

    def chat(self, request: str) -> list[int]:
        """The ids of one request in the model's chat format, up to where the answer begins."""
        start, end = self.ids["<|im_start|>"], self.ids["<|im_end|>"]
        system = "system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        turns = [start, *self.encode(system), end, *self.encode("\n")]
        turns += [start, *self.encode(f"user\n{request}"), end, *self.encode("\n")]
        return [*turns, start, *self.encode("assistant\n")]
