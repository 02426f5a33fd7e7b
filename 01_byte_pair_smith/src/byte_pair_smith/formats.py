"""Two file formats: this project's own JSON, and tiktoken's rank file. (GPT-2's and Hugging Face's: letter_files.py.)

Every reader ends in `Vocabulary`, which derives each token from the ones before it; the readers see to it that the file
is what it claims to be. One loss leaves a file that is whole in itself: lines missing at the end of a rank file. So
`load_tiktoken` takes the size that is expected, and the sha256 where that is known.
"""
import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from .files import checked, field, parse, read, write
from .vocabulary import Vocabulary

FORMAT = "byte-pair-smith 1"
CL100K_SPECIAL = {"<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259,
                  "<|fim_suffix|>": 100260, "<|endofprompt|>": 100276}


def save_json(vocabulary: Vocabulary, path: str | Path) -> None:
    """Everything needed to build the vocabulary again, as readable JSON."""
    write(path, json.dumps({
        "format": FORMAT, "vocab_size": len(vocabulary.tokens), "sha256": fingerprint(vocabulary),
        "pattern": vocabulary.pattern, "special": dict(vocabulary.special), "alphabet": list(vocabulary.alphabet),
        "merges": [list(pair) for pair in vocabulary.merges]}, ensure_ascii=False) + "\n")


def load_json(path: str | Path) -> Vocabulary:
    """What `save_json` wrote. Raises ValueError, naming the file and what is wrong with it."""
    found = parse(path, read(path))
    if found.get("format") != FORMAT:
        raise ValueError(f"{path}: 'format' is {found.get('format')!r}, expected {FORMAT!r}")
    merges, alphabet = field(path, found, "merges", list), field(path, found, "alphabet", list)
    if not all(type(b) is int and 0 <= b < 256 for b in alphabet):
        raise ValueError(f"{path}: 'alphabet' must list the 256 bytes")
    for k, pair in enumerate(merges):
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(i) is int for i in pair)):
            raise ValueError(f"{path}: merge {k} must be two ids, got {pair!r:.60}")
    if field(path, found, "vocab_size", int) != 256 + len(merges):
        raise ValueError(f"{path}: 'vocab_size' is {found['vocab_size']}, but 256 bytes and {len(merges)} merges make "
                         f"{256 + len(merges)}")
    vocabulary = checked(path, lambda: Vocabulary.from_merges(
        [(a, b) for a, b in merges], bytes(alphabet), field(path, found, "pattern", str), special_of(path, found)))
    if found.get("sha256") != fingerprint(vocabulary):
        raise ValueError(f"{path}: 'sha256' is not that of the tokens: the merges have been changed or reordered")
    return vocabulary


def fingerprint(vocabulary: Vocabulary) -> str:
    """The sha256 of the tokens in their order, each with its length in front."""
    digest = hashlib.sha256()
    for token in vocabulary.tokens:
        digest.update(len(token).to_bytes(4, "little") + token)
    return digest.hexdigest()


def special_of(path: str | Path, found: Mapping) -> dict[str, int]:
    """The special tokens of a file of ours: {name: id}."""
    special = field(path, found, "special", dict)
    if bad := {k: v for k, v in special.items() if type(v) is not int}:
        raise ValueError(f"{path}: special tokens {bad!r} must have whole numbers for ids")
    return special


def save_tiktoken(vocabulary: Vocabulary, path: str | Path) -> None:
    """Tokens and ranks only: pattern and special tokens are not part of this format, keep them elsewhere."""
    write(path, "".join(f"{base64.b64encode(t).decode()} {i}\n" for i, t in enumerate(vocabulary.tokens)))


def load_tiktoken(path: str | Path, pattern: str, special: Mapping[str, int] | None = None, size: int | None = None,
                  sha256: str | None = None) -> Vocabulary:
    """A rank file. Its pattern and special tokens come from elsewhere, because the format has no place for them.

    Raises:
        ValueError: naming file and line; without `size` or `sha256` a file cut exactly at a line's end is accepted,
            as the smaller vocabulary that it is.
    """
    tokens: dict[bytes, int] = {}
    for n, line in enumerate(read(path, sha256).splitlines(), 1):
        token, rank = rank_line(f"{path}, line {n}", line)
        if rank != len(tokens):
            raise ValueError(f"{path}, line {n}: rank {rank} where {len(tokens)} is due: a line is missing, doubled or "
                             f"out of order")
        if token in tokens:
            raise ValueError(f"{path}, line {n}: token {token!r} is there twice, as ranks {tokens[token]} and {rank}")
        tokens[token] = rank
    if size is not None and len(tokens) != size:
        raise ValueError(f"{path}: {len(tokens)} tokens, expected {size}: the file is truncated or another one")
    return checked(path, lambda: Vocabulary(tuple(tokens), pattern, dict(special or {})))


def rank_line(where: str, line: bytes) -> tuple[bytes, int]:
    """One line of a rank file: the token's bytes and its rank."""
    words = line.split(b" ")
    if len(words) != 2 or not words[1].isdigit():
        raise ValueError(f"{where}: {line[:40]!r} is not 'base64 rank'")
    try:
        token = base64.b64decode(words[0], validate=True)
    except binascii.Error as e:
        raise ValueError(f"{where}: {words[0][:40]!r} is not base64 ({e})") from None
    if not token:
        raise ValueError(f"{where}: the token is empty")
    return token, int(words[1])
