"""Loss falls as a power of size and data: fit it, predict with it, and spend a budget by it.

Read in this order:
    count.py             parameters and FLOPs
    model.py             the small decoder of the sweep
    sweep.py             many sizes and amounts of data, each with its own schedule
    power_law.py         straight lines on log paper, an irreducible loss, bootstrap intervals
    kaplan.py            the laws of 2020
    chinchilla.py        the law of 2022, and three ways to the best size
    chinchilla_fast.py   all starts at once
    allocate.py          a budget spent

Side quest: theory/ (double descent, Hessians, landscapes, saddles, information, bounds, universality, lottery tickets).
"""

from .allocate import Card, dollars, gpu_hours, optimal_allocation, size_exponent, tokens_for_loss
from .chinchilla import PUBLISHED, ChinchillaLaw, approach_1, approach_2, approach_3, huber_log_loss, law_of, theta_of
from .count import Shape, approximate_flops, parameters, training_flops
from .model import Decoder
from .power_law import (
    bootstrap_interval,
    fit_irreducible,
    fit_power_law,
    resamples,
    squared_log_error,
    standard_error,
)
from .sweep import Run, batches_of, learning_rate, next_token_loss, sweep, train_run
from .theory import min_norm_fit, random_feature_risk, ridgeless_risk, simulate_ridgeless

__all__ = ["PUBLISHED", "Card", "ChinchillaLaw", "Decoder", "Run", "Shape", "approach_1", "approach_2", "approach_3"]
__all__ += ["approximate_flops", "batches_of", "bootstrap_interval", "dollars", "fit_irreducible", "fit_power_law"]
__all__ += ["gpu_hours", "huber_log_loss", "law_of", "learning_rate", "min_norm_fit", "next_token_loss"]
__all__ += ["optimal_allocation", "parameters", "random_feature_risk", "resamples", "ridgeless_risk"]
__all__ += ["simulate_ridgeless", "size_exponent", "squared_log_error", "standard_error", "sweep", "theta_of"]
__all__ += ["tokens_for_loss", "train_run", "training_flops"]
