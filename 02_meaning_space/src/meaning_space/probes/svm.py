r"""Support vector machine, trained by sequential minimal optimization (SMO).

Of all boundaries, take the one with the widest margin, and pay C for each unit by which the margin is broken. The dual
problem, with labels y in {-1, 1} and Q_ij = y_i y_j K(x_i, x_j), needs the data through the kernel only:

    minimize  1/2 a'Qa - sum a     subject to  0 <= a_i <= C  and  y'a = 0;     f(x) = sum_i a_i y_i K(x_i, x) + b

Samples with a_i = 0 could be removed without a change. The others are the *support vectors*. Because of y'a = 0 no
a_i can move alone. SMO moves two, for which the minimum is a formula. With the gradient g = Qa - 1 and v = -y g:

- `up` are the samples whose a y may grow: {a < C, y = 1} or {a > 0, y = -1}. `low` are those whose a y may fall.
  At the optimum max_up v <= min_low v, and b lies between them. The gap of the two says how far there is to go.
- i is the sample with the largest v in up. j is the sample in low with v_j < v_i whose step promises the most:
  (v_i - v_j)^2 / q, where q = K_ii + K_jj - 2 K_ij is the curvature along the pair's line.
- a_i y_i moves up and a_j y_j down by (v_i - v_j) / q, as far as the box 0..C allows. Two columns of Q update g.

More than two classes: one machine for each pair of classes, and a vote.

Source: Platt 1998; Fan, Chen and Lin 2005, Working Set Selection Using Second Order Information, WSS 2. LIBSVM, and
through it scikit-learn, does the same.

Dimensions: n samples, d features, s support vectors.
"""

import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from .validation import ConvergenceWarning, as_features, as_labels, check_at_least, check_choice, check_is_fitted

KERNELS = ("linear", "rbf", "poly")
MIN_CURVATURE = 1e-12  # in place of zero, between samples that the kernel cannot tell apart


@dataclass(frozen=True, eq=False)
class BinarySVC:
    """A machine for two classes: a_i y_i of its support vectors (`rows` of the training set), and b."""

    rows: Int[np.ndarray, "s"]
    dual_coef: Float[np.ndarray, "s"]
    intercept: float
    objective: float
    n_iter: int
    converged: bool


def smo(
    K: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n"], C: float, tol: float, max_iter: int
) -> tuple[Float[np.ndarray, "n"], float, int, bool]:
    """Solves the dual. Returns a, b, the number of steps, and whether the gap fell to `tol`."""
    a, g = np.zeros(len(y)), -np.ones(len(y))
    for step in range(max_iter + 1):
        v = -y * g
        up, low = movable(a, y, C)
        i = int(np.where(up, v, -np.inf).argmax())
        lowest = np.where(low, v, np.inf).min()
        converged = bool(v[i] - lowest <= tol)
        if converged or step == max_iter:
            break
        j, move = best_partner(K, v, low, i)
        room_i = C - a[i] if y[i] > 0 else a[i]
        room_j = a[j] if y[j] > 0 else C - a[j]
        move = min(move, room_i, room_j)
        a[i] += y[i] * move
        a[j] -= y[j] * move
        # A bound that is reached is set exactly: `movable` compares with it.
        if move == room_i:
            a[i] = C if y[i] > 0 else 0.0
        if move == room_j:
            a[j] = 0.0 if y[j] > 0 else C
        g += y * (K[i] - K[j]) * move
    free = (a > 0) & (a < C)
    b = v[free].mean() if free.any() else (v[i] + lowest) / 2
    return a, float(b), step, converged


def movable(
    a: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], C: float
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """The samples whose a y may grow, and those whose a y may fall."""
    below, above = a < C, a > 0
    return np.where(y > 0, below, above), np.where(y > 0, above, below)


def best_partner(
    K: Float[np.ndarray, "n n"], v: Float[np.ndarray, "n"], low: Bool[np.ndarray, "n"], i: int
) -> tuple[int, float]:
    """The sample that gains most in a step with sample i, and the length of that step without the box."""
    curvature = np.maximum(K[i, i] + np.diag(K) - 2 * K[i], MIN_CURVATURE)
    gain = np.where(low & (v < v[i]), (v[i] - v) ** 2 / curvature, -np.inf)
    j = int(gain.argmax())
    return j, (v[i] - v[j]) / curvature[j]


