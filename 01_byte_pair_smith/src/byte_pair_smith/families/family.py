"""What every family of tokenizers has in common.

A tokenizer is two decisions. A pattern splits a text into pre-tokens (a word with the space before it), and
`tokenize_word` splits one pre-token into tokens. All families here share the first decision, so that a comparison
measures the second alone.

Each token carries its *surface*: the bytes of the text that it stands for. The surfaces of a text's tokens, joined, are
always the text, also where the id is <unk>. So `ngram.py` can charge an unknown token for the bytes it hides.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, SupportsIndex

from ..checks import check_text, whole_numbers
from ..pretokenize import GPT2, pretokenize

UNK = "<unk>"


class Token(NamedTuple):
    """An id, and the bytes of the text that it stands for."""

    id: int
    surface: bytes


class Family(ABC):
    """The common interface: `tokenize`, `encode`, `decode`, `len`.

    A subclass has `vocab` (the bytes that each id decodes to), `unk_id` (None if nothing is ever unknown) and `pattern`
    (as for `pretokenize`), and defines `tokenize_word`.
    """

    vocab: tuple[bytes, ...]
    unk_id: int | None
    pattern: str

    @abstractmethod
    def tokenize_word(self, word: str) -> list[Token]:
        """The tokens of one pre-token. Their surfaces, joined, are its UTF-8 bytes."""

    def tokenize(self, text: str) -> list[Token]:
        """The tokens of a text. Each distinct pre-token is split once.

        Raises:
            TypeError: `text` is not a str.
            ValueError: `text` holds a lone surrogate.
        """
        check_text(text)
        words = pretokenize(text, self.pattern)
        tokens = {word: self.tokenize_word(word) for word in set(words)}
        return [token for word in words for token in tokens[word]]

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens. Raises as `tokenize` does."""
        return [token.id for token in self.tokenize(text)]

    def decode(self, ids: Sequence[SupportsIndex], errors: str = "strict") -> str:
        """The text of `ids`. Their bytes are joined first, because a token may hold part of a character.

        Raises:
            TypeError: `ids` is not a sequence of whole numbers.
            ValueError: an id is outside the vocabulary; or the bytes are not UTF-8 and `errors` is "strict".
        """
        ids = whole_numbers(ids)
        for i in ids:
            if not 0 <= i < len(self.vocab):
                raise ValueError(
                    f"id={i}: this vocabulary has the ids 0 to {len(self.vocab) - 1}; is it the right one?"
                )
        return b"".join(self.vocab[i] for i in ids).decode("utf-8", errors)

    def __len__(self) -> int:
        return len(self.vocab)


def count_pre_tokens(text: str, pattern: str = GPT2) -> Counter[str]:
    """The pre-tokens of a training text with their counts: all that any of the trainers looks at.

    Raises:
        TypeError: `text` is not a str.
        ValueError: `text` is empty or holds a lone surrogate.
    """
    check_text(text)
    if not text:
        raise ValueError("text='': the text is empty; give something to learn from")
    return Counter(pretokenize(text, pattern))


def check_vocab(pieces: Sequence[str], argument: str = "pieces") -> None:
    """Raise ValueError unless the pieces are distinct strings, none of them empty."""
    if not pieces:
        raise ValueError(f"{argument}=(): it is empty; give at least one piece")
    for piece, count in Counter(pieces).items():
        if not piece:
            raise ValueError(f"{argument}: it holds an empty string, which matches nothing; remove it")
        if count > 1:
            raise ValueError(f"{argument}: it holds {piece!r} {count} times; pieces must be distinct")
