"""Files: written whole or not at all, and read with suspicion."""
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from .vocabulary import Vocabulary


def write(path: str | Path, text: str) -> None:
    """Write a file beside its place and rename it there, so that no reader ever meets half of it."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: str | Path, sha256: str | None = None) -> bytes:
    """The bytes of a file, of which the sha256 is checked where one is given."""
    data = Path(path).read_bytes()
    if sha256 and (got := hashlib.sha256(data).hexdigest()) != sha256:
        raise ValueError(f"{path}: sha256 is {got}, expected {sha256}: the file is damaged, or is another one")
    return data


def parse(path: str | Path, data: bytes) -> dict:
    """A JSON object, from bytes that may be anything; a key that comes twice is refused."""
    def once(items):
        if len(keys := dict(items)) < len(items):
            doubled = next(k for k in keys if [key for key, _ in items].count(k) > 1)
            raise ValueError(f"{path}: the key {doubled!r} is there twice")
        return keys
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except UnicodeDecodeError as e:
        raise ValueError(f"{path}: is not UTF-8 at byte {e.start}") from None
    except json.JSONDecodeError as e:
        raise ValueError(f"{path}: is not JSON ({e}): truncated, or another format") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds a JSON {type(found).__name__}, expected an object")
    return found


def field(path: str | Path, found: Mapping, name: str, kind: type):
    """found[name], if it is there and of its type."""
    if not isinstance(value := found.get(name), kind) or isinstance(value, bool):
        raise ValueError(f"{path}: {name!r} must be a {kind.__name__}, got {value!r:.60}")
    return value


def checked(path: str | Path, build: Callable[[], Vocabulary]) -> Vocabulary:
    """Build a vocabulary and name the file in whatever is wrong with it."""
    try:
        return build()
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from None
