"""Words in any alphabet, vocabularies, corpora, and the text that ships with Python."""

import meaning_space.lab.corpora as corpora
import numpy as np
import pytest
from meaning_space.corpus import Corpus, Vocabulary, tokenize
from meaning_space.lab import fetch


@pytest.mark.parametrize(
    "text, want",
    [
        ("Don’t return the N-th VALUE (3.5)!", ["don't", "return", "the", "n", "th", "value"]),
        ("Bäcker naïve", ["bäcker", "naïve"]),
        ("e\u0301te\u0301 été", ["été", "été"]),  # an accent of its own, and one that is part of the letter
        ("Привет, мир", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # vowel signs are marks, not letters
        ("snake_case x2 rock'n'roll", ["snake", "case", "x", "rock'n", "roll"]),
        ("", []),
    ],
)
def test_words_are_found_in_any_alphabet(text, want):
    assert tokenize(text) == want


def test_vocabulary_is_ordered_by_frequency_and_then_by_the_alphabet():
    v = Vocabulary.from_sentences([["b", "a", "c", "b"], ["a", "d"]], min_count=1)
    assert v.words == ("a", "b", "c", "d") and v.counts.tolist() == [2, 2, 1, 1]
    assert Vocabulary.from_sentences([["b", "a", "c", "b", "a"]], min_count=2).words == ("a", "b")
    assert len(Vocabulary.from_sentences([["b", "a", "c", "b", "a"]], min_count=1, max_words=2)) == 2


def test_corpus_round_trip_without_rare_words_and_empty_sentences():
    corpus = Corpus.from_texts(["the cat sat", "sat", "!!!", "zebra", "the cat"], min_count=2)
    assert corpus.sentences() == [["the", "cat", "sat"], ["sat"], ["the", "cat"]]
    assert len(corpus) == 6 and corpus.starts.tolist() == [0, 3, 4]
    assert sorted(corpus.shuffled(0).ids.tolist()) == sorted(corpus.ids.tolist())


def test_texts_may_come_from_a_generator():
    assert Corpus.from_texts((text for text in ["a b a", "b"]), min_count=1).sentences() == [["a", "b", "a"], ["b"]]


def test_ids_are_whole_numbers():
    v = Vocabulary.from_sentences([["b", "a", "b"]], min_count=1)
    assert v.ids(["a", "b", "a"]).tolist() == [1, 0, 1] and v.ids([]).dtype == np.int64


@pytest.mark.parametrize(
    "what, match",
    [
        (lambda: Vocabulary.from_sentences([["a", "b"]], min_count=5), "min_count=5"),
        (lambda: Vocabulary.from_sentences([["a", "b"]], min_count=0), "min_count=0"),
        (lambda: Vocabulary.from_sentences([["a", "b", "c"]], 1, max_words=-1), "max_words=-1"),
        (lambda: Corpus.from_texts(["a a b b"], min_count=2).vocabulary.ids(["a", "Paris"]), "Paris"),
        (lambda: Corpus.from_sentences([["x"]], Vocabulary.from_sentences([["a", "b"]], 1)), "at least two"),
        (lambda: corpora.load_texts("klingon"), "klingon"),
    ],
)
def test_bad_input_is_refused(what, match):
    with pytest.raises(ValueError, match=match):
        what()


LETTERS = Vocabulary.from_sentences([["a", "b"]], min_count=1)


@pytest.mark.parametrize(
    "what",
    [
        lambda: Corpus.from_texts("the cat sat on the mat", min_count=1),
        lambda: Corpus.from_texts([b"the cat"], min_count=1),
        lambda: Corpus.from_texts([None], min_count=1),
        lambda: Corpus.from_sentences(["a b", "b a"], LETTERS),
        lambda: Vocabulary.from_sentences(["a b", "b a"], min_count=1),
        lambda: Vocabulary.from_sentences("a b b a", min_count=1),
        lambda: LETTERS.ids("ab"),
        lambda: tokenize(None),
    ],
)
def test_a_string_is_not_a_list_of_its_letters(what):
    with pytest.raises(TypeError):
        what()


# ---------------------------------------------------------------- the text that ships with Python


def test_examples_are_left_out():
    text = "Adds.\n\n    >>> add(1, 2)\n    3\n    >>> add(0, 0)\n    0\n\nReturns a number.\n>>> x"
    assert corpora.without_examples(text).split() == ["Adds.", "Returns", "a", "number."]


def test_pythons_text_is_large_enough_and_each_text_is_there_once():
    texts = corpora.load_texts("pydoc")
    assert len(texts) == len(set(texts)) > 3000
    assert sum(len(text.split()) for text in texts) > 200_000


def test_pythons_text_is_kept_and_made_anew_from_half_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path)
    monkeypatch.setattr(corpora, "docstrings", lambda root: ["Of a library.", "Of a library."])
    made = corpora.python_docs.__wrapped__()
    assert made[-1] == "Of a library." and len(made) == len(set(made))
    monkeypatch.setattr(corpora, "docstrings", lambda root: 1 / 0)
    assert corpora.python_docs.__wrapped__() == made, "the second time nothing is read"
    (path,) = tmp_path.iterdir()
    monkeypatch.setattr(corpora, "docstrings", lambda root: ["Anew."])
    for damaged in (path.read_text()[:-20], "{}", "[1]", "[]"):
        path.write_text(damaged)
        assert corpora.python_docs.__wrapped__()[-1] == "Anew."
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "file")
    assert corpora.python_docs.__wrapped__()[-1] == "Anew.", "without a cache it still works"


def test_a_text_of_ones_own_is_a_sentence_a_line(tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes("Привет, мир\r\nмир мир Привет\r\n".encode() * 5)
    corpus = corpora.load_corpus(str(path))
    assert corpus.vocabulary.words == ("мир", "привет") and len(corpus.starts) == 10
