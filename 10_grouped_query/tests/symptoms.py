"""What can be seen of a wrong output beside the right one, in a sentence. The same bytes in every project.

Each check states what it has found to be true of these outputs: a factor, a sign, an axis, a shift, the places that are
right. The first that holds is told; they stand from the most particular to the most general.
"""

import builtins
import dataclasses
import itertools
import math
import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np
from compare import Raised, array, brief, close, dtype_of, is_array, is_exact, is_number, same

RIGHT_BUT = "right, but of dtype"  # says all there is to say


@np.errstate(all="ignore")  # whatever an attempt returns, a relation that overflows does not hold
def symptom(got: Any, want: Any, named: dict[str, float] | None = None) -> str:
    """A sentence about `got`, or "". `named` holds the numbers among the arguments, by name."""
    named = named or {}
    if isinstance(got, Raised):
        return raised(got, want)
    if isinstance(want, Raised):
        return f"returns {brief(got)} where {a(want.kind)} is promised"
    if got is None and isinstance(want, str) and is_error_name(want):
        return f"no error, where {a(want)} is promised"
    if want is None and isinstance(got, str) and is_error_name(got):
        return f"raises {a(got)} where no error is promised"
    if want is not None and got is None:
        return "returns None: is there a `return`?"
    if is_number(got) and is_number(want):
        return of_numbers(got, want, named)
    if is_array(got) and is_array(want):
        if isinstance(got, np.ndarray) != isinstance(want, np.ndarray):
            return f"returns {a(kind_of(got))} where {a(kind_of(want))} is expected"
        return of_arrays(got, want, named)
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        return of_lists(list(got), list(want), named)
    if isinstance(got, dict) and isinstance(want, dict):
        return of_dicts(got, want)
    if kind_of(got) != kind_of(want):
        values = "with the right values, " if values_agree(got, want) else ""
        return f"{values}returns {a(kind_of(got))} where {a(kind_of(want))} is expected"
    if isinstance(got, str):
        return of_strings(got, want)
    if isinstance(got, bool):
        return f"it is {got}, right is {want}"
    return ""


def kind_of(x: Any) -> str:
    if is_array(x):
        return "NumPy array" if isinstance(x, np.ndarray) else "tensor"
    return "None" if x is None else type(x).__name__


def a(kind: str) -> str:
    if kind == "None":
        return kind
    return f"an {kind}" if kind[0] in "aeioAEIO" else f"a {kind}"


def values_agree(got: Any, want: Any) -> bool:
    try:
        g, w = np.asarray(as_array(got), float), np.asarray(as_array(want), float)
        return close(g, w)
    except (TypeError, ValueError, RuntimeError):
        return False


def as_array(x: Any) -> Any:
    return array(x) if is_array(x) else x


def raised(got: Raised, want: Any) -> str:
    if got.kind == "InPlace":
        return got.message
    if isinstance(want, Raised):
        return f"raises {a(got.kind)} where {a(want.kind)} is promised{got.where}"
    return f"raises {got.kind}: {got.message}{got.where}"


# ---------------------------------------------------------------- numbers


def of_numbers(got: Any, want: Any, named: dict[str, float]) -> str:
    if isinstance(want, numbers.Integral) and not isinstance(got, numbers.Integral):
        if got == want:
            return f"right, but {a(type(got).__name__)} where an int is promised"
    beside = f" ({brief(got)} where {brief(want)} is right)"
    apart = brief(abs(got - want))
    got, want = float(got), float(want)
    if not math.isfinite(want):
        return f"it is {got:.6g}, right is {want}"
    if not math.isfinite(got):
        return f"returns {got}"
    if got == -want and want:
        return "the sign is wrong"
    if want and got and (said := factor(got / want, named, 2)):
        return said + beside
    for name, value in named.items():
        if value and abs(abs(got - want) - abs(value)) < 1e-9 * max(1, abs(value)):
            return f"too {'large' if got > want else 'small'} by `{name}`{beside}"
    return f"{apart} too {'large' if got > want else 'small'}{beside}"


def factor(ratio: float, named: dict[str, float], most: int = 8) -> str:
    """A ratio in words: by a name of the call where just one number has that value, by itself where it is simple."""
    for value, way in ((ratio, "large"), (1 / ratio, "small")):
        if value <= 1 + 1e-6:
            continue
        for forms, text in ((lambda v: v, "`{}`"), (lambda v: v * v, "the square of `{}`"), (math.sqrt, "√`{}`")):
            fits = [n for n, v in named.items() if v > 1 and abs(value / forms(v) - 1) < 1e-4]
            chance = value < 4.5 and round(value) == value or len(fits) > 1 and value <= 4  # 2 is many things
            if fits and value > 1.01 and not chance:
                return f"too {way} by a factor of {value:.6g}, which is {text.format(min(fits, key=len))}"
        for n in range(1, most + 1):  # a simple fraction
            if abs(value * n - round(value * n)) < 1e-4 * value and value * n < 1025:
                return f"too {way} by a factor of {value:.6g}"
    return ""


