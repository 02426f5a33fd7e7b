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
@pytest.mark.parametrize("part", ["context", "negatives"])
def test_parts_of_another_size_are_refused(impl, part):
    """NumPy would use one row for all of them."""
    center, context, negatives = vectors(0)
    shapes = {"context": (center, context[:1], negatives), "negatives": (center, context, negatives[:1])}
    with pytest.raises(ValueError):
        impl.loss_and_gradients(*shapes[part])


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
@pytest.mark.parametrize("case", ["different words", "words that occur twice", "a long batch"])
def test_step_is_the_one_that_autograd_gives(impl, seed, case):
    rng = np.random.default_rng(seed + 1)
    pairs, negatives = {
        "different words": (np.array([[0, 1], [2, 3]]), np.array([[4, 5], [6, 7]])),
        "words that occur twice": (np.array([[0, 1], [0, 2], [3, 1]]), np.array([[5, 5], [6, 5], [2, 7]])),
        "a long batch": (rng.integers(0, 9, (40, 2)), rng.integers(0, 9, (40, 3))),
    }[case]
    w, c = matrices(seed)
    loss, want_w, want_c = stepped_by_autograd(w, c, pairs, negatives, 0.1)
    got = impl.sgd_step(w, c, pairs, negatives, 0.1)
    close(array(w, want_w.shape, "f"), want_w, f"{case}: the centers' matrix is not where gradient descent puts it")
    close(array(c, want_c.shape, "f"), want_c, f"{case}: the contexts' matrix is not where gradient descent puts it")
    assert isinstance(got, float), f"the step returns a {type(got).__name__} where a float is expected"
    close(got, loss, f"{case}: the mean loss before the step")


@pytest.mark.task("sgd_step")
def test_steps_bring_the_loss_down(impl, seed):
    w, c = matrices(seed) * 0.1
    pairs, negatives = np.array([[0, 1], [2, 3], [0, 3]]), np.array([[4, 5], [6, 7], [8, 5]])
    losses = [impl.sgd_step(w, c, pairs, negatives, 0.2) for _ in range(200)]
    assert losses[-1] < 0.2 * losses[0], f"200 steps take the loss from {losses[0]:.2f} to {losses[-1]:.2f} only"


@pytest.mark.task("sgd_step")
def test_step_refuses_missing_negatives(impl):
    w, c = matrices(0)
    before = w.copy(), c.copy()
    with pytest.raises(ValueError):
        impl.sgd_step(w, c, np.array([[0, 1], [1, 2]]), np.array([[3]]), 0.1)
    assert np.array_equal(w, before[0]) and np.array_equal(c, before[1]), "the matrices changed before the error"


@pytest.mark.task("sgd_step")
def test_the_mean_loss_is_a_float_for_float32_vectors(impl):
    w, c = matrices(0).astype(np.float32)
    got = impl.sgd_step(w, c, np.array([[0, 1]]), np.array([[3]]), 0.1)
    assert isinstance(got, float), f"the step returns a {type(got).__name__} where a float is expected"
