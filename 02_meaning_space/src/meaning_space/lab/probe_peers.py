"""Each algorithm of `probes/`, and its counterpart in scikit-learn with the same settings and the same start.

`gap` measures how far apart two fitted models are in what the optimum determines: coefficients, probabilities, centers,
decision values. It is None where there is no unique finite optimum: logistic regression without a penalty on separable
classes, and trees, whose ties scikit-learn breaks by chance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import cluster, linear_model, mixture, model_selection, naive_bayes, svm, tree

from ..probes.bayes import GaussianNB, MultinomialNB
from ..probes.folds import StratifiedKFold
from ..probes.kmeans import KMeans, kmeans_plusplus
from ..probes.linear import LinearRegression
from ..probes.logistic import LogisticRegression
from ..probes.metrics import accuracy_score, adjusted_rand_score, r2_score
from ..probes.mixture import GaussianMixture
from ..probes.search import GridSearch
from ..probes.svm import SVC
from ..probes.tree import DecisionTreeClassifier

Maker = Callable[[np.ndarray, np.ndarray, int], Any]
SCORES = {"labels": accuracy_score, "number": r2_score, "clusters": adjusted_rand_score}


@dataclass(frozen=True)
class Peers:
    """Two makers of unfitted estimators, given the training data and a seed, and how to compare what they become.

    `predicts` is "labels", "number" (the last feature, from the others) or "clusters".
    """

    name: str
    ours: Maker
    theirs: Maker
    gap: Callable[[Any, Any, np.ndarray], float | None]
    predicts: str = "labels"
    scaled: bool = True

    def score(self, y: np.ndarray, predicted: np.ndarray) -> float:
        return SCORES[self.predicts](y, predicted)


# -- gaps --------------------------------------------------------------------------------------------------------------


def largest_difference(attribute: str) -> Callable[[Any, Any, np.ndarray], float]:
    """The largest absolute difference of an attribute of both models."""
    return lambda ours, theirs, X: float(np.abs(getattr(ours, attribute) - getattr(theirs, attribute)).max())


def coefficients(ours: Any, theirs: Any, X: np.ndarray) -> float | None:
    return float(np.abs(ours.coef_ - theirs.coef_).max()) if ours.converged_ else None


def probabilities(ours: Any, theirs: Any, X: np.ndarray) -> float:
    return float(np.abs(ours.predict_proba(X) - theirs.predict_proba(X)).max())


def decisions(ours: Any, theirs: Any, X: np.ndarray) -> float:
    """With more than two classes scikit-learn's values are positive for the first class of a pair, here the second."""
    mine, other = ours.decision_function(X), theirs.decision_function(X).reshape(len(X), -1)
    return float(np.abs(mine - other * (1 if mine.shape[1] == 1 else -1)).max())


def best_params(ours: Any, theirs: Any, X: np.ndarray) -> float:
    """How far apart the chosen settings are: 0 when the same cell of the grid won."""
    return float(max(abs(ours.best_params_[name] - theirs.best_params_[name]) for name in ours.best_params_))


def no_gap(ours: Any, theirs: Any, X: np.ndarray) -> None:
    return None


# -- makers ------------------------------------------------------------------------------------------------------------


def linear_peers(solver: str) -> Peers:
    return Peers(
        f"linear regression, {solver}",
        lambda X, y, seed: LinearRegression(solver, tol=1e-8),
        lambda X, y, seed: linear_model.LinearRegression(),
        largest_difference("coef_"),
        predicts="number",
    )


def logistic_theirs(penalty: str, classes: int, seed: int) -> linear_model.LogisticRegression:
    """The solver of scikit-learn that gets nearest to the optimum.

    For two classes with L1 that is liblinear. It penalizes the intercept, unless its column is made very large. saga,
    the only other choice, is still 2e-3 above the optimum of breast cancer after 10,000 passes.
    """
    l1_solver = "liblinear" if classes == 2 else "saga"
    C, l1_ratio, solver = {
        "none": (np.inf, 0, "lbfgs"),
        "l2": (1.0, 0, "lbfgs"),
        "elasticnet": (1.0, 0.5, "saga"),
        "l1": (1.0, 1, l1_solver),
    }[penalty]
    scaling, tol = (1e4, 1e-12) if solver == "liblinear" else (1.0, 1e-8)
    return linear_model.LogisticRegression(
        C=C,
        l1_ratio=l1_ratio,
        solver=solver,
        tol=tol,
        max_iter=10_000,
        intercept_scaling=scaling,
        random_state=seed,
    )


