"""The tests are tested: mistakes are caught and named, cheats are never RIGHT, the workbook is honest and solvable.

The same bytes in every project; what is particular to one stands in its mistakes.py, styles.py and equivalents.py.
Where tasks are not Python, `mistakes.SOLVE(cell_source)` gives the solved text of a workbook cell (None for a cell that
holds no task).
"""

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import diagnosis
import grader
import mistakes
import numpy as np
import pytest
import styles
from attempts import Attempt, Names, load, reference, uses_reference
from compare import is_array, same
from limits import TooLong, bounded_memory, limited
from runs import differs
from steady import unsteady
from workbook import code_cells, defines, solved

FOLDER = Path(grader.HERE).parent
REFERENCE = importlib.import_module(grader.PACKAGE)
STARTER = FOLDER / "starter.ipynb"
SEEDS = getattr(mistakes, "GATE_SEEDS", 5)
PYTHON_TASKS = not hasattr(mistakes, "SOLVE")


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize("task", mistakes.TASKS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_mistake_is_told_apart(task, seed, beside):
    """From the reference and from all others, probe by probe: who is told from all need not be asked any more."""
    right, wrong = diagnosis.expected(task, seed)
    names, outputs = ["the reference", *(m.sentence for m, _ in wrong)], [right, *(theirs for _, theirs in wrong)]
    alike = [(i, j) for i in range(len(outputs)) for j in range(i)]
    for k in range(len(right)):
        alike = [(i, j) for i, j in alike if same(outputs[i][k], outputs[j][k])]
    assert not alike, "the probes do not tell " + "; ".join(f"{names[i]} from {names[j]}" for i, j in alike)


@pytest.mark.parametrize("task", mistakes.TASKS)
def test_every_mistake_is_named(task):
    known = list(mistakes.of(task))
    assert known, f"{task} has no known mistakes"
    for m in known:
        found = diagnosis.diagnose(Names({task: m.implementation}, fallback=reference()), task, 0)
        assert found.mistake and found.mistake.sentence == m.sentence, f"{m.sentence}: named {found.sentence}"
        assert m.sentence and m.hint.strip()


@pytest.mark.parametrize("task", mistakes.TASKS)
def test_the_reference_has_no_mistake(task):
    assert diagnosis.diagnose(reference(), task, 7).sentence == ""
    assert unsteady(reference(), task, 7).sentence == ""


def test_there_are_at_least_twelve_mistakes_in_all():
    assert sum(len(list(mistakes.of(task))) for task in mistakes.TASKS) >= 12


LARGE = {"transformers", "sklearn", "gensim", "peft", "trl", "datasets", "openai", "pandas", "matplotlib"}


def test_a_graded_test_imports_no_large_library():
    """A learner waits for it. What compares with such a library tests the reference alone, without the mark `task`."""
    found = []
    for path in sorted(grader.HERE.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body if "mark.task" in text else []:
            marks = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
            if isinstance(node, (ast.Import, ast.ImportFrom)) or any("mark.task" in mark for mark in marks):
                imports = [n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom))]
                names = {name for n in imports for name in (getattr(n, "module", None), *(a.name for a in n.names))}
                large = {str(name).split(".")[0] for name in names} & LARGE
                found += [f"{path.name}, line {node.lineno}: {name}" for name in large]
    assert not found, "; ".join(found)


# ---------------------------------------------------------------- right in another style, and cheats


def style_rounds():
    """The first style of every task together, then the second, and so on."""
    most = max(len(styles.STYLES.get(t, {})) for t in mistakes.TASKS)
    for i in range(most):
        names = {t: list(styles.STYLES[t].items())[i] for t in mistakes.TASKS if len(styles.STYLES.get(t, {})) > i}
        yield pytest.param({t: made for t, (_, made) in names.items()}, id="; ".join(n for n, _ in names.values())[:80])


def test_every_task_has_two_styles():
    few = [t for t in mistakes.TASKS if len(styles.STYLES.get(t, {})) < 2]
    assert not few, f"styles.py has fewer than two right solutions of {', '.join(few)}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("round_", list(style_rounds()))
