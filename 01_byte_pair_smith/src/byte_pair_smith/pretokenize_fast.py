"""`pretokenize`, faster where the text is ASCII.

The library `regex` looks up each character's Unicode properties. For ASCII text the standard library's `re` runs the
same rules in half the time, when the pattern is written for ASCII. So the text is cut into blocks, and each ASCII block
goes to `re`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from .checks import check_is_text, check_nothing_lost, compile_pattern
from .pretokenize import CL100K, GPT2, SINGLE_DIGITS

# Each pattern for ASCII text. A test compares them with the originals.
ASCII_PATTERNS = {
    GPT2: r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
    CL100K: (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]{1,3}| ?[^\sA-Za-z0-9]+[\r\n]*"
        r"|\s*[\r\n]|\s+(?!\S)|\s+"
    ),
    SINGLE_DIGITS: r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
}

# A space after a visible ASCII character. All patterns in ASCII_PATTERNS start a pre-token there.
SAFE_CUT = re.compile(r"(?<=[!-~]) ")


def pretokenize_fast(text: str, pattern: str = GPT2, block: int = 512) -> list[str]:
    """The pre-tokens of `pretokenize`. The ASCII pattern is used for each block of about `block` ASCII characters.

    Lone surrogates are let through: `Tokenizer.encode_bytes` carries bytes that are not UTF-8 in them.

    Raises:
        TypeError, ValueError: as for `pretokenize`; or `block` is below 1.
    """
    check_is_text(text)
    whole = text.isascii() or pattern not in ASCII_PATTERNS
    pre_tokens: list[str] = []
    for part in [text] if whole else blocks(text, block):
        ascii_form = part.isascii() and pattern in ASCII_PATTERNS
        compiled = compile_ascii(pattern) if ascii_form else compile_pattern(pattern)
        pre_tokens += compiled.findall(part)
    check_nothing_lost(pre_tokens, text, pattern)
    return pre_tokens


def blocks(text: str, size: int) -> Iterator[str]:
    """The text in parts of about `size` characters, cut only where every pattern of ASCII_PATTERNS starts a pre-token.

    That is before a space that follows a visible character: no pattern looks back, and none puts such a space at the
    end of a pre-token.
    """
    if size < 1:
        raise ValueError(f"block={size}: it must be at least 1 character; leave it out for the default")
    start = 0
    while start < len(text):
        cut = SAFE_CUT.search(text, start + size)
        end = cut.start() if cut else len(text)
        yield text[start:end]
        start = end


@lru_cache
def compile_ascii(pattern: str) -> re.Pattern:
    """The ASCII form of a pattern, compiled once."""
    return re.compile(ASCII_PATTERNS[pattern], re.ASCII)
