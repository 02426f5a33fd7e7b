"""Grades an attempt with the project's own tests, and names the mistake.

    pytest                              validates the reference
    pytest --attempt my_cache.py        grades a file, a notebook, or any source the project has a loader for
                                        (of another folder: --attempt=/elsewhere/my_cache.py)
    pytest --mistakes 5                 shows that every classic mistake fails, on five seeds
    check(attend)                       grades a live function in a notebook

Read in this order: `load` (what counts as an attempt), `leans` (how an attempt that uses the reference is refused),
`Names` (how the tests see an attempt), `diagnose` and `describe` (what a wrong one is told), the hooks, `check`.

It is a tripwire for honest mistakes, not a sandbox: it will not stop someone set on fooling themselves.
The project's side of the bargain stands in `mistakes.py`: TASKS, PROBES, of(task) and, where needed, INPLACE
(tasks meant to change their arguments) and LOADERS (how to read attempts that are not Python).
"""
import ast
import copy
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

__all__ = ["impl", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "pytest_generate_tests",
           "pytest_runtest_call", "pytest_runtest_makereport", "pytest_runtest_protocol", "pytest_sessionfinish",
           "pytest_terminal_summary", "seed"]

HERE = Path(__file__).resolve().parent
PACKAGE = min(p.parent.name for p in HERE.parent.glob("src/*/__init__.py"))
VERDICTS = ["NOT COUNTED", "NOT STARTED", "WRONG", "RIGHT"]         # the worst of a task's tests is its verdict


class Mistake(NamedTuple):
    """A classic mistake as running code. `sentence` completes "your output matches ..."."""
    task: str
    sentence: str
    hint: str
    knobs: int                  # how many mistakes are combined: one is looked for before two
    implementation: Any


class NotStarted(Exception):
    """The attempt has no such name."""


class NotCounted(Exception):
    """The attempt cannot be graded: it leans on the reference, or cannot be read."""


class InPlace(AssertionError):
    """The attempt changed an argument that belongs to its caller."""


class Raised(NamedTuple):
    """What a probe gave when it raised: compared by type, told in full."""
    kind: str
    message: str


def exactly(got, want, why=""):
    """Assert the same type and the same value, so that an object that claims to equal everything does not pass."""
    assert type(got) is type(want), f"{why or 'the result'}: {type(got).__name__} where {type(want).__name__} is expected"
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


# ---------------------------------------------------------------- what counts as an attempt

def cells(path):
    """(where, suffix, source) of each code cell of a notebook, or of the whole file."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".ipynb":
            return [(path.name, path.suffix, text)]
        code = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise NotCounted(f"{path} cannot be read: {e}") from None
    found = []
    for n, source in enumerate(code, 1):
        first, _, rest = (source := "".join(source)).partition("\n")
        if first.startswith("%%writefile"):                          # a cell that writes a file is that file
            found.append((f"{path.name}, code cell {n}", Path(first.split()[-1]).suffix, "\n" + rest))
        elif not first.startswith("%%"):
            plain = ("" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n"))
            found.append((f"{path.name}, code cell {n}", ".py", "\n".join(plain)))
    return found


def kept(node):
    """Definitions, imports and UPPER_CASE constants belong to an attempt; demonstrations do not run."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    constant = bool(targets) and all(isinstance(t, ast.Name) and t.id.isupper() for t in targets)
    return constant or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def load(path):
    """The names that a file or notebook defines. Raises NotCounted, naming file, cell and line."""
    module = types.ModuleType("attempt")
    for where, suffix, source in cells(Path(path)):
        if loader := getattr(importlib.import_module("mistakes"), "LOADERS", {}).get(suffix):
            vars(module).update(loader(where, source))
        elif suffix == ".py":
            try:
                tree = ast.parse(source)
                for node in filter(kept, tree.body):
                    exec(compile(ast.Module([node], []), where, "exec"), vars(module))
            except SyntaxError as e:
                raise NotCounted(f"{where}, line {e.lineno}: {e.msg}") from None
            except Exception as e:
                raise NotCounted(f"{where}, line {node.lineno}: {type(e).__name__}: {e} (only definitions, imports "
                                 "and UPPER_CASE constants of an attempt are read)") from None
        elif Path(path).suffix != ".ipynb":
            raise NotCounted(f"{path}: an attempt is a .py file or a notebook")
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def codes(obj):
    """(function, code) of everything that runs when `obj` is used, helpers of the same attempt included."""
    todo, seen = [obj], set()
    while todo:
        if id(x := inspect.unwrap(todo.pop()) if callable(obj) else todo.pop()) in seen:
            continue
        seen.add(id(x))
        if inspect.isclass(x):
            todo += [getattr(v, "fget", getattr(v, "__func__", v)) for v in vars(x).values()]
        elif inspect.isfunction(x):
            inner = [x.__code__]
            for code in inner:
                yield x, code
                inner += [c for c in code.co_consts if inspect.iscode(c)]
                own = (x.__globals__.get(name) for name in code.co_names)
                todo += [v for v in own if getattr(v, "__module__", None) == x.__module__ and callable(v)]


