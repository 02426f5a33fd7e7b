"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import median

import mistakes
import pytest
from attention_lab.__main__ import COMMANDS
from attention_lab.lab import break_it, experiment, fetch, plots, record, scaling
from attention_lab.lab.cli import main, options
from mutants import mutants

FOLDER = Path(__file__).parents[1]


def test_nothing_quick_is_committed():
    sections = record.read(record.COMMITTED)
    assert set(sections) == {command.key for command in COMMANDS} | {"trial"}
    assert not [name for name, section in sections.items() if name != "trial" and section["meta"]["quick"]]
    assert all((FOLDER / "results" / name).exists() for name in ("headline.png", "induction.png", "attention.html"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "command", [command.name for command in COMMANDS if command.name not in ("induction", "mutants")]
)
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("attention_lab", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(240)
def test_the_real_models_command_runs_quickly(tmp_path, capsys):
    argv = ["--model", "smollm2", "--quick", "--out", str(tmp_path)]
    assert main("attention_lab", "", COMMANDS, plots.draw, argv) == 0
    assert (tmp_path / "gallery.png").exists()


def test_the_real_model_belongs_to_its_own_command(capsys):
    assert main("attention_lab", "", COMMANDS, plots.draw, ["road", "--model", "smollm2"]) == 1
    assert "road has no form for it" in capsys.readouterr().out
    with pytest.raises(ValueError, match="belongs to the command induction"):
        experiment.headline(options(model="smollm2"), print)


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = record.read(record.COMMITTED)["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_break_it_is_as_recorded():
    """What needs no training is computed again; floats may differ in the last digits on another machine."""
    recorded = record.read(record.COMMITTED)["break_it"]
    repeated = {"no scale": break_it.no_scale(), "mask after the softmax": break_it.mask_after(),
                "softmax over queries": break_it.over_queries(), "no positions": break_it.no_positions()}  # fmt: skip
    for name, content in repeated.items():
        assert flat(content) == pytest.approx(flat(recorded[name]), rel=1e-3, abs=1e-5)
    one, eight = recorded["two places"]["1"], recorded["two places"]["8"]
    assert max(one) < 0.7 and min(eight) > 0.98
    assert min(recorded["heads"]["8"]) > max(recorded["heads"]["1"])  # the negative result that README tells


def flat(content):
    return [x for v in content.values() for x in (flat(v) if isinstance(v, dict) else [v])]


def test_effect_why_the_square_root_of_d():
    """The recorded numbers, computed again: about 1.0 against 0.08 at d = 1024."""
    found, recorded = scaling.scaling([0, 1, 2]), record.read(record.COMMITTED)["headline"]["scaling"]
    wide = found["1024"]
    assert median(wide["plain"]["trace"]) < 0.12 and 0.94 < median(wide["scaled"]["trace"]) < 0.98
    assert abs(median(wide["scaled"]["trace"]) - scaling.expected_trace(1.0)) < 0.01
    for width, both in found.items():
        assert median(both["plain"]["variance"]) == pytest.approx(int(width), rel=0.15)
        assert median(both["scaled"]["variance"]) == pytest.approx(1, rel=0.15)
        assert both["scaled"]["trace"] == pytest.approx(recorded[width]["scaled"]["trace"], rel=1e-3)


def test_effect_the_recorded_bottleneck():
    found = record.read(record.COMMITTED)["headline"]["bottleneck"]
    at = list(found["lengths"]).index(found["longest"])
    for task in ("copy", "reverse"):
        for none, additive in zip(found["accuracy"]["none"][task], found["accuracy"]["additive"][task], strict=True):
            assert none[0] > 0.95 and additive[at] > none[at] + 0.25


def test_effect_the_recorded_heads_stand_in_for_each_other():
    found = record.read(record.COMMITTED)["headline"]["patterns"]
    for i, whole in enumerate(found["loss"]):
        alone = [v[i] - whole for name, v in found["removed"].items() if name.startswith("0.")]
        assert found["layers"]["0"][i] - whole > sum(alone) > 0


def test_the_bench_goals_are_those_of_the_readme():
    times = record.read(record.COMMITTED)["bench"]["forward"]
    assert set(times) == {"1024", "4096"}
    memory = record.read(record.COMMITTED)["bench"]["memory"]
    assert memory["4096"]["plain"] > 10 * memory["4096"]["blocked_attention"]
    for name in ("flash_attention", "blocked_attention"):
        assert memory["4096"][name] < 4.2 * memory["1024"][name]
