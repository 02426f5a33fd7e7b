"""Byte-level BPE, the main line of this project, with the common interface.

Training is `train_fast`, and encoding the plain merge by rank. Nothing is unknown, because the 256 bytes are tokens.
"""

from dataclasses import dataclass
from functools import cached_property

from ..checks import check_text
from ..encode import encode
from ..pretokenize import GPT2, NO_SPLIT
from ..train_fast import train_fast
from ..vocabulary import tokens_of
from .family import Family, Token


@dataclass(frozen=True)
class BytePair(Family):
    """Ids are positions in `vocab`, which begins with the 256 bytes."""

    vocab: tuple[bytes, ...]
    pattern: str = GPT2
    unk_id = None

    @cached_property
    def ranks(self) -> dict[bytes, int]:
        """{token: id}."""
        return {token: i for i, token in enumerate(self.vocab)}

    @classmethod
    def train(cls, text: str, vocab_size: int, pattern: str = GPT2) -> "BytePair":
        """Learn the merges of a text.

        Raises:
            ValueError: `vocab_size` is below 256, or `text` is empty.
        """
        check_text(text)
        if not text:
            raise ValueError("text='': the text is empty; give something to learn from")
        return cls(tuple(tokens_of(train_fast(text, vocab_size, pattern))), pattern)

    def tokenize_word(self, word: str) -> list[Token]:
        return [Token(i, self.vocab[i]) for i in encode(word, self.ranks, NO_SPLIT)]
