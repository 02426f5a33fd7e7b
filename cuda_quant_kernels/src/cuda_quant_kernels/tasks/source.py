"""From the text of a .cu file to functions of tensors: each call compiles, runs and checks one of its kernels."""

import functools
import re
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..build import BuildError, load
from ..on_cpu.brackets import blank, line_of
from ..on_cpu.cache import cached, key
from ..on_cpu.library import Library
from ..on_cpu.trace import Report
from .calls import CALLS
from .checks import DoesNotCompile, WrongKernel, checked

FOLDER = Path(__file__).parent
TASKS = tuple(CALLS)
STUB = "NOT_IMPLEMENTED"
HEADERS = "".join(f"#include <{name}>\n" for name in ("cfloat", "climits", "cmath", "cstdint", "cuda_runtime.h"))
PRELUDE = f"{HEADERS}#define {STUB}\nconstexpr int TILE = 16;\n"
SECONDS = 3.0  # a kernel that computes for longer is stopped; the tasks' kernels take milliseconds


def definition(source: str, name: str) -> str | None:
    """The text of `__global__ void name(...) {...}` without comments, or None where the source has no such kernel."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.S)
    found = _span(plain, name)
    return plain[slice(*found)] if found else None


def _span(plain: str, name: str) -> tuple[int, int] | None:
    """Where a kernel's definition begins and ends in a text without comments."""
    head = re.search(rf"__global__\s+(?:__launch_bounds__\([^)]*\)\s*)?void\s+{name}\s*\(", plain)
    opening = plain.find("{", head.end()) if head else -1
    if opening < 0:
        return None
    depth = 0
    for at in range(opening, len(plain)):
        depth += {"{": 1, "}": -1}.get(plain[at], 0)
        if depth == 0:
            return head.start(), at + 1
    return head.start(), len(plain)


def _without_kernel_at(source: str, line: int, tasks: list[str]) -> str:
    """The source without the task's kernel that a line is in; every other line stays where it was."""
    plain = blank(source)
    for start, end in filter(None, (_span(plain, task) for task in tasks)):
        if line_of(source, start) <= line <= line_of(source, end):
            return source[:start] + "\n" * source.count("\n", start, end) + source[end:]
    return source


def parameters(kernel: str) -> list[tuple[str, str]]:
    """(kind, name) of each parameter of a kernel's text: a pointer, a float or an integer."""
    inside = kernel[kernel.index("(", kernel.index("void")) + 1 : kernel.index("{")].rsplit(")", 1)[0]
    found = []
    for parameter in inside.split(","):
        kind = "pointer" if "*" in parameter else "float" if re.search(r"\b(float|double)\b", parameter) else "integer"
        found.append((kind, re.split(r"[\s*]+", parameter.strip())[-1]))
    return found


@functools.cache
def _expected(task: str) -> list[tuple[str, str]]:
    return parameters(definition((FOLDER / f"{task}.cu").read_text(), task))


