"""What the emulator reports: one record a fault, with the .cu file and line; and the exception that carries them."""

import ctypes
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """One thing that a kernel did and may not do.

    kind: launch, divergent (a barrier), deadlock, shuffle, address, bounds, uninitialised, async, proxy, wgmma,
    arithmetic, stack, timeout; the sanitizer's faults carry its own name for them.
    """

    kind: str
    file: str
    line: int
    message: str
    block: tuple[int, int, int] | None = None
    thread: tuple[int, int, int] | None = None

    def __str__(self) -> str:
        where = f"{Path(self.file).name}:{self.line}" if self.file else "(line unknown)"
        who = f" (block {self.block}, thread {self.thread})" if self.thread else ""
        return f"{where}: {self.kind}: {self.message}{who}"


class KernelFault(RuntimeError):
    """A kernel did what it may not do; `faults` holds the records."""

    def __init__(self, faults: list[Fault]):
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def take_faults(lib: ctypes.CDLL, path: Path) -> list[Fault]:
    """The faults since the last call; the library then forgets them."""
    lib.qk_take_faults.restype = ctypes.c_size_t
    capacity = 1 << 12
    while True:
        buffer = ctypes.create_string_buffer(capacity)
        needed = lib.qk_take_faults(buffer, ctypes.c_size_t(capacity))
        if needed < capacity:
            return faults_of(buffer.value.decode(errors="replace"), path) if needed else []
        capacity = needed + 1


def faults_of(text: str, path: Path) -> list[Fault]:
    """The records in what the runtime of the library at `path` wrote (runtime/faults.h has the format)."""
    rows = [line.split("\t") for line in text.splitlines()]
    lines = source_lines(path, [int(row[3], 16) for row in rows if not row[1]])
    return [_fault(row, lines) for row in rows]


def _fault(row: list[str], lines: dict[int, tuple[str, int]]) -> Fault:
    kind, file, line, offset, block, thread, message = row
    if not file:
        file, line = lines.get(int(offset, 16), ("", 0))
    return Fault(kind, file, int(line), message, _triple(block), _triple(thread))


def _triple(text: str) -> tuple[int, int, int] | None:
    return tuple(map(int, text.split(","))) if text else None


def source_lines(path: Path, offsets: list[int]) -> dict[int, tuple[str, int]]:
    """File and line of each offset into the library, by addr2line; ("", 0) where it does not know.

    An offset in a function that was inlined has several lines: the innermost one in a kernel's own file is taken, and
    not one in the emulator's or NVIDIA's headers.
    """
    known = _known_lines(Path(path))
    wanted = sorted(set(offsets) - known.keys())
    if wanted:
        known |= dict.fromkeys(wanted, ("", 0)) | _addr2line(path, wanted)
    return {offset: known[offset] for offset in offsets}


@functools.cache
def _known_lines(path: Path) -> dict[int, tuple[str, int]]:
    """Answers of addr2line for this library; its name is the hash of its content."""
    return {}


def _addr2line(path: Path, offsets: list[int]) -> dict[int, tuple[str, int]]:
    command = ["addr2line", "-a", "-i", "-e", str(path), *map(hex, offsets)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    found: dict[int, tuple[str, int]] = {}
    offset = 0
    for line in done.stdout.splitlines():
        if line.startswith("0x") and ":" not in line:
            offset = int(line, 16)
        elif offset not in found and (place := _place(line)):
            found[offset] = place
    return found


def _place(line: str) -> tuple[str, int] | None:
    file, _, number = line.split(" (")[0].rpartition(":")
    if not number.isdigit() or number == "0" or file.startswith("?"):
        return None
    ours = Path(__file__).parent
    if ours in Path(file).parents or Path(file).suffix not in (".cu", ".cuh"):
        return None
    return file, int(number)
