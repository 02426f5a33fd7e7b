"""Causal attention for queries that come after keys it has seen before.

Without a cache the queries and the keys are the same positions and the causal mask is the familiar square.
With one, Tq new queries meet Tk >= Tq keys, of which the last Tq are their own:

                 keys 0 1 2 3 4 5            Tk = 6, of which 4 come from the cache
    query 0 (pos. 4)  x x x x x .            Tq = 2
    query 1 (pos. 5)  x x x x x x            the triangle sits at the BOTTOM RIGHT

Dimensions: B batch, H heads, Tq queries, Tk keys, D width of a head.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def attend(
    q: Float[Tensor, "B H Tq D"],
    k: Float[Tensor, "B H Tk D"],
    v: Float[Tensor, "B H Tk D"],
    keep: Bool[Tensor, "B Tk"] | None = None,
) -> Float[Tensor, "B H Tq D"]:
    """softmax(q kᵀ / √D) v over the keys each query may see (Vaswani et al. 2017, eq. 1).

    `keep` is False at keys that are padding. A query left with no key at all (it is padding itself) gets zeros:
    the softmax of a row of -inf is NaN, and one NaN would reach every later layer.

    Raises ValueError when there are more queries than keys: some query would have no position.
    """
    Tq, Tk = q.shape[-2], k.shape[-2]
    if Tq > Tk:
        raise ValueError(f"attend: {Tq} queries but only {Tk} keys; pass the keys of the new tokens too, after the old")
    allowed = torch.ones(Tq, Tk, dtype=torch.bool, device=q.device).tril(diagonal=Tk - Tq)
    if keep is not None:
        allowed = allowed & keep[:, None, None, :]                              # B 1 Tq Tk
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])                   # B H Tq Tk
    weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
    return weights.masked_fill(~allowed, 0.0) @ v


def attend_fast(
    q: Float[Tensor, "B H Tq D"],
    k: Float[Tensor, "B H Tk D"],
    v: Float[Tensor, "B H Tk D"],
    keep: Bool[Tensor, "B Tk"] | None = None,
) -> Float[Tensor, "B H Tq D"]:
    """`attend` through PyTorch's fused kernel, with the cheapest mask that is still right.

    A single query sees every key, so decoding needs no mask. `is_causal=True` aligns its triangle at the TOP LEFT
    and is therefore right for a square only: at Tq = 1 it would hide every key but the first.
    """
    Tq, Tk = q.shape[-2], k.shape[-2]
    if Tq > Tk:
        raise ValueError(f"attend: {Tq} queries but only {Tk} keys; pass the keys of the new tokens too, after the old")
    if keep is None and Tq == 1:
        return F.scaled_dot_product_attention(q, k, v)
    if keep is None and Tq == Tk:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    allowed = torch.ones(Tq, Tk, dtype=torch.bool, device=q.device).tril(diagonal=Tk - Tq)
    if keep is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    allowed = allowed & keep[:, None, None, :]                                  # B 1 Tq Tk
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    return out.masked_fill(~allowed.any(-1, keepdim=True), 0.0)
