"""Raw bytes: the 256 bytes of UTF-8, and nothing to train.

Nothing is ever unknown. But sequences are long, and longer in some languages than in others: a character is one byte in
English, two in Russian, three in Hindi, and an emoji four. Byte-level BPE starts here and makes them shorter.
"""

from dataclasses import dataclass

from ..pretokenize import GPT2
from .family import Family, Token


@dataclass(frozen=True)
class RawBytes(Family):
    """The id of a byte is its value."""

    pattern: str = GPT2
    vocab = tuple(bytes([b]) for b in range(256))
    unk_id = None

    def tokenize_word(self, word: str) -> list[Token]:
        return [Token(b, self.vocab[b]) for b in word.encode()]
