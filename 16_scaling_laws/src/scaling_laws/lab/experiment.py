"""The headline: our own law and a run that it predicts, the refit, tokens a parameter, and double descent."""

import argparse
from collections.abc import Callable
from itertools import product
from statistics import mean

import numpy as np

from ..allocate import GOPHER, optimal_allocation
from ..chinchilla import PUBLISHED, ChinchillaLaw, huber_log_loss, law_of, starts, theta_of
from ..chinchilla_fast import Objective, bootstrap, fit
from ..kaplan import compute_optimal
from ..power_law import resamples
from ..sweep import Run, sweep
from ..theory.double_descent import random_feature_risk, ridgeless_risk, simulate_ridgeless
from . import fetch
from .cli import seeds_of
from .corpus import corpus
from .refit import EVERY, law_from, refit

Log = Callable[[str], None]
SIZES = ((1, 8), (1, 16), (2, 24), (2, 32), (2, 48))  # layers, width
TOKENS = (25_600, 51_200, 102_400, 204_800)
HELD_OUT = ((2, 64), 409_600)
LEVEL = 0.8


def headline(options: argparse.Namespace, log: Log) -> dict:
    """All four parts; about two minutes on one core."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    check_forms()
    found = {"seeds": seeds, "own law": own_law(options, seeds, log)}
    local = fetch.is_local(fetch.REMOTES["chinchilla"])
    found["refit"] = refit(200 if options.quick else 4000, seeds[0], log) if local else None
    found["tokens a parameter"] = tokens_a_parameter(found["refit"])
    found["double descent"] = double_descent(options.quick, seeds[0], log)
    return found


def check_forms() -> None:
    """The plain and the fast objective agree before anything is measured. Raises ValueError where they do not."""
    n, tokens = np.geomspace(1e7, 1e10, 13), np.geomspace(1e9, 1e11, 13)[::-1].copy()
    law = PUBLISHED["Besiroglu 2024"]
    loss = law.loss(n, tokens) * np.exp(0.03 * np.sin(np.arange(13)))
    value, gradient = huber_log_loss(theta_of(law), n, tokens, loss)
    values, gradients = Objective(n, tokens, loss)(theta_of(law)[None], np.zeros(1, int))
    error = max(abs(values[0] / value - 1), float(np.abs(gradients[0] - gradient).max() / np.abs(gradient).max()))
    if error > 1e-8:
        raise ValueError(f"error={error:.1e}: the plain and the fast objective must agree before they are used")


# ---------------------------------------------------------------- our own law


def own_law(options: argparse.Namespace, seeds: list[int], log: Log) -> dict:
    """The grid, its law, the prediction, and only then the run that it is about."""
    text, validation = corpus(options.data)
    sizes, tokens, (shape, most) = SIZES, TOKENS, HELD_OUT
    if options.quick:
        sizes, tokens, (shape, most) = SIZES[:3], TOKENS[:2], ((1, 24), 51_200)
    done = None if options.quick else options.out / "sweep.json"
    runs = [Run(*size, count, seed) for seed, size, count in product(seeds, sizes, tokens)]
    points = sweep(runs, text, validation, done=done, log=log)
    found = {"points": points, "level": LEVEL}
    for name in ("N", "N with embeddings"):
        found[name] = fitted(points, name, seeds[0], 50 if options.quick else 1000)
    target = Run(*shape, most, 0)
    found["prediction"] = predicted(found["N"], target)
    log(f"predicted before it is trained: {found['prediction']['loss']:.3f}")
    held_out = sweep([target._replace(seed=seed) for seed in seeds], text, validation, done=done, log=log)
    found["held out"] = held_out
    if done:
        done.unlink(missing_ok=True)
    loss, (low, high) = mean(p["loss"] for p in held_out), found["prediction"]["band"]
    found["inside"] = bool(low <= loss <= high)
    return found


def columns(points: list[dict], size: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, D, loss) as arrays."""
    n, tokens, loss = (np.array([float(p[name]) for p in points]) for name in (size, "D", "loss"))
    return n, tokens, loss


def fitted(points: list[dict], size: str, seed: int, count: int) -> dict:
    """The law of the points, with every resample's theta."""
    runs = columns(points, size)
    law, value = fit(*runs, starts(EVERY))
    thetas = bootstrap(*runs, theta_of(law), resamples(len(points), count, seed))
    residual = np.log(runs[2]) - np.log(law.loss(runs[0], runs[1]))
    exponents = {
        "alpha": thetas[:, 3],
        "beta": thetas[:, 4],
        "E": np.exp(thetas[:, 2]),
        "size exponent": thetas[:, 4] / (thetas[:, 3] + thetas[:, 4]),
    }
    tail = (1 - LEVEL) / 2
    intervals = {name: np.quantile(v, [tail, 1 - tail]).tolist() for name, v in exponents.items()}
    found = {"law": law._asdict(), "objective": value, "rms log error": float(np.sqrt((residual**2).mean()))}
    return {**found, "intervals": intervals, "thetas": np.round(thetas, 6).tolist()}


def predicted(found: dict, run: Run) -> dict:
    """The loss of a run that is not trained yet, with the band of the resamples."""
    from ..count import parameters

    n, law = parameters(run.shape()), ChinchillaLaw(**found["law"])
    losses = [law_of(np.array(theta)).loss(n, run.tokens) for theta in found["thetas"]]
    tail = (1 - LEVEL) / 2
    band = [float(v) for v in np.quantile(losses, [tail, 1 - tail])]
    return {"N": n, "D": run.tokens, "loss": float(law.loss(n, run.tokens)), "band": band}


# ---------------------------------------------------------------- tokens a parameter


def tokens_a_parameter(refitted: dict | None) -> dict:
    """D / N at Gopher's budget, by each law."""
    laws = dict(PUBLISHED)
    if refitted:
        laws["our refit"] = law_from(refitted)
    pairs = {"Kaplan 2020": compute_optimal(GOPHER)}
    pairs |= {name: optimal_allocation(law, GOPHER) for name, law in laws.items()}
    return {name: {"N": n, "D": d, "D/N": d / n} for name, (n, d) in pairs.items()}


# ---------------------------------------------------------------- double descent


def double_descent(quick: bool, seed: int, log: Log) -> dict:
    """Ridgeless regression on its theory, and random features: risk against parameters a sample."""
    log("double descent")
    n, repeats = (40, 2) if quick else (200, 9)
    ratios = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10)
    linear = []
    for ratio in ratios:
        d = round(ratio * n)
        linear.append(
            {"gamma": d / n, "theory": ridgeless_risk(d, n), "risks": simulate_ridgeless(d, n, repeats, seed)}
        )
    features = []
    for ratio in (0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 5, 10, 20):
        count = round(ratio * n)
        risks = [random_feature_risk(count, n, n // 4, seed + i) for i in range(2 if quick else 5)]
        features.append({"gamma": count / n, "risks": risks})
    return {"samples": n, "linear": linear, "random features": features}
