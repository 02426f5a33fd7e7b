"""The 256 bytes in GPT-2's order, and the printable characters that GPT-2's files write them with.

GPT-2's files are text, so each byte needs a printable character. A printable byte of Latin-1 stands for itself. The
other 68 bytes get the characters from U+0100 on: the space becomes U+0120 and the newline U+010A. GPT-2 numbers the
printable bytes first. So its id 0 is "!" (byte 33), and not byte 0.
"""

PRINTABLE = bytes([*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)])

GPT2_ORDER = PRINTABLE + bytes(b for b in range(256) if b not in PRINTABLE)


def bytes_to_unicode() -> dict[int, str]:
    """{byte: its character}, in GPT-2's order. The function has the same name in GPT-2's own code."""
    characters = [chr(b) for b in PRINTABLE]
    characters += [chr(0x100 + k) for k in range(256 - len(PRINTABLE))]
    return dict(zip(GPT2_ORDER, characters, strict=True))


CHAR_OF_BYTE = bytes_to_unicode()

BYTE_OF_CHAR = {character: b for b, character in CHAR_OF_BYTE.items()}


def to_unicode(token: bytes) -> str:
    """A token as GPT-2's files write it: b" the" as "\\u0120the"."""
    return "".join(CHAR_OF_BYTE[b] for b in token)


def from_unicode(characters: str) -> bytes:
    """The bytes of a token of GPT-2's files.

    Raises:
        ValueError: a character is none of the 256.
    """
    for character in characters:
        if character not in BYTE_OF_CHAR:
            raise ValueError(
                f"token={characters!r}: {character!r} is none of the 256 characters for bytes; "
                f"write the token with to_unicode"
            )
    return bytes(BYTE_OF_CHAR[character] for character in characters)
