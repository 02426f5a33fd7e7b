"""Which mistake an attempt makes. The same bytes in every project.

`diagnose` looks in this order: the classic mistake that reproduces the attempt on every probe (single ones before
pairs); the one that reproduces it on those probes that are wrong; a symptom of the first wrong output, with the kind of
slip that reproduces it if a mutant of the reference does; and the call that failed, with a line that repeats it.
A false name is worse than none: what is not unique is not named.
"""

import contextlib
import functools
import importlib
import inspect
import itertools
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from attempts import Call, Names, Recorder, is_function, kept, reference, substituted
from compare import Raised, array, brief, first_difference, is_array, is_exact, is_lost, is_telling, ordinal, same
from limits import TooLong, bounded_memory, is_attempt, limited, place
from mutants import mutants
from symptoms import RIGHT_BUT, named_numbers, symptom

SEARCH_SECONDS = 10.0  # of this process, for the mutants of one attempt at one task


class Mistake(NamedTuple):
    """A classic mistake as running code. `sentence` completes "your output matches ..."."""

    task: str
    sentence: str
    hint: str
    knobs: int  # how many mistakes are combined: one is looked for before two
    implementation: Any


class Finding(NamedTuple):
    """What is said about an attempt at a task: a sentence, a hint, and lines about the call that failed."""

    sentence: str
    hint: str = ""
    details: tuple[str, ...] = ()
    kind: str = ""  # "mistake", "on some probes", "mutant", "symptom", "error", or "" when every probe is right
    mistake: Mistake | None = None


def combine(
    task: str,
    noun: str,
    knobs: dict[str, list[str]],
    build: Callable,
    hints: dict[str, str],
    most: int = 2,
    without: tuple = (),
) -> Iterator[Mistake]:
    """One Mistake for each setting of the knobs with one to `most` of them wrong. A knob's right setting is its first.

    `without` lists sets of wrong settings that have no meaning together.
    """
    rights, order = {name: choices[0] for name, choices in knobs.items()}, []
    for count in range(1, most + 1):  # not every setting there is: those may be millions
        for names in itertools.combinations(knobs, count):
            for places in itertools.product(*(range(1, len(knobs[name])) for name in names)):
                order.append(dict(zip(names, places, strict=True)))
    for wrong in sorted(order, key=lambda places: [places.get(name, 0) for name in knobs]):
        changed = {name: knobs[name][k] for name, k in wrong.items()}
        said = list(changed.values())
        if not any(set(pair) <= set(said) for pair in without):
            sentence, hint = f"{noun} {' AND '.join(said)}", " ".join(dict.fromkeys(hints[s] for s in said))
            yield Mistake(task, sentence, hint, len(said), build(**{**rights, **changed}))


