"""Every known mistake, and every mutant, through the tests of its task. The same bytes in every project."""

import importlib
import time
from typing import Any, NamedTuple

from attempts import Names, reference
from compare import same
from diagnosis import output, probes, right_outputs
from limits import TooLong, limited
from mutants import Mutant, mutants
from report import PROBE_SEEDS, State

MUTANT_SECONDS = 1.5  # at most, for a mutant on the probes of one seed
MOST_EQUIVALENT = 0.05  # of a folder's mutants


class Run(NamedTuple):
    """One wrong implementation to run through its task's tests."""

    task: str
    label: str
    implementation: Any
    seed: int


def runs(state: State, task: str) -> list[Run]:
    """What is run through the tests of a task under --mistakes or --mutants."""
    if state.only and task not in state.only:
        return []
    if state.mutants:
        if task not in state.left:
            state.left[task] = [Run(task, m.key, m.implementation, 0) for m in survivors(task)]
        return state.left[task]
    known = importlib.import_module("mistakes").of(task)
    return [Run(task, m.sentence, m.implementation, s) for m in known for s in range(state.mistakes)]


def survivors(task: str) -> list[Mutant]:
    """The mutants that the probes do not tell from the reference, and those listed as equivalent."""
    listed, found, seconds = equivalents().get(task, {}), [], patience(task)
    for mutant in mutants(task):
        impl = Names({task: mutant.implementation}, fallback=reference())
        try:
            told = any(limited(lambda s=s, i=impl: differs(i, task, s), seconds) for s in range(PROBE_SEEDS))
        except TooLong:
            told = True
        if not told or mutant.key in listed:
            found.append(mutant)
    return found


def patience(task: str) -> float:
    """After so many seconds on one seed's probes, a mutant does not end: 20 times the reference's, and some more."""
    right_outputs(task, 0)
    start = time.process_time()
    differs(reference(), task, 0)
    return min(MUTANT_SECONDS, 0.3 + 20 * (time.process_time() - start))


def differs(impl: Names, task: str, seed: int) -> bool:
    """Does a probe tell this implementation from the reference? The rest is not run once one does."""
    asked = zip(probes(task), right_outputs(task, seed), strict=True)
    return any(not same(output(probe, impl, seed), want) for probe, want in asked)


def equivalents() -> dict[str, dict[str, str]]:
    try:
        return importlib.import_module("equivalents").EQUIVALENT
    except ModuleNotFoundError:
        return {}


def uncaught(state: State) -> list[tuple[str, str, int]]:
    return [(*key, s) for key, seeds in state.caught.items() for s in range(state.mistakes) if not seeds.get(s)]


def mutation_report(state: State) -> tuple[list[str], bool]:
    """(lines, something is wrong): a line a task, then each mutant that survives and each listed one that does not."""
    lines, faults, total, alike = [], [], 0, 0
    for task in state.wanted(importlib.import_module("mistakes").TASKS):
        made, listed = mutants(task), equivalents().get(task, {})
        caught = {label: seeds for (t, label), seeds in state.caught.items() if t == task}
        left = [r.label for r in runs(state, task) if not caught.get(r.label)]
        by_tests = sum(bool(seeds) for label, seeds in caught.items() if label not in listed)
        total, alike = total + len(made), alike + len(listed)
        survive = [k for k in left if k not in listed]
        lines.append(f"{task:24} {len(made):5} mutants: {len(made) - len(left) - by_tests} differ on the probes, "
                     f"{by_tests} fail a test, {len(listed)} equivalent, {len(survive)} survive")  # fmt: skip
        faults += [f"SURVIVES  {task}: {k}" for k in survive]
        faults += [f"LISTED as equivalent, but not left over: {task}: {k}" for k in listed if k not in left]
    if total and alike > MOST_EQUIVALENT * total:
        faults.append(f"{alike} of {total} mutants are listed as equivalent; at most 5 % may be")
    lines.append(f"{'all':24} {total:5} mutants, {alike} equivalent ({alike / max(total, 1):.1%})")
    return [*lines, *faults], bool(faults)
