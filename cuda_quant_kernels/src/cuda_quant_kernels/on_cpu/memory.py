"""Arrays placed as a GPU would place them, between pages that nobody may touch."""

import ctypes
import mmap
import sys
from typing import Any

import numpy as np

_PAGE = mmap.PAGESIZE
_MARK = 0xD6  # what the bytes between an array's end and its last page are filled with
ALIGNMENT = 256  # cudaMalloc's


class _Pages(mmap.mmap):
    """An anonymous mapping whose first and last page are out of bounds."""

    def __new__(cls, size: int):
        self = super().__new__(cls, -1, size)
        if sys.platform != "win32":
            libc = ctypes.CDLL(None, use_errno=True)
            start = np.frombuffer(self, np.uint8).ctypes.data
            for page in (start, start + size - _PAGE):
                if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(_PAGE), 0):
                    raise OSError(ctypes.get_errno(), "mprotect failed")
        return self


class Guarded(np.ndarray):
    """An array from `guarded`; `check()` says whether a kernel wrote just outside it."""

    _surroundings: np.ndarray | None = None

    def check(self) -> None:
        """Looks at the bytes around the array, up to the forbidden pages.

        Raises:
            ValueError: one of them has been written, or this is only a view or a copy.
        """
        if self._surroundings is None:
            raise ValueError("array=a view or a copy: only a guarded array itself can be checked; keep the original")
        before = self.ctypes.data - self._surroundings.ctypes.data
        for start, part in ((0, self._surroundings[:before]), (before, self._surroundings[before + self.nbytes :])):
            wrong = np.flatnonzero(part != _MARK)
            if wrong.size:
                where = f"{wrong[0]} bytes past its end" if start else f"{before - wrong[-1]} bytes before its start"
                raise ValueError(f"a byte {where} has been overwritten (the array has {self.nbytes} bytes)")


def guarded(array: Any, alignment: int = ALIGNMENT) -> Guarded:
    """A copy of the array, placed before a page that may be neither read nor written.

    It begins at a multiple of `alignment` bytes and ends as near to the page as that allows; with alignment=1 exactly
    there. A step into the page is a fault at the kernel's line, in every CPU build, and never damages Python's memory.
    `check()` finds writes between the array's end and the page.

    Raises:
        ValueError: the alignment is not a power of two up to a page.
    """
    source = np.ascontiguousarray(array)
    if alignment < 1 or alignment & (alignment - 1) or alignment > _PAGE:
        raise ValueError(f"alignment={alignment}: must be a power of two up to {_PAGE}; choose one")
    inner = -(-max(source.nbytes, 1) // _PAGE) * _PAGE
    pages = np.frombuffer(_Pages(inner + 2 * _PAGE), np.uint8)[_PAGE : _PAGE + inner]
    pages[:] = _MARK
    start = (inner - source.nbytes) // alignment * alignment
    result = pages[start : start + source.nbytes].view(source.dtype).reshape(np.shape(array)).view(Guarded)
    result[...] = source
    result._surroundings = pages
    return result


def pointer(array: Any) -> ctypes.c_void_p:
    """The address of the first element of a numpy array or torch tensor, for a launcher's argument.

    The array lives as long as its pointer, so a temporary may be passed: lib.run(pointer(x // 16)).
    """
    address = ctypes.c_void_p(array.data_ptr() if hasattr(array, "data_ptr") else array.ctypes.data)
    address.array = array
    return address


def extent(array: Any) -> tuple[int, int]:
    """Address and size in bytes.

    Raises:
        ValueError: the array is not contiguous.
    """
    contiguous = array.is_contiguous() if hasattr(array, "is_contiguous") else array.flags.c_contiguous
    if not contiguous:
        raise ValueError("array=not contiguous: a kernel sees one block of memory; pass a contiguous copy")
    return pointer(array).value or 0, int(array.nbytes)
