"""What the page says is what was measured; figures are drawn; the commands run."""

import sys

import mistakes
import pytest
from rope_animator.__main__ import main
from rope_animator.lab import bench, experiment, plots, record, tables

FIGURES = {"extrapolation.png", "by_position.png", "decay.png", "spectrum.png", "bench.png", "break_it.png"}
FIGURES |= {"smollm2.png"}


@pytest.fixture(scope="module")
def results():
    return record.read(record.COMMITTED)


def test_every_result_says_where_it_comes_from(results):
    assert set(results) == {"headline", "bench", "break_it", "smollm2", "mutants", "trial"}
    for section in results.values():
        meta = section["meta"]
        assert meta["machine"] and meta["versions"]["torch"] and meta["commit"] and meta["seeds"] and not meta["quick"]
    assert len(results["headline"]["meta"]["seeds"]) >= 3


def test_the_recorded_losses_say_what_the_page_says(results):
    loss = {method: entry["mean"] for method, entry in results["headline"]["extrapolation"].items()}
    assert loss["rope"]["1"] < loss["alibi"]["1"] < loss["none"]["1"]
    assert abs(loss["alibi"]["8"] - loss["alibi"]["1"]) < 0.02, "ALiBi does not notice the length"
    assert loss["rope"]["8"] > loss["none"]["8"], "RoPE is far behind at eight times its length"
    assert loss["rope + NTK-aware"]["4"] < loss["alibi"]["4"] < loss["rope"]["4"] < loss["rope + interpolation"]["4"]


def test_the_real_model_reads_four_times_its_length_with_yarn(results):
    curves = results["smollm2"]["curves"]
    trained = results["smollm2"]["trained_len"] // results["smollm2"]["block"]
    usual = sum(curves["RoPE as trained"][:trained]) / trained
    end = {scheme: sum(curve[-4:]) / 4 for scheme, curve in curves.items()}
    assert end["RoPE as trained"] > usual + 4 and end["YaRN"] < usual + 0.2
    assert end["YaRN"] < min(end["NTK-aware"], end["Llama 3"], end["dynamic NTK"]) < end["interpolation"] - 1


def test_the_recorded_times_meet_the_goals_that_the_page_calls_met(results):
    section = results["bench"]
    for contender in ("ours, half", "ours, interleaved"):
        assert section["fresh"][bench.PEER]["median"] / section["fresh"][contender]["median"] >= 1.5
    assert section["reused"]["copy_"]["median"] / section["reused"]["ours, interleaved"]["median"] >= 0.7
    assert max(section["max_difference"].values()) < 1e-6


def test_a_small_headline_is_measured_tabled_and_drawn(tmp_path):
    plan = experiment.Plan(trained_len=16, steps=2, seeds=(0, 1), workers=1, characters=256)
    content = experiment.measure_all(plan, lambda line: None)
    assert set(content["extrapolation"]) >= {"none", "learned", "sinusoidal", "t5", "rope", "alibi", "rope + YaRN"}
    assert set(content["extrapolation"]["learned"]["mean"]) == {"1"}
    results = record.write(tmp_path, "headline", content, seeds=plan.seeds)
    assert "impossible" in tables.headline(results["headline"])
    drawn = plots.draw(results, tmp_path)
    assert {p.name for p in drawn} == {"extrapolation.png", "by_position.png", "decay.png", "spectrum.png"}


def test_committed_figures_are_there_and_small():
    figures = list(record.COMMITTED.glob("*.png"))
    assert {path.name for path in figures} == FIGURES
    for path in figures:
        assert path.stat().st_size < 200_000, path.name


@pytest.mark.parametrize("command, section", [("bench", "bench"), ("break", "break_it"), ("headline", "headline")])
def test_the_command_line(command, section, tmp_path, capsys):
    assert main([command, "--quick", "--out", str(tmp_path)]) == 0
    assert "the numbers mean nothing" in capsys.readouterr().out
    assert record.read(tmp_path)[section]["meta"]["quick"]
    assert list(tmp_path.glob("*.png")) and not list(tmp_path.glob("*.tmp*"))


def test_animate_writes_the_page_and_the_picture(tmp_path):
    assert main(["animate", "--quick", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"rope.html", "rope.gif"}


def test_a_quick_run_is_never_evidence(capsys):
    before = (record.COMMITTED / "results.json").read_bytes()
    assert main(["headline", "--quick", "--out", str(record.COMMITTED)]) == 1
    assert "--quick" in capsys.readouterr().out
    assert (record.COMMITTED / "results.json").read_bytes() == before


def test_an_unknown_text_is_one_sentence(tmp_path, capsys):
    assert main(["--data", "novel", "--quick", "--out", str(tmp_path)]) == 1
    assert "data='novel'" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_missing_peer_is_named_with_its_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "transformers.models.llama.modeling_llama", None)
    assert main(["bench", "--quick", "--out", str(tmp_path)]) == 1
    assert "pip install -e '.[peers]'" in capsys.readouterr().out


def test_the_page_counts_the_mistakes_rightly():
    count = sum(len(list(mistakes.of(task))) for task in mistakes.TASKS)
    assert f"{count} known mistakes" in (record.FOLDER / "README.md").read_text(encoding="utf-8")
