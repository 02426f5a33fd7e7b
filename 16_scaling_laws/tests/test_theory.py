"""The theory's pages: Hessians, landscapes, saddles, information."""

import math

import numpy as np
import pytest
import torch
from scaling_laws.theory import hessian, information, landscape, network, saddles

SIZES = network.Sizes(5, 7, 3, "tanh")


def data(sizes, n=23, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, sizes.inputs, generator=generator, dtype=torch.float64)
    y = torch.randint(sizes.outputs, (n,), generator=generator)
    return x, y, network.initial(sizes, seed).double()


def loss_of(sizes, n=23, seed=0):
    x, y, theta = data(sizes, n, seed)
    return lambda t: network.cross_entropy(t, x, y, sizes), theta


# ---------------------------------------------------------------- network


def test_the_network_is_two_matrices():
    x, y, theta = data(SIZES)
    first, second = network.unpack(theta, SIZES)
    assert first.shape == (7, 5) and second.shape == (3, 7) and len(theta) == SIZES.parameters == 56
    torch.testing.assert_close(network.forward(theta, x, SIZES), torch.tanh(x @ first.T) @ second.T)
    assert torch.equal(network.pack(first, second), theta)
    wrong = (network.forward(theta, x, SIZES).argmax(1) != y).sum().item()
    assert network.error_rate(theta, x, y, SIZES) == pytest.approx(wrong / 23)


def test_descending_lowers_the_loss():
    loss, theta = loss_of(SIZES)
    assert loss(network.descend(loss, theta, 0.5, 50)) < loss(theta) - 0.1


# ---------------------------------------------------------------- hessian


