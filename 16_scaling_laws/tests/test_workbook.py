"""The workbook's break-it cells do what their folded text says, and every task is complete."""

import contextlib
import io
import json
import re
from pathlib import Path

import mistakes
import pytest

CELLS = json.loads((Path(__file__).parents[1] / "starter.ipynb").read_text(encoding="utf-8"))["cells"]
TEXTS = [("".join(c["source"]), c["cell_type"]) for c in CELLS]
NUMBER = r"\d+(?:\.\d+)?"


@pytest.mark.timeout(900)
def test_break_it_cells_print_what_is_written(printed):
    told = 0
    for i, (text, kind) in enumerate(TEXTS):
        if kind != "code" or "break_it." not in text and "import break_it" not in text:
            continue
        written = re.search(r"```\n(.*?)\n```", TEXTS[i + 1][0], re.DOTALL).group(1)
        assert re.sub(NUMBER, "#", printed[i].strip()) == re.sub(NUMBER, "#", written)
        got, want = ([float(x) for x in re.findall(NUMBER, t)] for t in (printed[i], written))
        assert got == pytest.approx(want, rel=0.1, abs=0.01)
        told += 1
    assert told == 6


def test_every_task_has_minutes_an_example_and_three_hints():
    tasks = [text for text, kind in TEXTS if kind == "markdown" and text.startswith("## Task ")]
    assert len(tasks) == len(mistakes.TASKS)
    for number, (name, text) in enumerate(zip(mistakes.TASKS, tasks, strict=True), 1):
        assert re.match(rf"## Task {number} · {name}\n\*\d+ minutes · [●○]{{3}}\*\n", text)
        assert "**By hand.**" in text and text.count("<details>") == 3


def test_the_readmes_example_prints_what_it_says():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    example, out = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(example, {})
    assert out.getvalue().splitlines() == re.findall(r"print\(.*\)  # (.*)", example)