@dataclass(eq=False)
class SVC:
    """Support vector classifier with scikit-learn's kernels: x'z, exp(-gamma ||x-z||^2), (gamma x'z + coef0)^degree.

    `gamma=None` is scikit-learn's "scale", 1 / (d var(X)). After `fit`: `classes_`, `estimators_` (one `BinarySVC` for
    each pair of classes, in the order of `itertools.combinations`), `support_`, `dual_objective_` (summed over them),
    `n_iter_`, `converged_`.

    Raises:
        ValueError: a setting is out of its range; or NaN, mismatched shapes, or one class in `fit`.
    """

    C: float = 1.0
    kernel: str = "rbf"
    degree: int = 3
    gamma: float | None = None
    coef0: float = 0.0
    tol: float = 1e-3
    max_iter: int = 1_000_000

    def __post_init__(self) -> None:
        check_choice("kernel", self.kernel, KERNELS)
        check_at_least("C", self.C, 0, strict=True)
        check_at_least("degree", self.degree, 1)
        check_at_least("gamma", 1.0 if self.gamma is None else self.gamma, 0, strict=True)
        check_at_least("tol", self.tol, 0, strict=True)
        check_at_least("max_iter", self.max_iter, 1)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "SVC":
        self.X_ = X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        scale = X.var() * X.shape[1]
        self.gamma_ = self.gamma if self.gamma is not None else (1.0 / scale if scale > 0 else 1.0)
        self.estimators_ = []
        for first, second in combinations(range(len(self.classes_)), 2):
            rows = np.flatnonzero((index == first) | (index == second))
            self.estimators_.append(self._fit_pair(rows, np.where(index[rows] == second, 1.0, -1.0)))
        self.support_ = np.unique(np.concatenate([pair.rows for pair in self.estimators_]))
        self.dual_objective_ = sum(pair.objective for pair in self.estimators_)
        self.n_iter_ = sum(pair.n_iter for pair in self.estimators_)
        self.converged_ = all(pair.converged for pair in self.estimators_)
        if not self.converged_:
            warnings.warn(
                f"max_iter={self.max_iter}: SMO stopped with a gap above tol={self.tol}; scale the features or lower C",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _fit_pair(self, rows: Int[np.ndarray, "m"], y: Float[np.ndarray, "m"]) -> BinarySVC:
        K = self._kernel(self.X_[rows], self.X_[rows])
        a, b, steps, converged = smo(K, y, self.C, self.tol, self.max_iter)
        support = a > 0
        objective = float(0.5 * (a * y) @ K @ (a * y) - a.sum())
        return BinarySVC(rows[support], (a * y)[support], b, objective, steps, converged)

    def _kernel(self, A: Float[np.ndarray, "a d"], B: Float[np.ndarray, "b d"]) -> Float[np.ndarray, "a b"]:
        if self.kernel == "linear":
            return A @ B.T
        if self.kernel == "poly":
            return (self.gamma_ * (A @ B.T) + self.coef0) ** self.degree
        squares = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T
        return np.exp(-self.gamma_ * np.maximum(squares, 0.0))

    def decision_function(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n pairs"]:
        """f(x) for each pair of classes; positive speaks for the second of them."""
        check_is_fitted(self, "estimators_")
        X = as_features(X, self.X_.shape[1])
        columns = [self._kernel(X, self.X_[m.rows]) @ m.dual_coef + m.intercept for m in self.estimators_]
        return np.stack(columns, axis=1)

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        """The class with most votes; the first of them where votes are equal."""
        scores = self.decision_function(X)
        votes = np.zeros((len(scores), len(self.classes_)), dtype=np.int64)
        for column, (first, second) in zip(scores.T, combinations(range(len(self.classes_)), 2), strict=True):
            votes[np.arange(len(votes)), np.where(column > 0, second, first)] += 1
        return self.classes_[votes.argmax(axis=1)]