def test_right_answers_in_another_style_are_right(round_):
    verdicts, lines = grader.grade(Attempt(round_), only=list(round_), seed=0, progress=False)
    assert verdicts == dict.fromkeys(verdicts, "RIGHT"), "\n".join(line for _, line in lines)
    assert set(verdicts) == set(round_)


class Anything:
    """Claims to equal everything, and to have every attribute."""

    __hash__ = None

    def __eq__(self, other):
        return True

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __eq__

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self

    __getitem__ = __sub__ = __rsub__ = __add__ = __mul__ = __call__

    def __abs__(self):
        return self

    def __iter__(self):
        return iter([self])

    def __len__(self):
        return 1


def nan_like(x):
    if is_array(x):
        return x * float("nan") if "float" in str(x.dtype) else np.full(tuple(x.shape), np.nan)
    return type(x)(map(nan_like, x)) if type(x) in (list, tuple) else float("nan")


def crash(*args, **kwargs):
    raise RuntimeError("no")


def cheat(task, how):
    """The task, replaced by something that knows nothing about it."""
    real = getattr(REFERENCE, task)
    if inspect.isclass(real):
        methods = [n for n, v in vars(real).items() if inspect.isfunction(v) and not n.startswith("_")]
        return type(task, (real,), {n: cheat_call(getattr(real, n), how) for n in methods})
    return cheat_call(real, how)


def cheat_call(real, how):
    return {
        "crashes": crash,
        "claims to equal everything": lambda *a, **k: Anything(),
        "returns NaN": lambda *a, **k: nan_like(real(*a, **k)),
    }[how]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["crashes", "returns NaN", "claims to equal everything"])
def test_cheats_are_never_right(how):
    attempt = Names({task: cheat(task, how) for task in mistakes.TASKS})
    verdicts, _ = grader.grade(attempt, seed=0, progress=False)
    assert set(verdicts) == set(mistakes.TASKS)
    assert "RIGHT" not in verdicts.values(), verdicts


def test_the_reference_as_an_attempt_is_not_counted(tmp_path):
    (tmp_path / "a.py").write_text(f"from {grader.PACKAGE} import {', '.join(mistakes.TASKS)}\n")
    alias = "def {t}(*a, **k):\n    import {p} as r\n    return r.{t}(*a, **k)\n"
    (tmp_path / "b.py").write_text("".join(alias.format(t=t, p=grader.PACKAGE) for t in mistakes.TASKS))
    for name in ("a.py", "b.py"):
        verdicts, _ = grader.grade(Attempt(load(tmp_path / name)), seed=0, progress=False)
        assert set(verdicts.values()) == {"NOT COUNTED"}, verdicts


def first_argument_does_it(*args, **kwargs):
    """What is handed out, called with the rest of the arguments."""
    return args[0](*args[1:], **kwargs)


@pytest.mark.skipif(not PYTHON_TASKS, reason="tasks are not Python")
@pytest.mark.parametrize("task", mistakes.TASKS)
def test_what_is_handed_out_does_not_do_the_task_in_a_line(task):
    given = [getattr(REFERENCE, n) for n in getattr(mistakes, "GIVEN", ()) if callable(getattr(REFERENCE, n, None))]
    for short_cut in [first_argument_does_it, *given]:
        names = Names({task: lambda *a, f=short_cut, **k: f(*a, **k)}, fallback=reference())
        with bounded_memory():  # a model may be made of any argument
            try:
                told = limited(lambda names=names: differs(names, task, 0), 10)
            except TooLong:
                told = True
        assert told, short_cut


# ---------------------------------------------------------------- reading attempts, loops without end, parts of a run


def attempt_of(tmp_path, text):
    (tmp_path / "attempt.py").write_text(text)
    return load(tmp_path / "attempt.py")


def test_constants_and_lambdas_belong_to_an_attempt_and_demonstrations_do_not(tmp_path):
    text = "half = 1 / 2\nscale = lambda x: x * half\ndef f(x):\n    return scale(x)\nprint(1 / 0)\nshown = f(1 / 0)\n"
    assert attempt_of(tmp_path, text)["f"](6) == 3


