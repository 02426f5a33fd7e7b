"""Folds, scores, search, scaling, probing words; the whole comparison and the pitfalls, run once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meaning_space.__main__ import COMMANDS
from meaning_space.lab import cli, plots, record, tables
from meaning_space.lab.probe_peers import ALL_PEERS
from meaning_space.probes import (
    DOCUMENTATION,
    FICTION,
    SVC,
    DecisionTreeClassifier,
    GaussianNB,
    GridSearch,
    KFold,
    LogisticRegression,
    StandardizedEstimator,
    StandardScaler,
    StratifiedKFold,
    accuracy_score,
    adjusted_rand_score,
    cross_val_score,
    labeled_rows,
    probe_words,
    r2_score,
    split_by_group,
)
from meaning_space.probes.search import set_params
from sklearn import metrics, model_selection, svm
from sklearn.datasets import load_iris, load_wine

some = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


# ---------------------------------------------------------------- folds


@some
@given(st.integers(2, 9), st.integers(9, 80), seeds)
def test_folds_partition_the_samples(n_splits, n, seed):
    splits = list(KFold(n_splits, seed).split(np.zeros(n)))
    assert sorted(np.concatenate([test for _, test in splits]).tolist()) == list(range(n))
    sizes = [len(test) for _, test in splits]
    assert len(sizes) == n_splits and max(sizes) - min(sizes) <= 1
    for train, test in splits:
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(n))


@some
@given(st.integers(2, 6), st.lists(st.integers(6, 30), min_size=2, max_size=5), seeds)
def test_stratified_folds_keep_every_class_to_within_one(n_splits, counts, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    tests = [test for _, test in StratifiedKFold(n_splits, seed).split(y)]
    assert sorted(np.concatenate(tests).tolist()) == list(range(len(y)))
    table = np.array([np.bincount(y[test], minlength=len(counts)) for test in tests])
    assert (table.max(axis=0) - table.min(axis=0) <= 1).all()
    assert table.sum(axis=1).max() - table.sum(axis=1).min() <= 1


def test_folds_depend_on_the_seed_and_on_nothing_else():
    y = load_iris().target
    one, again, other = ([t.tolist() for _, t in StratifiedKFold(5, s).split(y)] for s in (1, 1, 2))
    assert one == again != other


@some
@given(st.lists(st.sampled_from("abcdefgh"), min_size=20, max_size=60), st.floats(0.2, 0.8), seeds)
def test_a_word_is_never_on_both_sides(groups, fraction, seed):
    if len(set(groups)) < 4:
        return
    train, test = split_by_group(groups, fraction, seed)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(groups)))
    assert not {groups[i] for i in train} & {groups[i] for i in test}
    assert len({groups[i] for i in test}) == round(fraction * len(set(groups)))


# ---------------------------------------------------------------- scores


@some
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40), seeds)
def test_adjusted_rand_matches_scikit_learn_whatever_the_names(pairs, seed):
    a, b = np.array(pairs).T
    assert adjusted_rand_score(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b), abs=1e-12)
    assert adjusted_rand_score(np.random.default_rng(seed).permutation(5)[a], b) == pytest.approx(
        adjusted_rand_score(a, b)
    )
    assert adjusted_rand_score(a, a) == 1


@some
@given(st.lists(st.floats(-10, 10), min_size=3, max_size=30), seeds)
def test_r_squared_matches_scikit_learn(values, seed):
    y = np.array(values) + np.arange(len(values))
    if np.ptp(y) < 1e-3:
        return
    predicted = y + np.random.default_rng(seed).normal(size=len(y))
    assert r2_score(y, predicted) == pytest.approx(metrics.r2_score(y, predicted))
    assert r2_score(y, y) == 1 and abs(r2_score(y, np.full(len(y), y.mean()))) < 1e-12


# ---------------------------------------------------------------- scaling, search


def test_scaler_learns_from_the_training_part_alone():
    X, y = load_wine(return_X_y=True)
    model = StandardizedEstimator(GaussianNB()).fit(X[:100], y[:100])
    np.testing.assert_allclose(model.scaler_.mean_, X[:100].mean(axis=0))
    Z = StandardScaler().fit(X).transform(X)
    np.testing.assert_allclose([Z.mean(axis=0), Z.std(axis=0)], [np.zeros(13), np.ones(13)], atol=1e-12)
    constant = np.full((7, 1), 0.1)
    assert np.abs(StandardScaler().fit(constant).transform(constant)).max() < 1e-15, "centred, not blown up"


def test_cross_validation_scores_each_fold_by_a_model_that_has_not_seen_it():
    """A tree remembers its training data: on labels that are noise it scores 1 there, and chance on the folds."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), rng.permutation(np.arange(200) % 2)
    estimator = DecisionTreeClassifier()
    scores = cross_val_score(estimator, X, y, StratifiedKFold(5, 0))
    assert scores.shape == (5,) and 0.35 < scores.mean() < 0.65
    assert accuracy_score(y, DecisionTreeClassifier().fit(X, y).predict(X)) == 1
    assert not hasattr(estimator, "root_"), "the estimator handed in stays unfitted"


