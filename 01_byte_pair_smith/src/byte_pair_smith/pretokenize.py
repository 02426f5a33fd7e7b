"""Splitting text into the pieces that merges may not cross.

Without a split, the most frequent pairs of any text include "e " and ". ", and the vocabulary fills with
`dog.`, `dog!` and `dog?`. Radford et al. 2019 (GPT-2, section 2.2) therefore cut the text first, by category of
character, and merge only inside the pieces. The piece keeps its leading space, so that nothing is lost.

`pretokenize` is the plain form. `pretokenize_fast` gives the same pieces; where the text is ASCII, in half the time.
"""
import re
from collections.abc import Iterator
from functools import lru_cache

import regex

# The English clitics; then a run of letters, of digits, or of anything else, each with at most one space in
# front; then white space, which leaves its last space to the word that follows: that is what \s+(?!\S) does.
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# GPT-4's: clitics in either case, digits in threes at most, line ends kept with the punctuation before them, and any
# one character but a letter, digit or line end (a tab, a quote, an underscore) may lead a word.
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]|\s+(?!\S)|\s+")

# One digit a piece, everything else as in GPT-2.
DIGITS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# No split: the whole text is one piece.
WHOLE = r"(?s:.+)"

# The same rules for text that is all ASCII, in the terms of the standard library's `re`, which is twice as fast there
# as `regex` is with its tables of Unicode properties.
ASCII_TWIN = {
    GPT2: r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
    CL100K: (r"'(?i:[sdmt]|ll|ve|re)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]{1,3}| ?[^\sA-Za-z0-9]+[\r\n]*"
             r"|\s*[\r\n]|\s+(?!\S)|\s+"),
    DIGITS: r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
}
CUT = re.compile(r"(?<=[!-~]) ")


def pretokenize(text: str, pattern: str = GPT2) -> list[str]:
    """The pieces of `text` that match `pattern`, in order; joined they are the text.

    Raises:
        ValueError: the pattern is no regular expression, has a capturing group, or leaves characters out.
    """
    return nothing_lost(compiled(pattern).findall(text), text, pattern)


def pretokenize_fast(text: str, pattern: str = GPT2, block: int = 512) -> list[str]:
    """The pieces of `pretokenize`, by the pattern's ASCII twin wherever some `block` characters are all ASCII."""
    if pattern not in ASCII_TWIN:
        return pretokenize(text, pattern)
    pieces: list[str] = []
    for part in [text] if text.isascii() else blocks(text, block):
        pieces += ascii_twin(pattern).findall(part) if part.isascii() else compiled(pattern).findall(part)
    return nothing_lost(pieces, text, pattern)


def blocks(text: str, size: int) -> Iterator[str]:
    """The text in parts of about `size` characters, cut only where each of the three patterns cuts too.

    That is in front of a space that follows something visible: in those patterns a space stands at the start of a piece
    or among other white space, and none of them looks back.
    """
    if size < 1:
        raise ValueError(f"block={size} must be at least 1 character")
    at = 0
    while at < len(text):
        found = CUT.search(text, at + size)
        end = found.start() if found else len(text)
        yield text[at:end]
        at = end


@lru_cache
def ascii_twin(pattern: str) -> re.Pattern:
    """The twin, compiled once."""
    return re.compile(ASCII_TWIN[pattern], re.ASCII)


@lru_cache(maxsize=32)
def compiled(pattern: str) -> regex.Pattern:
    """The pattern, compiled once; the library `regex`, because `re` does not know \\p{L}."""
    try:
        split = regex.compile(pattern)
    except regex.error as e:
        raise ValueError(f"pattern {pattern!r} is not a regular expression: {e}") from None
    if split.groups:
        raise ValueError(f"pattern {pattern!r} has a capturing group, of which only the inside would be kept: "
                         f"write (?:...) for (...)")
    return split


def nothing_lost(pieces: list[str], text: str, pattern: str) -> list[str]:
    """The pieces, if joined they are the text."""
    if sum(map(len, pieces)) == len(text):
        return pieces
    at = 0
    for piece in pieces:
        if not text.startswith(piece, at):
            break
        at += len(piece)
    raise ValueError(f"pattern {pattern!r} leaves out {text[at]!r} at character {at}: it must match every character")
