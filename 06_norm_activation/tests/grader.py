"""Grades an attempt with the project's own tests, and names the mistake. The same bytes in every project.

    pytest                                       validates the reference
    pytest --attempt my_cache.py                 grades a file, a notebook, or any source the project has a loader for
    pytest --attempt my_cache.py --task attend   grades one task
    pytest --mistakes 5                          shows that every classic mistake fails, on five seeds
    pytest --mutants                             shows that every small change of the reference fails
    check(attend)                                grades a live function in a notebook

A file in another folder needs the equals sign: pytest --attempt=/elsewhere/my_cache.py

`attempts` says what an attempt is, `compare` how outputs are compared, `diagnosis` which mistake was made, `report`
what is said and kept. The grader is made for honest mistakes; it will not stop someone who wants to fool it.
Each project must define, in mistakes.py: TASKS, PROBES and of(task). Optional: INPLACE (tasks that change their
arguments), GIVEN (what is handed out to learners), LOADERS (how to read attempts that are not Python), MUTANTS,
PARTS (the methods of a class task that learners write), SECONDS (for a test of a task that takes long), OWN_RESULTS
(the workbook promises that results share no memory).
"""

import importlib
import importlib.util
import os
import random
import sys
import types
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attempts import (
    HERE,
    PACKAGE,
    Attempt,
    InPlace,
    Names,
    NotCounted,
    NotStarted,
    Recorder,
    calls,
    load,
    reference,
    setting,
)
from beside import beside, printed
from compare import exactly, first_difference, is_array, same
from diagnosis import Mistake, combine, error_of, output, seed_everything
from limits import CPU_SECONDS, limited
from mutants import Mutant
from report import VERDICTS, Seen, State, readable, report_lines, results, save_progress
from runs import Run, mutation_report, runs, uncaught

__all__ = ["beside", "impl", "printed"]
__all__ += ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "pytest_generate_tests",
           "pytest_ignore_collect", "pytest_pyfunc_call", "pytest_report_teststatus", "pytest_runtest_call",
           "pytest_runtest_makereport", "pytest_runtestloop", "pytest_sessionfinish", "pytest_terminal_summary",
           "seed"]  # fmt: skip
__all__ += ["HERE", "PACKAGE", "Attempt", "InPlace", "Mistake", "Mutant", "Names", "NotCounted", "check", "combine",
            "error_of", "exactly", "is_array", "load", "replay", "same"]  # fmt: skip

STATE = pytest.StashKey[State]()


def tasks() -> list[str]:
    return importlib.import_module("mistakes").TASKS


# ---------------------------------------------------------------- pytest: options and what is run


def pytest_addoption(parser):
    add = parser.getgroup("grader").addoption
    add("--attempt", default=None, help="grade the tasks in this notebook or file instead of the reference")
    add("--task", action="append", default=None, help="grade this task only; may be given again")
    add("--seed", type=int, default=None, help="seed of the inputs (an attempt gets a fresh one otherwise)")
    add("--mistakes", type=int, default=0, metavar="SEEDS", help="run every classic mistake through its tests")
    add("--mutants", action="store_true", help="run every small change of the reference through its tests")
    progress = os.environ.get("HARDWAY_PROGRESS", str(HERE.parent / ".progress.json"))
    add("--progress", default=progress, help="where verdicts are kept (default: .progress.json in the folder)")


