"""Verdicts into sentences, and the file that keeps them. The same bytes in every project."""

import hashlib
import inspect
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attempts import HERE, InPlace, Names, NotCounted, calls, load
from compare import same
from diagnosis import (
    Finding,
    diagnose,
    first_line,
    line_of,
    of_mistakes,
    outputs,
    right_outputs,
    without_the_others,
)
from limits import TooLong, limited
from steady import anew, disturbed, unsteady

VERDICTS = ["NOT COUNTED", "NOT STARTED", "WRONG", "RIGHT"]  # the worst of a task's tests is its verdict
PROBE_SEEDS = 3  # a right answer is right on the probes of so many seeds


@dataclass
class Seen:
    """What the tests of a task have shown so far."""

    verdict: str
    error: BaseException | None = None
    test: str = ""


@dataclass
class State:
    """One run of the grader, kept in pytest's config.stash."""

    seed: int = 0
    attempt: Names | None = None
    path: str | None = None  # of the attempt; None for live functions
    only: set[str] | None = None  # the tasks that are graded
    shown: list[str] | None = None  # the tasks that are reported
    mistakes: int = 0  # seeds of a run through every classic mistake
    mutants: bool = False
    tests: Counter = field(default_factory=Counter)  # of each task, all that there are
    ran: Counter = field(default_factory=Counter)
    whole: bool = True  # pytest was not told to look at some files only
    seen: dict[str, Seen] = field(default_factory=dict)
    caught: dict[tuple, dict[int, str]] = field(default_factory=dict)  # (task, sentence): {seed: test}
    left: dict[str, list] = field(default_factory=dict)  # of each task, the mutants that its tests must tell
    results: dict[str, tuple[str, Finding]] | None = None

    def wanted(self, tasks: list[str]) -> list[str]:
        return [t for t in tasks if self.only is None or t in self.only]


# ---------------------------------------------------------------- from tests to a verdict


def is_stub(obj: Any) -> bool:
    """Is this a task that nobody has begun: the stub's NotImplementedError is its own?"""
    try:
        source = inspect.getsource(obj)
    except (OSError, TypeError):
        return False
    return "NotImplementedError" in source


def wrong_on_probes(state: State, task: str) -> int | None:
    """The first seed on whose probes an attempt that passed its tests differs from the reference, or None."""
    for seed in range(state.seed, state.seed + PROBE_SEEDS):
        if not same(limited(lambda s=seed: outputs(state.attempt, task, s)), right_outputs(task, seed)):
            return seed
    return None


def judge(state: State, task: str, verdicts: dict[str, str]) -> tuple[str, Finding]:
    """(verdict, finding) of one task, after its tests have run and those of the tasks that it calls."""
    seen, obj = state.seen.get(task, Seen("NOT COUNTED", None, "")), state.attempt._names.get(task)
    others = calls(obj, [t for t in verdicts if t != task and verdicts[t] != "RIGHT"]) if obj is not None else []
    if seen.verdict == "NOT COUNTED":
        return "NOT COUNTED", Finding(str(seen.error or "no test of this task ran"))
    if seen.verdict == "NOT STARTED":
        if others and not is_stub(obj):
            return "NOT COUNTED", Finding(f"it calls {others[0]}, which is {verdicts[others[0]]}: write that first")
        return "NOT STARTED", Finding("")
    if seen.verdict == "RIGHT":
        try:
            seed = wrong_on_probes(state, task)
        except TooLong as error:
            return "WRONG", Finding(str(error))
        if seed is None:
            if state.whole and state.ran[task] == state.tests[task]:
                return verdict_of_repeats(state, task)
            ran = f"{state.ran[task]} of its {state.tests[task]} tests" if state.whole else "some of its tests"
            return "NOT COUNTED", Finding(f"right in {ran}; run them all (no -k, no files) to have it counted")
        return "WRONG", explain(state, task, others, verdicts, seen, seed)
    return "WRONG", explain(state, task, others, verdicts, seen, state.seed)


def verdict_of_repeats(state: State, task: str) -> tuple[str, Finding]:
    """Of an attempt that is right on every test and probe: is it also right when the same calls come again?"""
    try:
        found = limited(lambda: unsteady(state.attempt, task, state.seed), 30)
    except TooLong as error:
        return "WRONG", Finding(str(error))
    return ("WRONG" if found.sentence else "RIGHT"), found


def explain(state: State, task: str, others: list[str], verdicts: dict[str, str], seen: Seen, seed: int) -> Finding:
    """Why a task is WRONG."""
    if isinstance(seen.error, InPlace):
        return Finding(str(seen.error))
    if isinstance(seen.error, TooLong):
        inside = next((t for t in others if isinstance(getattr(state.seen.get(t), "error", None), TooLong)), None)
        return Finding(f"it calls {inside}, which does not end: fix that first" if inside else str(seen.error))
    also = f"it calls {others[0]}, which is {verdicts[others[0]]}: fix that first" if others else ""
    try:
        if others:
            found = limited(lambda: without_the_others(state.attempt, task, others, seed), 60, 120)
            return found._replace(sentence=f"{found.sentence}; {also}") if found.sentence else Finding(also)
        found = limited(lambda: cause(state, task, seed), 60, 120)
    except TooLong as error:
        return Finding(str(error))
    return found if found.sentence else of_test(state, seen)


