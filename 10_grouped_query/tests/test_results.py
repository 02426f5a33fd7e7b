"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import median

import mistakes
import pytest
from grouped_query import PUBLISHED, cache_bytes_per_token
from grouped_query.__main__ import COMMANDS
from grouped_query.lab import break_it, fetch, plots, record
from grouped_query.lab.cli import main
from mutants import mutants

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)


def test_nothing_quick_is_committed():
    assert set(RESULTS) == {command.key for command in COMMANDS} | {"trial"}
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    for name in ("quality", "decode", "cards", "smollm2"):
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


def test_the_trials_are_counted_and_no_wrong_attempt_was_right_at_their_end():
    trials = RESULTS["trial"]["trials"]
    assert len(trials) == 2
    for each in trials:
        (first, last), right = (each["wrong"][run] for run in ("first", "last")), each["right"]
        assert sum(first.values()) == sum(last.values()) >= 40 and last["RIGHT"] == last["false"] == 0
        assert right["first"] <= right["last"] == right["attempts"] >= 12


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "bench", "break"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("grouped_query", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(300)
def test_the_real_models_command_runs_quickly(tmp_path):
    argv = ["--model", "smollm2", "--quick", "--out", str(tmp_path)]
    assert main("grouped_query", "", COMMANDS, plots.draw, argv) == 0
    assert (tmp_path / "smollm2.png").exists()


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_effect_the_recorded_quality():
    q = RESULTS["headline"]["quality"]
    for by_heads in (q["points"]["mean"], q["points"]["first"]):
        for point in by_heads.values():
            for before, after, base in zip(point["0"], point["5"], q["base"], strict=True):
                assert base < after < before - 0.4
    for g, point in q["points"]["low rank"].items():
        assert max(point["5"]) < min(q["points"]["mean"][g]["5"])
    for g in ("4", "2"):
        after = {rule: median(q["points"][rule][g]["5"]) for rule in ("mean", "first", "random")}
        assert after["mean"] < after["first"] < after["random"]


def test_effect_the_recorded_real_model():
    r = RESULTS["smollm2"]
    assert r["cache"]["MHA"] == 3 * r["cache"]["as it is"] == 9 * r["cache"]["MQA"]
    smollm2 = next(shape for shape in PUBLISHED if shape.name.startswith("SmolLM2"))
    assert r["cache"]["as it is"] == 2048 * cache_bytes_per_token(smollm2, 4)
    losses = [r["base"], *r["rank"].values()]
    assert losses == sorted(losses)
    assert r["base"] + 3 < r["pooled"]["mean"] < min(r["pooled"]["first"], r["pooled"]["random"])
    for rule in ("mean", "first"):
        assert r["base"] + 1 < r["uptrained"][rule] < r["pooled"][rule] - 0.5


def test_break_it_is_as_recorded():
    """What needs no training is computed again."""
    recorded, rotation = RESULTS["break_it"], break_it.after_rotation()
    assert rotation["heads"] < 1e-12 and rotation["tokens"] == pytest.approx(
        recorded["pool after the rotation"]["tokens"]
    )
    assert recorded["pool heads at random"]["same function"] < 1e-3
    (_, full), (_, less), (_, equal) = recorded["MQA from the start"].values()
    assert full - less > 10_000 and abs(full - equal) < 200


def test_the_bench_says_what_the_readme_says():
    bench = RESULTS["bench"]
    assert bench["context"] == 4096 and max(bench["errors"].values()) < 1e-5
    assert all(ratio["grouped_fast.py"] == 1 < ratio["SDPA, enable_gqa"] for ratio in bench["ratio"].values())
