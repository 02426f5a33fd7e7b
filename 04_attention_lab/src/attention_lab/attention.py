"""Scaled dot-product attention: each query takes an average of the values, weighted by how well the keys match.

Dimensions:
    Tq   queries: the positions that ask
    Tk   keys: the positions that are asked, each with one value
    D    width of a query and of a key
    Dv   width of a value

The queries can come from one sequence and the keys and values from another: that is cross-attention, in the same lines.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .softmax import softmax


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch Tq D"],
    k: Float[Tensor, "*batch Tk D"],
    v: Float[Tensor, "*batch Tk Dv"],
    attention_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    uniforms: Tensor | None = None,
) -> tuple[Float[Tensor, "*batch Tq Dv"], Float[Tensor, "*batch Tq Tk"]]:
    """softmax(q kᵀ / √D) v, and the weights (Vaswani et al. 2017, equation 1).

    Args:
        attention_mask: boolean, broadcast to (*batch, Tq, Tk). True: this query may see this key.
            A query that may see nothing gets zeros.
        dropout_p: the probability with which a weight is dropped in training.
        uniforms: one number in [0, 1) for each weight. A weight is dropped where its number is below `dropout_p`, and
            the others are divided by 1 - dropout_p. None at evaluation: nothing is dropped.

    The weights are returned as they were before dropout.

    Raises:
        ValueError: the mask is not boolean.
    """
    if attention_mask is not None and attention_mask.dtype != torch.bool:
        raise ValueError(f"attention_mask.dtype={attention_mask.dtype}: must be bool, True where a key may be seen")
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # *batch Tq Tk
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, -math.inf)
    weights = softmax(scores)
    if uniforms is None:
        return weights @ v, weights
    kept = weights * (uniforms >= dropout_p) / (1 - dropout_p)
    return kept @ v, weights  # *batch Tq Dv


class Steps(NamedTuple):
    """Everything that attention computes on its way, to be printed."""

    scores: Tensor  # Tq Tk
    scaled: Tensor  # Tq Tk
    masked: Tensor  # Tq Tk
    weights: Tensor  # Tq Tk
    output: Tensor  # Tq Dv


def attention_steps(
    q: Float[Tensor, "*batch Tq D"],
    k: Float[Tensor, "*batch Tk D"],
    v: Float[Tensor, "*batch Tk Dv"],
    attention_mask: Tensor | None = None,
) -> Steps:
    """The same as `scaled_dot_product_attention`, one step at a time."""
    scores = q @ k.transpose(-2, -1)  # 1. how well does each key match each query?
    scaled = scores / math.sqrt(q.shape[-1])  # 2. keep the variance of the scores at 1
    masked = scaled  # 3. what must not be seen scores -inf
    if attention_mask is not None:
        masked = scaled.masked_fill(~attention_mask, -math.inf)
    weights = softmax(masked)  # 4. each row becomes an average's weights
    return Steps(scores, scaled, masked, weights, weights @ v)  # 5. the average of the values