def test_imports_that_only_demonstrations_need_do_not_run(tmp_path):
    (tmp_path / "slow_to_draw.py").write_text("raise RuntimeError('it was imported')\n")
    text = "import os.path as p\nfrom math import *\nfrom typing import ClassVar\nimport slow_to_draw as plt\n"
    text += "class A:\n    x: 'ClassVar[int]' = 1\ndef f(x):\n    return floor(x), p.sep\nplt.plot(f(2.5))\n"
    sys.path.insert(0, str(tmp_path))
    try:
        found = attempt_of(tmp_path, text)
    finally:
        sys.path.remove(str(tmp_path))
    assert found["f"](2.5) == (2, os.sep) and "ClassVar" in found and "plt" not in found


def test_a_dataclass_of_the_attempt_finds_its_module(tmp_path):
    text = (
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass Pair:\n    x: int = 1\n"
    )
    assert attempt_of(tmp_path, text + "def f():\n    return Pair(3).x\n")["f"]() == 3


HANDED_OUT = [name for name in getattr(mistakes, "GIVEN", ()) if hasattr(REFERENCE, name)]


@pytest.mark.skipif(not PYTHON_TASKS or not HANDED_OUT, reason="nothing is handed out")
def test_what_is_handed_out_may_be_taken_from_the_package_by_its_name(tmp_path):
    name, task, package = HANDED_OUT[0], mistakes.TASKS[0], REFERENCE.__name__
    for head, stem in ((f"import {package} as p", "p"), (f"import {package}", package)):
        fair = attempt_of(tmp_path, f"{head}\ndef f():\n    return {stem}.{name}\n")["f"]
        assert uses_reference(fair) is None
        for unfair in (f"{stem}.{task}", stem, f"getattr({stem}, {task!r})", f"{stem}.__dict__[{task!r}]"):
            assert uses_reference(attempt_of(tmp_path, f"{head}\ndef f():\n    return {unfair}\n")["f"]), unfair


def test_a_warning_of_the_compiler_does_not_uncount_an_attempt(tmp_path):
    assert attempt_of(tmp_path, 'def f():\n    "\\d"\n    return 1\n')["f"]() == 1


def test_a_file_that_cannot_be_read_says_where(tmp_path):
    with pytest.raises(grader.NotCounted, match="attempt.py, line 2"):
        attempt_of(tmp_path, "x = 1\ndef f(:\n    pass\n")


def test_an_attribute_of_the_same_name_is_not_a_call_of_a_task():
    names = types.ModuleType("attempt")
    exec("def f(x):\n    return x.g()\ndef g(x):\n    return x\ndef h(x):\n    return g(x)\n", vars(names))
    assert grader.calls(names.f, ["g"]) == [] and grader.calls(names.h, ["g"]) == ["g"]


def test_a_loop_without_end_is_interrupted_and_names_its_line(tmp_path):
    names = attempt_of(tmp_path, "def f():\n    n = 0\n    while n < 3:\n        n = n * 1\n")
    with pytest.raises(TooLong, match=r"attempt.py, line [34]"):
        limited(names["f"], 0.3)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell a process its size")
def test_memory_is_bounded_as_long_as_it_is_meant_to_be():
    with bounded_memory(2**28), pytest.raises(MemoryError):
        bytearray(2**30)
    assert len(bytearray(2**29)) == 2**29


@pytest.mark.skipif(not PYTHON_TASKS, reason="tasks are not Python")
def test_an_attempt_that_is_warned_of_something_is_right_all_the_same():
    first = next(t for t in mistakes.TASKS if inspect.isfunction(getattr(REFERENCE, t)))

    def warned(*args, **kwargs):
        warnings.warn("a library's next version will do this in another way", DeprecationWarning, stacklevel=2)
        return getattr(REFERENCE, first)(*args, **kwargs)

    verdicts, lines = grader.grade(Names({first: warned}), only=[first], seed=0, progress=False)
    assert verdicts == {first: "RIGHT"}, "\n".join(line for _, line in lines)


@pytest.mark.skipif(not PYTHON_TASKS, reason="tasks are not Python")
def test_a_task_that_does_not_end_is_wrong_and_the_others_get_their_verdicts(monkeypatch):
    monkeypatch.setattr(grader, "CPU_SECONDS", 3.0)
    monkeypatch.setattr(mistakes, "SECONDS", {}, raising=False)
    first, *others = mistakes.TASKS

    def endless(*args, **kwargs):
        while True:
            pass

    if inspect.isclass(real := getattr(REFERENCE, first)):
        endless = type(first, (real,), {"__init__": endless})
    attempt = Names({first: endless, **{t: getattr(REFERENCE, t) for t in others}})
    verdicts, lines = grader.grade(attempt, seed=0, progress=False)
    assert verdicts == {first: "WRONG", **dict.fromkeys(others, "RIGHT")}, "\n".join(line for _, line in lines)
    assert any("does not end" in line for _, line in lines)


