"""What the functions of the chapter demand of their arguments. A broken rule is an error that says what to do."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from operator import index
from typing import SupportsIndex

import regex


def check_is_text(text: str) -> None:
    """Raise TypeError unless `text` is a str."""
    if not isinstance(text, str):
        raise TypeError(f"text={text!r:.60}: it must be a str, not {type(text).__name__}; decode bytes, join lists")


def check_text(text: str) -> None:
    """Raise TypeError unless `text` is a str, and ValueError unless UTF-8 can write it."""
    check_is_text(text)
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise ValueError(
            f"text={text[max(0, e.start - 5) : e.start + 5]!r}: a lone surrogate at character {e.start}, which UTF-8 "
            f"cannot write; replace it, or give the original bytes to Tokenizer.encode_bytes"
        ) from None


@lru_cache(maxsize=32)
def compile_pattern(pattern: str) -> regex.Pattern:
    """The compiled pattern. The library is `regex`, because `re` does not know \\p{L}.

    Raises:
        ValueError: `pattern` is not a regular expression, or has a capturing group.
    """
    try:
        compiled = regex.compile(pattern)
    except regex.error as e:
        raise ValueError(f"pattern={pattern!r}: not a regular expression ({e}); correct it") from None
    if compiled.groups:
        raise ValueError(
            f"pattern={pattern!r}: a capturing group keeps only what is inside it; write (?:...) instead of (...)"
        )
    return compiled


def check_nothing_lost(pre_tokens: list[str], text: str, pattern: str) -> None:
    """Raise ValueError unless the pre-tokens joined are the text."""
    if sum(map(len, pre_tokens)) == len(text):
        return
    at = 0
    for pre_token in pre_tokens:
        if not text.startswith(pre_token, at):
            break
        at += len(pre_token)
    raise ValueError(
        f"pattern={pattern!r}: it leaves out {text[at]!r} at character {at}; it must match every character"
    )


def check_vocab_size(vocab_size: int) -> None:
    """Raise ValueError if there is no room for the 256 bytes."""
    if vocab_size < 256:
        raise ValueError(f"vocab_size={vocab_size}: the first 256 tokens are the bytes; give at least 256")


def whole_numbers(ids: Iterable[SupportsIndex]) -> list[int]:
    """`ids` as a list of int. NumPy's and PyTorch's integers are taken too.

    Raises:
        TypeError: `ids` is not a sequence of whole numbers.
    """
    try:
        return [index(i) for i in ids]
    except TypeError:
        raise TypeError(f"ids={ids!r:.60}: it must be a sequence of whole numbers; decode one row of a batch") from None


def names(chosen: Collection[str], everything: Collection[str]) -> set[str]:
    """The chosen names of special tokens; "all" chooses everything.

    Raises:
        TypeError: `chosen` is another str.
    """
    if not isinstance(chosen, str):
        return set(chosen)
    if chosen != "all":
        raise TypeError(f'special={chosen!r}: it must be "all" or a collection of names; put the name into a set')
    return set(everything)


def byte_to_id(alphabet: bytes) -> bytes:
    """A table for `bytes.translate` that turns each byte into its id. `alphabet` lists the bytes in order of ids.

    Raises:
        ValueError: `alphabet` is not the 256 bytes.
    """
    if sorted(alphabet) != list(range(256)):
        raise ValueError(f"alphabet={alphabet[:8]!r}...: it must hold each of the 256 bytes once; use BYTE_ORDER")
    return bytes(alphabet.index(b) for b in range(256))
