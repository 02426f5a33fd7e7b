"""The command line, the results file, the figures, and the README that is made from them."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
from byte_pair_smith import __main__ as cli
from byte_pair_smith import bench, break_it, experiment, plots, results, tables

FOLDER = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Results of a quick headline run through the command line, without any named file."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HARDWAY_DATA", raising=False)
        cli.main(["--quick", "--out", str(out), "--seed", "3"])
    return out, json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_the_headline_runs_offline_and_writes_results_figures_and_page(quick):
    out, found = quick
    assert {p.name for p in out.iterdir()} == {"results.json", "tokens.html", "tax.png", "compression.png",
                                               "tokens.png"}
    assert found["headline"]["meta"]["seeds"] == [3, 4]
    assert found["headline"]["vocabulary"] == 1024
    assert len(found["headline"]["tax"]["sentences"]["ours, 1,024"]) == 25
    assert not set(found["headline"]["tax"]) - {"sentences"}
    assert all(p.stat().st_size < 200_000 for p in out.glob("*.png"))


def test_a_section_is_recorded_beside_the_others(quick, tmp_path):
    _, found = quick
    results.record(tmp_path, "headline", found["headline"])
    everything = results.record(tmp_path, "bench", {"x": 1})
    assert everything.keys() == {"headline", "bench"}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_results_that_are_no_json_are_not_overwritten(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(SystemExit, match="move it away"):
        results.record(tmp_path, "bench", {})
    assert (tmp_path / "results.json").read_text() == "{"


def test_the_bench_runs_and_says_which_peer_is_missing(monkeypatch):
    monkeypatch.setattr(bench, "peers", lambda: {"rustbpe": None, "tokenizers": None, "tiktoken": None})
    monkeypatch.setattr(bench, "growth", lambda quick, seed: {})
    said = []
    found = bench.run("topics", quick=True, say=said.append)
    assert sum(bench.INSTALL in line for line in said) == 3
    assert set(found["train"]["512"]["seconds"]) == {"ours"}


def test_the_bench_times_nothing_that_is_not_right():
    with pytest.raises(RuntimeError, match="not that of them"):
        bench.must_equal([1], [2], "them")


def test_exponents_of_powers_are_found():
    assert abs(bench.exponent([1.0, 2.0, 4.0, 8.0], [3.0, 12.0, 48.0, 192.0]) - 2) < 1e-12


def test_break_it_shows_what_it_should(monkeypatch, tmp_path):
    monkeypatch.delenv("HARDWAY_DATA", raising=False)
    found = break_it.run(quick=True, say=lambda line: None)
    assert found["without a split"]["split"]["glued"] == 0 < found["without a split"]["whole"]["glued"]
    assert found["without a split"]["split"]["dog"] == [" dog"] and len(found["without a split"]["whole"]["dog"]) > 5
    assert found["characters instead of bytes"]["unknown"]["Chinese"] == 1
    assert found["English tokens for Hindi"]["english"] > 2 * found["English tokens for Hindi"]["characters"]
    assert found["digits"]["one by one"]["aligned"] == 1 > found["digits"]["in threes (GPT-4)"]["aligned"]
    assert found["left to right instead of by rank"]["changed"] > 0
    assert found["tokens never seen"]["other_text"] > found["tokens never seen"]["same_text"]
    assert tables.printed("break_it", found).count("\n") > 8
    assert [p.name for p in plots.draw({"break_it": found}, tmp_path)] == ["digits.png"]


def test_held_out_paragraphs_are_not_trained_on():
    trained, held_out = experiment.hold_out("a\n\nb\n\nc\n\na\n\n" + "\n\n".join(map(str, range(16))), 0)
    assert not set(trained.split("\n\n")) & set(held_out.split("\n\n"))


def test_an_unknown_text_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--data", "bible"])
    assert "topics, code, shakespeare" in capsys.readouterr().err


def test_the_committed_results_draw_every_figure(tmp_path):
    found = results.load(FOLDER / "results" / "results.json")
    for path in plots.draw({k: v for k, v in found.items() if k in ("headline", "bench", "break_it")}, tmp_path):
        assert path.stat().st_size < 200_000
        assert (FOLDER / "results" / path.name).exists()


def test_the_readme_is_what_the_results_say():
    check = subprocess.run([sys.executable, "-m", "cogapp", "--check", "--diff", "README.md"], cwd=FOLDER,
                           capture_output=True, text=True)
    assert check.returncode == 0, f"run `cog -r README.md`:\n{check.stdout[-2000:]}{check.stderr[-2000:]}"
