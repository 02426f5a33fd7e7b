"""What must not matter to a right answer. The same bytes in every project.

The calls of a task's probes are made again, after one another and in the other order, and with other numbers in the
same tensors and lists, and, where the workbook says that results share no memory (mistakes.OWN_RESULTS), after the
results were changed in place; objects of a class are used in turns. A right
answer gives what it gave before. Whatever moves the reference too is not asked, and neither are calls with arguments
that cannot be made a second time.
A wrong answer is loaded anew: is it right when nothing was called before?
"""

import __future__

import functools
import inspect
import sys
import textwrap
import time
import types
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from attempts import Call, Names, Recorder, copied, is_function, kept, reference, setting
from compare import Raised, brief, first_difference, is_array, same
from diagnosis import (
    Finding,
    bound,
    output,
    outputs,
    probes,
    raised,
    right_outputs,
    seed_everything,
    situation,
    without_annotations,
)
from symptoms import symptom

MOST_CALLS = 60  # of the probes of two seeds
FIRST_SECONDS = 3.0  # of this process, for making each call once: a slow right answer is asked fewer of them
CONSTANTS = (int, float, complex, str, bytes, type(None), np.generic, range, type)
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
KEEPS = "something is kept from one call to the next. Is it a global name, a default argument or a cache?"
DRAWS = "is something drawn at random without the given seed or generator, or read from empty memory?"
ANEW_SECONDS = 10.0  # of this process, for the search of what is kept
SHARES = "what belongs to one object is kept by the class, by a default argument or by a global name"


class Change(NamedTuple):
    """A result that changed when it should not have."""

    call: Call
    first: Any
    then: Any


# ---------------------------------------------------------------- functions


def can_be_made_again(x: Any) -> bool:
    """Can a copy stand for this value? An iterator is used up, and what cannot be copied is the same object twice."""
    if isinstance(x, dict):
        return all(map(can_be_made_again, [*x, *x.values()]))
    if isinstance(x, (list, tuple, set, frozenset)):
        return all(map(can_be_made_again, x))
    return isinstance(x, FUNCTIONS) or not hasattr(x, "__next__") and copied(x) is not x or isinstance(x, CONSTANTS)


def is_settled(result: Any) -> bool:
    """Is this a result that can be looked at twice?"""
    return not hasattr(result, "__next__") and not isinstance(result, Exception)


