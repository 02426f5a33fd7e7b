"""Lottery-ticket theory in a page: why a large random network holds a good small one.

Frankle and Carbin (2019) found small networks inside large ones that train as well alone. Malach et al. (2020) proved
more: a network that is large enough holds a subnetwork as good as any target *without* training. Pensia et al. (2020)
and Orseau et al. (2020) reduce this to subset sums: a weight w is replaced by n random weights, of which some are cut.
Lueker (1998): with n = O(log 1/e) uniform weights in [-1, 1], some subset comes within e of every w in [-1, 1].

Why a logarithm is enough: n weights have 2^n subsets. Their sums are spread like a normal distribution of variance
n / 6 (a weight has the mean square 1/3 and is in half of the subsets). Near w there are rho = 2^n phi(w) sums a unit
of length, and the nearest one is at a distance of about ln 2 / (2 rho) in the median. Each weight more halves it.
"""

import math

import numpy as np
from jaxtyping import Float


def nearest_subset(weights: Float[np.ndarray, " n"], target: float) -> tuple[np.ndarray, float]:
    """(mask, error): the subset whose sum is nearest to the target, of all 2^n."""
    n = len(weights)
    masks = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    sums = masks @ weights
    best = int(np.argmin(np.abs(sums - target)))
    return masks[best].astype(bool), float(abs(sums[best] - target))


def predicted_error(n: int, target: float = 0.5) -> float:
    """The median distance that the counting argument expects."""
    variance = n / 6
    density = math.exp(-(target**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    return math.log(2) / (2 * 2**n * density)


def measured_error(n: int, repeats: int, seed: int, target: float = 0.5) -> list[float]:
    """The nearest subset's error in fresh draws of n weights."""
    generator = np.random.default_rng(seed)
    return [nearest_subset(generator.uniform(-1, 1, n), target)[1] for _ in range(repeats)]
