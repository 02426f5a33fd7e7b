"""GGUF files, written."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .gguf_reader import ARRAY, TEXT, TYPE_NAMES
from .quants import quantize

CODES = {name: code for code, name in TYPE_NAMES.items()}
UINT32, FLOAT32, BOOL, INT32 = 4, 6, 7, 5


def text(content: str) -> bytes:
    """A length and UTF-8."""
    data = content.encode()
    return struct.pack("<Q", len(data)) + data


def value(content: Any) -> bytes:
    """A metadata value with its type: bool, int, float, str, or a list of one of them."""
    kind, data = _typed(content)
    return struct.pack("<I", kind) + data


def _typed(content: Any) -> tuple[int, bytes]:
    if isinstance(content, bool):
        return BOOL, struct.pack("<?", content)
    if isinstance(content, int):
        return (UINT32, struct.pack("<I", content)) if content >= 0 else (INT32, struct.pack("<i", content))
    if isinstance(content, float):
        return FLOAT32, struct.pack("<f", content)
    if isinstance(content, str):
        return TEXT, text(content)
    if not isinstance(content, list) or not content:
        raise ValueError(f"{content!r}: metadata holds numbers, texts, and lists of them that are not empty")
    if all(isinstance(item, int) and not isinstance(item, bool) for item in content):  # llama.cpp wants them signed
        items = [(INT32, struct.pack("<i", item)) for item in content]
    else:
        items = [_typed(item) for item in content]
    kinds = {kind for kind, _ in items}
    if len(kinds) > 1 or ARRAY in kinds:
        raise ValueError("a list of metadata holds values of one type, and no lists")
    return ARRAY, struct.pack("<IQ", kinds.pop(), len(items)) + b"".join(data for _, data in items)


def write_gguf(
    path: Path | str, metadata: Mapping[str, Any], tensors: Mapping[str, tuple[np.ndarray, str]], alignment: int = 32
) -> Path:
    """Write a file. `tensors` has float arrays with the type in which each is to be stored.

    The file appears whole or not at all.

    Raises:
        ValueError: an unknown type, or a shape that does not fit it.
    """
    metadata = {"general.alignment": alignment, **metadata}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(text(key) + value(content) for key, content in metadata.items())
    payloads, offset = [], 0
    for name, (array, kind) in tensors.items():
        data = quantize(array, kind).tobytes()
        shape = array.shape[::-1]
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, CODES[kind], offset)
        payloads.append(data + bytes(-len(data) % alignment))
        offset += len(payloads[-1])
    path = Path(path)
    tmp = path.with_name(f".{path.name}.tmp")
    try:
        with open(tmp, "wb") as file:
            file.write(head + bytes(-len(head) % alignment))
            for data in payloads:
                file.write(data)
        tmp.replace(path)
    finally:
        tmp.unlink(missing_ok=True)
    return path