def test_oracle_torch_func_hessian():
    loss, theta = loss_of(SIZES)
    exact = torch.func.jacrev(torch.func.jacrev(loss))(theta)
    v = torch.randn(len(theta), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(hessian.hessian_product(loss, theta, v), exact @ v, atol=1e-12, rtol=1e-9)
    values, weights = hessian.lanczos(lambda u: hessian.hessian_product(loss, theta, u), v, len(theta))
    right = torch.linalg.eigvalsh(exact)
    distinct = right[right.abs() > 1e-9]
    for end in (0, -1):
        assert values[end] == pytest.approx(float(distinct[end]), rel=1e-8)
    assert hessian.sharpness(loss, theta) == pytest.approx(float(right[-1]), rel=1e-5)
    assert weights.sum() == pytest.approx(1.0)
    for power in (1, 2):  # the Ritz values and their weights are a quadrature rule
        moment = v @ torch.linalg.matrix_power(exact, power) @ v / (v @ v)
        assert (weights * values**power).sum() == pytest.approx(float(moment), rel=1e-8)


def test_lanczos_gives_every_eigenvalue_of_a_matrix():
    a = torch.randn(19, 19, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    a = a + a.T
    values, _ = hessian.lanczos(lambda v: a @ v, torch.ones(19, dtype=torch.float64), 99)
    torch.testing.assert_close(values, torch.linalg.eigvalsh(a), atol=1e-9, rtol=1e-9)


def test_lanczos_stops_in_an_invariant_subspace():
    values, weights = hessian.lanczos(lambda v: 3 * v, torch.ones(7, dtype=torch.float64), 5)
    assert values.tolist() == pytest.approx([3.0]) and weights.tolist() == pytest.approx([1.0])


def test_rescaling_a_relu_network_changes_its_sharpness_and_nothing_else():
    sizes = network.Sizes(5, 7, 3, "relu")
    x, _, theta = data(sizes)
    loss, _ = loss_of(sizes)
    other = hessian.rescaled(theta, sizes, 5.0)
    torch.testing.assert_close(network.forward(theta, x, sizes), network.forward(other, x, sizes))
    assert hessian.sharpness(loss, other) > 4 * hessian.sharpness(loss, theta)


def test_effect_gradient_descent_on_a_quadratic_is_stable_below_two_over_its_curvature():
    def loss(t):
        return 0.5 * (t * t * torch.tensor([10.0, 1.0])).sum()

    for lr, stable in ((0.19, True), (0.21, False)):
        end = network.descend(loss, torch.ones(2), lr, 100)
        assert (end.norm() < 1) == stable


# ---------------------------------------------------------------- landscape


def test_each_filter_of_the_direction_is_as_long_as_the_networks():
    _, _, theta = data(SIZES)
    direction = landscape.filter_normalised(landscape.random_direction(theta, 1), theta, SIZES)
    for part, weights in zip(network.unpack(direction, SIZES), network.unpack(theta, SIZES), strict=True):
        torch.testing.assert_close(part.norm(dim=1), weights.norm(dim=1))
    plain = landscape.random_direction(theta, 1)
    assert plain.norm() == pytest.approx(float(theta.norm()))


def test_effect_a_rescaled_network_has_the_same_slice_when_filters_are_normalised():
    """Li et al.'s reason for it: without it, the rescaled network seems sharper."""
    sizes = network.Sizes(5, 7, 3, "relu")
    loss, theta = loss_of(sizes)
    other, at = hessian.rescaled(theta, sizes, 8.0), torch.linspace(-1, 1, 5, dtype=torch.float64)
    slices, plain = [], []
    for t in (theta, other):
        direction = landscape.random_direction(theta, 3)
        slices.append(landscape.loss_slice(loss, t, landscape.filter_normalised(direction, t, sizes), at))
        plain.append(landscape.loss_slice(loss, t, direction, at))
    torch.testing.assert_close(slices[0], slices[1], atol=1e-9, rtol=1e-9)
    assert (plain[0] - plain[1]).abs().max() > 1


def test_near_the_network_the_slice_is_taylors():
    loss, theta = loss_of(SIZES)
    direction = landscape.random_direction(theta, 2)
    at = torch.tensor([-0.01, 0.0, 0.01], dtype=torch.float64)
    exact = landscape.loss_slice(loss, theta, direction, at)
    torch.testing.assert_close(landscape.quadratic_slice(loss, theta, direction, at), exact, atol=1e-5, rtol=1e-5)


# ---------------------------------------------------------------- saddles


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_share_of_minima_is_the_exact_one(d):
    """20,000 matrices: three standard deviations are at most 0.011."""
    assert saddles.share_of_minima(d, 20_000, 0) == pytest.approx(saddles.EXACT[d], abs=0.011)


def test_effect_minima_die_out_faster_than_any_exponential():
    shares = [saddles.share_of_minima(d, 20_000, 1) for d in (1, 2, 3, 4)]
    ratios = [b / a for a, b in zip(shares, shares[1:], strict=False)]
    assert ratios[0] > ratios[1] > ratios[2] > 0 and saddles.decay(4) < shares[3] * 10
    assert saddles.share_of_minima(12, 2000, 1) == 0 < saddles.share_of_minima(12, 2000, 1, shift=2.5)


def test_the_index_follows_wigners_half_circle():
    values = np.linalg.eigvalsh(saddles.random_hessians(80, 20, 0)) / math.sqrt(80)
    for shift in (0.0, 0.7, 1.5):
        assert (values + shift < 0).mean() == pytest.approx(saddles.index_share(shift), abs=0.02)


# ---------------------------------------------------------------- information


def test_entropy_of_known_counts():
    assert information.entropy_bits(np.array([4, 4, 4, 4])) == pytest.approx(2.0)
    assert information.entropy_bits(np.array([0, 9])) == 0
    assert information.entropy_bits(np.array([0.5, 0.25, 0.25])) == pytest.approx(1.5)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("weight", [0.3, 2.0, 6.0])
def test_the_binned_estimate_is_the_exact_entropy(activation, weight):
    """40,000 samples: an estimate of up to 7 bits is low by a few hundredths.

    At weights of 20 and more, tanh is 1.0 in float64: a cell of its own that the exact entropy does not have.
    """
    x = np.random.default_rng(0).standard_normal(40_000)
    values = np.tanh(weight * x) if activation == "tanh" else np.maximum(weight * x, 0)
    estimate, _ = information.information(values[:, None], np.zeros(len(x), int), 0.2)
    assert estimate == pytest.approx(information.neuron_information(weight, activation, 0.2), abs=0.05)


def test_effect_tanh_compresses_and_relu_does_not():
    weights = (0.1, 1, 8, 32)
    tanh = [information.neuron_information(w, "tanh", 0.1) for w in weights]
    relu = [information.neuron_information(w, "relu", 0.1) for w in weights]
    assert tanh[0] < tanh[1] > tanh[2] > tanh[3] > 1 and relu == sorted(relu)


def test_finer_bins_end_at_the_logarithm_of_the_samples():
    generator = np.random.default_rng(1)
    activations, labels = np.tanh(generator.standard_normal((257, 3))), generator.integers(2, size=257)
    of_x = [information.information(activations, labels, w)[0] for w in (1.0, 0.3, 0.01, 1e-6)]
    assert of_x == sorted(of_x) and of_x[-1] == pytest.approx(math.log2(257))
    of_y = information.information(activations, labels, 1e-6)[1]
    share = labels.mean()
    assert of_y == pytest.approx(-share * math.log2(share) - (1 - share) * math.log2(1 - share))


def test_bad_input_an_unknown_activation():
    with pytest.raises(ValueError, match="tanh or relu"):
        information.neuron_information(1.0, "gelu", 0.1)
