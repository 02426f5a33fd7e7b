"""Scores: analogies, similarity as people judge it, and the measures of the break-it experiments."""

from dataclasses import replace

import numpy as np
import pytest
from meaning_space.corpus import Corpus, Vocabulary
from meaning_space.lab.break_it import lift, measure
from meaning_space.lab.evaluation import (
    analogy_scores,
    percent_right,
    ranks,
    read_analogies,
    read_similarities,
    similarity_score,
    spearman,
    word_form_questions,
)
from scipy.stats import rankdata, spearmanr


def vocabulary_of(words):
    return Vocabulary(tuple(words), np.full(len(words), 3), {word: i for i, word in enumerate(words)})


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 50).astype(float), rng.standard_normal(50)  # many ties
    assert np.array_equal(ranks(x), rankdata(x))
    assert abs(spearman(x, y) - spearmanr(x, y)[0]) < 1e-12
    with pytest.raises(ValueError, match="at least three"):
        spearman(x[:2], y[:2])
    with pytest.raises(ValueError, match="constant"):
        spearman(np.ones(5), y[:5])


def test_questions_are_read_and_damaged_files_refused(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": capitals\nA B C D\n: family\nA B C D\nA B C X\n: gram1\nD C B A\n")
    sections = read_analogies(path, vocabulary_of("abcde"))
    assert {k: v.tolist() for k, v in sections.items()} == {"family": [[0, 1, 2, 3]], "gram1": [[3, 2, 1, 0]]}
    path.write_text(": family\nA B C\n")
    with pytest.raises(ValueError, match="line 2"):
        read_analogies(path, vocabulary_of("abcde"))


def test_similarities_are_read_and_damaged_files_refused(tmp_path):
    path, vocabulary = tmp_path / "pairs.txt", vocabulary_of("abcde")
    path.write_text("a\tb\t7.5\nx\tb\t1\nC d 2\na e 0.5\n")
    pairs, scores = read_similarities(path, vocabulary)
    assert pairs.tolist() == [[0, 1], [2, 3], [0, 4]] and scores.tolist() == [7.5, 2, 0.5]
    vectors = np.array([[1.0, 0], [1, 0.1], [0, 1], [1, 1], [-1, 0]])
    assert abs(similarity_score(vectors, pairs, scores) - 100) < 1e-9
    for damaged in ("a b\n", "a b seven\n"):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="line 1"):
            read_similarities(path, vocabulary)


def test_analogies_count_exact_answers_by_section():
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [0, -2]])
    questions = {"right": [[0, 1, 2, 3]], "wrong": [[0, 1, 2, 4]], "none": np.zeros((0, 4), int)}
    scores = analogy_scores(v, {section: np.array(rows) for section, rows in questions.items()})
    assert scores == {"right": (1, 1), "wrong": (0, 1), "none": (0, 0)}
    assert percent_right(scores) == 50 and percent_right(scores, "right") == 100
    with pytest.raises(ValueError, match="none"):
        percent_right(scores, "none")


def test_break_it_measures_what_it_says():
    words = [f"w{i}ing" if i % 2 else f"w{i}ed" for i in range(80)]
    corpus = Corpus(vocabulary_of(words), np.arange(80), np.array([0]))
    assert lift(corpus).shape == (80, 80)
    same = np.tile([1.0, 0.0], (80, 1)) + np.random.default_rng(0).standard_normal((80, 2)) * 1e-6
    forms = {**corpus.vocabulary.word_to_id, "call": 0, "calls": 1, "add": 2, "adds": 3}
    corpus = replace(corpus, vocabulary=replace(corpus.vocabulary, word_to_id=forms))
    assert len(word_form_questions(corpus.vocabulary)["verb, -s"]) == 2
    measures = measure(same, corpus, lift(corpus), 0)
    assert abs(measures["cosine"] - 100) < 1e-6 and 0 <= measures["same_suffix"] <= 100
