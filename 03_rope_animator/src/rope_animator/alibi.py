"""Attention with linear biases (Press et al. 2022): no position in the vectors, a penalty on distance in the scores."""

import torch
from jaxtyping import Float
from torch import Tensor


def alibi_slopes(heads: int) -> Float[Tensor, "H"]:
    """How much a token of distance costs each head, in units of score.

    For a power of two: 2^(-8/H), 2^(-16/H), ..., 2^-8 (Press et al. 2022, section 3). For any other number: the slopes
    of the largest power of two below it, then every second slope of twice that power, as the paper's own code does.

    Raises ValueError if heads is below 1.
    """
    if heads < 1:
        raise ValueError(f"heads = {heads}: at least one head needs a slope")
    power = 1 << (heads.bit_length() - 1)
    slopes = 2.0 ** (-8 / power * torch.arange(1, power + 1, dtype=torch.float64))
    between = 2.0 ** (-4 / power * (2 * torch.arange(heads - power, dtype=torch.float64) + 1))
    return torch.cat((slopes, between)).float()


def alibi_bias(heads: int, queries: int, keys: int) -> Float[Tensor, "H Q K"]:
    """The bias -slope (i - j) to be added to the scores; the queries are the last `queries` of `keys` positions.

    Where a key lies ahead of its query the causal mask decides, so that the sign there is of no consequence.
    Raises ValueError if there are more queries than keys.
    """
    if queries > keys:
        raise ValueError(f"queries = {queries}, keys = {keys}: every query attends at least to its own key")
    distance = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    return -alibi_slopes(heads)[:, None, None] * distance