def test_grid_search_matches_scikit_learn():
    X, y = load_wine(return_X_y=True)
    grid = {"C": [0.1, 1.0, 10.0], "gamma": [0.001, 0.01]}
    X = StandardScaler().fit(X).transform(X)
    ours = GridSearch(SVC(tol=1e-6), grid, StratifiedKFold(3, 1)).fit(X, y)
    theirs = model_selection.GridSearchCV(svm.SVC(tol=1e-6), grid, cv=list(StratifiedKFold(3, 1).split(y))).fit(X, y)
    assert [r["params"] for r in ours.cv_results_] == theirs.cv_results_["params"]
    np.testing.assert_allclose([r["mean"] for r in ours.cv_results_], theirs.cv_results_["mean_test_score"], atol=1e-12)
    assert ours.best_params_ == theirs.best_params_
    assert (ours.predict(X) == theirs.predict(X)).all()


def test_settings_reach_an_estimator_inside_another():
    model = set_params(StandardizedEstimator(LogisticRegression()), {"estimator__C": 7.0, "estimator__penalty": "l1"})
    assert (model.estimator.C, model.estimator.penalty) == (7.0, "l1")
    X, y = load_iris(return_X_y=True)
    search = GridSearch(
        StandardizedEstimator(LogisticRegression()), {"estimator__C": [1e-4, 1.0]}, StratifiedKFold(3, 0)
    ).fit(X, y)
    assert search.best_params_ == {"estimator__C": 1.0}


# ---------------------------------------------------------------- words


def clumped_words(seed, spread=0.6):
    rng = np.random.default_rng(seed)
    labels = np.repeat(["kin", "time", "speech"], 30)
    directions = dict(zip(["kin", "time", "speech"], rng.normal(size=(3, 20)), strict=True))
    vectors = np.array([directions[label] for label in labels]) + spread * rng.normal(size=(90, 20))
    return vectors, [f"w{i}" for i in range(90)], labels.tolist()


def test_probes_read_a_property_that_is_there():
    result = probe_words(*clumped_words(0), seeds=(0, 1, 2))
    assert result["n_words"] == 90 and result["majority"] == pytest.approx(1 / 3)
    for row in result["probes"].values():
        assert len(row["test"]) == 3 and np.mean(row["test"]) > 0.85
    assert "| logistic regression |" in tables.probe_words(result)


def test_probes_find_nothing_where_there_is_nothing():
    _, names, labels = clumped_words(0)
    result = probe_words(
        np.random.default_rng(1).normal(size=(90, 200)),
        names,
        labels,
        {"logistic regression": LogisticRegression(C=1.0, tol=1e-6)},
        seeds=(0, 1),
    )
    row = result["probes"]["logistic regression"]
    assert np.mean(row["train"]) > 0.95 and np.mean(row["control"]) > 0.95, "it can memorise any labels"
    assert np.mean(row["test"]) < 0.5, "and knows nothing about words it has not seen"


def test_length_of_a_vector_does_not_matter():
    vectors, names, labels = clumped_words(3)
    longer = vectors * np.random.default_rng(0).uniform(0.5, 9, size=(90, 1))
    assert probe_words(vectors, names, labels, seeds=(0,)) == probe_words(longer, names, labels, seeds=(0,))


@pytest.mark.parametrize("classes", [FICTION, DOCUMENTATION])
def test_word_classes_have_no_word_twice(classes):
    listed = " ".join(classes.values()).split()
    assert len(listed) == len(set(listed))
    rows, labels = labeled_rows(listed, classes)
    assert len(rows) == len(listed) and set(labels) == set(classes)