def cause(state: State, task: str, seed: int) -> Finding:
    """The classic mistake, else what is kept between calls, else a symptom."""
    got = outputs(state.attempt, task, seed)
    if of_mistakes(got, task, seed) is None:
        as_new = (lambda: Names(load(state.path))) if state.path else (lambda: anew(state.attempt._names))
        try:
            found = disturbed(got, as_new, task, seed)
        except NotCounted:  # the file has changed since
            found = Finding("")
        if found.sentence:
            return found
    return diagnose(state.attempt, task, seed)


def of_test(state: State, seen: Seen) -> Finding:
    """A failed test, where the probes show nothing: what it asserts in words, and how to repeat it."""
    if seen.error is None:
        return Finding("")
    words = seen.test.split("[")[0].removeprefix("test_").replace("_", " ")
    again = (f"again:  pytest --attempt={state.path} -k {seen.test.split('[')[0]}",) if state.path else ()
    return Finding(f"fails the test “{words}”: {message(seen.error)}{line_of(seen.error)}", "", again, "error")


def message(error: BaseException) -> str:
    """The telling lines of an assertion's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    facts = [line for line in lines if line.startswith(("Mismatched elements", "Greatest absolute"))]
    if not lines:
        return "it fails" if isinstance(error, AssertionError) else f"raises {type(error).__name__}"
    return "; ".join(facts) if facts else f"{type(error).__name__}: {first_line(error)}"


def results(state: State, tasks: list[str]) -> dict[str, tuple[str, Finding]]:
    """{task: (verdict, finding)}: called tasks are judged before those that call them."""
    if state.results is None:
        wanted, done = state.wanted(tasks), {}
        preliminary = {t: state.seen[t].verdict if t in state.seen else "NOT COUNTED" for t in tasks if t in wanted}
        order = sorted(wanted, key=lambda t: len(calls(state.attempt._names.get(t), wanted)) if t in
                       state.attempt._names and callable(state.attempt._names[t]) else 0)  # fmt: skip
        for task in order:
            done[task] = judge(state, task, preliminary)
            preliminary[task] = done[task][0]
        state.results = {t: done[t] for t in wanted}
    return state.results


# ---------------------------------------------------------------- from verdicts to lines


def report_lines(state: State, tasks: list[str]) -> list[tuple[str, str]]:
    """(verdict, line) of the report: who was graded, a line a task, the counts."""
    judged = results(state, tasks)
    shown = [t for t in judged if state.shown is None or t in state.shown]
    lines = [("", f"{state.path or 'this notebook'} (sha256 {stamp(state)}), seed {state.seed}")]
    width = max(map(len, shown), default=0) + 2
    for task in shown:
        verdict, finding = judged[task]
        lines.append((verdict, f"{task:{width}}{verdict:13}{finding.sentence}".rstrip()))
        more = [f"hint: {finding.hint}"] if finding.hint else []
        lines += [("", f"{'':{width + 13}}{line}") for line in [*more, *finding.details]]
    if len(shown) > 1:
        counts = Counter(judged[t][0] for t in shown)
        lines.append(("", ", ".join(f"{counts[v]} {v}" for v in reversed(VERDICTS) if counts[v])))
    return lines


def stamp(state: State) -> str:
    """The first digits of the attempt's hash, so that a verdict can be matched with a version."""
    text = Path(state.path).read_bytes() if state.path else "".join(map(source_of, state.attempt._names.values()))
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()[:8]


def source_of(obj: Any) -> str:
    try:
        return inspect.getsource(obj)
    except (OSError, TypeError):
        return repr(obj)


# ---------------------------------------------------------------- progress


def save_progress(path: Path, state: State, tasks: list[str]) -> None:
    """Merge the verdicts of whole runs into the progress file. A partial run neither earns nor erases anything."""
    new = {}
    for task, (verdict, finding) in results(state, tasks).items():
        if state.whole and state.ran[task] == state.tests[task] and state.tests[task]:
            new[task] = {
                "verdict": verdict,
                "sentence": finding.sentence,
                "attempt": str(state.path or "live"),
                "sha256": stamp(state),
                "seed": state.seed,
                "date": time.strftime("%Y-%m-%d %H:%M"),
            }
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"tasks": tasks, "verdicts": {**known, **new}}, indent=1), encoding="utf-8")
    os.replace(temporary, path)


def readable(path: str) -> Path:
    """An attempt's path, relative to where the learner stands, else to the project's folder."""
    for candidate in (Path(path).expanduser(), HERE.parent / path):
        if candidate.is_file():
            return candidate
    raise NotCounted(f"{path}: there is no such file here or in {HERE.parent.name}")
