"""Break it: one experiment for each mistake, with an outcome that a test compares with what is written."""

import argparse
from collections.abc import Callable

import torch

from ..softmax import softmax

SIZES = (10, 50, 100, 500)


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The share of rows with a NaN, with and without subtracting the maximum."""
    generator = torch.Generator().manual_seed(options.seed)
    outcome = {}
    for size in SIZES:
        log(f"scores up to {size}")
        scores = size * torch.rand(256, 32, generator=generator)
        weights = scores.exp()
        naive = weights / weights.sum(-1, keepdim=True)
        outcome[str(size)] = {"naive": _broken(naive), "ours": _broken(softmax(scores))}
    return {"broken rows": outcome}


def _broken(probabilities: torch.Tensor) -> float:
    return float(probabilities.isnan().any(-1).float().mean())
