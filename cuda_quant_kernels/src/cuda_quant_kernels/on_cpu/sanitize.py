"""Runs kernels under the address sanitizer, in a process of its own, and returns what it found.

The tracer knows the arrays that it is given. The sanitizer knows every object of the process, local arrays included,
and continues after a fault. It must be the first library that a process loads, hence the subprocess.
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .faults import Fault, faults_of

_CHILD = Path(__file__).with_name("sanitized_child.py")


@dataclass(frozen=True)
class Call:
    """One call of an exported launcher: its name and arguments.

    An argument is a numpy array or CPU tensor (handed over as the address of a copy of exactly its size), an int
    (C int), a float (C float), a ctypes number of another type, or None (a null pointer, such as the default stream).
    """

    function: str
    arguments: tuple[Any, ...]


def sanitize(library: Path, calls: Call | Sequence[Call], *, seconds: float | int = 60) -> list[Fault]:
    """The faults of the calls, made one after the other; [] if there are none.

    Args:
        library: from build(..., "asan").
        seconds: how long the subprocess may run.

    Raises:
        ValueError: an argument of a type that cannot be handed over.
        RuntimeError: the subprocess ended without a report, or took longer than `seconds`.
    """
    calls = [calls] if isinstance(calls, Call) else list(calls)
    with tempfile.TemporaryDirectory(prefix="sanitize-") as name:
        folder = Path(name)
        order = {"library": str(library), "calls": [_describe(c, folder, i) for i, c in enumerate(calls)]}
        (folder / "order.json").write_text(json.dumps(order))
        done = _run(folder, seconds)
        found = [f for log in sorted(folder.glob("log.*")) for f in _parse(log.read_text(errors="replace"))]
        answer = folder / "answer.txt"
        if answer.exists():
            found += faults_of(answer.read_text(), Path(library))
        if not answer.exists() and not found:
            said = done.stderr[-2000:]
            raise RuntimeError(f"the sanitized process ended with {done.returncode} and no report:\n{said}")
    return list(dict.fromkeys(found))


def _describe(call: Call, folder: Path, number: int) -> dict:
    arguments = []
    for i, value in enumerate(call.arguments):
        if value is None:
            arguments.append({"type": "c_void_p", "value": None})
        elif isinstance(value, bool | int | float):
            arguments.append({"type": "c_float" if isinstance(value, float) else "c_int", "value": value})
        elif isinstance(value, ctypes._SimpleCData):
            arguments.append({"type": type(value).__name__, "value": value.value})
        elif hasattr(value, "__array__") or hasattr(value, "data_ptr"):
            file = folder / f"{number}-{i}.bin"
            file.write_bytes(_bytes(value))
            arguments.append({"file": str(file)})
        else:
            kind = type(value).__name__
            raise ValueError(f"{call.function}, argument {i}={kind}: no C type for it; see Call for what can be passed")
    return {"function": call.function, "arguments": arguments}


def _bytes(array: Any) -> bytes:
    if hasattr(array, "data_ptr"):  # through its address: numpy has no bfloat16 and no float8
        array = array.contiguous()
        return ctypes.string_at(array.data_ptr(), array.nbytes)
    return np.ascontiguousarray(array).tobytes()


def _run(folder: Path, seconds: float | int) -> subprocess.CompletedProcess:
    environment = os.environ | {
        "LD_PRELOAD": ":".join(_preloaded()),
        "ASAN_OPTIONS": f"detect_leaks=0:halt_on_error=0:log_path={folder}/log:use_sigaltstack=0",
    }
    command = [sys.executable, "-I", "-S", str(_CHILD), str(folder)]
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"the sanitized process still ran after {seconds} s: does a kernel's loop end?") from None


def _preloaded() -> list[str]:
    compiler = os.environ.get("CXX", "g++")
    paths = []
    for name in ("libasan.so", "libstdc++.so"):  # the second, or the sanitizer misses that exceptions exist
        found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        if not Path(found).is_file():
            raise RuntimeError(f"{compiler} has no {name}: install its sanitizer runtime (Debian: libasan)")
        paths.append(str(Path(found).resolve()))
    return paths


_ERROR = re.compile(r"ERROR: AddressSanitizer: (?P<kind>[\w-]+)(?P<rest>.*?)(?=^==\d+==ERROR|\Z)", re.DOTALL | re.M)
_FRAME = re.compile(r"^\s+#\d+ 0x\w+ in .*? (/[^\s:]+\.cuh?):(\d+)", re.MULTILINE)


def _parse(log: str) -> list[Fault]:
    faults = []
    for error in _ERROR.finditer(log):
        text = error["rest"]
        frame = _FRAME.search(text)
        access = re.search(r"(READ|WRITE) of size (\d+)", text)
        region = re.search(r"is located (.*?) (?:region|in stack)", text)
        message = f"{access[1].lower()}s {access[2]} bytes" if access else error["kind"]
        if error["kind"] == "use-after-poison":  # the emulator's gaps around shared variables
            message += " of shared memory outside its variables"
        elif region:
            message += f", {region[1]} region"
        faults.append(Fault(error["kind"], frame[1] if frame else "", int(frame[2]) if frame else 0, message))
    return faults
