"""Saddle points against minima: at random, the chance that a critical point is a minimum dies with the dimension.

A random symmetric matrix (GOE) stands for the Hessian at a critical point. All d eigenvalues are positive with
    d = 1: 1/2     d = 2: (2 - sqrt 2) / 4     d = 3: (pi - 2 sqrt 2) / (4 pi)     large d: about exp(-(ln 3 / 4) d^2)
(Dean and Majumdar 2008). A loss is not a random function: its Hessian at low loss has a positive part that this lacks.
"""

import math

import numpy as np
from jaxtyping import Float

EXACT = {1: 0.5, 2: (2 - math.sqrt(2)) / 4, 3: (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)}


def random_hessians(d: int, count: int, seed: int) -> Float[np.ndarray, "count d d"]:
    """Symmetric matrices of the Gaussian orthogonal ensemble: deviation 1 beside the diagonal, sqrt 2 on it."""
    a = np.random.default_rng(seed).standard_normal((count, d, d))
    return (a + a.transpose(0, 2, 1)) / math.sqrt(2)


def share_of_minima(d: int, count: int, seed: int, shift: float = 0.0) -> float:
    """The share of matrices without a negative eigenvalue. `shift` times sqrt(d) is added to every eigenvalue."""
    lowest = np.linalg.eigvalsh(random_hessians(d, count, seed))[:, 0]
    return float((lowest + shift * math.sqrt(d) > 0).mean())


def decay(d: int) -> float:
    """The large-d form exp(-(ln 3 / 4) d^2), without its factor."""
    return math.exp(-math.log(3) / 4 * d * d)


def index_share(shift: float, grid: int = 20_001) -> float:
    """The share of negative eigenvalues under a shift, for large d: the part of Wigner's half circle below -shift."""
    x = np.linspace(-2, 2, grid)
    density = np.sqrt(4 - x * x) / (2 * math.pi)
    return float(density[x < -shift].sum() * (x[1] - x[0]))
