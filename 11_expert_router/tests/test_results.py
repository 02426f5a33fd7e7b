"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import median

import mistakes
import pytest
from expert_router.__main__ import COMMANDS
from expert_router.lab import break_it, experiment, plots, quests, record
from expert_router.lab.cli import main
from expert_router.lab.experiment import BIAS, NONE, SHAZEER, SWITCH, shazeer_name
from mutants import mutants

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)


def test_nothing_quick_is_committed():
    assert set(RESULTS) - {"trial"} == {command.key for command in COMMANDS}
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    for name in ("collapse.png", "winners.png", "parallel.png", "collapse.gif"):
        assert 5_000 < (FOLDER / "results" / name).stat().st_size < 3_000_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "bench", "quests", "break"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("expert_router", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_the_forms_agree_before_anything_is_measured():
    assert experiment.check_dispatch() < 1e-12


def test_effect_the_recorded_collapse_and_recovery():
    """In every seed: the busiest expert without balance has twice what it has with any method."""
    runs = RESULTS["headline"]["collapse"]["runs"]
    balanced = [SWITCH, BIAS, *(shazeer_name(*pair) for pair in SHAZEER[1:])]
    for name in (NONE, shazeer_name(0, 0)):
        for balance in balanced:
            assert min(runs[name]["max/mean"]) > 1.4 * max(runs[balance]["max/mean"]), (name, balance)
    assert max(max(runs[name]["dead"]) for name in balanced) == 0 < median(runs[NONE]["dead"])


def test_effect_the_recorded_teacher():
    """Experts win at least eight times in every seed."""
    dense, moe, large = RESULTS["headline"]["teacher"].values()
    assert all(d > 8 * m for d, m in zip(dense, moe, strict=True)) and all(
        d > 8 * b for d, b in zip(dense, large, strict=True)
    )


def test_effect_the_recorded_quests():
    upcycling, leak = RESULTS["quests"]["upcycling"], RESULTS["quests"]["leak"]
    equal, moved, scratch, dense = upcycling.values()
    assert equal["0"] == pytest.approx(dense["0"], abs=1e-4)
    assert all(m > d + 0.05 for m, d in zip(moved["0"], dense["0"], strict=True))
    assert all(s > e for s, e in zip(scratch["after"], equal["after"], strict=True))
    assert all(min(values) > 0.05 for values in leak.values()) and leak == quests.leaks(
        RESULTS["quests"]["meta"]["seeds"]
    )


def test_the_recorded_bytes_are_the_formulas():
    two = RESULTS["parallel"]
    assert two["difference"] < 1e-10 and two["bytes"]["measured"] == two["bytes"]["rows that travel"]
    assert two["bytes"]["measured"] == pytest.approx(two["bytes"]["formula"], rel=0.02)


def test_break_it_is_as_recorded():
    """What needs no training is computed again."""
    recorded = RESULTS["break_it"]
    assert break_it.hot_expert() == recorded["hot expert"]
    gates, equal = recorded["normalized"], recorded["equal experts"]
    assert gates["always 1"]["router moved"] == 0 < 0.05 < gates["as it is"]["router moved"]
    assert equal["every token to every expert alike"] < 1e-4 < 1e-2 < equal["different tokens"]
    weights = recorded["balance weights"]
    assert weights["0"]["max/mean"] > 2 > 1.6 > weights["10"]["max/mean"]


def test_the_bench_says_what_the_report_says():
    bench = RESULTS["bench"]
    exact = [error for name, error in bench["errors"].items() if "bf16" not in name]
    assert bench["tokens"] == 2048 and max(exact) < 1e-5 and max(bench["errors"].values()) < 0.02