def logistic_peers(penalty: str) -> Peers:
    return Peers(
        f"logistic regression, {penalty}",
        lambda X, y, seed: LogisticRegression(penalty),
        lambda X, y, seed: logistic_theirs(penalty, len(np.unique(y)), seed),
        coefficients,
    )


def first_centers(X: np.ndarray, y: np.ndarray, seed: int, init: str) -> np.ndarray:
    """The start that both sides get."""
    rng, k = np.random.default_rng(seed), len(np.unique(y))
    return kmeans_plusplus(X, k, rng) if init == "k-means++" else X[rng.choice(len(X), k, replace=False)]


def kmeans_peers(init: str) -> Peers:
    return Peers(
        f"k-means, {init}",
        lambda X, y, seed: KMeans(len(np.unique(y)), first_centers(X, y, seed, init)),
        lambda X, y, seed: cluster.KMeans(len(np.unique(y)), init=first_centers(X, y, seed, init), n_init=1, tol=0),
        largest_difference("cluster_centers_"),
        predicts="clusters",
    )


def mixture_ours(X: np.ndarray, y: np.ndarray, seed: int) -> GaussianMixture:
    labels = KMeans(len(np.unique(y)), seed=seed).fit(X).labels_
    return GaussianMixture(len(np.unique(y)), tol=1e-9, max_iter=1000, init_labels=labels)


def mixture_theirs(X: np.ndarray, y: np.ndarray, seed: int) -> mixture.GaussianMixture:
    """Started from the weights, means and covariances of the same clusters."""
    labels = KMeans(len(np.unique(y)), seed=seed).fit(X).labels_
    groups = [X[labels == c] for c in range(labels.max() + 1)]
    ridge = 1e-6 * np.eye(X.shape[1])
    return mixture.GaussianMixture(
        len(groups),
        tol=1e-9,
        max_iter=1000,
        weights_init=np.bincount(labels) / len(X),
        means_init=np.array([group.mean(axis=0) for group in groups]),
        precisions_init=np.array([np.linalg.inv(np.cov(group.T, bias=True) + ridge) for group in groups]),
    )


def tree_peers(criterion: str) -> Peers:
    return Peers(
        f"decision tree, {criterion}",
        lambda X, y, seed: DecisionTreeClassifier(criterion),
        lambda X, y, seed: tree.DecisionTreeClassifier(criterion=criterion, random_state=seed),
        no_gap,
        scaled=False,
    )


def svm_peers(kernel: str) -> Peers:
    return Peers(
        f"SVM, {kernel}",
        lambda X, y, seed: SVC(kernel=kernel, tol=1e-6),
        lambda X, y, seed: svm.SVC(kernel=kernel, tol=1e-6, decision_function_shape="ovo"),
        decisions,
    )


GRID = {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1]}


def search_theirs(X: np.ndarray, y: np.ndarray, seed: int) -> model_selection.GridSearchCV:
    return model_selection.GridSearchCV(svm.SVC(tol=1e-6), GRID, cv=list(StratifiedKFold(3, seed).split(y)))


ALL_PEERS = (
    *map(linear_peers, ("qr", "normal", "gradient")),
    *map(logistic_peers, ("none", "l2", "l1", "elasticnet")),
    Peers(
        "naive Bayes, Gaussian",
        lambda X, y, seed: GaussianNB(),
        lambda X, y, seed: naive_bayes.GaussianNB(),
        probabilities,
        scaled=False,
    ),
    Peers(
        "naive Bayes, multinomial",
        lambda X, y, seed: MultinomialNB(),
        lambda X, y, seed: naive_bayes.MultinomialNB(),
        probabilities,
        scaled=False,
    ),
    *map(kmeans_peers, ("random", "k-means++")),
    Peers("Gaussian mixture", mixture_ours, mixture_theirs, largest_difference("means_"), predicts="clusters"),
    *map(tree_peers, ("gini", "entropy")),
    *map(svm_peers, ("linear", "rbf", "poly")),
    Peers(
        "grid search, SVM rbf",
        lambda X, y, seed: GridSearch(SVC(tol=1e-6), GRID, StratifiedKFold(3, seed)),
        search_theirs,
        best_params,
    ),
)
