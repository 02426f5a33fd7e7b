"""What goes wrong, and how far: each function is an experiment of seconds, also run by a cell of the workbook."""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize

from ..allocate import GOPHER, optimal_allocation
from ..chinchilla import ChinchillaLaw, huber_log_loss, law_of, starts
from ..chinchilla_fast import fit
from ..model import Decoder
from ..power_law import bootstrap_interval, fit_irreducible, fit_power_law, resamples
from ..sweep import BASE_LR, BASE_WIDTH, Batch, Run, batches_of, next_token_loss, train_run
from .corpus import CONTEXT, corpus

Log = Callable[[str], None]
TRUE = ChinchillaLaw(1.8, 480.0, 2100.0, 0.35, 0.37)  # near the refit of Hoffmann's points
FLOOR, COEFFICIENT, ALPHA = 1.7, 60.0, 0.35  # of the laws of one variable


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All six."""
    quick, found = options.quick, {}
    experiments = {
        "fit half of the range": lambda: half_of_the_range(options.seed),
        "one rate for all sizes": lambda: one_rate(options.data, 6_400 if quick else 51_200, options.seed),
        "keep the five outliers": lambda: outliers(options.seed),
        "ten points of noise 0.3": lambda: ten_points(options.seed),
        "extrapolate ten decades": lambda: ten_decades(options.seed),
        "the mean for the sum": lambda: mean_for_sum(options.seed, 200 if quick else 19),
    }
    for name, experiment in experiments.items():
        log(name)
        found[name] = experiment()
    return found


def points(seed: int, count: int, low: float, high: float, noise: float, floor: float = FLOOR):
    """Points of loss = floor + COEFFICIENT x^-ALPHA, at even steps of log x."""
    x = np.geomspace(low, high, count)
    clean = floor + COEFFICIENT * x**-ALPHA
    return x, clean * np.exp(noise * np.random.default_rng(seed).standard_normal(count))


def half_of_the_range(seed: int = 0) -> dict:
    """A straight line through the small half and through the whole, asked at the large end; and the bent law."""
    x, loss = points(seed, 24, 1e4, 1e8, 0.005)
    truth, half = FLOOR + COEFFICIENT * 1e10**-ALPHA, slice(0, 12)
    floors = np.linspace(0, loss.min(), 200, endpoint=False)
    found = {"truth at 1e10": truth}
    for name, part in (("half", half), ("whole", slice(None))):
        c, alpha = fit_power_law(x[part], loss[part])
        E, k, bent = fit_irreducible(x[part], loss[part], floors)
        found[name] = {"straight": c * 1e10**-alpha, "bent": E + k * 1e10**-bent, "alpha": alpha, "E": float(E)}
    return found


def one_rate(data: str = "pydoc", tokens: int = 25_600, seed: int = 0) -> dict:
    """Sizes trained with the chapter's schedule, with the widest model's peak for all, and without a cosine."""
    text, validation = corpus(data)
    widths, forms = (8, 16, 32, 64), ("as it should be", "the rate of width 64 for all", "a constant rate")
    found = {"widths": list(widths)}
    for form in forms:
        found[form] = [trained(form, width, tokens, seed, text, validation) for width in widths]
    return found


def trained(form: str, width: int, tokens: int, seed: int, text: torch.Tensor, validation: Batch) -> float:
    """The validation loss of one run under one of the schedules."""
    run = Run(1, width, tokens, seed)
    batches = batches_of(text, tokens, CONTEXT, 8, seed)
    model = Decoder(run.shape(), seed)
    if form == "the rate of width 64 for all":
        return train_run(model, batches, validation, 64)
    if form == "as it should be":
        return train_run(model, batches, validation, width)
    optimizer = torch.optim.Adam(model.parameters(), lr=BASE_LR * BASE_WIDTH / width)
    for x, y in batches:
        optimizer.zero_grad()
        next_token_loss(model, x, y).backward()
        optimizer.step()
    with torch.no_grad():
        return next_token_loss(model, *validation).item()


def known_runs(seed: int, bad: int = 0):
    """240 runs of a known law with noise of 2 %, of which the first `bad` have far too high a loss."""
    generator = np.random.default_rng(seed)
    n, ratio = np.exp(generator.uniform(17, 23, 240)), np.exp(generator.uniform(1, 6, 240))
    tokens = n * ratio
    loss = TRUE.loss(n, tokens) * np.exp(0.02 * generator.standard_normal(240))
    loss[:bad] *= 1.4
    return n, tokens, loss


def outliers(seed: int = 0) -> dict:
    """Five runs of 240 whose loss is 40 % too high: squares and Huber, with and without them."""
    found = {"truth": ratio_of(TRUE)}
    for name, bad, delta in (("Huber, without", 0, 1e-3), ("Huber, with", 5, 1e-3), ("squares, with", 5, 1e3)):
        n, tokens, loss = known_runs(seed, bad)
        found[name] = ratio_of(fit(n, tokens, loss, starts(225), delta)[0])
    return found


def ratio_of(law: ChinchillaLaw) -> float:
    """Tokens a parameter at Gopher's budget."""
    n, tokens = optimal_allocation(law, GOPHER)
    return tokens / n


def ten_points(seed: int = 0) -> dict:
    """The 80 % interval of a prediction ten times beyond the points, from ten points and from a thousand."""
    found = {}
    for count in (10, 1000):
        x, loss = points(seed, count, 1e4, 1e7, 0.3, floor=0.0)
        low, high = bootstrap_interval(x, loss, resamples(count, 1000, seed), np.array([1e8]))
        found[str(count)] = {"low": float(low[0]), "high": float(high[0]), "alpha": fit_power_law(x, loss)[1]}
    return {**found, "truth": COEFFICIENT * 1e8**-ALPHA, "true alpha": ALPHA}


def ten_decades(seed: int = 0) -> dict:
    """A straight line from two decades, asked one, four and ten decades further: is the truth in its band?"""
    x, loss = points(seed, 40, 1e4, 1e6, 0.01)
    found = {}
    for decades in (1, 4, 10):
        place = 1e6 * 10.0**decades
        low, high = bootstrap_interval(x, loss, resamples(40, 1000, seed), np.array([place]))
        truth = FLOOR + COEFFICIENT * place**-ALPHA
        found[str(decades)] = {"low": float(low[0]), "high": float(high[0]), "truth": truth}
    return found


def mean_for_sum(seed: int = 0, every: int = 19) -> dict:
    """SciPy's L-BFGS-B at its default tolerances, on the sum of the Huber losses and on their mean."""
    runs = known_runs(seed)
    best = fit(*runs, starts(113))[1]
    found = {"truth": ratio_of(TRUE), "lowest": best}
    for name, scale in (("sum", 1.0), ("mean", 1 / 240)):

        def objective(theta, scale=scale):
            value, gradient = huber_log_loss(theta, *runs)
            return scale * value, scale * gradient

        fits = [minimize(objective, start, method="L-BFGS-B", jac=True) for start in starts(every)]
        lowest = min(fits, key=lambda f: f.fun)
        near = sum(f.fun / scale < 1.01 * best for f in fits)
        found[name] = {
            "objective": float(lowest.fun / scale / best),
            "ratio": ratio_of(law_of(lowest.x)),
            "starts within 1 %": int(near),
            "starts": len(fits),
        }
    return found
