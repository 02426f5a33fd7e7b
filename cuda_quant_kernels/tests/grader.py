"""Grades an attempt with the project's own tests, and names the mistake. The same bytes in every project.

    pytest                              validates the reference
    pytest --attempt my_cache.py        grades a file, a notebook, or any source the project has a loader for
                                        (of another folder: --attempt=/elsewhere/my_cache.py)
    pytest --mistakes 5                 shows that every classic mistake fails, on five seeds
    check(attend)                       grades a live function in a notebook

`attempts.py` says what an attempt is, `compare.py` how outputs are compared. Here: `diagnose` finds the mistake that
reproduces an attempt, `describe` says what can be seen of one that nothing reproduces; then the hooks, and `check`.

It is a tripwire for honest mistakes, not a sandbox: it will not stop someone set on fooling themselves.
The project's side of the bargain stands in `mistakes.py`: TASKS, PROBES, of(task) and, where needed, INPLACE
(tasks meant to change their arguments) and LOADERS (how to read attempts that are not Python).
"""

import functools
import hashlib
import importlib
import inspect
import json
import os
import random
import sys
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from attempts import HERE, PACKAGE, Attempt, InPlace, Names, NotCounted, NotStarted, load, needs, reference
from compare import Raised, difference, exactly, is_array, same

__all__ = [
    "impl",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "seed",
]
__all__ += ["HERE", "PACKAGE", "Attempt", "Mistake", "Names", "check", "exactly", "is_array", "load", "same"]

VERDICTS = ["NOT COUNTED", "NOT STARTED", "WRONG", "RIGHT"]  # the worst of a task's tests is its verdict


class Mistake(NamedTuple):
    """A classic mistake as running code. `sentence` completes "your output matches ..."."""

    task: str
    sentence: str
    hint: str
    knobs: int  # how many mistakes are combined: one is looked for before two
    implementation: Any


def plant(seed):
    """Seed every generator a test or probe may draw from."""
    random.seed(seed)
    np.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 3 ms: it writes tracebacks for devices
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(seed)


def line_of(error):
    """Where in the attempt an exception comes from, e.g. " (starter.ipynb, code cell 3, line 7)"."""
    frames = [
        (f.f_code, n) for f, n in _frames(error.__traceback__) if f.f_globals.get("__name__") in ("attempt", "__main__")
    ]
    if not frames:
        return ""
    code, line = frames[-1]
    return (
        f" ({code.co_filename}, line {line})" if os.sep not in code.co_filename else f" (line {line} of {code.co_name})"
    )


def first_line(error):
    return f"{(str(error).strip() or type(error).__name__).splitlines()[0]:.160}"


def _frames(tb):
    while tb:
        yield tb.tb_frame, tb.tb_lineno
        tb = tb.tb_next


def output(probe, impl, seed):
    plant(seed)
    try:
        return probe(impl, seed)
    except Exception as e:  # that it crashes may be the mistake
        return Raised(type(e).__name__, first_line(e) + line_of(e), getattr(e, "facts", ()))


@functools.cache
def expected(task, seed):
    """(the reference's outputs, [(mistake, its outputs), ...]) on every probe of a task."""
    import mistakes

    probes = mistakes.PROBES[task]
    wrong = [
        (m, [output(p, Names({task: m.implementation}, fallback=reference()), seed) for p in probes])
        for m in sorted(mistakes.of(task), key=lambda m: m.knobs)
    ]
    return [output(p, reference(), seed) for p in probes], wrong


def diagnose(attempt, task, seed):
    """The mistake that reproduces the attempt on every probe, those it gets right included, or None."""
    import mistakes

    got = [output(p, attempt, seed) for p in mistakes.PROBES[task]]
    right, wrong = expected(task, seed)
    if same(got, right):
        return None
    return next((m for m, outputs in wrong if same(got, outputs)), None)


