"""The evidence: the README says what results.json says, figures come from it alone, files are never half written."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from meaning_space import plots, record, tables

FOLDER = Path(__file__).parents[1]
RESULTS = record.read()
SECTIONS = ["headline", "bench", "break_it", "novels"]


def test_the_readme_is_generated_from_the_results():
    run = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-I", "src", "README.md"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_says_how_it_was_made(section):
    meta = RESULTS[section]["meta"]
    assert set(meta) == {"machine", "python", "versions", "commit", "seeds", "date", "threads"}
    assert meta["versions"]["numpy"] and re.fullmatch(r"\d{4}-\d\d-\d\d", meta["date"])


@pytest.mark.parametrize("section", SECTIONS)
def test_figures_and_tables_come_from_the_results_alone(section, tmp_path):
    drawn = plots.draw({section: RESULTS[section]}, tmp_path)
    assert drawn and all(path.stat().st_size < 200_000 for path in drawn)
    assert all((FOLDER / "results" / path.name).exists() for path in drawn)
    assert "|" in tables.show(section, RESULTS)


def test_the_recorded_exact_result_is_as_exact_as_claimed():
    rows = RESULTS["headline"]["exact"]["rows"]
    assert rows[-1]["correlation"] > 0.999
    assert [r["correlation"] for r in rows] == sorted(r["correlation"] for r in rows)


def test_the_recorded_speed_reaches_the_goals():
    from statistics import median

    speed = {name: median(runs) for name, runs in RESULTS["bench"]["speed"].items()}
    assert speed["blocks, 1 thread"] >= 0.7 * speed["gensim, 1 thread"]
    assert speed["blocks, 1 thread"] >= 3 * speed["pair by pair, PyTorch"]


def test_a_section_is_replaced_and_the_others_stay(tmp_path):
    record.write("a", {"x": 1}, tmp_path, [0])
    record.write("b", {"y": 2}, tmp_path, [0])
    results = record.write("a", {"x": 3}, tmp_path, [0, 1])
    assert (results["a"]["x"], results["b"]["y"], results["a"]["meta"]["seeds"]) == (3, 2, [0, 1])
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    assert json.loads((tmp_path / "results.json").read_text()) == results


@pytest.mark.parametrize("text", ['{"a": ', "[1, 2]"])
def test_damaged_results_are_refused(text, tmp_path):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match="results.json"):
        record.write("a", {}, tmp_path, [0])
