"""Expert parallelism: two processes equal one, bytes equal the formula's, and a plan by the cost model."""

import math
from types import SimpleNamespace

import pytest
from expert_router import Experts
from expert_router.__main__ import COMMANDS
from expert_router.lab import parallel, plots
from expert_router.lab.cli import main
from expert_router.lab.parallel import launch
from expert_router.parallel import Exchange, ExpertParallel, Machine, bytes_sent, fit_machine, plan, step_seconds


@pytest.fixture(scope="module")
def two():
    sizes = ["--tokens", "37", "--experts", "6", "--k", "2", "--d-model", "12", "--ffn", "7"]
    return launch(2, [*sizes, "--rows", "16", "256", "--repeats", "2"])


@pytest.mark.timeout(240)
def test_two_processes_equal_one_values_and_gradients(two):
    assert two["world"] == 2 and len(two["processes"]) == 2
    for process in two["processes"]:
        assert len(process["differences"]) == 5 and max(process["differences"].values()) < 1e-12  # float64


@pytest.mark.timeout(240)
def test_cost_the_bytes_are_those_of_the_rows_that_travel(two):
    """What leaves a process: its tokens on their way, and the others' outputs on their way back."""
    counted = [p["bytes"] for p in two["processes"]]
    assert sum(c["forward"] for c in counted) == sum(c["rows away"] for c in counted)
    assert all(c["backward"] == c["forward"] for c in counted)
    formula = 2 * bytes_sent(37, 2, 12, 8, 2)
    assert sum(c["forward"] for c in counted) == pytest.approx(2 * formula, rel=0.3)  # 74 draws of 37 away, at random
    for exchange, rows in zip(two["exchange"], (16, 256), strict=True):
        assert exchange["bytes"] == rows // 2 * 12 * 4


@pytest.mark.timeout(240)
def test_the_command_records_the_run_and_its_plans(two, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parallel, "launch", lambda processes, arguments: two)
    assert main("expert_router", "", COMMANDS, plots.draw, ["parallel", "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out and (tmp_path / "parallel.png").exists()


def test_bad_input_a_run_that_fails_is_one_sentence(monkeypatch):
    failed = SimpleNamespace(returncode=3, stdout="", stderr="no such\n option")
    monkeypatch.setattr(parallel.subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(ValueError, match="code 3: no such option"):
        launch(1, [])


def test_bad_input_experts_that_cannot_be_shared_out():
    exchange = object.__new__(Exchange)  # without a process group
    exchange.rank, exchange.world = 0, 2
    with pytest.raises(ValueError, match="num_experts=5"):
        ExpertParallel(Experts(5, 3, 2), exchange)


def test_the_formula_for_bytes():
    assert bytes_sent(512, 2, 256, 4, 2) == 512 * 2 * 256 * 4 / 2
    assert bytes_sent(512, 2, 256, 4, 1) == 0
    assert bytes_sent(512, 2, 256, 4, 64) == pytest.approx(512 * 2 * 256 * 4, rel=0.02)


def test_the_fit_finds_the_machine_that_made_the_times():
    machine = Machine(3e-5, 2e9, 1e11)
    sizes = [1e3, 1e5, 1e7]
    seconds = [3 * machine.latency + s / machine.bandwidth for s in sizes]
    found = fit_machine(sizes, seconds, 1e11, 4)
    assert found.latency == pytest.approx(machine.latency) and found.bandwidth == pytest.approx(machine.bandwidth)
    assert fit_machine([1e3, 1e5], [2e-3, 1e-3], 1e11, 2).bandwidth == math.inf
    with pytest.raises(ValueError, match="two sizes"):
        fit_machine([1.0], [1.0], 1e11, 2)


def test_the_plan_follows_the_formulas():
    machine = Machine(1e-5, 1e10, 1e12)
    small, large = (plan(machine, P, 4096, 2, 1024, 2048, 64, 2) for P in (8, 64))
    assert (small.experts_per_device, large.experts_per_device) == (8, 1)
    assert small.weight_bytes == 8 * large.weight_bytes == 8 * 3 * 1024 * 2048 * 2
    assert large.bytes_sent == 4 * bytes_sent(4096, 2, 1024, 2, 64) > small.bytes_sent
    assert small.compute_seconds == large.compute_seconds == 18 * 4096 * 2 * 1024 * 2048 / 1e12
    assert large.exchange_seconds - small.exchange_seconds == pytest.approx(
        4 * (56 * 1e-5 + (large.bytes_sent - small.bytes_sent) / 4 / 1e10)
    )
    assert 0 < small.communication < large.communication < 1
    assert step_seconds(machine, 4096, 2, 1024, 2048, 2, 8)["compute"] == small.compute_seconds
    with pytest.raises(ValueError, match="devices=3"):
        plan(machine, 3, 4096, 2, 1024, 2048, 64, 2)
