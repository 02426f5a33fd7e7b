"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import median

import mistakes
import pytest
from mutants import mutants
from objective_arena.lab import bench, break_it, experiment, fetch, record
from objective_arena.lab.catalogue import FRENCH_ENGLISH, POLARITY
from objective_arena.lab.tables import rates

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)


def run(*arguments):
    """The command line. Imported here: it brings matplotlib, which no grading needs."""
    from objective_arena.__main__ import COMMANDS
    from objective_arena.lab import cli, plots

    return cli.main("objective_arena", "", COMMANDS, plots.draw, [str(x) for x in arguments])


def test_nothing_quick_is_committed():
    from objective_arena.__main__ import COMMANDS

    assert set(RESULTS) - {"trial"} == {command.key for command in COMMANDS}
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    figures = sorted(path.name for path in (FOLDER / "results").glob("*.png"))
    text = (FOLDER / "results" / "REPORT.md").read_text(encoding="utf-8")
    assert len(figures) >= 3 and all(name in text for name in figures)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "bench", "break", "losses", "translation"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert run(command, "--quick", "--out", tmp_path) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.data
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("command", "remote"), [("polarity", POLARITY), ("french", FRENCH_ENGLISH)])
def test_each_command_with_a_file_runs_quickly(command, remote, tmp_path):
    if not fetch.is_local(remote):
        pytest.skip(f"{remote.name} is not on this machine (HARDWAY_DATA)")
    assert run(command, "--quick", "--out", tmp_path) == 0


def test_bad_input_a_text_that_is_too_short(tmp_path, capsys):
    path = tmp_path / "short.txt"
    path.write_text("too short")
    assert run("--quick", "--data", path, "--out", tmp_path) == 1
    assert "100,000" in capsys.readouterr().out


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_effect_the_recorded_ladder():
    curves = RESULTS["headline"]["ladder"]["curves"]
    twice, right, mask, unshifted = (
        [runs[-1] for runs in curves[name]]
        for name in ("labels shifted twice", "right", "bidirectional mask", "labels not shifted")
    )
    assert min(twice) > max(right) + 0.2 and min(right) > 2 and max(mask) < 0.1 and max(unshifted) < min(mask)


def test_effect_the_recorded_arena():
    """What README says of it: the causal model is ahead, and with as few labels it is where the masked one is."""
    scores = RESULTS["headline"]["scores"]
    few = scores[experiment.FEWER]
    assert few["labels"] == pytest.approx(scores["masked"]["labels"], rel=0.02)
    for name in ("middle", "spans", "masked"):
        assert min(scores["causal"]["infill"]) > max(scores[name]["infill"]) + 0.1
        assert max(scores["causal"]["next"]) < min(scores[name]["next"]) - 0.5
    assert abs(median(few["infill"]) - median(scores["masked"]["infill"])) < 0.05
    assert max(scores[experiment.UNTRAINED]["infill"]) < 0.05


def test_break_it_is_as_recorded():
    """What needs no training is computed again; the rest has the recorded sides."""
    recorded = RESULTS["break_it"]
    assert recorded["prefix of length 0 and T"] == break_it.prefixes()
    assert recorded["no sentinels"] == break_it.without_sentinels()
    leak = recorded["bidirectional mask"]
    assert leak["bidirectional mask"]["training"] < 0.1 < leak["causal mask"]["training"]
    assert leak["bidirectional mask"]["honest"] > leak["causal mask"]["honest"] + 1
    smooth = recorded["smoothing 0.9"]
    assert smooth["0.9"]["top"] < 0.3 < smooth["0"]["top"] and smooth["0.9"]["loss"] > smooth["0"]["loss"] + 1


def test_the_bench_says_what_the_readme_says():
    content = RESULTS["bench"]
    assert content["batch"] == [bench.B, bench.T]
    speed = rates(content)
    assert speed[bench.SPANS_FAST] > 10 and speed[bench.MASK_FAST] > 3 * speed[bench.COLLATOR]


def test_effect_the_recorded_losses():
    content = RESULTS["losses"]
    slopes = content["outliers"]
    assert min(slopes["MSE"]["20%"]) > 5 * max(max(slopes[name]["20%"]) for name in ("MAE", "Huber, δ = 1"))
    contrast = content["contrast"]
    assert min(contrast["InfoNCE, 64 pairs"]) > max(contrast["InfoNCE, 8 pairs"])
    assert min(contrast["InfoNCE, 64 pairs"]) > max(contrast["triplet, 64 pairs"])
    weighted, plain = (content["imbalance"][f"cross-entropy{more}"] for more in (", classes weighted", ""))
    assert median(weighted["recall"]) > median(plain["recall"]) and median(weighted["precision"]) < median(
        plain["precision"]
    )


def test_effect_the_recorded_translations():
    made = RESULTS["translation"]["made"]
    assert min(made["400"]["greedy"]) > 80 and min(made["8000"]["greedy"]) > 99
    french = RESULTS["french"]
    assert french["beam 4"] > french["greedy, the beam's sentences"] + 1
