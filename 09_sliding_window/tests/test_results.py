"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path

import pytest
from sliding_window.__main__ import COMMANDS
from sliding_window.lab import break_it, fetch, plots, record
from sliding_window.lab.cli import main

FOLDER = Path(__file__).parents[1]
QUICK = [c.name for c in COMMANDS if c.name not in ("mutants", "real", "break")]


def test_nothing_quick_is_committed():
    sections = record.read(record.COMMITTED)
    assert set(sections) == {command.key for command in COMMANDS} | {"trial"}
    assert not [name for name, section in sections.items() if section["meta"]["quick"]]


def test_the_trials_are_counted_and_no_wrong_attempt_was_right_at_their_end():
    trials = record.read(record.COMMITTED)["trial"]["trials"]
    assert len(trials) == 2
    for trial in trials:
        first, last = (trial["wrong"][run] for run in ("first", "last"))
        assert sum(first.values()) == sum(last.values()) >= 40 and last["RIGHT"] == last["false"] == 0
        right = trial["right"]
        assert right["first"] <= right["last"] == right["attempts"] >= 12


@pytest.mark.filterwarnings("ignore:.past_key_values. is deprecated:FutureWarning")
@pytest.mark.parametrize("command", QUICK)
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("sliding_window", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not here: nox -s models")
def test_the_real_models_command_runs_quickly(tmp_path):
    assert main("sliding_window", "", COMMANDS, plots.draw, ["real", "--quick", "--out", str(tmp_path)]) == 0


def test_break_it_is_as_recorded():
    recorded = record.read(record.COMMITTED)["break_it"]
    assert break_it.wrong_masks() == recorded["mask"]
    assert break_it.early_eviction() == recorded["eviction"]
    assert break_it.rotated_twice() == recorded["rotated twice"]
    losses = recorded["dilations"]
    assert losses["1, 2, 4, 8, 16"] < 0.1 < recorded["chance"] - 0.1 < losses["1, 1, 1, 1, 1"]


def test_the_recorded_claims_hold():
    sections = record.read(record.COMMITTED)
    loss, long, m = (sections["real"][name] for name in ("loss", "long", "massive"))
    assert loss["no sink"] > loss["4 sinks"] + 0.5 and loss["4 sinks"] < loss["dense"] + 0.15
    assert long["no sink"][-1] > long["4 sinks"][-1] + 0.5
    for breaks_down in ("dense", "4 sinks, positions of the text"):
        assert (
            abs(long[breaks_down][16] - long["4 sinks"][16]) < 0.3 and long[breaks_down][-1] > long["4 sinks"][-1] + 2
        )
    assert m["loss without"] > m["loss"] + 5 and min(m["first"][11:27]) > 20 * max(m["others"][11:27])
    head = sections["headline"]
    for dense, window in zip(head["loss"]["dense"], head["loss"]["window"], strict=True):
        assert dense[-1] > window[-1] + 0.5
    assert len(set(head["stream"]["cache bytes"])) == 1
    for found in head["planted"]["learned positions"]:
        assert found["elsewhere"] > found["at triggers"] + 0.3 and found["value of BOS"] < found["value of others"] / 2
