"""The seven tasks: a kernel in a .cu file becomes a Python function of tensors, run under every check there is.

A call places each array alone between forbidden pages, fills the outputs with poison, runs the kernel on the emulator
under the tracer, and again in two other thread orders with another poison. What it finds is raised as an exception
whose first line is a sentence with the kernel's own line: Race, OutOfBounds, DivergentBarrier, Unwritten, OverBudget.

`Exercise` holds a compiled source. `reference(name)` is the project's own kernel for a task, in exercises/NAME.cu.
"""

import ctypes
import functools
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .build import BuildError, load
from .on_cpu.cache import cache_folder
from .on_cpu.faults import Fault, KernelFault
from .on_cpu.memory import guarded
from .on_cpu.trace import Report, trace

FOLDER = Path(__file__).parent / "exercises"
TASKS = ("quantized_add", "row_absmax", "quantize_rows", "coalesced_gemm", "tiled_gemm", "dp4a_dot", "unpack_int4")
STUB = "NOT_IMPLEMENTED"
PRELUDE = f"#include <cstdint>\n#include <cuda_runtime.h>\n#define {STUB}\nconstexpr int TILE = 16;\n"
ORDERS = (("descending", 0), ("shuffled", 1))
SMALL = 256        # runs of fewer sectors are not held to a budget: their ragged edges would decide it
SECONDS = 20.0     # a kernel that computes for longer does not end


class WrongKernel(RuntimeError):
    """Something that a kernel may not do. `place` is where: file, or notebook and cell, and line."""

    def __init__(self, sentence: str, place: str = ""):
        super().__init__(f"{place}: {sentence}" if place else sentence)
        self.place = place


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


def definition(source: str, name: str) -> str | None:
    """The text of `__global__ void name(...) {...}` without comments, or None where the source has no such kernel."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.S)
    head = re.search(rf"__global__\s+(?:__launch_bounds__\([^)]*\)\s*)?void\s+{name}\s*\(", plain)
    if not head or (opening := plain.find("{", head.end())) < 0:
        return None
    depth = 0
    for at in range(opening, len(plain)):
        depth += {"{": 1, "}": -1}.get(plain[at], 0)
        if depth == 0:
            return plain[head.start() : at + 1]
    return plain[head.start() :]


class Exercise:
    """A .cu source with some of the tasks' kernels; compiled at the first call, and found again by its content."""

    def __init__(self, source: str, where: str):
        self.first_line = 1 + source.startswith("\n")      # a notebook cell's line 1 is its %%writefile
        self.source, self.where = source.removeprefix("\n"), where
        self.kernels = {name: text for name in TASKS if (text := definition(source, name))}

    def __call__(self, name: str, *arguments) -> Tensor | tuple[Tensor, ...]:
        """Runs one of its kernels under the checks.

        Raises:
            NotImplementedError: the kernel still holds the stub's marker.
            WrongKernel: one of its kinds; ValueError: arguments that the task does not take.
        """
        if STUB in self.kernels.get(name, STUB):
            raise NotImplementedError(f"{name} still holds {STUB}")
        return PLANS[name](functools.partial(self._checked, name), *arguments)

    @functools.cached_property
    def library(self):
        has = "".join(f"#define HAS_{name}\n" for name in self.kernels)
        text = f'{PRELUDE}{has}#line 1 "attempt.cu"\n{self.source}\n#line 1 "launchers.cu"\n{(FOLDER / "launchers.cu").read_text()}'
        path = cache_folder() / "attempts" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.cu"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}.tmp")
            beside.write_text(text)
            os.replace(beside, path)
        try:
            lib = load(path, "trace")
        except BuildError as error:
            found = re.search(r"attempt\.cu:(\d+):\d+: error: (.*)", str(error)) or re.search(r"()error: (.*)", str(error))
            line, message = found.groups() if found else ("", str(error).splitlines()[0])
            raise DoesNotCompile(f"does not compile: {message}", self.place(int(line) if line else 0)) from None
        lib.limit(SECONDS)
        return lib

    def place(self, line: int) -> str:
        return f"{self.where}, line {line + self.first_line - 1}" if line else self.where

    def _checked(self, name: str, arrays: dict, outputs: tuple[str, ...], numbers: tuple, budget: float) -> list[Tensor]:
        """Runs launcher `run_NAME(arrays..., numbers...)` under the checks; the outputs as tensors."""
        function = getattr(self.library, f"run_{name}")
        results, self.report = checked(function, self.library, self.place, arrays, outputs, numbers, budget)
        return results

    def traced(self, name: str, *arguments) -> Report:
        """The tracer's report of one run; arguments and errors as for a call."""
        self(name, *arguments)
        return self.report


