"""The break-it cells of the workbook print what stands below them."""

import json
from pathlib import Path

import pytest

CELLS = json.loads((Path(__file__).parents[1] / "starter.ipynb").read_text(encoding="utf-8"))["cells"]
TEXT = ["".join(cell["source"]) for cell in CELLS]
BREAKS = [i for i, text in enumerate(TEXT) if text.startswith("## Break it · ")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("i", BREAKS, ids=[TEXT[i].partition("\n")[0][14:] for i in BREAKS])
def test_a_break_it_cell_prints_what_is_written(i, printed):
    written = TEXT[i + 2].split("```text\n")[1].split("\n```")[0]
    assert printed[i + 1].strip() == written
