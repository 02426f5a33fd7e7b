"""What the page says is what was measured; figures are drawn; the commands run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rope_animator import experiment, plots, record, tables
from rope_animator.__main__ import main

FOLDER = Path(__file__).parents[1]
SECTIONS = {"headline", "bench", "break_it"}


def test_every_result_says_where_it_comes_from():
    found = record.read(FOLDER / "results")
    assert set(found) == SECTIONS
    for section in found.values():
        meta = section["meta"]
        assert meta["machine"] and meta["versions"]["torch"] and meta["commit"] and meta["seeds"] and not meta["quick"]
    assert len(found["headline"]["meta"]["seeds"]) >= 3


def test_the_recorded_claims_hold():
    found = record.read(FOLDER / "results")
    loss = {method: entry["mean"] for method, entry in found["headline"]["extrapolation"].items()}
    assert loss["rope"]["1"] < loss["alibi"]["1"] < loss["none"]["1"]
    assert abs(loss["alibi"]["8"] - loss["alibi"]["1"]) < 0.02, "ALiBi does not notice the length"
    assert loss["rope"]["8"] > loss["none"]["8"], "RoPE is far behind at eight times its length"
    assert loss["rope + NTK-aware"]["4"] < loss["alibi"]["4"] < loss["rope"]["4"] < loss["rope + interpolation"]["4"]
    bench = found["bench"]
    for name in ("ours, half", "ours, interleaved"):
        assert bench["fresh"]["Llama in transformers"]["median"] / bench["fresh"][name]["median"] >= 1.5
    assert bench["reused"]["copy_"]["median"] / bench["reused"]["ours, interleaved"]["median"] >= 0.7
    assert max(bench["difference"].values()) < 1e-6
    broken = found["break_it"]
    far = [broken[f"base {base}"]["losses"]["4"] for base in ("10", "10,000", "1,000,000")]
    assert far == sorted(far), "the larger the base, the worse beyond the trained length"
    layout = broken["base 10,000"]["layout"]
    assert layout["read as interleaved"] > layout["rows permuted"] + 0.5


def test_the_table_of_plain_results_is_drawn(tmp_path):
    plan = experiment.Plan(length=16, steps=2, seeds=(0, 1), workers=1, characters=256)
    found = experiment.headline(plan, say=lambda line: None)
    assert set(found["extrapolation"]) >= {"none", "learned", "sinusoidal", "t5", "rope", "alibi", "rope + YaRN"}
    assert set(found["extrapolation"]["learned"]["mean"]) == {"1"}
    sections = record.write(tmp_path, "headline", found, plan.seeds)
    assert "impossible" in tables.headline(sections["headline"])
    drawn = plots.draw(sections, tmp_path)
    assert {p.name for p in drawn} == {"extrapolation.png", "by_position.png", "decay.png", "spectrum.png"}


def test_committed_figures_are_there_and_small():
    for path in FOLDER.glob("results/*.png"):
        assert path.stat().st_size < 200_000, path.name
    assert len(list(FOLDER.glob("results/*.png"))) == 6


def test_the_readmes_tables_are_the_recorded_ones():
    run = subprocess.run([sys.executable, "-m", "cogapp", "--check", "README.md"], cwd=FOLDER,
                         env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("command, section", [("bench", "bench"), ("break", "break_it"), ("headline", "headline")])
def test_the_command_line(command, section, tmp_path, capsys):
    main([command, "--quick", "--steps", "1", "--out", str(tmp_path)])
    assert "a quick run: the numbers mean nothing" in capsys.readouterr().out
    assert record.read(tmp_path)[section]["meta"]["quick"]
    assert list(tmp_path.glob("*.png")) and not list(tmp_path.glob("*.tmp*"))


def test_the_command_line_says_what_is_wrong(capsys):
    with pytest.raises(SystemExit):
        main(["--data", "novel"])
    assert "invalid choice: 'novel'" in capsys.readouterr().err


def test_a_missing_peer_is_named_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers.models.llama.modeling_llama", None)
    with pytest.raises(SystemExit, match=r"pip install -e '\.\[peers\]'"):
        main(["bench", "--quick", "--out", str(tmp_path)])
