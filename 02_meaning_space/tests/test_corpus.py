import hashlib

import meaning_space.sources as sources
import numpy as np
import pytest
from meaning_space.corpus import Corpus, Vocabulary, tokenise
from meaning_space.sources import Remote, fetch, prose, texts


def test_tokenise_keeps_words_and_apostrophes():
    assert tokenise("Don’t return the N-th VALUE (3.5)!") == ["don't", "return", "the", "n", "th", "value"]


def test_vocabulary_is_ordered_by_frequency_and_then_by_the_alphabet():
    v = Vocabulary.of([["b", "a", "c", "b"], ["a", "d"]], min_count=1)
    assert v.words == ("a", "b", "c", "d") and v.counts.tolist() == [2, 2, 1, 1]
    assert Vocabulary.of([["b", "a", "c", "b", "a"]], min_count=2).words == ("a", "b")
    assert len(Vocabulary.of([["b", "a", "c", "b", "a"]], min_count=1, max_words=2)) == 2


def test_corpus_round_trip_without_rare_words_and_empty_sentences():
    corpus = Corpus.from_texts(["the cat sat", "sat", "!!!", "zebra", "the cat"], min_count=2)
    assert corpus.sentences() == [["the", "cat", "sat"], ["sat"], ["the", "cat"]]
    assert len(corpus) == 6 and corpus.starts.tolist() == [0, 3, 4]
    assert sorted(corpus.shuffled(0).ids.tolist()) == sorted(corpus.ids.tolist())


@pytest.mark.parametrize(
    "what, said",
    [
        (lambda: Vocabulary.of([["a", "b"]], min_count=5), "min_count=5"),
        (lambda: Corpus.from_texts(["a a b b"], min_count=2).vocabulary.ids(["a", "Paris"]), "Paris"),
        (lambda: Corpus.of([["x"]], Vocabulary.of([["a", "b"]], 1)), "at least two"),
        (lambda: texts("klingon"), "offline, novels"),
    ],
)
def test_bad_input_is_refused(what, said):
    with pytest.raises(ValueError, match=said):
        what()


def test_prose_leaves_examples_out():
    text = "Adds.\n\n    >>> add(1, 2)\n    3\n    >>> add(0, 0)\n    0\n\nReturns a number.\n>>> x"
    assert prose(text).split() == ["Adds.", "Returns", "a", "number."]


def test_offline_text_is_large_enough_and_each_text_is_there_once():
    found = texts("offline")
    assert len(found) == len(set(found)) > 3000
    assert sum(len(tokenise(t)) for t in found) > 200_000


def test_offline_text_is_found_again_and_made_anew_from_half_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sources.pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(sources, "docstrings", lambda root: ["Of a library.", "Of a library."])
    made = sources.offline.__wrapped__()
    assert made[-1] == "Of a library." and len(made) == len(set(made))
    monkeypatch.setattr(sources, "docstrings", lambda root: 1 / 0)
    assert sources.offline.__wrapped__() == made, "the second time nothing is read"
    (place,) = (tmp_path / "hardway").iterdir()
    monkeypatch.setattr(sources, "docstrings", lambda root: ["Anew."])
    for broken in (place.read_text()[:-20], "{}", "[1]", "[]"):
        place.write_text(broken)
        assert sources.offline.__wrapped__()[-1] == "Anew."
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sources.pooch, "os_cache", lambda name: tmp_path / "file" / name)
    assert sources.offline.__wrapped__()[-1] == "Anew.", "where nothing can be kept, it still works"


# ---------------------------------------------------------------- files from elsewhere

FILE = Remote("little.txt", "http://127.0.0.1:9/little.txt", hashlib.sha256(b"four").hexdigest())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sources.pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_file_in_the_data_folder_is_taken_from_there(folder):
    (folder / "little.txt").write_bytes(b"four")
    assert fetch(FILE) == folder / "little.txt"


def test_a_damaged_file_is_refused(folder):
    (folder / "little.txt").write_bytes(b"fou")
    with pytest.raises(ValueError, match="sha256"):
        fetch(FILE)


@pytest.mark.parametrize("url", [FILE.url, "https://example.org/a-page-about-it"])
def test_without_the_file_the_error_says_what_to_do(folder, url):
    with pytest.raises(OSError) as error:
        fetch(Remote(FILE.name, url, FILE.sha256))
    for part in ("little.txt", url, FILE.sha256, str(folder)):
        assert part in str(error.value)


def test_ids_are_whole_numbers():
    v = Vocabulary.of([["b", "a", "b"]], min_count=1)
    assert v.ids(["a", "b", "a"]).tolist() == [1, 0, 1] and v.ids([]).dtype == np.int64