def leans(obj):
    """The name through which `obj` uses the reference package, or None."""
    def ours(x):
        home = x.__name__ if inspect.ismodule(x) else getattr(x, "__module__", None) or getattr(type(x), "__module__", "")
        return str(home).split(".")[0] == PACKAGE
    for x in [obj, *(obj.__mro__ if inspect.isclass(obj) else [])]:
        if ours(x):
            return getattr(x, "__name__", str(x))
    for function, code in codes(obj):
        closure = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name in [*code.co_names, *code.co_freevars]:
            value = closure[name].cell_contents if name in closure else function.__globals__.get(name)
            if name.split(".")[0] == PACKAGE or ours(value):
                return name
        if text := [c for c in code.co_consts if isinstance(c, str) and c.split(".")[0] == PACKAGE and c != code.co_name]:
            return text[0]
    return None


def needs(obj, tasks):
    """The other tasks that `obj` calls, in their order."""
    names = {name for _, code in codes(obj) for name in code.co_names}
    return [t for t in tasks if t in names]


# ---------------------------------------------------------------- how the tests see an attempt

def is_array(x):
    return isinstance(x, np.ndarray) or hasattr(x, "detach")


def array(x):
    """A tensor, an array or a number as a float64 (or integer) array."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.double().numpy() if x.is_floating_point() else x.numpy()
    return np.asarray(x)


def guarded(function):
    """The function, watched for changing its arguments."""
    @functools.wraps(function)
    def watched(*args, **kwargs):
        before = [(n, a, copy.deepcopy(a)) for n, a in [*enumerate(args), *kwargs.items()]
                  if isinstance(a, (list, dict, set, bytearray)) or is_array(a)]
        result = function(*args, **kwargs)
        for name, now, then in before:
            if not same(now, then):
                names = list(inspect.signature(function).parameters)
                who = names[name] if isinstance(name, int) and name < len(names) else name
                raise InPlace(f"changes its argument `{who}` in place: the caller still needs it as it was")
        return result
    return watched


class Names:
    """A namespace of tasks. Without a fallback (every attempt), what is missing is missing."""

    def __init__(self, names, fallback=None):
        self._names, self._fallback = names, fallback

    def __getattr__(self, name):
        if name not in self._names:
            if self._fallback is None:
                raise NotStarted(name)
            return getattr(self._fallback, name)
        value = self._names[name]
        inplace = getattr(importlib.import_module("mistakes"), "INPLACE", ())
        return guarded(value) if inspect.isfunction(value) and name not in inplace else value


class Attempt(Names):
    """What a learner wrote: no fallback, and whatever uses the reference is not counted."""

    def __getattr__(self, name):
        if name in self._names and (through := leans(self._names[name])):
            raise NotCounted(f"uses `{through}` of {PACKAGE}, the reference: write it yourself to have it counted")
        return super().__getattr__(name)


def reference():
    return Names(vars(importlib.import_module(PACKAGE)))


# ---------------------------------------------------------------- what a wrong attempt is told

def plant(seed):
    """Seed every generator a test or probe may draw from."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def same(a, b):
    if is_array(a) or is_array(b) or isinstance(a, (float, np.number)) or isinstance(b, (float, np.number)):
        try:
            a, b = array(a), array(b)
            scale = float(np.nanmax(np.abs(b), initial=1.0, where=np.isfinite(b))) if b.dtype.kind == "f" else 1.0
            return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6 * scale, equal_nan=True)
        except (TypeError, ValueError, RuntimeError):
            return False
    if isinstance(a, Raised) or isinstance(b, Raised):
        return type(a) is type(b) and a.kind == b.kind
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


