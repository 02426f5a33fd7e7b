"""Approach 3 for many starts or many resamples at once: batched BFGS, in NumPy.

One evaluation of 240 runs and 5 parameters takes microseconds of arithmetic and as long in Python around it. Here all
starts take each step together, so that Python is paid once a step.

Dimensions:
    S   starts, or resamples            n   runs
"""

import numpy as np
from jaxtyping import Bool, Float

from .chinchilla import ChinchillaLaw, Runs, law_of

Thetas = Float[np.ndarray, "S 5"]
Weights = Float[np.ndarray, "S n"]


class Objective:
    """`huber_log_loss` of many thetas at once. `weights` says how often each run counts in each problem."""

    def __init__(self, n: Runs, tokens: Runs, loss: Runs, weights: Weights | None = None, delta: float = 1e-3):
        self.log_n, self.log_tokens, self.log_loss = np.log(n), np.log(tokens), np.log(loss)
        self.weights, self.delta = weights, delta

    def __call__(self, thetas: Thetas, rows: np.ndarray) -> tuple[Float[np.ndarray, " S"], Thetas]:
        """Values and gradients. `rows` are the problems that these thetas belong to."""
        a, b, e, alpha, beta = thetas.T[:, :, None]
        size, data = a - alpha * self.log_n, b - beta * self.log_tokens  # S n
        top = np.maximum(np.maximum(size, data), e)
        size, data, floor = np.exp(size - top), np.exp(data - top), np.exp(e - top)
        total = size + data + floor
        residual = top + np.log(total) - self.log_loss
        clipped = np.clip(residual, -self.delta, self.delta)
        counted = clipped if self.weights is None else clipped * self.weights[rows]
        value = (counted * (residual - clipped / 2)).sum(1)
        counted = counted / total
        size, data = size * counted, data * counted
        columns = [size.sum(1), data.sum(1), (floor * counted).sum(1), -size @ self.log_n, -data @ self.log_tokens]
        return value, np.stack(columns, 1)


def minimize_batch(objective: Objective, first: Thetas, steps: int = 500, tolerance: float = 1e-12):
    """(thetas, values) after BFGS from every row of `first` (Nocedal and Wright 2006, algorithm 6.1).

    The step length is found by bisection on the weak Wolfe conditions, which suits a kinked objective (Lewis and
    Overton 2013). A row rests when a step lowers its value by less than the share `tolerance`.
    """
    theta = first.copy()
    rows = np.arange(len(theta))
    value, gradient = objective(theta, rows)
    inverse = np.tile(np.eye(5), (len(theta), 1, 1))
    inverse /= np.maximum(np.abs(gradient).max(1), 1e-12)[:, None, None]  # the first step has length one
    for _ in range(steps):
        if not len(rows):
            break
        direction = -np.einsum("sij,sj->si", inverse[rows], gradient[rows])
        length, new_value, new_gradient, moved = line_search(objective, rows, theta, value, gradient, direction)
        step, change = length[:, None] * direction, new_gradient - gradient[rows]
        inverse[rows] = updated(inverse[rows], step, change)
        theta[rows[moved]] += step[moved]
        gain = value[rows] - new_value
        value[rows], gradient[rows] = new_value, new_gradient
        rows = rows[gain > tolerance * new_value]
    return theta, value


def line_search(objective, rows, theta, value, gradient, direction, halvings: int = 30):
    """A length for each row that lowers the value enough and the slope enough; `moved` says where there is one."""
    slope = (direction * gradient[rows]).sum(1)
    low, high, length = np.zeros(len(rows)), np.full(len(rows), np.inf), np.ones(len(rows))
    new_value, new_gradient = value[rows].copy(), gradient[rows].copy()
    searching = np.ones(len(rows), bool)
    moved = np.zeros(len(rows), bool)
    for _ in range(halvings):
        at = np.flatnonzero(searching)
        if not len(at):
            break
        v, g = objective(theta[rows[at]] + length[at, None] * direction[at], rows[at])
        lower = v <= value[rows[at]] + 1e-4 * length[at] * slope[at]
        flat = (g * direction[at]).sum(1) >= 0.9 * slope[at]
        new_value[at[lower]], new_gradient[at[lower]], moved[at[lower]] = v[lower], g[lower], True
        searching[at[lower & flat]] = False
        high[at[~lower]] = length[at[~lower]]
        low[at[lower & ~flat]] = length[at[lower & ~flat]]
        again = at[~(lower & flat)]
        middle = np.where(np.isinf(high[again]), 2 * low[again], (low[again] + high[again]) / 2)
        length[again] = np.where(searching[again], middle, length[again])
    length = np.where(searching, low, length)  # out of halvings: the last length that lowered the value
    return length, new_value, new_gradient, moved & (length > 0)


def updated(inverse: Float[np.ndarray, "S 5 5"], step: Thetas, change: Thetas) -> Float[np.ndarray, "S 5 5"]:
    """The BFGS update of the inverse Hessian; rows whose curvature is not positive keep theirs."""
    curvature = (step * change).sum(1)
    good: Bool[np.ndarray, " S"] = curvature > 1e-16
    rho = np.where(good, 1 / np.where(good, curvature, 1.0), 0.0)[:, None, None]
    left = np.eye(5) - rho * step[:, :, None] * change[:, None, :]
    new = left @ inverse @ left.transpose(0, 2, 1) + rho * step[:, :, None] * step[:, None, :]
    return np.where(good[:, None, None], new, inverse)


def fit(n: Runs, tokens: Runs, loss: Runs, first: Thetas, delta: float = 1e-3) -> tuple[ChinchillaLaw, float]:
    """As `chinchilla.approach_3`, from all starts at once."""
    theta, value = minimize_batch(Objective(n, tokens, loss, delta=delta), first)
    best = int(np.argmin(value))
    return law_of(theta[best]), float(value[best])


def bootstrap(
    n: Runs, tokens: Runs, loss: Runs, law_theta: Float[np.ndarray, " 5"], indices: np.ndarray, delta: float = 1e-3
) -> Thetas:
    """The theta of each resample, from the whole data's theta as the start. Rows of `indices` are resamples of runs."""
    weights = np.stack([np.bincount(rows, minlength=len(n)) for rows in indices]).astype(float)
    first = np.tile(law_theta, (len(indices), 1))
    return minimize_batch(Objective(n, tokens, loss, weights, delta), first)[0]
