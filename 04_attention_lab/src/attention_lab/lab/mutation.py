"""How many small changes of each task's reference the tests notice: `pytest --mutants`, counted."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable

from . import record

LINE = re.compile(
    r"^(\w+) +(\d+) mutants: (\d+) differ on the probes, (\d+) fail a test, (\d+) equivalent, (\d+) survive", re.MULTILINE
)
COUNT = "import mistakes; print({t: len(list(mistakes.of(t))) for t in mistakes.TASKS})"


def mutants(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The grader's own counts, by task.

    Raises:
        ValueError: the grader did not run to its end.
    """
    log("every small change of every task")
    only = ["--task", "merge_heads"] if options.quick else []
    pytest = [sys.executable, "-m", "pytest", "--mutants", "-q", "-p", "no:cacheprovider"]
    run = _run([*pytest, "--ignore", str(record.FOLDER / "tests" / "test_gates.py"), *only])
    found = LINE.findall(run)
    if not found:
        raise ValueError(f"pytest --mutants gave no counts: {run[-300:]}")
    named = eval(_run([sys.executable, "-c", COUNT]), {"__builtins__": {}})
    keys = ("mutants", "probes", "tests", "equivalent", "survive")
    return {"tasks": {t: dict(zip(keys, map(int, n), strict=True)) | {"mistakes": named[t]} for t, *n in found}}


def _run(command: list[str]) -> str:
    path = os.pathsep.join((str(record.FOLDER / "tests"), str(record.FOLDER / "src"), os.environ.get("PYTHONPATH", "")))
    run = subprocess.run(
        command, cwd=record.FOLDER, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    return run.stdout
