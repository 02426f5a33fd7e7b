"""Mistakes, mutants and the workbook, in processes beside the tests. The same bytes in every project.

`beside` and `printed` are fixtures of the whole session.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]
STARTER = FOLDER / "starter.ipynb"
ASKED = {  # what is asked for by which gate
    "shipped": "test_the_shipped_workbook_runs_with_every_task_not_started",
    "mistakes": "test_every_mistake_fails_its_tasks_tests",
    "mutants": "test_every_mutant_fails_or_is_listed_as_equivalent",
    "solved": "test_the_solved_workbook_runs_with_every_task_right",
}


def command(name: str, where: Path) -> list[str]:
    """What stands alone in the workbook is the same as shipped and as solved, and runs once: as shipped."""
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:logging"]
    if name == "mutants":
        return [*pytest_, "--mutants"]
    if name == "mistakes":
        return [*pytest_, "--mistakes", str(getattr(importlib.import_module("mistakes"), "GATE_SEEDS", 5))]
    workbook, notebook = importlib.import_module("workbook"), json.loads(STARTER.read_text(encoding="utf-8"))
    text = notebook if name == "shipped" else workbook.without_what_stands_alone(workbook.solved(notebook))
    path = where / f"{name}.ipynb"
    path.write_text(json.dumps(text), encoding="utf-8")
    return [sys.executable, "-c", workbook.EXECUTE, str(path), str(FOLDER)]


class Beside:
    """Processes that each run once, also where several processes of pytest-xdist share the tests."""

    def __init__(self, where: Path):
        self.where, self.started = where, {}
        where.mkdir(exist_ok=True)

    def start(self, name: str) -> None:
        try:
            os.close(os.open(self.where / f"{name}.claim", os.O_CREAT | os.O_EXCL))
        except FileExistsError:  # another process of pytest-xdist has started it
            return
        env = {**os.environ, "HARDWAY_PROGRESS": str(self.where / f"{name}.json"), "MPLBACKEND": "agg"}
        with open(self.where / f"{name}.txt", "w") as out:
            self.started[name] = subprocess.Popen(
                command(name, self.where), cwd=FOLDER, env=env, stdout=out, stderr=subprocess.STDOUT
            )

    def __call__(self, name: str) -> tuple[str, dict[str, str]]:
        """(what it printed, the verdicts that it left), when it has ended well."""
        self.start(name)
        ended = self.where / f"{name}.ended"
        if name in self.started:
            code = self.started[name].wait()
            ended.with_suffix(".tmp").write_text(str(code))
            os.replace(ended.with_suffix(".tmp"), ended)
        while not ended.exists():
            time.sleep(0.1)
        text = (self.where / f"{name}.txt").read_text(errors="replace")
        assert ended.read_text() == "0", f"{name}:\n{text[-6000:]}"
        kept = self.where / f"{name}.json"
        found = json.loads(kept.read_text())["verdicts"] if kept.exists() else {}
        return text, {task: v["verdict"] for task, v in found.items()}


@pytest.fixture(scope="session")
def beside(request, tmp_path_factory):
    """Mistakes and mutants through their tests, and the workbook as shipped and as solved: `beside(name)`.

    What a gate of this session asks for is started at once, on the other core; where pytest-xdist keeps the cores
    busy, when it is asked for.
    """
    shared, base = hasattr(request.config, "workerinput"), tmp_path_factory.getbasetemp()
    runs = Beside((base.parent if shared else base) / "beside")
    asked = {item.name for item in request.session.items}
    for name, test in ASKED.items():
        if test in asked and not shared:
            runs.start(name)
    yield runs
    for run in runs.started.values():
        run.kill()
        run.wait()


@pytest.fixture(scope="session")
def printed(beside):
    """What each cell of the workbook as shipped prints, by its index."""
    beside("shipped")
    cells = json.loads((beside.where / "shipped.ipynb").read_text(encoding="utf-8"))["cells"]
    return {
        i: "".join("".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout")
        for i, cell in enumerate(cells)
        if cell["cell_type"] == "code"
    }
