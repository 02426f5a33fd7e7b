"""The headline experiment: how a temperature changes the entropy of a softmax."""

import argparse
import math
from collections.abc import Callable

import torch

from ..softmax import softmax
from .cli import seeds_of

TEMPERATURES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TOKENS = 1024


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Entropy in nats of rows of normal scores, for each temperature and seed."""
    seeds = seeds_of(options, 1 if options.quick else 5)
    rows = 8 if options.quick else 512
    entropies = {}
    for temperature in TEMPERATURES:
        log(f"temperature {temperature}")
        entropies[str(temperature)] = [entropy(seed, rows, temperature) for seed in seeds]
    limit = math.log(TOKENS)
    return {"seeds": seeds, "rows": rows, "tokens": TOKENS, "limit": limit, "entropy": entropies}


def entropy(seed: int, rows: int, temperature: float) -> float:
    """Mean entropy of the rows. Probabilities of zero add nothing."""
    scores = torch.randn(rows, TOKENS, generator=torch.Generator().manual_seed(seed))
    probabilities = softmax(scores, temperature)
    return float(torch.special.entr(probabilities).sum(-1).mean())
