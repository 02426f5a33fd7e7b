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
def test_each_lab_runs_quickly_and_shows_itself(name):
    lab = labs.module(name)
    result = json.loads(json.dumps(lab.run(seed=0, quick=True, log=lambda line: None), allow_nan=False))
    assert lab.QUESTION.endswith("?") and lab.PREDICTION.endswith(".")
    assert lab.outcome(result).strip().endswith(".")
    assert table(lab.rows(result)).count("\n") >= 2
    figure = lab.figure(result)
    assert isinstance(figure, Figure) and figure.get_suptitle()
    figure.draw_without_rendering()


def test_recording_one_lab_leaves_the_others(tmp_path, monkeypatch):
    class Lab:
        @staticmethod
        def run(*, seed, quick, log):
            return {"seed": seed}

    monkeypatch.setattr(labs, "LABS", ("first", "second"))
    monkeypatch.setattr(labs, "module", lambda name: Lab)
    monkeypatch.setattr(labs.record, "meta", lambda seeds, threads: {"seeds": seeds})
    labs.run(options(out=tmp_path, lab=["second"], seed=3), print)
    found = labs.run(options(out=tmp_path, lab=["first"], seed=5), print)
    assert {name: found[name]["seed"] for name in found} == {"first": 5, "second": 3}
    assert list(record.read(tmp_path)["labs"]) == ["first", "second", "meta"]
    assert found["second"]["meta"]["seeds"] == [3]


@pytest.mark.skipif(not RECORDED, reason="no lab is recorded")
def test_each_recorded_lab_has_its_figure_and_is_no_quick_run(tmp_path):
    assert not [name for name, result in RECORDED.items() if result["meta"]["quick"]]
    for name in RECORDED:
        assert (record.COMMITTED / f"lab_{name}.png").stat().st_size > 10_000
    first = next(iter(RECORDED))
    drawn = labs.draw({first: RECORDED[first]}, tmp_path)
    assert [path.name for path in drawn] == [f"lab_{first}.png"]
