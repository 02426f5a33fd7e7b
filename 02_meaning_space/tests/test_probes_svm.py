"""Support vector machines next to scikit-learn's, and their optimality conditions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meaning_space.probes import (
    SVC,
    ConvergenceWarning,
    StandardScaler,
)
from meaning_space.probes.svm import KERNELS, smo
from sklearn import svm
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
some = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def standardised(name):
    X, y = DATA[name](return_X_y=True)
    return StandardScaler().fit(X).transform(X), y


def noisy(seed, n=131, d=4, classes=3):
    """Continuous features (rounded to float32, which scikit-learn's trees work in) and labels they half explain."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32).astype(np.float64)
    return X, (X[:, :classes] + rng.normal(size=(n, classes))).argmax(axis=1)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("kernel", KERNELS)
def test_svm_matches_scikit_learn(name, kernel):
    X, y = standardised(name)
    ours = SVC(kernel=kernel, tol=1e-7, coef0=0.5).fit(X, y)
    theirs = svm.SVC(kernel=kernel, tol=1e-7, coef0=0.5, decision_function_shape="ovo").fit(X, y)
    sign = 1 if len(ours.classes_) == 2 else -1  # for more classes scikit-learn's values speak for a pair's first one
    got, want = ours.decision_function(X), sign * theirs.decision_function(X).reshape(len(X), -1)
    # tol bounds the violation of the optimality conditions; values of up to 150 follow to about 1e-5.
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-4)
    assert (ours.predict(X) == theirs.predict(X)).all() and ours.converged_


@pytest.mark.parametrize("kernel", KERNELS)
def test_dual_objective_matches_scikit_learn(kernel):
    X, y = standardised("breast cancer")
    ours = SVC(kernel=kernel, tol=1e-7).fit(X, y)
    theirs = svm.SVC(kernel=kernel, tol=1e-7).fit(X, y)
    a, S = theirs.dual_coef_.ravel(), X[theirs.support_]
    K = {
        "linear": S @ S.T,
        "poly": (ours.gamma_ * S @ S.T) ** 3,
        "rbf": np.exp(-ours.gamma_ * ((S[:, None] - S) ** 2).sum(axis=2)),
    }[kernel]
    assert ours.dual_objective_ == pytest.approx(0.5 * a @ K @ a - np.abs(a).sum(), rel=1e-8)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seeds, st.floats(0.05, 5), st.sampled_from(KERNELS))
def test_solution_satisfies_the_optimality_conditions(seed, C, kernel):
    """a = 0 outside the margin, a = C inside it, in between on it; and the constraint y'a = 0."""
    X, y = noisy(seed, n=31, d=2, classes=2)
    if len(np.unique(y)) < 2:
        return
    model = SVC(C, kernel, tol=1e-6).fit(X, y)
    machine, signs = model.estimators_[0], np.where(y == model.classes_[1], 1.0, -1.0)
    a = np.zeros(len(y))
    a[machine.rows] = machine.dual_coef * signs[machine.rows]
    margin = signs * model.decision_function(X)[:, 0]
    assert (a >= 0).all() and (a <= C).all()
    assert abs(machine.dual_coef.sum()) < 1e-9 * C * len(y)
    assert (margin[a == 0] >= 1 - 1e-5).all()
    assert (margin[a == C] <= 1 + 1e-5).all()
    free = (a > 0) & (a < C)
    np.testing.assert_allclose(margin[free], 1, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_smo_takes_as_many_steps_as_libsvm(kernel):
    """The same pairs chosen and the same moves made: a wrong curvature arrives, too, but in more steps.

    Not with the linear kernel, which takes thousands: LIBSVM holds Q in float32, and the two paths part on the way.
    """
    X, y = standardised("breast cancer")
    ours = SVC(kernel=kernel).fit(X, y)
    theirs = svm.SVC(kernel=kernel, shrinking=False).fit(X, y)
    assert abs(ours.n_iter_ - theirs.n_iter_.sum()) <= 0.05 * theirs.n_iter_.sum(), (ours.n_iter_, theirs.n_iter_)


def test_widest_margin_by_hand():
    """Two points at -1 and 3: the boundary lies at 1, and a step of 2 to either is a margin of 1: f(x) = (x - 1)/2."""
    model = SVC(C=100.0, kernel="linear", tol=1e-9).fit(np.array([[-1.0], [3.0]]), np.array([0, 1]))
    np.testing.assert_allclose(model.decision_function(np.array([[1.0], [3.0], [7.0]]))[:, 0], [0, 1, 3], atol=1e-9)
    assert model.dual_objective_ == pytest.approx(-0.125)  # -||w||^2 / 2


def test_order_and_swapped_labels():
    X, y = noisy(1, classes=2)
    order = np.random.default_rng(0).permutation(len(y))
    base, other = SVC(tol=1e-8).fit(X, y), SVC(tol=1e-8).fit(X[order], y[order])
    np.testing.assert_allclose(other.decision_function(X), base.decision_function(X), rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        SVC(tol=1e-8).fit(X, 1 - y).decision_function(X), -base.decision_function(X), rtol=0, atol=1e-5
    )


def test_smo_says_when_it_was_stopped():
    X, y = standardised("breast cancer")
    with pytest.warns(ConvergenceWarning, match="max_iter=10"):
        assert not SVC(kernel="linear", max_iter=10).fit(X, y).converged_


def test_smo_survives_identical_samples():
    K = np.ones((4, 4))
    a, _, _, converged = smo(K, np.array([1.0, 1.0, -1.0, -1.0]), 1.0, 1e-6, 1000)
    assert converged and (a == 1).all(), "nothing tells the classes apart: every sample is at its bound"
