"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import mean, median

import mistakes
import pytest
from mutants import mutants
from scaling_laws import ChinchillaLaw, ridgeless_risk
from scaling_laws.__main__ import COMMANDS
from scaling_laws.lab import bench, break_it, plots, record
from scaling_laws.lab.cli import main

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)
FIGURES = ("own_law", "tokens_a_parameter", "double_descent", "edge_of_stability", "slices", "saddle_points")
FIGURES += ("compression", "promises", "approximation", "tickets")


def test_nothing_quick_is_committed():
    assert set(RESULTS) - {"trial"} == {command.key for command in COMMANDS}
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    for name in FIGURES:
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "theory", "bench", "break"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("scaling_laws", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == {"headline": 5, "theory": 8}.get(command, 1)


def test_bad_input_a_text_that_is_too_short_for_a_sweep(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("too short")
    argv = ["headline", "--quick", "--data", str(tmp_path / "short.txt"), "--out", str(tmp_path)]
    assert main("scaling_laws", "", COMMANDS, plots.draw, argv) == 1
    assert "9 bytes" in capsys.readouterr().out


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_effect_the_recorded_law():
    own = RESULTS["headline"]["own law"]
    law, points = ChinchillaLaw(**own["N"]["law"]), own["points"]
    assert len(points) == 60 and own["N"]["rms log error"] < 0.05
    assert 0 < own["N"]["intervals"]["alpha"][0] and 0 < own["N"]["intervals"]["beta"][0]
    for size in {p["N"] for p in points}:
        longest = [p["loss"] for p in points if p["N"] == size and p["D"] == 204_800]
        assert len(longest) == 3 and max(longest) < 1.03 * min(longest)
    got = mean(p["loss"] for p in own["held out"])
    target = own["prediction"]
    assert target["loss"] == pytest.approx(law.loss(target["N"], target["D"]))
    assert target["D"] > max(p["D"] for p in points) and target["N"] > max(p["N"] for p in points)
    assert own["inside"] == (target["band"][0] <= got <= target["band"][1])
    assert abs(target["loss"] / got - 1) < 0.1


def test_effect_the_recorded_refit():
    refit = RESULTS["headline"]["refit"]
    assert refit["objective"] <= 1.0183e-3 and refit["points"] == 240 and refit["resamples"] == 4000
    assert refit["objective"] < min(refit["objectives of the published laws"].values())
    ratios = {name: v["D/N"] for name, v in RESULTS["headline"]["tokens a parameter"].items()}
    assert ratios["Kaplan 2020"] < 1 < ratios["our refit"] < 20 < ratios["Hoffmann 2022, TeX source"]
    assert ratios["our refit"] == pytest.approx(17.9, abs=0.1)


def test_effect_the_recorded_double_descent():
    descent = RESULTS["headline"]["double descent"]
    for point in descent["linear"]:
        assert point["theory"] == pytest.approx(ridgeless_risk(round(point["gamma"] * 200), 200))
        if not 0.85 < point["gamma"] < 1.2:  # near the threshold the risk of 200 samples scatters
            assert median(point["risks"]) == pytest.approx(point["theory"], rel=0.3)
    features = {p["gamma"]: median(p["risks"]) for p in descent["random features"]}
    assert features[1] > 20 * max(features[0.25], features[20])


def test_effect_the_recorded_theory():
    r = RESULTS["theory"]
    for lr, run in r["edge_of_stability"]["runs"].items():
        assert median(run["sharpness"][-10:]) == pytest.approx(2 / float(lr), rel=0.1)
    for d, exact in r["saddle_points"]["exact"].items():
        assert r["saddle_points"]["shares"][d] == pytest.approx(exact, abs=0.004)
    for row in r["promises"]["rows"]:
        assert row["test error"] < row["test set"] < row["PAC-Bayes"] < 1 < row["Rademacher"]
    bounds = [row["PAC-Bayes"] for row in r["promises"]["rows"]]
    assert bounds == sorted(bounds, reverse=True) and bounds[-1] < 0.5
    for row in r["approximation"]["wide"] + r["approximation"]["deep"]:
        assert row["error"] == pytest.approx(row["formula"], rel=1e-6)
    for row in r["tickets"]["rows"]:
        assert row["error"] == pytest.approx(row["formula"], rel=0.5)


def test_break_it_is_as_recorded():
    """What needs no training is computed again."""
    recorded = RESULTS["break_it"]
    for name, again in (
        ("fit half of the range", break_it.half_of_the_range),
        ("ten points of noise 0.3", break_it.ten_points),
        ("extrapolate ten decades", break_it.ten_decades),
    ):
        for key, value in again().items():
            assert recorded[name][key] == pytest.approx(value, rel=1e-4)
    out = recorded["keep the five outliers"]
    assert out["Huber, with"] / out["Huber, without"] < 1.4 < out["squares, with"] / out["Huber, without"]
    assert (
        recorded["the mean for the sum"]["mean"]["objective"]
        > 1.001
        > recorded["the mean for the sum"]["sum"]["objective"]
    )
    rates = recorded["one rate for all sizes"]
    assert rates["the rate of width 64 for all"][0] > rates["as it should be"][0] + 0.1


def test_the_bench_met_its_goals():
    r = RESULTS["bench"]
    assert r["points"] == "published" and r["resamples"]["count"] == 4000
    assert r["objective"][bench.OURS] <= bench.MINIMUM * (1 + 1e-6)
    assert median(r["seconds"][bench.OURS]) < 1 and r["resamples"]["seconds"] < 60
    assert median(r["seconds"][bench.OURS]) < median(r["seconds"][bench.PEER])
