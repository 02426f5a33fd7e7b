r"""Gradient descent on all rows, on a batch, on one row; and momentum.

- The whole table gives the exact gradient, and one step an epoch (*batch* gradient descent).
- One row (*stochastic*) or a few rows (*mini-batch*) give a noisy gradient with the same mean, and many steps an epoch.
  The variance of the noise falls with the number of rows. With a fixed step length the path ends in a cloud around the
  minimum, which is wider the longer the step.
- *Momentum* adds up past gradients:  m <- momentum m + g,  w <- w - lr m.  Along a flat direction they add up to a step
  of lr / (1 - momentum). Across a narrow valley they cancel. On a quadratic function with condition number kappa,
  descent needs about kappa steps for each digit, and momentum about sqrt(kappa).

On a convex function every way down leads to the same minimum. On others the start decides.

Source: Polyak 1964; Robbins and Monro 1951; Goodfellow, Bengio and Courville 2016, Deep Learning, chapter 8.

Dimensions: d parameters, n rows.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from .validation import check_at_least

Gradient = Callable[[np.ndarray], np.ndarray]


def minimize(
    gradient: Gradient, start: Float[np.ndarray, "d"], lr: float, steps: int, momentum: float = 0.0
) -> Float[np.ndarray, "steps1 d"]:
    """The path of gradient descent: the start, and the point after each step.

    Raises:
        ValueError: `lr` is not positive, or `momentum` is not in [0, 1).
    """
    _check(lr, momentum)
    path, velocity = [start], np.zeros_like(start)
    for _ in range(steps):
        velocity = momentum * velocity + gradient(path[-1])
        path.append(path[-1] - lr * velocity)
    return np.array(path)


def minimize_on_rows(
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray],
    n: int,
    start: Float[np.ndarray, "d"],
    lr: float,
    epochs: int,
    batch_size: int,
    seed: int,
    momentum: float = 0.0,
) -> Float[np.ndarray, "epochs1 d"]:
    """The point after each epoch. `gradient(w, rows)` is the mean gradient on some of the n rows.

    Rows are shuffled in each epoch, so that each is used once. `batch_size` n is batch gradient descent.

    Raises:
        ValueError: `lr` is not positive, `momentum` is not in [0, 1), or `batch_size` is not between 1 and n.
    """
    _check(lr, momentum)
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size={batch_size}: must be between 1 and {n}, the number of rows")
    rng = np.random.default_rng(seed)
    w, velocity, path = start, np.zeros_like(start), [start]
    for _ in range(epochs):
        order = rng.permutation(n)
        for first in range(0, n, batch_size):
            velocity = momentum * velocity + gradient(w, order[first : first + batch_size])
            w = w - lr * velocity
        path.append(w)
    return np.array(path)


def squared_error_gradient(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"], w: Float[np.ndarray, "d"], rows: Int[np.ndarray, "b"]
) -> Float[np.ndarray, "d"]:
    """The gradient of the mean of (X w - y)^2 / 2 on some rows."""
    return X[rows].T @ (X[rows] @ w - y[rows]) / len(rows)


def _check(lr: float, momentum: float) -> None:
    check_at_least("lr", lr, 0, strict=True)
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum={momentum}: must be in [0, 1); 1 never forgets a gradient")
