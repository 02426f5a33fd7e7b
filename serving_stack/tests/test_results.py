"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

import re
from pathlib import Path

import pytest

from serving_stack.__main__ import COMMANDS
from serving_stack.engine.replay import is_faithful
from serving_stack.lab import break_it, plots, record, tables
from serving_stack.lab.cli import main, options
from serving_stack.lab.virtual import Cost, capacity, first_token_times, play, trace

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)
RECORDED = {"headline", "bench", "smollm2", "break_it", "schedules", "wire", "load", "mutants"}
RECORDED |= {"onnx", "llama", "wire_peers", "scale", "gpu", "trial"}


def test_nothing_quick_is_committed():
    assert RECORDED <= set(RESULTS)
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", ["headline", "schedules", "load"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("serving_stack", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["block sizes", "no chunks", "no tag", "noisy neighbour"])
def test_break_it_is_as_recorded(name):
    repeated, recorded = break_it.EXPERIMENTS[name](), RESULTS["break_it"][name]
    assert repeated.keys() == recorded.keys()
    for key, value in repeated.items():  # Python's own sum differs in the last digit from one version to the next
        assert value == pytest.approx(recorded[key])


def test_break_it_says_what_the_workbook_says():
    found = RESULTS["break_it"]
    assert found["no tag"] == {"with a tag": True, "without": False, "tokens taken from the other adapter": 32}
    assert found["noisy neighbour"] == {"a generator each": True, "one for all": False}
    assert found["no chunks"]["budget 4096"] > 10 * found["no chunks"]["budget 64"]
    assert found["block sizes"]["1"]["used"] == 1 and found["block sizes"]["256"]["used"] < 0.5
    assert found["slow reader"]["the other client is answered"] and found["slow reader"]["blocks held at the end"] == 0
    assert found["killed replica"]["whole"] == found["killed replica"]["streams"]


def test_the_suite_and_the_load_are_whole():
    ours = RESULTS["wire"]["marks"]["serving_stack"]
    assert set(ours.values()) == {"pass"} and len(ours) >= 40
    load = RESULTS["load"]
    assert load["failures"] == [] and load["blocks held at the end"] == 0 and load["streams"] == 2000
    assert len(RESULTS["schedules"]["faults"]) >= 20
    assert all(f["schedule"] is not None for f in RESULTS["schedules"]["faults"].values())
    assert RESULTS["headline"]["answer"]["answer"] == RESULTS["headline"]["answer"]["right"]


def test_effect_static_batching_waits_for_the_longest():
    """On a virtual clock: the ratio of the p99 at load 0.8 is at least 3 on every seed, and the log replays."""
    cost = Cost(0.005, 0.0005)
    from serving_stack.lab.experiment import CONFIG

    found = first_token_times(CONFIG, cost, 0.8, [0, 1], count=120)
    times = found["times"]
    assert all(s > 3 * c for s, c in zip(times["static"]["p99"], times["continuous"]["p99"], strict=True))
    _, _, engine = play(trace(0, 20, capacity(CONFIG, cost)), CONFIG, cost)
    assert is_faithful(engine.log)


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main("serving_stack", "", COMMANDS, plots.draw, ["--help"], arguments=lambda parser: None)
    text = capsys.readouterr().out
    assert all(re.search(rf"^  {c.name} ", text, re.M) for c in COMMANDS) and options().quick is False
    assert tables.summary().count("\n| ") == 7
