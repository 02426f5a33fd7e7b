"""What every probe accepts, and how it refuses.

One place for the rules, so that each algorithm's file holds the algorithm only. All of them raise
`ValueError` naming the argument, what was found and what to do about it.
"""
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped


class ConvergenceWarning(UserWarning):
    """An iteration stopped at its limit. The estimator also says so: `converged_` is False."""


def as_features(X: Shaped[np.ndarray, "..."], columns: int | None = None) -> Float[np.ndarray, "n d"]:
    """`X` as finite float64 of shape (n, d); `columns` is the d seen in `fit`, where there was one."""
    try:
        X = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X must hold numbers: {error}") from None
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must be a table of samples by features, not empty; its shape is {X.shape}")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"X[{row}, {column}] is {X[row, column]}: remove or fill in missing values first")
    if columns is not None and X.shape[1] != columns:
        raise ValueError(f"X has {X.shape[1]} features, but the estimator was fitted on {columns}")
    return X


def as_targets(y: Shaped[np.ndarray, "..."], n: int) -> Float[np.ndarray, "n"]:
    """`y` as n finite numbers, for regression."""
    try:
        y = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must hold numbers: {error}") from None
    if y.shape != (n,):
        raise ValueError(f"y must have one number for each of the {n} rows of X; its shape is {y.shape}")
    if not np.isfinite(y).all():
        raise ValueError(f"y[{int(np.argmin(np.isfinite(y)))}] is not finite: remove or fill in missing values first")
    return y


def as_labels(y: Shaped[np.ndarray, "..."], n: int) -> tuple[Shaped[np.ndarray, "classes"], Int[np.ndarray, "n"]]:
    """The sorted classes in `y` and, for each sample, the index of its class."""
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"y must have one label for each of the {n} rows of X; its shape is {y.shape}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("y has NaN or infinity among its labels: remove those samples first")
    classes, index = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y holds one class only, {classes.tolist()}: a classifier needs at least two")
    return classes, index


def one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise unless `value` is among `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(map(repr, allowed))}")


def at_least(name: str, value: float | int, low: float | int, strict: bool = False) -> None:
    """Raise unless `value` >= `low` (> `low` when `strict`). NaN is refused, too."""
    if not (value > low if strict else value >= low):
        raise ValueError(f"{name} is {value}: it must be {'greater than' if strict else 'at least'} {low}")


def is_fitted(estimator: object, attribute: str) -> None:
    """Raise unless `fit` has set `attribute`."""
    if not hasattr(estimator, attribute):
        raise ValueError(f"this {type(estimator).__name__} is not fitted yet: call fit first")
