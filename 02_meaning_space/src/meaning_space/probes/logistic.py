r"""Logistic regression: softmax over linear scores, with four penalties.

Scores S = XW + b; for K > 2 classes P = softmax(S), one column of W for each class, and for two classes a single
column whose sigmoid is the probability of the second. (A sigmoid is a softmax against a fixed score of 0.) With
one-hot labels Y the mean negative log-likelihood and its derivatives are

    f = mean_i [ log sum_k exp S_ik - S_i,y_i ]        the gradient     X'(P - Y)/n
    H_kl = X' diag( p_k (1[k=l] - p_l) ) X / n         (one block for each pair of classes)

The gradient is the residual P - Y carried back through X, as in linear regression; only P bends.
To f is added r(W)/(nC), the intercept left free:

    none 0  |  l2 ||W||^2/2  |  l1 ||W||_1  |  elasticnet  l1_ratio ||W||_1 + (1 - l1_ratio) ||W||^2/2

`C` is scikit-learn's: larger means less penalty. The smooth ones (none, l2) are solved by Newton's method, here. The
corner of |w| at zero, which is what makes L1 weights exactly zero, has no derivative: see `proximal.py`.

Source: Bishop, Pattern Recognition and BinarySVC Learning, section 4.3.4; Hastie, Tibshirani and Friedman, The
Elements of Statistical Learning, section 4.4.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from .proximal import fista
from .validation import ConvergenceWarning, as_features, as_labels, check_at_least, check_choice, check_is_fitted

PENALTIES = ("none", "l1", "l2", "elasticnet")
Scores = Float[np.ndarray, "n k"]
Theta = Float[np.ndarray, "d1 k"]  # the weights with the intercept as the last row


def log_normalizer(S: Scores) -> Float[np.ndarray, "n 1"]:
    """log sum_k exp S_ik, the largest score taken out first so that nothing overflows."""
    if S.shape[1] == 1:
        return np.logaddexp(0.0, S)
    top = S.max(axis=1, keepdims=True)
    return top + np.log(np.exp(S - top).sum(axis=1, keepdims=True))


def loss_and_gradient(theta: Theta, X: Float[np.ndarray, "n d1"], Y: Scores, l2: float) -> tuple[float, Theta]:
    """f plus (l2/2) ||W||^2, and its gradient. X carries a last column of ones."""
    S = X @ theta
    lse = log_normalizer(S)
    shrunk = l2 * theta
    shrunk[-1] = 0.0
    value = (lse.sum() - (S * Y).sum()) / len(X) + (shrunk * theta).sum() / 2
    return float(value), X.T @ (np.exp(S - lse) - Y) / len(X) + shrunk


def hessian(theta: Theta, X: Float[np.ndarray, "n d1"], l2: float) -> Float[np.ndarray, "k d1 k d1"]:
    """Second derivatives of `loss_and_gradient`, made invertible.

    Adding one vector to every class's weights changes no probability, so H is singular along those directions. The
    gradient has no component there; the ones added couple the classes and pin the step to zero along them.
    """
    P = np.exp(X @ theta - log_normalizer(X @ theta))
    d, k = theta.shape
    H = np.empty((k, d, k, d))
    for a in range(k):
        for b in range(k):
            H[a, :, b, :] = (X * (P[:, a] * ((a == b) - P[:, b]))[:, None]).T @ X / len(X)
            H[a, :, b, :] += np.eye(d) * (k > 1) + (a == b) * l2 * np.diag(np.arange(d) < d - 1)
    return H


def newton(X: Float[np.ndarray, "n d1"], Y: Scores, l2: float, max_iter: int, tol: float) -> tuple[Theta, int, bool]:
    """Newton's method with step halving; stops when the *step*, not the gradient, is small.

    On separable classes the best weights are infinite. On the way there the gradient fades to nothing, but the Newton
    step keeps its length. Only the step tells the two cases apart.
    """
    theta = np.zeros((X.shape[1], Y.shape[1]))
    value, gradient = loss_and_gradient(theta, X, Y, l2)
    for iteration in range(max_iter):
        try:
            step = np.linalg.solve(hessian(theta, X, l2).reshape(theta.size, -1), gradient.T.ravel())
        except np.linalg.LinAlgError:
            return theta, iteration, False
        step = step.reshape(theta.shape[::-1]).T
        small, size = np.abs(step).max() <= tol * (1 + np.abs(theta).max()), 1.0
        while not small:  # halve until f falls by a share of what its slope promises (Armijo)
            trial = loss_and_gradient(theta - size * step, X, Y, l2)[0]
            if trial <= value - 1e-4 * size * (step * gradient).sum() or size < 1e-10:
                break
            size /= 2
        theta = theta - size * step
        value, gradient = loss_and_gradient(theta, X, Y, l2)
        if small or size < 1e-10:
            return theta, iteration + 1, bool(small)
    return theta, max_iter, False


@dataclass(eq=False)
class LogisticRegression:
    """Multinomial logistic regression. After `fit`: `coef_`, `intercept_`, `classes_`, `n_iter_`, `converged_`.

    `coef_` has one row for each class, or one row in all when there are two, as in scikit-learn.

    Raises:
        ValueError: a setting is out of its range; or NaN, mismatched shapes, or one class in `fit`.
    """

    penalty: str = "l2"
    C: float = 1.0
    l1_ratio: float = 0.5
    max_iter: int = 20_000
    tol: float = 1e-8

    def __post_init__(self) -> None:
        check_choice("penalty", self.penalty, PENALTIES)
        check_at_least("C", self.C, 0, strict=True)
        check_at_least("max_iter", self.max_iter, 1)
        check_at_least("tol", self.tol, 0, strict=True)
        if not 0 <= self.l1_ratio <= 1:
            raise ValueError(f"l1_ratio={self.l1_ratio}: must be between 0 (all L2) and 1 (all L1)")

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "LogisticRegression":
        X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        Y = np.eye(len(self.classes_))[index]
        Y = Y[:, 1:] if Y.shape[1] == 2 else Y
        ones = np.hstack([X, np.ones((len(X), 1))])
        share = {"none": (0, 0), "l1": (1, 0), "l2": (0, 1), "elasticnet": (self.l1_ratio, 1 - self.l1_ratio)}
        l1, l2 = (s / (self.C * len(X)) for s in share[self.penalty])
        if l1 == 0:
            theta, self.n_iter_, self.converged_ = newton(ones, Y, l2, self.max_iter, self.tol)
        else:
            bound = np.linalg.eigvalsh(ones.T @ ones)[-1] / len(X) / (4 if Y.shape[1] == 1 else 2) + l2
            start = np.zeros((ones.shape[1], Y.shape[1]))
            theta, self.n_iter_, self.converged_ = fista(
                lambda theta: loss_and_gradient(theta, ones, Y, l2)[1], start, l1, bound, self.max_iter, self.tol
            )
        if not self.converged_:
            warnings.warn(
                f"max_iter={self.max_iter}: stopped after {self.n_iter_} steps short of tol={self.tol}; scale the "
                f"features, raise max_iter or, if the classes are separable, add a penalty",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.coef_, self.intercept_ = theta[:-1].T, theta[-1]
        return self

    def decision_function(self, X: Shaped[np.ndarray, "..."]) -> Scores:
        check_is_fitted(self, "coef_")
        return as_features(X, self.coef_.shape[1]) @ self.coef_.T + self.intercept_

    def predict_proba(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n classes"]:
        S = self.decision_function(X)
        P = np.exp(S - log_normalizer(S))
        return np.hstack([1 - P, P]) if S.shape[1] == 1 else P

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
