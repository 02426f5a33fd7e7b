"""Counting: PMI by hand, the randomized SVD, and skip-gram's optimum, which is a matrix of counts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from expect import close
from meaning_space.corpus import Corpus
from meaning_space.counts import cooccurrence, expected_loss, fit, optimum, pmi, ppmi, randomized_svd, word_vectors
from meaning_space.counts.exact import words_that_all_meet
from meaning_space.lab.experiment import correlation, exact_counts
from meaning_space.windows_fast import pair_batches, windowed_text
from scipy.sparse import csr_matrix


def text(seed=0, n=600, words=12):
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, words + 1)
    chosen = rng.choice(list("abcdefghijkl"[:words]), n, p=weight / weight.sum())
    return Corpus.from_texts([" ".join(chosen[:400]), " ".join(chosen[400:])], min_count=1)


def test_cooccurrence_with_full_windows_counts_every_pair():
    corpus = text()
    want = np.zeros((12, 12))
    for pairs in pair_batches(windowed_text(corpus, 4, None, np.random.default_rng(0), shrink_windows=False), 100):
        np.add.at(want, tuple(pairs.T), 1)
    assert (cooccurrence(corpus, 4, shrink_windows=False).toarray() == want).all()


def test_cooccurrence_is_the_expectation_over_widths():
    corpus, rng, draws = text(), np.random.default_rng(0), 300
    mean = np.zeros((12, 12))
    for _ in range(draws):
        for pairs in pair_batches(windowed_text(corpus, 3, None, rng), 1000):
            np.add.at(mean, tuple(pairs.T), 1 / draws)
    want = cooccurrence(corpus, 3).toarray()
    # A cell's draw-to-draw standard deviation is below sqrt(count); five standard errors over 300 draws.
    assert (np.abs(mean - want) < 5 * np.sqrt(want / draws) + 1e-9).all()


def test_pmi_by_hand():
    close(pmi(np.array([[4.0, 1], [1, 4]])), np.log([[1.6, 0.4], [0.4, 1.6]]), "4 * 10 / (5 * 5) is 1.6")
    with pytest.raises(ValueError, match="counts=1 rows"):
        pmi(np.array([[1.0, 1], [0, 0]]))


def test_ppmi_is_the_positive_part_of_the_shifted_pmi():
    counts = cooccurrence(text(), 2).toarray()
    with np.errstate(divide="ignore"):
        want = np.maximum(0, pmi(counts) - np.log(2))
    close(ppmi(csr_matrix(counts), 2).toarray(), want, "max(0, PMI - log 2)")
    with pytest.raises(ValueError, match="k=0"):
        ppmi(csr_matrix(counts), 0)


def test_randomized_svd_finds_the_largest_singular_values():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((60, 40)) @ np.diag(0.8 ** np.arange(40)) @ rng.standard_normal((40, 50))
    left, values, right = randomized_svd(a, 7, seed=1)
    want = np.linalg.svd(a)
    close(values, want[1][:7], "singular values", 1e-6)
    close((left * values) @ right, (want[0][:, :7] * want[1][:7]) @ want[2][:7], "the rank-7 matrix", 1e-4, 1e-4)
    with pytest.raises(ValueError, match="rank=51"):
        randomized_svd(a, 51, 0)


def test_word_vectors_multiply_to_the_matrix_at_full_rank():
    matrix = ppmi(cooccurrence(text(), 2))
    dense = matrix.toarray()
    psd = csr_matrix(dense @ dense.T)  # symmetric and positive: left and right singular vectors are the same
    v = word_vectors(psd, 12, seed=0)
    close(v @ v.T, psd.toarray(), "U S^1/2 times itself", 1e-6, 1e-8)


# ---------------------------------------------------------------- Levy and Goldberg


def test_the_optimum_is_pmi_minus_log_k():
    """No scores have a smaller expected loss: its gradient is zero there, in float64, to rounding."""
    counts = cooccurrence(text(n=4000), 3).toarray()
    assert np.abs(expected_loss(optimum(counts, 5), counts, 5)[1]).max() < 1e-15


def test_the_expected_loss_has_the_gradient_of_autograd():
    counts = cooccurrence(text(n=400), 3).toarray() + 1.0
    scores = torch.from_numpy(np.random.default_rng(0).standard_normal(counts.shape)).requires_grad_()
    positive = torch.from_numpy(counts / counts.sum())
    negative = 5 * positive.sum(1, keepdim=True) * positive.sum(0, keepdim=True)
    loss = -(positive * F.logsigmoid(scores) + negative * F.logsigmoid(-scores)).sum()
    loss.backward()
    got = expected_loss(scores.detach().numpy(), counts, 5)
    close(got[0], loss.item(), "the loss")
    close(got[1], scores.grad.numpy(), "the gradient")


def test_skipgram_reaches_it_at_full_dimension_and_not_below():
    """On the real text: correlation above 0.999 at full dimension; it falls as dimensions are taken away."""
    words, counts = exact_counts()
    want = optimum(counts, 5)
    found = {
        d: correlation(np.matmul(*(m if i == 0 else m.T for i, m in enumerate(fit(counts, d, 5, 0, steps)))), want)
        for d, steps in ((len(words), 400), (16, 100), (4, 100))
    }
    assert found[len(words)] > 0.999
    assert found[4] < found[16] < 0.95 < found[len(words)]


def test_sampled_skipgram_goes_the_same_way():
    """Stochastic training, with negatives by plain frequency and full windows, goes to the same matrix.

    A pair's own context is no negative. That takes the share #(w, c) / #(w) of the negatives away from each pair, and
    moves the optimum up by -log(1 - #(w, c) / #(w)): little in a large vocabulary, much in this one of twelve words.
    """
    from meaning_space.train import Config, train

    corpus = text(n=20_000)
    counts = cooccurrence(corpus, 2, shrink_windows=False).toarray()
    want = optimum(counts, 5) - np.log(1 - counts / counts.sum(axis=1, keepdims=True))
    run = train(
        corpus,
        Config(
            embedding_dim=12,
            window=2,
            shrink_windows=False,
            power=1.0,
            threshold=None,
            epochs=8,
            lr=0.02,
            block_size=32,
        ),
    )
    # Eight epochs do not arrive, above all for rare pairs; without the shift the frequent pairs would be 0.35 off.
    often = counts >= np.median(counts)
    close((run.centers @ run.contexts.T)[often], want[often], "scores after training", atol=0.2)


def test_pairs_that_never_meet_have_no_optimum():
    with pytest.raises(ValueError, match="zeros"):
        fit(np.array([[1.0, 0], [0, 1]]), 1, 5, 0)


def test_meeting_leaves_out_the_words_with_gaps():
    counts = np.ones((5, 5))
    counts[1, 3] = counts[3, 1] = counts[1, 4] = counts[4, 1] = 0
    assert words_that_all_meet(counts, 4) == [0, 2, 3, 4]
    with pytest.raises(ValueError, match="size=5"):
        words_that_all_meet(counts, 5)
