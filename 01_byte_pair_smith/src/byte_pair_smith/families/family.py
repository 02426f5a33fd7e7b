"""What every family of tokenizers has in common.

A tokenizer is two decisions. A pattern cuts a text into pre-tokens (a word with the space before it), and `cut` cuts
one pre-token into tokens. All the families in this folder share the first decision, so that a comparison between them
measures the second alone.

Each token carries its *surface*, the bytes of the text that it stands for. The surfaces of a text's tokens, joined,
are always the text, also where the id is <unk>: this is what lets `ngram.py` charge an unknown token for the bytes
that it hides.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..pretokenize import GPT2, pretokenize

UNK = "<unk>"


class Token(NamedTuple):
    id: int
    surface: bytes


def check_text(text: str, argument: str = "text") -> str:
    """Return `text`, or raise TypeError if it is not a string and ValueError if it has no UTF-8 form."""
    if not isinstance(text, str):
        raise TypeError(f"{argument} must be a str, got {type(text).__name__}: decode bytes first")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{argument} has a lone surrogate at index {error.start}, which has no UTF-8 form: "
            "replace it, for example with text.encode('utf-8', 'replace').decode()"
        ) from None
    return text


def count_words(text: str, pattern: str = GPT2) -> Counter[str]:
    """Count the pre-tokens of a training text: all that any of the trainers looks at.

    Raises:
        TypeError: `text` is not a string.
        ValueError: `text` is empty or has a lone surrogate.
    """
    words = Counter(pretokenize(check_text(text), pattern))
    if not words:
        raise ValueError("text is empty: a tokenizer needs something to learn from")
    return words


def check_vocab(pieces: Sequence[str], argument: str = "pieces") -> None:
    """Raise ValueError unless the pieces are distinct, non-empty strings."""
    if not pieces:
        raise ValueError(f"{argument} is empty: give at least one piece")
    for piece, count in Counter(pieces).items():
        if not piece:
            raise ValueError(f"{argument} holds an empty string, which stands for nothing: remove it")
        if count > 1:
            raise ValueError(f"{argument} holds {piece!r} {count} times: pieces must be distinct")


class Family(ABC):
    """A family's common face: `tokenize`, `encode`, `decode`, `len`.

    A subclass sets `vocab` (the bytes that each id decodes to), `unk_id` (None if nothing is ever unknown) and
    `pattern` (as for `pretokenize`), and defines `cut`.
    """

    vocab: tuple[bytes, ...]
    unk_id: int | None
    pattern: str

    @abstractmethod
    def cut(self, word: str) -> list[Token]:
        """Cut one pre-token into tokens whose surfaces, joined, are its UTF-8 bytes."""

    def tokenize(self, text: str) -> list[Token]:
        """Cut a text into tokens. Each distinct pre-token is cut once (Zipf's law makes that most of the saving).

        Raises:
            TypeError: `text` is not a string.
            ValueError: `text` has a lone surrogate.
        """
        words = pretokenize(check_text(text), self.pattern)
        cuts = {word: self.cut(word) for word in set(words)}
        return [token for word in words for token in cuts[word]]

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens. Raises as `tokenize` does."""
        return [token.id for token in self.tokenize(text)]

    def decode(self, ids: Sequence[int], errors: str = "strict") -> str:
        """Join the ids' bytes, then decode them as UTF-8, once: a token may hold part of a character.

        Args:
            errors: "strict" or "replace", as for `bytes.decode`.
        Raises:
            ValueError: an id is outside the vocabulary, or the bytes are not UTF-8 and `errors` is "strict".
        """
        for i in ids:
            if not 0 <= i < len(self.vocab):
                raise ValueError(f"ids holds {i}, but this vocabulary has the ids 0 to {len(self.vocab) - 1}")
        return b"".join(self.vocab[i] for i in ids).decode("utf-8", errors)

    def __len__(self) -> int:
        return len(self.vocab)
