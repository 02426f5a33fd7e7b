"""Ridgeless regression against Hastie's theory, and random features."""

import functools
import math
from statistics import mean, median

import numpy as np
import pytest
from scaling_laws import min_norm_fit, random_feature_risk, ridgeless_risk, simulate_ridgeless


@pytest.mark.task("ridgeless_risk")
@pytest.mark.parametrize("d, n, wanted", [(50, 200, 1 / 3), (150, 300, 1.0), (300, 200, 7 / 3), (400, 200, 1.5)])
def test_the_table_of_the_theory(impl, d, n, wanted):
    assert impl.ridgeless_risk(d, n) == pytest.approx(wanted)


@functools.cache
def simulated(d, n, signal, noise):
    """The mean of sixty draws."""
    return mean(simulate_ridgeless(d, n, 60, 3, signal, noise))


@pytest.mark.task("ridgeless_risk")
@pytest.mark.parametrize("d, n", [(17, 101), (61, 101), (211, 101), (601, 101)])
def test_oracle_the_simulated_risk(impl, d, n):
    """Sixty draws: the mean is within 15 % of the theory, which is exact for many samples."""
    for signal, noise in ((1.7, 0.6), (0.5, 1.3)):
        assert impl.ridgeless_risk(d, n, 1, signal, noise) == pytest.approx(simulated(d, n, signal, noise), rel=0.15)


@pytest.mark.task("ridgeless_risk")
def test_outputs_share_the_parameters(impl):
    for outputs in (2, 3, 10):
        for d in (13, 57, 301):
            assert impl.ridgeless_risk(d * outputs, 59, outputs, 1.3, 0.7) == pytest.approx(
                impl.ridgeless_risk(d, 59, 1, 1.3, 0.7)
            )
        assert impl.ridgeless_risk(59 * outputs, 59, outputs) == math.inf


@pytest.mark.task("ridgeless_risk")
def test_far_above_the_threshold_nothing_is_learned_and_nothing_is_lost(impl):
    assert impl.ridgeless_risk(10**9, 100, signal=1.7, noise=0.6) == pytest.approx(1.7**2, rel=1e-4)
    assert impl.ridgeless_risk(1, 10**9, signal=1.7, noise=0.6) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.task("ridgeless_risk")
def test_the_threshold_is_infinite_without_noise_too(impl):
    assert impl.ridgeless_risk(30, 10, outputs=3, noise=0.0) == math.inf


def test_effect_the_second_descent():
    """Random features: the peak at P = n is a hundred times what both ends are."""
    n = 120
    risk = {p: median(random_feature_risk(p, n, 30, seed) for seed in range(5)) for p in (30, n, 20 * n)}
    assert risk[n] > 30 * max(risk[30], risk[20 * n])
    assert risk[20 * n] < risk[30]


def test_the_minimum_norm_fit_is_the_shortest_that_fits():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((7, 19)), generator.standard_normal(7)
    beta = min_norm_fit(x, y)
    np.testing.assert_allclose(x @ beta, y, atol=1e-10)
    other = beta + (np.eye(19) - np.linalg.pinv(x) @ x) @ generator.standard_normal(19)
    np.testing.assert_allclose(x @ other, y, atol=1e-10)
    assert np.linalg.norm(beta) < np.linalg.norm(other)
    tall, z = generator.standard_normal((19, 7)), generator.standard_normal(19)
    np.testing.assert_allclose(min_norm_fit(tall, z), np.linalg.lstsq(tall, z, rcond=None)[0], atol=1e-10)


def test_the_default_noise_and_signal_are_one():
    assert ridgeless_risk(30, 90) == ridgeless_risk(30, 90, 1, 1.0, 1.0) == pytest.approx(0.5)
