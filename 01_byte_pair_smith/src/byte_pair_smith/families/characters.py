"""Characters: one token for each character of the training text.

The vocabulary is small and sequences are long. Every character of a script that the training text lacks is unknown.
Nothing is learned but the alphabet.
"""

from dataclasses import dataclass
from functools import cached_property

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_pre_tokens


@dataclass(frozen=True)
class Characters(Family):
    """Id 0 is <unk>, and `alphabet[i]` has the id i + 1.

    Raises:
        ValueError: `alphabet` is empty or does not hold distinct single characters.
    """

    alphabet: tuple[str, ...]
    pattern: str = GPT2
    unk_id = 0

    def __post_init__(self):
        check_vocab(self.alphabet, "alphabet")
        for entry in self.alphabet:
            if len(entry) != 1:
                raise ValueError(f"alphabet: it holds {entry!r}, which is {len(entry)} characters; give single ones")

    @cached_property
    def vocab(self) -> tuple[bytes, ...]:
        return (UNK.encode(), *(c.encode() for c in self.alphabet))

    @cached_property
    def ids(self) -> dict[str, int]:
        """{character: id}."""
        return {c: i for i, c in enumerate(self.alphabet, start=1)}

    @classmethod
    def train(cls, text: str, pattern: str = GPT2) -> "Characters":
        """Collect the alphabet, in code point order.

        Raises:
            ValueError: `text` is empty or holds a lone surrogate.
        """
        return cls(tuple(sorted(set("".join(count_pre_tokens(text, pattern))))), pattern)

    def tokenize_word(self, word: str) -> list[Token]:
        return [Token(self.ids.get(c, self.unk_id), c.encode()) for c in word]
