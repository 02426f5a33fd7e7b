"""The labs: each runs quickly, says what it measured, draws it, and its recorded outcome has its margin."""

import json

import pytest
from matplotlib.figure import Figure

from capstone_gpt.lab import labs, record
from capstone_gpt.lab.cli import options
from capstone_gpt.lab.markdown import table
from capstone_gpt.labs import LABS

RECORDED = labs.recorded(record.read(record.COMMITTED).get("labs", {}))


@pytest.mark.parametrize("name", LABS)
def test_each_lab_runs_quickly_and_shows_itself(name, tmp_path):
    lab = labs.module(name)
    result = json.loads(json.dumps(lab.run(seed=0, quick=True, log=lambda line: None), allow_nan=False))
    assert lab.QUESTION.endswith("?") and lab.PREDICTION.endswith(".")
    assert lab.outcome(result).strip().endswith(".")
    assert table(lab.rows(result)).count("\n") >= 2
    assert isinstance(lab.figure(result), Figure)
    drawn = labs.draw({name: result}, tmp_path)
    assert [path.name for path in drawn] == [f"lab_{name}.png"] and drawn[0].stat().st_size > 5_000


def test_recording_one_lab_leaves_the_others(tmp_path, monkeypatch):
    class Lab:
        @staticmethod
        def run(*, seed, quick, log):
            return {"seed": seed}

    monkeypatch.setattr(labs, "LABS", ("first", "second"))
    monkeypatch.setattr(labs, "module", lambda name: Lab)
    labs.run(options(out=tmp_path, lab="second", seed=3), print)
    found = labs.run(options(out=tmp_path, lab="first", seed=5), print)
    assert {name: found[name]["seed"] for name in found} == {"first": 5, "second": 3}
    assert list(record.read(tmp_path)["labs"]) == ["first", "second", "meta"]
    assert found["second"]["meta"]["seeds"] == [3]
