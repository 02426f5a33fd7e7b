"""The mutants of the tasks, counted: a section of the results like any other. `pytest --mutants` does the work."""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable

from .markdown import meta_line, section, table
from .record import FOLDER

COUNTS = ("mutants", "differ on the probes", "fail a test", "equivalent", "survive")
LINE = re.compile(r"^(\w+) +(\d+) mutants: (\d+) differ on the probes, (\d+) fail a test, (\d+) equivalent, (\d+) surv")


def mutants(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """For each task, how many mutants of its reference there are and what notices them.

    Raises:
        ValueError: a mutant survives, or pytest could not run.
    """
    log("running pytest --mutants")
    command = [sys.executable, "-m", "pytest", "--mutants", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    if run.returncode:
        lines = (run.stdout + run.stderr).strip().splitlines()
        raise ValueError(f"pytest --mutants ended with code {run.returncode}: {' '.join(lines[-3:])}")
    return {"tasks": counts(run.stdout)}


def counts(output: str) -> dict[str, dict[str, int]]:
    """{task: {count: number}} from what `pytest --mutants` prints."""
    matches = [match for line in output.splitlines() if (match := LINE.match(line))]
    return {m[1]: dict(zip(COUNTS, map(int, m.groups()[1:]), strict=True)) for m in matches}


def mutation_table(content: dict | None = None) -> str:
    """One row a task, and the sum."""
    content = content or section("mutants")
    tasks = content["tasks"]
    rows = [(f"`{task}`", *(numbers[name] for name in COUNTS)) for task, numbers in tasks.items()]
    total = ("all", *(sum(numbers[name] for numbers in tasks.values()) for name in COUNTS))
    return f"{table([('task', *COUNTS), *rows, total])}\n\n{meta_line(content)}\n"
