"""Linear and logistic regression beside scikit-learn, and what must hold of them whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meaning_space.probes import ConvergenceWarning, LinearRegression, LogisticRegression, StandardScaler
from meaning_space.probes.linear import SOLVERS
from meaning_space.probes.logistic import PENALTIES, loss_and_gradient
from meaning_space.probes.proximal import fista, soft_threshold
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
some = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def standardised(name):
    X, y = DATA[name](return_X_y=True)
    return StandardScaler().fit(X).transform(X), y


def overlapping(seed, n=83, d=3, classes=3):
    """Classes that no plane separates, so that even without a penalty there is one best model."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, (X @ rng.normal(size=(d, classes)) + 3 * rng.gumbel(size=(n, classes))).argmax(axis=1)


# ---------------------------------------------------------------- linear


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("solver", ["qr", "normal"])
def test_closed_forms_match_scikit_learn(name, solver):
    X, _ = standardised(name)
    ours = LinearRegression(solver).fit(X[:, :-1], X[:, -1])
    theirs = linear_model.LinearRegression().fit(X[:, :-1], X[:, -1])
    # Breast cancer's features have a condition number near 1e3 and the normal equations square it: 1e6 eps = 2e-10.
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-10)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-10)


@pytest.mark.parametrize("name", ["iris", "wine"])
def test_gradient_descent_reaches_the_closed_form(name):
    X, _ = standardised(name)
    ours = LinearRegression("gradient").fit(X[:, :-1], X[:, -1])
    assert ours.converged_ and 0 < ours.n_iter_ < 2_000
    # A gradient of 1e-10 over the least curvature of iris and wine, about 0.03, is 3e-9.
    np.testing.assert_allclose(ours.coef_, LinearRegression().fit(X[:, :-1], X[:, -1]).coef_, rtol=0, atol=1e-8)


def test_gradient_descent_says_when_it_has_not_arrived():
    X, _ = standardised("breast cancer")
    with pytest.warns(ConvergenceWarning, match="max_iter=50"):
        model = LinearRegression("gradient", max_iter=50).fit(X[:, :-1], X[:, -1])
    assert not model.converged_ and model.n_iter_ == 50


@some
@given(seeds, st.integers(1, 5), st.sampled_from(SOLVERS))
def test_residuals_are_orthogonal_to_every_feature(seed, d, solver):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(29, d)), rng.normal(size=29)
    residual = y - LinearRegression(solver).fit(X, y).predict(X)
    assert abs(residual.sum()) < 1e-7 and np.abs(X.T @ residual).max() < 1e-7