@pytest.mark.timeout(300)
def test_one_task_is_graded_alone_calmly_and_a_partial_run_keeps_the_progress(tmp_path, capfd):
    """The first command is typed in a folder below, as a learner may; the others need no process of their own."""
    task, path = mistakes.TASKS[0], tmp_path / "p.json"
    words = ["-p", "no:cacheprovider", f"--progress={path}", f"--attempt={STARTER}"]
    command = [sys.executable, "-m", "pytest", *words, "--task", task]
    run = subprocess.run(command, cwd=FOLDER / "tests", capture_output=True, text=True)
    assert f"{task}  NOT STARTED" in run.stdout and "fail" not in run.stdout.lower(), run.stdout + run.stderr
    assert all(f"\n{other}  " not in run.stdout for other in mistakes.TASKS[1:])
    kept = json.loads(path.read_text())
    assert kept["verdicts"].keys() == {task}
    kept["verdicts"][task]["verdict"] = "RIGHT"
    path.write_text(json.dumps(kept))
    here = [*words, "-s", f"--rootdir={FOLDER}", "-c", str(FOLDER / "pyproject.toml"), str(grader.HERE)]
    pytest.main([*here, "-k", "nothing_is_called_like_this"])
    assert json.loads(path.read_text())["verdicts"][task]["verdict"] == "RIGHT"
    assert pytest.main([*here, "--task", "no_such_task"]) == pytest.ExitCode.USAGE_ERROR
    assert task in capfd.readouterr().err


# ---------------------------------------------------------------- the workbook


def test_the_workbook_is_clean_and_holds_no_solution():
    notebook = json.loads(STARTER.read_text(encoding="utf-8"))
    text = "\n".join("".join(c["source"]) for c in code_cells(notebook))
    assert not any(c["outputs"] or c["execution_count"] for c in code_cells(notebook)), "the workbook holds outputs"
    assert not any(c["metadata"].get("jupyter", {}).get("source_hidden") for c in notebook["cells"]), "a hidden cell"
    for task in mistakes.TASKS if PYTHON_TASKS else []:
        tree = ast.parse(inspect.getsource(getattr(REFERENCE, task)))
        steps = [s for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) for s in n.body]
        body = [ast.unparse(s) for s in steps if isinstance(s, (ast.Assign, ast.Return, ast.AugAssign))]
        assert not [line for line in body if len(line) > 25 and line in text], f"the workbook gives {task} away"
    stubs = {defines("".join(c["source"])): "".join(c["source"]) for c in code_cells(notebook)}
    for task in mistakes.TASKS if PYTHON_TASKS else []:
        assert "NotImplementedError" in stubs.get(task, ""), f"the workbook has no stub of {task}"


@pytest.mark.timeout(600)
def test_the_solved_workbook_as_a_file_is_right(tmp_path):
    (tmp_path / "solved.ipynb").write_text(json.dumps(solved(json.loads(STARTER.read_text(encoding="utf-8")))))
    verdicts, lines = grader.grade(Attempt(load(tmp_path / "solved.ipynb")), seed=0, progress=False)
    assert verdicts == dict.fromkeys(mistakes.TASKS, "RIGHT"), "\n".join(line for _, line in lines)


# ---------------------------------------------------------------- what ran beside: last, so that it had its time


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_shipped_workbook_runs_with_every_task_not_started(beside):
    assert beside("shipped")[1] == dict.fromkeys(mistakes.TASKS, "NOT STARTED")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_mistake_fails_its_tasks_tests(beside):
    beside("mistakes")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_mutant_fails_or_is_listed_as_equivalent(beside):
    beside("mutants")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_solved_workbook_runs_with_every_task_right(beside):
    assert beside("solved")[1] == dict.fromkeys(mistakes.TASKS, "RIGHT")