def describe(attempt, task, seed):
    """What can be seen of an attempt that no known mistake reproduces, or "" when every probe is right."""
    import mistakes

    right, wrong = [], []
    for probe, want in zip(mistakes.PROBES[task], expected(task, seed)[0], strict=True):
        name, got = probe.__name__.replace("_", " "), output(probe, attempt, seed)
        right.append(name) if same(got, want) else wrong.append((name, difference(got, want)))
    if not wrong:
        return ""
    lead = f"right on {', '.join(right)}; on " if right else "on "
    return f"{lead}{wrong[0][0]}: {wrong[0][1]}; no known mistake reproduces it"


def explain(attempt, task, seed, verdicts):
    """(sentence, hint) for one task of an attempt."""
    verdict, error, test = verdicts[task]
    obj = attempt._names.get(task)
    calls = needs(obj, [t for t in verdicts if t != task]) if obj and verdict in ("WRONG", "NOT STARTED") else []
    also = next(
        (f"it calls {t}, which is {verdicts[t][0]}: mend that first" for t in calls if verdicts[t][0] != "RIGHT"), ""
    )
    if verdict in ("RIGHT", "NOT COUNTED") or isinstance(error, InPlace):
        return str(error or ""), ""
    if verdict == "NOT STARTED":
        return also, ""
    if found := diagnose(attempt, task, seed):
        place = f" ({error.place})" if getattr(error, "place", "") else line_of(error)
        return f"your output matches {found.sentence}{place}{also and f'; {also}'}", found.hint
    if also:
        return also, ""
    return describe(attempt, task, seed) or f"{first_line(error)}{line_of(error)}   [{test}]", ""


# ---------------------------------------------------------------- pytest: options, fixtures, verdicts, report


def pytest_addoption(parser):
    parser.addoption(
        "--attempt", default=None, help="grade the tasks in this notebook or file instead of the reference"
    )
    parser.addoption(
        "--seed", type=int, default=None, help="seed of the inputs (an attempt gets a fresh one otherwise)"
    )
    parser.addoption(
        "--mistakes", type=int, default=0, metavar="SEEDS", help="run every classic mistake through its tests"
    )
    parser.addoption(
        "--progress",
        default=os.environ.get("HARDWAY_PROGRESS", str(HERE.parent / ".progress.json")),
        help="where verdicts are kept (default: .progress.json in the folder)",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "task(name): grades one of the learner's tasks")
    config._live = getattr(config, "_live", None)  # `grade` has put a live attempt there already
    config._attempt, config._verdicts, config._caught = config._live, {}, {}
    if not config._live:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests use small tensors: a second thread only waits
        try:
            importlib.import_module("beartype")
            importlib.import_module("jaxtyping").install_import_hook(PACKAGE, "beartype.beartype")
        except ImportError:
            pass  # a project without tensors has no such annotations
    path = config.getoption("--attempt")
    if path:
        try:
            config._attempt = Attempt(load(path))
        except NotCounted as e:
            raise pytest.UsageError(f"NOT COUNTED   {e}") from None
    fresh = random.SystemRandom().randrange(10**6) if config._attempt else 0
    config._seed = fresh if config.getoption("--seed") is None else config.getoption("--seed")
    if config._attempt or config.getoption("--mistakes"):
        config.option.tbstyle, config.option.reportchars, config.option.verbose = (
            "no",
            "",
            -1 if config._attempt else -2,
        )


def task_of(item):
    mark = item.get_closest_marker("task")
    return mark.args[0] if mark else None


def pytest_generate_tests(metafunc):
    seeds = metafunc.config.getoption("--mistakes")
    if seeds and "impl" in metafunc.fixturenames and (task := task_of(metafunc.definition)):
        import mistakes

        runs = [(m, s) for m in mistakes.of(task) for s in range(seeds)]
        both = "seed" in metafunc.fixturenames
        metafunc.parametrize(
            "impl,seed" if both else "impl",
            [(r, r[1]) if both else r for r in runs],
            indirect=True,
            ids=[f"{m.sentence}-{s}" for m, s in runs],
            scope="session",
        )


