"""The process that sanitize.py starts: makes the calls of order.json, and writes the emulator's faults to answer.txt.

It uses the standard library alone: what it does not load cannot slow it down or be blamed.
"""

import ctypes
import json
import sys
from pathlib import Path


def device_copy(path: str) -> ctypes.c_void_p:
    """The file's bytes in a heap block of exactly that size, where the sanitizer sees the first byte outside."""
    data = Path(path).read_bytes()
    libc = ctypes.CDLL(None)
    place = ctypes.c_void_p()
    if libc.posix_memalign(ctypes.byref(place), ctypes.c_size_t(256), ctypes.c_size_t(len(data))):
        raise MemoryError(path)
    ctypes.memmove(place, data, len(data))
    return place


def main(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    library = ctypes.CDLL(order["library"])
    for call in order["calls"]:
        arguments = [
            device_copy(a["file"]) if "file" in a else getattr(ctypes, a["type"])(a["value"]) for a in call["arguments"]
        ]
        getattr(library, call["function"])(*arguments)
    answer = ctypes.create_string_buffer(1 << 20)
    library.qk_take_faults(answer, ctypes.c_size_t(len(answer)))
    draft = folder / "answer.draft"
    draft.write_bytes(answer.value)
    draft.rename(folder / "answer.txt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
