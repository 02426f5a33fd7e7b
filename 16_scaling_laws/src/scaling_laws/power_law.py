"""A power law is a straight line on log paper: fits with and without an irreducible loss, and what a fit is worth.

Dimensions:
    n   points            R   resamples            m   places at which a law is asked
    k   floors that are tried
"""

import numpy as np
from jaxtyping import Float, Int

Points = Float[np.ndarray, " n"]


def fit_power_law(x: Points, y: Points) -> tuple[float, float]:
    """The (c, alpha) of y = c x^-alpha, by least squares on log y against log x.

    Raises:
        ValueError: x or y is not positive, or all x are equal.
    """
    if min(x.min(), y.min()) <= 0 or x.min() == x.max():
        raise ValueError("x, y: a log-log fit needs positive numbers and at least two different x")
    log_x = np.log(x)
    centred = log_x - log_x.mean()
    slope = (centred * np.log(y)).sum() / (centred * centred).sum()
    c = np.exp(np.log(y).mean() - slope * log_x.mean())
    return c, -slope


def fit_irreducible(x: Points, loss: Points, floors: Float[np.ndarray, " k"]) -> tuple[float, float, float]:
    """The (E, c, alpha) of loss = E + c x^-alpha, where E is one of `floors`.

    For each floor below every loss, loss - E is fitted by `fit_power_law`. The floor with the smallest sum of squared
    differences between log(E + c x^-alpha) and log(loss) is returned.

    Raises:
        ValueError: no floor lies below every loss.
    """
    usable = [floor for floor in floors if floor < loss.min()]
    if not usable:
        raise ValueError(f"floors={floors}: at least one must lie below the smallest loss, {loss.min():g}")
    fits = []
    for floor in usable:
        c, alpha = fit_power_law(x, loss - floor)
        fits.append((squared_log_error(loss, floor + c * x**-alpha), floor, c, alpha))
    return sorted(fits)[0][1:]


def squared_log_error(loss: Points, predicted: Points) -> float:
    """Sum of squared differences of the logarithms."""
    return (np.log(predicted / loss) ** 2).sum()


def bootstrap_interval(
    x: Points,
    y: Points,
    indices: Int[np.ndarray, "R n"],
    x_new: Float[np.ndarray, " m"],
    level: float = 0.8,
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """The (low, high) that hold the central `level` of the predictions at `x_new` (Efron 1979, percentile interval).

    Each row of `indices` names the points of one resample. `fit_power_law` is fitted to each.
    """
    predictions = []
    for rows in indices:
        c, alpha = fit_power_law(x[rows], y[rows])
        predictions.append(c * x_new**-alpha)
    tail = (1 - level) / 2
    low, high = np.quantile(predictions, [tail, 1 - tail], axis=0)
    return low, high


def resamples(n: int, count: int, seed: int) -> Int[np.ndarray, "R n"]:
    """`count` resamples of n points with replacement. A resample of one point only is drawn again."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(n, size=(count, n))
    while (same := np.ptp(drawn, axis=1) == 0).any():
        drawn[same] = generator.integers(n, size=(int(same.sum()), n))
    return drawn


def standard_error(x: Points, y: Points) -> float:
    """The textbook standard error of alpha: right when the noise of log y is the same everywhere and independent."""
    c, alpha = fit_power_law(x, y)
    residual = np.log(y) - np.log(c * x**-alpha)
    variance = (residual**2).sum() / (len(x) - 2)
    return float(np.sqrt(variance / ((np.log(x) - np.log(x).mean()) ** 2).sum()))
