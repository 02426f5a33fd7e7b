"""Pairs and subsampling: the plain forms by their definitions, the fast form by the plain one."""

import numpy as np
import pytest
from expect import array, close
from hypothesis import given, settings
from hypothesis import strategies as st
from meaning_space.corpus import Corpus, Vocabulary
from meaning_space.windows import keep_probability, pairs
from meaning_space.windows_fast import pair_batches, windowed_text

# ---------------------------------------------------------------- pairs


@pytest.mark.task("pairs")
def test_pairs_of_the_workbooks_sentence(impl):
    got = impl.pairs(np.array([10, 11, 12]), np.array([1, 2, 1]))
    assert array(got, (4, 2), "i").tolist() == [[10, 11], [11, 10], [11, 12], [12, 11]]


@pytest.mark.task("pairs")
def test_pairs_are_those_of_the_definition(impl, seed):
    rng = np.random.default_rng(seed)
    ids, widths = rng.integers(0, 5, 13), rng.integers(1, 6, 13)
    want = [[ids[i], ids[j]] for i in range(13) for j in range(13) if 0 < abs(i - j) <= widths[i]]
    message = "the pairs are not those with 0 < |i - j| <= widths[i], by i and then by j"
    assert array(impl.pairs(ids, widths), (len(want), 2), "i").tolist() == np.array(want).tolist(), message


@pytest.mark.task("pairs")
@pytest.mark.parametrize("ids, widths", [([1, 2, 3], [1, 2]), ([1, 2, 3], [1, 0, 1]), ([4], [0]), ([4], [[2]])])
def test_pairs_refuse_bad_widths(impl, ids, widths):
    with pytest.raises(ValueError):
        impl.pairs(np.array(ids), np.array(widths))


@pytest.mark.task("pairs")
def test_pairs_keep_all_64_bits_of_an_id(impl):
    got = array(impl.pairs(np.array([2**31 + 5, 2**53 + 1]), np.array([1, 1])), (2, 2), "i")
    assert got.tolist() == [[2**31 + 5, 2**53 + 1], [2**53 + 1, 2**31 + 5]], "an id is an int64"


# ---------------------------------------------------------------- keep_probability


@pytest.mark.task("keep_probability")
def test_keep_probability_of_the_workbooks_counts(impl):
    got = array(impl.keep_probability(np.array([64, 32, 4]), 0.04), (3,), "f")
    close(got, [0.25, 0.35355339059327373, 1.0], "sqrt(0.04 / 0.64) is 0.25, and 0.04 / 0.04 is certain")


@pytest.mark.task("keep_probability")
def test_keep_probability_leaves_the_root_of_the_share(impl, seed):
    counts = np.random.default_rng(seed).integers(100, 10_000, 50)
    share = counts / counts.sum()
    got = array(impl.keep_probability(counts, 1e-4), (50,), "f")
    close(share * got, np.sqrt(1e-4 * share), "what stays of a frequent word is sqrt(t f) of the text")


@pytest.mark.task("keep_probability")
def test_a_word_with_at_most_the_thresholds_share_stays_for_certain(impl):
    got = array(impl.keep_probability(np.array([64, 32, 4]), 0.32), (3,), "f")
    close(got, [np.sqrt(0.5), 1, 1], "the shares are 0.64, 0.32 and 0.04, and the threshold is 0.32")
    close(impl.keep_probability(np.array([64, 32, 4]), 2.0), [1, 1, 1], "no share is above the threshold 2")


@pytest.mark.task("keep_probability")
def test_keep_probability_never_leaves_zero_to_one(impl, seed):
    got = array(impl.keep_probability(np.random.default_rng(seed).integers(1, 10_000, 200)), (200,), "f")
    assert ((got > 0) & (got <= 1)).all(), "a probability lies between 0 and 1"
    assert (got == 1).any(), "with the usual threshold rare words stay for certain"


@pytest.mark.task("keep_probability")
@pytest.mark.parametrize("counts, threshold", [([3, 1], 0.0), ([3, 1], -1.0), ([3, 0], 1e-3)])
def test_keep_probability_refuses(impl, counts, threshold):
    with pytest.raises(ValueError), np.errstate(all="ignore"):  # NumPy may warn before the error
        impl.keep_probability(np.array(counts), threshold)


def test_a_threshold_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="threshold=nan"):
        keep_probability(np.array([3, 1]), float("nan"))


# ---------------------------------------------------------------- the fast form


def vocabulary_of(words, counts):
    return Vocabulary(tuple(words), np.array(counts), {w: i for i, w in enumerate(words)})


def corpus_of(lengths, rng, size=7):
    ids = rng.integers(0, size, sum(lengths))
    return Corpus(vocabulary_of("abcdefghij"[:size], [5] * size), ids, np.cumsum([0, *lengths[:-1]]))


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), window=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_fast_form_gives_the_plain_pairs_of_each_sentence(lengths, window, seed):
    corpus = corpus_of(lengths, np.random.default_rng(seed))
    text = windowed_text(corpus, window, None, np.random.default_rng(seed))
    want = []
    for start, length in zip(corpus.starts, lengths, strict=True):
        part = slice(start, start + length)
        widths = np.maximum(text.left[part], text.right[part])  # a width cut at one end shows at the other
        want += pairs(corpus.ids[part], np.maximum(widths, 1)).tolist()
    assert [p for batch in pair_batches(text, 3) for p in batch.tolist()] == want
    assert text.n_pairs() == len(want)


def test_widths_are_uniform_and_windows_stop_at_sentences():
    corpus = corpus_of([20_000, 3], np.random.default_rng(0))
    text = windowed_text(corpus, 4, None, np.random.default_rng(1))
    middle = text.left[10:-20]
    share = np.bincount(middle, minlength=5)[1:] / len(middle)
    assert np.abs(share - 0.25).max() < 0.02  # 20,000 draws: four standard errors are 0.012
    assert text.left[20_000] == 0 and text.right[19_999] == 0
    full = windowed_text(corpus, 4, None, np.random.default_rng(1), shrink_windows=False)
    assert (full.left[10:-20] == 4).all()


def test_subsampling_keeps_the_expected_share_of_each_word():
    rng = np.random.default_rng(3)
    ids = rng.choice(3, 60_000, p=[0.7, 0.25, 0.05])
    counts = np.bincount(ids)
    corpus = Corpus(vocabulary_of("abc", counts), ids, np.array([0]))
    kept = np.bincount(windowed_text(corpus, 2, 0.05, rng).ids) / counts
    # The standard error of a share of 3,000 to 42,000 draws is below 0.01.
    assert np.abs(kept - keep_probability(counts, 0.05)).max() < 0.03


def test_words_are_dropped_before_windows_are_cut():
    corpus = Corpus(vocabulary_of(["the", "x", "y"], [10**9, 1, 1]), np.array([1, 0, 0, 0, 0, 2]), np.array([0]))
    text = windowed_text(corpus, 1, 1e-9, np.random.default_rng(0))
    assert text.ids.tolist() == [1, 2] and [p.tolist() for p in pair_batches(text, 9)] == [[[1, 2], [2, 1]]]


def test_a_window_of_no_width_is_refused():
    with pytest.raises(ValueError, match="window=0"):
        windowed_text(corpus_of([4], np.random.default_rng(0)), 0, None, np.random.default_rng(0))