def line_of(error):
    """Where in the attempt an exception comes from, e.g. " (starter.ipynb, code cell 3, line 7)"."""
    frames = [(f.f_code, n) for f, n in _frames(error.__traceback__) if f.f_globals.get("__name__") in ("attempt", "__main__")]
    if not frames:
        return ""
    code, line = frames[-1]
    return f" ({code.co_filename}, line {line})" if os.sep not in code.co_filename else f" (line {line} of {code.co_name})"


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
    except Exception as e:                                           # that it crashes may be the mistake
        return Raised(type(e).__name__, first_line(e) + line_of(e))


@functools.cache
def expected(task, seed):
    """(the reference's outputs, [(mistake, its outputs), ...]) on every probe of a task."""
    import mistakes
    probes = mistakes.PROBES[task]
    wrong = [(m, [output(p, Names({task: m.implementation}, fallback=reference()), seed) for p in probes])
             for m in sorted(mistakes.of(task), key=lambda m: m.knobs)]
    return [output(p, reference(), seed) for p in probes], wrong


def diagnose(attempt, task, seed):
    """The mistake that reproduces the attempt on every probe, those it gets right included, or None."""
    import mistakes
    got = [output(p, attempt, seed) for p in mistakes.PROBES[task]]
    right, wrong = expected(task, seed)
    if same(got, right):
        return None
    return next((m for m, outputs in wrong if same(got, outputs)), None)


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
        return next(difference(g, w, f"{at}[{i}]") for i, (g, w) in enumerate(zip(got, want, strict=True)) if not same(g, w))
    if not (is_array(want) and is_array(got)):
        return f"{at or 'the result'} is {got!r:.80} where {want!r:.80} is expected"
    if tuple(got.shape) != tuple(want.shape):
        return f"{at or 'the result'} has shape {tuple(got.shape)} where {tuple(want.shape)} is expected"
    kinds, (g, w) = (got.dtype, want.dtype), (array(got), array(want))
    bad = ~np.isfinite(g) & np.isfinite(w) if g.dtype.kind == "f" else np.zeros(1, bool)
    if bad.any():
        return f"{at or 'the result'} holds {g[bad][0]} in {bad.sum()} of {g.size} places, first at {_first(bad)}"
    off = ~np.isclose(g, w, rtol=1e-4, atol=1e-6, equal_nan=True)
    note = f" (dtype {kinds[0]} where {kinds[1]} is expected)" if str(kinds[0]) != str(kinds[1]) else ""
    return f"{at or 'the result'} first differs at {_first(off)}: {g[off][0]:.6g} where {w[off][0]:.6g} is expected{note}"


def _first(mask):
    return [int(i) for i in np.argwhere(mask)[0]]


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
    also = next((f"it calls {t}, which is {verdicts[t][0]}: mend that first" for t in calls if verdicts[t][0] != "RIGHT"), "")
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
    parser.addoption("--attempt", default=None, help="grade the tasks in this notebook or file instead of the reference")
    parser.addoption("--seed", type=int, default=None, help="seed of the inputs (an attempt gets a fresh one otherwise)")
    parser.addoption("--mistakes", type=int, default=0, metavar="SEEDS", help="run every classic mistake through its tests")
    parser.addoption("--progress", default=os.environ.get("HARDWAY_PROGRESS", str(HERE.parent / ".progress.json")),
                     help="where verdicts are kept (default: .progress.json in the folder)")


