r"""Linear regression: the closed form twice, and gradient descent.

Minimise the mean squared error (1/2n) ||Xw + b - y||^2. Setting the derivative in b to zero gives
b = mean(y) - mean(X) w, so it is enough to center X and y and find w. Setting the derivative in w to zero gives
the *normal equations*  X'X w = X'y.

- `normal` solves them as they stand. X'X has the square of X's condition number, so half of the digits may go.
- `qr` writes X = QR with orthonormal columns in Q; X'X = R'R, and the equations shrink to  R w = Q'y,
  solved from the last row upwards. The condition number is that of X itself.
- `gradient` walks: w <- w - (1/L) X'(Xw - y)/n. L, the largest eigenvalue of X'X/n, is the greatest curvature, so
  1/L is the longest step that cannot overshoot in any direction. The error along the flattest direction shrinks by
  1 - 1/kappa a step, kappa being the condition number of X'X: features on unequal scales make it crawl.

Source: Golub and Van Loan, Matrix Computations, sections 5.2 and 5.3; Nesterov, Introductory Lectures on Convex
Optimization, section 1.2.3.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from .validation import ConvergenceWarning, as_features, as_targets, check_at_least, check_choice, check_is_fitted

SOLVERS = ("qr", "normal", "gradient")


@dataclass(eq=False)
class LinearRegression:
    """Least squares with an intercept. After `fit`: `coef_`, `intercept_`, `n_iter_`, `converged_`.

    `tol` bounds the largest entry of the gradient, for `gradient` only.

    Raises:
        ValueError: a setting is out of its range; NaN or mismatched shapes in `fit`; linearly dependent columns with a
            closed form: infinitely many w are equally good.
    """

    solver: str = "qr"
    max_iter: int = 100_000
    tol: float = 1e-10

    def __post_init__(self) -> None:
        check_choice("solver", self.solver, SOLVERS)
        check_at_least("max_iter", self.max_iter, 1)
        check_at_least("tol", self.tol, 0, strict=True)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "LinearRegression":
        X = as_features(X)
        y = as_targets(y, len(X))
        x_mean, y_mean = X.mean(axis=0), y.mean()
        X, y = X - x_mean, y - y_mean
        self.n_iter_, self.converged_ = 0, True
        if self.solver == "gradient":
            self.coef_, self.n_iter_, self.converged_ = gradient_descent(X, y, self.max_iter, self.tol)
            if not self.converged_:
                warnings.warn(
                    f"max_iter={self.max_iter}: gradient descent stopped with a gradient above tol={self.tol}; "
                    f"scale the features, or use solver='qr'",
                    ConvergenceWarning,
                    stacklevel=2,
                )
        else:
            self.coef_ = solve_qr(X, y) if self.solver == "qr" else solve_normal(X, y)
        self.intercept_ = float(y_mean - x_mean @ self.coef_)
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n"]:
        check_is_fitted(self, "coef_")
        return as_features(X, len(self.coef_)) @ self.coef_ + self.intercept_


def check_independent(sizes: Float[np.ndarray, "d"], n: int) -> None:
    """Raises ValueError unless the smallest of these pivots or singular values is far above rounding."""
    if n < len(sizes) or sizes.min() <= sizes.max() * n * np.finfo(float).eps:
        raise ValueError(
            f"X={n} rows, {len(sizes)} columns: must not be linearly dependent, the constant column included; "
            f"remove the redundant features, or use solver='gradient'"
        )


def solve_qr(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "d"]:
    """Solves R w = Q'y by back substitution."""
    Q, R = np.linalg.qr(X)
    check_independent(np.abs(np.diag(R)), len(X))
    w, right = np.zeros(X.shape[1]), Q.T @ y
    for i in reversed(range(len(w))):
        w[i] = (right[i] - R[i, i + 1 :] @ w[i + 1 :]) / R[i, i]
    return w


def solve_normal(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "d"]:
    """Solves X'X w = X'y."""
    check_independent(np.linalg.svd(X, compute_uv=False), len(X))
    return np.linalg.solve(X.T @ X, X.T @ y)


def gradient_descent(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"], max_iter: int, tol: float
) -> tuple[Float[np.ndarray, "d"], int, bool]:
    """Gradient descent from zero; the weights, the steps taken, and whether the gradient fell below `tol`."""
    A, b = X.T @ X / len(X), X.T @ y / len(X)
    w, curvature = np.zeros(X.shape[1]), np.linalg.eigvalsh(A)[-1]
    if curvature == 0:
        return w, 0, True
    for step in range(max_iter):
        gradient = A @ w - b
        if np.abs(gradient).max() <= tol:
            return w, step, True
        w = w - gradient / curvature
    return w, max_iter, False