def pytest_collection_modifyitems(config, items):
    if config._attempt or config.getoption("--mistakes"):
        only = getattr(config, "_only", None)
        items[:] = [i for i in items if task_of(i) and (only is None or task_of(i) in only)]


def run_of(item):
    """(mistake, seed) of a test run under --mistakes, else None."""
    return item.callspec.params["impl"] if item.config.getoption("--mistakes") else None


def pytest_runtest_protocol(item):
    if (run := run_of(item)) and item.config._caught.setdefault(run[0].sentence, {}).get(run[1]):
        return True  # this mistake is caught already: on to the next
    return None


def pytest_runtest_call(item):
    plant(run_of(item)[1] if run_of(item) else item.config._seed)


@pytest.fixture(scope="session")
def impl(request):
    """The tasks under test: the reference's, an attempt's, or (under --mistakes) one mistake's."""
    if request.config.getoption("--mistakes"):
        return Names({request.param[0].task: request.param[0].implementation}, fallback=reference())
    return request.config._attempt or reference()


@pytest.fixture(scope="session")
def seed(request):
    """The seed of this run: 0 for the reference, fresh and reported for an attempt."""
    return request.param if hasattr(request, "param") else request.config._seed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    task, error = task_of(item), call.excinfo.value if call.excinfo else None
    if (run := run_of(item) if task else None) and report.failed:
        item.config._caught[run[0].sentence][run[1]] = item.nodeid.split("::")[-1].split("[")[0]
    if not (item.config._attempt and task) or (report.when != "call" and error is None):
        return
    if isinstance(error, (NotStarted, NotImplementedError)):
        verdict = "NOT STARTED"
    elif isinstance(error, NotCounted) or report.when != "call" or report.skipped:
        verdict = "NOT COUNTED"  # nothing is skipped into green
    else:
        verdict = "WRONG" if error else "RIGHT"
    seen = item.config._verdicts
    if task not in seen or VERDICTS.index(verdict) < VERDICTS.index(seen[task][0]):
        seen[task] = (verdict, error, item.name)


def pytest_sessionfinish(session):
    config = session.config
    if config.getoption("--mistakes"):
        config._missed = [
            (m, s)
            for m, seeds in config._caught.items()
            for s in range(config.getoption("--mistakes"))
            if not seeds.get(s)
        ]
        session.exitstatus = 1 if config._missed or not config._caught else 0


def report(config):
    """(verdict, line) of the report on an attempt: who was graded, a line a task, the counts. Keeps the progress."""
    import mistakes

    path, verdicts = config.getoption("--attempt"), config._verdicts
    wanted = [t for t in mistakes.TASKS if t in (getattr(config, "_only", None) or mistakes.TASKS)]
    for task in wanted:
        verdicts.setdefault(task, ("NOT COUNTED", "no test of this task ran", ""))
    text = Path(path).read_bytes() if path else "".join(map(source_of, config._live._names.values())).encode()
    stamp = hashlib.sha256(text).hexdigest()[:8]
    lines = [("", f"{path or 'this notebook'} (sha256 {stamp}), seed {config._seed}")]
    width, told = max(map(len, wanted), default=0) + 2, {}
    for task in wanted:
        verdict, (said, hint) = verdicts[task][0], explain(config._attempt, task, config._seed, verdicts)
        told[task] = {
            "verdict": verdict,
            "said": said,
            "attempt": str(path or "live"),
            "sha256": stamp,
            "seed": config._seed,
            "date": time.strftime("%Y-%m-%d %H:%M"),
        }
        if task in getattr(config, "_shown", wanted):
            lines.append((verdict, f"{task:{width}}{verdict:13}{said}".rstrip()))
            lines += [("", f"{'':{width + 13}}hint: {hint}")] if hint else []
    counts = Counter(told[t]["verdict"] for t in getattr(config, "_shown", wanted))
    if len(getattr(config, "_shown", wanted)) > 1:
        lines.append(("", ", ".join(f"{counts[v]} {v}" for v in reversed(VERDICTS) if counts[v])))
    keep(Path(config.getoption("--progress")), mistakes.TASKS, told)
    return lines


