"""What every estimator accepts, and how it refuses. The rules stand here once; each algorithm's file has only itself.

Dimensions: n samples, d features.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped


class ConvergenceWarning(UserWarning):
    """An iteration stopped at its limit. The estimator's `converged_` is False then."""


def as_features(X: Shaped[np.ndarray, "..."], columns: int | None = None) -> Float[np.ndarray, "n d"]:
    """`X` as float64.

    Raises:
        ValueError: `X` is no table of finite numbers, or has not `columns` features, the number seen in `fit`.
    """
    X = _as_floats("X", X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X={X.shape}: must be a table of samples by features with something in it; reshape it")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"X[{row}, {column}]={X[row, column]}: must be finite; remove or fill in missing values")
    if columns is not None and X.shape[1] != columns:
        raise ValueError(f"X={X.shape[1]} features: must have {columns}, as in fit")
    return X


def as_targets(y: Shaped[np.ndarray, "..."], n: int) -> Float[np.ndarray, "n"]:
    """`y` as n numbers, for regression.

    Raises:
        ValueError: `y` does not hold n finite numbers.
    """
    y = _as_floats("y", y)
    if y.shape != (n,):
        raise ValueError(f"y={y.shape}: must have one number for each of the {n} rows of X")
    if not np.isfinite(y).all():
        row = int(np.argmin(np.isfinite(y)))
        raise ValueError(f"y[{row}]={y[row]}: must be finite; remove or fill in missing values")
    return y


def as_labels(y: Shaped[np.ndarray, "..."], n: int) -> tuple[Shaped[np.ndarray, "classes"], Int[np.ndarray, "n"]]:
    """The sorted classes in `y` and, for each sample, the index of its class.

    Raises:
        ValueError: `y` does not hold n labels of at least two classes.
    """
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"y={y.shape}: must have one label for each of the {n} rows of X")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("y=NaN or infinite: labels must be finite; remove those samples")
    classes, index = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y={classes.tolist()}: must hold at least two classes; a classifier tells them apart")
    return classes, index


def _as_floats(name: str, values: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: must hold numbers ({error})") from None


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raises ValueError unless `value` is among `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(map(repr, allowed))}")


def check_at_least(name: str, value: float | int, low: float | int, strict: bool = False) -> None:
    """Raises ValueError unless `value` >= `low` (> `low` when `strict`). NaN is refused, too."""
    if not (value > low if strict else value >= low):
        raise ValueError(f"{name}={value}: must be {'greater than' if strict else 'at least'} {low}")


def check_is_fitted(estimator: object, attribute: str) -> None:
    """Raises ValueError unless `fit` has set `attribute`."""
    if not hasattr(estimator, attribute):
        raise ValueError(f"estimator={type(estimator).__name__}: must be fitted first; call fit")