def pytest_configure(config):
    config.addinivalue_line("markers", "task(name): grades one of the learner's tasks")
    config.addinivalue_line("markers", "long: a process of its own, started first where several share the tests")
    option = config.getoption
    state = config.stash.get(STATE, None)  # `grade` has put a live attempt there already
    if state is None:
        state = State(mistakes=option("--mistakes"), mutants=option("--mutants"))
        if not state.mistakes:  # those are caught without this help, and sooner
            check_annotations()
    graded = bool(option("--attempt") or state.attempt)
    first_example_is_enough(drawn_anew=graded and option("--seed") is None)
    config.stash[STATE] = state
    try:
        if option("--attempt"):
            path = readable(option("--attempt"))
            state.path, state.attempt = str(path), Attempt(load(path))
    except NotCounted as error:
        raise pytest.UsageError(f"NOT COUNTED   {error}") from None
    if option("--task"):
        if unknown := [t for t in option("--task") if t not in tasks()]:
            raise pytest.UsageError(f"--task {unknown[0]}: the tasks of this project are {', '.join(tasks())}")
        state.only = set(option("--task"))
    fresh = random.SystemRandom().randrange(10**6) if state.attempt else 0
    state.seed = fresh if option("--seed") is None else option("--seed")
    if state.attempt or state.mistakes or state.mutants:
        config.option.tbstyle, config.option.reportchars, config.option.verbose = "no", "", -2
    source = getattr(config, "args_source", None)
    if source == pytest.Config.ArgsSource.INVOCATION_DIR:  # from a subfolder: the project's tests all the same
        config.args[:] = [str(HERE)]
    elif source == pytest.Config.ArgsSource.ARGS:
        state.whole = any(HERE.is_relative_to(Path(a).absolute()) for a in config.args)


def check_annotations() -> None:
    """The shapes and dtypes that the package's signatures promise are checked at each call."""
    try:
        importlib.import_module("beartype")
        importlib.import_module("jaxtyping").install_import_hook(PACKAGE, "beartype.beartype")
    except ImportError:
        pass  # a project without tensors has no such annotations


def first_example_is_enough(drawn_anew: bool) -> None:
    """A property that fails is not minimized: that runs a wrong attempt for minutes more, and no verdict shows it.

    The reference, mistakes, mutants and a given seed meet the same examples in each run, an attempt others each time.
    """
    if importlib.util.find_spec("hypothesis"):
        hypothesis = importlib.import_module("hypothesis")
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("hardway", phases=phases, database=None, derandomize=not drawn_anew)
        hypothesis.settings.load_profile("hardway")


def compare_plain_tensors() -> None:
    """torch.testing.assert_close looks for distributed tensors, whose import takes 0.7 s: no test has one."""
    if comparison := sys.modules.get("torch.testing._comparison"):
        comparison._HAS_DTENSOR = False


def task_of(item):
    mark = item.get_closest_marker("task")
    return mark.args[0] if mark else None


SETTLED = pytest.StashKey[bool]()  # of an item that did not need to run


def pytest_generate_tests(metafunc):
    state = metafunc.config.stash[STATE]
    if (state.mistakes or state.mutants) and "impl" in metafunc.fixturenames and (task := task_of(metafunc.definition)):
        both = "seed" in metafunc.fixturenames
        made = runs(state, task)
        metafunc.parametrize("impl,seed" if both else "impl", [(r, r.seed) if both else r for r in made], indirect=True,
                             ids=[f"{r.label}-{r.seed}" for r in made], scope="session")  # fmt: skip


def pytest_ignore_collect(collection_path, config):
    """Of a graded run, only files with tests of tasks are read: the others would import libraries for nothing."""
    state = config.stash[STATE]
    graded = state.attempt or state.mistakes or state.mutants
    if graded and collection_path.suffix == ".py" and "mark.task" not in collection_path.read_text(encoding="utf-8"):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    state = config.stash[STATE]
    if state.attempt or state.mistakes or state.mutants:
        items[:] = [i for i in items if task_of(i) and (state.only is None or task_of(i) in state.only)]
    elif state.only:
        items[:] = [i for i in items if task_of(i) in state.only]
    state.tests = Counter(task_of(i) for i in items)
    if hasattr(config, "workerinput"):  # one of several processes: none shall start what takes longest at the end
        items.sort(key=lambda i: i.get_closest_marker("long") is None)