@functools.lru_cache(maxsize=32)
def calls_of_probes(task: str, seed: int) -> tuple[Call, ...]:
    """The calls that the probes of two seeds make of the reference, without those that raise.

    They are made once for each seed: whoever makes a call again makes it with copies of the arguments.
    """
    found = []
    for s in (seed, seed + 1):
        theirs = Recorder(reference())
        for probe in probes(task):
            output(probe, theirs, s)
        found.append(theirs._calls.get(task, []))
    fine = [[c for c in calls if can_be_made_again([c.args, c.kwargs]) and is_settled(c.result)] for calls in found]
    return tuple(c for calls in fine for c in calls[: MOST_CALLS // 2])


def result_of(function: Callable, args: tuple, kwargs: dict) -> Any:
    seed_everything(0)
    with warnings.catch_warnings(), without_annotations():
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            return raised(error)


def made(function: Callable, call: Call) -> Any:
    return result_of(function, copied(call.args), copied(call.kwargs))


def in_time(function: Callable, calls: list[Call]) -> list[Any]:
    """The results of the calls that `FIRST_SECONDS` reach, of one at least: all that follows takes a few times that."""
    results, end = [], time.process_time() + FIRST_SECONDS
    for call in calls:
        results.append(made(function, call))
        if time.process_time() > end:
            break
    return results


def again(function: Callable, calls: list[Call], first: list[Any] | None = None) -> tuple[Change | None, Change | None]:
    """(a call whose second result is another, a result that changed later). `first` holds the first results."""
    first = [made(function, c) for c in calls] if first is None else first
    as_they_were = [kept(x) for x in first]
    then = [made(function, c) for c in calls[::-1]][::-1]
    changed = [Change(*x) for x in zip(calls, as_they_were, then, strict=True) if not same(x[2], x[1])]
    moved = [Change(*x) for x in zip(calls, as_they_were, first, strict=True) if not same(x[2], x[1])]
    return next(iter(changed), None), next(iter(moved), None)


def alike(x: Any, y: Any) -> bool:
    """Can the numbers of `y` be put into `x`?"""
    if is_array(x):
        return type(x) is type(y) and x.shape == y.shape and x.dtype == y.dtype
    return type(x) is type(y)


def put(x: Any, y: Any) -> Any:
    """`x` with the contents of `y`, or `y` where `x` cannot be changed."""
    if isinstance(x, np.ndarray) and x.flags.writeable:
        x[...] = y
    elif is_array(x) and not isinstance(x, np.ndarray):
        try:
            x.data.copy_(y)
        except RuntimeError:  # an expanded tensor
            return y
    elif isinstance(x, (list, bytearray)):
        x[:] = copied(y)
    elif isinstance(x, (dict, set)):
        x.clear()
        x.update(copied(y))
    else:
        return y
    return x


def same_objects(function: Callable, calls: list[Call], first: list[Any] | None = None) -> Change | None:
    """A call that gives another result when its numbers come in the objects of an earlier call."""
    first = [made(function, c) for c in calls] if first is None else first
    for i, one in enumerate(calls):
        for two, want in zip(calls[i + 1 :], first[i + 1 :], strict=True):
            fits = len(one.args) == len(two.args) and one.kwargs.keys() == two.kwargs.keys()
            fits = fits and all(map(alike, one.args, two.args))
            fits = fits and all(alike(x, two.kwargs[name]) for name, x in one.kwargs.items())
            if not fits or same([*one.args], [*two.args]):
                continue
            args, kwargs = copied(one.args), copied(one.kwargs)
            result_of(function, args, kwargs)
            got = result_of(
                function, tuple(map(put, args, two.args)), {k: put(kwargs[k], two.kwargs[k]) for k in kwargs}
            )
            if not same(got, want):
                return Change(two, kept(want), got)
            break
    return None


def spoil(x: Any) -> None:
    """Change a result in place, as whoever called for it may."""
    if isinstance(x, (list, tuple, dict)):
        for item in list(x.values() if isinstance(x, dict) else x):
            spoil(item)
    if isinstance(x, list):
        x.append(None)
    elif isinstance(x, np.ndarray) and x.flags.writeable and x.dtype.kind in "biuf":
        x[...] = ~x if x.dtype.kind == "b" else x + 1
    elif is_array(x) and not isinstance(x, np.ndarray):
        try:
            x.data.copy_(~x.data if str(x.dtype) == "torch.bool" else x.data + 1)
        except RuntimeError:  # an expanded tensor
            pass


def mend(x: Any, before: Any) -> None:
    """Undo `spoil`: a result may be what others still need."""
    if isinstance(x, (list, tuple)):
        for item, was in zip(x, before, strict=False):
            mend(item, was)
    if isinstance(x, list):
        x[:] = x[: len(before)]
    elif isinstance(x, dict):
        for key, was in before.items():
            mend(x[key], was)
    elif is_array(x):
        put(x, before)


def spoiled(function: Callable, calls: list[Call], first: list[Any] | None = None) -> Change | None:
    """A call that gives another result after earlier results were changed in place."""
    first = [made(function, c) for c in calls] if first is None else first
    before = [kept(x) for x in first]
    with np.errstate(all="ignore"):
        for x in first:
            spoil(x)
    then = [kept(made(function, c)) for c in calls]
    for x, was in zip(first[::-1], before[::-1], strict=True):  # one object may be there several times
        mend(x, was)
    changed = [Change(*x) for x in zip(calls, before, then, strict=True) if not same(x[2], x[1])]
    return next(iter(changed), None)


def of_function(attempt: Names, task: str, seed: int) -> Finding:
    calls = calls_of_probes(task, seed)
    mine, ours = getattr(attempt, task), getattr(reference(), task)
    first = in_time(mine, calls)
    calls = calls[: len(first)]
    changed, moved = again(mine, calls, first)
    if moved and again(ours, calls)[1] is None:
        said = "a result that it gave before changes when it is called again: is one tensor or list given each time?"
        return finding(task, said, moved)
    if changed and again(ours, calls)[0] is None:
        return finding(task, f"called again with the same arguments, it gives another result: {KEEPS}", changed)
    changed = same_objects(mine, calls, first)
    if changed and same_objects(ours, calls) is None:
        said = f"with other numbers in the same objects, it gives another result than with new objects: {KEEPS}"
        return finding(task, said, changed)
    changed = spoiled(mine, calls, first) if setting("OWN_RESULTS", False) else None
    if changed and spoiled(ours, calls) is None:
        said = "after a result was changed in place, it gives another one: is one tensor or list kept and given again?"
        return finding(task, said, changed)
    return Finding("")


def finding(task: str, said: str, change: Change, when: tuple[str, str] = ("first", "then")) -> Finding:
    arguments = ", ".join(f"{n}={brief(x)}" for n, x in bound(getattr(reference(), task), change.call).items())
    at, first, then = first_difference(change.first, change.then)
    what = symptom(then, first) if is_array(first) else brief(then)
    lines = [f"call:   {task}({arguments})", f"{when[0] + ':':8}{brief(first)}", f"{when[1] + ':':8}{what}"]
    return Finding(said, "", (*lines, *([f"at:     {at}"] if at else [])), "symptom")


# ---------------------------------------------------------------- classes


def turned(x: Any) -> Any:
    """Other numbers in the same shape, for the object that is used in turns."""
    if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
        return type(x)(map(turned, x))
    if is_array(x) and str(x.dtype).removeprefix("torch.").startswith(("float", "bfloat")):
        return -x
    return copied(x)


def in_turns(cls: type) -> type:
    """The class, each object of which has a shadow that gets the same calls with other numbers, after its own."""
    shadows, busy = {}, []

    def turn(name: str, method: Callable) -> Callable:
        @functools.wraps(method)
        def both(self, *args, **kwargs):
            if busy:
                return method(self, *args, **kwargs)
            other = [turned(x) for x in args], {k: turned(x) for k, x in kwargs.items()}
            busy.append(name)
            try:
                result = method(self, *args, **kwargs)
                try:
                    if name == "__init__":
                        shadows[id(self)] = cls(*other[0], **other[1])
                    elif id(self) in shadows:
                        getattr(shadows[id(self)], name)(*other[0], **other[1])
                except Exception:  # other numbers may be none that it takes
                    shadows.pop(id(self), None)
                return result
            finally:
                busy.pop()

        return both

    names = {n for c in cls.__mro__ for n, v in vars(c).items() if inspect.isfunction(v) and c.__module__ != "builtins"}
    own = {n for c in cls.__mro__ if c.__module__.split(".")[0] != "torch" for n in vars(c)}
    wrapped = {n for n in names & own if not n.startswith("_") or n in ("__init__", "__call__")}
    return type(cls.__name__, (cls,), {n: turn(n, getattr(cls, n)) for n in wrapped})


def of_class(attempt: Names, task: str, seed: int) -> Finding:
    ours = Names({task: in_turns(getattr(reference(), task))}, fallback=reference())
    want = right_outputs(task, seed)
    if not same(outputs(ours, task, seed), want):
        return Finding("")
    mine = Names({**attempt._names, task: in_turns(getattr(attempt, task))}, fallback=reference())
    got = outputs(mine, task, seed)
    for probe, g, w in zip(probes(task), got, want, strict=True):
        if not same(g, w):
            said = f"on {situation(probe)}: two objects that are used in turns disturb each other: {SHARES}"
            return Finding(said + (f" ({brief(g)})" if isinstance(g, Raised) else ""), "", (), "symptom")
    return Finding("")


def unsteady(attempt: Names, task: str, seed: int) -> Finding:
    """What moves an attempt that is right on every probe, and does not move the reference. "" if nothing does."""
    obj = attempt._names.get(task)
    if inspect.isclass(obj) and inspect.isclass(getattr(reference(), task)):
        return of_class(attempt, task, seed)
    if is_function(obj) and is_function(getattr(reference(), task)) and task not in setting("INPLACE", ()):
        return of_function(attempt, task, seed)
    return Finding("")


# ---------------------------------------------------------------- wrong answers, loaded anew


@functools.lru_cache(256)
def program(obj: Any) -> types.CodeType | None:
    """The definition of a live function or class, compiled, or None where its source is not all of it."""
    if getattr(obj, "__closure__", None):
        return None
    try:
        text, where = textwrap.dedent(inspect.getsource(obj)), inspect.getsourcefile(obj) or ""
        return compile(text, where, "exec", __future__.annotations.compiler_flag)
    except Exception:  # no source, or not of one piece
        return None


def anew(names: dict[str, Any]) -> Names:
    """Live functions and classes, defined a second time from their source. What cannot be is left as it is."""
    found = {}
    for name, obj in names.items():
        if callable(obj) and getattr(obj, "__hash__", None) and (code := program(obj)):
            space = getattr(obj, "__globals__", None) or vars(sys.modules.get(obj.__module__, object))
            space = dict(space)
            try:
                exec(code, space)
                found[name] = space[obj.__name__]
            except Exception:  # it needs what is not there any more
                continue
    return Names({**names, **found})


def disturbed(got: list, load: Callable[[], Names], task: str, seed: int) -> Finding:
    """What these outputs owe to earlier calls. `load` gives the attempt as new. "" if it is wrong by itself."""
    if setting("SOLVE", None):  # not Python
        return Finding("")
    end, before = time.process_time() + ANEW_SECONDS, "right when nothing was called before, wrong after other calls"
    for probe, g, right in zip(probes(task), got, right_outputs(task, seed), strict=True):
        if time.process_time() > end:
            break
        alone, on = kept(output(probe, load(), seed)), f"on {situation(probe)}"
        if same(alone, g):
            if not same(g, right):
                return within(load, task, seed, probe)
        elif not same(kept(output(probe, load(), seed)), alone):
            return Finding(f"{on}: the same calls in a new session give another result: {DRAWS}", kind="symptom")
        elif same(alone, right):
            return Finding(f"{on}: {before}: {KEEPS}", kind="symptom")
    return Finding("")


def within(load: Callable[[], Names], task: str, seed: int, probe: Callable) -> Finding:
    """Is a call of this probe right alone and wrong after the probe's other calls?"""
    mine = Recorder(load())
    output(probe, mine, seed)
    calls, ours = mine._calls.get(task, []), getattr(reference(), task)
    if not all(can_be_made_again([c.args, c.kwargs]) for c in calls):
        return Finding("")
    one = getattr(load(), task)
    for call in calls[:MOST_CALLS]:
        got, right = made(one, call), made(ours, call)
        if same(got, right):
            continue
        if same(made(getattr(load(), task), call), right):
            said = f"on {situation(probe)}: a call that is right alone is wrong after the calls before it: {KEEPS}"
            return finding(task, said, Change(call, right, got), ("alone", "after"))
        return Finding("")
    return Finding("")
