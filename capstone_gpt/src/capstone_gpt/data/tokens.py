"""Text into tokens: bytes, characters, and GPT-2's byte-level BPE (project 01 builds that one and trains it)."""

import json
from pathlib import Path


class ByteTokenizer:
    """Every text has tokens, and nothing has to be learned: 256 of them."""

    vocab_size = 256

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def decode(self, tokens: list[int]) -> str:
        """Bytes that are no UTF-8 become "\\ufffd"."""
        return bytes(tokens).decode("utf-8", errors="replace")


class CharTokenizer:
    """The characters of one text, sorted. Others are refused."""

    def __init__(self, text: str):
        self.characters = sorted(set(text))
        self.number = {c: i for i, c in enumerate(self.characters)}
        self.vocab_size = len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Raises:
        ValueError: a character that the first text did not have.
        """
        unknown = sorted(set(text) - set(self.number))
        if unknown:
            raise ValueError(f"text={unknown[0]!r}: not among the {self.vocab_size} characters; use ByteTokenizer")
        return [self.number[c] for c in text]

    def decode(self, tokens: list[int]) -> str:
        return "".join(self.characters[t] for t in tokens)


def bytes_to_unicode() -> dict[int, str]:
    """The printable character that GPT-2's files write for each byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters = {b: chr(b) for b in printable}
    others = (b for b in range(256) if b not in letters)
    return letters | {b: chr(256 + i) for i, b in enumerate(others)}


PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class GPT2Tokenizer:
    """GPT-2's own vocabulary, from its two public files `encoder.json` and `vocab.bpe`."""

    def __init__(self, encoder: Path | str, merges: Path | str):
        import regex  # Unicode classes, which `re` does not have

        letters = bytes_to_unicode()
        byte_of = {letter: b for b, letter in letters.items()}
        vocabulary = json.loads(Path(encoder).read_text(encoding="utf-8"))
        special = "<|endoftext|>"
        self.token_of = {bytes(byte_of[c] for c in word): t for word, t in vocabulary.items() if word != special}
        self.bytes_of = {t: b for b, t in self.token_of.items()} | {vocabulary[special]: special.encode()}
        lines = Path(merges).read_text(encoding="utf-8").split("\n")[1:]
        pairs = [tuple(bytes(byte_of[c] for c in half) for half in line.split()) for line in lines if line]
        self.rank = {pair: i for i, pair in enumerate(pairs)}
        self.pattern, self.vocab_size = regex.compile(PATTERN), len(vocabulary)

    def encode(self, text: str) -> list[int]:
        words = self.pattern.findall(text)
        return [self.token_of[part] for word in words for part in self.merge(word.encode("utf-8"))]

    def merge(self, word: bytes) -> list[bytes]:
        """Join the neighbours of lowest rank until no pair is in the table."""
        parts = [bytes([b]) for b in word]
        while len(parts) > 1:
            ranks = [self.rank.get(pair, len(self.rank)) for pair in zip(parts, parts[1:], strict=False)]
            i = ranks.index(min(ranks))
            if ranks[i] == len(self.rank):
                break
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return parts

    def decode(self, tokens: list[int]) -> str:
        return b"".join(self.bytes_of[t] for t in tokens).decode("utf-8", errors="replace")
