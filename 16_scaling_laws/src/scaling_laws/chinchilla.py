"""Hoffmann et al. (2022), arXiv:2203.15556: L(N, D) = E + A N^-alpha + B D^-beta, and three ways to the best N.

Dimensions:
    n   runs              S   starts
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from .power_law import fit_power_law

Runs = Float[np.ndarray, " n"]
Theta = Float[np.ndarray, " 5"]


class ChinchillaLaw(NamedTuple):
    """L(N, D) = E + A N^-alpha + B D^-beta."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, n, tokens):
        """Predicted loss, for numbers or arrays."""
        return self.E + self.A * n**-self.alpha + self.B * tokens**-self.beta


# Theta holds the logarithms of A, B and E, then alpha and beta, so that every theta is a law with positive terms.
PUBLISHED = {
    "Hoffmann 2022, as printed": ChinchillaLaw(1.69, 406.4, 410.7, 0.34, 0.28),
    "Hoffmann 2022, TeX source": ChinchillaLaw(1.69, 406.4, 410.7, 0.3392, 0.2849),
    "Besiroglu 2024": ChinchillaLaw(1.8172, 482.01, 2085.43, 0.3478, 0.3658),
}


def theta_of(law: ChinchillaLaw) -> Theta:
    """The law as (log A, log B, log E, alpha, beta). A term that is zero counts as 1e-300."""
    return np.array([*np.log(np.maximum([law.A, law.B, law.E], 1e-300)), law.alpha, law.beta])


def law_of(theta: Theta) -> ChinchillaLaw:
    """The law of (log A, log B, log E, alpha, beta)."""
    a, b, e = np.exp(theta[:3])
    return ChinchillaLaw(float(e), float(a), float(b), float(theta[3]), float(theta[4]))


def huber_log_loss(theta: Theta, n: Runs, tokens: Runs, loss: Runs, delta: float = 1e-3) -> tuple[float, Theta]:
    """The sum over runs of Huber(log predicted - log loss), and its gradient by theta (their equation 3).

    The logarithm of the predicted loss is the LogSumExp of the three terms' logarithms, so nothing overflows.
    """
    log_n, log_tokens = np.log(n), np.log(tokens)
    size, data = theta[0] - theta[3] * log_n, theta[1] - theta[4] * log_tokens
    terms = np.array(np.broadcast_arrays(size, data, theta[2]))  # 3 n
    predicted = np.logaddexp.reduce(terms)
    residual = predicted - np.log(loss)
    clipped = np.clip(residual, -delta, delta)  # the derivative of Huber
    by_term = clipped * np.exp(terms - predicted)  # 3 n
    by_exponent = -(by_term[:2] * [log_n, log_tokens]).sum(1)
    return (clipped * (residual - clipped / 2)).sum(), np.array([*by_term.sum(1), *by_exponent])


# ---------------------------------------------------------------- three approaches


def approach_1(flops: Runs, n: Runs, loss: Runs, bins: int = 12) -> tuple[float, float]:
    """The lower envelope: in each bin of log C the run of lowest loss; (k, a) of N = k C^a through these runs."""
    edges = np.linspace(np.log(flops.min()), np.log(flops.max()) + 1e-9, bins + 1)
    which = np.digitize(np.log(flops), edges)
    best = [rows[np.argmin(loss[rows])] for b in range(1, bins + 1) if len(rows := np.flatnonzero(which == b))]
    k, minus_a = fit_power_law(flops[best], n[best])
    return k, -minus_a


def approach_2(groups: Iterable[tuple[float, Runs, Runs]]) -> tuple[float, float]:
    """IsoFLOP profiles: a parabola of loss over log N for each (C, N, loss); (k, a) of N = k C^a through the minima.

    Raises:
        ValueError: a profile has no minimum, because its parabola is not open upwards.
    """
    budgets, best = [], []
    for flops, n, loss in groups:
        square, linear, _ = np.polyfit(np.log(n), loss, 2)
        if square <= 0:
            raise ValueError(f"flops={flops:g}: these losses have no minimum over N; give sizes on both sides of it")
        budgets.append(flops)
        best.append(np.exp(-linear / (2 * square)))
    k, minus_a = fit_power_law(np.array(budgets), np.array(best))
    return k, -minus_a


GRID = {  # their starting points, appendix D.3: 4,500 of them
    "log A": (0, 5, 10, 15, 20, 25),
    "log B": (0, 5, 10, 15, 20, 25),
    "log E": (-1, -0.5, 0, 0.5, 1),
    "alpha": (0, 0.5, 1, 1.5, 2),
    "beta": (0, 0.5, 1, 1.5, 2),
}


def starts(every: int = 1) -> Float[np.ndarray, "S 5"]:
    """Their grid of starting points, or each `every`-th of them."""
    grid = np.meshgrid(*(np.array(values, float) for values in GRID.values()), indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1)[::every]


def approach_3(
    n: Runs, tokens: Runs, loss: Runs, first: Float[np.ndarray, "S 5"], delta: float = 1e-3
) -> tuple[ChinchillaLaw, float]:
    """The law of lowest `huber_log_loss`, by L-BFGS-B from each start in turn; and that lowest value."""
    options = {"maxiter": 10_000, "ftol": 1e-15, "gtol": 1e-10}
    fits = [
        minimize(huber_log_loss, start, (n, tokens, loss, delta), "L-BFGS-B", jac=True, options=options)
        for start in first
    ]
    best = min(fits, key=lambda fit: fit.fun)
    return law_of(best.x), float(best.fun)
