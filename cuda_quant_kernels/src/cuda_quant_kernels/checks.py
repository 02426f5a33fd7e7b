"""Runs a kernel under every check there is, and says in one sentence what is wrong with it.

Each array is placed alone between forbidden pages, the outputs are filled with poison, and the kernel runs on the
emulator under the tracer; then twice more, in other thread orders and with another poison. What is found is raised as
an exception whose first line is a sentence with the kernel's own line: Race, OutOfBounds, DivergentBarrier, Unwritten,
OverBudget.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .on_cpu.faults import KernelFault
from .on_cpu.library import Library
from .on_cpu.memory import guarded, pointer
from .on_cpu.trace import Report, trace

ORDERS = (("descending", 0), ("shuffled", 1))
SMALL = 256  # runs of fewer sectors are not held to a budget: their ragged edges would decide it


class WrongKernel(RuntimeError):
    """Something that a kernel may not do.

    `place` is where: file, or notebook and cell, and line. `facts` are what two kernels share that do the same thing
    wrong, however they are written.
    """

    def __init__(self, sentence: str, place: str = "", facts: tuple = ()):
        super().__init__(f"{place}: {sentence}" if place else sentence)
        self.place, self.facts = place, facts


class DoesNotCompile(WrongKernel):
    """The compiler refused the source."""


class OutOfBounds(WrongKernel):
    """An access outside the arrays."""


class Race(WrongKernel):
    """Two accesses, one of them a write, that no barrier puts in order; or a read before any write."""


class DivergentBarrier(WrongKernel):
    """A barrier that not all threads of the block reach."""


class Unwritten(WrongKernel):
    """An output element that is never written, or differs with the order of the threads."""


class OverBudget(WrongKernel):
    """The right values, from far more memory traffic than they need."""


FAULTS = {"bounds": OutOfBounds, "address": OutOfBounds, "divergent": DivergentBarrier, "uninitialised": Race}


def checked(
    function: Callable,
    lib: Library,
    place: Callable[[int], str],
    arrays: dict,
    outputs: tuple[str, ...],
    numbers: tuple,
    budget: float,
) -> tuple[list[Tensor], Report]:
    """One traced run and two more in other orders: the outputs, and what is wrong as an exception."""
    held = poisoned(arrays, outputs, 0x5A)
    report = trace(lib, lambda _: function(*map(pointer, held.values()), *numbers), held)
    refuse(report, place)
    for order, seed in ORDERS:
        again = poisoned(arrays, outputs, 0xA5)
        in_order(lib, order, seed, lambda again=again: function(*map(pointer, again.values()), *numbers), place)
        compare(held, again, outputs, order)
    if budget >= SMALL and report.total() > budget:
        over_budget(report, held, budget, place)
    return [torch.from_numpy(np.array(held[n])) for n in outputs], report


def over_budget(report: Report, arrays: dict, budget: float, place: Callable[[int], str]) -> None:
    """Raises OverBudget: by requests that waste their sectors, or by too many of them."""
    moved = f"moves {report.total()} sectors of 32 bytes where {budget:.0f} are ample"
    rows = [r for r in report.rows if r.space == "global"]
    if 2 * sum(r.ideal for r in rows) < report.total():
        worst = max(rows, key=lambda r: r.moved - r.ideal)
        rates = f"{worst.per_request:.1f} sectors a request instead of {worst.ideal / worst.requests:.1f}"
        raise OverBudget(f"{moved}: {worst.kind}s of {worst.name} take {rates}", place(worst.line), ("uncoalesced",))
    times = {r: r.lanes * r.size / arrays[r.name].nbytes for r in rows}
    worst = max(rows, key=lambda r: times[r])
    facts = ("repeated", round(times[worst]))
    done = {"load": "loaded", "store": "stored", "atomic": "updated", "async store": "copied"}[worst.kind]
    raise OverBudget(f"{moved}: {worst.name} is {done} {times[worst]:.0f} times over", place(worst.line), facts)


def poisoned(arrays: dict, outputs: tuple[str, ...], poison: int) -> dict:
    """The arrays between forbidden pages, the outputs filled with a byte."""
    return {
        n: guarded(np.full(a.nbytes, poison, np.uint8).view(a.dtype).reshape(a.shape) if n in outputs else a)
        for n, a in arrays.items()
    }


def in_order(lib: Library, order: str, seed: int, call: Callable, place: Callable[[int], str]) -> None:
    try:
        with lib.order(order, seed):
            call()
    except KernelFault as fault:
        refuse(Report([], [], fault.faults), place)


def refuse(report: Report, place: Callable[[int], str]) -> None:
    """Raises the first fault of a run, a divergent barrier before a bad access before a race."""
    rank = {kind: n for n, kind in enumerate(FAULTS)}
    faults = [f for f in report.faults if f.kind != "uninitialised"]
    for fault in sorted(faults, key=lambda f: rank.get(f.kind, len(rank))):
        raise FAULTS.get(fault.kind, WrongKernel)(fault.message, place(fault.line), (fault.block, fault.thread))
    for race in report.races:
        who = "of two blocks" if race.blocks_differ else f"{race.threads[0]} and {race.threads[1]}"
        raise Race(
            f"race on {race.name}: the {race.kinds[0]} here and the {race.kinds[1]} of line "
            f"{place(race.lines[1]).split()[-1]}, by threads {who}, have no barrier between them",
            place(race.lines[0]),
            (*sorted(race.kinds), race.blocks_differ),
        )
    for fault in report.faults:
        raise Race(fault.message, place(fault.line), ("uninitialised",))


def compare(first: dict, second: dict, outputs: tuple[str, ...], order: str) -> None:
    """The same bits in both runs, and none of them the poison of both."""
    for name in outputs:
        a, b = (np.array(held[name]).reshape(-1) for held in (first, second))
        bits = [x.view(np.uint8).reshape(x.size, -1) for x in (a, b)]
        differ = np.flatnonzero((bits[0] != bits[1]).any(1))
        if differ.size and (bits[0][differ[0]] == 0x5A).all() and (bits[1][differ[0]] == 0xA5).all():
            raise Unwritten(f"element {differ[0]} of {name} is never written ({differ.size} of {a.size} are not)")
        if differ.size:
            raise Unwritten(
                f"{name}[{differ[0]}] is {a[differ[0]]} in one order of the threads and {b[differ[0]]} in {order} order"
            )
