"""Byte-level BPE, the main line of this project, with the face that the families share.

Training is `train_fast`, encoding the plain merge by rank. Nothing is ever unknown, since the 256 bytes are tokens.
"""

from dataclasses import dataclass, field

from ..encode import encode
from ..pretokenize import GPT2, WHOLE
from ..train import train_fast
from ..vocabulary import tokens_of
from .family import Family, Token, check_text


@dataclass(frozen=True)
class BytePair(Family):
    """Ids are positions in `vocab`, which begins with the 256 bytes."""

    vocab: tuple[bytes, ...]
    pattern: str = GPT2
    unk_id: None = field(init=False, default=None)
    _ranks: dict[bytes, int] = field(init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "_ranks", {token: i for i, token in enumerate(self.vocab)})

    @classmethod
    def train(cls, text: str, vocab_size: int, pattern: str = GPT2) -> "BytePair":
        """Learn the merges of a text. Raises ValueError for a `vocab_size` below 256 or an empty text."""
        if not check_text(text):
            raise ValueError("text is empty: a tokenizer needs something to learn from")
        return cls(tuple(tokens_of(train_fast(text, vocab_size, pattern))), pattern)

    def cut(self, word: str) -> list[Token]:
        return [Token(i, self.vocab[i]) for i in encode(word, self._ranks, WHOLE)]
