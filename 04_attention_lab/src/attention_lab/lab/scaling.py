"""Why √d: what a dot product's variance does to the softmax and to its gradient."""

import math

import torch

from ..softmax import softmax

WIDTHS = (4, 16, 64, 256, 1024)
KEYS = 64
QUERIES = 512


def scaling(seeds: list[int]) -> dict:
    """For each width, with and without 1/√d: variance, entropy, largest weight, trace of the softmax's Jacobian."""
    measured = {}
    for width in WIDTHS:
        runs = {"plain": [], "scaled": []}
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            q, k = torch.randn(QUERIES, width, generator=generator), torch.randn(KEYS, width, generator=generator)
            scores = q @ k.T
            runs["plain"].append(statistics(scores))
            runs["scaled"].append(statistics(scores / math.sqrt(width)))
        measured[str(width)] = {
            name: {key: [r[key] for r in list_] for key in list_[0]} for name, list_ in runs.items()
        }
    return measured


def statistics(scores: torch.Tensor) -> dict[str, float]:
    """Of rows of scores. The softmax's Jacobian is diag(p) - p pᵀ, so its trace is 1 - Σ p²."""
    p = softmax(scores)
    entropy = torch.special.entr(p).sum(-1).mean() / math.log(scores.shape[-1])
    values = {"variance": scores.var(), "entropy": entropy, "largest": p.amax(-1).mean()}
    values["trace"] = (1 - p.square().sum(-1)).mean()
    return {name: float(value) for name, value in values.items()}


def expected_trace(variance: float) -> float:
    """1 - E[Σ p²] for many normal scores of a small variance: E[e^(2s)] / (n E[e^s]²) = e^variance / n."""
    return 1 - math.exp(variance) / KEYS
