"""What all formats need: writing a file whole or not at all, and checking what a file holds."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def write(path: str | Path, text: str) -> None:
    """Write a temporary file in the same folder, then rename it. No reader ever sees half a file."""
    path = Path(path)
    tmp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        tmp.write_text(text, encoding="utf-8", newline="\n")
        os.replace(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)


def read(path: str | Path, sha256: str | None = None) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: `sha256` is given and is not the file's.
    """
    data = Path(path).read_bytes()
    actual = hashlib.sha256(data).hexdigest()
    if sha256 and actual != sha256:
        raise ValueError(
            f"{path}: sha256={actual}: expected {sha256}; the file is damaged or another one, get it again"
        )
    return data


def parse_json(path: str | Path, data: bytes) -> dict:
    """A JSON object.

    Raises:
        ValueError: the bytes are not UTF-8 or not JSON, hold no object, or hold a key twice.
    """

    def unique(items):
        keys = [key for key, _ in items]
        for key in set(keys):
            if keys.count(key) > 1:
                raise ValueError(f"{path}: the key {key!r} is there twice; remove one")
        return dict(items)

    def unique_fast(items):
        return dict(items) if len(dict(items)) == len(items) else unique(items)

    try:
        content = json.loads(data.decode("utf-8"), object_pairs_hook=unique_fast)
    except UnicodeDecodeError as e:
        raise ValueError(f"{path}: not UTF-8 at byte {e.start}; get the file again") from None
    except json.JSONDecodeError as e:
        raise ValueError(f"{path}: not JSON ({e}); it is truncated or another format, get it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a JSON {type(content).__name__}: expected an object; is it the right file?")
    return content


def field(path: str | Path, content: Mapping, name: str, kind: type):
    """content[name].

    Raises:
        ValueError: it is missing or of another type.
    """
    value = content.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{path}: {name}={value!r:.60}: it must be a {kind.__name__}; is it the right file?")
    return value


def name_file(path: str | Path, build: Callable[[], T]) -> T:
    """The result of `build()`. The file's name is put before the message of its errors."""
    try:
        return build()
    except (TypeError, ValueError) as e:
        raise ValueError(f"{path}: {e}") from None
