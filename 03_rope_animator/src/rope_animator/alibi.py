"""Attention with linear biases (Press et al. 2022): the vectors hold no position, the scores pay for distance.

Dimensions:
    H  heads
    Q  queries
    K  keys
"""

import torch
from jaxtyping import Float
from torch import Tensor


def alibi_slopes(num_heads: int) -> Float[Tensor, "H"]:
    """What one token of distance costs in each head, in units of score.

    For a power of two: 2^(-8/H), 2^(-16/H), ..., 2^-8 (Press et al. 2022, section 3). For any other number, as in the
    authors' code: the slopes of the largest power of two below it, then every second slope of twice that power.

    Raises:
        ValueError: `num_heads` is below 1.
    """
    if num_heads < 1:
        raise ValueError(f"num_heads={num_heads}: at least one head needs a slope; use 1 or more")
    power = 1 << (num_heads.bit_length() - 1)  # the largest power of two that is not above num_heads
    first = torch.arange(1, power + 1) * 8 / power
    extra = (2 * torch.arange(num_heads - power) + 1) * 4 / power
    return 2.0 ** -torch.cat((first, extra))


def alibi_bias(num_heads: int, query_len: int, key_len: int) -> Float[Tensor, "H Q K"]:
    """The bias to add to the scores: -slope (i - j). The queries are the last `query_len` of the `key_len` tokens.

    Entries for keys after their query are positive. The causal mask must hide them.

    Raises:
        ValueError: there are fewer keys than queries, or no query, or no head.
    """
    if not 1 <= query_len <= key_len:
        raise ValueError(f"query_len={query_len}, key_len={key_len}: every query needs its own key; use more keys")
    queries = torch.arange(key_len - query_len, key_len)
    distance = queries[:, None] - torch.arange(key_len)  # Q K
    return -alibi_slopes(num_heads)[:, None, None] * distance
