r"""Naive Bayes: Gaussian features, and counts.

Bayes' rule: P(c | x) is proportional to P(c) P(x | c). The naive assumption is that the features are independent once
the class is known. Then log P(x | c) is a sum over features, and fitting is counting.

- Gaussian: x_j | c is normal with the class's own mean and variance:
      log P(x | c) = -1/2 sum_j [ log 2 pi v_cj + (x_j - m_cj)^2 / v_cj ].
  A constant feature would have v = 0; a small share of the largest variance is added to all.
- Multinomial: x counts words and log P(x | c) = sum_j x_j log theta_cj up to a constant, with
      theta_cj = (N_cj + alpha) / (N_c + alpha d).
  Without alpha (Laplace's rule at 1) one word unseen in a class forbids that class for ever.

Independence rarely holds: correlated features are counted as separate evidence, so the ranking of classes is often
good and the probabilities too near 0 and 1. Source: Manning, Raghavan and Schuetze, Introduction to Information
Retrieval, chapter 13.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from .validation import as_features, as_labels, check_at_least, check_is_fitted


class Posterior:
    """From joint log-probabilities log P(c) P(x | c) to predictions. Subclasses give `_log_joint`."""

    classes_: np.ndarray
    n_features_in_: int

    def predict_log_proba(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n classes"]:
        """log P(c | x): the joint less the log of its sum over classes."""
        check_is_fitted(self, "classes_")
        joint = self._log_joint(as_features(X, self.n_features_in_))
        return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)

    def predict_proba(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n classes"]:
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        best = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[best]


@dataclass(eq=False)
class GaussianNB(Posterior):
    """After `fit`: `theta_` (means), `var_`, `class_prior_`, `classes_`.

    `var_smoothing` is the share of the largest feature variance that is added to every variance.

    Raises:
        ValueError: `var_smoothing` is negative; NaN, mismatched shapes or one class in `fit`; a feature is constant
            within a class and nothing is added to its variance.
    """

    var_smoothing: float = 1e-9

    def __post_init__(self) -> None:
        check_at_least("var_smoothing", self.var_smoothing, 0)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "GaussianNB":
        X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        self.n_features_in_ = X.shape[1]
        groups = [X[index == c] for c in range(len(self.classes_))]
        self.class_prior_ = np.array([len(g) for g in groups]) / len(X)
        self.theta_ = np.array([g.mean(axis=0) for g in groups])
        self.var_ = np.array([g.var(axis=0) for g in groups]) + self.var_smoothing * X.var(axis=0).max()
        if self.var_.min() == 0:
            raise ValueError(
                f"var_smoothing={self.var_smoothing}: a feature is constant within a class; raise var_smoothing"
            )
        return self

    def _log_joint(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n classes"]:
        squares = (X[:, None, :] - self.theta_) ** 2 / self.var_
        return np.log(self.class_prior_) - 0.5 * (np.log(2 * np.pi * self.var_) + squares).sum(axis=2)


@dataclass(eq=False)
class MultinomialNB(Posterior):
    """After `fit`: `feature_log_prob_`, `class_log_prior_`, `classes_`.

    Raises:
        ValueError: `alpha` is not positive; or negative features, NaN, mismatched shapes or one class in `fit`.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_at_least("alpha", self.alpha, 0, strict=True)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "MultinomialNB":
        X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        self.n_features_in_ = X.shape[1]
        if X.min() < 0:
            raise ValueError(f"X={X.min()}: must not be negative; multinomial features are counts")
        counts = np.array([X[index == c].sum(axis=0) for c in range(len(self.classes_))]) + self.alpha
        self.feature_log_prob_ = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
        self.class_log_prior_ = np.log(np.bincount(index) / len(X))
        return self

    def _log_joint(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n classes"]:
        if X.min() < 0:
            raise ValueError(f"X={X.min()}: must not be negative; multinomial features are counts")
        return self.class_log_prior_ + X @ self.feature_log_prob_.T