def run_of(item) -> Run | None:
    """The mistake or mutant of a test run under --mistakes or --mutants."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return params["impl"] if isinstance(params.get("impl"), Run) else None  # none are left to run: pytest's NOTSET


def is_settled(item) -> bool:
    """Has another test shown already that this mistake, mutant or task is wrong?"""
    state, task = item.config.stash[STATE], task_of(item)
    if run := run_of(item):
        return bool(state.caught.setdefault((run.task, run.label), {}).get(run.seed))
    return bool(state.attempt) and task in state.seen and state.seen[task].verdict != "RIGHT"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """A mistake or mutant that a test has caught needs no other: of tens of thousands of items, no hook is asked."""
    compare_plain_tensors()
    state, items = session.config.stash[STATE], session.items
    if not (state.mistakes or state.mutants) or session.testsfailed or session.config.option.collectonly:
        return None
    for item, following in zip(items, [*items[1:], None], strict=True):
        if run_of(item) is None or not is_settled(item):
            session._setupstate.teardown_exact(item)  # the one before may be of another module
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    session._setupstate.teardown_exact(None)
    return True


def pytest_runtest_call(item):
    seed_everything(run_of(item).seed if run_of(item) else item.config.stash[STATE].seed)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Tests of attempts, mistakes and mutants end: a loop without end is a failure that names its line.

    A warning, which fails a test of the reference, is none of theirs.
    """
    state, task = pyfuncitem.config.stash[STATE], task_of(pyfuncitem)
    if not task or not (state.attempt or state.mistakes or state.mutants):
        return None
    if is_settled(pyfuncitem):
        pyfuncitem.stash[SETTLED] = True
        return True
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    seconds = setting("SECONDS", {}).get(task, CPU_SECONDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limited(lambda: pyfuncitem.obj(**arguments), seconds)
    return True


@pytest.fixture(scope="session")
def impl(request):
    """The tasks under test: the reference's, an attempt's, or one mistake's or mutant's."""
    state = request.config.stash[STATE]
    if state.mistakes or state.mutants:
        return Names({request.param.task: request.param.implementation}, fallback=reference())
    return state.attempt or reference()


@pytest.fixture(scope="session")
def seed(request):
    """The seed of this run: 0 for the reference, fresh and reported for an attempt."""
    return request.param if hasattr(request, "param") else request.config.stash[STATE].seed


# ---------------------------------------------------------------- pytest: verdicts and the report


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    found = (yield).get_result()
    state, task, error = item.config.stash[STATE], task_of(item), call.excinfo.value if call.excinfo else None
    if (run := run_of(item) if task else None) and found.failed:
        state.caught[run.task, run.label][run.seed] = item.nodeid.split("::")[-1].split("[")[0]
    if not (state.attempt and task) or (found.when != "call" and error is None):
        return
    state.ran[task] += found.when == "call"
    if item.stash.get(SETTLED, False):
        return
    if isinstance(error, (NotStarted, NotImplementedError)):
        verdict = "NOT STARTED"
    elif isinstance(error, NotCounted) or found.when == "teardown" or found.skipped:
        verdict = "NOT COUNTED"  # nothing is skipped into green
    else:
        verdict = "WRONG" if error else "RIGHT"
    seen = state.seen.get(task)
    if seen is None or VERDICTS.index(verdict) < VERDICTS.index(seen.verdict):
        state.seen[task] = Seen(verdict, error, item.name)


def pytest_report_teststatus(report, config):
    """Of an attempt, only the verdicts are shown: no F for a task that is not started."""
    return ("", "", "") if config.stash[STATE].attempt else None


def pytest_sessionfinish(session):
    state = session.config.stash[STATE]
    if state.mistakes:
        session.exitstatus = 1 if not state.caught or uncaught(state) else 0
    elif state.mutants:
        session.exitstatus = 1 if mutation_report(state)[1] else 0
    elif state.attempt and state.path:
        judged = results(state, tasks())
        save_progress(Path(session.config.getoption("--progress")), state, tasks())
        session.exitstatus = 0 if judged and all(v == "RIGHT" for v, _ in judged.values()) else 1


def pytest_terminal_summary(terminalreporter, config):
    state, write = config.stash[STATE], terminalreporter.write_line
    if state.mistakes:
        for (task, sentence), seeds in state.caught.items():
            by = f"caught by {Counter(seeds.values()).most_common(1)[0][0]}" if seeds else "NOT CAUGHT"
            write(f"{by:70} {task}: {sentence}")
        for task, sentence, s in uncaught(state):
            write(f"NOT CAUGHT on seed {s}: {task}: {sentence}", red=True)
    elif state.mutants:
        for line in mutation_report(state)[0]:
            write(line, red=line.startswith(("SURVIVES", "LISTED")))
    elif state.attempt:
        write("")
        for verdict, line in report_lines(state, tasks()):
            write(line, green=verdict == "RIGHT", red=verdict == "WRONG", yellow=verdict == "NOT COUNTED")


# ---------------------------------------------------------------- the same from a notebook


def grade(attempt: Names, only=None, shown=None, seed=None, progress=True) -> tuple[dict[str, str], list]:
    """Run the tests of an attempt in this process. Returns ({task: verdict}, the lines of the report)."""
    state = State(attempt=attempt, only=only and set(only), shown=shown)

    class Live:
        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            config.stash[STATE], self.progress = state, config.getoption("--progress")

    live, root = Live(), str(HERE.parent)
    unused = ("terminal", "cacheprovider", "faulthandler", "logging", "unraisableexception", "threadexception")
    without = [f"-pno:{plugin}" for plugin in unused]
    args = [str(HERE), "--rootdir", root, "-c", f"{root}/pyproject.toml", *without, "-o", "timeout=0", "-s",
            "-W", "ignore::pytest.PytestAssertRewriteWarning",
            *(["--seed", str(seed)] if seed is not None else [])]  # fmt: skip
    pytest.main(args, plugins=[live])
    judged = results(state, tasks())
    if progress:
        save_progress(Path(live.progress), state, tasks())
    return {t: verdict for t, (verdict, _) in judged.items()}, report_lines(state, tasks())


def check(*attempt, only=None, seed=None) -> bool:
    """Grade live functions and classes, or a file, and print the verdict. True if all are RIGHT.

    check(attend)                 what the name stands for in this notebook, just now
    check("my_kernels.cu")        a file; `only=["quantize"]` for some of its tasks
    """
    try:
        if all(isinstance(a, (str, Path)) for a in attempt):
            names = {k: v for path in attempt for k, v in load(readable(str(path))).items()}
            shown = only or [t for t in tasks() if t in names]
        else:
            names = {getattr(a, "__name__", repr(a)): a for a in attempt}
            shown = list(names)
    except NotCounted as error:
        print(f"NOT COUNTED   {error}")
        return False
    if unknown := [n for n in shown if n not in tasks()]:
        raise ValueError(f"{unknown[0]} is not a task of this project; its tasks are {', '.join(tasks())}")
    for a in [a for a in attempt if not isinstance(a, (str, Path))]:  # the tasks that it calls are graded too, unseen
        space = getattr(a, "__globals__", vars(sys.modules.get(a.__module__, types.ModuleType(""))))
        names |= {t: space[t] for t in calls(a, tasks()) if t in space and t not in names}
    graded = [*shown, *(t for t in names if t in tasks() and t not in shown)]
    verdicts, lines = grade(Attempt(names), only=graded, shown=shown, seed=seed)
    print("\n".join(line for _, line in (lines if len(shown) > 1 else lines[1:])))
    return all(verdicts.get(t) == "RIGHT" for t in shown)


def replay(attempt, probe: str, seed: int) -> tuple[Any, Any]:
    """Repeat what a verdict speaks of: (got, wanted) of a probe, with the call's arguments printed."""
    task = attempt.__name__
    found = {p.__name__: p for p in importlib.import_module("mistakes").PROBES[task]}
    if probe not in found:
        raise ValueError(f"probe={probe!r}: {task} has {', '.join(found)}")
    mine = Recorder(Names({task: attempt}))
    got, want = output(found[probe], mine, seed), output(found[probe], reference(), seed)
    for call in mine._calls.get(task, []):
        print(f"args={call.args!r}, kwargs={call.kwargs!r}")
    at, g, w = first_difference(got, want)
    print(f"{at + ': ' if at else ''}got {g!r}\nwanted {w!r}")
    return got, want
