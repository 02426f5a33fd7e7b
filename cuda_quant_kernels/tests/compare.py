"""Comparing what an attempt gave with what was wanted: equal or not, exactly equal or not, and told in a sentence.

Tensors, arrays, numbers, strings, lists, tuples and dictionaries of them, and exceptions. The same bytes in every
project.
"""

import sys
from typing import NamedTuple

import numpy as np


class Raised(NamedTuple):
    """What a probe gave when it raised: compared by type and by what the exception says in `facts`, told in full."""

    kind: str
    message: str
    facts: tuple = ()


def is_array(x):
    torch = sys.modules.get("torch")  # a project without tensors need not install it
    return isinstance(x, np.ndarray) or torch is not None and isinstance(x, torch.Tensor)


def array(x):
    """A tensor, an array or a number as a float64 (or integer) array."""
    if is_array(x) and not isinstance(x, np.ndarray):
        x = x.detach().cpu()
        x = x.double().numpy() if x.is_floating_point() else x.numpy()
    return np.asarray(x)


def whole(x):
    """Are these whole numbers, which are equal or not?"""
    return x.dtype.kind in "biu"


def same(a, b):
    if is_array(a) or is_array(b) or isinstance(a, (float, np.number)) or isinstance(b, (float, np.number)):
        try:
            a, b = array(a), array(b)
            if whole(a) and whole(b):
                return np.array_equal(a, b)
            scale = float(np.nanmax(np.abs(b), initial=1.0, where=np.isfinite(b))) if b.dtype.kind == "f" else 1.0
            return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6 * scale, equal_nan=True)
        except (TypeError, ValueError, RuntimeError):
            return False
    if isinstance(a, Raised) or isinstance(b, Raised):
        return type(a) is type(b) and (a.kind, a.facts) == (b.kind, b.facts)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


def exactly(got, want, why=""):
    """Assert the same type and the same value, so that an object that claims to equal everything does not pass."""
    assert type(got) is type(want), (
        f"{why or 'the result'}: {type(got).__name__} where {type(want).__name__} is expected"
    )
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want), f"{why or 'the result'}: {len(got)} items where {len(want)} are expected"
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            exactly(g, w, f"{why or 'the result'}[{i}]")
    elif isinstance(want, dict):
        exactly(sorted(got, key=repr), sorted(want, key=repr), f"the keys of {why or 'the result'}")
        for key in want:
            exactly(got[key], want[key], f"{why or 'the result'}[{key!r}]")
    else:
        assert got == want, f"{why or 'the result'}: {got!r} where {want!r} is expected"


def difference(got, want, at=""):
    """One sentence: how `got` differs from `want`."""
    if isinstance(got, Raised):
        return f"raises {got.kind}: {got.message}"
    if isinstance(want, Raised):
        return f"returns a value where {want.kind} should be raised"
    if isinstance(want, dict) and isinstance(got, dict) and got.keys() == want.keys():
        return next(difference(got[k], want[k], f"{at}[{k!r}]") for k in want if not same(got[k], want[k]))
    listed = isinstance(want, (list, tuple)) and isinstance(got, (list, tuple))
    if listed and len(got) != len(want):
        return f"{at or 'the result'} has {len(got)} items where {len(want)} are expected"
    if listed:
        return next(
            difference(g, w, f"{at}[{i}]") for i, (g, w) in enumerate(zip(got, want, strict=True)) if not same(g, w)
        )
    if not (is_array(want) and is_array(got)):
        return f"{at or 'the result'} is {got!r:.80} where {want!r:.80} is expected"
    if tuple(got.shape) != tuple(want.shape):
        return f"{at or 'the result'} has shape {tuple(got.shape)} where {tuple(want.shape)} is expected"
    kinds, (g, w) = (got.dtype, want.dtype), (array(got), array(want))
    bad = ~np.isfinite(g) & np.isfinite(w) if g.dtype.kind == "f" else np.zeros(1, bool)
    if bad.any():
        return f"{at or 'the result'} holds {g[bad][0]} in {bad.sum()} of {g.size} places, first at {_first(bad)}"
    off = g != w if whole(g) and whole(w) else ~np.isclose(g, w, rtol=1e-4, atol=1e-6, equal_nan=True)
    note = f" (dtype {kinds[0]} where {kinds[1]} is expected)" if str(kinds[0]) != str(kinds[1]) else ""
    first, wanted = (f"{x[off][0]:.6g}" if x.dtype.kind == "f" else str(x[off][0]) for x in (g, w))
    return f"{at or 'the result'} first differs at {_first(off)}: {first} where {wanted} is expected{note}"


def _first(mask):
    return [int(i) for i in np.argwhere(mask)[0]]
