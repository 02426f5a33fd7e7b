"""The seven tasks: a kernel in a .cu file becomes a Python function of tensors, run under every check of checks.py.

`Exercise` holds a compiled source. `reference(name)` is the project's own kernel for a task, in exercises/NAME.cu.
"""

import ctypes
import functools
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .build import BuildError, load
from .checks import DoesNotCompile, checked
from .on_cpu.cache import cache_folder
from .on_cpu.trace import Report

FOLDER = Path(__file__).parent / "exercises"
TASKS = ("quantized_add", "row_absmax", "quantize_rows", "coalesced_gemm", "tiled_gemm", "dp4a_dot", "unpack_int4")
STUB = "NOT_IMPLEMENTED"
PRELUDE = f"#include <cstdint>\n#include <cuda_runtime.h>\n#define {STUB}\nconstexpr int TILE = 16;\n"
SECONDS = 20.0  # a kernel that computes for longer does not end


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
        self.first_line = 1 + source.startswith("\n")  # a notebook cell's line 1 is its %%writefile
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
        launchers = (FOLDER / "launchers.cu").read_text()
        text = f'{PRELUDE}{has}#line 1 "attempt.cu"\n{self.source}\n#line 1 "launchers.cu"\n{launchers}'
        path = cache_folder() / "attempts" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.cu"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}.tmp")
            beside.write_text(text)
            os.replace(beside, path)
        try:
            lib = load(path, "trace")
        except BuildError as error:
            found = re.search(r"attempt\.cu:(\d+):\d+: error: (.*)", str(error)) or re.search(
                r"()error: (.*)", str(error)
            )
            line, message = found.groups() if found else ("", str(error).splitlines()[0])
            raise DoesNotCompile(f"does not compile: {message}", self.place(int(line) if line else 0)) from None
        lib.limit(SECONDS)
        return lib

    def place(self, line: int) -> str:
        return f"{self.where}, line {line + self.first_line - 1}" if line else self.where

    def _checked(
        self, name: str, arrays: dict, outputs: tuple[str, ...], numbers: tuple, budget: float
    ) -> list[Tensor]:
        """Runs launcher `run_NAME(arrays..., numbers...)` under the checks; the outputs as tensors."""
        function = getattr(self.library, f"run_{name}")
        results, self.report = checked(function, self.library, self.place, arrays, outputs, numbers, budget)
        return results

    def traced(self, name: str, *arguments) -> Report:
        """The tracer's report of one run; arguments and errors as for a call."""
        self(name, *arguments)
        rows = [replace(r, file=self.where, line=r.line + self.first_line - 1) for r in self.report.rows]
        return replace(self.report, rows=rows)


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
