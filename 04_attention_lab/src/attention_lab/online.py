"""Online softmax: the average of all values in one pass over blocks, with no more than one block in memory.

The softmax needs the largest score and the sum of all exponentials. Both can be corrected afterwards: when a larger
score appears, everything summed so far is multiplied by exp(old largest - new largest).

Dimensions:
    Tq   queries
    n    keys in a block; blocks may differ in size
    Dv   width of a value
"""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


def online_softmax(
    blocks: Iterable[tuple[Tensor, Tensor]],
) -> tuple[Float[Tensor, "*batch Tq Dv"], Float[Tensor, "*batch Tq 1"]]:
    """softmax(scores) @ values, and log Σ exp(scores), over all blocks (Milakov and Gimelshein 2018).

    Args:
        blocks: (scores, values) pairs of shapes (*batch, Tq, n) and (*batch, n, Dv), read once.

    A query whose scores are all -inf gets zeros and -inf.
    """
    highest, total, output = torch.tensor(-math.inf), 0.0, 0.0
    for scores, values in blocks:
        lowest = torch.finfo(scores.dtype).min
        new = torch.maximum(highest, scores.amax(dim=-1, keepdim=True)).clamp(min=lowest)  # *batch Tq 1
        correction = (highest - new).exp()
        weights = (scores - new).exp()  # *batch Tq n
        total = total * correction + weights.sum(dim=-1, keepdim=True)
        output = output * correction + weights @ values  # *batch Tq Dv
        highest = new
    return output / total.clamp(min=1), highest + total.log()
