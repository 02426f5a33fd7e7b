"""The 256 bytes in the order in which GPT-2 numbers them, and the printable letters it writes them with.

GPT-2's files are text, so each byte needs a character that survives editors: a printable byte of Latin-1 stands for
itself, and the other 68 get the letters from U+0100 on (the space becomes U+0120, the newline U+010A). Sorted by that
letter, the printable bytes come first. Hence the trap: in GPT-2, id 0 is "!" (byte 33), not byte 0.
"""

BYTE_ORDER = bytes(range(256))

PRINTABLE = bytes([*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)])

GPT2_ORDER = PRINTABLE + bytes(b for b in range(256) if b not in PRINTABLE)

LETTER_OF = {b: chr(b) if b in PRINTABLE else chr(0x100 + k - len(PRINTABLE)) for k, b in enumerate(GPT2_ORDER)}

BYTE_OF = {letter: b for b, letter in LETTER_OF.items()}


def to_letters(token: bytes) -> str:
    """A token as GPT-2's files write it: b" the" as "\\u0120the"."""
    return "".join(LETTER_OF[b] for b in token)


def from_letters(letters: str) -> bytes:
    """The bytes of a token of GPT-2's files.

    Raises:
        ValueError: a letter that is none of the 256.
    """
    try:
        return bytes(BYTE_OF[letter] for letter in letters)
    except KeyError as e:
        raise ValueError(f"token {letters!r} holds {e.args[0]!r}, which is none of the 256 letters for bytes") from None
