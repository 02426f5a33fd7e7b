"""The command line, the break-it claims, the figures, and the pages that are made from the results."""

import json
import sys
from pathlib import Path

import pytest
from byte_pair_smith.__main__ import run
from byte_pair_smith.lab import bench, break_it, experiment, plots, record, tables, timing
from byte_pair_smith.lab.cli import options

FOLDER = Path(__file__).resolve().parents[1]


def quiet(line):
    """A log that shows nothing."""


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Results of a quick headline run through the command line, without any named file."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARDWAY_DATA", str(out / "nothing"))
        patch.setenv("XDG_CACHE_HOME", str(out / "nothing"))
        assert run(["--quick", "--out", str(out), "--seed", "3"]) == 0
    return out, json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_the_headline_runs_offline_and_writes_results_figures_and_page(quick):
    out, results = quick
    names = {"results.json", "tokens.html", "premium.png", "compression.png", "tokens.png"}
    assert {p.name for p in out.iterdir()} == names
    headline = results["headline"]
    assert headline["meta"]["seeds"] == [3, 4] and headline["meta"]["quick"] is True
    assert headline["vocabulary"] == 1024
    assert len(headline["premium"]["sentences"]["ours, 1,024"]) == 25
    assert set(headline["premium"]) == {"sentences"}
    assert all(p.stat().st_size < 200_000 for p in out.glob("*.png"))


def test_a_quick_run_is_never_evidence(capsys):
    assert run(["break", "--quick", "--out", str(record.COMMITTED)]) == 1
    assert "a quick run is no evidence" in " ".join(capsys.readouterr().out.split())


def test_a_text_of_the_readers_own_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "real_tokenizers", lambda model, log: {})
    own = tmp_path / "own.txt"
    own.write_text("\n".join(f"one two {n} three" for n in range(100)), encoding="utf-8")
    arguments = ["headline", "--quick", "--data", str(own), "--out", str(tmp_path / "out")]
    assert run(arguments) == 0
    assert record.read(tmp_path / "out")["headline"]["text_bytes"] == own.stat().st_size


def test_a_text_too_short_to_hold_something_out_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "real_tokenizers", lambda model, log: {})
    (tmp_path / "own.txt").write_text("one two three " * 300, encoding="utf-8")
    assert run(["--quick", "--data", str(tmp_path / "own.txt"), "--out", str(tmp_path / "out")]) == 1
    assert "too few to hold some out" in " ".join(capsys.readouterr().out.split())


def test_an_unknown_text_is_one_sentence(capsys, tmp_path):
    assert run(["--data", "bible", "--out", str(tmp_path)]) == 1
    assert "data='bible'" in capsys.readouterr().out


def test_the_bench_runs_and_says_which_peer_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "rustbpe", None)  # importing it fails
    monkeypatch.setattr(bench, "growth", lambda quick, seed: {})
    monkeypatch.setattr(bench, "plain", lambda text, size, length: {})
    lines = []
    results = bench.bench(options(quick=True), lines.append)
    assert sum(bench.INSTALL in line for line in lines) == 1
    assert set(results["train"]["512"]["seconds"]) == {"ours", "tokenizers", "tokenizers, in paragraphs"}


def test_the_bench_times_nothing_that_is_not_right():
    with pytest.raises(RuntimeError, match="not that of them"):
        bench.check_equal([1], [2], "them")


def test_exponents_of_powers_are_found():
    assert abs(timing.exponent([1.0, 2.0, 4.0, 8.0], [3.0, 12.0, 48.0, 192.0]) - 2) < 1e-12


def test_held_out_paragraphs_are_not_trained_on():
    trained, held_out = experiment.hold_out("a\n\nb\n\nc\n\na\n\n" + "\n\n".join(map(str, range(16))), 0)
    assert not set(trained.split("\n\n")) & set(held_out.split("\n\n"))


# ---------------------------------------------------------------- break it


@pytest.fixture(scope="module")
def broken():
    """A fresh run of every break-it experiment."""
    return break_it.break_it(options(), quiet)


@pytest.mark.parametrize("name", break_it.EXPERIMENTS)
def test_what_is_written_about_breaking_it_is_what_happens(broken, name):
    experiment = break_it.EXPERIMENTS[name]
    assert experiment.holds(broken[name]), f"{experiment.claim}\n{broken[name]}"


@pytest.mark.parametrize("name", break_it.EXPERIMENTS)
def test_what_is_written_about_breaking_it_is_what_was_recorded(name):
    experiment = break_it.EXPERIMENTS[name]
    assert experiment.holds(record.read(record.COMMITTED)["break_it"][name]), experiment.claim


def test_the_break_it_figure_and_table(broken, tmp_path):
    assert tables.break_it({**broken, "meta": None}).count("\n") > 8
    assert [p.name for p in plots.draw({"break_it": broken}, tmp_path)] == ["digits.png"]


# ---------------------------------------------------------------- the committed evidence


def test_the_committed_results_draw_every_figure(tmp_path):
    for path in plots.draw(record.read(record.COMMITTED), tmp_path):
        assert path.stat().st_size < 200_000
        assert (FOLDER / "results" / path.name).exists()


def test_no_committed_section_is_of_a_quick_run():
    assert not any(section["meta"]["quick"] for section in record.read(record.COMMITTED).values())
