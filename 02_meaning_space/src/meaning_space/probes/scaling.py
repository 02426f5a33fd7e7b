"""Standardising features, and doing so inside a fold.

Mean and spread are learned numbers like any other: taken over the whole table they carry the test samples into the
training. `Scaled` learns them in `fit`, so that cross-validation of the pair is honest.
"""
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .inputs import as_features, is_fitted


@dataclass(eq=False)
class StandardScaler:
    """(x - mean) / standard deviation, by column; a constant column is centred only. After `fit`: `mean_`, `scale_`."""

    def fit(self, X: Shaped[np.ndarray, "..."]) -> "StandardScaler":
        X = as_features(X)
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        # A constant column's spread is rounding, not zero, when its mean is not a float.
        constant = spread <= 10 * np.finfo(float).eps * np.abs(self.mean_)
        self.scale_ = np.where(constant, 1.0, spread)
        return self

    def transform(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n d"]:
        is_fitted(self, "mean_")
        return (as_features(X, len(self.mean_)) - self.mean_) / self.scale_


@dataclass(eq=False)
class Scaled:
    """Any estimator behind a `StandardScaler`. After `fit`: `scaler_` and `probe_`, the fitted pair."""

    probe: Any

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "Scaled":
        self.scaler_ = StandardScaler().fit(X)
        self.probe_ = replace(self.probe).fit(self.scaler_.transform(X), y)
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        is_fitted(self, "probe_")
        return self.probe_.predict(self.scaler_.transform(X))
