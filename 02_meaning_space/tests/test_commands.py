"""The command line and the experiments, shortened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from meaning_space import bench, break_it, novels
from meaning_space.corpus import Corpus

FOLDER = Path(__file__).parents[1]


def small_texts(seed=0, n=1500):
    """Sentences of random words, among them enough pairs of forms for a few questions."""
    rng = np.random.default_rng(seed)
    words = [
        "call",
        "calls",
        "add",
        "adds",
        "method",
        "methods",
        "object",
        "objects",
        "called",
        "added",
        *(f"{a}{b}" for a in "bdfgklmn" for b in ("ing", "ed", "o", "as", "el", "ur", "ix", "yn")),
    ]
    return tuple(" ".join(rng.choice(words, 9)) for _ in range(n))


def run(*args, **env):
    return subprocess.run(
        [sys.executable, "-m", "meaning_space", *args],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER / "src"), "OMP_NUM_THREADS": "1", **env},
    )


@pytest.mark.timeout(300)
def test_the_quick_headline_writes_results_figures_and_map(tmp_path):
    done = run("--quick", "--seed", "3", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "results.json",
        "headline.png",
        "exact.png",
        "headline_map.html",
    }
    headline = json.loads((tmp_path / "out" / "results.json").read_text())["headline"]
    assert headline["meta"]["seeds"] == [3] and headline["exact"]["rows"][-1]["correlation"] > 0.999
    assert "| word |" in done.stdout


def test_an_unknown_corpus_is_refused():
    done = run("--data", "klingon")
    assert done.returncode == 2 and "invalid choice" in done.stderr


def test_break_it_runs_every_variant(monkeypatch):
    corpus = Corpus.from_texts(small_texts())
    monkeypatch.setattr(break_it, "offline_corpus", lambda: corpus)
    found = break_it.break_it(0, quick=True, say=lambda text: None)
    assert list(found["variants"]) == list(break_it.VARIANTS)
    assert all(np.isfinite(list(row.values())).all() for row in found["variants"].values())


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.parametrize("peer", [True, False])
def test_bench_measures_with_the_peer_and_names_it_when_it_is_missing(monkeypatch, peer):
    said = []
    monkeypatch.setattr(bench, "texts", lambda name: small_texts(n=300))
    monkeypatch.setattr(bench, "available", lambda: peer)
    found = bench.bench(0, quick=True, say=said.append)
    assert found["checked"] < 1e-9
    assert ("gensim, 1 thread" in found["speed"]) == peer == (not any("pip install" in line for line in said))
    assert all(v > 0 for runs in found["speed"].values() for v in runs) and found["limit"]["words_per_second"] > 0


def test_bench_times_nothing_when_the_forms_disagree(monkeypatch):
    monkeypatch.setattr(bench, "texts", lambda name: small_texts(n=300))
    monkeypatch.setattr(bench, "block_loss", lambda *args: 1.0)
    with pytest.raises(RuntimeError, match="agree"):
        bench.bench(0, quick=True, say=lambda text: None)


def test_a_missing_peer_is_named_with_its_command(monkeypatch):
    from meaning_space import peer
    from meaning_space.train import Config

    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    corpus = Corpus.from_texts(small_texts(n=50), min_count=1)
    assert not peer.available()
    with pytest.raises(ImportError, match="pip install"):
        peer.gensim_run(corpus.sentences(), corpus, Config())


# ---------------------------------------------------------------- the named corpora

DATA = Path(os.environ.get("HARDWAY_DATA", "/nowhere"))


@pytest.fixture
def named_files():
    names = ["english_novels.part1.txt.xz", "questions-words.txt", "wordsim353.txt", "simlex999.txt"]
    if missing := [n for n in names if not (DATA / n).exists()]:
        pytest.skip(f"HARDWAY_DATA ({DATA}) lacks {', '.join(missing)}")


@pytest.mark.data
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_a_tenth_of_the_novels_beside_gensim(named_files):
    found, page = novels.novels([0], quick=True, say=lambda text: None)
    assert set(found["sides"]) == {"ours", "gensim"} and len(page["words"]) == 150
    # One epoch of 360,000 words teaches little. A rank correlation of n pairs has a standard error of 100 / sqrt(n),
    # and the two sides may differ by three of them.
    for mark in ("wordsim353", "simlex999"):
        ours, theirs = (found["sides"][side][mark][0] for side in ("ours", "gensim"))
        assert abs(ours - theirs) < 3 * 100 / found["known"][mark] ** 0.5
    assert 150 <= found["known"]["family"] <= 506
