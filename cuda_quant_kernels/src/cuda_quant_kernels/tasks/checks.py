"""Runs a kernel under every check, and says in one sentence what is wrong with it.

Each array lies alone between forbidden pages, and the outputs are filled with poison. The kernel runs on the emulator
under the tracer; then twice more, in other thread orders and with another poison. What is wrong becomes an exception
whose first line is a sentence with the kernel's own line.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..on_cpu.faults import KernelFault
from ..on_cpu.library import Library
from ..on_cpu.memory import guarded, pointer
from ..on_cpu.trace import Report, Row, trace
from .calls import Call

ORDERS = (("descending", 0), ("shuffled", 1))
POISON, OTHER_POISON = 0x5A, 0xA5
SMALL = 150  # sectors: below that, ragged edges would decide whether a run keeps its budget
Place = Callable[[int], str]  # from a line of the source to its name in a message


class WrongKernel(RuntimeError):
    """Something that a kernel may not do.

    `place` is where: file, or notebook and cell, and line. A traceback shows it under the sentence. `facts` are what
    two kernels share that do the same thing wrong, however they are written.
    """

    def __init__(self, sentence: str, place: str = "", facts: tuple = ()):
        super().__init__(sentence)
        self.place, self.facts = place, facts
        if place:
            self.add_note(place)


class DoesNotCompile(WrongKernel):
    """The compiler refused the source."""


class OutOfBounds(WrongKernel):
    """An access outside the arrays."""


class Race(WrongKernel):
    """Two accesses, one of them a write, that no barrier puts in order; or a read before any write."""


class DivergentBarrier(WrongKernel):
    """A barrier that not all threads of the block reach."""


class Unwritten(WrongKernel):
    """An output element that is never written, or depends on the order of the threads."""


class OverBudget(WrongKernel):
    """The right values, with far more memory traffic than they need."""


# In the order in which they are reported.
FAULTS = {"divergent": DivergentBarrier, "bounds": OutOfBounds, "address": OutOfBounds}


def checked(function: Callable, lib: Library, place: Place, call: Call) -> tuple[list[Tensor], Report]:
    """The outputs of a traced run, and its report. Two more runs in other thread orders must give the same.

    Raises:
        WrongKernel: what is wrong, as one of its kinds.
    """
    buffers = poisoned(call, POISON)
    report = trace(lib, lambda _: function(*map(pointer, buffers.values()), *call.numbers), buffers)
    raise_first_fault(report, place)
    for order, seed in ORDERS:
        again = poisoned(call, OTHER_POISON)
        run_in_order(
            lib, order, seed, lambda again=again: function(*map(pointer, again.values()), *call.numbers), place
        )
        try:
            for name in call.outputs:
                compare(name, buffers[name], again[name], order)
        except Unwritten:
            raise_if_unset(function, lib, call, buffers, report, place)
            raise
    if call.budget >= SMALL and report.total() > call.budget:
        raise over_budget(report, call, place)
    return [torch.from_numpy(np.array(buffers[name])) for name in call.outputs], report


def poisoned(call: Call, poison: int) -> dict:
    """The arrays between forbidden pages, the outputs filled with one byte."""
    return {n: guarded(filled(x, poison) if n in call.outputs else x) for n, x in call.arrays.items()}


def filled(array: np.ndarray, byte: int) -> np.ndarray:
    """An array of the same shape and dtype, each of whose bytes is `byte`."""
    return np.full(array.nbytes, byte, np.uint8).view(array.dtype).reshape(array.shape)


def run_in_order(lib: Library, order: str, seed: int, run: Callable, place: Place) -> None:
    """Runs the kernel in another thread order, without the tracer. Raises WrongKernel."""
    try:
        with lib.order(order, seed):
            run()
    except KernelFault as fault:
        raise_first_fault(Report([], [], fault.faults), place)


def raise_first_fault(report: Report, place: Place) -> None:
    """Raises a divergent barrier before a bad access, a bad access before a race."""
    rank = {kind: n for n, kind in enumerate(FAULTS)}
    others = [fault for fault in report.faults if fault.kind != "uninitialised"]
    for fault in sorted(others, key=lambda fault: rank.get(fault.kind, len(rank))):
        raise FAULTS.get(fault.kind, WrongKernel)(fault.message, place(fault.line), (fault.block, fault.thread))
    for race in report.races:
        threads = "of two blocks" if race.blocks_differ else f"{race.threads[0]} and {race.threads[1]}"
        second = place(race.lines[1]).split()[-1]
        known = {race.name} & {row.name for row in report.rows if row.space == "global"}  # shared ones are the author's
        raise Race(
            f"race on {race.name}: the {race.kinds[0]} here and the {race.kinds[1]} of line {second}, "
            f"by threads {threads}, have no barrier between them",
            place(race.lines[0]),
            (*sorted(race.kinds), race.blocks_differ, *known),
        )
    for fault in report.faults:
        raise Race(fault.message, place(fault.line), ("uninitialised",))


def compare(name: str, first: np.ndarray, second: np.ndarray, order: str) -> None:
    """Two runs must give the same bits. Where both hold their poison, nothing was written. Raises Unwritten."""
    a, b = np.array(first).reshape(-1), np.array(second).reshape(-1)
    bytes_a, bytes_b = (x.view(np.uint8).reshape(x.size, -1) for x in (a, b))
    differ = np.flatnonzero((bytes_a != bytes_b).any(1))
    if not differ.size:
        return
    at = differ[0]
    if (bytes_a[at] == POISON).all() and (bytes_b[at] == OTHER_POISON).all():
        sentence = f"element {at} of {name} is never written ({differ.size} of {a.size} are not)"
        raise Unwritten(sentence, facts=(name, int(at), differ.size))
    raise Unwritten(f"{name}[{at}] is {a[at]} in one order of the threads and {b[at]} in {order} order")


def raise_if_unset(function: Callable, lib: Library, call: Call, first: dict, report: Report, place: Place) -> None:
    """Raises Unwritten if an output that the kernel also reads depends on what was in it before."""
    again = poisoned(call, OTHER_POISON)
    run_in_order(lib, "ascending", 0, lambda: function(*map(pointer, again.values()), *call.numbers), place)
    for name in call.outputs:
        reads = [row for row in report.rows if row.name == name and row.kind in ("load", "atomic")]
        if reads and not np.array_equal(np.array(first[name]).view(np.uint8), np.array(again[name]).view(np.uint8)):
            raise Unwritten(
                f"{name} is read or updated here before anything sets it: an output holds any bits at first",
                place(reads[0].line),
                ("unset",),
            )


def over_budget(report: Report, call: Call, place: Place) -> OverBudget:
    """Which access moves too much: by requests that waste their sectors, or by too many requests."""
    total = f"moves {report.total()} sectors of 32 bytes, where {call.budget:.0f} are ample"
    rows = [row for row in report.rows if row.space == "global"]
    if 2 * sum(row.ideal for row in rows) < report.total():
        worst = max(rows, key=lambda row: row.moved - row.ideal)
        rate = f"{worst.per_request:.1f} sectors a request instead of {worst.ideal / worst.requests:.1f}"
        return OverBudget(f"{total}: {worst.kind}s of {worst.name} take {rate}", place(worst.line), ("uncoalesced",))
    worst = max(rows, key=lambda row: row.moved)
    verb = {"load": "loaded", "store": "stored", "atomic": "updated", "async store": "copied"}[worst.kind]
    times = _times(worst, call)
    if times < 1.5:
        lanes = round(worst.lanes / worst.requests)
        sentence = f"{total}: {worst.name} is {verb} by {lanes} of a warp's 32 lanes at a time"
        return OverBudget(sentence, place(worst.line), ("few lanes", lanes))
    sentence = f"{total}: {worst.name} is {verb} {times:.0f} times over"
    return OverBudget(sentence, place(worst.line), ("repeated", round(times)))


def _times(row: Row, call: Call) -> float:
    """How often a line reads or writes the whole array."""
    return row.lanes * row.size / call.arrays[row.name].nbytes
