"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

import copy
from pathlib import Path
from statistics import median

import mistakes
import pytest
from mutants import mutants
from ppo_loop.__main__ import COMMANDS
from ppo_loop.lab import experiment, fetch, plots, real_model, record
from ppo_loop.lab.cli import main

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)
FIGURES = ["hacking", "frontier", "methods", "sums", "break_it", "bench", "smollm2"]


def test_nothing_quick_is_committed():
    assert {command.key for command in COMMANDS} <= set(RESULTS)
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    for name in FIGURES:
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "break"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("ppo_loop", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.trl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(300)
def test_the_bench_runs_quickly(tmp_path):
    pytest.importorskip("trl.experimental.ppo", reason="TRL 1.12 is not installed: nox -s peers-15-trl")
    assert main("ppo_loop", "", COMMANDS, plots.draw, ["bench", "--quick", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "bench.png").exists()


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(300)
def test_the_real_models_command_runs_quickly(chat_model, monkeypatch, tmp_path):
    model, tokens = chat_model
    monkeypatch.setattr(real_model, "load_chat_model", lambda path, seed: (copy.deepcopy(model), tokens))
    argv = ["--model", "smollm2", "--quick", "--out", str(tmp_path)]
    assert main("ppo_loop", "", COMMANDS, plots.draw, argv) == 0
    assert (tmp_path / "smollm2.png").exists()


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_the_exact_parts_are_as_recorded():
    """What needs no training is computed again."""
    recorded, again = RESULTS["headline"], experiment.estimators(quick=False)
    for mean, estimators in recorded["kl"]["table"].items():
        for name, found in estimators.items():
            assert again["table"][mean][name] == pytest.approx(found, rel=1e-3, abs=1e-3)
    assert max(recorded["bandit"]["DPO, all pairs"]) < 3e-8
    assert max(recorded["bandit"]["PPO, 2,048 samples"]) < 0.01


def test_effect_the_recorded_hacking_and_its_cure():
    """Without a penalty KL explodes on every seed, and the judge pays for it on most."""
    gaps = []
    for seed in RESULTS["headline"]["hacking"]:
        start, hacked, cured = seed["start"], seed["end"]["beta 0"], seed["end"][f"beta {experiment.CURED:g}"]
        assert hacked["proxy"] > cured["proxy"] > start["proxy"] + 0.7
        assert cured["judge"] > start["judge"] + 1.2 and hacked["kl"] > 5 * cured["kl"]
        best = [point["judge"] for point in seed["best of n"]]
        assert max(best) > best[0] + 1
        gaps.append(cured["judge"] - hacked["judge"])
    assert median(gaps) > 2 and sum(gap > 2 for gap in gaps) >= 2


def test_effect_the_recorded_checks_of_the_reward_model():
    for found in RESULTS["headline"]["checks"]:
        assert 0.65 < found["accuracy"] < found["of the judge"] + 0.03
        assert 0.4 < found["shuffled labels"] < 0.6


def test_effect_the_recorded_methods_and_sums():
    r = RESULTS["headline"]
    for seed in r["methods"]:
        assert all(seed[name]["judge"] > seed["start"]["judge"] + 0.5 for name in ("DPO", "PPO", "GRPO"))
    for seed in r["sums"]:
        assert seed["chain"]["after"]["correct"] > seed["chain"]["before"]["correct"] + 0.15
        assert seed["direct"]["after"]["correct"] < 0.16


def test_effect_the_recorded_mistakes():
    """Where the penalty works, seeds agree; where it does not, they scatter."""
    r = RESULTS["break_it"]
    judge = {name: [run["judge"] for run in runs] for name, runs in r["runs"].items()}
    kl = {name: median(run["kl"] for run in runs) for name, runs in r["runs"].items()}
    right, before = median(judge["as it should be"]), min(s["judge"] for s in r["start"])
    assert max(judge["as it should be"]) - min(judge["as it should be"]) < 0.6
    for name in ("beta = 0", "k1 as a loss"):
        assert max(judge[name]) - min(judge[name]) > 2 and kl[name] > 4 * kl["as it should be"]
    assert kl["k1 as a loss"] > 4 * max(kl["k2 as a loss"], kl["k3 as a loss"])
    assert kl["beta = 10"] < 0.1 and median(judge["beta = 10"]) < right - 1 and max(judge["reward for length"]) < before
    assert kl["clip 10"] > 2 * kl["clip 0.2, same rate and epochs"]
    for name in ("no whitening", "value model at ten times the rate"):
        assert abs(median(judge[name]) - right) < 0.3


def test_effect_the_recorded_real_model():
    r = RESULTS["smollm2"]
    for name in ("trained", "unseen"):
        assert r["after"][name]["obey"] > r["before"][name]["obey"] + 0.5
    assert r["history"][-1]["reward"] > r["history"][0]["reward"] + 0.3
    assert r["history"][0]["kl"] < 1e-4


def test_the_bench_says_which_goals_are_met():
    bench = RESULTS["bench"]
    assert bench["error"] < 1e-4 and set(bench["ratio"]) == {"GRPO", "PPO"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_bad_input_another_device(command, tmp_path, capsys):
    argv = [command.name, "--device", "cuda", "--out", str(tmp_path)]
    assert main("ppo_loop", "", COMMANDS, plots.draw, argv) == 1
    assert f"{command.name} runs on the CPU" in capsys.readouterr().out
