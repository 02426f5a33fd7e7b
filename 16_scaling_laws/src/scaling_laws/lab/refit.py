"""Hoffmann's runs fitted again: the law, its errors, and what each published law says of the same points."""

from collections.abc import Callable, Iterator

import numpy as np

from ..chinchilla import PUBLISHED, ChinchillaLaw, approach_1, approach_2, huber_log_loss, starts, theta_of
from ..chinchilla_fast import bootstrap, fit
from ..power_law import resamples
from .points import Points, chinchilla_points, without_outliers

EVERY = 113  # of the 4,500 starts: 40
BUDGETS = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)  # of their IsoFLOP profiles
NAMES = ("A", "B", "E", "alpha", "beta")


def refit(count: int, seed: int, log: Callable[[str], None]) -> dict:
    """Everything about the published points; `count` resamples.

    Raises:
        OSError: the file of points is not on this machine and cannot be downloaded.
    """
    log("the refit of Hoffmann's points")
    everything = chinchilla_points()
    n, tokens, loss = kept = without_outliers(*everything)
    law, value = fit(*kept, starts(EVERY))
    log(f"{count} resamples of its {len(n)} points")
    thetas = bootstrap(*kept, theta_of(law), resamples(len(n), count, seed))
    spread = np.concatenate([np.exp(thetas[:, :3]), thetas[:, 3:]], 1)
    exponents = thetas[:, 4] / (thetas[:, 3] + thetas[:, 4])
    objective = {name: huber_log_loss(theta_of(other), *kept)[0] for name, other in PUBLISHED.items()}
    with_all, all_value = fit(*everything, starts(EVERY))
    return {
        "points": len(n),
        "law": law._asdict(),
        "objective": value,
        "resamples": count,
        "standard errors": dict(zip(NAMES, spread.std(0).tolist(), strict=True)),
        "size exponent": [float(v) for v in np.quantile(exponents, [0.1, 0.5, 0.9])],
        "objectives of the published laws": objective,
        "with the outliers": {"law": with_all._asdict(), "objective": all_value},
        "approach 1": approach_1(6 * n * tokens, n, loss)[1],
        "approach 2": approach_2(profiles(kept))[1],
        "approach 3": law.beta / (law.alpha + law.beta),
    }


def profiles(points: Points) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """The runs within 15 % of each of their budgets."""
    n, tokens, loss = points
    flops = 6 * n * tokens
    for budget in BUDGETS:
        near = np.abs(np.log(flops / budget)) < 0.15
        yield budget, n[near], loss[near]


def law_from(content: dict) -> ChinchillaLaw:
    """The recorded law."""
    return ChinchillaLaw(**content["law"])
