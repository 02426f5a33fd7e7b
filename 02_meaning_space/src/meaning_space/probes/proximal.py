r"""Proximal gradient: minimise smooth(theta) + l1 ||W||_1, whose second part has a corner at zero.

A gradient step minimises a parabola that touches the smooth part and lies above it,
    smooth(t) + g'(z - t) + (L/2) ||z - t||^2,        L the greatest curvature.
Add the L1 term to that parabola, and the minimum is still a formula, one coordinate at a time: take the gradient
step v = t - g/L, then pull each coordinate l1/L towards zero and let it stop there,

    z = sign(v) max(|v| - l1/L, 0)                    (*soft thresholding*)

so a weight whose pull from the data is under l1 becomes exactly zero. FISTA takes the step from a point extrapolated
along the last move, which turns an error of O(1/t) into O(1/t^2); when a move goes against the last one the momentum
is dropped, or the path would circle the minimum.

Source: Beck and Teboulle 2009, A Fast Iterative Shrinkage-Thresholding Algorithm, eq. 4.1 to 4.3; O'Donoghue and
Candes 2015, Adaptive Restart for Accelerated Gradient Schemes, section 3.2.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float


def soft_threshold(v: Float[np.ndarray, "*shape"], amount: float) -> Float[np.ndarray, "*shape"]:
    """Each entry moved `amount` towards zero, and no further than zero."""
    return np.sign(v) * np.maximum(np.abs(v) - amount, 0.0)


def fista(
    gradient: Callable[[np.ndarray], np.ndarray],
    start: Float[np.ndarray, "d1 k"],
    l1: float,
    curvature: float,
    max_iter: int,
    tol: float,
) -> tuple[Float[np.ndarray, "d1 k"], int, bool]:
    """The minimum, the steps taken and whether it converged. The last row is the intercept: it is not penalised.

    Converged means that a proximal step moves no coordinate by more than tol/curvature, that is, the generalised
    gradient (which is zero at the minimum and only there) is at most `tol`.
    """
    theta = ahead = start
    momentum = 1.0
    for step in range(max_iter):
        v = ahead - gradient(ahead) / curvature
        new = np.vstack([soft_threshold(v[:-1], l1 / curvature), v[-1:]])
        if np.abs(new - ahead).max() * curvature <= tol:
            return new, step + 1, True
        if ((ahead - new) * (new - theta)).sum() > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - theta)
        theta, momentum = new, following
    return theta, max_iter, False
