"""Double descent: the test error falls, explodes where the model can just fit every sample, and falls again.

Dimensions:
    n   samples     d   features       P   random features     g   d / n, parameters a sample
"""

import math

import numpy as np
from jaxtyping import Float

Number = int | float


def ridgeless_risk(parameters: int, samples: int, outputs: int = 1, signal: Number = 1.0, noise: Number = 1.0) -> float:
    """Excess test risk of least squares of minimum norm, for isotropic features (Hastie et al. 2019, theorem 1).

    Each of the outputs has its own share of the parameters, so the risk is infinite at parameters = samples * outputs.
    `signal` is the norm of the true coefficients of an output, `noise` the deviation of the labels' noise.
    """
    gamma = parameters / (samples * outputs)
    if gamma < 1:
        return noise**2 * gamma / (1 - gamma)
    if gamma > 1:
        return signal**2 * (1 - 1 / gamma) + noise**2 / (gamma - 1)
    return math.inf


def min_norm_fit(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """Least squares; of all coefficients that fit equally well, the shortest."""
    return np.linalg.pinv(x) @ y


def simulate_ridgeless(
    d: int, n: int, repeats: int, seed: int, signal: Number = 1.0, noise: Number = 1.0
) -> list[float]:
    """The excess risk |estimate - truth|^2 in fresh draws of data."""
    generator = np.random.default_rng(seed)
    risks = []
    for _ in range(repeats):
        truth = generator.standard_normal(d)
        truth *= signal / np.linalg.norm(truth)
        x = generator.standard_normal((n, d))
        y = x @ truth + noise * generator.standard_normal(n)
        risks.append(float(((min_norm_fit(x, y) - truth) ** 2).sum()))
    return risks


def random_feature_risk(features: int, n: int, d: int, seed: int, noise: Number = 0.3, tests: int = 1000) -> float:
    """Test error of min-norm least squares on ReLU random features of a linear teacher's data (Mei, Montanari 2019)."""
    generator = np.random.default_rng(seed)
    truth = generator.standard_normal(d) / math.sqrt(d)
    weights = generator.standard_normal((d, features)) / math.sqrt(d)
    x, x_test = generator.standard_normal((n, d)), generator.standard_normal((tests, d))
    y = x @ truth + noise * generator.standard_normal(n)
    hidden, hidden_test = np.maximum(x @ weights, 0), np.maximum(x_test @ weights, 0)
    coefficients = min_norm_fit(hidden, y)
    return float(((hidden_test @ coefficients - x_test @ truth) ** 2).mean())
