"""Each algorithm here, and its counterpart in scikit-learn with the same settings and the same start.

`gap` measures how far apart the two fitted models are in what the optimum determines: coefficients, probabilities,
centres, decision values. It is None where there is no unique finite optimum to agree on: logistic regression without a
penalty on separable classes, and trees, whose ties scikit-learn breaks by chance.
"""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import cluster, linear_model, mixture, model_selection, naive_bayes, svm, tree

from .bayes import GaussianNB, MultinomialNB
from .folds import StratifiedKFold
from .kmeans import KMeans, plus_plus
from .linear import LinearRegression
from .logistic import LogisticRegression
from .mixture import GaussianMixture
from .scores import accuracy, adjusted_rand, r_squared
from .search import GridSearch
from .svm import SVC
from .tree import DecisionTreeClassifier

Gap = Callable[[Any, Any, np.ndarray], float | None]


@dataclass(frozen=True)
class Pair:
    """Two makers of unfitted estimators, given the training data and a seed, and how to compare what they become.

    `supervised` is "labels", "number" (the last feature is predicted from the others) or "nothing" (clusters).
    """

    name: str
    ours: Callable[[np.ndarray, np.ndarray, int], Any]
    theirs: Callable[[np.ndarray, np.ndarray, int], Any]
    gap: Gap
    supervised: str = "labels"
    scaled: bool = True

    def score(self, y: np.ndarray, predicted: np.ndarray) -> float:
        by_kind = {"labels": accuracy, "number": r_squared, "nothing": adjusted_rand}
        return by_kind[self.supervised](y, predicted)


def weights(ours: Any, theirs: Any, X: np.ndarray) -> float:
    return float(np.abs(ours.coef_ - theirs.coef_).max())


def coefficients(ours: Any, theirs: Any, X: np.ndarray) -> float | None:
    return weights(ours, theirs, X) if ours.converged_ else None


def probabilities(ours: Any, theirs: Any, X: np.ndarray) -> float:
    return float(np.abs(ours.predict_proba(X) - theirs.predict_proba(X)).max())


def centres(ours: Any, theirs: Any, X: np.ndarray) -> float:
    return float(np.abs(ours.cluster_centers_ - theirs.cluster_centers_).max())


def means(ours: Any, theirs: Any, X: np.ndarray) -> float:
    return float(np.abs(ours.means_ - theirs.means_).max())


def decisions(ours: Any, theirs: Any, X: np.ndarray) -> float:
    """With more than two classes scikit-learn's values are positive for the first class of a pair, here the second."""
    mine, other = ours.decision_function(X), theirs.decision_function(X).reshape(len(X), -1)
    return float(np.abs(mine - other * (1 if mine.shape[1] == 1 else -1)).max())


def chosen(ours: Any, theirs: Any, X: np.ndarray) -> float:
    """How far the chosen settings are apart: 0 when the same cell of the grid won."""
    return float(max(abs(ours.best_params_[name] - theirs.best_params_[name]) for name in ours.best_params_))


def nothing(ours: Any, theirs: Any, X: np.ndarray) -> None:
    return None


def linear_pair(solver: str) -> Pair:
    return Pair(f"linear regression, {solver}", lambda X, y, s: LinearRegression(solver, tol=1e-8),
                lambda X, y, s: linear_model.LinearRegression(), weights, "number")


def logistic_theirs(penalty: str, classes: int, seed: int) -> linear_model.LogisticRegression:
    """The solver of scikit-learn that gets nearest to the optimum.

    For two classes with L1 that is liblinear, which penalises the intercept unless its column is made very large;
    saga, the only other choice, is still 2e-3 above the optimum of breast cancer after 10,000 passes.
    """
    C, l1_ratio, solver = {"none": (np.inf, 0, "lbfgs"), "l2": (1.0, 0, "lbfgs"), "elasticnet": (1.0, 0.5, "saga"),
                           "l1": (1.0, 1, "liblinear" if classes == 2 else "saga")}[penalty]
    scaling, tol = (1e4, 1e-12) if solver == "liblinear" else (1.0, 1e-8)
    return linear_model.LogisticRegression(C=C, l1_ratio=l1_ratio, solver=solver, tol=tol, max_iter=10_000,
                                           intercept_scaling=scaling, random_state=seed)


