"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import median

import mistakes
import pytest
from int8_quant.__main__ import COMMANDS
from int8_quant.lab import break_it, catalogue, fetch, plots, record
from int8_quant.lab.cli import main
from mutants import mutants

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)
FIGURES = (
    "outliers",
    "weights",
    "smollm2",
    "lenet",
    "histograms",
    "pruning",
    "distillation",
    "formats",
    "qlora",
)


def test_nothing_quick_is_committed():
    known = {command.key for command in COMMANDS}
    assert known - {"gpu"} <= set(RESULTS) - {"trial"} <= known
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    for name in FIGURES:
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "formats", "compress", "bench", "break"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("int8_quant", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


@pytest.mark.timeout(240)
def test_lenets_histograms_can_be_read_by_tensorboard(tmp_path):
    import warnings

    assert main("int8_quant", "", COMMANDS, plots.draw, ["lenet", "--quick", "--out", str(tmp_path)]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
        events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
        events.Reload()
    tags = events.Tags()["histograms"]
    assert len(tags) == 10 and {"weights/conv1", "activations/fc3"} <= set(tags)
    assert events.Histograms("weights/conv1")[0].histogram_value.num == 150


@pytest.mark.data
@pytest.mark.skipif(not fetch.is_local(catalogue.POLARITY), reason="sentence_polarity.zip is not on this machine")
@pytest.mark.timeout(240)
def test_the_pipeline_runs_quickly(tmp_path):
    assert main("int8_quant", "", COMMANDS, plots.draw, ["pipeline", "--quick", "--out", str(tmp_path)]) == 0


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(300)
def test_the_real_models_command_runs_quickly(tmp_path):
    argv = ["--model", "smollm2", "--quick", "--out", str(tmp_path)]
    assert main("int8_quant", "", COMMANDS, lambda results, folder: [], argv) == 0


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_effect_the_recorded_headline():
    h = RESULTS["headline"]
    base, loud = median(h["fp32"]), {m: median(losses) for m, losses in h["injected"]["60"].items()}
    assert loud["absmax"] > loud["zero-point"] > loud["row-wise"] > loud["vector-wise"] > base + 0.05
    for method in ("LLM.int8", "SmoothQuant, vector-wise"):
        assert abs(loud[method] - base) < 0.01
    for row in h["weights"].values():
        assert all(gptq < nearest for gptq, nearest in zip(row["GPTQ"], row["RTN"], strict=True))


def test_effect_the_recorded_real_model():
    r = RESULTS["smollm2"]
    methods, base = r["methods"], r["fp32"]
    assert methods["absmax"] > methods["zero-point"] > methods["row-wise"] > base + 0.05
    assert all(abs(methods[m] - base) < 0.05 for m in ("vector-wise", "LLM.int8", "SmoothQuant, vector-wise"))
    assert r["outliers"][0][0] == "blocks.11.down_proj" and r["outliers"][0][1] > 1000
    assert r["first token"]["first"] > 20 * r["first token"]["others"]
    assert abs(r["thresholds"]["0.0"][0] - base) < 1e-3


def test_effect_the_recorded_classifier():
    accuracy, base = RESULTS["lenet"]["accuracy"], median(RESULTS["lenet"]["fp32"])
    assert all(abs(median(by["8"]) - base) < 0.005 for by in accuracy.values())
    two = {kind: median(by["2"]) for kind, by in accuracy.items()}
    assert two["static, per tensor"] < two["static, per channel"] < two["QAT, per channel"]
    by = accuracy["QAT by torchao, per channel"]
    assert all(abs(median(by[bits]) - median(accuracy["QAT, per channel"][bits])) < 0.005 for bits in ("8", "4", "3"))
    assert two["QAT, per channel"] < two["QAT by torchao, per channel"] < base


def test_break_it_is_as_recorded():
    recorded, again = RESULTS["break_it"]["one outlier"], break_it.one_outlier()
    assert again["with"]["zeros"] == pytest.approx(recorded["with"]["zeros"])
    assert recorded["with"]["zeros"] > 0.9 > 10 * recorded["without"]["zeros"]
    cut = RESULTS["break_it"]["threshold"]
    assert cut["threshold 0"] == pytest.approx(cut["fp32"], abs=1e-3)
    assert (
        cut["threshold inf"] == pytest.approx(cut["vector-wise"], abs=0.02)
        and cut["threshold inf"] > cut["fp32"] + 0.02
    )
    mask = RESULTS["break_it"]["mask once"]
    assert mask["after each step"][0] == pytest.approx(0.9, abs=0.01) and mask["once"][0] < 0.8


def test_effect_the_recorded_q8_0():
    r = RESULTS["llama"]
    by, both, base = r["formats"], r["activations"], r["fp32"]
    assert by["q8_0"]["bits"] == 8.5 and all(abs(f["loss"] - base) < 0.01 for f in by.values())
    assert by["q8_0"]["weights"] < by["int8, groups of 64"]["weights"] < by["int8, per channel"]["weights"] / 1.2
    codes, total, scales = r["different codes"]
    assert codes < total / 5000 and scales == 0
    blocks, channels = both["q8_0, activations too"], both["int8, per channel; activations per token"]
    assert abs(blocks - base) < 0.01 < 0.02 < channels - base
    assert abs(both["llama.cpp itself, q8_0"] - blocks) < 0.01
