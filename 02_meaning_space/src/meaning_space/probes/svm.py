r"""Support vector machine, trained by sequential minimal optimisation.

Of all boundaries, take the one with the widest margin, and pay C for each unit of margin broken. Its dual, with labels
y in {-1, 1} and Q_ij = y_i y_j K(x_i, x_j), needs the data through the kernel only:

    minimise  1/2 a'Qa - sum a     subject to  0 <= a_i <= C  and  y'a = 0;     f(x) = sum_i a_i y_i K(x_i, x) + b

Samples with a_i = 0 could be removed without a change: the others are the *support vectors*. Because of y'a = 0 no
a_i can move alone; SMO moves two, for which the minimum is a formula. With gradient g = Qa - 1 and v = -y g:

- a_i may still move up along y for i in Up = {a < C, y = 1} or {a > 0, y = -1}, down for j in Low, the reverse.
  At the optimum max_Up v <= min_Low v, and b lies between. The gap m - M between the two is how far there is to go.
- take i with the largest v in Up, and of those j in Low with v_j < v_i the one whose step promises the most,
  (v_i - v_j)^2 / q  with  q = K_ii + K_jj - 2 K_ij,  the curvature along the pair's line;
- move by (v_i - v_j)/q, cut off at the box, and update g by two columns of Q.

More than two classes: one machine for each pair, and a vote.

Source: Platt 1998; Fan, Chen and Lin 2005, Working Set Selection Using Second Order Information, WSS 2, which is
what LIBSVM, and through it scikit-learn, does.
"""
import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int, Shaped

from .inputs import ConvergenceWarning, as_features, as_labels, at_least, is_fitted, one_of

KERNELS = ("linear", "rbf", "poly")
FLAT = 1e-12  # stands in for a curvature of zero, between samples that the kernel cannot tell apart


@dataclass(frozen=True, eq=False)
class Machine:
    """One two-class machine: a_i y_i of its support vectors (`rows` of the training set), and b."""

    rows: Int[np.ndarray, "s"]
    dual_coef: Float[np.ndarray, "s"]
    intercept: float
    objective: float
    n_iter: int
    converged: bool


def smo(K: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n"], C: float, tol: float,
        max_iter: int) -> tuple[Float[np.ndarray, "n"], float, int, bool]:
    """Solve the dual: a, b, the steps taken, and whether the gap fell to `tol`."""
    a, g, diagonal = np.zeros(len(y)), -np.ones(len(y)), np.diag(K)
    for step in range(max_iter + 1):
        v = -y * g
        below, above = a < C, a > 0
        up, low = np.where(y > 0, below, above), np.where(y > 0, above, below)
        i = int(np.where(up, v, -np.inf).argmax())
        gap = v[i] - np.where(low, v, np.inf).min()
        if gap <= tol or step == max_iter:
            break
        curvature = np.maximum(diagonal[i] + diagonal - 2 * K[i], FLAT)
        gain = np.where(low & (v < v[i]), (v[i] - v) ** 2 / curvature, -np.inf)
        j = int(gain.argmax())
        room_i = C - a[i] if y[i] > 0 else a[i]
        room_j = a[j] if y[j] > 0 else C - a[j]
        move = min((v[i] - v[j]) / curvature[j], room_i, room_j)
        for t, amount, room in ((i, y[i] * move, room_i), (j, -y[j] * move, room_j)):
            # A bound that is reached is set, not summed up to: membership of Up and Low hangs on it exactly.
            a[t] = (C if amount > 0 else 0.0) if move == room else a[t] + amount
        g += y * (K[i] - K[j]) * move
    free = (a > 0) & (a < C)
    b = v[free].mean() if free.any() else (v[i] + np.where(low, v, np.inf).min()) / 2
    return a, float(b), step, bool(gap <= tol)


@dataclass(eq=False)
class SVC:
    """Support vector classifier with scikit-learn's kernels: x'z, exp(-gamma ||x-z||^2), (gamma x'z + coef0)^degree.

    `gamma=None` is scikit-learn's "scale", 1 / (d var(X)). After `fit`: `classes_`, `machines_` (one `Machine` for each
    pair of classes, in the order of `itertools.combinations`), `support_`, `dual_objective_` (summed over machines),
    `n_iter_`, `converged_`. Raises ValueError for an unknown kernel, C, gamma or degree not positive, NaN, mismatched
    shapes or one class.
    """

    C: float = 1.0
    kernel: str = "rbf"
    degree: int = 3
    gamma: float | None = None
    coef0: float = 0.0
    tol: float = 1e-3
    max_iter: int = 1_000_000

    def __post_init__(self) -> None:
        one_of("kernel", self.kernel, KERNELS)
        at_least("C", self.C, 0, strict=True)
        at_least("degree", self.degree, 1)
        at_least("gamma", 1.0 if self.gamma is None else self.gamma, 0, strict=True)
        at_least("tol", self.tol, 0, strict=True)
        at_least("max_iter", self.max_iter, 1)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "SVC":
        self.X_ = X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        spread = X.var() * X.shape[1]
        self.gamma_ = self.gamma if self.gamma is not None else (1.0 / spread if spread > 0 else 1.0)
        self.machines_ = []
        for first, second in combinations(range(len(self.classes_)), 2):
            rows = np.flatnonzero((index == first) | (index == second))
            self.machines_.append(self._machine(rows, np.where(index[rows] == second, 1.0, -1.0)))
        self.support_ = np.unique(np.concatenate([m.rows for m in self.machines_]))
        self.dual_objective_ = sum(m.objective for m in self.machines_)
        self.n_iter_ = sum(m.n_iter for m in self.machines_)
        self.converged_ = all(m.converged for m in self.machines_)
        if not self.converged_:
            warnings.warn(f"SMO stopped after max_iter={self.max_iter} steps with a gap above tol={self.tol}: "
                          "scale the features, or lower C", ConvergenceWarning, 2)
        return self

    def _machine(self, rows: Int[np.ndarray, "m"], y: Float[np.ndarray, "m"]) -> Machine:
        K = self._kernel(self.X_[rows], self.X_[rows])
        a, b, steps, converged = smo(K, y, self.C, self.tol, self.max_iter)
        used = a > 0
        objective = float(0.5 * (a * y) @ K @ (a * y) - a.sum())
        return Machine(rows[used], (a * y)[used], b, objective, steps, converged)

    def _kernel(self, A: Float[np.ndarray, "a d"], B: Float[np.ndarray, "b d"]) -> Float[np.ndarray, "a b"]:
        if self.kernel == "linear":
            return A @ B.T
        if self.kernel == "poly":
            return (self.gamma_ * (A @ B.T) + self.coef0) ** self.degree
        squares = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T
        return np.exp(-self.gamma_ * np.maximum(squares, 0.0))

    def decision_function(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n pairs"]:
        """f(x) of each pair's machine; positive speaks for the second class of the pair."""
        is_fitted(self, "machines_")
        X = as_features(X, self.X_.shape[1])
        return np.stack([self._kernel(X, self.X_[m.rows]) @ m.dual_coef + m.intercept for m in self.machines_], axis=1)

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        """The class with most votes; the first of them where votes are equal."""
        scores = self.decision_function(X)
        votes = np.zeros((len(scores), len(self.classes_)), dtype=np.int64)
        for column, (first, second) in zip(scores.T, combinations(range(len(self.classes_)), 2), strict=True):
            votes[np.arange(len(votes)), np.where(column > 0, second, first)] += 1
        return self.classes_[votes.argmax(axis=1)]
