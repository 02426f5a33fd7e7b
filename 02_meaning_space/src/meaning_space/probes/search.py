"""Cross-validation and grid search.

A score on the training data says how well a model remembers. `cross_val_score` says how well it does on samples that it
has not seen, once for each fold: the mean is the estimate, the spread says how far to trust it. `GridSearch` tries
every combination of the given values. Its best score is the maximum of many noisy numbers, and so a little too high.
To report a score, cross-validate the `GridSearch` itself (*nested* cross-validation): it is an estimator, too.

Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10; Cawley and Talbot 2010.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .folds import KFold, StratifiedKFold
from .metrics import accuracy_score
from .validation import as_features, check_is_fitted

Score = Callable[[np.ndarray, np.ndarray], float]


def set_params(estimator: Any, params: Mapping[str, Any]) -> Any:
    """An unfitted copy with some settings changed. `estimator__C` is the C of the estimator in the field `estimator`.

    Raises:
        ValueError: the estimator has no such setting.
    """
    known = {f.name for f in fields(estimator)}
    changes: dict[str, Any] = {}
    for name, value in params.items():
        outer, _, inner = name.partition("__")
        if outer not in known:
            raise ValueError(f"{outer}={value}: {type(estimator).__name__} has the settings {', '.join(sorted(known))}")
        if inner:
            value = set_params(changes.get(outer, getattr(estimator, outer)), {inner: value})
        changes[outer] = value
    return replace(estimator, **changes)


def cross_val_score(
    estimator: Any,
    X: Shaped[np.ndarray, "..."],
    y: Shaped[np.ndarray, "..."],
    folds: KFold | StratifiedKFold,
    score: Score = accuracy_score,
) -> Float[np.ndarray, "folds"]:
    """The score on each fold of a fresh copy that was fitted on the others.

    Raises:
        ValueError: `X` and `y` do not have the same number of rows.
    """
    X, y = as_features(X), np.asarray(y)
    if y.shape != (len(X),):
        raise ValueError(f"y={y.shape}: must have one entry for each of the {len(X)} rows of X")
    scores = []
    for train, test in folds.split(y):
        fitted = replace(estimator).fit(X[train], y[train])
        scores.append(score(y[test], fitted.predict(X[test])))
    return np.array(scores)


@dataclass(eq=False)
class GridSearch:
    """Cross-validates every combination of `param_grid`. The best one, fitted on everything, predicts.

    The first of equally good combinations wins. After `fit`: `best_params_`, `best_score_`, `best_estimator_`,
    `cv_results_` (params, mean and scores of the folds, in order).

    Raises:
        ValueError: the grid is empty, or names a setting that the estimator does not have.
    """

    estimator: Any
    param_grid: Mapping[str, Sequence[Any]]
    folds: KFold | StratifiedKFold = field(default_factory=StratifiedKFold)
    score: Score = accuracy_score

    def __post_init__(self) -> None:
        if not self.param_grid or not all(len(values) for values in self.param_grid.values()):
            raise ValueError(f"param_grid={self.param_grid}: must name at least one setting, with at least one value")

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "GridSearch":
        self.cv_results_ = []
        for values in product(*self.param_grid.values()):
            params = dict(zip(self.param_grid, values, strict=True))
            scores = cross_val_score(set_params(self.estimator, params), X, y, self.folds, self.score)
            self.cv_results_.append({"params": params, "mean": float(scores.mean()), "scores": scores.tolist()})
        best = max(self.cv_results_, key=lambda result: result["mean"])
        self.best_params_, self.best_score_ = best["params"], best["mean"]
        self.best_estimator_ = set_params(self.estimator, self.best_params_).fit(X, y)
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.predict(X)
