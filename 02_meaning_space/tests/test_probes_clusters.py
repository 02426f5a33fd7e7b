"""k-means and Gaussian mixtures beside scikit-learn from the same start, and what every step must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meaning_space.probes import ConvergenceWarning, GaussianMixture, KMeans, StandardScaler
from meaning_space.probes.kmeans import kmeans_plusplus, lloyd
from meaning_space.probes.mixture import log_normal
from sklearn import cluster, mixture
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
some = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def standardised(name):
    X = DATA[name]().data
    return StandardScaler().fit(X).transform(X)


def scattered(seed, n=61, d=2, clumps=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(clumps, d))[rng.integers(clumps, size=n)] * 4 + rng.normal(size=(n, d))


# ---------------------------------------------------------------- k-means


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [2, 3, 7])
def test_kmeans_from_the_same_centres_matches_scikit_learn(name, k):
    X = standardised(name)
    start = kmeans_plusplus(X, k, np.random.default_rng(k))
    ours, theirs = KMeans(k, start).fit(X), cluster.KMeans(k, init=start, n_init=1, tol=0).fit(X)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=0, atol=1e-10)
    assert (ours.labels_ == theirs.labels_).all()
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-12)
    assert ours.converged_


@some
@given(seeds, st.integers(1, 9), st.sampled_from(["random", "k-means++"]))
def test_inertia_never_rises_and_the_end_is_a_fixed_point(seed, k, init):
    X = scattered(seed)
    model = KMeans(k, init, n_init=1, seed=seed).fit(X)
    assert (np.diff(model.inertia_history_) <= 1e-9).all()
    assert model.inertia_ == pytest.approx(((X - model.cluster_centers_[model.labels_]) ** 2).sum())
    for c in range(k):
        np.testing.assert_allclose(X[model.labels_ == c].mean(axis=0), model.cluster_centers_[c], rtol=0, atol=1e-9)
    assert (model.predict(X) == model.labels_).all()


@some
@given(seeds, st.floats(0.1, 30), st.floats(-100, 100))
def test_scaling_and_moving_the_data_scales_the_inertia(seed, scale, shift):
    X = scattered(seed)
    start = X[:3].copy()
    base, other = KMeans(3, start).fit(X), KMeans(3, start * scale + shift).fit(X * scale + shift)
    assert other.inertia_ == pytest.approx(base.inertia_ * scale**2, rel=1e-6)


def test_order_of_samples_does_not_matter():
    X, order = scattered(5), np.random.default_rng(1).permutation(61)
    base, other = KMeans(3, X[:3].copy()).fit(X), KMeans(3, X[:3].copy()).fit(X[order])
    np.testing.assert_allclose(other.cluster_centers_, base.cluster_centers_, rtol=0, atol=1e-12)
    assert (other.labels_ == base.labels_[order]).all()


def test_more_starts_are_never_worse_and_seeds_repeat():
    X = scattered(2, n=151, clumps=9)
    one, ten = KMeans(9, n_init=1, seed=3).fit(X), KMeans(9, n_init=10, seed=3).fit(X)
    assert ten.inertia_ <= one.inertia_
    np.testing.assert_array_equal(ten.cluster_centers_, KMeans(9, n_init=10, seed=3).fit(X).cluster_centers_)


def test_an_empty_cluster_takes_the_farthest_point():
    X = np.array([[0.0], [1.0], [10.0], [30.0]])
    model = KMeans(3, np.array([[0.0], [5.0], [1000.0]])).fit(X)
    assert len(set(model.labels_.tolist())) == 3
    assert model.inertia_ == pytest.approx(0.5)
    assert (np.diff(model.inertia_history_) <= 0).all()


def test_plus_plus_never_takes_a_point_twice_while_others_are_left():
    X = np.repeat(np.arange(5.0), 20)[:, None]
    for seed in range(20):
        assert sorted(kmeans_plusplus(X, 5, np.random.default_rng(seed)).ravel()) == [0, 1, 2, 3, 4]
    assert len(kmeans_plusplus(X, 7, np.random.default_rng(0))) == 7, "fewer distinct points than centers still works"


def test_plus_plus_draws_in_proportion_to_squared_distance():
    """From 0 the points 1, 2 and 3 must follow with probability 1/14, 4/14 and 9/14."""
    X, rng = np.array([[0.0], [1.0], [2.0], [3.0]]), np.random.default_rng(0)
    draws = [kmeans_plusplus(X, 2, rng).ravel() for _ in range(4000)]
    second = np.bincount([int(b) for a, b in draws if a == 0], minlength=4)
    expected = np.array([0, 1, 4, 9]) / 14 * second.sum()
    assert second[0] == 0
    assert ((second - expected)[1:] ** 2 / expected[1:]).sum() < 13.8, "chi-square, 2 degrees of freedom, p > 0.001"


def test_kmeans_says_when_it_was_stopped():
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        assert not KMeans(7, "random", n_init=1, max_iter=1).fit(scattered(0)).converged_
    assert not lloyd(scattered(0), scattered(0)[:5], 1)[2]


# ---------------------------------------------------------------- Gaussian mixture


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [2, 3])
def test_mixture_from_the_same_start_matches_scikit_learn(name, k):
    X = standardised(name)
    labels = KMeans(k, seed=1).fit(X).labels_
    groups = [X[labels == c] for c in range(k)]
    ours = GaussianMixture(k, tol=1e-8, max_iter=500, init_labels=labels).fit(X)
    theirs = mixture.GaussianMixture(
        k,
        tol=1e-8,
        max_iter=500,
        weights_init=np.bincount(labels) / len(X),
        means_init=np.array([g.mean(axis=0) for g in groups]),
        precisions_init=np.array([np.linalg.inv(np.cov(g.T, bias=True) + 1e-6 * np.eye(X.shape[1])) for g in groups]),
    ).fit(X)
    # Covariances with eigenvalues down to 1e-6 turn rounding into 1e-8 or so over some dozens of steps.
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-5)
    assert ours.score(X) == pytest.approx(theirs.score(X), abs=1e-7)


@some
@given(seeds, st.integers(1, 4))
def test_likelihood_never_falls(seed, k):
    labels = np.arange(61) % k
    model = GaussianMixture(k, tol=1e-6, max_iter=2000, init_labels=labels).fit(scattered(seed))
    # reg_covar moves each covariance off the maximum by 1e-6: a fall of that order squared is its doing.
    assert (np.diff(model.history_) >= -1e-10).all()
    assert model.weights_.sum() == pytest.approx(1)
    assert all(np.linalg.eigvalsh(S)[0] > 0 for S in model.covariances_)


@some
@given(seeds, st.floats(0.1, 20))
def test_scaling_the_data_shifts_the_likelihood_by_the_volume(seed, scale):
    X, labels = scattered(seed), np.arange(61) % 2
    base = GaussianMixture(2, tol=1e-6, max_iter=2000, reg_covar=0.0, init_labels=labels).fit(X)
    other = GaussianMixture(2, tol=1e-6, max_iter=2000, reg_covar=0.0, init_labels=labels).fit(X * scale)
    assert other.lower_bound_ == pytest.approx(base.lower_bound_ - 2 * np.log(scale), abs=1e-4)
    np.testing.assert_allclose(other.means_, base.means_ * scale, rtol=1e-2, atol=1e-2 * scale)


def test_one_component_is_the_mean_and_the_covariance():
    X = scattered(4, d=3)
    model = GaussianMixture(1, reg_covar=0.0).fit(X)
    np.testing.assert_allclose(model.means_[0], X.mean(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.covariances_[0], np.cov(X.T, bias=True), rtol=0, atol=1e-12)


def test_log_normal_matches_scipy_far_out():
    from scipy.stats import multivariate_normal

    A = np.random.default_rng(0).normal(size=(3, 3))
    S, X = A @ A.T + np.eye(3), np.random.default_rng(1).normal(size=(7, 3)) * 100
    np.testing.assert_allclose(log_normal(X, np.ones(3), S), multivariate_normal(np.ones(3), S).logpdf(X), rtol=1e-12)


def test_mixture_says_when_it_was_stopped():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        assert not GaussianMixture(3, tol=1e-12, max_iter=2).fit(scattered(0)).converged_


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: KMeans(0), "n_clusters=0"),
        (lambda: KMeans(3, "far"), "init='far'"),
        (lambda: KMeans(3, n_init=0), "n_init=0"),
        (lambda: KMeans(70).fit(scattered(0)), "must be at most 61"),
        (lambda: KMeans(3, np.zeros((2, 2))).fit(scattered(0)), "3 centers of 2 features"),
        (lambda: KMeans(2).fit(np.array([[np.nan], [1.0]])), "=nan"),
        (lambda: KMeans(2).predict(np.zeros((1, 1))), "must be fitted"),
        (lambda: GaussianMixture(0), "n_components=0"),
        (lambda: GaussianMixture(2, reg_covar=-1.0), "reg_covar=-1.0"),
        (lambda: GaussianMixture(2).fit(np.zeros((1, 2))), "at least 2"),
        (lambda: GaussianMixture(2, init_labels=np.zeros(61, dtype=int)).fit(scattered(0)), "use them all"),
        (lambda: GaussianMixture(2, init_labels=np.array([0, 1])).fit(scattered(0)), "must give each"),
        (lambda: GaussianMixture(2).predict(np.zeros((1, 2))), "must be fitted"),
        (lambda: GaussianMixture(1, reg_covar=0.0).fit(np.ones((5, 2))), "singular"),
        (lambda: GaussianMixture(1, reg_covar=0.0).fit(scattered(0)[:, [0, 1, 0]]), "singular"),
    ],
)
def test_bad_input_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
