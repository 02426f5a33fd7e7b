"""GGUF's header, byte by byte (ggml's docs/gguf.md, version 3).

    4 bytes    "GGUF"
    uint32     version, 2 or 3
    uint64     number of tensors
    uint64     number of metadata entries
    entries    key, type, value
    tensors    name, number of dimensions, dimensions, type, offset
    padding    up to a multiple of general.alignment (32 if there is none)
    data       each tensor at its offset from here

All numbers are little-endian. A text is a uint64 length and UTF-8. Dimensions stand in the order of memory, the fastest
first, which is the reverse of NumPy's shape.
"""

import struct
from dataclasses import dataclass
from math import prod
from mmap import mmap
from typing import Any

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9
MOST_DIMENSIONS = 4
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 8: (32, 34)}  # type: (weights, bytes) of a block
TYPE_NAMES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 8: "Q8_0"}


@dataclass(frozen=True)
class TensorInfo:
    """Where a tensor lies in the file, and what it is. `shape` is NumPy's."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int  # from the beginning of the file


@dataclass(frozen=True)
class GGUFHeader:
    """All of a file but the weights."""

    version: int
    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    data_offset: int


class Cursor:
    """Reads forward in bytes that may be anything. Nothing is read or allocated beyond their end."""

    def __init__(self, data: bytes | memoryview | mmap):
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self.data) - self.at:
            raise ValueError(f"offset={self.at}: {size} more bytes are announced, the file ends before")
        self.at += size
        return bytes(self.data[self.at - size : self.at])

    def number(self, code: str) -> int | float | bool:
        """One number of a struct code."""
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        """A length and UTF-8."""
        return self.take(self.number("Q")).decode()

    def value(self, kind: int) -> Any:
        """A metadata value: a number, a text, or a list of one of them."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == TEXT:
            return self.text()
        if kind != ARRAY:
            raise ValueError(f"kind={kind}: no type of a metadata value; the file is damaged")
        inner, count = self.number("I"), self.number("Q")
        if inner == ARRAY:
            raise ValueError("an array of arrays: not supported by this reader")
        return [self.value(inner) for _ in range(count)]


def read_gguf_header(data: bytes | memoryview | mmap) -> GGUFHeader:
    """The header of a GGUF file, given the bytes of the file (or a memory map of it).

    Raises:
        ValueError: no GGUF, another version, an unknown type, a tensor that does not fit its blocks or the file.
    """
    cursor = Cursor(data)
    if cursor.take(4) != b"GGUF":
        raise ValueError("the file does not begin with GGUF; convert it first")
    version = cursor.number("I")
    if version not in (2, 3):
        raise ValueError(f"version={version}: this reader knows 2 and 3")
    num_tensors, num_entries = cursor.number("Q"), cursor.number("Q")
    metadata = {}
    for _ in range(num_entries):
        key = cursor.text()
        metadata[key] = cursor.value(cursor.number("I"))
    found = [read_tensor_info(cursor) for _ in range(num_tensors)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"general.alignment={alignment}: must be a positive number")
    data_offset = -(-cursor.at // alignment) * alignment
    tensors = []
    for name, shape, kind, offset in found:
        weights, size = BLOCKS.get(kind, (1, 0))
        end = data_offset + offset + prod(shape) // weights * size
        if shape[-1] % weights or end > len(data):
            raise ValueError(f"{name}: shape {shape} of type {kind} does not fit its blocks or the file")
        tensors.append(TensorInfo(name, shape, kind, data_offset + offset))
    return GGUFHeader(version, metadata, tuple(tensors), data_offset)


def read_tensor_info(cursor: Cursor) -> tuple[str, tuple[int, ...], int, int]:
    """(name, NumPy's shape, type, offset in the data) of the next tensor."""
    name, dimensions = cursor.text(), cursor.number("I")
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise ValueError(f"{name}: {dimensions} dimensions; GGUF has 1 to {MOST_DIMENSIONS}")
    shape = tuple(cursor.number("Q") for _ in range(dimensions))[::-1]
    return name, shape, cursor.number("I"), cursor.number("Q")
