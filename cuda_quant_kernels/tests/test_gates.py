"""The tests are tested: mistakes are caught and named, cheats are never RIGHT, the workbook is honest and solvable.

The same bytes in every project; what is particular to one stands in its mistakes.py. Where tasks are not Python,
`mistakes.SOLVE(cell_source)` gives the solved text of a workbook cell (None for a cell that holds no task).
"""

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import grader
import mistakes
import numpy as np
import pytest

FOLDER = Path(grader.HERE).parent
REFERENCE = importlib.import_module(grader.PACKAGE)
STARTER = FOLDER / "starter.ipynb"
SEEDS = 5


# ---------------------------------------------------------------- mistakes


@pytest.mark.timeout(400)
def test_every_mistake_fails_its_tasks_tests():
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--mistakes",
            str(SEEDS),
            "-q",
            "-p",
            "no:cacheprovider",
            "--ignore",
            str(Path(__file__)),
        ],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


@pytest.mark.parametrize("task", mistakes.TASKS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_mistake_is_told_apart(task, seed):
    right, wrong = grader.expected(task, seed)
    for i, (m, outputs) in enumerate(wrong):
        assert not grader.same(outputs, right), f"on the probes, the reference and {m.sentence} are the same"
        for other, theirs in wrong[:i]:
            assert not grader.same(outputs, theirs), f"the probes do not tell {m.sentence} from {other.sentence}"


@pytest.mark.parametrize("task", mistakes.TASKS)
def test_every_mistake_is_named(task):
    known = list(mistakes.of(task))
    assert known, f"{task} has no known mistakes"
    for m in known:
        assert grader.diagnose(grader.Names({task: m.implementation}), task, 0).sentence == m.sentence
        assert m.sentence and m.hint.strip()


@pytest.mark.parametrize("task", mistakes.TASKS)
def test_the_reference_has_no_mistake(task):
    assert grader.diagnose(grader.reference(), task, 7) is None
    assert grader.describe(grader.reference(), task, 7) == ""


def test_whole_numbers_are_equal_or_not():
    got, want = np.array([5, 17022976]), np.array([5, 17022977])
    assert not grader.same(got, want) and grader.same(want, want)
    assert "first differs at [1]: 17022976 where 17022977" in grader.difference(got, want)


def test_there_are_at_least_twelve_mistakes_in_all():
    assert sum(len(list(mistakes.of(task))) for task in mistakes.TASKS) >= 12


# ---------------------------------------------------------------- cheats


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
    if grader.is_array(x):
        return x * float("nan") if "float" in str(x.dtype) else np.full(tuple(x.shape), np.nan)
    return type(x)(map(nan_like, x)) if isinstance(x, (list, tuple)) else float("nan")


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


@pytest.mark.parametrize("how", ["crashes", "returns NaN", "claims to equal everything"])
def test_cheats_are_never_right(how, monkeypatch, tmp_path):
    monkeypatch.setenv("HARDWAY_PROGRESS", str(tmp_path / "progress.json"))
    attempt = grader.Names({task: cheat(task, how) for task in mistakes.TASKS})
    verdicts, _ = grader.grade(attempt, seed=0)
    assert set(verdicts) == set(mistakes.TASKS)
    assert "RIGHT" not in verdicts.values(), verdicts


def test_the_reference_as_an_attempt_is_not_counted(monkeypatch, tmp_path):
    monkeypatch.setenv("HARDWAY_PROGRESS", str(tmp_path / "progress.json"))
    (tmp_path / "a.py").write_text(f"from {grader.PACKAGE} import {', '.join(mistakes.TASKS)}\n")
    aliases = "".join(
        f"def {t}(*a, **k):\n    import {grader.PACKAGE} as r\n    return r.{t}(*a, **k)\n" for t in mistakes.TASKS
    )
    (tmp_path / "b.py").write_text(aliases)
    for name in ("a.py", "b.py"):
        verdicts, _ = grader.grade(grader.Attempt(grader.load(tmp_path / name)), seed=0)
        assert set(verdicts.values()) == {"NOT COUNTED"}, verdicts


# ---------------------------------------------------------------- the workbook


def code_cells(notebook):
    return [c for c in notebook["cells"] if c["cell_type"] == "code"]


def defines(source):
    """The task that a stub cell defines, or None."""
    try:
        plain = "\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n"))
        nodes = [n.name for n in ast.parse(plain).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    except SyntaxError:
        return None
    return next((n for n in nodes if n in mistakes.TASKS), None)


def with_its_needs(task):
    """The reference's text of a task, with the imports, constants and helpers of its module that it uses."""
    done, out = set(mistakes.TASKS) - {task}, []

    def add(module, name):
        tree = ast.parse(inspect.getsource(module))
        for node in tree.body:
            names = (
                [a.asname or a.name.split(".")[0] for a in getattr(node, "names", [])]
                if isinstance(node, (ast.Import, ast.ImportFrom))
                else [getattr(node, "name", "")]
                + [t.id for t in getattr(node, "targets", [getattr(node, "target", None)]) if isinstance(t, ast.Name)]
            )
            if name not in names or (module.__name__, name) in done:
                continue
            done.add((module.__name__, name))
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == grader.PACKAGE):
                original = next(a.name for a in node.names if name == (a.asname or a.name))
                if original not in done:
                    home = importlib.import_module("." * node.level + (node.module or ""), module.__package__)
                    add(
                        importlib.import_module(getattr(home, original).__module__)
                        if hasattr(getattr(home, original), "__module__")
                        else home,
                        original,
                    )
                return
            for used in sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {name}):
                if used not in done:
                    add(module, used)
            out.append(ast.unparse(node))

    add(importlib.import_module(getattr(REFERENCE, task).__module__), task)
    return "\n\n".join(dict.fromkeys(out))


