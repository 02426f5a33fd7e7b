"""Cross-validation and grid search.

A score on the training data tells how well a model remembers. `cross_val_score` tells how well it does on samples that
it has not seen, once for each fold: the mean is the estimate, the spread says how far to trust it. `GridSearch` tries
every combination of the values given and keeps the best. Its best score is a maximum over many noisy numbers and so a
little too high; to report one, score the `GridSearch` itself on folds of its own (*nested* cross-validation), for
which it is an estimator like any other.

Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10; Cawley and Talbot 2010.
"""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .folds import KFold, StratifiedKFold
from .inputs import as_features, is_fitted
from .scores import accuracy

Score = Callable[[np.ndarray, np.ndarray], float]


def with_params(estimator: Any, params: Mapping[str, Any]) -> Any:
    """An unfitted copy with some settings changed; `probe__C` reaches the C of the estimator in the field `probe`."""
    known = {f.name for f in fields(estimator)}
    changes: dict[str, Any] = {}
    for name, value in params.items():
        outer, _, inner = name.partition("__")
        if outer not in known:
            raise ValueError(f"{type(estimator).__name__} has no setting {outer!r}: it has {', '.join(sorted(known))}")
        changes[outer] = with_params(changes.get(outer, getattr(estimator, outer)), {inner: value}) if inner else value
    return replace(estimator, **changes)


def cross_val_score(estimator: Any, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."],
                    folds: KFold | StratifiedKFold, score: Score = accuracy) -> Float[np.ndarray, "folds"]:
    """The score on each fold of a fresh copy fitted on the others."""
    X, y = as_features(X), np.asarray(y)
    if y.shape != (len(X),):
        raise ValueError(f"y must have one entry for each of the {len(X)} rows of X; its shape is {y.shape}")
    return np.array([score(y[test], replace(estimator).fit(X[train], y[train]).predict(X[test]))
                     for train, test in folds.split(y)])


@dataclass(eq=False)
class GridSearch:
    """Every combination of `param_grid`, cross-validated; the best one, fitted on everything, predicts.

    The first of equally good combinations wins. After `fit`: `best_params_`, `best_score_`, `best_estimator_`,
    `cv_results_` (params, mean and per-fold scores, in order). Raises ValueError for an empty grid or unknown settings.
    """

    estimator: Any
    param_grid: Mapping[str, Sequence[Any]]
    folds: KFold | StratifiedKFold = field(default_factory=StratifiedKFold)
    score: Score = accuracy

    def __post_init__(self) -> None:
        if not self.param_grid or not all(len(values) for values in self.param_grid.values()):
            raise ValueError("param_grid must name at least one setting, and at least one value for each")

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "GridSearch":
        self.cv_results_ = []
        for values in product(*self.param_grid.values()):
            params = dict(zip(self.param_grid, values, strict=True))
            scores = cross_val_score(with_params(self.estimator, params), X, y, self.folds, self.score)
            self.cv_results_.append({"params": params, "mean": float(scores.mean()), "scores": scores.tolist()})
        best = max(self.cv_results_, key=lambda result: result["mean"])
        self.best_params_, self.best_score_ = best["params"], best["mean"]
        self.best_estimator_ = with_params(self.estimator, self.best_params_).fit(X, y)
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        is_fitted(self, "best_estimator_")
        return self.best_estimator_.predict(X)
