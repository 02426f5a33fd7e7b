"""Attention with three tokens and two channels, small enough for pencil and paper.

Each token has a query, a key and a value. The third token is an "and": it asks for both channels.
"""

import torch

from .attention import Steps, attention_steps
from .masks import causal_mask

TOKENS = ("cat", "dog", "and")
Q = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
K = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
V = ((4.0, 0.0), (0.0, 4.0), (2.0, 2.0))


def worked_example(causal: bool = True) -> Steps:
    """Every number of the example, in float64."""
    q, k, v = (torch.tensor(rows, dtype=torch.float64) for rows in (Q, K, V))
    return attention_steps(q, k, v, causal_mask(len(TOKENS)) if causal else None)
