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
@pytest.mark.parametrize(
    "ids, widths",
    [
        ([1, 2, 3], [1, 2]),
        ([1, 2, 3], [1, 1, 1, 1]),
        ([1, 2, 3], [[1, 1, 1]]),
        ([1, 2, 3], 1),
        ([1, 2, 3], [1, 0, 1]),
        ([1, 2, 3], [0, 1, 1]),
        ([1, 2, 3], [1, -5, 1]),
        ([4], [0]),
        ([4], [[2]]),
        ([4], []),
        ([], [1]),
    ],
)
def test_pairs_refuse_bad_widths(impl, ids, widths):
    with pytest.raises(ValueError):
        impl.pairs(np.array(ids, dtype=np.int64), np.array(widths, dtype=np.int64))


@pytest.mark.task("pairs")
def test_wide_windows_in_a_long_sentence(impl):
    ids, widths = np.arange(1000, 1300), np.ones(300, dtype=np.int64)
    widths[[0, 150]] = 299, 140
    got = array(impl.pairs(ids, widths), (299 + 280 + 2 * 297 + 1, 2), "i")
    assert got[:299, 1].tolist() == list(range(1001, 1300)), "the first word sees all the 299 others"
    around = got[got[:, 0] == 1150, 1].tolist()
    assert around == [*range(1010, 1150), *range(1151, 1291)], "a width of 140 is 140 words to either side"


@pytest.mark.task("pairs")
def test_pairs_of_every_second_place_of_an_array(impl):
    got = impl.pairs(np.arange(6)[::2], np.array([1, 9, 2, 9, 1, 9])[::2])
    assert array(got, (4, 2), "i").tolist() == [[0, 2], [2, 0], [2, 4], [4, 2]]


@pytest.mark.task("pairs")
def test_pairs_keep_all_64_bits_of_an_id(impl):
    got = array(impl.pairs(np.array([2**31 + 5, 2**53 + 1]), np.array([1, 1])), (2, 2), "i")
    assert got.tolist() == [[2**31 + 5, 2**53 + 1], [2**53 + 1, 2**31 + 5]], "an id is an int64"


@pytest.mark.task("pairs")
@pytest.mark.parametrize("widest", [2**63 - 1, 2**63 - 2, 2**62, 2**32, 2**31])
def test_no_window_is_too_wide(impl, widest):
    got = array(impl.pairs(np.array([4, 5, 6]), np.array([widest, 1, widest])), (6, 2), "i").tolist()
    assert got == [[4, 5], [4, 6], [5, 4], [5, 6], [6, 4], [6, 5]], f"a width of {widest} is the whole sentence"


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
@pytest.mark.parametrize("threshold", [1e-12, 1e-11, 1e-9])
def test_no_threshold_is_too_small(impl, threshold):
    counts = np.array([64, 32, 4])
    got = array(impl.keep_probability(counts, threshold=threshold), (3,), "f")
    message = f"sqrt(t / f) over sqrt(t), for the threshold {threshold}"
    close(got / np.sqrt(threshold), 1 / np.sqrt(counts / 100), message)


@pytest.mark.task("keep_probability")
@pytest.mark.parametrize("threshold", [1, 2, 1e300, np.inf])
def test_no_threshold_is_too_large(impl, threshold):
    close(array(impl.keep_probability(np.array([64, 32, 4]), threshold), (3,), "f"), [1, 1, 1], "from 1 on, all stay")


@pytest.mark.task("keep_probability")
def test_keep_probability_of_one_word_of_equal_ones_and_of_a_slice(impl):
    close(impl.keep_probability(np.array([7]), 0.25), [0.5], "one word is all of the text")
    close(impl.keep_probability(np.array([2, 1, 2, 9, 4, 0])[:4:2], 0.125), [0.5, 0.5], "two words, half of it each")


@pytest.mark.task("keep_probability")
def test_counts_may_stand_in_any_order(impl):
    got = array(impl.keep_probability(np.array([4, 32, 64]), 0.04), (3,), "f")
    close(got, [1.0, 0.35355339059327373, 0.25], "the shares are 0.04, 0.32 and 0.64, and the threshold is 0.04")


@pytest.mark.task("keep_probability")
def test_counts_are_int64(impl):
    got = impl.keep_probability(np.array([64, 32, 4]) * 10**11, 0.04)
    close(got, [0.25, 0.35355339059327373, 1.0], "the shares of 6.4e12, 3.2e12 and 4e11 are 0.64, 0.32 and 0.04")
    got = impl.keep_probability(np.array([2**51, 2**52, 2**51 - 1]), 0.125)
    close(got, np.sqrt([0.5, 0.25, 0.5]), "the shares of 2^61, 2^62 and 2^61 are 1/4, 1/2 and 1/4")


@pytest.mark.task("keep_probability")
@pytest.mark.parametrize("counts, threshold", [([3, 1], 0.0), ([3, 1], -1.0), ([3, 0], 1e-3), ([3, -2, 4], 1e-3)])
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
