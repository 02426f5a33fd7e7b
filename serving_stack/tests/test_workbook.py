"""The workbook's break-it cells do what is written under them."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).parents[1] / "starter.ipynb").read_text(encoding="utf-8"))


def cells():
    """(title, the index of the code cell, the outcome that is written under it)."""
    sources = [("".join(c["source"]), c["cell_type"]) for c in NOTEBOOK["cells"]]
    for i, (source, _) in enumerate(sources):
        if source.startswith("## Break it"):
            yield source.splitlines()[0], i + 1, sources[i + 2][0]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("title, index, outcome", [pytest.param(*c, id=c[0][12:]) for c in cells()])
def test_the_outcome_is_the_one_that_is_written(title, index, outcome, printed):
    written = re.search(r"```\n(.*?)\n```", outcome, re.DOTALL)[1]
    assert printed[index].strip() == written.strip()


def test_there_are_four():
    assert len(list(cells())) == 4
