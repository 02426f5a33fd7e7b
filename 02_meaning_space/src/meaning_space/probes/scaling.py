"""Standardizing features, and doing so inside a fold.

Mean and standard deviation are learned numbers. Taken over the whole table, they carry the test samples into the
training. `StandardizedEstimator` learns them in `fit`, so that its cross-validation is honest.

Dimensions: n samples, d features.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .validation import as_features, check_is_fitted


@dataclass(eq=False)
class StandardScaler:
    """(x - mean) / standard deviation of each column. A constant column is only centered.

    After `fit`: `mean_`, `scale_`.
    """

    def fit(self, X: Shaped[np.ndarray, "..."]) -> "StandardScaler":
        X = as_features(X)
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        # The deviation of a constant column is rounding, not zero, when its mean is not a float.
        constant = spread <= 10 * np.finfo(float).eps * np.abs(self.mean_)
        self.scale_ = np.where(constant, 1.0, spread)
        return self

    def transform(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n d"]:
        check_is_fitted(self, "mean_")
        return (as_features(X, len(self.mean_)) - self.mean_) / self.scale_


@dataclass(eq=False)
class StandardizedEstimator:
    """An estimator after a `StandardScaler`. After `fit`: `scaler_` and `estimator_`, both fitted."""

    estimator: Any

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "StandardizedEstimator":
        self.scaler_ = StandardScaler().fit(X)
        self.estimator_ = replace(self.estimator).fit(self.scaler_.transform(X), y)
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict(self.scaler_.transform(X))