# ---------------------------------------------------------------- arrays


def of_arrays(got: Any, want: Any, named: dict[str, float]) -> str:
    g, w = array(got), array(want)
    if g.dtype.kind not in "biuf" or w.dtype.kind not in "biuf":
        return ""
    kinds = dtype_of(got), dtype_of(want)
    if kinds[0] != kinds[1] and g.shape == w.shape and close(g.astype(float), w.astype(float)):
        return f"{RIGHT_BUT} {kinds[0]} where {kinds[1]} is expected"
    note = "" if kinds[0] == kinds[1] else f" (and the dtype is {kinds[0]}, not {kinds[1]})"
    exact = is_exact(g) and is_exact(w)
    if exact and g.shape == w.shape and close(g.astype(float), w.astype(float)):  # every relation below would hold
        apart = np.abs(g.astype(object) - w.astype(object)).max()
        return f"off by up to {int(apart)}, and whole numbers must be exact{note}"
    g, w = g.astype(float), w.astype(float)
    said = of_shapes(g, w) if g.shape != w.shape else of_values(g, w, exact, named)
    return said and said + note


def of_shapes(g: np.ndarray, w: np.ndarray) -> str:
    shapes = f"shape {list(g.shape)} where {list(w.shape)} is expected"
    if g.size == w.size and close(g.reshape(w.shape), w):
        return f"right values, but of {shapes}"
    for order in itertools.permutations(range(g.ndim)) if g.ndim == w.ndim and g.ndim <= 4 else ():
        if close(np.transpose(g, order), w):
            return f"axes exchanged: permute{order} gives the right output ({shapes})"
    if g.ndim != w.ndim:
        return shapes
    axes = [i for i in range(w.ndim) if g.shape[i] != w.shape[i]]
    if len(axes) > 1:
        return shapes
    axis, n, m = axes[0], g.shape[axes[0]], w.shape[axes[0]]
    if not g.size or not w.size:
        return shapes
    if n < m and close(g, np.take(w, range(m - n, m), axis)):
        return f"only the last {n} of {m} along axis {axis}"
    if n < m and close(g, np.take(w, range(n), axis)):
        return f"only the first {n} of {m} along axis {axis}"
    if n > m and close(np.take(g, range(m), axis), w):
        return f"right, with {n - m} more at the end of axis {axis}"
    if n > m and close(np.take(g, range(n - m, n), axis), w):
        return f"right, with {n - m} more at the start of axis {axis}"
    return shapes


def of_values(g: np.ndarray, w: np.ndarray, exact: bool, named: dict[str, float]) -> str:
    """Same shape, wrong values."""
    if g.ndim == 0:
        return of_numbers(float(g), float(w), named)
    if (lost := ~np.isfinite(g) & np.isfinite(w)).any():
        value = g[lost][0]
        return f"{value} in {lost.sum()} of {g.size} places, the first at {first(lost)}"
    if (other := ~np.isfinite(w) & ~((g == w) | np.isnan(g) & np.isnan(w))).any():
        beside = f"{brief(g[other][0])} where {w[other][0]} is right"
        return f"{beside}, in {other.sum()} of {g.size} places, the first at {first(other)}"
    if not np.isfinite(w).all():
        g, w = np.where(np.isfinite(w), g, 0), np.where(np.isfinite(w), w, 0)
    for check in (whole_array, moved, sums, lower_precision):
        if said := check(g, w, exact, named):
            return said
    return where_wrong(g, w, exact)