# ---------------------------------------------------------------- the experiment


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The folder of a quick run, and its section."""
    out = tmp_path_factory.mktemp("probes")
    argv = ["probes", "--quick", "--seed", "3", "--out", str(out)]
    assert cli.main("meaning_space", "", COMMANDS, plots.draw, argv) == 0
    return out, record.read(out)["probes"]


def test_every_algorithm_agrees_with_scikit_learn(quick):
    rows = quick[1]["compare"]["rows"]
    assert {row["algorithm"] for row in rows} == {peers.name for peers in ALL_PEERS} and len(rows) == 2 * len(ALL_PEERS)
    for row in rows:
        unique = row["gap"] is not None
        # Trees with ties and separable classes without a penalty have no unique answer: a tenth at most.
        assert abs(row["ours"] - row["theirs"]) < (1e-6 if unique else 0.1), row
        assert not unique or row["gap"] < 1e-3, row
    free = {row["algorithm"] for row in rows if row["gap"] is None}
    assert free == {"logistic regression, none", "decision tree, gini", "decision tree, entropy"}


def test_what_is_written_can_be_read_and_drawn(quick):
    out, section = quick
    assert section["meta"]["seeds"] == [3] and section["meta"]["versions"]["numpy"] and section["meta"]["quick"]
    assert 10_000 < (out / "probes.png").stat().st_size < 200_000
    assert tables.probe_details(section).count("\n") == 2 * len(ALL_PEERS) + 1
    assert tables.probe_summary(section).count("\n") == len(ALL_PEERS) + 1
    assert {path.name for path in out.iterdir()} == {"results.json", "probes.png"}


def test_pitfalls_bite(quick):
    r = quick[1]["pitfalls"]
    assert r["unscaled_svm"]["scaled"] > r["unscaled_svm"]["raw"] + 0.2
    starts = r["kmeans_starts"]
    assert starts["k-means++"]["median_over_best"] < 0.75 * starts["random"]["median_over_best"]
    probe = r["memorizing_probe"]
    assert probe["on_training_words"] > 0.99 and probe["split_by_row"] > 0.9 and probe["split_by_word"] < 0.7
    counts = [s["l1"] for s in r["sparsity"]]
    assert counts == sorted(counts) and counts[0] < 6 and all(s["l2"] == 30 for s in r["sparsity"])
    assert r["conditioning"]["scaled"]["converged"] and not r["conditioning"]["raw"]["converged"]
    largest = [s["largest_weight"] for s in r["runaway_weights"]]
    assert largest[2] > 1.5 * largest[1] > 2 * largest[0] and not any(s["converged"] for s in r["runaway_weights"])
    assert r["peeking"]["chosen_before"] > r["peeking"]["chosen_inside"] + 0.25
    assert tables.pitfalls(quick[1]).count("\n") == 8


# ---------------------------------------------------------------- bad input

X2, Y2 = np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: KFold(1), "n_splits=1"),
        (lambda: list(KFold(5).split(np.zeros(4))), "must be at most 4"),
        (lambda: list(StratifiedKFold(3).split(Y2)), "must be at most 2"),
        (lambda: split_by_group(["a", "b"], 1.0, 0), "test_fraction=1.0"),
        (lambda: split_by_group(["a", "a"], 0.5, 0), "one side"),
        (lambda: accuracy_score(Y2, Y2[:2]), "one length"),
        (lambda: r2_score(np.ones(3), np.ones(3)), "constant"),
        (lambda: cross_val_score(SVC(), X2, Y2[:3], KFold(2)), "each of the 4 rows"),
        (lambda: GridSearch(SVC(), {}), "at least one setting"),
        (lambda: GridSearch(SVC(), {"C": []}), "at least one value"),
        (lambda: GridSearch(SVC(), {"c": [1.0]}, KFold(2)).fit(X2, Y2), "c=1.0: SVC has"),
        (lambda: StandardScaler().transform(X2), "must be fitted"),
        (lambda: StandardizedEstimator(SVC()).predict(X2), "must be fitted"),
        (lambda: labeled_rows(["a"], {"x": "a b", "y": "b"}), "must be in one class"),
        (lambda: labeled_rows(["a", "z"], {"x": "a b", "y": "c"}), "at least two"),
        (lambda: probe_words(X2, ["a", "b"], Y2.astype(str).tolist()), "words=2 entries"),
        (lambda: probe_words(X2 * 0, list("abcd"), list("xxyy")), "is zero"),
        (lambda: probe_words(X2 + 1, list("abcd"), list("xxyy"), seeds=()), r"seeds=\(\)"),
        (lambda: probe_words(X2 + 1, list("aabc"), list("xyxy"), test_fraction=0.4), "'a' must have one label"),
        (lambda: probe_words(X2 + 1, list("abcd"), list("xxxx")), "at least two classes"),
    ],
)
def test_bad_input_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_string_is_not_a_list_of_words():
    with pytest.raises(TypeError):
        split_by_group("abcd", 0.5, 0)
    with pytest.raises(TypeError):
        probe_words(X2 + 1, "abcd", list("xxyy"))
