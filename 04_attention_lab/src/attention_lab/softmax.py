"""Softmax: scores into weights that are positive and sum to one, without overflow.

Dimensions:
    K   number of scores in a row: the keys that a query can see
"""

import torch
from jaxtyping import Float
from torch import Tensor


def softmax(scores: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K"]:
    """The weights exp(score) / sum of exp(scores), over the last axis (Bridle 1990).

    The largest score of each row is subtracted first. That changes no weight, and exp cannot overflow.
    A score of -inf gets the weight 0. A row in which every score is -inf has nothing to see: its weights are all 0.
    """
    lowest = torch.finfo(scores.dtype).min
    highest = scores.amax(dim=-1, keepdim=True).clamp(min=lowest)  # *rows 1; finite in an empty row too
    weights = (scores - highest).exp()  # *rows K; the largest is 1
    total = weights.sum(dim=-1, keepdim=True)  # *rows 1; at least 1, except in an empty row
    return weights / total.clamp(min=1)
