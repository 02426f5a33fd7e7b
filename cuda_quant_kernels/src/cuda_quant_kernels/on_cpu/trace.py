"""Runs a call in the trace build and reports, by source line, what it did to memory.

lib = load(path, "trace")
report = trace(lib, lambda lib: lib.add(pointer(a), pointer(b), n), {"a": a, "b": b})
print(report.table())
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .faults import Fault, KernelFault, source_lines
from .library import Library
from .memory import extent

_MOST_BYTES = 1 << 25  # of all buffers: the tracer keeps 36 bytes for each of theirs
_KINDS = ("load", "store", "atomic", "async store", "wgmma load")


@dataclass(frozen=True)
class Row:
    """All requests of one source line to one array, of one kind and width.

    moved, ideal and worst are sectors of 32 bytes in global memory and wavefronts in shared memory. A wavefront is one
    access to all 32 banks. ideal is the least for the same bytes, worst the most that one request took.
    """

    file: str
    line: int
    space: str
    kind: str
    name: str
    size: int
    requests: int
    lanes: int
    moved: int
    ideal: int
    worst: int

    @property
    def efficiency(self) -> float:
        return self.ideal / self.moved

    @property
    def per_request(self) -> float:
        return self.moved / self.requests


@dataclass(frozen=True)
class Race:
    """Two accesses to one byte, one of them a write, that no barrier puts in order."""

    name: str
    file: str
    lines: tuple[int, int]
    kinds: tuple[str, str]
    threads: tuple[int, int]
    blocks_differ: bool
    offset: int

    def __str__(self) -> str:
        of = "of two blocks" if self.blocks_differ else f"{self.threads[0]} and {self.threads[1]}"
        first, second = (f"the {kind} in line {line}" for kind, line in zip(self.kinds, self.lines, strict=True))
        where = f"{Path(self.file).name}:{self.lines[0]}" if self.file else "(line unknown)"
        return f"{where}: race on {self.name}: {first} and {second} (threads {of}, byte {self.offset})"


@dataclass(frozen=True)
class Report:
    """What a traced call did. `result` is the call's own value, None if it ended in a fault."""

    rows: list[Row]
    races: list[Race]
    faults: list[Fault]
    result: Any = field(default=None, compare=False)

    @property
    def clean(self) -> bool:
        """No race and no fault. It says nothing of efficiency."""
        return not self.races and not self.faults

    def at(self, line: int) -> list[Row]:
        return [row for row in self.rows if row.line == line]

    def total(self, space: str = "global", name: str | None = None) -> int:
        """Sectors (in shared memory: wavefronts) in all, or for one array."""
        return sum(r.moved for r in self.rows if r.space == space and name in (None, r.name))

    def efficiency(self, space: str = "global") -> float:
        """Ideal over moved for all requests to a space; 1.0 if there were none."""
        moved = self.total(space)
        return sum(r.ideal for r in self.rows if r.space == space) / moved if moved else 1.0

    def table(self) -> str:
        """The rows in the order of the source, then races and faults, for a terminal."""
        head = ("line", "space", "array", "kind", "B/lane", "requests", "per request", "ideal", "worst", "efficiency")
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        text = []
        for line in lines:
            padded = [c.ljust(w) if i < 4 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
            text.append("  ".join(padded).rstrip())
        return "\n".join([*text, *map(str, self.races), *map(str, self.faults)])


def _cells(row: Row) -> tuple[str, ...]:
    unit = "sectors" if row.space == "global" else "wavefronts"
    return (
        f"{Path(row.file).name}:{row.line}", row.space, row.name, row.kind, str(row.size), str(row.requests),
        f"{row.per_request:.2f} {unit}", f"{row.ideal / row.requests:.2f}", str(row.worst), f"{row.efficiency:.0%}",
    )  # fmt: skip


def trace(lib: Library, call: Callable[[Library], Any], buffers: Mapping[str, Any]) -> Report:
    """Runs call(lib) with every memory access of its kernels watched.

    An access outside the buffers and outside shared memory is a fault, and ends the launch before it happens.

    Args:
        lib: from load(..., "trace").
        buffers: every array whose address the call hands to a kernel, by the name to report it under (numpy arrays or
            CPU tensors). Sectors depend on where an array begins: `memory.guarded` places it as a GPU would.

    Raises:
        ValueError: the library is not a trace build, a buffer is not contiguous, or all together are too large.
    """
    if not hasattr(lib.cdll, "qk_trace_start"):
        raise ValueError(f"lib={lib.path.name}: not a trace build; load it with target='trace'")
    extents = {name: extent(array) for name, array in buffers.items()}
    if (total := sum(size for _, size in extents.values())) > _MOST_BYTES:
        raise ValueError(f"buffers={total} bytes: at most {_MOST_BYTES} can be traced; take a smaller problem")
    lib.faults()
    for name, (address, size) in extents.items():
        lib.cdll.qk_trace_buffer(ctypes.c_void_p(address), ctypes.c_size_t(size), name.encode())
    lib.cdll.qk_trace_start()
    result, faults = None, []
    try:
        result = call(lib)
    except KernelFault as fault:
        faults = fault.faults
    finally:
        text = _collect(lib)
    rows, races = _parse(lib, text)
    return Report(rows, races, faults, result)


def _collect(lib: Library) -> str:
    lib.cdll.qk_trace_report.restype = ctypes.c_size_t
    capacity = 1 << 18
    while True:
        buffer = ctypes.create_string_buffer(capacity)
        needed = lib.cdll.qk_trace_report(buffer, ctypes.c_size_t(capacity))
        if needed < capacity:
            return buffer.value.decode(errors="replace")
        capacity = needed + 1


def _parse(lib: Library, text: str) -> tuple[list[Row], list[Race]]:
    lines = [line.split("\t") for line in text.splitlines()]
    accesses = [line[1:] for line in lines if line[0] == "A"]
    races = [line[1:] for line in lines if line[0] == "R"]
    offsets = [a[0] for a in accesses] + [r[i] for r in races for i in (0, 2)]
    where = source_lines(lib.path, [int(o, 16) for o in offsets])
    place = {o: where.get(int(o, 16), ("", 0)) for o in offsets}
    sums: dict[tuple, list[int]] = {}
    for offset, shared, kind, size, *numbers, name in accesses:
        key = (*place[offset], "shared" if int(shared) else "global", _KINDS[int(kind)], name, int(size))
        *added, worst = map(int, numbers)
        old = sums.setdefault(key, [0, 0, 0, 0, 0])
        sums[key] = [*(a + b for a, b in zip(old[:4], added, strict=True)), max(old[4], worst)]
    rows = [Row(*key, *value) for key, value in sorted(sums.items()) if value[0]]
    found = {}
    for first, kind1, second, kind2, thread1, thread2, differ, offset, name in races:
        sides = sorted([(place[first], _KINDS[int(kind1)]), (place[second], _KINDS[int(kind2)])])
        race = Race(name, sides[0][0][0], (sides[0][0][1], sides[1][0][1]), (sides[0][1], sides[1][1]),
                    (int(thread1), int(thread2)), bool(int(differ)), int(offset))  # fmt: skip
        found.setdefault((race.name, race.lines, race.kinds), race)
    return rows, list(found.values())
