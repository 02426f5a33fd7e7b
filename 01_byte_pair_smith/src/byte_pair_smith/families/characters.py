"""Characters: one token for each Unicode character that the training text holds.

The alphabet is small and sequences are long. Whatever script the training text lacks is unknown as a whole, character
by character; nothing is learned but the alphabet.
"""

from dataclasses import dataclass, field

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_words


@dataclass(frozen=True)
class Characters(Family):
    """Id 0 is <unk>; `alphabet[i]` has the id i + 1."""

    alphabet: tuple[str, ...]
    pattern: str = GPT2
    vocab: tuple[bytes, ...] = field(init=False, repr=False)
    unk_id: int = field(init=False, default=0)
    _ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self):
        check_vocab(self.alphabet, "alphabet")
        if long := [c for c in self.alphabet if len(c) != 1]:
            raise ValueError(f"alphabet holds {long[0]!r}, which is {len(long[0])} characters: give single characters")
        object.__setattr__(self, "vocab", (UNK.encode(), *(c.encode() for c in self.alphabet)))
        object.__setattr__(self, "_ids", {c: i for i, c in enumerate(self.alphabet, start=1)})

    @classmethod
    def train(cls, text: str, pattern: str = GPT2) -> "Characters":
        """Collect the alphabet, in code point order. Raises ValueError for an empty text or one without UTF-8 form."""
        return cls(tuple(sorted(set("".join(count_words(text, pattern))))), pattern)

    def cut(self, word: str) -> list[Token]:
        return [Token(self._ids.get(c, self.unk_id), c.encode()) for c in word]
