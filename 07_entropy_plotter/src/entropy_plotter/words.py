"""The tokens of the two small models: frequent words whole, everything else byte by byte. Nothing is unknown.

A vocabulary of words has a long tail of rare tokens, and that is what decoding rules are about.
"""

import re
from collections import Counter

PRE_TOKENS = re.compile(r" ?\w+| ?[^\w\s]|\s")
BYTES = 256


class Words:
    """Ids 0 to 255 are bytes, the others are the most frequent words of a text, with the space before them.

    Raises:
        ValueError: vocab_size leaves no room for words.
    """

    def __init__(self, text: str, vocab_size: int = 2048):
        if vocab_size <= BYTES:
            raise ValueError(f"vocab_size={vocab_size}: must be above the {BYTES} bytes")
        found = Counter(word for word in PRE_TOKENS.findall(text) if len(word.encode()) > 1)
        frequent = [word for word, _ in found.most_common(vocab_size - BYTES)]
        self.vocabulary = [bytes([b]) for b in range(BYTES)] + [word.encode() for word in frequent]
        self.ids = {word: BYTES + i for i, word in enumerate(frequent)}

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Ids of a text."""
        found = []
        for word in PRE_TOKENS.findall(text):
            found += [self.ids[word]] if word in self.ids else list(word.encode())
        return found

    def decode(self, ids: list[int]) -> str:
        """The text; half a character becomes U+FFFD."""
        return b"".join(self.vocabulary[i] for i in ids).decode(errors="replace")

    def pieces(self, ids: list[int]) -> list[str]:
        """One text a token. A character whose bytes are spread over tokens stands at its last one."""
        return pieces_of([self.vocabulary[i] for i in ids])


def pieces_of(raw: list[bytes]) -> list[str]:
    """Bytes of each token as text: bytes of an unfinished character wait for the token that finishes it."""
    pieces, waiting = [], b""
    for i, part in enumerate(raw):
        waiting += part
        try:
            text, waiting = waiting.decode(), b""
        except UnicodeDecodeError as error:
            unfinished = error.end == len(waiting) and len(waiting) - error.start < 4 and i + 1 < len(raw)
            text = waiting[: error.start].decode() if unfinished else waiting.decode(errors="replace")
            waiting = waiting[error.start :] if unfinished else b""
        pieces.append(text)
    return pieces
