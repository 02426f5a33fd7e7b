"""The fast forms are the plain one: pair by pair, in blocks, CBOW and the full softmax."""

import numpy as np
import pytest
import torch
from expect import close
from meaning_space.blocks import blocks, negative_weights, positive_weights
from meaning_space.corpus import Corpus, Vocabulary
from meaning_space.sampler import NegativeSampler
from meaning_space.skipgram import loss_and_gradients, sgd_step
from meaning_space.skipgram_fast import block_loss, block_step, pair_step
from meaning_space.variants.cbow import cbow_loss_and_gradients
from meaning_space.variants.cbow_fast import cbow_block_loss, cbow_block_step
from meaning_space.variants.softmax import softmax_loss_and_gradients, softmax_step
from meaning_space.windows_fast import WindowedText, pair_batches, windowed_text

V, D = 23, 11


def text_of(seed, length=37, width=3):
    """A text of two sentences over a small vocabulary, so that words repeat and negatives collide."""
    rng = np.random.default_rng(seed)
    words = tuple(f"w{i}" for i in range(V))
    corpus = Corpus(
        Vocabulary(words, np.arange(V, 0, -1), {w: i for i, w in enumerate(words)}),
        rng.integers(0, V, length),
        np.array([0, 14]),
    )
    return windowed_text(corpus, width, None, rng)


def matrices(seed):
    return tuple(torch.from_numpy(m) for m in np.random.default_rng(seed).standard_normal((2, V, D)))


def one_block(seed, size=37, shared=16):
    negatives = NegativeSampler(np.arange(V, 0, -1)).sample_shared(np.random.default_rng(seed), 1, shared)
    return next(blocks(text_of(seed), torch.from_numpy(negatives), size, k=5))[1]


def test_pair_step_is_the_plain_step():
    rng = np.random.default_rng(0)
    pairs, negatives = rng.integers(0, V, (50, 2)), rng.integers(0, V, (50, 5))
    w, c = matrices(1)
    plain_w, plain_c = w.numpy().copy(), c.numpy().copy()
    sgd_step(plain_w, plain_c, pairs, negatives, 0.1)
    pair_step(w, c, torch.from_numpy(pairs), torch.from_numpy(negatives), 0.1)
    close(w.numpy(), plain_w, "centers")
    close(c.numpy(), plain_c, "contexts")


@pytest.mark.parametrize("seed", range(4))
def test_a_blocks_loss_is_that_of_its_pairs(seed):
    """Each pair with every negative that is not its context, each of those weighted K / N."""
    block = one_block(seed)
    w, c = matrices(seed)
    want = 0.0
    for center, context in next(pair_batches(text_of(seed), 37)):
        negatives = block.output_ids[-16:]
        mine = negatives[negatives != context]
        alone = loss_and_gradients(w[[center]].numpy(), c[[context]].numpy(), np.zeros((1, 0, D)))[0]
        both = loss_and_gradients(w[[center]].numpy(), c[[context]].numpy(), c[mine].numpy()[None])[0]
        want += float((alone + (both - alone) * 5 / 16)[0])
    close(float(block_loss(w, c, block)), want, "the loss of a block")


@pytest.mark.parametrize("step, loss", [(block_step, block_loss), (cbow_block_step, cbow_block_loss)])
@pytest.mark.parametrize("seed", range(3))
def test_a_blocks_step_is_autograds(step, loss, seed):
    block = one_block(seed)
    w, c = matrices(seed)
    W, C = w.clone().requires_grad_(), c.clone().requires_grad_()
    loss(W, C, block).backward()
    step(w, c, block, 0.1)
    # float64 and sums of some hundred terms: 1e-10 leaves room for another order of summation.
    close(w.numpy(), (W - 0.1 * W.grad).detach().numpy(), "input vectors", 1e-10)
    close(c.numpy(), (C - 0.1 * C.grad).detach().numpy(), "output vectors", 1e-10)


def test_negatives_do_not_count_for_pairs_whose_context_they_are():
    positive = positive_weights(torch.tensor([[0, 1, 1]]), torch.tensor([[1, 1, 0]]), window=1)
    assert positive[0].tolist() == [[0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0]]
    contexts, negatives = torch.tensor([[9, 0, 1, 2, 9]]), torch.tensor([[1, 1, 5, 0]])
    weight = negative_weights(positive, contexts, negatives, k=2)[0] / (2 / 4)
    assert weight.tolist() == [[0, 0, 1, 1], [2, 2, 2, 1], [0, 0, 1, 1]]