def source_of(obj):
    try:
        return inspect.getsource(obj)
    except (OSError, TypeError):
        return repr(obj)


def keep(path, tasks, told):
    """Merge verdicts into the progress file, written beside and renamed."""
    try:
        known = json.loads(path.read_text())["verdicts"]
    except (OSError, ValueError, KeyError):
        known = {}
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps({"tasks": tasks, "verdicts": {**known, **told}}, indent=1))
    os.replace(beside, path)


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--mistakes"):
        for sentence, seeds in config._caught.items():
            by = f"caught by {Counter(seeds.values()).most_common(1)[0][0]}" if seeds else "NOT CAUGHT"
            terminalreporter.write_line(f"{by:70} {sentence}")
        for sentence, s in config._missed:
            terminalreporter.write_line(f"NOT CAUGHT on seed {s}: {sentence}", red=True)
    elif config._attempt:
        terminalreporter.write_line("")
        for verdict, line in report(config):
            terminalreporter.write_line(line, green=verdict == "RIGHT", red=verdict == "WRONG", yellow="NOT" in verdict)


# ---------------------------------------------------------------- the same from a notebook


def grade(attempt, only=None, shown=None, seed=None):
    """Run the tests of an attempt in this process. Returns ({task: verdict}, the lines of the report)."""

    class Live:
        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            config._live, config._only, self.config = attempt, only and set(only), config
            if shown:
                config._shown = shown

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(self, session):
            self.lines = report(session.config)

    live, root = Live(), str(HERE.parent)
    args = [
        str(HERE),
        "--rootdir",
        root,
        "-c",
        f"{root}/pyproject.toml",
        "-p",
        "no:terminal",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faulthandler",
        "-o",
        "timeout=0",
        "-s",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        *(["--seed", str(seed)] if seed is not None else []),
    ]
    pytest.main(args, plugins=[live])
    return {task: v[0] for task, v in live.config._verdicts.items()}, live.lines


def check(*attempt, only=None, seed=None):
    """Grade live functions and classes, or a file, and print the verdict. True if all are RIGHT.

    check(attend)                 what the name stands for in this notebook, just now
    check("my_kernels.cu")        a file; `only=["quantize"]` for some of its tasks
    """
    import mistakes

    try:
        if all(isinstance(a, (str, Path)) for a in attempt):
            names = {k: v for path in attempt for k, v in load(path).items()}
            shown = only or [t for t in mistakes.TASKS if t in names]
        else:
            names = {getattr(a, "__name__", repr(a)): a for a in attempt}
            shown = list(names)
    except NotCounted as e:
        print(f"NOT COUNTED   {e}")
        return False
    if unknown := [n for n in shown if n not in mistakes.TASKS]:
        raise ValueError(f"{unknown[0]} is not a task of this project; its tasks are {', '.join(mistakes.TASKS)}")
    for a in [a for a in attempt if not isinstance(a, (str, Path))]:  # the tasks that it calls are graded too, unseen
        space = getattr(a, "__globals__", vars(sys.modules.get(a.__module__, types.ModuleType(""))))
        names |= {t: space[t] for t in needs(a, mistakes.TASKS) if t in space and t not in names}
    verdicts, lines = grade(
        Attempt(names), only=[*shown, *(t for t in names if t in mistakes.TASKS)], shown=shown, seed=seed
    )
    print("\n".join(line for _, line in (lines if len(shown) > 1 else lines[1:])))
    return all(verdicts.get(t) == "RIGHT" for t in shown)
