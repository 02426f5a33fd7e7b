"""A library of kernels as Python sees it: ctypes, with every fault that the emulator noted turned into an exception."""

import ctypes
import functools
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .faults import Fault, KernelFault, take_faults


class Library:
    """The functions of a built library: `lib.name(...)` calls, as with ctypes.CDLL.

    In the CPU builds a call raises KernelFault if the kernel did what it may not do. Otherwise it returns the
    launcher's value. On a GPU a call only returns that value, a cudaError_t: most errors come later there.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.cdll = ctypes.CDLL(str(path))
        self.on_cpu = hasattr(self.cdll, "qk_take_faults")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        function = getattr(self.cdll, name)
        return functools.partial(self._watched, function) if self.on_cpu else function

    def _watched(self, function: Callable[..., Any], *arguments: Any) -> Any:
        value = function(*arguments)
        if faults := self.faults():
            raise KernelFault(faults)
        return value

    def faults(self) -> list[Fault]:
        """The faults noted since the last call of a kernel, which are then forgotten."""
        return take_faults(self.cdll, self.path) if self.on_cpu else []

    @contextmanager
    def order(self, kind: str, seed: int = 0):
        """A context in which the threads of every launch run in another order.

        Args:
            kind: "ascending" (the order without a context), "descending", or "shuffled" anew at every barrier.
            seed: of the shuffles.

        Raises:
            ValueError: an unknown kind.
        """
        kinds = ("ascending", "descending", "shuffled")
        if kind not in kinds:
            raise ValueError(f"kind={kind!r}: unknown order; choose {', '.join(kinds)}")
        self.cdll.qk_set_order(kinds.index(kind), ctypes.c_uint(seed))
        try:
            yield self
        finally:
            self.cdll.qk_set_order(0, ctypes.c_uint(0))

    def limit(self, seconds: float | int) -> None:
        """Stops a launch that computes for longer, as a fault; 0 lifts the limit."""
        self.cdll.qk_set_seconds(ctypes.c_double(seconds))
