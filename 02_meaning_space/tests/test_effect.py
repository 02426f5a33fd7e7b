"""The effects: trained vectors know what a wrong implementation's would not, and agree with gensim's."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from meaning_space.break_it import measure, met
from meaning_space.corpus import Corpus, Vocabulary
from meaning_space.judgement import (
    accuracy,
    agreement,
    analogy_questions,
    forms_questions,
    judged_pairs,
    percent,
    ranks,
    spearman,
)
from meaning_space.peer import available, gensim_run
from meaning_space.space import Space, nearest, overlap
from meaning_space.train import Config, train
from scipy.stats import rankdata, spearmanr

ROLES = {
    "king": ("queen", "throne"),
    "prince": ("princess", "castle"),
    "waiter": ("waitress", "table"),
    "actor": ("actress", "stage"),
    "uncle": ("aunt", "cousin"),
    "sir": ("madam", "title"),
}


def roles_text(seed, sentences=12_000):
    """A text made of two independent facts, role and gender: each word keeps company with the marks of both."""
    rng = np.random.default_rng(seed)
    roles, out = list(ROLES), []
    for _ in range(sentences):
        role = roles[rng.integers(len(roles))]
        female = rng.random() < 0.5
        word = ROLES[role][0] if female else role
        mark = ["she", "her", "woman"] if female else ["he", "his", "man"]
        around = [mark[rng.integers(3)], mark[rng.integers(3)], f"{role}-a", f"{role}-b", ROLES[role][1]]
        rng.shuffle(around)
        out.append([*around[:2], word, *around[2:]])
    return Corpus.of(out, Vocabulary.of(out, 1))


@pytest.fixture(scope="module")
def roles():
    return roles_text(0)


@pytest.fixture(scope="module")
def roles_vectors(roles):
    return train(roles, Config(dimensions=24, window=4, epochs=4, threshold=None)).centres


def test_analogies_come_out_of_role_and_gender(roles, roles_vectors):
    """king - man + woman = queen, and all thirty such questions, where the text holds nothing but role and gender."""
    space = Space(roles.vocabulary, roles_vectors)
    pairs = [(man, woman) for man, (woman, _) in ROLES.items()]
    right = sum(space.analogy(a, b, c) == [d] for a, b in pairs for c, d in pairs if a != c)
    assert right >= 27, f"{right} of 30"


def test_a_shuffled_text_teaches_nothing(roles):
    run = train(roles.shuffled(0), Config(dimensions=24, window=4, epochs=2, threshold=None))
    space = Space(roles.vocabulary, run.centres)
    pairs = [(man, woman) for man, (woman, _) in ROLES.items()]
    assert sum(space.analogy(a, b, c) == [d] for a, b in pairs for c, d in pairs if a != c) <= 12


def test_without_negatives_everything_collapses(roles):
    vectors = train(roles, Config(dimensions=24, window=4, epochs=4, negatives=0, threshold=None)).centres
    x = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (x @ x.T).min() > 0.95


def test_one_thread_repeats_itself_and_two_learn_as_well(roles, roles_vectors):
    config = Config(dimensions=24, window=4, epochs=4, threshold=None)
    assert np.array_equal(train(roles, config).centres, roles_vectors)
    two = Space(roles.vocabulary, train(roles, replace(config, threads=2)).centres)
    pairs = [(man, woman) for man, (woman, _) in ROLES.items()]
    assert sum(two.analogy(a, b, c) == [d] for a, b in pairs for c, d in pairs if a != c) >= 25


def test_the_loss_falls(roles):
    run = train(roles, Config(dimensions=24, window=4, epochs=2))
    first, last = (np.mean([x for _, x in part]) for part in (run.losses[:3], run.losses[-3:]))
    # Before any step every score is 0: 1 + 5 times log 2, less a few per cent of noise that is left out as the target.
    assert 0.93 < run.losses[0][1] / (6 * np.log(2)) <= 1
    assert last < 0.75 * first


def test_cbow_learns_too(roles):
    space = Space(
        roles.vocabulary,
        train(roles, Config(dimensions=24, window=4, epochs=6, rate=0.1, threshold=None, model="cbow")).centres,
    )
    pairs = [(man, woman) for man, (woman, _) in ROLES.items()]
    assert sum(space.analogy(a, b, c) == [d] for a, b in pairs for c, d in pairs if a != c) >= 20


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # gensim's imports
def test_neighbours_are_as_like_gensims_as_gensims_are_to_themselves():
    """The ten nearest words shared with gensim, against those that two of its own seeds share.

    Without subsampling, for which gensim takes the formula of word2vec.c and this project the paper's.
    """
    from meaning_space.sources import texts

    corpus = Corpus.from_texts(texts("offline")[:1200], min_count=20)
    sentences = corpus.sentences()
    config = Config(dimensions=40, epochs=5, threshold=None)
    asked = np.arange(40, 240)
    ours = nearest(train(corpus, config).centres, asked, 10)
    theirs, again = (nearest(gensim_run(sentences, corpus, replace(config, seed=s)).vectors, asked, 10) for s in (1, 2))
    both, alone = overlap(ours, theirs), overlap(theirs, again)
    assert both > 0.85 * alone and both > 0.3, f"shared with gensim {both:.2f}, by two of its seeds {alone:.2f}"


def test_gensim_is_there_for_the_tests():
    assert available()


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "field, value",
    [
        ("dimensions", 0),
        ("window", 0),
        ("negatives", -1),
        ("epochs", 0),
        ("block", 0),
        ("noise", 0),
        ("threads", 0),
        ("final_rate", 1.0),
        ("model", "glove"),
    ],
)
def test_config_names_the_field_it_refuses(field, value):
    with pytest.raises(ValueError, match=field):
        Config(**{field: value})


def test_a_rate_that_is_too_large_is_an_error_and_not_a_result(roles):
    with pytest.raises(FloatingPointError, match="rate=50"):
        train(roles, Config(dimensions=24, epochs=1, rate=50.0))


def test_threads_are_put_back_and_their_errors_reach_the_caller(roles, monkeypatch):
    module = importlib.import_module("meaning_space.train")  # the package's name `train` is the function
    before = torch.get_num_threads()

    def broken(*args):
        raise RuntimeError("from the worker")

    monkeypatch.setitem(module.STEPS, "skip-gram", (broken, module.block_loss))
    with pytest.raises(RuntimeError, match="from the worker"):
        train(roles, Config(epochs=1, threads=2))
    assert torch.get_num_threads() == before


# ---------------------------------------------------------------- marks


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 50).astype(float), rng.standard_normal(50)  # many ties
    assert np.array_equal(ranks(x), rankdata(x))
    assert abs(spearman(x, y) - spearmanr(x, y)[0]) < 1e-12
    with pytest.raises(ValueError, match="three"):
        spearman(x[:2], y[:2])


def test_files_of_questions_and_judgements_are_read_and_damaged_ones_refused(tmp_path):
    words = ["a", "b", "c", "d", "e"]
    vocabulary = Vocabulary(tuple(words), np.ones(5, dtype=np.int64), {w: i for i, w in enumerate(words)})
    path = tmp_path / "q.txt"
    path.write_text(": capitals\nA B C D\n: family\nA B C D\nA B C X\n: gram1\nD C B A\n")
    found = analogy_questions(path, vocabulary)
    assert {k: v.tolist() for k, v in found.items()} == {"family": [[0, 1, 2, 3]], "gram1": [[3, 2, 1, 0]]}
    path.write_text(": family\nA B C\n")
    with pytest.raises(ValueError, match="line 2"):
        analogy_questions(path, vocabulary)
    path.write_text("a\tb\t7.5\nx\tb\t1\nC d 2\na e 0.5\n")
    pairs, scores = judged_pairs(path, vocabulary)
    assert pairs.tolist() == [[0, 1], [2, 3], [0, 4]] and scores.tolist() == [7.5, 2, 0.5]
    vectors = np.array([[1.0, 0], [1, 0.1], [0, 1], [1, 1], [-1, 0]])
    assert abs(agreement(vectors, pairs, scores) - 100) < 1e-9
    path.write_text("a b\n")
    with pytest.raises(ValueError, match="line 1"):
        judged_pairs(path, vocabulary)


def test_accuracy_counts_exact_answers_by_section():
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [0, -2]])
    marks = accuracy(
        v, {"right": np.array([[0, 1, 2, 3]]), "wrong": np.array([[0, 1, 2, 4]]), "none": np.zeros((0, 4), int)}
    )
    assert marks == {"right": (1, 1), "wrong": (0, 1), "none": (0, 0)}
    assert percent(marks) == 50 and percent(marks, "right") == 100
    with pytest.raises(ValueError, match="none"):
        percent(marks, "none")


def test_break_it_measures_what_it_says():
    words = [f"w{i}ing" if i % 2 else f"w{i}ed" for i in range(80)]
    vocabulary = Vocabulary((*words[:78], "argument", "arguments"), np.full(80, 3), {w: i for i, w in enumerate(words)})
    corpus = Corpus(vocabulary, np.arange(80), np.array([0]))
    assert met(corpus).shape == (80, 80)
    same = np.tile([1.0, 0.0], (80, 1)) + np.random.default_rng(0).standard_normal((80, 2)) * 1e-6
    monkey = {**vocabulary.index, **{w: i for i, w in enumerate("call calls add adds".split())}}
    corpus = replace(corpus, vocabulary=replace(vocabulary, index=monkey))
    assert len(forms_questions(corpus.vocabulary)["verb, -s"]) == 2
    marks = measure(same, corpus, met(corpus), 0)
    assert abs(marks["cosine"] - 100) < 1e-6 and 0 <= marks["same_ending"] <= 100
