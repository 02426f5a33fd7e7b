"""Generalisation bounds, universal approximation, lottery tickets."""

import math

import numpy as np
import pytest
import torch
from scaling_laws.theory import bounds, lottery, universal
from scipy.optimize import brentq

# ---------------------------------------------------------------- bounds


def test_rademacher_of_linear_functions_is_below_its_bound_and_near_it():
    x = np.random.default_rng(0).standard_normal((211, 13))
    drawn, bound = bounds.linear_rademacher(x, 1.7, 4000, 1), bounds.linear_rademacher_bound(x, 1.7)
    assert 0.9 * bound < drawn < bound
    assert bounds.linear_rademacher(x, 3.4, 4000, 1) == pytest.approx(2 * drawn)


def test_the_supremum_is_a_supremum():
    """No drawn w of the radius does better than w along sum s_i x_i."""
    generator = np.random.default_rng(1)
    x, signs = generator.standard_normal((31, 5)), generator.choice([-1.0, 1.0], 31)
    best = np.linalg.norm(signs @ x)
    w = generator.standard_normal((1000, 5))
    assert ((w / np.linalg.norm(w, axis=1, keepdims=True)) @ x.T @ signs).max() <= best


def test_the_networks_bound_grows_with_every_norm():
    x = np.random.default_rng(2).standard_normal((50, 7))
    base = bounds.network_rademacher_bound(x, [2.0, 3.0])
    assert bounds.network_rademacher_bound(x, [4.0, 3.0]) == pytest.approx(2 * base)
    assert base > bounds.linear_rademacher_bound(x, 6.0)


@pytest.mark.parametrize("q, budget", [(0.0, 0.05), (0.1, 0.02), (0.37, 0.4), (0.9, 1.5)])
def test_oracle_brentq_inverts_the_kl(q, budget):
    want = brentq(lambda p: bounds.binary_kl(q, p) - budget, max(q, 1e-12), 1 - 1e-12)
    assert bounds.largest_bias(q, budget) == pytest.approx(want, abs=1e-9)


def test_oracle_torchs_kl_of_normals():
    mean = torch.tensor([0.3, -1.2, 0.5], dtype=torch.float64)
    first, second = (torch.distributions.Normal(m, 0.7) for m in (mean, torch.zeros_like(mean)))
    want = torch.distributions.kl_divergence(first, second).sum()
    assert bounds.gaussian_kl(float(mean.norm()), 0.7) == pytest.approx(float(want))


def test_bounds_hold_for_coins():
    """A coin's bias: the true one is above the bound in at most 5 % of draws."""
    generator = np.random.default_rng(3)
    seen = generator.binomial(200, 0.3, size=2000) / 200
    assert (seen + bounds.hoeffding(200) < 0.3).mean() < 0.05
    assert np.mean([bounds.pac_bayes_bound(float(q), 0.0, 200) < 0.3 for q in seen]) < 0.05


def test_the_numbers_of_a_large_network_are_empty():
    assert bounds.parameter_count_bound(0.0, 60_000, 1000) > 1
    assert bounds.pac_bayes_bound(0.02, 1e5, 1000) > 0.999
    assert bounds.pac_bayes_bound(0.02, 20.0, 1000) < 0.12
    assert bounds.margin_bound(0.1, 0.05, 1.0, 1000) == pytest.approx(0.1 + 0.1 + 3 * math.sqrt(math.log(40) / 2000))


# ---------------------------------------------------------------- universal approximation


@pytest.mark.parametrize("units", [3, 16, 61])
def test_a_wide_network_is_within_its_bound(units):
    x = np.linspace(0, 1, 5001)
    net = universal.wide_network(lambda v: np.sin(7 * v), units)
    assert np.abs(net(x) - np.sin(7 * x)).max() <= 49 / units**2 / 8 + 1e-12
    grid = np.linspace(0, 1, units + 1)
    np.testing.assert_allclose(net(grid), np.sin(7 * grid), atol=1e-9)
    assert len(net.weights) == units


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_depth_makes_twice_the_pieces_and_a_quarter_of_the_error(layers):
    x = np.linspace(0, 1, 2**12 + 1)
    assert universal.pieces(lambda v: universal.tents(v, layers)) == 2**layers
    error = np.abs(universal.deep_square(x, layers) - x * x).max()
    assert error == pytest.approx(4.0 ** -(layers + 1), rel=1e-9)
    wide = universal.wide_network(np.square, 2**layers)
    np.testing.assert_allclose(universal.deep_square(x, layers), wide(x), atol=1e-9)  # the same polygon


def test_pieces_of_a_wide_network_are_at_most_its_units():
    assert universal.pieces(universal.wide_network(np.square, 16)) == 16


# ---------------------------------------------------------------- lottery tickets


def test_the_nearest_subset_is_the_nearest():
    weights = np.random.default_rng(0).uniform(-1, 1, 9)
    mask, error = lottery.nearest_subset(weights, 0.3)
    assert abs(weights[mask].sum() - 0.3) == pytest.approx(error)
    others = [abs(weights[np.array([bool(i >> k & 1) for k in range(9)])].sum() - 0.3) for i in range(512)]
    assert error == pytest.approx(min(others))


@pytest.mark.parametrize("n", [6, 10])
def test_effect_each_weight_more_halves_the_error_as_predicted(n):
    """The median of 200 draws; the counting argument is rough: within a factor of 1.6."""
    median = float(np.median(lottery.measured_error(n, 200, 0)))
    assert 1 / 1.6 < median / lottery.predicted_error(n) < 1.6
