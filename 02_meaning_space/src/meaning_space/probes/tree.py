r"""A decision tree: the best question at each node, asked until the answers are pure.

A question is "is feature j at most t?". The best one leaves the least impurity on its two sides, weighted by their
sizes; with class shares p at a node the impurity is

    gini     1 - sum_k p_k^2        the chance that two samples drawn from the node have different classes
    entropy  - sum_k p_k log2 p_k   bits needed to name the class

Only the gaps between neighbouring values of a feature matter. Sort once, and the class counts to the left of every
gap are cumulative sums: all thresholds of a feature in one pass, O(n log n) with the sort.

The search is greedy, and a split is taken even when it gains nothing yet: for XOR the first one cannot gain, and
without it the second, which solves the problem, is never seen. Ties go to the lowest feature, then the lowest
threshold; scikit-learn breaks them by chance, so two right trees can differ where questions are equally good.

Source: Breiman, Friedman, Olshen and Stone 1984, Classification and Regression Trees, chapter 2.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from .validation import as_features, as_labels, check_at_least, check_choice, check_is_fitted

CRITERIA = ("gini", "entropy")


@dataclass(frozen=True, eq=False)
class Node:
    """A question with its two answers, or a leaf (`left` is None). `counts` are the training samples by class."""

    counts: Int[np.ndarray, "classes"]
    feature: int = -1
    threshold: float = float("nan")
    left: "Node | None" = None
    right: "Node | None" = None


def impurity(counts: Shaped[np.ndarray, "*shape classes"], criterion: str) -> Float[np.ndarray, "*shape"]:
    """Of each row of class counts."""
    p = counts / counts.sum(axis=-1, keepdims=True)
    if criterion == "gini":
        return 1 - (p**2).sum(axis=-1)
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(axis=-1)


def best_threshold(
    x: Float[np.ndarray, "n"], Y: Int[np.ndarray, "n classes"], criterion: str, min_samples_leaf: int
) -> tuple[float, float]:
    """The impurity left by the best split on one feature, and its threshold; infinity where no split is allowed."""
    order = np.argsort(x, kind="stable")
    x, left = x[order], np.cumsum(Y[order], axis=0)
    sizes = np.arange(1, len(x))
    right = left[-1] - left[:-1]
    cost = sizes * impurity(left[:-1], criterion) + sizes[::-1] * impurity(right, criterion)
    allowed = (x[1:] > x[:-1]) & (np.minimum(sizes, sizes[::-1]) >= min_samples_leaf)
    cost = np.where(allowed, cost, np.inf)
    i = int(cost.argmin())
    middle = x[i] / 2 + x[i + 1] / 2
    # Between neighbouring floats the middle rounds to one of them; the upper one would send its own side left.
    return float(cost[i]), float(middle if middle < x[i + 1] else x[i])


@dataclass(eq=False)
class DecisionTreeClassifier:
    """After `fit`: `root_` (a `Node`), `classes_`, `n_features_in_`.

    Raises:
        ValueError: a setting is out of its range; or NaN, mismatched shapes or one class in `fit`.
    """

    criterion: str = "gini"
    max_depth: int | None = None
    min_samples_split: int = 2
    min_samples_leaf: int = 1

    def __post_init__(self) -> None:
        check_choice("criterion", self.criterion, CRITERIA)
        check_at_least("max_depth", 1 if self.max_depth is None else self.max_depth, 1)
        check_at_least("min_samples_split", self.min_samples_split, 2)
        check_at_least("min_samples_leaf", self.min_samples_leaf, 1)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "DecisionTreeClassifier":
        X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        self.n_features_in_ = X.shape[1]
        self.root_ = self._grow(X, np.eye(len(self.classes_), dtype=np.int64)[index], depth=0)
        return self

    def _grow(self, X: Float[np.ndarray, "n d"], Y: Int[np.ndarray, "n classes"], depth: int) -> Node:
        counts = Y.sum(axis=0)
        if counts.max() == len(X) or depth == self.max_depth or len(X) < self.min_samples_split:
            return Node(counts)
        splits = [best_threshold(x, Y, self.criterion, self.min_samples_leaf) for x in X.T]
        # Rounding must not decide between equal splits: they are compared to twelve digits.
        j = int(np.argmin([np.inf if np.isinf(cost) else round(cost / len(X), 12) for cost, _ in splits]))
        cost, threshold = splits[j]
        if np.isinf(cost):
            return Node(counts)
        go_left = X[:, j] <= threshold
        return Node(
            counts,
            j,
            threshold,
            self._grow(X[go_left], Y[go_left], depth + 1),
            self._grow(X[~go_left], Y[~go_left], depth + 1),
        )

    def predict_proba(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n classes"]:
        """The class shares of the leaf each sample falls into."""
        check_is_fitted(self, "root_")
        X = as_features(X, self.n_features_in_)
        out = np.empty((len(X), len(self.classes_)))
        waiting = [(self.root_, np.arange(len(X)))]
        while waiting:
            node, rows = waiting.pop()
            if node.left is None or node.right is None:
                out[rows] = node.counts / node.counts.sum()
                continue
            go_left = X[rows, node.feature] <= node.threshold
            waiting += [(node.left, rows[go_left]), (node.right, rows[~go_left])]
        return out

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


def describe(node: Node, names: list[str], classes: list[str], indent: str = "") -> str:
    """The tree as nested questions, for reading."""
    if node.left is None or node.right is None:
        return f"{indent}{classes[int(node.counts.argmax())]} {node.counts.tolist()}\n"
    question = f"{names[node.feature]} <= {node.threshold:.4g}"
    return (
        f"{indent}{question}?\n"
        + describe(node.left, names, classes, indent + "  yes: ")
        + describe(node.right, names, classes, indent + "  no:  ")
    )
