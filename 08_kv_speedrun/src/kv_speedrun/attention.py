"""Causal attention for queries that come after keys the model has seen before.

Without a cache, queries and keys have the same positions, and the causal mask is a square triangle.
With a cache, Tq new queries meet Tk >= Tq keys. The last Tq keys belong to the queries themselves:

                 keys 0 1 2 3 4 5            Tk = 6, four of them from the cache
    query 0 (pos. 4)  x x x x x .            Tq = 2
    query 1 (pos. 5)  x x x x x x            the triangle is aligned at the BOTTOM RIGHT

Dimensions: B batch, H heads, Tq queries, Tk keys, D width of a head.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def attend(
    q: Float[Tensor, "B H Tq D"],
    k: Float[Tensor, "B H Tk D"],
    v: Float[Tensor, "B H Tk D"],
    attention_mask: Bool[Tensor, "B Tk"] | None = None,
) -> Float[Tensor, "B H Tq D"]:
    """softmax(q kᵀ / √D) v over the keys that each query may see (Vaswani et al. 2017, eq. 1).

    `attention_mask` is False at keys that are padding. A query that may see no key at all is padding itself and gets
    zeros. Without that rule its softmax is NaN, and one NaN reaches every later layer.

    Raises:
        ValueError: there are more queries than keys, so some query has no position.
    """
    Tq, Tk = q.shape[-2], k.shape[-2]
    if Tq > Tk:
        raise ValueError(f"queries={Tq}, keys={Tk}: each query needs its own key; pass old and new keys together")
    allowed = torch.ones(Tq, Tk, dtype=torch.bool, device=q.device).tril(diagonal=Tk - Tq)
    if attention_mask is not None:
        allowed = allowed & attention_mask[:, None, None, :]  # B 1 Tq Tk
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # B H Tq Tk
    weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
    return weights.masked_fill(~allowed, 0.0) @ v
