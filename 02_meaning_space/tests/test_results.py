"""The evidence: README and REPORT say what results.json says, and figures come from it alone."""

import re
from pathlib import Path
from statistics import median

import pytest
from meaning_space.__main__ import COMMANDS
from meaning_space.lab import plots, record, tables
from meaning_space.lab.break_it import BASELINE, EXPERIMENTS

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)
SECTIONS = ["headline", "bench", "break_it", "novels", "probes", "foundations", "smollm2"]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_says_how_it_was_made(section):
    meta = RESULTS[section]["meta"]
    assert {"machine", "python", "versions", "commit", "seeds", "date", "threads", "quick"} <= set(meta)
    assert not meta["quick"] and meta["versions"]["numpy"] and re.fullmatch(r"\d{4}-\d\d-\d\d", meta["date"])


@pytest.mark.parametrize("section", SECTIONS)
def test_figures_and_tables_come_from_the_results_alone(section, tmp_path):
    drawn = plots.draw({section: RESULTS[section]}, tmp_path)
    assert drawn and all(path.stat().st_size < 200_000 for path in drawn)
    assert all((FOLDER / "results" / path.name).exists() for path in drawn)
    command = next(command for command in COMMANDS if command.key == section)
    assert "|" in command.table(RESULTS[section])


def test_the_recorded_exact_result_is_as_exact_as_claimed():
    rows = RESULTS["headline"]["exact"]["rows"]
    assert rows[-1]["correlation"] > 0.999
    assert [row["correlation"] for row in rows] == sorted(row["correlation"] for row in rows)


def test_the_recorded_speed_reaches_the_goals():
    speed = {name: median(runs) for name, runs in RESULTS["bench"]["speed"].items()}
    assert speed["blocks, 1 thread"] >= 0.7 * speed["gensim, 1 thread"]
    assert speed["blocks, 1 thread"] >= 3 * speed["pair by pair, PyTorch"]
    assert "missed" not in tables.goals(RESULTS["bench"])


def test_each_run_of_a_recorded_trial_counts_the_same_attempts():
    for trial in RESULTS["trial"]["trials"]:
        first, last = trial["wrong"]["first"], trial["wrong"].get("last", trial["wrong"]["first"])
        assert sum(first.values()) == sum(last.values()) >= 40 and trial["right"]["attempts"] >= 12
        right = trial["right"].get("last", trial["right"]["first"])
        assert last["false"] == 0 and right == trial["right"]["attempts"]


def test_the_recorded_matrix_of_the_real_model_keeps_the_claims():
    spaces = RESULTS["smollm2"]["spaces"]
    raw, centered, ours = (spaces[name] for name in ("SmolLM2", "SmolLM2, mean subtracted", "skip-gram"))
    assert raw[0]["mean_cosine"] > 0.3 > 0.01 > abs(centered[0]["mean_cosine"])
    for score in ("family", "grammar", "simlex999"):
        assert raw[0][score] > max(run[score] for run in ours)
    assert centered[0]["simlex999"] < raw[0]["simlex999"]


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_recorded_break_it_experiments_keep_their_claims(name):
    variants = RESULTS["break_it"]["variants"]
    for claim in EXPERIMENTS[name].claims:
        assert claim.holds(variants[name], variants[BASELINE]), claim
