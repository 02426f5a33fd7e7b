"""Naive Bayes and trees next to scikit-learn, and their invariances; bad input of all classifiers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meaning_space.probes import (
    SVC,
    DecisionTreeClassifier,
    GaussianNB,
    MultinomialNB,
    StratifiedKFold,
    cross_val_score,
)
from meaning_space.probes.tree import CRITERIA, describe, impurity
from sklearn import naive_bayes, tree
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
some = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def noisy(seed, n=131, d=4, classes=3):
    """Continuous features (rounded to float32, which scikit-learn's trees work in) and labels they half explain."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32).astype(np.float64)
    return X, (X[:, :classes] + rng.normal(size=(n, classes))).argmax(axis=1)


# ---------------------------------------------------------------- naive Bayes


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(
    "ours, theirs",
    [(GaussianNB(), naive_bayes.GaussianNB()), (MultinomialNB(0.7), naive_bayes.MultinomialNB(alpha=0.7))],
)
def test_naive_bayes_matches_scikit_learn(name, ours, theirs):
    X, y = DATA[name](return_X_y=True)
    ours.fit(X, y), theirs.fit(X, y)
    # Sums of thousands (proline, areas) in log-probabilities: twelve digits of them are left.
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-9, atol=1e-9)
    assert (ours.predict(X) == theirs.predict(X)).all()


@some
@given(seeds, st.lists(st.floats(0.01, 100), min_size=4, max_size=4))
def test_gaussian_bayes_ignores_units(seed, scales):
    X, y = noisy(seed)
    base, other = GaussianNB(0.0).fit(X, y), GaussianNB(0.0).fit(X * scales, y)
    np.testing.assert_allclose(other.predict_proba(X * scales), base.predict_proba(X), rtol=0, atol=1e-9)


@some
@given(seeds)
def test_doubling_every_sample_leaves_gaussian_bayes_as_it_was(seed):
    X, y = noisy(seed)
    base, other = GaussianNB().fit(X, y), GaussianNB().fit(np.vstack([X, X]), np.hstack([y, y]))
    np.testing.assert_allclose(other.predict_proba(X), base.predict_proba(X), rtol=0, atol=1e-9)


def test_naive_bayes_counts_a_repeated_feature_twice():
    """The naive assumption at work: a copy of a feature is taken for new evidence, and confidence grows."""
    X, y = noisy(0, classes=2)
    once, twice = GaussianNB().fit(X[:, :1], y), GaussianNB().fit(X[:, [0, 0]], y)
    assert twice.predict_proba(X[:, [0, 0]]).max(axis=1).mean() > once.predict_proba(X[:, :1]).max(axis=1).mean() + 0.03


def test_multinomial_bayes_by_hand():
    """Two classes of one document each over two words, alpha 1: theta = (3/5, 2/5) and (1/4, 3/4)."""
    model = MultinomialNB().fit(np.array([[2.0, 1.0], [0.0, 2.0]]), np.array(["a", "b"]))
    np.testing.assert_allclose(np.exp(model.feature_log_prob_), [[3 / 5, 2 / 5], [1 / 4, 3 / 4]], rtol=1e-15)
    np.testing.assert_allclose(model.predict_proba(np.array([[1.0, 0.0]])), [[12 / 17, 5 / 17]], rtol=1e-12)


# ---------------------------------------------------------------- trees


def shape_of(node):
    if node.left is None:
        return None
    return node.feature, pytest.approx(node.threshold, abs=1e-12), shape_of(node.left), shape_of(node.right)


