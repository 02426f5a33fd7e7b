"""Raw bytes: the 256 bytes of UTF-8, and nothing to train.

Nothing is ever unknown. The price is length, and it is not the same for everyone: a character takes one byte in
English, two in Russian, three in Hindi, four as an emoji. Byte-level BPE starts here and buys the length back.
"""

from dataclasses import dataclass, field

from ..pretokenize import GPT2
from .family import Family, Token


@dataclass(frozen=True)
class RawBytes(Family):
    """The id of a byte is its value."""

    pattern: str = GPT2
    vocab: tuple[bytes, ...] = field(init=False, repr=False, default=tuple(bytes([b]) for b in range(256)))
    unk_id: None = field(init=False, default=None)

    def cut(self, word: str) -> list[Token]:
        return [Token(b, self.vocab[b]) for b in word.encode()]
