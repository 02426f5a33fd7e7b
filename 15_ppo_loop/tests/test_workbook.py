"""The workbook's break-it cells do what their folded text says, and every task is complete."""

import json
import re
from pathlib import Path

import mistakes
import pytest

CELLS = json.loads((Path(__file__).parents[1] / "starter.ipynb").read_text(encoding="utf-8"))["cells"]
TEXTS = [("".join(c["source"]), c["cell_type"]) for c in CELLS]
NUMBER = r"-?\d+(?:\.\d+)?"


def claims(numbers):
    """What the folded texts say of each cell's numbers. Training amplifies rounding, so no digit is asserted."""
    penalty, losses, clips, lengths, others = numbers
    j0, _, _, j, s, kl, _, j_free, s_free, kl_free, _, j_held, _, kl_held = penalty
    (_, kl_r, _, kl_k1, _, kl_k2), (_, j_clip, kl_clip, _, j_far, kl_far) = losses, clips
    (n0, _, n1, _), (a, _, b, _, c, _) = lengths, others
    yield "no penalty", s_free >= s > 0.7 and j_free < j - 0.5 and j > j0 + 1 and kl_free > 3 * kl
    yield "too much", abs(kl_held) < 0.1 and abs(j_held - j0) < 0.5
    yield "k1", kl_k1 > 3 * max(kl_r, kl_k2)
    yield "clip", min(j_clip, j_far) > j0 + 1 and kl_far > 0.9 * kl_clip
    yield "length", n1 > n0 + 1.5
    yield "no whitening, fast value", max(a, b, c) - min(a, b, c) < 0.6 and min(a, b, c) > j0 + 0.5


@pytest.mark.timeout(900)
def test_break_it_cells_do_what_is_written(printed):
    got, written = [], []
    for i, (text, kind) in enumerate(TEXTS):
        if kind == "code" and "break_it" in text:
            told = re.search(r"```\n(.*?)\n```", TEXTS[i + 1][0], re.DOTALL).group(1)
            assert re.sub(NUMBER, "#", printed[i].strip()) == re.sub(NUMBER, "#", told)
            for found, words in ((got, printed[i]), (written, told)):
                found.append([float(x) for x in re.findall(NUMBER, words.replace("k1", "k").replace("k2", "k"))])
    assert len(got) == 5
    for numbers in (got, written):
        assert {claim: holds for claim, holds in claims(numbers) if not holds} == {}


def test_every_task_has_minutes_an_example_and_three_hints():
    tasks = [text for text, kind in TEXTS if kind == "markdown" and text.startswith("## Task ")]
    assert len(tasks) == len(mistakes.TASKS)
    for number, (name, text) in enumerate(zip(mistakes.TASKS, tasks, strict=True), 1):
        assert re.match(rf"## Task {number} · {name}\n\*\d+ minutes · [●○]{{3}}\*\n", text)
        assert "**By hand.**" in text and text.count("<details>") == 3


def test_the_workbook_is_finished():
    text = json.dumps(CELLS, ensure_ascii=False)
    assert "TODO" not in text and text.count("What happened") == 5
