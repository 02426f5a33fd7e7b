"""Bayes, estimation and descent: by hand, by closed forms, and their effects."""

import numpy as np
import pytest
from meaning_space.lab import record
from meaning_space.lab.cli import options
from meaning_space.lab.foundations import foundations
from meaning_space.probes import LinearRegression
from meaning_space.probes.descent import minimize, minimize_on_rows, squared_error_gradient
from meaning_space.probes.estimation import bayes, bernoulli_map, gaussian_map, gaussian_mle, standardized_means
from scipy.stats import beta, norm


def test_bayes_by_hand():
    """A rare disease (1 %), a test that finds 90 % of it and is wrong for 5 % of the others: 15 %, not 90 %."""
    posterior = bayes(np.array([0.01, 0.99]), np.array([0.9, 0.05]))
    np.testing.assert_allclose(posterior, [0.009 / 0.0585, 0.0495 / 0.0585], rtol=1e-14)


def test_maximum_likelihood_is_the_best_of_all_means_and_variances():
    x = np.random.default_rng(0).normal(3, 2, 40)
    mean, variance = gaussian_mle(x)
    best = norm.logpdf(x, mean, variance**0.5).sum()
    for m, v in ((mean + 0.01, variance), (mean - 0.01, variance), (mean, variance * 1.01), (mean, variance * 0.99)):
        assert norm.logpdf(x, m, v**0.5).sum() < best


def test_the_posterior_of_a_gaussian_mean_is_likelihood_times_prior():
    x = np.random.default_rng(1).normal(2, 1, 5)
    mean, variance = gaussian_map(x, 1.0, 0.5, 2.0)
    grid = np.linspace(-6, 8, 4001)
    log_joint = norm.logpdf(x[:, None], grid, 1).sum(axis=0) + norm.logpdf(grid, 0.5, 2**0.5)
    posterior = np.exp(log_joint - log_joint.max())
    posterior /= posterior.sum()
    assert mean == pytest.approx((grid * posterior).sum(), abs=1e-9)
    assert variance == pytest.approx(((grid - mean) ** 2 * posterior).sum(), rel=1e-6)


def test_the_most_probable_chance_is_the_mode_of_the_beta_posterior():
    grid = np.linspace(0, 1, 100_001)
    assert bernoulli_map(7, 9, 3.0, 2.0) == pytest.approx(grid[beta.pdf(grid, 7 + 3, 2 + 2).argmax()], abs=1e-5)
    assert bernoulli_map(7, 9) == 7 / 9


def test_means_of_exponential_numbers_turn_gaussian():
    rng = np.random.default_rng(0)
    skewness = [(standardized_means(rng, n, 20_000) ** 3).mean() for n in (1, 4, 64)]
    # The skewness of a mean of n is 2 / sqrt(n); 20,000 draws give it to about 0.1 for n = 1.
    np.testing.assert_allclose(skewness, [2, 1, 0.25], atol=0.4)
    assert skewness[0] > skewness[1] > skewness[2]


def test_descent_on_a_parabola_is_a_geometric_series():
    path = minimize(lambda w: 3 * w, np.array([2.0]), 0.1, 20)
    np.testing.assert_allclose(path[:, 0], 2 * 0.7 ** np.arange(21), rtol=1e-12)
    heavy = minimize(lambda w: np.ones(1), np.array([0.0]), 0.1, 200, momentum=0.9)
    assert heavy[-2, 0] - heavy[-1, 0] == pytest.approx(0.1 / (1 - 0.9), rel=1e-6)  # steps add up to lr / (1 - m)


def test_all_rows_in_a_batch_are_batch_descent_and_all_sizes_find_the_regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    X -= X.mean(axis=0)
    y = X @ np.array([1.0, -2.0, 0.5])

    def gradient(w, rows):
        return squared_error_gradient(X, y, w, rows)

    whole = minimize(lambda w: gradient(w, np.arange(50)), np.zeros(3), 0.2, 30)
    np.testing.assert_allclose(minimize_on_rows(gradient, 50, np.zeros(3), 0.2, 30, 50, 0), whole, atol=1e-12)
    want = LinearRegression().fit(X, y).coef_
    for size, momentum in ((50, 0.9), (7, 0.0), (1, 0.0), (7, 0.5)):
        path = minimize_on_rows(gradient, 50, np.zeros(3), 0.05, 400, size, 0, momentum)
        np.testing.assert_allclose(path[-1], want, atol=1e-5)  # no noise in y: the cloud shrinks to a point


def test_the_recorded_foundations_are_repeated():
    content = foundations(options(), lambda line: None)
    recorded = record.read(record.COMMITTED)["foundations"]
    assert {name: value["steps"] for name, value in content["valley"].items()} == {
        name: value["steps"] for name, value in recorded["valley"].items()
    }
    assert content["valley"]["momentum"]["steps"] < 0.25 * content["valley"]["descent"]["steps"]
    ends = [path[-1] for path in content["double_well"]["paths"]]
    assert ends[0] < -0.9 and ends[1] > 0.9
    distances = [row["distance"] for row in content["central_limit"]["rows"]]
    assert distances[0] > 2 * distances[1] > 4 * distances[2] > 0
    rows = content["rows"]
    assert rows["mini-batch of 20"][5] < 0.1 * rows["batch"][5]
    assert rows["one row"][-1] > 10 * rows["mini-batch of 20"][-1]  # the cloud around the minimum


@pytest.mark.parametrize(
    "make",
    [
        lambda: bayes(np.array([0.5, 0.5]), np.array([0.0, 0.0])),
        lambda: bayes(np.array([1.5, -0.5]), np.array([0.1, 0.1])),
        lambda: bernoulli_map(4, 3),
        lambda: bernoulli_map(0, 0),
        lambda: bernoulli_map(1, 2, 0.5),
        lambda: gaussian_map(np.ones(3), 0.0, 0.0, 1.0),
        lambda: gaussian_mle(np.array([1.0, np.nan])),
        lambda: minimize(lambda w: w, np.zeros(1), 0.0, 3),
        lambda: minimize(lambda w: w, np.zeros(1), 0.1, 3, momentum=1.0),
        lambda: minimize_on_rows(lambda w, rows: w, 5, np.zeros(1), 0.1, 1, 6, 0),
    ],
)
def test_bad_input_is_refused(make):
    with pytest.raises(ValueError):
        make()
