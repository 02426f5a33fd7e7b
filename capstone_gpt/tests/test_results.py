"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import mean

import mistakes
import pytest
from mutants import mutants

from capstone_gpt.__main__ import COMMANDS, arguments
from capstone_gpt.lab import break_it, plots, record
from capstone_gpt.lab.bench import ratio
from capstone_gpt.lab.cli import main

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)


def test_nothing_quick_is_committed():
    known = {c.key for c in COMMANDS} | {"trial", "long_cuda"}
    assert {"headline", "bench", "break_it", "mutants"} <= set(RESULTS) <= known
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [c.name for c in COMMANDS if c.name not in ("mutants", "labs", "demo")])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    argv = [command, "--quick", "--out", str(tmp_path)] + (["--folder", str(tmp_path)] if command == "long" else [])
    assert main("capstone_gpt", "", COMMANDS, plots.draw, argv, arguments) == 0
    assert "Quick run" in capsys.readouterr().out


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_effect_the_recorded_headline():
    head = RESULTS["headline"]
    assert head["killed"]["different"] == [] and head["killed"]["unequal"] == 0
    assert mean(head["gpt"]["peer_loss"]) <= 1.909
    assert head["counts"]["loss"] < min(head["gpt"]["loss"])  # at ten seconds the counts are ahead
    removed = head["removed"]
    assert mean(removed["Muon for AdamW"]["loss"]) > mean(removed["nothing"]["loss"]) + 0.05


def test_effect_the_recorded_bench():
    found = ratio(RESULTS["bench"])
    assert found["cost"] > 8 and found["both ways"] < 0.8


def test_break_it_is_as_recorded():
    """What needs no training on text is computed again."""
    recorded = RESULTS["break_it"]
    assert recorded["mean of means"] == pytest.approx(break_it.mean_of_means(), rel=1e-6, abs=1e-12)
    assert recorded["clip"]["share"] == pytest.approx(break_it.clip_before_unscale()["share"], rel=1e-3)
    assert recorded["evaluation"] == {"fixed windows": True, "random windows": False}
    right, unshifted, twice = (recorded["targets"][n] for n in ("right", "unshifted", "shifted twice"))
    assert unshifted[0] < 0.1 < 4 < unshifted[1] and right[1] < twice[1] - 1
