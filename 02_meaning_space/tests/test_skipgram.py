"""The loss, its gradient and the step: by hand, and against automatic differentiation in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from expect import array, close


def vectors(seed, B=11, K=5, D=13, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in ((B, D), (B, D), (B, K, D))]


def by_autograd(center, context, negatives):
    """The loss and its gradients as PyTorch finds them, in float64."""
    v, u, n = (torch.from_numpy(x).requires_grad_() for x in (center, context, negatives))
    loss = -F.logsigmoid((v * u).sum(1)) - F.logsigmoid(-torch.einsum("bd,bkd->bk", v, n)).sum(1)
    loss.sum().backward()
    return loss.detach().numpy(), v.grad.numpy(), u.grad.numpy(), n.grad.numpy()


# ---------------------------------------------------------------- loss_and_gradients


@pytest.mark.task("loss_and_gradients")
def test_loss_by_hand(impl):
    one, zero = np.array([[1.0, 0.0]]), np.array([[0.0, 3.0]])
    loss, d_center, d_context, d_negatives = impl.loss_and_gradients(one, zero, zero[:, None])
    close(array(loss, (1,), "f", "loss"), [2 * np.log(2)], "both scores are 0: the loss is 2 log 2")
    close(d_context, [[-0.5, 0.0]], "sigmoid(0) - 1 is -0.5: the context moves towards the center")
    close(d_negatives, [[[0.5, 0.0]]], "sigmoid(0) - 0 is 0.5: the negative moves away from it")
    close(d_center, [[0.0, 0.0]], "context and negative are the same vector here: they cancel for the center")


@pytest.mark.task("loss_and_gradients")
@pytest.mark.parametrize("part", range(4))
def test_loss_and_gradients_equal_autograd(impl, seed, part):
    args = vectors(seed)
    got, want = impl.loss_and_gradients(*args), by_autograd(*args)
    name = ["the loss", "the center's gradient", "the context's gradient", "the negatives' gradient"][part]
    array(got[part], want[part].shape, "f", name)
    # Both sides compute in float64, a few dozen operations deep: 1e-10 leaves four digits to spare.
    close(got[part], want[part], f"{name} is not what automatic differentiation finds", rtol=1e-10, atol=1e-12)


@pytest.mark.task("loss_and_gradients")
def test_large_scores_stay_finite(impl, seed):
    args = vectors(seed, scale=60.0)
    for got, want in zip(impl.loss_and_gradients(*args), by_autograd(*args), strict=True):
        array(got, want.shape, "f", "a result for scores of several thousand")
        close(got, want, "scores of several thousand go wrong", rtol=1e-10, atol=1e-12)


@pytest.mark.task("loss_and_gradients")
def test_loss_is_a_sum_over_any_number_of_negatives(impl, seed):
    center, context, negatives = vectors(seed)
    alone = impl.loss_and_gradients(center, context, negatives[:, :0])[0]
    twice = impl.loss_and_gradients(center, context, np.concatenate([negatives, negatives], axis=1))[0]
    once = impl.loss_and_gradients(center, context, negatives)[0]
    close(twice - alone, 2 * (once - alone), "the same negatives twice must count twice")


@pytest.mark.task("loss_and_gradients")
@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 2, 1), (3, 0, 4), (2, 300, 3), (300, 2, 3), (2, 2, 130)])
def test_any_number_of_pairs_of_negatives_and_of_dimensions(impl, seed, sizes):
    args = vectors(seed, *sizes)
    for got, want in zip(impl.loss_and_gradients(*args), by_autograd(*args), strict=True):
        close(array(got, want.shape, "f"), want, f"B, K, D = {sizes}", rtol=1e-10, atol=1e-12)


@pytest.mark.task("loss_and_gradients")
def test_equal_vectors_count_like_any_others(impl, seed):
    """The same negative twice, a negative that is the context, a context that is the center."""
    center, context, negatives = vectors(seed)
    negatives[:, 1], negatives[2, 2], context[3] = negatives[:, 0], context[2], center[3]
    for got, want in zip(
        impl.loss_and_gradients(center, context, negatives), by_autograd(center, context, negatives), strict=True
    ):
        close(array(got, want.shape, "f"), want, "some of the vectors are equal", rtol=1e-10, atol=1e-12)


@pytest.mark.task("loss_and_gradients")
@pytest.mark.parametrize("K", [0, 2])
def test_float32_vectors_have_float32_results(impl, K):
    center, context = np.array([[2, 0]], dtype=np.float32), np.array([[-500, 1]], dtype=np.float32)
    negatives = np.array([[[500, 3], [-500, 2]]], dtype=np.float32)[:, :K]
    result = impl.loss_and_gradients(center, context, negatives)
    want = [1000.0 + 1000.0 * (K > 0)], [[500 + 500 * (K > 0), -1 + 3 * (K > 0)]], [[-2, 0]], [[[2, 0], [0, 0]][:K]]
    for got, right in zip(result, want, strict=True):
        assert got.dtype == np.float32, f"a result is {got.dtype} where the arguments are float32"
        close(got, np.reshape(right, got.shape), "the scores are -1000, 1000 and -1000", 1e-6, 1e-6)


@pytest.mark.task("loss_and_gradients")
def test_scores_of_1e300_stay_finite(impl):
    center, context = np.array([[1e150, 0.0]]), np.array([[-1e150, 1.0]])
    result = impl.loss_and_gradients(center, context, np.array([[[1e150, 3.0], [-1e150, 2.0]]]))
    close(array(result[0], (1,), "f", "loss"), [2e300], "the context's loss is 1e300, so is the first negative's")
    close(array(result[1], (1, 2), "f"), [[2e150, 2.0]], "the first negative, less the context")


@pytest.mark.task("loss_and_gradients")
def test_vectors_may_share_memory(impl, seed):
    """Slices, a transposed array, and one row of negatives for all pairs."""
    center, context, negatives = vectors(seed)
    both = np.stack([center, context], axis=1)
    for n in (np.ascontiguousarray(negatives.T).T, np.broadcast_to(negatives[:1], negatives.shape)):
        want = by_autograd(center, context, np.array(n))
        for got, right in zip(impl.loss_and_gradients(both[:, 0], both[:, 1], n), want, strict=True):
            close(got, right, "the vectors are views of other arrays", rtol=1e-10, atol=1e-12)


@pytest.mark.task("loss_and_gradients")
@pytest.mark.parametrize("part", range(5))
def test_parts_of_another_size_are_refused(impl, part):
    """NumPy would use one row or one number for all of them."""
    center, context, negatives = vectors(0)
    contexts, tables = [context[:1], context[:, :1], context[0]], [negatives[:1], negatives[:, 0]]
    cases = [*((center, c, negatives) for c in contexts), *((center, context, n) for n in tables)]
    with pytest.raises(ValueError):
        impl.loss_and_gradients(*cases[part])


# ---------------------------------------------------------------- sgd_step


def matrices(seed, V=9, D=7):
    return np.random.default_rng(seed).standard_normal((2, V, D))


def stepped_by_autograd(w, c, pairs, negatives, lr):
    """The matrices after one step down the summed loss, and the mean loss before it, by automatic differentiation."""
    W, C = (torch.from_numpy(x.copy()).requires_grad_() for x in (w, c))
    v, u, n = W[pairs[:, 0]], C[pairs[:, 1]], C[negatives]
    loss = -F.logsigmoid((v * u).sum(1)) - F.logsigmoid(-torch.einsum("bd,bkd->bk", v, n)).sum(1)
    loss.sum().backward()
    return float(loss.detach().mean()), (W - lr * W.grad).detach().numpy(), (C - lr * C.grad).detach().numpy()


@pytest.mark.task("sgd_step")
@pytest.mark.parametrize(
    "case",
    ["different words", "words that occur twice", "a long batch", "the same pair twice", "a word as its own context",
     "no negatives", "three hundred pairs", "one pair with one negative"],
)  # fmt: skip
def test_step_is_the_one_that_autograd_gives(impl, seed, case):
    rng = np.random.default_rng(seed + 1)
    pairs, negatives = {
        "different words": (np.array([[0, 1], [2, 3]]), np.array([[4, 5], [6, 7]])),
        "words that occur twice": (np.array([[0, 1], [0, 2], [3, 1]]), np.array([[5, 5], [6, 5], [2, 7]])),
        "a long batch": (rng.integers(0, 9, (40, 2)), rng.integers(0, 9, (40, 3))),
        "the same pair twice": (np.array([[0, 1], [0, 1]]), np.array([[4, 5], [4, 5]])),
        "a word as its own context": (np.array([[3, 3], [3, 2]]), np.array([[3, 5], [6, 3]])),
        "three hundred pairs": (rng.integers(0, 9, (300, 2)), rng.integers(0, 9, (300, 3))),
        "one pair with one negative": (np.array([[4, 8]]), np.array([[3]])),
        "no negatives": (np.array([[0, 1], [2, 3]]), np.zeros((2, 0), dtype=np.int64)),
    }[case]
    w, c = matrices(seed)
    loss, want_w, want_c = stepped_by_autograd(w, c, pairs, negatives, 0.1)
    got = impl.sgd_step(w, c, pairs, negatives, 0.1)
    close(array(w, want_w.shape, "f"), want_w, f"{case}: the centers' matrix is not where gradient descent puts it")
    close(array(c, want_c.shape, "f"), want_c, f"{case}: the contexts' matrix is not where gradient descent puts it")
    assert isinstance(got, float), f"the step returns a {type(got).__name__} where a float is expected"
    close(got, loss, f"{case}: the mean loss before the step")


@pytest.mark.task("sgd_step")
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_steps_with_any_rate_one_after_the_other(impl, seed, scale):
    """Nothing is kept from one step to the next; scores of several thousand give no infinite loss."""
    w, c = matrices(seed) * scale
    pairs, negatives = np.array([[0, 1], [2, 3], [4, 5]]), np.array([[4, 5], [6, 7], [8, 1]])
    for lr in (0.3, 2.5, 0.0, 1.0):
        loss, want_w, want_c = stepped_by_autograd(w, c, pairs, negatives, lr)
        got = impl.sgd_step(w, c, pairs, negatives, lr=lr)
        close(got, loss, f"the mean loss before a step with lr {lr}")
        close(w, want_w, f"the centers after a step with lr {lr}")
        close(c, want_c, f"the contexts after a step with lr {lr}")


@pytest.mark.task("sgd_step")
def test_nothing_is_kept_from_one_step_to_the_next(impl):
    pairs, negatives, found = np.array([[0, 1], [2, 3]]), np.array([[4, 5], [6, 7]]), []
    for _ in range(2):
        w, c = matrices(0, 10, 3)
        found.append((impl.sgd_step(w, c, pairs, negatives, 0.3), w, c))
    for first, second in zip(*found, strict=True):
        close(second, first, "the same step is taken twice, each time from the same numbers")


@pytest.mark.task("sgd_step")
def test_matrices_that_are_parts_of_larger_ones_are_changed_in_place(impl, seed):
    rng = np.random.default_rng(seed)
    w, c, ids = rng.standard_normal((9, 11)), rng.standard_normal((10, 9)), rng.integers(0, 9, (6, 5))
    before_w, before_c = w.copy(), c.copy()
    _, want_w, want_c = stepped_by_autograd(w[:, 1::2], c[::2].T, ids[:, 1:3], ids[:, 3:], 0.3)
    impl.sgd_step(w[:, 1::2], c[::2].T, ids[:, 1:3], ids[:, 3:], 0.3)
    close(w[:, 1::2], want_w, "the centers are every second column of a matrix")
    close(c[::2].T, want_c, "the contexts are transposed rows of a matrix")
    same = np.array_equal(w[:, ::2], before_w[:, ::2]) and np.array_equal(c[1::2], before_c[1::2])
    assert same, "the rest of the larger matrices has changed"


@pytest.mark.task("sgd_step")
def test_steps_bring_the_loss_down(impl, seed):
    w, c = matrices(seed) * 0.1
    pairs, negatives = np.array([[0, 1], [2, 3], [0, 3]]), np.array([[4, 5], [6, 7], [8, 5]])
    losses = [impl.sgd_step(w, c, pairs, negatives, 0.2) for _ in range(200)]
    assert losses[-1] < 0.2 * losses[0], f"200 steps take the loss from {losses[0]:.2f} to {losses[-1]:.2f} only"


@pytest.mark.task("sgd_step")
@pytest.mark.parametrize("n, rows", [(2, 1), (2, 3), (2, 0), (1, 2), (1, 0)])
def test_step_refuses_another_number_of_rows_of_negatives(impl, n, rows):
    w, c = matrices(0)
    before = w.copy(), c.copy()
    with pytest.raises(ValueError):
        impl.sgd_step(w, c, np.array([[0, 1], [1, 2]])[:n], np.array([[3]] * 3)[:rows], 0.1)
    assert np.array_equal(w, before[0]) and np.array_equal(c, before[1]), "the matrices changed before the error"


@pytest.mark.task("sgd_step")
def test_the_mean_loss_is_a_float_for_float32_vectors(impl):
    w, c = matrices(0).astype(np.float32)
    pairs, negatives = np.array([[0, 1], [0, 2], [3, 1]]), np.array([[5, 5], [6, 5], [2, 7]])
    _, want_w, want_c = stepped_by_autograd(w, c, pairs, negatives, 0.1)
    got = impl.sgd_step(w, c, pairs, negatives, 0.1)
    assert isinstance(got, float), f"the step returns a {type(got).__name__} where a float is expected"
    close(w, want_w, "the centers in float32; words occur twice", 1e-5, 1e-6)
    close(c, want_c, "the contexts in float32; words occur twice", 1e-5, 1e-6)