@some
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_units_of_measurement_do_not_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(23, 3)), rng.normal(size=23)
    base, changed = LinearRegression().fit(X, y), LinearRegression().fit(X * scale + shift, y)
    np.testing.assert_allclose(changed.coef_ * scale, base.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(changed.predict(X * scale + shift), base.predict(X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("solver", ["qr", "normal"])
def test_dependent_columns_are_refused(solver):
    X = np.random.default_rng(0).normal(size=(11, 2))
    with pytest.raises(ValueError, match="linearly dependent"):
        LinearRegression(solver).fit(np.column_stack([X, X.sum(axis=1)]), X[:, 0])
    with pytest.raises(ValueError, match="linearly dependent"):
        LinearRegression(solver).fit(np.column_stack([X, np.ones(11)]), X[:, 0])
    with pytest.raises(ValueError, match="linearly dependent"):
        LinearRegression(solver).fit(X[:2], X[:2, 0])


# ---------------------------------------------------------------- logistic


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("C", [0.1, 1.0])
def test_l2_matches_scikit_learn(name, C):
    X, y = standardised(name)
    ours = LogisticRegression("l2", C=C).fit(X, y)
    theirs = linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y)
    assert ours.converged_ and ours.n_iter_ < 20, "Newton's method needs few steps"
    # scikit-learn's L-BFGS stops at 1e-6 or so of the coefficients, whatever its tolerance.
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["iris", "wine"])
@pytest.mark.parametrize("penalty, l1_ratio", [("l1", 1.0), ("elasticnet", 0.3)])
def test_l1_and_elastic_net_match_scikit_learn(name, penalty, l1_ratio):
    X, y = standardised(name)
    ours = LogisticRegression(penalty, C=0.5, l1_ratio=l1_ratio).fit(X, y)
    theirs = linear_model.LogisticRegression(
        C=0.5, l1_ratio=l1_ratio, solver="saga", tol=1e-9, max_iter=50_000, random_state=0
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=2e-4)  # saga's own distance from the optimum
    assert ((ours.coef_ == 0) == (np.abs(theirs.coef_) < 1e-6)).all(), "the same weights are zero"


def test_l1_on_breast_cancer_matches_liblinear():
    X, y = standardised("breast cancer")
    ours = LogisticRegression("l1", C=0.1).fit(X, y)
    theirs = linear_model.LogisticRegression(
        C=0.1, l1_ratio=1, solver="liblinear", intercept_scaling=1e4, tol=1e-12, max_iter=100_000, random_state=0
    ).fit(X, y)
    # liblinear penalises the intercept, if only by 1/1e4 of it.
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-3)
    assert 0 < np.count_nonzero(ours.coef_) < 15


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_without_penalty_on_overlapping_classes_matches_scikit_learn(classes):
    X, y = overlapping(7, classes=classes)
    ours = LogisticRegression("none").fit(X, y)
    theirs = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, y)
    assert ours.converged_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", DATA)
def test_without_penalty_on_separable_classes_says_that_there_is_no_optimum(name):
    X, y = standardised(name)
    with pytest.warns(ConvergenceWarning, match="add a penalty"):
        model = LogisticRegression("none").fit(X, y)
    assert not model.converged_ and np.abs(model.coef_).max() > 20


@some
@given(seeds, st.sampled_from([2, 3, 4]), st.sampled_from(["l1", "elasticnet"]), st.floats(0.05, 5))
def test_penalised_weights_satisfy_the_optimality_conditions(seed, classes, penalty, C):
    """At the minimum the data pull on a zero weight with at most l1, and on any other with exactly what holds it."""
    X, y = overlapping(seed, classes=classes)
    if len(np.unique(y)) < classes:
        return
    model = LogisticRegression(penalty, C=C, l1_ratio=0.6).fit(X, y)
    P = model.predict_proba(X)
    pull = (X.T @ (np.eye(classes)[y] - P))[:, -len(model.coef_) :].T * C
    l1, l2 = (1.0, 0.0) if penalty == "l1" else (0.6, 0.4)
    zero, w = model.coef_ == 0, model.coef_
    assert np.abs(pull[zero]).max(initial=0) <= l1 + 1e-4
    np.testing.assert_allclose(pull[~zero], (l1 * np.sign(w) + l2 * w)[~zero], rtol=0, atol=1e-4)
    assert np.abs((np.eye(classes)[y] - P).sum(axis=0)).max() < 1e-4, "a free intercept balances every class"


@some
@given(seeds, st.sampled_from([1, 3]), st.floats(0, 2))
def test_gradient_matches_finite_differences(seed, columns, l2):
    rng = np.random.default_rng(seed)
    X, theta = np.column_stack([rng.normal(size=(13, 2)), np.ones(13)]), rng.normal(size=(3, columns))
    Y = np.eye(max(columns, 2))[rng.integers(max(columns, 2), size=13)][:, -columns:]
    gradient = loss_and_gradient(theta, X, Y, l2)[1]
    for i in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[i] = 1e-6
        slope = (loss_and_gradient(theta + step, X, Y, l2)[0] - loss_and_gradient(theta - step, X, Y, l2)[0]) / 2e-6
        assert gradient[i] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_order_of_samples_and_names_of_classes_do_not_matter(penalty):
    X, y = overlapping(3)
    names, order = np.array(["owl", "ant", "bee"]), np.random.default_rng(0).permutation(len(y))
    base = LogisticRegression(penalty).fit(X, y)
    other = LogisticRegression(penalty).fit(X[order], names[y][order])
    assert other.classes_.tolist() == ["ant", "bee", "owl"]
    np.testing.assert_allclose(other.coef_, base.coef_[[1, 2, 0]], rtol=0, atol=1e-6)
    assert (other.predict(X) == names[base.predict(X)]).all()