def shape_of_theirs(fitted, i=0):
    t = fitted.tree_
    if t.children_left[i] < 0:
        return None
    return (
        int(t.feature[i]),
        float(t.threshold[i]),
        shape_of_theirs(fitted, t.children_left[i]),
        shape_of_theirs(fitted, t.children_right[i]),
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("criterion", CRITERIA)
def test_same_tree_as_scikit_learn_where_no_two_questions_tie(seed, criterion):
    """In small nodes two questions often part the classes equally well; with 50 samples in every leaf they do not."""
    X, y = noisy(seed, n=1009)
    limits = {"criterion": criterion, "max_depth": 4, "min_samples_leaf": 50}
    ours = DecisionTreeClassifier(**limits).fit(X, y)
    theirs = tree.DecisionTreeClassifier(**limits, random_state=0).fit(X, y)
    assert ours.root_.left.left is not None
    assert shape_of(ours.root_) == shape_of_theirs(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_full_trees_score_as_scikit_learns_do(name, criterion):
    X, y = DATA[name](return_X_y=True)
    folds = StratifiedKFold(5, 0)
    ours = cross_val_score(DecisionTreeClassifier(criterion), X, y, folds).mean()
    theirs = np.mean(
        [
            tree.DecisionTreeClassifier(criterion=criterion, random_state=s).fit(X[a], y[a]).score(X[b], y[b])
            for s in range(3)
            for a, b in folds.split(y)
        ]
    )
    assert abs(ours - theirs) < 0.03, "ties broken by chance move scikit-learn's own accuracy by about 0.02"
    assert (DecisionTreeClassifier(criterion).fit(X, y).predict(X) == y).all()


@some
@given(seeds, st.sampled_from(CRITERIA))
def test_trees_see_only_the_order_of_values(seed, criterion):
    """Any increasing transformation of a feature leaves the questions, and so the partition, as they were."""
    X, y = noisy(seed, n=61)
    base, other = (DecisionTreeClassifier(criterion).fit(Z, y) for Z in (X, np.exp(X) * 3 + 1))
    waiting = [(base.root_, other.root_)]
    while waiting:
        a, b = waiting.pop()
        assert a.feature == b.feature and a.counts.tolist() == b.counts.tolist()
        waiting += [] if a.left is None else [(a.left, b.left), (a.right, b.right)]


def depth_and_leaves(node):
    if node.left is None:
        return 0, [node.counts.sum()]
    (a, p), (b, q) = depth_and_leaves(node.left), depth_and_leaves(node.right)
    return 1 + max(a, b), p + q


@some
@given(seeds, st.integers(1, 4), st.integers(1, 20))
def test_limits_hold_and_leaves_partition_the_samples(seed, max_depth, min_samples_leaf):
    X, y = noisy(seed)
    depth, leaves = depth_and_leaves(
        DecisionTreeClassifier(max_depth=max_depth, min_samples_leaf=min_samples_leaf).fit(X, y).root_
    )
    assert depth <= max_depth and min(leaves) >= min_samples_leaf and sum(leaves) == len(X)


def test_xor_is_learned_although_its_first_split_gains_nothing():
    X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    model = DecisionTreeClassifier().fit(X, y)
    assert (model.predict(X) == y).all()
    assert describe(model.root_, ["a", "b"], ["even", "odd"]).startswith("a <= 0.5?\n  yes: b <= 0.5?")


def test_identical_samples_of_different_classes_make_one_leaf():
    model = DecisionTreeClassifier().fit(np.ones((5, 2)), np.array([0, 1, 1, 1, 0]))
    assert model.root_.left is None
    np.testing.assert_allclose(model.predict_proba(np.ones((1, 2))), [[0.4, 0.6]])


def test_threshold_between_neighbouring_floats_separates_them():
    """Their middle rounds to the even one of the two: the lower of the first pair, the upper of the second."""
    one, two, three = 1.0, np.nextafter(1.0, 2.0), np.nextafter(np.nextafter(1.0, 2.0), 2.0)
    for low, high in ((one, two), (two, three)):
        model = DecisionTreeClassifier().fit(np.array([[low], [high]]), np.array([0, 1]))
        assert model.predict(np.array([[low], [high]])).tolist() == [0, 1]


def test_impurity_by_hand():
    counts = np.array([[2, 2], [4, 0], [1, 3]])
    np.testing.assert_allclose(impurity(counts, "gini"), [0.5, 0, 0.375])
    np.testing.assert_allclose(impurity(counts, "entropy"), [1, 0, 0.811278], atol=1e-6)


# ---------------------------------------------------------------- bad input

X2, Y2 = np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: GaussianNB(-1.0), "var_smoothing=-1.0"),
        (lambda: GaussianNB().fit(np.ones((4, 1)), Y2), "constant"),
        (lambda: MultinomialNB(0.0), "alpha=0.0"),
        (lambda: MultinomialNB().fit(X2 - 1, Y2), "must not be negative"),
        (lambda: MultinomialNB().fit(X2, Y2).predict(X2 - 1), "must not be negative"),
        (lambda: DecisionTreeClassifier("error"), "criterion='error'"),
        (lambda: DecisionTreeClassifier(max_depth=0), "max_depth=0"),
        (lambda: DecisionTreeClassifier(min_samples_split=1), "min_samples_split=1"),
        (lambda: SVC(kernel="sigmoid"), "kernel='sigmoid'"),
        (lambda: SVC(C=-1.0), "C=-1.0"),
        (lambda: SVC(gamma=0.0), "gamma=0.0"),
        (lambda: SVC(degree=0), "degree=0"),
    ],
)
def test_wrong_settings_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("estimator", [GaussianNB(), MultinomialNB(), DecisionTreeClassifier(), SVC()])
def test_bad_data_are_refused(estimator):
    with pytest.raises(ValueError, match="must be fitted"):
        estimator.predict(X2)
    with pytest.raises(ValueError, match=r"X\[3, 1\]=nan"):
        estimator.fit(np.where(X2 == 7, np.nan, X2), Y2)
    with pytest.raises(ValueError, match="table"):
        estimator.fit(X2.ravel(), Y2)
    with pytest.raises(ValueError, match="each of the 4 rows"):
        estimator.fit(X2, Y2[:3])
    with pytest.raises(ValueError, match="at least two classes"):
        estimator.fit(X2, np.zeros(4))
    with pytest.raises(ValueError, match="must have 2"):
        estimator.fit(X2, Y2).predict(np.zeros((1, 3)))