def logistic_pair(penalty: str) -> Pair:
    return Pair(f"logistic regression, {penalty}", lambda X, y, s: LogisticRegression(penalty),
                lambda X, y, s: logistic_theirs(penalty, len(np.unique(y)), s), coefficients)


def start(X: np.ndarray, y: np.ndarray, seed: int, init: str) -> np.ndarray:
    rng, k = np.random.default_rng(seed), len(np.unique(y))
    return plus_plus(X, k, rng) if init == "k-means++" else X[rng.choice(len(X), k, replace=False)]


def kmeans_pair(init: str) -> Pair:
    return Pair(f"k-means, {init}", lambda X, y, s: KMeans(len(np.unique(y)), start(X, y, s, init)),
                lambda X, y, s: cluster.KMeans(len(np.unique(y)), init=start(X, y, s, init), n_init=1, tol=0),
                centres, "nothing")


def mixture_ours(X: np.ndarray, y: np.ndarray, seed: int) -> GaussianMixture:
    labels = KMeans(len(np.unique(y)), seed=seed).fit(X).labels_
    return GaussianMixture(len(np.unique(y)), tol=1e-9, max_iter=1000, init_labels=labels)


def mixture_theirs(X: np.ndarray, y: np.ndarray, seed: int) -> mixture.GaussianMixture:
    """Started from the weights, means and covariances of the same clusters."""
    labels = KMeans(len(np.unique(y)), seed=seed).fit(X).labels_
    groups = [X[labels == c] for c in range(labels.max() + 1)]
    ridge = 1e-6 * np.eye(X.shape[1])
    return mixture.GaussianMixture(
        len(groups), tol=1e-9, max_iter=1000, weights_init=np.bincount(labels) / len(X),
        means_init=np.array([g.mean(axis=0) for g in groups]),
        precisions_init=np.array([np.linalg.inv(np.cov(g.T, bias=True) + ridge) for g in groups]))


def tree_pair(criterion: str) -> Pair:
    return Pair(f"decision tree, {criterion}", lambda X, y, s: DecisionTreeClassifier(criterion),
                lambda X, y, s: tree.DecisionTreeClassifier(criterion=criterion, random_state=s), nothing, scaled=False)


def svm_pair(kernel: str) -> Pair:
    return Pair(f"SVM, {kernel}", lambda X, y, s: SVC(kernel=kernel, tol=1e-6),
                lambda X, y, s: svm.SVC(kernel=kernel, tol=1e-6, decision_function_shape="ovo"), decisions)


def search_ours(X: np.ndarray, y: np.ndarray, seed: int) -> GridSearch:
    return GridSearch(SVC(tol=1e-6), {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1]}, StratifiedKFold(3, seed))


def search_theirs(X: np.ndarray, y: np.ndarray, seed: int) -> model_selection.GridSearchCV:
    return model_selection.GridSearchCV(svm.SVC(tol=1e-6), {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1]},
                                        cv=list(StratifiedKFold(3, seed).split(y)))


PAIRS = (
    *map(linear_pair, ("qr", "normal", "gradient")),
    *map(logistic_pair, ("none", "l2", "l1", "elasticnet")),
    Pair("naive Bayes, Gaussian", lambda X, y, s: GaussianNB(), lambda X, y, s: naive_bayes.GaussianNB(),
         probabilities, scaled=False),
    Pair("naive Bayes, multinomial", lambda X, y, s: MultinomialNB(), lambda X, y, s: naive_bayes.MultinomialNB(),
         probabilities, scaled=False),
    *map(kmeans_pair, ("random", "k-means++")),
    Pair("Gaussian mixture", mixture_ours, mixture_theirs, means, "nothing"),
    *map(tree_pair, ("gini", "entropy")),
    *map(svm_pair, ("linear", "rbf", "poly")),
    Pair("grid search, SVM rbf", search_ours, search_theirs, chosen),
)
