"""What the pages say is what was measured; the commands run; the experiments show what they are said to show."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kv_speedrun import GPT, Config, break_it, experiment, record, tables, text, train
from kv_speedrun.__main__ import main

FOLDER = Path(__file__).parents[1]
RESULTS = json.loads((FOLDER / "results" / "results.json").read_text())
TINY = Config(vocab_size=256, context_length=320, layers=2, heads=2, width=32)


def test_the_readme_shows_the_committed_results():
    run = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "README.md"], cwd=FOLDER, capture_output=True, text=True
    )
    assert run.returncode == 0, (
        "README.md differs from results.json; run: python -m cogapp -r README.md\n" + run.stdout[-2000:]
    )


def test_every_result_says_where_it_comes_from():
    for name in ("headline", "bench", "break_it"):
        meta = RESULTS[name]["meta"]
        assert (
            meta["machine"] and meta["versions"]["torch"] and meta["commit"] and meta["seeds"] and not meta["quick"]
        ), name


def test_the_recorded_claims_hold():
    work, speed = RESULTS["headline"]["speed"]["work"], RESULTS["headline"]["speed"]
    assert work["matmul_token_ratio"] == pytest.approx(142, abs=0.5)
    assert work["time_ratio"] < work["matmul_token_ratio"] / 4, "the two numbers are not the same"
    assert speed["without"]["slope"]["total"] > speed["with"]["slope"]["total"] + 0.3
    assert RESULTS["headline"]["int8"]["bytes_ratio"] > 3
    assert RESULTS["headline"]["memory"]["predicted"] == RESULTS["headline"]["memory"]["measured"]
    layouts = RESULTS["bench"]["checks"]["layouts"]
    assert all(layouts[name]["identical"] for name in ("as trained", "transposed", "packed"))


def test_figures_are_there_and_small():
    for name in ("speedrun", "two_numbers", "memory", "bench", "break_it"):
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


@pytest.mark.parametrize("what", ["headline", "break"])
def test_the_command_runs_and_leaves_results_and_figures(what, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "SMALL", Config(256, 320, 2, 2, 32))
    monkeypatch.setattr(break_it, "SMALL", Config(256, 320, 2, 2, 32))
    assert main([what, "--quick", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    section = {"headline": "headline", "break": "break_it"}[what]
    assert section in json.loads((tmp_path / "results.json").read_text())
    assert list(tmp_path.glob("*.png")) and "results" not in [p.name for p in tmp_path.iterdir()]
    assert not list(tmp_path.glob("*.tmp")) and "Quick run" in " ".join(said.split())


def test_bad_arguments_stop_with_a_sentence(tmp_path, capsys, monkeypatch):
    with pytest.raises(SystemExit, match="this machine allows 1 to"):
        main(["--threads", "0"])
    with pytest.raises(SystemExit):
        main(["--data", "no-such-corpus"])
    with pytest.raises(ValueError, match="choose one of pydoc"):
        text.load("no-such-corpus")


def test_results_that_are_damaged_are_not_overwritten(tmp_path):
    (tmp_path / "results.json").write_text('{"headline": ')
    with pytest.raises(ValueError):
        record.write(tmp_path / "results.json", "bench", {})
    assert (tmp_path / "results.json").read_text() == '{"headline": '


def test_a_missing_section_names_the_command(tmp_path):
    with pytest.raises(ValueError, match="python -m kv_speedrun"):
        tables.headline({})


@pytest.mark.data
def test_shakespeare_is_found_in_the_data_folder(hardway_data, monkeypatch, tmp_path):
    assert len(text.load("shakespeare")) == 1115394
    (tmp_path / "tinyshakespeare.txt").write_text("not it")
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="sha256"):
        text.load("shakespeare")


@pytest.fixture
def hardway_data():
    import os
    folder = os.environ.get("HARDWAY_DATA")
    if not folder or not (Path(folder) / "tinyshakespeare.txt").is_file():
        pytest.skip("set HARDWAY_DATA to a folder that holds tinyshakespeare.txt")
    return Path(folder)


def test_no_network_names_the_address_the_file_and_the_folder(monkeypatch):
    import pooch
    def unreachable(*args, **kwargs):
        raise OSError("no route to host")
    monkeypatch.delenv("HARDWAY_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(
        OSError, match=r"(?s)githubusercontent.*tinyshakespeare.txt.*HARDWAY_DATA|tinyshakespeare.txt.*HARDWAY_DATA"
    ):
        text.load("shakespeare")


# ---------------------------------------------------------------- effects

@pytest.fixture(scope="module")
def trained():
    known, unseen = train.split(text.load("pydoc"))
    model = train.train(known, TINY, 400, rate=8e-3, say=lambda line: None)
    return model, train.windows(unseen, 8, 97, torch.Generator().manual_seed(0))


def test_training_learns(trained):
    model, tokens = trained
    assert train.next_byte_loss(model, tokens).mean() < train.next_byte_loss(GPT(TINY), tokens).mean() - 2


def test_without_the_offset_only_decoded_tokens_suffer(trained):
    result = break_it.no_offset(*trained)
    half = result["prompt"]
    assert result["right"][:half] == pytest.approx(result["wrong"][:half], abs=1e-5)
    assert result["loss"][1] > result["loss"][0] + 0.01


def test_a_top_left_mask_is_right_in_one_chunk_and_wrong_in_many(trained):
    result = break_it.top_left(*trained)
    assert result["wrong"]["96"] == pytest.approx(result["right"], abs=1e-4)
    assert result["wrong"]["1"] > result["right"] + 0.05


def test_a_cache_that_is_not_cleared_changes_answers(trained):
    assert break_it.not_cleared(*trained)["answers_that_differ"] > 0


def test_int8_costs_less_than_int4(trained):
    change = break_it.int4(*trained)["change"]
    assert abs(change["int8"]) < 0.005
    assert abs(change["int8"]) < abs(change["int4"])


def test_concatenation_copies_half_the_length_times_more():
    result = break_it.concatenate(256)["bytes"]
    assert result["growing"][-1] / result["static"][-1] == pytest.approx(128, rel=0.02)