def test_probabilities_survive_enormous_scores():
    model = LogisticRegression().fit(np.array([[-1.0], [0.0], [1.0], [2.0]]), np.array([0, 0, 1, 1]))
    P = model.predict_proba(np.array([[-1e6], [1e6]]))
    assert np.isfinite(P).all() and P.argmax(axis=1).tolist() == [0, 1]


def test_a_stopped_proximal_gradient_is_reported():
    X, y = standardised("wine")
    with pytest.warns(ConvergenceWarning):
        assert not LogisticRegression("l1", max_iter=3).fit(X, y).converged_


def test_soft_threshold_stops_at_zero():
    assert soft_threshold(np.array([-3.0, -0.5, 0.0, 0.5, 3.0]), 1.0).tolist() == [-2.0, 0.0, 0.0, 0.0, 2.0]


def test_fista_solves_a_problem_with_a_known_answer():
    """(1/2) ||t - v||^2 + l1 |t| has its minimum at the soft threshold of v; the last row is not penalised."""
    v = np.array([[3.0], [-0.4], [1.5], [0.3]])
    got, _, converged = fista(lambda t: t - v, np.zeros((4, 1)), 1.0, 1.0, 100, 1e-12)
    assert converged
    np.testing.assert_allclose(got.ravel(), [2.0, 0.0, 0.5, 0.3], rtol=0, atol=1e-12)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: LinearRegression("cholesky"), "solver='cholesky'"),
        (lambda: LinearRegression(tol=0.0), "tol=0.0"),
        (lambda: LogisticRegression("l3"), "penalty='l3'"),
        (lambda: LogisticRegression(C=0.0), "C=0.0"),
        (lambda: LogisticRegression(C=float("nan")), "C=nan"),
        (lambda: LogisticRegression("elasticnet", l1_ratio=1.5), "l1_ratio=1.5"),
        (lambda: LogisticRegression(max_iter=0), "max_iter=0"),
    ],
)
def test_wrong_settings_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("estimator", [LinearRegression(), LogisticRegression()])
@pytest.mark.parametrize(
    "X, y, match",
    [
        (np.array([[1.0, np.nan], [0.0, 1.0]]), np.array([0, 1]), r"X\[0, 1\]=nan"),
        (np.array([[np.inf], [0.0]]), np.array([0, 1]), r"X\[0, 0\]=inf"),
        (np.zeros(4), np.array([0, 1, 0, 1]), "table"),
        (np.zeros((0, 2)), np.array([]), "something in it"),
        (np.zeros((3, 2)), np.array([0, 1]), "each of the 3 rows"),
        (np.array([["a"], ["b"]]), np.array([0, 1]), "must hold numbers"),
        (np.zeros((2, 1)), np.array([0.0, np.nan]), "y"),
    ],
)
def test_bad_data_are_refused(estimator, X, y, match):
    with pytest.raises(ValueError, match=match):
        estimator.fit(X, y)


def test_one_class_and_wrong_columns_and_unfitted_are_refused():
    X = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match="at least two classes"):
        LogisticRegression().fit(X, np.array([1, 1, 1]))
    with pytest.raises(ValueError, match="must be fitted"):
        LogisticRegression().predict(X)
    with pytest.raises(ValueError, match="must be fitted"):
        LinearRegression().predict(X)
    with pytest.raises(ValueError, match="3 features: must have 2"):
        LogisticRegression().fit(X, np.array([0, 1, 1])).predict(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="y: must hold numbers"):
        LinearRegression().fit(X, np.array(["a", "b", "c"]))