class CudaSource:
    """CUDA C++ source with the kernels of one or more tasks.

    `source.run("row_absmax", x)` gives the kernel's outputs, `source.trace("row_absmax", x)` the tracer's report. It is
    compiled at the first call, and the build is kept in the cache.

    Args:
        text: the source. HEADERS and TILE = 16 are there already.
        name: what messages call it, such as "my_kernels.cu" or "starter.ipynb, code cell 3".
    """

    def __init__(self, text: str, name: str):
        self.first_line = 1 + text.startswith("\n")  # line 1 of a notebook cell is its %%writefile
        self.text, self.name = text.removeprefix("\n"), name
        self.kernels = {task: kernel for task in TASKS if (kernel := definition(self.text, task))}

    @classmethod
    def read(cls, path: Path | str) -> "CudaSource":
        """The source in a file."""
        return cls(Path(path).read_text(encoding="utf-8"), Path(path).name)

    def run(self, task: str, *arguments) -> Tensor | tuple[Tensor, ...]:
        """The outputs of a task's kernel. Every check of checks.py is on.

        Raises:
            NotImplementedError: the kernel is still a stub.
            ValueError: the source has no kernel of that name, or the task does not take these arguments.
            WrongKernel: the kernel does not compile, or does what it may not do.
        """
        return self._checked(task, arguments)[0]

    def trace(self, task: str, *arguments) -> Report:
        """The tracer's report of one run, with lines of this source; arguments and errors as for `run`."""
        report = self._checked(task, arguments)[1]
        rows = [replace(r, file=self.name, line=r.line + self.first_line - 1) for r in report.rows]
        return replace(report, rows=rows)

    def _checked(self, task: str, arguments: tuple) -> tuple[Tensor | tuple[Tensor, ...], Report]:
        if task not in self.kernels:
            known = ", ".join(self.kernels) or "no task"
            raise ValueError(f"task={task!r}: {self.name} has no such kernel; it defines {known}")
        if STUB in self.kernels[task]:
            raise NotImplementedError(f"{task} still holds {STUB}")
        mine, ours = parameters(self.kernels[task]), _expected(task)
        if [kind for kind, _ in mine] != [kind for kind, _ in ours]:
            order = ", ".join(name for _, name in ours)
            raise WrongKernel(f"has other parameters than the workbook's, which are in this order: {order}", self.name)
        call = CALLS[task](*arguments)
        lib = self.library(task)
        outputs, report = checked(getattr(lib, f"run_{task}"), lib, self.place, call)
        return outputs[0] if len(outputs) == 1 else tuple(outputs), report

    def library(self, task: str) -> Library:
        """The trace build with a task's kernel and its launcher. Raises DoesNotCompile with the learner's line."""
        found = self._libraries[task]
        if isinstance(found, DoesNotCompile):
            raise found
        return found

    @functools.cached_property
    def _libraries(self) -> dict[str, Library | DoesNotCompile]:
        """One build of all kernels. A kernel that does not compile is left out, and the others are built again."""
        text, found = self.text, dict.fromkeys(self.kernels)
        while left := [task for task in found if found[task] is None]:
            try:
                return found | dict.fromkeys(left, self._build(text, left))
            except BuildError as error:
                refusal, line = self._compiler_error(str(error))
            text = _without_kernel_at(text, line, left)
            if gone := [task for task in left if not definition(text, task)]:
                found |= dict.fromkeys(gone, refusal)
                continue
            sentence = f"{refusal}; the line is in no task's kernel, and none is graded without it"
            return found | dict.fromkeys(left, DoesNotCompile(sentence, refusal.place))
        return found

    def _build(self, text: str, tasks: list[str]) -> Library:
        defines = "".join(f"#define HAS_{task}\n" for task in tasks)
        launchers = (FOLDER / "launchers.cu").read_text()
        text = f'{PRELUDE}{defines}#line 1 "attempt.cu"\n{text}\n#line 1 "launchers.cu"\n{launchers}'
        path = cached(f"attempt-{key(text)}.cu", lambda out: out.write_text(text) and None)
        lib = load(path, "trace")
        lib.limit(SECONDS)
        return lib

    def _compiler_error(self, log: str) -> tuple[DoesNotCompile, int]:
        """(the first error, its line in the text or 0)."""
        if found := re.search(r"attempt\.cu:(\d+):\d+: error: (.*)", log):
            return DoesNotCompile(f"does not compile: {found[2]}", self.place(int(found[1]))), int(found[1])
        found = re.search(r"error: (.*)", log)
        return DoesNotCompile(f"does not compile: {found[1] if found else log.splitlines()[0]}", self.place(0)), 0

    def place(self, line: int) -> str:
        """Name and line of the source, for messages; line 0 is unknown."""
        return f"{self.name}, line {line + self.first_line - 1}" if line else self.name


@functools.cache
def reference_kernel(task: str) -> functools.partial:
    """The project's own kernel for a task, as a function of tensors."""
    return functools.partial(CudaSource.read(FOLDER / f"{task}.cu").run, task)