def whole_array(g: np.ndarray, w: np.ndarray, exact: bool, named: dict[str, float]) -> str:
    """One relation that holds between all the values."""
    if not g.any() and w.any():
        return "all zeros"
    if g.size > 1 and np.ptp(g) == 0 and np.ptp(w) > 0:
        return f"the same value everywhere: {g.flat[0]:.6g}"
    if close(-g, w):
        return "the sign is wrong everywhere"
    solid = np.abs(w) > 1e-9 * np.abs(w).max(initial=1)
    if solid.sum() > 1 and close(np.where(solid, 0, g), np.zeros_like(g)):
        ratio = g[solid] / w[solid]
        mean = float(np.median(ratio))
        if mean and np.ptp(ratio) < 1e-3 * abs(mean) and abs(mean - 1) > 1e-3:
            return f"everywhere {factor(abs(mean), named) or f'{abs(mean):.4g} times the right value'}" + (
                ", with the sign wrong" if mean < 0 else ""
            )
    offset, rounding = g - w, 1e-5 * max(1, np.abs(w).max())
    if g.size > 1 and np.ptp(offset) < rounding < abs(offset.mean()):
        return f"everywhere {abs(offset.mean()):.4g} too {'large' if offset.mean() > 0 else 'small'}"
    if np.abs(w).max() > 0.01 and (close(g, w * w) or close(g * g, w)):  # smaller squares are all close to zero
        return "the square of the right values" if close(g, w * w) else "the square root of the right values"
    return ""


def moved(g: np.ndarray, w: np.ndarray, exact: bool, named: dict[str, float]) -> str:
    """The right values in other places."""
    for axis in range(g.ndim):
        size = g.shape[axis]
        for k in (1, -1, 2, -2) if size > 2 else ():
            if close(np.roll(g, -k, axis), w):
                return f"rotated by {k} along axis {axis}"
            kept, source = (slice(k, None), slice(None, -k)) if k > 0 else (slice(None, k), slice(-k, None))
            rows = [slice(None)] * g.ndim
            ahead, behind = rows.copy(), rows.copy()
            ahead[axis], behind[axis] = kept, source
            if size > 3 and np.ptp(w) > 0 and close(g[tuple(ahead)], w[tuple(behind)]):
                return f"shifted by {k} along axis {axis}"
        if size > 1 and close(np.flip(g, axis), w):
            return f"reversed along axis {axis}"
    for order in itertools.permutations(range(g.ndim)) if g.ndim <= 4 else ():
        if order != tuple(range(g.ndim)) and close(np.transpose(g, order), w):
            return f"axes exchanged: permute{order} gives the right output"
    if g.size > 2 and np.ptp(w) > 0 and close(np.sort(g, None), np.sort(w, None)):
        return "the right values in another order"
    return ""


def sums(g: np.ndarray, w: np.ndarray, exact: bool, named: dict[str, float]) -> str:
    """Rows of a distribution that do not sum to one."""
    if exact or g.ndim == 0 or g.shape[-1] < 2 or (w < 0).any() or not close(w.sum(-1), np.ones(w.shape[:-1])):
        return ""
    total = g.sum(-1)
    if close(total, np.ones_like(total)):
        return ""
    if g.ndim > 1 and close(g.sum(-2), np.ones_like(g.sum(-2))):
        return "the columns sum to one, where the rows (the last axis) should"
    farthest = total.flat[np.abs(total - 1).argmax()]
    return f"rows (along the last axis) that do not sum to one: one of them sums to {farthest:.6g}"


def lower_precision(g: np.ndarray, w: np.ndarray, exact: bool, named: dict[str, float]) -> str:
    if exact or not w.any():
        return ""
    worst = np.abs(g - w).max()
    if worst > 3e-2 * np.abs(w).max():
        return ""
    bits = g.astype(np.float32).view(np.uint32)
    half = (g.astype(np.float16).astype(float) == g).all()
    brain = (g.astype(np.float32).astype(float) == g).all() and not (bits & 0xFFFF).any()
    wrong = np.abs(g - w) > 1e-6 * np.abs(w)
    tells = (bits[wrong] & 0x7FFFF).any()  # more than four digits of a mantissa: 2.0 and 0.5 are in every dtype
    for name, holds, step in (("bfloat16", brain, 2**-7), ("float16", half, 2**-10)):
        if holds and tells and (np.abs(g - w) <= 4 * step * np.abs(w) + 1e-7).all():
            return f"nearly right (largest error {worst:.2g}): the values are those of {name}"
    return f"nearly right: the largest error is {worst:.2g}, of values up to {np.abs(w).max():.2g}"


