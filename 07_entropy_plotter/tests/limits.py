"""A call that does not end gets a verdict. The same bytes in every project.

`limited` runs a function and interrupts it after so many seconds. A thread watches; when the time is over it raises
`TooLong` in the thread that is watched. That works on every platform and in a notebook, without signals.
A single call into C that never returns cannot be interrupted. `bounded_memory` is for what may ask for all there is.
"""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CPU_SECONDS = 8.0  # of this process: a busy machine does not shorten it
WALL_SECONDS = 60.0  # for a loop that sleeps: it uses hardly any CPU, unlike a call that waits for a busy machine


MORE_MEMORY = 2**31  # bytes that a tried version may take


@contextmanager
def bounded_memory(more: int = MORE_MEMORY) -> Iterator[None]:
    """Whoever asks for so many bytes more gets a MemoryError. Without effect where the system cannot do that."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):  # Windows; macOS
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = [used + more, *(limit for limit in before if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(most), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class TooLong(BaseException):
    """The call did not end. No `except Exception` of an attempt swallows it."""

    def __init__(self, seconds: float = CPU_SECONDS, where: str = ""):
        super().__init__(f"does not end: still running after {seconds:.0f} s{where}")
        self.where = where


def place(code: Any, line: int) -> str:
    """A line in words: " (starter.ipynb, code cell 3, line 7)", or " (line 7 of attend)" in a live notebook."""
    if os.sep in code.co_filename or code.co_filename.startswith("<"):
        return f" (line {line - code.co_firstlineno + 1} of {code.co_name})"
    return f" ({code.co_filename}, line {line})"


def is_attempt(code: Any, names: dict) -> bool:
    """Is this code the learner's: loaded from a file, or live in a notebook?"""
    live = names.get("__name__") == "__main__" and "pytest" not in code.co_filename
    return names.get("__name__") == "attempt" or live


def place_of_frame(frame: Any) -> str:
    """The innermost line of the attempt that a frame is in, or ""."""
    while frame is not None:
        if is_attempt(frame.f_code, frame.f_globals):
            return place(frame.f_code, frame.f_lineno)
        frame = frame.f_back
    return ""


def limited(function: Callable[[], Any], cpu: float = CPU_SECONDS, wall: float = WALL_SECONDS) -> Any:
    """The function's value. Raises TooLong, with the attempt's line, when it takes longer than `cpu` or `wall`."""
    me, done, fired = threading.get_ident(), threading.Event(), []

    def watch():
        cpu_start, wall_start = time.process_time(), time.monotonic()
        while not done.wait(min(0.05, cpu / 4)):
            used, passed = time.process_time() - cpu_start, time.monotonic() - wall_start
            sleeps = passed > wall and (used < passed / 100 or passed > 10 * wall)
            if (used > cpu and passed > cpu / 2 or sleeps) and not fired:
                fired.append((wall if sleeps else cpu, place_of_frame(sys._current_frames().get(me))))
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(me), ctypes.py_object(TooLong))
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        try:
            return function()
        finally:
            done.set()
            watcher.join()  # an exception that is under way arrives here, and not in somebody else's code
    except TooLong:
        raise TooLong(*(fired[0] if fired else ())) from None
