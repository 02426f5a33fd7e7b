"""Words: the most frequent pre-tokens, and <unk> for every other.

Sequences are the shortest of all, for a text that keeps to the vocabulary. Whatever was not frequent enough becomes the
same id: a name, a number, an inflection, a typing error. Subword units were introduced to avoid exactly this (Sennrich,
Haddow & Birch 2016).
"""

from dataclasses import dataclass
from functools import cached_property

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_pre_tokens


@dataclass(frozen=True)
class Words(Family):
    """Id 0 is <unk>, and `words[i]` has the id i + 1.

    Raises:
        ValueError: `words` is empty or does not hold distinct strings.
    """

    words: tuple[str, ...]
    pattern: str = GPT2
    unk_id = 0

    def __post_init__(self):
        check_vocab(self.words, "words")

    @cached_property
    def vocab(self) -> tuple[bytes, ...]:
        return (UNK.encode(), *(word.encode() for word in self.words))

    @cached_property
    def ids(self) -> dict[str, int]:
        """{word: id}."""
        return {word: i for i, word in enumerate(self.words, start=1)}

    @classmethod
    def train(cls, text: str, vocab_size: int, pattern: str = GPT2) -> "Words":
        """The `vocab_size - 1` most frequent pre-tokens. Equal counts go in code point order.

        A text with fewer distinct pre-tokens gives a smaller vocabulary.

        Raises:
            ValueError: `text` is empty, or `vocab_size` is below 2 (<unk> and one word).
        """
        if vocab_size < 2:
            raise ValueError(f"vocab_size={vocab_size}: there is no room for <unk> and one word; give at least 2")
        counts = count_pre_tokens(text, pattern)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[: vocab_size - 1]), pattern)

    def tokenize_word(self, word: str) -> list[Token]:
        return [Token(self.ids.get(word, self.unk_id), word.encode())]