def test_blocks_cut_the_whole_text_and_threads_share_them(monkeypatch):
    monkeypatch.setattr("meaning_space.blocks.CHUNK", 2)
    text, negatives = text_of(0), torch.zeros(4, 6, dtype=torch.int64)
    every = [number for number, _ in blocks(text, negatives, 10, 5)]
    shared = [[n for n, _ in blocks(text, negatives, 10, 5, first, 3)] for first in range(3)]
    assert every == [0, 1, 2, 3] and sorted(sum(shared, [])) == every
    found = torch.cat([b.center_ids for _, b in blocks(text, negatives, 10, 5)])
    assert found[:37].tolist() == text.ids.tolist() and not found[37:].any()
    got = [
        [int(b.center_ids[i]), int(b.output_ids[j])]
        for _, b in blocks(text, negatives, 10, 5)
        for i, j in b.positive_weights.nonzero().tolist()
    ]
    assert got == [p for batch in pair_batches(text, 10) for p in batch.tolist()]


def test_a_row_of_negatives_is_needed_for_each_block():
    with pytest.raises(ValueError, match="negatives=3 rows"):
        next(blocks(text_of(0), torch.zeros(3, 6, dtype=torch.int64), 10, 5))


def test_without_negatives_only_the_pairs_are_left():
    text = text_of(0)
    _, block = next(blocks(text, torch.zeros(1, 5, dtype=torch.int64), 37, k=0))
    w, c = matrices(0)
    pairs = next(pair_batches(text, 37))
    want = loss_and_gradients(w[pairs[:, 0]].numpy(), c[pairs[:, 1]].numpy(), np.zeros((len(pairs), 0, D)))[0].sum()
    close(float(block_loss(w, c, block)), want, "pairs alone")


# ---------------------------------------------------------------- CBOW


def test_cbow_gradients_are_autograds():
    rng = np.random.default_rng(0)
    around, word, negatives = rng.standard_normal((4, D)), rng.standard_normal(D), rng.standard_normal((3, D))
    a, u, n = (torch.from_numpy(x).requires_grad_() for x in (around, word, negatives))
    mean = a.mean(0)
    loss = -torch.nn.functional.logsigmoid(mean @ u) - torch.nn.functional.logsigmoid(-n @ mean).sum()
    loss.backward()
    got = cbow_loss_and_gradients(around, word, negatives)
    close(got[0], loss.detach().numpy(), "loss")
    for mine, theirs in zip(got[1:], (a, u, n), strict=True):
        close(mine, theirs.grad.numpy(), "gradient", 1e-10)


def test_a_cbow_blocks_loss_is_that_of_its_words():
    ids = np.array([3, 5, 7, 5])
    text = WindowedText(ids, np.array([0, 1, 2, 1]), np.array([2, 1, 0, 0]), 2)
    negatives = torch.tensor([[1, 5, 8, 8]])
    _, block = next(blocks(text, negatives, 4, k=2))
    w, c = matrices(0)
    want = 0.0
    for i, (lo, hi) in enumerate([(0, 2), (0, 2), (0, 2), (2, 3)]):
        around = [j for j in range(lo, hi + 1) if j != i]
        mean = w[ids[around]].mean(0, keepdim=True).numpy()
        mine = [n for n in negatives[0].tolist() if n != ids[i]]
        alone = loss_and_gradients(mean, c[[ids[i]]].numpy(), np.zeros((1, 0, D)))[0]
        both = loss_and_gradients(mean, c[[ids[i]]].numpy(), c[mine].numpy()[None])[0]
        want += float((alone + (both - alone) * 2 / 4)[0])
    close(float(cbow_block_loss(w, c, block)), want, "the loss of a CBOW block")


# ---------------------------------------------------------------- the full softmax


def test_softmax_is_cross_entropy_with_its_gradients():
    rng = np.random.default_rng(0)
    center, contexts, target = rng.standard_normal((V, D)), rng.standard_normal((V, D)), rng.integers(0, V, V)
    v, u = torch.from_numpy(center).requires_grad_(), torch.from_numpy(contexts).requires_grad_()
    loss = torch.nn.functional.cross_entropy(v @ u.T, torch.from_numpy(target), reduction="none")
    loss.sum().backward()
    got = softmax_loss_and_gradients(center, contexts, target)
    for mine, theirs in zip(got, (loss.detach(), v.grad, u.grad), strict=True):
        close(mine, theirs.numpy(), "cross entropy", 1e-10)
    w, c = center.copy(), contexts.copy()
    pairs = np.stack([np.arange(V), target], axis=1)
    close(softmax_step(w, c, pairs, 0.1), loss.detach().mean().item(), "the step's loss")
    close(c, contexts - 0.1 * u.grad.numpy(), "the step", 1e-10)


def test_softmax_stays_finite_for_large_scores():
    loss, d_center, _ = softmax_loss_and_gradients(np.full((1, 2), 1e3), np.array([[1e3, 0], [0, 0.0]]), np.array([1]))
    assert np.isfinite(loss).all() and np.isfinite(d_center).all()