def checked(function: Callable, lib, place: Callable[[int], str], arrays: dict, outputs: tuple[str, ...],
            numbers: tuple, budget: float) -> tuple[list[Tensor], Report]:
    """One traced run and two more in other orders: the outputs, and what is wrong as an exception."""
    def run(poison: int, call):
        held = {n: guarded(np.full(a.nbytes, poison, np.uint8).view(a.dtype).reshape(a.shape) if n in outputs else a)
                for n, a in arrays.items()}
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in held.values()]
        return held, call(held, lambda: function(*pointers, *numbers))

    held, report = run(0x5A, lambda held, call: trace(lib, lambda _: call(), held))
    refuse(report, place)
    for order, seed in ORDERS:
        again, _ = run(0xA5, lambda _, call, o=order, s=seed: in_order(lib, o, s, call, place))
        compare(held, again, outputs, order)
    if budget >= SMALL and report.total() > budget:
        worst = max((r for r in report.rows if r.space == "global"), key=lambda r: r.moved - r.ideal)
        raise OverBudget(f"moves {report.total()} sectors of 32 bytes where {budget:.0f} are ample: {worst.kind}s of "
                         f"{worst.name} take {worst.per_request:.1f} sectors a request instead of "
                         f"{worst.ideal / worst.requests:.1f}", place(worst.line))
    return [torch.from_numpy(np.array(held[n])) for n in outputs], report


def in_order(lib, order: str, seed: int, call: Callable, place: Callable[[int], str]) -> None:
    try:
        with lib.order(order, seed):
            call()
    except KernelFault as fault:
        refuse(Report([], [], fault.faults), place)


def refuse(report: Report, place: Callable[[int], str]) -> None:
    """Raises the first fault of a run, a divergent barrier before a bad access before a race."""
    def rank(fault: Fault) -> int:
        return [*FAULTS].index(fault.kind) if fault.kind in FAULTS else len(FAULTS)
    for fault in sorted((f for f in report.faults if f.kind != "uninitialised"), key=rank):
        raise FAULTS.get(fault.kind, WrongKernel)(fault.message, place(fault.line))
    for race in report.races:
        who = "of two blocks" if race.blocks_differ else f"{race.threads[0]} and {race.threads[1]}"
        raise Race(f"race on {race.name}: the {race.kinds[0]} here and the {race.kinds[1]} of line "
                   f"{place(race.lines[1]).split()[-1]}, by threads {who}, have no barrier between them", place(race.lines[0]))
    for fault in report.faults:
        raise Race(fault.message, place(fault.line))


def compare(first: dict, second: dict, outputs: tuple[str, ...], order: str) -> None:
    """The same bits in both runs, and none of them the poison of both."""
    for name in outputs:
        a, b = (np.array(held[name]).reshape(-1) for held in (first, second))
        bits = [x.view(np.uint8).reshape(x.size, -1) for x in (a, b)]
        differ = np.flatnonzero((bits[0] != bits[1]).any(1))
        if differ.size and (bits[0][differ[0]] == 0x5A).all() and (bits[1][differ[0]] == 0xA5).all():
            raise Unwritten(f"element {differ[0]} of {name} is never written ({differ.size} of {a.size} are not)")
        if differ.size:
            raise Unwritten(f"{name}[{differ[0]}] is {a[differ[0]]} in one order of the threads and {b[differ[0]]} in "
                            f"{order} order")