def where_wrong(g: np.ndarray, w: np.ndarray, exact: bool) -> str:
    """The places that are right, where they form whole slices along an axis; else the first that is wrong."""
    scale = np.abs(w).max(initial=1)
    bad = g != w if exact else ~np.isclose(g, w, rtol=1e-4, atol=1e-6 * scale)
    sums_to_one = not exact and w.ndim and w.shape[-1] > 1 and close(w.sum(-1), np.ones(w.shape[:-1]))
    for axis in range(g.ndim):
        size = g.shape[axis]
        wrong = bad.any(axis=tuple(i for i in range(g.ndim) if i != axis))
        if size < 2 or wrong.all() or (sums_to_one and axis == g.ndim - 1):
            continue
        name = "row" if axis == 0 and g.ndim > 1 else "position"
        along = "" if axis == 0 and g.ndim > 1 else f" along axis {axis}" if g.ndim > 1 else ""
        return f"right except at {name}{listed(np.flatnonzero(wrong), size)}{along}{example(g, w, bad)}"
    return f"{bad.sum()} of {bad.size} values are wrong{example(g, w, bad)}"


def listed(indices: np.ndarray, size: int) -> str:
    found = [int(i) for i in indices]
    if len(found) == 1:
        last = " (the last)" if found[0] == size - 1 else " (the first)" if found[0] == 0 else ""
        return f" {found[0]}{last}"
    if found == list(range(found[0], found[-1] + 1)) and len(found) > 2:
        return f"s {found[0]} to {found[-1]}"
    return f"s {', '.join(map(str, found[:6]))}{'…' if len(found) > 6 else ''}"


def example(g: np.ndarray, w: np.ndarray, bad: np.ndarray) -> str:
    return f": at {first(bad)} it is {brief(g[bad][0])}, right is {brief(w[bad][0])}"


def first(mask: np.ndarray) -> list[int]:
    return [int(i) for i in np.argwhere(mask)[0]]


# ---------------------------------------------------------------- containers and text


def of_lists(got: list, want: list, named: dict[str, float]) -> str:
    if not got and want:
        return f"empty, where {len(want)} items are expected"
    if len(got) != len(want):
        if got == want[: len(got)]:
            return f"only the first {len(got)} of {len(want)} items"
        if got and got == want[-len(got) :]:
            return f"only the last {len(got)} of {len(want)} items"
        if got[: len(want)] == want:
            return f"right, with {len(got) - len(want)} more items at the end"
        return f"{len(got)} items where {len(want)} are expected: {brief(got)} for {brief(want)}"
    if got and all(map(is_number, [*got, *want])):
        if got == want[::-1]:
            return "reversed"
        if got == want:
            i = next((i for i, (g, w) in enumerate(zip(got, want, strict=True)) if not same(g, w)), 0)
            return f"item {i} is {a(type(got[i]).__name__)} where {a(type(want[i]).__name__)} is promised"
        small = all(isinstance(x, numbers.Integral) and abs(x) < 2**63 for x in [*got, *want])
        said = of_arrays(*(np.array(x, np.int64 if small else float) for x in (got, want)), named)
        return f"{said}: {brief(got)} for {brief(want)}"
    if all(isinstance(x, str) for x in [*got, *want]):
        place = next((i for i, (g, w) in enumerate(zip(got, want, strict=True)) if g != w), 0)
        return f"item {place} is {brief(got[place])}, right is {brief(want[place])}"
    return f"{brief(got)} where {brief(want)} is right"


def of_dicts(got: dict, want: dict) -> str:
    missing, more = [k for k in want if k not in got], [k for k in got if k not in want]
    if missing:
        return f"the key {brief(missing[0])} is missing ({len(missing)} of {len(want)} are)"
    return f"has the key {brief(more[0])}, which is not expected" if more else ""


def is_error_name(text: str) -> bool:
    """Does `error_of` give this text?"""
    kind = getattr(builtins, text, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def of_strings(got: str, want: str) -> str:
    if is_error_name(got) and is_error_name(want):
        return f"raises {a(got)} where {a(want)} is promised"
    place = next((i for i, (g, w) in enumerate(zip(got, want, strict=False)) if g != w), min(len(got), len(want)))
    start = max(0, place - 10)
    return f"the text differs from character {place}: {got[start : place + 15]!r} for {want[start : place + 15]!r}"


# ---------------------------------------------------------------- the numbers of a call


def named_numbers(args: dict[str, Any]) -> dict[str, float]:
    """The numbers among a call's arguments by name: scalars, fields of configurations, sizes of axes."""
    found: dict[str, float] = {}
    for name, value in args.items():
        for key, number in numbers_in(name, value):
            found.setdefault(key, number)
    return found


def numbers_in(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if is_number(value) and math.isfinite(float(value.real)):
        yield name, float(value.real)
    elif is_array(value):
        yield from ((f"{name}.shape[{i}]", float(n)) for i, n in enumerate(value.shape))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name, None)
            if is_number(inner):
                yield f"{name}.{field.name}", float(inner)
