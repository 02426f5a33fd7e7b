"""The NumPy framework beside PyTorch: layers, losses, optimizers step by step in float64; XOR to the last number."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from norm_activation import framework as fw
from torch import nn

EXACT = dict(rtol=1e-11, atol=1e-12)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def torchs(function, dy, x):
    leaf = torch.tensor(x, requires_grad=True)
    y = function(leaf)
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), leaf.grad.numpy()


ACTIVATIONS = {
    "Sigmoid": (fw.Sigmoid, torch.sigmoid),
    "Tanh": (fw.Tanh, torch.tanh),
    "ReLU": (fw.ReLU, F.relu),
    "LeakyReLU": (fw.LeakyReLU, F.leaky_relu),
    "GELU": (fw.GELU, lambda x: F.gelu(x, approximate="tanh")),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_forward_and_backward(name):
    layer, function = ACTIVATIONS[name][0](), ACTIVATIONS[name][1]
    x, dy = 3 * numbers(5, 7), numbers(5, 7, seed=1)
    y, dx = torchs(function, dy, x)
    np.testing.assert_allclose(layer.forward(x, True), y, **EXACT)
    np.testing.assert_allclose(layer.backward(dy), dx, **EXACT)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_and_layer_norm_forward_and_backward(training):
    x, dy = numbers(6, 5) * 2 + 1, numbers(6, 5, seed=1)
    theirs = nn.BatchNorm1d(5).double().train(training), nn.LayerNorm(5).double()
    for ours, other in zip((fw.BatchNorm(5), fw.LayerNorm(5)), theirs, strict=True):
        weight, bias = numbers(5, seed=2), numbers(5, seed=3)
        ours.params = {"weight": weight, "bias": bias}
        other.weight.data, other.bias.data = torch.tensor(weight), torch.tensor(bias)
        y, dx = torchs(other, dy, x)
        np.testing.assert_allclose(ours.forward(x, training), y, **EXACT)
        np.testing.assert_allclose(ours.backward(dy), dx, **EXACT)
        np.testing.assert_allclose(ours.grads["weight"], other.weight.grad.numpy(), **EXACT)
        np.testing.assert_allclose(ours.grads["bias"], other.bias.grad.numpy(), **EXACT)
        if isinstance(ours, fw.BatchNorm):
            np.testing.assert_allclose(ours.running_mean, other.running_mean.numpy(), **EXACT)
            np.testing.assert_allclose(ours.running_var, other.running_var.numpy(), **EXACT)


LOSSES = {
    "mse": (fw.mse, F.mse_loss),
    "cross_entropy": (fw.cross_entropy, F.cross_entropy),
    "hinge": (fw.hinge, F.multi_margin_loss),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients(name):
    ours, theirs = LOSSES[name]
    outputs, classes = 2 * numbers(7, 5), np.array([0, 1, 2, 3, 4, 0, 1])
    targets = numbers(7, 5, seed=1) if name == "mse" else classes
    leaf = torch.tensor(outputs, requires_grad=True)
    wanted = theirs(leaf, torch.tensor(targets))
    wanted.backward()
    value, gradient = ours(outputs, targets)
    assert value == pytest.approx(wanted.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), **EXACT)


def test_cross_entropy_does_not_overflow():
    value, gradient = fw.cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))
    assert value == 1000 and np.isfinite(gradient).all()


OPTIMIZERS = {
    "SGD": (lambda: fw.SGD(0.05), lambda p: torch.optim.SGD(p, 0.05)),
    "momentum": (lambda: fw.SGD(0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)),
    "RMSprop": (lambda: fw.RMSprop(0.003), lambda p: torch.optim.RMSprop(p, 0.003)),
    "Adam": (lambda: fw.Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
}


def pair(seed=0):
    """The same network twice: ours, and PyTorch's with the same weights."""
    rng = np.random.default_rng(seed)
    ours = fw.Network(
        fw.Linear(6, 8, rng), fw.BatchNorm(8), fw.ReLU(), fw.Linear(8, 7, rng), fw.Tanh(), fw.LayerNorm(7),
        fw.Linear(7, 3, rng),
    )  # fmt: skip
    theirs = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 7), nn.Tanh(), nn.LayerNorm(7), nn.Linear(7, 3)
    ).double()
    with torch.no_grad():
        for mine, other in zip(ours.params(), theirs.parameters(), strict=True):
            other.copy_(torch.tensor(mine))
    return ours, theirs


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_the_training_curve_lies_on_pytorchs_step_by_step(name, max_norm):
    ours, theirs = pair()
    mine, other = OPTIMIZERS[name][0](), OPTIMIZERS[name][1](theirs.parameters())
    rng = np.random.default_rng(1)
    for _ in range(60):
        x, classes = rng.standard_normal((9, 6)), rng.integers(0, 3, 9)
        value = ours.train_step(x, classes, fw.cross_entropy, mine, max_norm)
        loss = F.cross_entropy(theirs(torch.tensor(x)), torch.tensor(classes))
        other.zero_grad()
        loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
        other.step()
        assert value == pytest.approx(loss.item(), rel=1e-8)
    for mine, other in zip(ours.params(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), rtol=1e-6, atol=1e-8)  # sixty steps of rounding


