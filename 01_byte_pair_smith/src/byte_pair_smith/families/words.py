"""Words: the most frequent pre-tokens, and <unk> for every other.

The shortest sequences of all, for a text that keeps to the vocabulary. A word that was not frequent enough is lost,
whatever it was; a name, a number, an inflection and a typing error all become the same id. Subword units were brought
to neural models to be rid of exactly this (Sennrich, Haddow & Birch 2016).
"""

from dataclasses import dataclass, field

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_words


@dataclass(frozen=True)
class Words(Family):
    """Id 0 is <unk>; `words[i]` has the id i + 1."""

    words: tuple[str, ...]
    pattern: str = GPT2
    vocab: tuple[bytes, ...] = field(init=False, repr=False)
    unk_id: int = field(init=False, default=0)
    _ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self):
        check_vocab(self.words, "words")
        object.__setattr__(self, "vocab", (UNK.encode(), *(w.encode() for w in self.words)))
        object.__setattr__(self, "_ids", {w: i for i, w in enumerate(self.words, start=1)})

    @classmethod
    def train(cls, text: str, vocab_size: int, pattern: str = GPT2) -> "Words":
        """Keep the `vocab_size - 1` most frequent words; equal counts go in code point order.

        A text with fewer distinct words than that gives a smaller vocabulary: there is nothing to fill it with.
        Raises:
            ValueError: `text` is empty, or `vocab_size` is below 2 (<unk> and one word).
        """
        if vocab_size < 2:
            raise ValueError(f"vocab_size={vocab_size} has no room for <unk> and one word: give at least 2")
        counts = count_words(text, pattern)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[: vocab_size - 1]), pattern)

    def cut(self, word: str) -> list[Token]:
        return [Token(self._ids.get(word, self.unk_id), word.encode())]
