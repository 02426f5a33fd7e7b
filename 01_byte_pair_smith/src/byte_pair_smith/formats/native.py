"""This project's own format: JSON with the merges as pairs of ids, and a checksum of the tokens."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..vocabulary import Vocabulary
from .files import field, name_file, parse_json, read, write

FORMAT = "byte-pair-smith 1"


def save_json(vocabulary: Vocabulary, path: str | Path) -> None:
    """Everything needed to build the vocabulary again.

    Raises:
        ValueError: the vocabulary is no list of merges (see `Vocabulary.merges`).
    """
    content = {
        "format": FORMAT,
        "vocab_size": len(vocabulary.tokens),
        "sha256": fingerprint(vocabulary),
        "pattern": vocabulary.pattern,
        "special_tokens": dict(vocabulary.special_tokens),
        "alphabet": list(vocabulary.alphabet),
        "merges": [list(pair) for pair in vocabulary.merges],
    }
    write(path, json.dumps(content, ensure_ascii=False) + "\n")


def load_json(path: str | Path) -> Vocabulary:
    """What `save_json` wrote.

    Raises:
        ValueError: the file is damaged; the message names the file and the place.
    """
    content = parse_json(path, read(path))
    if content.get("format") != FORMAT:
        raise ValueError(f"{path}: format={content.get('format')!r}: expected {FORMAT!r}; is it the right file?")
    alphabet = field(path, content, "alphabet", list)
    if not all(type(b) is int and 0 <= b < 256 for b in alphabet):
        raise ValueError(f"{path}: alphabet={alphabet[:4]!r}...: it must list the 256 bytes; save the file again")
    merges = [pair_of(path, k, pair) for k, pair in enumerate(field(path, content, "merges", list))]
    if field(path, content, "vocab_size", int) != 256 + len(merges):
        raise ValueError(
            f"{path}: vocab_size={content['vocab_size']}: 256 bytes and {len(merges)} merges make {256 + len(merges)}; "
            f"a merge is missing, save the file again"
        )
    pattern, special_tokens = field(path, content, "pattern", str), special_of(path, content)
    vocabulary = name_file(path, lambda: Vocabulary.from_merges(merges, bytes(alphabet), pattern, special_tokens))
    if content.get("sha256") != fingerprint(vocabulary):
        raise ValueError(f"{path}: sha256={content.get('sha256')!r}: not that of these tokens; the merges were changed")
    return vocabulary


def fingerprint(vocabulary: Vocabulary) -> str:
    """The sha256 of the tokens in their order, each after its length."""
    digest = hashlib.sha256()
    for token in vocabulary.tokens:
        digest.update(len(token).to_bytes(4, "little") + token)
    return digest.hexdigest()


def pair_of(path: str | Path, k: int, pair: object) -> tuple[int, int]:
    """One merge: two ids."""
    if not (isinstance(pair, list) and len(pair) == 2 and all(type(i) is int for i in pair)):
        raise ValueError(f"{path}: merges[{k}]={pair!r:.60}: a merge must be two ids; save the file again")
    return pair[0], pair[1]


def special_of(path: str | Path, content: Mapping) -> dict[str, int]:
    """The special tokens: {name: id}."""
    special_tokens = field(path, content, "special_tokens", dict)
    for name, i in special_tokens.items():
        if type(i) is not int:
            raise ValueError(f"{path}: special_tokens={{{name!r}: {i!r}}}: an id must be a whole number; correct it")
    return special_tokens
