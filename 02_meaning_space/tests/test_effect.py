"""The effects: trained vectors know what a wrong implementation's would not, and agree with gensim's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from meaning_space.corpus import Corpus, Vocabulary
from meaning_space.lab.corpora import python_docs
from meaning_space.lab.evaluation import neighbor_overlap
from meaning_space.lab.gensim_peer import train_gensim
from meaning_space.skipgram_fast import block_loss
from meaning_space.space import KeyedVectors, most_similar
from meaning_space.train import Config, Model, train
from meaning_space.variants import CBOW

ROLES = {
    "king": ("queen", "throne"),
    "prince": ("princess", "castle"),
    "waiter": ("waitress", "table"),
    "actor": ("actress", "stage"),
    "uncle": ("aunt", "cousin"),
    "sir": ("madam", "title"),
}
GENDER = {False: ["he", "his", "man"], True: ["she", "her", "woman"]}
CONFIG = Config(embedding_dim=24, window=4, epochs=4, threshold=None)


def roles_text(seed, sentences=6_000):
    """A text made of two independent facts, role and gender. Each word stands near words of both."""
    rng = np.random.default_rng(seed)
    roles, text = list(ROLES), []
    for _ in range(sentences):
        role, female = roles[rng.integers(len(roles))], bool(rng.random() < 0.5)
        marks = [GENDER[female][i] for i in rng.integers(0, 3, 2)]
        around = [*marks, f"{role}-a", f"{role}-b", ROLES[role][1]]
        rng.shuffle(around)
        text.append([*around[:2], ROLES[role][0] if female else role, *around[2:]])
    return Corpus.from_sentences(text, Vocabulary.from_sentences(text, 1))


def right_answers(corpus, vectors):
    """Of the thirty questions king : queen = prince : ?, those that are answered right."""
    keyed = KeyedVectors(corpus.vocabulary, vectors)
    pairs = [(man, woman) for man, (woman, _) in ROLES.items()]
    return sum(keyed.analogy(a, b, c) == [d] for a, b in pairs for c, d in pairs if a != c)


@pytest.fixture(scope="module")
def roles():
    return roles_text(0)


@pytest.fixture(scope="module")
def trained(roles):
    return train(roles, CONFIG)


def test_analogies_come_out_of_role_and_gender(roles, trained):
    assert right_answers(roles, trained.centers) >= 27


def test_a_shuffled_text_teaches_nothing(roles):
    assert right_answers(roles, train(roles.shuffled(0), replace(CONFIG, epochs=2)).centers) <= 12


def test_without_negatives_everything_collapses(roles):
    vectors = train(roles, replace(CONFIG, negatives=0)).centers
    x = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (x @ x.T).min() > 0.95


def test_one_thread_repeats_itself_and_two_learn_as_well(roles, trained):
    assert np.array_equal(train(roles, CONFIG).centers, trained.centers)
    assert right_answers(roles, train(roles, replace(CONFIG, threads=2)).centers) >= 25


def test_the_loss_falls(trained):
    first, last = (np.mean([loss for _, loss in part]) for part in (trained.losses[:3], trained.losses[-3:]))
    # Before any step every score is 0: 1 + 5 times log 2, less a few percent of negatives that are the context itself.
    assert 0.9 < trained.losses[0][1] / (6 * np.log(2)) <= 1
    assert last < 0.75 * first


def test_cbow_learns_too(roles):
    run = train(roles, replace(CONFIG, epochs=8, lr=0.1), model=CBOW)
    assert right_answers(roles, run.centers) >= 20


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # gensim's imports
def test_neighbors_are_as_similar_to_gensims_as_gensims_are_to_themselves():
    """The ten nearest words shared with gensim, against those that two of its own seeds share.

    Without subsampling: gensim has the formula of word2vec.c, this project the paper's.
    """
    corpus = Corpus.from_texts(python_docs()[:1200], min_count=20)
    sentences = corpus.sentences()
    config = Config(embedding_dim=40, epochs=5, threshold=None)
    queries = np.arange(40, 240)
    ours = most_similar(train(corpus, config).centers, queries, 10)
    theirs, again = (
        most_similar(train_gensim(sentences, corpus, replace(config, seed=seed)).vectors, queries, 10)
        for seed in (1, 2)
    )
    both, alone = neighbor_overlap(ours, theirs), neighbor_overlap(theirs, again)
    assert both > 0.85 * alone and both > 0.3, f"shared with gensim {both:.2f}, by two of its seeds {alone:.2f}"


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "field, value",
    [
        ("embedding_dim", 0),
        ("window", 0),
        ("negatives", -1),
        ("epochs", 0),
        ("block_size", 0),
        ("shared_negatives", 0),
        ("threads", 0),
        ("seed", -1),
        ("min_lr", 1.0),
        ("lr", float("nan")),
        ("power", float("inf")),
        ("threshold", 0.0),
        ("threshold", float("nan")),
    ],
)
def test_config_names_the_field_that_it_refuses(field, value):
    with pytest.raises(ValueError, match=f"{field}="):
        Config(**{field: value})


@pytest.mark.parametrize("threads", [1, 2])
def test_divergence_is_an_error_and_not_a_result(threads):
    """Four words in blocks of 64: each step is the sum of a hundred."""
    corpus = Corpus.from_texts(["a c g t t g a c a c g t " * 500], min_count=1)
    with pytest.raises(ValueError, match="lr=0.025: the loss has grown"):
        train(corpus, Config(threads=threads))
    slow = Config(lr=0.005, block_size=4, threshold=None, epochs=1)
    assert train(corpus, slow).losses[-1][1] < 6 * np.log(2)


def test_a_rate_that_overflows_is_an_error(roles):
    with pytest.raises(ValueError, match="lr=50.0"):
        train(roles, Config(embedding_dim=24, epochs=1, lr=50.0))


def test_a_text_that_subsampling_empties_is_an_error():
    corpus = Corpus.from_texts(["the cat sat on the mat", "the dog sat"], min_count=1)
    with pytest.raises(ValueError, match="threshold=0.001: subsampling left"):
        train(corpus, Config(epochs=50))
    assert len(train(corpus, Config(threshold=None)).centers) == len(corpus.vocabulary)


def test_threads_are_put_back_and_their_errors_reach_the_caller(roles):
    def broken(*args):
        raise RuntimeError("from the thread")

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="from the thread"):
        train(roles, Config(epochs=1, threads=2), model=Model(broken, block_loss, lambda block: 1e9))
    assert torch.get_num_threads() == before