def test_clipping_keeps_the_direction_and_bounds_the_norm():
    grads = [numbers(3, 4), numbers(4, seed=1)]
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    clipped, before = fw.clip_grad_norm(grads, 1.0)
    assert before == pytest.approx(norm) and np.sqrt(sum((g**2).sum() for g in clipped)) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(clipped[0] / clipped[0][0, 0], grads[0] / grads[0][0, 0])
    same, _ = fw.clip_grad_norm(grads, 100.0)
    np.testing.assert_array_equal(same[0], grads[0])


def test_the_perceptron_learns_and_and_or_and_cannot_learn_xor():
    for targets in (fw.AND, fw.OR):
        w, b, mistakes = fw.perceptron(targets)
        assert mistakes == 0 and [int(x @ w + b > 0) for x in fw.INPUTS] == list(targets)
    for epochs in (10, 100, 1000):
        assert fw.perceptron(fw.XOR, epochs)[2] > 0


def test_xor_by_hand_to_the_last_number():
    """The numbers of the workbook, computed again in plain Python."""
    from math import exp

    def s(z):
        return 1 / (1 + exp(-z))

    a = s(1.0), s(0.5)  # z1 = (2·1 - 1, -1·1 + 1.5)
    z2 = a[0] + a[1] - 1
    y = s(z2)
    dz2 = 2 * (y - 1) * y * (1 - y)
    dz1 = [dz2 * h * (1 - h) for h in a]
    got = fw.worked_example()
    assert got["z1"] == [1.0, 0.5] and got["a1"] == pytest.approx(a, abs=1e-15)
    assert (got["z2"], got["a2"], got["loss"]) == pytest.approx((z2, y, (y - 1) ** 2), abs=1e-15)
    assert got["dz2"] == pytest.approx(dz2, abs=1e-15) and got["dz1"] == pytest.approx(dz1, abs=1e-15)
    assert got["dW2"] == pytest.approx([dz2 * h for h in a], abs=1e-15)
    assert np.array(got["dW1"]) == pytest.approx(np.array([[dz1[0], 0], [dz1[1], 0]]), abs=1e-15)
    assert got["W2 after"] == pytest.approx([1 - dz2 * h for h in a], abs=1e-15)
    assert got["dx"] == pytest.approx([2 * dz1[0] - dz1[1]] * 2, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_effect_a_hidden_layer_learns_xor(seed):
    rng = np.random.default_rng(seed)
    network = fw.Network(fw.Linear(2, 8, rng), fw.Tanh(), fw.Linear(8, 1, rng))
    network.fit(fw.INPUTS, fw.XOR[:, None].astype(float), fw.mse, fw.Adam(0.05), 300, 4, rng)
    np.testing.assert_allclose(network.forward(fw.INPUTS)[:, 0], fw.XOR, atol=0.05)


def test_fit_learns_digits_and_keeps_its_curves():
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = digits.data / 8 - 1, digits.target
    rng = np.random.default_rng(0)
    network = fw.Network(
        fw.Linear(64, 32, rng),
        fw.ReLU(),
        fw.Dropout(0.1, rng),
        fw.Linear(32, 32, rng),
        fw.ReLU(),
        fw.Linear(32, 10, rng),
    )
    history = network.fit(x[:1500], y[:1500], fw.cross_entropy, fw.Adam(0.003), 8, 64, rng, (x[1500:], y[1500:]))
    assert len(history.steps) == 8 * 24 and len(history.training_loss) == len(history.test_loss) == 8
    assert history.training_loss[-1] < 0.3 and history.test_accuracy[-1] > 0.88


def test_effect_clipping_saves_a_run_that_explodes():
    def run(max_norm):
        rng = np.random.default_rng(0)
        network = fw.Network(*[layer for _ in range(6) for layer in (fw.Linear(6, 6, rng), fw.LeakyReLU(0.9))])
        x = 5 * rng.standard_normal((64, 6))
        return network.fit(x, x**3, fw.mse, fw.SGD(0.02), 3, 8, rng, max_norm=max_norm)

    with np.errstate(all="ignore"), pytest.raises(ValueError, match="diverged"):
        run(None)
    assert np.isfinite(run(1.0).steps).all()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda rng: fw.Linear(2, 3, rng, "glorot"), "init='glorot'"),
        (lambda rng: fw.Dropout(1.0, rng), "p=1.0"),
        (lambda rng: fw.BatchNorm(3).forward(np.zeros((1, 3)), True), "batch of one"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make(np.random.default_rng(0))
