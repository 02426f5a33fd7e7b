"""The command line and the experiments, shortened."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from meaning_space.__main__ import COMMANDS, arguments
from meaning_space.corpus import Corpus
from meaning_space.lab import bench, break_it, cli, fetch, gensim_peer, novels, plots, real_space, record
from meaning_space.space import most_similar
from meaning_space.train import Config


def small_corpus(seed=0, n=600, min_count=5):
    """Sentences of random words, among them enough pairs of forms for a few questions."""
    rng = np.random.default_rng(seed)
    words = ["call", "calls", "add", "adds", "method", "methods", "object", "objects", "called", "added"]
    words += [f"{a}{b}" for a in "bdfgklmn" for b in ("ing", "ed", "o", "as", "el", "ur", "ix", "yn")]
    return Corpus.from_texts([" ".join(rng.choice(words, 9)) for _ in range(n)], min_count)


def run(*argv):
    return cli.main("meaning_space", "", COMMANDS, plots.draw, [str(arg) for arg in argv], arguments)


def silent(line):
    pass


@pytest.mark.timeout(300)
def test_the_quick_headline_writes_results_figures_and_map(tmp_path, capsys):
    assert run("--quick", "--seed", 3, "--out", tmp_path) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"results.json", "headline.png", "exact.png", "headline_map.html"}
    headline = record.read(tmp_path)["headline"]
    assert headline["meta"]["seeds"] == [3] and headline["meta"]["quick"]
    assert headline["exact"]["rows"][-1]["correlation"] > 0.999
    assert "| word |" in capsys.readouterr().out


@pytest.mark.parametrize("data", ["klingon", "novels"])
def test_the_headline_asks_for_pythons_text(data, tmp_path, capsys):
    assert run("headline", "--data", data, "--out", tmp_path) == 1
    assert f"data='{data}'" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_text_of_ones_own_gives_vectors_that_gensim_reads(tmp_path, capsys):
    from gensim.models import KeyedVectors

    text, saved = tmp_path / "own.txt", tmp_path / "vectors.kv"
    text.write_text("\n".join(" ".join(sentence) for sentence in small_corpus().sentences()), encoding="utf-8")
    assert run("train", "--data", text, "--save", saved, "--out", tmp_path / "out") == 0
    read = KeyedVectors.load_word2vec_format(str(saved))
    assert read.vectors.shape == (len(small_corpus().vocabulary), 100) and "calls" in read
    assert "| word | nearest words |" in capsys.readouterr().out


def test_break_it_runs_every_experiment(monkeypatch):
    monkeypatch.setattr(break_it, "load_corpus", lambda data: small_corpus())
    variants = break_it.break_it(cli.options(quick=True), silent)["variants"]
    assert list(variants) == list(break_it.EXPERIMENTS)
    assert all(np.isfinite(list(row.values())).all() for row in variants.values())


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.parametrize("peer", [True, False])
def test_bench_measures_with_the_peer_and_names_it_when_it_is_missing(monkeypatch, peer):
    lines = []
    monkeypatch.setattr(bench, "load_corpus", lambda data: small_corpus(n=300))
    monkeypatch.setattr(bench, "available", lambda: peer)
    content = bench.bench(cli.options(quick=True), lines.append)
    assert content["check"] < 1e-9
    assert ("gensim, 1 thread" in content["speed"]) == peer == (not any("pip install" in line for line in lines))
    assert all(value > 0 for runs in content["speed"].values() for value in runs)
    assert content["limit"]["words_per_second"] > 0


def test_bench_times_nothing_when_the_forms_disagree(monkeypatch):
    monkeypatch.setattr(bench, "load_corpus", lambda data: small_corpus(n=300))
    monkeypatch.setattr(bench, "block_loss", lambda *args: 1.0)
    with pytest.raises(RuntimeError, match="agree"):
        bench.bench(cli.options(quick=True), silent)


def test_a_missing_peer_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    corpus = small_corpus(n=50, min_count=1)
    assert not gensim_peer.available()
    with pytest.raises(ImportError, match="pip install"):
        gensim_peer.train_gensim(corpus.sentences(), corpus, Config())


# ---------------------------------------------------------------- the novels


def test_without_the_novels_every_missing_file_is_named_in_one_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "cache")
    assert run("novels", "--out", tmp_path / "out") == 1
    out = capsys.readouterr().out
    assert all(
        name in out for name in ("english_novels.part1.txt.xz", "wordsim353.txt", "simlex999.txt", str(tmp_path))
    )
    assert "Traceback" not in out and not (tmp_path / "out").exists()


@pytest.fixture
def named_files():
    folder = Path(os.environ.get("HARDWAY_DATA", "/nowhere"))
    names = ["english_novels.part1.txt.xz", "questions-words.txt", "wordsim353.txt", "simlex999.txt"]
    if missing := [name for name in names if not (folder / name).exists()]:
        pytest.skip(f"HARDWAY_DATA ({folder}) lacks {', '.join(missing)}")


@pytest.mark.data
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_a_tenth_of_the_novels_next_to_gensim(named_files, tmp_path):
    content = novels.novels(cli.options(quick=True, out=tmp_path), silent)
    assert set(content["sides"]) == {"ours", "gensim"} and (tmp_path / "novels_map.html").exists()
    # One epoch of 360,000 words teaches little. A rank correlation of n pairs has a standard error of 100 / sqrt(n),
    # and the two sides may differ by three of them.
    for score in ("wordsim353", "simlex999"):
        ours, theirs = (content["sides"][side][score][0] for side in ("ours", "gensim"))
        assert abs(ours - theirs) < 3 * 100 / content["questions"][score] ** 0.5
    assert 150 <= content["questions"]["family"] <= 506


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
def test_the_real_models_matrix_knows_what_words_are_near():
    pytest.importorskip("gguf")
    words, matrix = real_space.read_words(fetch.model())
    assert len(words) == len(matrix) > 20_000 and matrix.shape[1] == 576 and matrix.dtype == np.float32
    names = list(words)
    near = most_similar(matrix, np.array([words["king"], words["blue"]]), 6)
    found = [{names[i] for i in row} for row in near]
    assert "queen" in found[0] and {"yellow", "green", "red"} <= found[1]
    raw = real_space.random_cosines(matrix, 0, 20_000)
    centered = real_space.random_cosines(matrix - matrix.mean(axis=0), 0, 20_000)
    assert raw.mean() > 0.25 and abs(centered.mean()) < 0.01


def test_random_pairs_hold_no_word_twice():
    cosines = real_space.random_cosines(np.eye(7) + 0.001, 0, 500)
    assert cosines.max() < 0.1