def seed_everything(seed: int) -> None:
    """Seed every generator that a test or a probe may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 3 ms: it writes tracebacks for devices
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(seed)


# ---------------------------------------------------------------- outputs on the probes


def line_of(error: BaseException) -> str:
    """Where in the attempt an exception comes from, e.g. " (starter.ipynb, code cell 3, line 7)"."""
    at = getattr(error, "place", "")  # of attempts that are not Python: the exception knows its line
    found, traceback = f" ({at})" if at and isinstance(at, str) else "", error.__traceback__
    while traceback:
        frame = traceback.tb_frame
        if is_attempt(frame.f_code, frame.f_globals):
            found = place(frame.f_code, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def first_line(error: BaseException) -> str:
    return f"{(str(error).strip() or type(error).__name__).splitlines()[0]:.160}"


def raised(error: Exception) -> Raised:
    kinds = tuple(c.__name__ for c in type(error).__mro__ if c not in (Exception, BaseException, object))
    return Raised(type(error).__name__, first_line(error), getattr(error, "facts", ()), kinds, line_of(error))


def error_of(function: Callable[[], Any]) -> str | None:
    """For probes of promised errors: the name of the built-in exception that a call raises, or None."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # an attempt may divide by zero on its way
            warnings.simplefilter("ignore")
            function()
    except Exception as error:
        builtin = (c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
        return next(builtin)
    return None


@contextlib.contextmanager
def without_annotations() -> Iterator[None]:
    """Annotated shapes are not checked meanwhile: it is a third of a probe's time, and the tests check them."""
    config = getattr(sys.modules.get("jaxtyping"), "config", None)
    before = getattr(config, "jaxtyping_disable", True)
    if config is not None:
        config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        if config is not None:
            config.update("jaxtyping_disable", before)


def output(probe: Callable, impl: Names, seed: int) -> Any:
    seed_everything(seed)
    with warnings.catch_warnings(), without_annotations():
        warnings.simplefilter("ignore")  # to be warned of something is no wrong answer
        try:
            return probe(impl, seed)
        except Exception as error:  # that it crashes may be the mistake
            return raised(error)


def probes(task: str) -> list[Callable]:
    return list(importlib.import_module("mistakes").PROBES[task])


def situation(probe: Callable) -> str:
    return probe.__name__.replace("_", " ")


def outputs(impl: Names, task: str, seed: int) -> list[Any]:
    """As they were: a list that an attempt gives again and again changes later."""
    return [kept(output(p, impl, seed)) for p in probes(task)]


@functools.lru_cache(64)
def right_outputs(task: str, seed: int) -> list[Any]:
    return outputs(reference(), task, seed)


@functools.lru_cache(256)
def known(task: str) -> tuple[Mistake, ...]:
    """The mistakes of a task, single ones first."""
    return tuple(sorted(importlib.import_module("mistakes").of(task), key=lambda m: m.knobs))


class Lazily(Sequence):
    """The outputs of an implementation on every probe, in their order, each made when it is asked for."""

    def __init__(self, impl: Names, task: str, seed: int):
        self.impl, self.asked, self.seed, self.made = impl, probes(task), seed, []

    def __len__(self) -> int:
        return len(self.asked)

    def __getitem__(self, k: int) -> Any:
        while len(self.made) <= k:
            self.made.append(kept(output(self.asked[len(self.made)], self.impl, self.seed)))
        return self.made[k]


@functools.lru_cache(100_000)
def wrong_outputs(task: str, seed: int, index: int) -> Lazily:
    return Lazily(Names({task: known(task)[index].implementation}, fallback=reference()), task, seed)


def expected(task: str, seed: int) -> tuple[list[Any], list[tuple[Mistake, Lazily]]]:
    """(the reference's outputs, [(mistake, its outputs), ...]) on every probe of a task."""
    return right_outputs(task, seed), [(m, wrong_outputs(task, seed, i)) for i, m in enumerate(known(task))]


# ---------------------------------------------------------------- finding a name


def of_mistakes(got: list, task: str, seed: int) -> Mistake | None:
    """The mistake that reproduces the attempt on every probe, those it gets right included."""
    for i, mistake in enumerate(known(task)):
        if all(map(same, got, wrong_outputs(task, seed, i))):  # most differ on one of the first probes
            return mistake
    return None


def of_some_probes(got: list, task: str, seed: int) -> Finding | None:
    """The one single mistake that reproduces the attempt on every probe that is wrong, where the others are right."""
    want, names = right_outputs(task, seed), list(map(situation, probes(task)))
    wrong = [i for i, (g, w) in enumerate(zip(got, want, strict=True)) if not same(g, w)]
    if len(wrong) == len(got) or not any(is_telling(got[i]) for i in wrong):
        return None
    fits = []
    for i, mistake in enumerate(known(task)):
        if mistake.knobs == 1:
            theirs = wrong_outputs(task, seed, i)
            if all(same(got[j], theirs[j]) for j in wrong):
                fits.append(mistake)
    if len(fits) != 1:
        return None
    bad, fine = ([names[i] for i in range(len(got)) if (i in wrong) == is_bad] for is_bad in (True, False))
    where = f"on {listed(bad)}" if len(bad) <= 5 else f"in {len(bad)} of {len(got)} situations"
    said = f"{where} your output is that of {fits[0].sentence}; it is {right_on(fine, got)}"
    return Finding(said, fits[0].hint, (), "on some probes", fits[0])


def of_mutants(got: list, task: str, seed: int) -> str:
    """The kind of slip that reproduces the attempt on every probe, in a sentence, or ""."""
    if not any(is_telling(g) and not is_lost(g) for g in got):
        return ""
    want = right_outputs(task, seed)
    wrong_first = sorted(range(len(got)), key=lambda i: same(got[i], want[i]))
    end = time.process_time() + SEARCH_SECONDS
    for mutant in mutants(task):
        if time.process_time() > end:
            break
        if all(same(got[i], on_probe(mutant.implementation, task, seed, i)) for i in wrong_first):
            return f"a version that {mutant.words} gives the same"
    return ""


def on_probe(implementation: Any, task: str, seed: int, index: int) -> Any:
    """One probe's output with this implementation of the task; TooLong if it does not end in half a second."""
    impl = Names({task: implementation}, fallback=reference())
    with bounded_memory():
        try:
            return limited(lambda: output(probes(task)[index], impl, seed), 0.5)
        except TooLong as error:
            return error


def right_on(names: list[str], asked: list) -> str:
    """What is right: by name, or counted where the names would hide what is wrong."""
    return f"right on {listed(names)}" if len(names) <= 5 else f"right in {len(names)} of {len(asked)} situations"


def listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---------------------------------------------------------------- the call that failed


def failing_call(attempt: Names, task: str, seed: int, probe: Callable) -> tuple[Call, Any, int, int] | None:
    """(call, right result, its number, number of calls) of a probe's first wrong call of a function task."""
    mine = Recorder(attempt)
    output(probe, mine, seed)
    calls = mine._calls.get(task, [])
    ours = getattr(reference(), task)
    for n, call in enumerate(calls):
        seed_everything(seed)
        theirs = Recorder(reference())
        output(probe, theirs, seed)
        if len(theirs._calls.get(task, [])) == len(calls):  # the same calls: the same arguments, random state included
            want = theirs._calls[task][n].result
        elif any(hasattr(x, "__next__") for x in [*call.args, *call.kwargs.values()]):
            return None  # the attempt has used the iterator up
        else:
            try:
                want = ours(*call.args, **call.kwargs)
            except Exception as error:
                want = error
        got, want = (raised(x) if isinstance(x, Exception) else x for x in (call.result, want))
        if not same(got, want):
            return call._replace(result=got), want, n, len(calls)
    return None


def bound(function: Any, call: Call) -> dict[str, Any]:
    """The arguments of a call by parameter."""
    try:
        return dict(inspect.signature(function).bind(*call.args, **call.kwargs).arguments)
    except (TypeError, ValueError):
        return {f"argument {i}": x for i, x in enumerate(call.args)} | dict(call.kwargs)


def looks_ahead(task: str, attempt: Names, call: Call, seed: int) -> str:
    """Does an output depend on a later position of an argument, where the right one does not?"""
    if not is_array(call.result) or isinstance(call.result, np.ndarray):
        return ""
    if not np.isfinite(array(call.result)).all():
        return ""  # what overflows changes everywhere
    mine, ours = getattr(attempt, task), getattr(reference(), task)
    arguments = bound(ours, call)
    for name, x in arguments.items():
        if not is_array(x) or isinstance(x, np.ndarray) or x.ndim == 0 or not (x.is_floating_point()):
            continue
        for axis, out_axis in itertools.product(range(x.ndim), range(call.result.ndim)):
            n = x.shape[axis]
            if axis - x.ndim != out_axis - call.result.ndim or n < 3 or call.result.shape[out_axis] != n:
                continue
            if x.ndim > 2 and axis == x.ndim - 1:  # channels: no order, and large scores move by rounding
                continue
            other = x.detach().clone()
            other.narrow(axis, n - 1, 1).add_(1.0)
            moved = []
            for function in (mine, ours):
                seed_everything(seed)
                before = function(**arguments)
                seed_everything(seed)
                after = function(**{**arguments, name: other})
                kept = [array(v.narrow(out_axis, 0, n - 1)) for v in (before, after)]
                moved.append(not np.allclose(*kept, rtol=1e-5, atol=1e-8, equal_nan=True))
            if moved == [True, False] and axis == 0 and x.ndim > 2:
                return f"it mixes rows of the batch: the output of the others changes with the last row of `{name}`"
            if moved == [True, False] and x.ndim == 2 and axis == 1:  # features or classes as well as positions
                return f"the others along axis 1 change with the last of `{name}`, and should not"
            if moved == [True, False]:
                return (
                    f"it looks ahead: the output at earlier positions changes when only the last position of "
                    f"`{name}` (axis {axis}) does"
                )
    return ""


def masked_only(call: Call, want: Any, task: str) -> str:
    """Is every wrong place one that a boolean argument of the call marks, or one that it does not?"""
    got = call.result
    if not (is_array(got) and is_array(want)) or tuple(got.shape) != tuple(want.shape):
        return ""
    g, w = array(got), array(want)
    bad = g != w if is_exact(g) and is_exact(w) else ~np.isclose(g, w, rtol=1e-4, atol=1e-6, equal_nan=True)
    for name, x in bound(getattr(reference(), task), call).items():
        if is_array(x) and array(x).dtype == bool and array(x).any() and not array(x).all():
            marked = array(x)
            if marked.ndim > bad.ndim or marked.shape != bad.shape[: marked.ndim] or bad.all() or not bad.any():
                continue
            spread = bad.reshape(*marked.shape, -1).any(-1)
            for value in (False, True):
                if (spread == (marked == value)).all():
                    return f"wrong exactly where `{name}` is {value}"
    return ""


def in_words(got: Any, want: Any, failing: tuple | None) -> bool:
    """Does the probe name the parts of a call's result, and may it have made signs alike that are free in the call?"""
    if failing is None or any(isinstance(x, Raised) for x in (got, want, failing[0].result, failing[1])):
        return False
    dictionaries = isinstance(got, dict) and isinstance(want, dict) and got.keys() == want.keys()
    return dictionaries and all(isinstance(x, (tuple, list)) for x in (failing[0].result, failing[1]))


def call_lines(task: str, probe: Callable, seed: int, failing: tuple | None, got: Any, want: Any) -> tuple[str, ...]:
    """The failed call: its arguments, got and wanted, and a line that repeats it in a notebook."""
    lines = []
    if failing:
        call, right, *_ = failing
        names = bound(getattr(reference(), task), call)
        arguments = ", ".join(f"{n}={brief(x)}" for n, x in names.items())
        lines.append(f"call:   {task}({arguments})")
    if failing and not in_words(got, want, failing):
        lines += [f"got:    {brief(call.result)}", f"wanted: {brief(right)}"]
    else:
        at, g, w = first_difference(got, want)
        lines += [f"{'at:     ' + at if at else ''}", f"got:    {brief(g)}", f"wanted: {brief(w)}"]
    lines.append(f"again:  got, wanted = replay({task}, {probe.__name__!r}, seed={seed})")
    return tuple(line for line in lines if line)


def part(at: str, got: Any, want: Any, named: dict[str, float] | None = None) -> str:
    """The symptom of an output, or of the part of it that has a name."""
    if at and got is None and is_array(want) and "gradient" in at:
        return f"{at}: there is none. Is the graph cut, by detach, item or no_grad?"
    return (f"{at}: " if at else "") + symptom(got, want, named)


def symptoms_of(attempt: Names, got: list, task: str, seed: int) -> Finding:
    """What can be seen of an attempt that nothing reproduces."""
    want, asked = right_outputs(task, seed), probes(task)
    right = [situation(p) for p, g, w in zip(asked, got, want, strict=True) if same(g, w)]
    index = next((i for i, (g, w) in enumerate(zip(got, want, strict=True)) if not same(g, w)), None)
    if index is None:
        return Finding("")
    probe, g, w = asked[index], got[index], want[index]
    failing = failing_call(attempt, task, seed, probe) if is_function(attempt._names.get(task)) else None
    lead = f"{right_on(right, asked)}; on {situation(probe)}: " if right else f"on {situation(probe)}: "
    said = ""
    if failing:
        call, call_want, n, count = failing
        arguments = bound(getattr(reference(), task), call)
        if not isinstance(call.result, Raised) and not isinstance(call_want, Raised):
            try:
                if getattr(call.result, "dtype", None) == getattr(call_want, "dtype", None):  # or rounding moves
                    said = looks_ahead(task, attempt, call, seed)
                said = said or masked_only(call, call_want, task)
            except Exception:  # a symptom is looked for, not required
                said = ""
        named = in_words(g, w, failing)
        at, inner, inner_want = first_difference(g, w) if named else first_difference(call.result, call_want)
        said = said or part(at, inner, inner_want, named_numbers(arguments))
        if n and count > 1 and not named:
            said = f"the first call is right, the {ordinal(n)} is not: {said}"
    if not said:
        at, inner, inner_want = first_difference(g, w)
        said = part(at, inner, inner_want)
    return Finding(lead + said, "", call_lines(task, probe, seed, failing, g, w), "symptom" if said else "error")


def diagnose(attempt: Names, task: str, seed: int, with_mutants: bool = True) -> Finding:
    """What is wrong with an attempt at a task. The sentence is "" when it is right on every probe."""
    got = outputs(attempt, task, seed)
    if same(got, right_outputs(task, seed)):
        return Finding("")
    crash = next((g for g in got if isinstance(g, Raised)), None)
    if found := of_mistakes(got, task, seed):
        where = crash.where if crash else ""
        return Finding(f"your output matches {found.sentence}{where}", found.hint, (), "mistake", found)
    seen = symptoms_of(attempt, got, task, seed)
    if partly := of_some_probes(got, task, seed):
        return partly._replace(details=seen.details)
    if with_mutants and RIGHT_BUT not in seen.sentence and (slip := of_mutants(got, task, seed)):
        return seen._replace(sentence=f"{seen.sentence}; {slip}", kind="mutant")
    return seen


def without_the_others(attempt: Names, task: str, others: list[str], seed: int) -> Finding:
    """The diagnosis with the reference's version of the tasks that this one calls and that are not right."""
    with substituted(attempt, others):
        return diagnose(Names(attempt._names), task, seed)
