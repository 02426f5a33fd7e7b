"""The foundations of the algorithms, drawn: estimation, the central limit theorem, descent, PCA in the plane."""

import argparse

import numpy as np
from jaxtyping import Float

from ..maps import pca
from ..probes.descent import minimize, minimize_on_rows, squared_error_gradient
from ..probes.estimation import bernoulli_map, gaussian_map, gaussian_mle, standardized_means
from .experiment import Log

KAPPA = 100.0  # condition number of the quadratic valley
CLT_SIZES = (1, 4, 32)
BATCH_SIZES = {"batch": 200, "mini-batch of 20": 20, "one row": 1}


def foundations(options: argparse.Namespace, log: Log) -> dict:
    """Seven small experiments. Two seconds."""
    rng = np.random.default_rng(options.seed)
    return {
        "coin": coin(rng),
        "gaussian": gaussian(rng),
        "central_limit": central_limit(rng, 2_000 if options.quick else 20_000),
        "valley": valley(),
        "double_well": double_well(),
        "rows": descent_on_rows(options.seed),
        "plane": plane(rng),
    }


def coin(rng: np.random.Generator) -> dict:
    """A coin with chance 0.5, thrown up to 50 times: estimates without a prior and with Beta(5, 5)."""
    heads = np.cumsum(rng.random(50) < 0.5).tolist()
    throws = range(1, 51)
    return {
        "mle": [bernoulli_map(s, n) for s, n in zip(heads, throws, strict=True)],
        "map": [bernoulli_map(s, n, 5.0, 5.0) for s, n in zip(heads, throws, strict=True)],
    }


def gaussian(rng: np.random.Generator) -> dict:
    """Five numbers from N(2, 1), and a prior N(0, 1) for their mean."""
    x = rng.normal(2, 1, 5)
    mean, variance = gaussian_map(x, 1.0, 0.0, 1.0)
    return {"x": x.tolist(), "mle": gaussian_mle(x)[0], "map": mean, "variance": variance}


def central_limit(rng: np.random.Generator, repeats: int) -> dict:
    """Histograms of standardized means of n exponential numbers, and their largest distance from the Gaussian's."""
    edges = np.linspace(-3, 5, 41)
    rows = []
    for n in CLT_SIZES:
        means = standardized_means(rng, n, repeats)
        density = np.histogram(means, edges)[0] / repeats / np.diff(edges)
        rows.append({"n": n, "density": density.tolist(), "distance": distance_from_gaussian(means)})
    return {"edges": edges.tolist(), "rows": rows}


def distance_from_gaussian(x: Float[np.ndarray, "n"]) -> float:
    """Kolmogorov's: the largest difference of the distribution functions."""
    from scipy.stats import kstest

    return float(kstest(x, "norm").statistic)


def valley() -> dict:
    """(x^2 + kappa y^2) / 2 from (1, 0.5): paths, and steps until the function is a millionth of its start."""
    curvature, start = np.array([1.0, KAPPA]), np.array([1.0, 0.5])
    root = np.sqrt(KAPPA)
    settings = {  # the best constants for a quadratic (Polyak 1964)
        "descent": (2 / (1 + KAPPA), 0.0),
        "momentum": ((2 / (1 + root)) ** 2, ((root - 1) / (root + 1)) ** 2),
    }
    out = {}
    for name, (lr, momentum) in settings.items():
        path = minimize(lambda w: curvature * w, start, lr, 2000, momentum)
        value = (curvature * path**2).sum(axis=1) / 2
        steps = int(np.flatnonzero(value > 1e-6 * value[0])[-1]) + 1
        out[name] = {"path": path[:60].round(4).tolist(), "steps": steps}
    return out


def double_well() -> dict:
    """(x^2 - 1)^2 + x / 4 from two starts: two minima, of which one is lower."""
    starts = (-0.4, 0.6)
    paths = [minimize(lambda w: 4 * w * (w**2 - 1) + 0.25, np.array([s]), 0.02, 60)[:, 0] for s in starts]
    return {"paths": [path.round(4).tolist() for path in paths]}


def descent_on_rows(seed: int) -> dict:
    """Linear regression on 200 rows: the loss above its minimum after each epoch."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 5))
    y = X @ rng.normal(size=5) + 0.5 * rng.normal(size=200)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    least = ((X @ best - y) ** 2).mean() / 2

    def excess(w: np.ndarray) -> float:
        return float(((X @ w - y) ** 2).mean() / 2 - least)

    out = {}
    for name, size in BATCH_SIZES.items():
        path = minimize_on_rows(
            lambda w, rows: squared_error_gradient(X, y, w, rows), 200, np.zeros(5), 0.05, 30, size, seed
        )
        out[name] = [excess(w) for w in path]
    return out


def plane(rng: np.random.Generator) -> dict:
    """Points in the plane, and their principal components."""
    points = rng.normal(size=(150, 2)) @ np.array([[2.0, 1.2], [0.0, 0.6]])
    _, components, variance = pca(points, 2)
    return {
        "points": points.round(3).tolist(),
        "mean": points.mean(axis=0).tolist(),
        "components": components.tolist(),
        "variance": variance.tolist(),
    }
