"""Generalisation bounds with their numbers: what theory can promise about a network that one can train in a second.

All hold with probability 1 - delta over the draw of n training samples, for errors between 0 and 1.

Dimensions:
    n   samples        d   inputs        p   parameters
"""

import math

import numpy as np
from jaxtyping import Float

Number = int | float


def hoeffding(n: int, delta: float = 0.05) -> float:
    """What a test set of n fresh samples can be off by: sqrt(ln(1 / delta) / (2 n))."""
    return math.sqrt(math.log(1 / delta) / (2 * n))


def parameter_count_bound(train_error: Number, p: int, n: int, bits: int = 32, delta: float = 0.05) -> float:
    """Occam's bound for 2^(bits p) networks: train error + sqrt((bits p ln 2 + ln(1 / delta)) / (2 n))."""
    return train_error + math.sqrt((bits * p * math.log(2) + math.log(1 / delta)) / (2 * n))


# ---------------------------------------------------------------- Rademacher


def linear_rademacher(x: Float[np.ndarray, "n d"], radius: Number, draws: int, seed: int) -> float:
    """Empirical Rademacher complexity of x -> w.x with |w| <= radius, by drawing signs.

    The best w for a draw of signs points along sum_i s_i x_i, so that the supremum is known: radius |sum s_i x_i| / n.
    """
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, len(x)))
    return float(radius * np.linalg.norm(signs @ x, axis=1).mean() / len(x))


def linear_rademacher_bound(x: Float[np.ndarray, "n d"], radius: Number) -> float:
    """The same from above, without drawing: radius sqrt(sum |x_i|^2) / n (Jensen's inequality)."""
    return float(radius * np.sqrt((x**2).sum()) / len(x))


def network_rademacher_bound(x: Float[np.ndarray, "n d"], norms: list[float]) -> float:
    """For depth len(norms) with Frobenius norms at most these (Golowich et al. 2018, theorem 1)."""
    depth, largest = len(norms), np.linalg.norm(x, axis=1).max()
    return float(largest * (math.sqrt(2 * math.log(2) * depth) + 1) * math.prod(norms) / math.sqrt(len(x)))


def margin_bound(margin_error: Number, complexity: Number, margin: Number, n: int, delta: float = 0.05) -> float:
    """Share of samples with too small a margin + 2 R / margin + 3 sqrt(ln(2 / delta) / (2 n)) (Mohri, th. 5.8)."""
    return margin_error + 2 * complexity / margin + 3 * math.sqrt(math.log(2 / delta) / (2 * n))


# ---------------------------------------------------------------- PAC-Bayes


def gaussian_kl(distance: Number, deviation: Number) -> float:
    """KL of two normal distributions of one deviation whose means are so far apart, in nats."""
    return distance**2 / (2 * deviation**2)


def binary_kl(q: float, p: float) -> float:
    """KL of a coin of bias q from one of bias p, in nats."""
    total = 0.0
    for a, b in ((q, p), (1 - q, 1 - p)):
        if a > 0:
            total += a * math.log(a / b) if b > 0 else math.inf
    return total


def largest_bias(q: float, budget: float) -> float:
    """The largest p with binary_kl(q, p) <= budget, by bisection."""
    low, high = q, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if binary_kl(q, middle) <= budget else (low, middle)
    return low


def pac_bayes_bound(noisy_error: float, kl: Number, n: int, delta: float = 0.05) -> float:
    """Error of the noisy network (Maurer 2004): kl(train || true) <= (KL + ln(2 sqrt(n) / delta)) / n."""
    return largest_bias(noisy_error, (kl + math.log(2 * math.sqrt(n) / delta)) / n)