def pytest_configure(config):
    config.addinivalue_line("markers", "task(name): grades one of the learner's tasks")
    config._live = getattr(config, "_live", None)                    # `grade` has put a live attempt there already
    config._attempt, config._verdicts, config._caught = config._live, {}, {}
    if not config._live:
        os.environ.setdefault("OMP_NUM_THREADS", "1")                # tests use small tensors: a second thread only waits
        try:
            importlib.import_module("jaxtyping").install_import_hook(PACKAGE, "beartype.beartype")
        except ImportError:
            pass                                                     # a project without tensors has no such annotations
    path = config.getoption("--attempt")
    if path:
        try:
            config._attempt = Attempt(load(path))
        except NotCounted as e:
            raise pytest.UsageError(f"NOT COUNTED   {e}") from None
    fresh = random.SystemRandom().randrange(10**6) if config._attempt else 0
    config._seed = fresh if config.getoption("--seed") is None else config.getoption("--seed")
    if config._attempt or config.getoption("--mistakes"):
        config.option.tbstyle, config.option.reportchars, config.option.verbose = "no", "", -1 if config._attempt else -2


def task_of(item):
    mark = item.get_closest_marker("task")
    return mark.args[0] if mark else None


def pytest_generate_tests(metafunc):
    seeds = metafunc.config.getoption("--mistakes")
    if seeds and "impl" in metafunc.fixturenames and (task := task_of(metafunc.definition)):
        import mistakes
        runs = [(m, s) for m in mistakes.of(task) for s in range(seeds)]
        both = "seed" in metafunc.fixturenames
        metafunc.parametrize("impl,seed" if both else "impl", [(r, r[1]) if both else r for r in runs], indirect=True,
                             ids=[f"{m.sentence}-{s}" for m, s in runs], scope="session")


def pytest_collection_modifyitems(config, items):
    if config._attempt or config.getoption("--mistakes"):
        only = getattr(config, "_only", None)
        items[:] = [i for i in items if task_of(i) and (only is None or task_of(i) in only)]


def run_of(item):
    """(mistake, seed) of a test run under --mistakes, else None."""
    return item.callspec.params["impl"] if item.config.getoption("--mistakes") else None


def pytest_runtest_protocol(item):
    if (run := run_of(item)) and item.config._caught.setdefault(run[0].sentence, {}).get(run[1]):
        return True                                                  # this mistake is caught already: on to the next
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
        verdict = "NOT COUNTED"                                      # nothing is skipped into green
    else:
        verdict = "WRONG" if error else "RIGHT"
    seen = item.config._verdicts
    if task not in seen or VERDICTS.index(verdict) < VERDICTS.index(seen[task][0]):
        seen[task] = (verdict, error, item.name)


def pytest_sessionfinish(session):
    config = session.config
    if config.getoption("--mistakes"):
        config._missed = [(m, s) for m, seeds in config._caught.items() for s in range(config.getoption("--mistakes"))
                          if not seeds.get(s)]
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
        told[task] = {"verdict": verdict, "said": said, "attempt": str(path or "live"), "sha256": stamp,
                      "seed": config._seed, "date": time.strftime("%Y-%m-%d %H:%M")}
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
    args = [str(HERE), "--rootdir", root, "-c", f"{root}/pyproject.toml", "-p", "no:terminal", "-p", "no:cacheprovider",
            "-p", "no:faulthandler", "-o", "timeout=0", "-s", "-W", "ignore::pytest.PytestAssertRewriteWarning",
            *(["--seed", str(seed)] if seed is not None else [])]
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
    verdicts, lines = grade(Attempt(names), only=[*shown, *(t for t in names if t in mistakes.TASKS)], shown=shown, seed=seed)
    print("\n".join(line for _, line in (lines if len(shown) > 1 else lines[1:])))
    return all(verdicts.get(t) == "RIGHT" for t in shown)
