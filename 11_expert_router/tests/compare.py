"""Comparing an attempt's output with the right one. The same bytes in every project.

Outputs are tensors, arrays, numbers, strings, None, lists, tuples and dictionaries of them, and exceptions.
A dtype and a kind of container belong to the output: float64 where float32 is promised is a difference.
"""

import numbers
import sys
from typing import Any, NamedTuple

import numpy as np


class Raised(NamedTuple):
    """An exception that a probe raised. It is compared by type (a subclass of the right type is right) and `facts`."""

    kind: str
    message: str
    facts: tuple = ()
    kinds: tuple = ()  # the names of the exception's class and of all its bases
    where: str = ""  # the attempt's line, e.g. " (starter.ipynb, code cell 3, line 7)"


def is_array(x: Any) -> bool:
    torch = sys.modules.get("torch")  # a project without tensors need not install it
    return isinstance(x, np.ndarray) or torch is not None and isinstance(x, torch.Tensor)


def is_number(x: Any) -> bool:
    return isinstance(x, (numbers.Number, np.generic)) and not isinstance(x, (bool, np.bool_))


def array(x: Any) -> np.ndarray:
    """A tensor, an array or a number as a NumPy array; float tensors become float64."""
    if is_array(x) and not isinstance(x, np.ndarray):
        x = x.detach().cpu()
        x = x.double().numpy() if x.is_floating_point() else x.numpy()
    return np.asarray(x)


def is_exact(x: np.ndarray) -> bool:
    """Are these integers or booleans, which are equal or not?"""
    return x.dtype.kind in "biu"


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal up to the rounding of another order of operations: 1e-4 relative, 1e-6 of the largest value absolute."""
    if a.shape != b.shape:
        return False
    if is_exact(a) and is_exact(b):
        return np.array_equal(a, b)
    if a.dtype.kind == b.dtype.kind == "f" and np.isfinite(b).all():  # as below, and faster
        a, b = a.astype(float, copy=False), b.astype(float, copy=False)
        with np.errstate(all="ignore"):
            size = np.abs(b)
            return bool((np.abs(a - b) <= 1e-4 * size + 1e-6 * max(1.0, size.max(initial=0))).all())
    try:
        scale = float(np.max(np.abs(b), initial=1.0, where=np.isfinite(b)))
        return np.allclose(a, b, rtol=1e-4, atol=1e-6 * scale, equal_nan=True)
    except (TypeError, ValueError):  # arrays of objects or strings
        return np.array_equal(a, b)


def dtype_of(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")


def same(got: Any, want: Any) -> bool:
    """Is `got` the right output `want`? A list is as good as a tuple, NumPy's numbers as good as Python's."""
    if is_array(got) or is_array(want):
        alike = is_array(got) and is_array(want) and isinstance(got, np.ndarray) == isinstance(want, np.ndarray)
        return alike and dtype_of(got) == dtype_of(want) and close(array(got), array(want))
    if is_number(got) and is_number(want):
        if isinstance(want, numbers.Integral):
            return isinstance(got, numbers.Integral) and int(got) == int(want)
        return close(array(got), array(want))
    if isinstance(got, Raised) or isinstance(want, Raised):
        if type(got) is not type(want):
            return False
        return (want.kind == got.kind or want.kind in got.kinds) and got.facts == want.facts
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        kinds = {*map(type, got), *map(type, want)}
        if len(kinds) == 1 and kinds <= {int, str, bytes}:  # many ids: compared at once
            return [*got] == [*want]
        return len(got) == len(want) and all(map(same, got, want))
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(same(got[k], want[k]) for k in want)
    return plain(got) is plain(want) and bool(got == want)


def plain(x: Any) -> type:
    return bool if isinstance(x, np.bool_) else type(x)


def exactly(got: Any, want: Any, why: str = "the result") -> None:
    """Assert the same type and value, so that an object that claims to equal everything does not pass."""
    assert type(got) is type(want), f"{why}: {type(got).__name__} where {type(want).__name__} is expected"
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want), f"{why}: {len(got)} items where {len(want)} are expected"
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            exactly(g, w, f"{why}[{i}]")
    elif isinstance(want, dict):
        exactly(sorted(got, key=repr), sorted(want, key=repr), f"the keys of {why}")
        for key in want:
            exactly(got[key], want[key], f"{why}[{key!r}]")
    else:
        assert got == want, f"{why}: {got!r} where {want!r} is expected"


def first_difference(got: Any, want: Any, at: str = "") -> tuple[str, Any, Any]:
    """(place, got, want) of the first part in which two outputs differ; keys of dictionaries are the place's words."""
    if isinstance(want, dict) and isinstance(got, dict) and got.keys() == want.keys():
        for key in want:
            if not same(got[key], want[key]):
                return first_difference(got[key], want[key], f"{at}, {key}" if at else str(key))
    alike = isinstance(want, (list, tuple)) and isinstance(got, (list, tuple)) and len(got) == len(want)
    alike = alike and not isinstance(got, Raised) and not isinstance(want, Raised)  # an exception is one thing
    if alike and not all(map(is_number, [*got, *want])):
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            if not same(g, w):
                return first_difference(g, w, f"{at}, {ordinal(i)} item" if at else f"the {ordinal(i)} item")
    return at, got, want


def ordinal(i: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    if i < len(words):
        return words[i]
    last = {1: "st", 2: "nd", 3: "rd"}.get((i + 1) % 10, "th") if (i + 1) % 100 not in (11, 12, 13) else "th"
    return f"{i + 1}{last}"


def parts(x: Any) -> list:
    """The arrays, numbers and other values that an output is made of, in order."""
    if isinstance(x, dict):
        return [p for key in x for p in parts(x[key])]
    if isinstance(x, (list, tuple)):
        return [p for item in x for p in parts(item)]
    return [x]


def is_telling(x: Any) -> bool:
    """Does this output hold enough numbers that two different mistakes do not give it by chance?"""
    return sum(array(p).size if is_array(p) else is_number(p) for p in parts(x)) >= 4


def is_lost(x: Any) -> bool:
    """Is every number of this output NaN?"""
    found = [array(p) for p in parts(x) if is_array(p) or is_number(p)]
    return bool(found) and all(n.dtype.kind == "f" and np.isnan(n).all() for n in found)


def brief(x: Any, limit: int = 60) -> str:
    """A value short enough to read: small ones whole, arrays by dtype and shape."""
    if isinstance(x, Raised):
        return f"{x.kind}: {x.message}"
    if is_array(x):
        inside = np.array2string(array(x), precision=4, separator=", ", threshold=8).replace("\n", "")
        kind = f"{dtype_of(x)}{list(x.shape)}"
        return f"{kind} {' '.join(inside.split())}" if array(x).size <= 6 else kind
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, float):
        return f"{x:.6g}"
    if isinstance(x, (list, tuple)) and any(map(is_array, x)):
        inside = ", ".join(brief(item, 30) for item in x)
        return f"({inside})" if isinstance(x, tuple) else f"[{inside}]"
    text = " ".join(repr(x).split()) if type(x).__repr__ is not object.__repr__ else f"<{type(x).__name__}>"
    module = str(getattr(type(x), "__module__", ""))
    text = f"<{type(x).__name__}>" if "Module" in {c.__name__ for c in type(x).__mro__} and module else text
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
