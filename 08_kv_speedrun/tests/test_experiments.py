"""What the pages say is what was measured; the commands run; the experiments show what they are said to show."""

import json
from pathlib import Path

import pytest
import torch
from kv_speedrun import GPT, Config
from kv_speedrun.__main__ import COMMANDS
from kv_speedrun.lab import bench, break_it, cli, experiment, plots, tables, train

FOLDER = Path(__file__).parents[1]
RESULTS = json.loads((FOLDER / "results" / "results.json").read_text(encoding="utf-8"))
STARTER = json.loads((FOLDER / "starter.ipynb").read_text(encoding="utf-8"))
TINY = Config(vocab_size=256, context_length=320, layers=2, heads=2, width=32)


# ---------------------------------------------------------------- what is written


def test_every_result_says_where_it_comes_from():
    for name in ("headline", "bench", "break_it"):
        meta = RESULTS[name]["meta"]
        assert meta["machine"] and meta["versions"]["torch"] and meta["commit"] and meta["seeds"], name
        assert meta["quick"] is False, name


def test_the_recorded_claims_hold():
    speed, work = RESULTS["headline"]["speed"], RESULTS["headline"]["speed"]["work"]
    assert work["matmul_token_ratio"] == pytest.approx(142, abs=0.5)
    assert work["time_ratio"] < work["matmul_token_ratio"] / 4, "the two numbers are not the same"
    assert speed["without"]["slope"]["total"] > speed["with"]["slope"]["total"] + 0.3
    assert RESULTS["headline"]["int8"]["bytes_ratio"] > 3
    assert RESULTS["headline"]["memory"]["predicted"] == RESULTS["headline"]["memory"]["measured"]
    layouts = RESULTS["bench"]["checks"]["layouts"]
    assert all(layouts[name]["identical"] for name in ("as trained", "transposed", "packed"))


@pytest.mark.parametrize("name", break_it.BY_NAME)
def test_the_recorded_break_it_outcomes_hold(name):
    chosen, result = break_it.BY_NAME[name], RESULTS["break_it"][name]
    assert chosen.holds(result)
    assert result["outcome"] == chosen.outcome(result)


def test_each_run_of_a_trial_counts_the_same_attempts():
    for each in RESULTS["trial"]["trials"]:
        numbers = {sum(run.values()) for run in each["wrong"].values()}
        assert len(numbers) == 1 and min(numbers) >= 40, each["date"]
        assert each["right"].get("last", 0) <= each["right"]["attempts"]
    assert (tables.trial().count("trial, first run"), tables.trial().count("trial, last run")) == (5, 4)


def test_figures_are_there_and_small():
    for name in ("speedrun", "two_numbers", "memory", "bench", "break_it"):
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


# ---------------------------------------------------------------- the commands


@pytest.mark.parametrize("command", ["headline", "break"])
def test_a_command_leaves_results_and_figures(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "SMALL", TINY)
    monkeypatch.setattr(break_it, "SMALL", TINY)
    assert cli.main("kv_speedrun", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    section = {"headline": "headline", "break": "break_it"}[command]
    assert section in json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert list(tmp_path.glob("*.png")) and cli.QUICK in capsys.readouterr().out


def test_a_missing_section_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(tables.markdown.record, "COMMITTED", tmp_path)
    with pytest.raises(ValueError, match="python -m kv_speedrun bench"):
        tables.bench()


def test_goals_are_of_the_best_layout_and_are_left_out_where_nothing_was_measured():
    row = {"gain_per_second": [2.0, 3.0, 1.0], "share": 0.5}
    better = {"gain_per_second": [2.5, 2.5, 2.5], "share": 0.4}
    got = bench.goals({"1": {"1": {"contenders": {"packed": row, "fastest": better, "W8A8": {"share": 0.1}}}}})
    assert [(g["got"], g["layout"]) for g in got] == [(2.5, "fastest"), (0.5, "packed")]


# ---------------------------------------------------------------- the small model


def test_training_learns():
    text, unseen = train.split(train.load_bytes("pydoc"))
    model = train.train(text, TINY, 120, lr=8e-3, log=lambda line: None)
    tokens = train.windows(unseen, 8, 97, torch.Generator().manual_seed(0))
    assert train.next_byte_loss(model, tokens).mean() < train.next_byte_loss(GPT(TINY), tokens).mean() - 1.5


def test_divergence_is_an_error_and_not_a_model():
    text = train.load_bytes("pydoc")[:10_000]
    with pytest.raises(ValueError, match="lr=.*the loss is .* train with a smaller lr"):
        train.train(text, TINY, 60, lr=1e30, log=lambda line: None)


def test_a_text_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="length=129: the text has only 50 bytes; give more text"):
        train.train(torch.zeros(50, dtype=torch.uint8), TINY, 5, log=lambda line: None)


# ---------------------------------------------------------------- break it


@pytest.fixture(scope="module")
def workbook_model():
    """The very model and passages of the workbook's cells."""
    return break_it.small_model()


@pytest.mark.parametrize("name", break_it.BY_NAME)
def test_the_workbook_shows_what_its_answers_say(name, workbook_model):
    chosen = break_it.BY_NAME[name]
    result = chosen.run(*workbook_model)
    assert chosen.holds(result), result["outcome"]
    text = "\n".join("".join(cell["source"]) for cell in STARTER["cells"])
    assert chosen.answer in text, f"the folded answer to {chosen.title!r} is not the one in break_it.py"
    assert chosen.predict in text
    assert f'BY_NAME["{name}"]' in text