# ---- what each task takes and gives ---------------------------------------------------------------------------------

def _matrix(name: str, x: Tensor, dtype: torch.dtype, dims: int) -> np.ndarray:
    if not isinstance(x, Tensor) or x.dtype != dtype or x.dim() != dims or not x.numel():
        what = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name} is {what}: it must be a non-empty {dtype} tensor of {dims} dimension(s)")
    return x.detach().cpu().contiguous().numpy()


def _same(name: str, got: int, want: int, what: str) -> None:
    if got != want:
        raise ValueError(f"{name} has {got} {what} where {want} are needed")


F = ctypes.c_float


def _quantized_add(run, a, b, scale_a, zero_a, scale_b, zero_b, scale_c, zero_c):
    a, b = _matrix("a", a, torch.int8, 1), _matrix("b", b, torch.int8, 1)
    _same("b", len(b), len(a), "elements")
    numbers = (len(a), F(scale_a), zero_a, F(scale_b), zero_b, F(scale_c), zero_c)
    return run({"a": a, "b": b, "c": np.empty_like(a)}, ("c",), numbers, 1.5 * 3 * len(a) / 32)[0]


def _row_absmax(run, x):
    x = _matrix("x", x, torch.float32, 2)
    out = np.empty(len(x), np.float32)
    return run({"x": x, "absmax": out}, ("absmax",), x.shape, 2 * x.nbytes / 32)[0]


def _quantize_rows(run, x, absmax):
    x, absmax = _matrix("x", x, torch.float32, 2), _matrix("absmax", absmax, torch.float32, 1)
    _same("absmax", len(absmax), len(x), "elements")
    arrays = {"x": x, "absmax": absmax, "q": np.empty(x.shape, np.int8), "scale": np.empty_like(absmax)}
    return tuple(run(arrays, ("q", "scale"), x.shape, 2 * x.nbytes * 1.25 / 32))


def _product(run, a, b, budget):
    a, b = _matrix("a", a, torch.int8, 2), _matrix("b", b, torch.int8, 2)
    _same("b", len(b), a.shape[1], "rows")
    (m, k), n = a.shape, b.shape[1]
    return run({"a": a, "b": b, "c": np.empty((m, n), np.int32)}, ("c",), (m, n, k), budget(m, n, k))[0]


def _coalesced_gemm(run, a, b):
    return _product(run, a, b, lambda m, n, k: 2 * (m * n / 32 * 2 * k + m * n / 8))


def _tiled_gemm(run, a, b):
    tiles = lambda m, n, k: -(-m // 16) * -(-n // 16) * -(-k // 16)  # noqa: E731
    return _product(run, a, b, lambda m, n, k: 2 * (tiles(m, n, k) * 2 * 16 + m * n / 8))


def _dp4a_dot(run, a, b):
    a, b = _matrix("a", a, torch.int8, 2), _matrix("b", b, torch.int8, 2)
    _same("b", b.size, a.size, "elements")
    if a.shape[1] % 4:
        raise ValueError(f"a has {a.shape[1]} columns: a word holds four, so they must be a multiple of 4")
    arrays = {"a": a.view(np.int32), "b": b.view(np.int32), "dots": np.empty(len(a), np.int32)}
    return run(arrays, ("dots",), (len(a), a.shape[1] // 4), 1.5 * (2 * a.size / 32 + 2 * len(a)))[0]


def _unpack_int4(run, packed, n):
    packed = _matrix("packed", packed, torch.uint8, 1)
    _same("packed", len(packed), (n + 1) // 2, "bytes")
    return run({"packed": packed, "out": np.empty(n, np.int8)}, ("out",), (n,), 3 * n * 1.5 / 32)[0]


PLANS = {name: globals()[f"_{name}"] for name in TASKS}


@functools.cache
def reference(name: str) -> Exercise:
    return Exercise((FOLDER / f"{name}.cu").read_text(), f"{name}.cu")