def solved(notebook):
    solve = getattr(mistakes, "SOLVE", lambda source: with_its_needs(t) if (t := defines(source)) else None)
    filled = json.loads(json.dumps(notebook))
    for cell in code_cells(filled):
        if (text := solve("".join(cell["source"]))) is not None:
            cell["source"] = text
    return filled


EXECUTE = """
import sys, nbclient, nbformat
nbclient.NotebookClient(nbformat.read(sys.argv[1], 4), timeout=300, kernel_name="python3",
                        resources={"metadata": {"path": sys.argv[2]}}).execute()
"""


@pytest.fixture(scope="module")
def progress(tmp_path_factory):
    """The verdicts after running the workbook as shipped and as solved from top to bottom, side by side."""
    notebook, where = json.loads(STARTER.read_text(encoding="utf-8")), tmp_path_factory.mktemp("workbook")
    runs = {}
    for name, text in (("shipped", notebook), ("solved", solved(notebook))):
        (where / f"{name}.ipynb").write_text(json.dumps(text), encoding="utf-8")
        runs[name] = subprocess.Popen(
            [sys.executable, "-c", EXECUTE, str(where / f"{name}.ipynb"), str(FOLDER)],
            text=True,
            stderr=subprocess.PIPE,
            env={**os.environ, "HARDWAY_PROGRESS": str(where / f"{name}.json"), "MPLBACKEND": "agg"},
        )
    said = {name: run.communicate()[1] for name, run in runs.items()}
    for name, run in runs.items():
        assert run.returncode == 0, f"the {name} workbook stops: {said[name][-3000:]}"
    return {
        n: {t: v["verdict"] for t, v in json.loads((where / f"{n}.json").read_text())["verdicts"].items()} for n in runs
    }


@pytest.mark.timeout(600)
def test_the_shipped_workbook_runs_with_every_task_not_started(progress):
    assert progress["shipped"] == dict.fromkeys(mistakes.TASKS, "NOT STARTED")


@pytest.mark.timeout(600)
def test_the_solved_workbook_runs_with_every_task_right(progress):
    assert progress["solved"] == dict.fromkeys(mistakes.TASKS, "RIGHT")


def test_the_workbook_is_clean_and_holds_no_solution():
    notebook = json.loads(STARTER.read_text(encoding="utf-8"))
    text = "\n".join("".join(c["source"]) for c in code_cells(notebook))
    assert not any(c["outputs"] or c["execution_count"] for c in code_cells(notebook)), "the workbook holds outputs"
    assert not any(c["metadata"].get("jupyter", {}).get("source_hidden") for c in notebook["cells"]), "a hidden cell"
    for task in mistakes.TASKS if not hasattr(mistakes, "SOLVE") else []:
        body = [
            ast.unparse(s)
            for n in ast.walk(ast.parse(inspect.getsource(getattr(REFERENCE, task))))
            if isinstance(n, ast.FunctionDef)
            for s in n.body
            if isinstance(s, (ast.Assign, ast.Return, ast.AugAssign))
        ]
        assert not [line for line in body if len(line) > 25 and line in text], f"the workbook gives {task} away"
    for cell in code_cells(notebook):
        if (source := "".join(cell["source"])) and (task := defines(source)):
            assert "NotImplementedError" in source, f"{task} is not a stub"


def test_the_starter_as_a_file_is_not_started_and_solved_is_right(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWAY_PROGRESS", str(tmp_path / "progress.json"))
    (tmp_path / "solved.ipynb").write_text(json.dumps(solved(json.loads(STARTER.read_text(encoding="utf-8")))))
    for path, verdict in ((STARTER, "NOT STARTED"), (tmp_path / "solved.ipynb", "RIGHT")):
        verdicts, lines = grader.grade(grader.Attempt(grader.load(path)), seed=0)
        assert verdicts == dict.fromkeys(mistakes.TASKS, verdict), "\n".join(line for _, line in lines)
