"""T5's relative positions (Raffel et al. 2020, section 2.1): a learned bias for each bucket of distances.

Dimensions:
    N  any dimensions; the output has them too
    H  heads
    Q  queries
    K  keys
"""

import math

import torch
from jaxtyping import Float, Int, Int64, Shaped
from torch import Tensor, nn


def t5_bucket(
    relative_position: Shaped[Tensor, "*N"],
    bidirectional: bool = True,
    num_buckets: int = 32,
    max_distance: int = 128,
) -> Int64[Tensor, "*N"]:
    """Bucket of each relative position, which is key position minus query position.

    The nearest distances have a bucket each. The other buckets grow wider, logarithmically, up to `max_distance`; the
    last one takes everything farther. A bidirectional model uses one half of the buckets for each direction.

    Raises:
        ValueError: `relative_position` is not of integers, there are too few buckets, or `max_distance` is too small.
    """
    if relative_position.is_floating_point() or relative_position.dtype == torch.bool:
        raise ValueError(f"relative_position.dtype={relative_position.dtype}: buckets count tokens; use .long()")
    side = num_buckets // 2 if bidirectional else num_buckets  # buckets for one direction
    exact = side // 2
    if exact < 1 or max_distance <= exact:
        raise ValueError(
            f"num_buckets={num_buckets}, max_distance={max_distance}: {exact} distances have a bucket of their own; "
            f"use at least {4 if bidirectional else 2} buckets and a max_distance above {exact}"
        )
    relative_position = relative_position.long()
    distance = relative_position.abs() if bidirectional else (-relative_position).clamp(min=0)
    bucket = torch.where(distance < exact, distance, wide_bucket(distance, exact, side, max_distance))
    return bucket + side * (relative_position > 0) if bidirectional else bucket


def wide_bucket(distance: Int[Tensor, "*N"], exact: int, side: int, max_distance: int) -> Int64[Tensor, "*N"]:
    """Bucket of a distance of `exact` or more: `exact` to `side` - 1, on a logarithmic scale.

    The logarithm is float32, as in the code that trained the released weights. At the edge of a bucket its rounding
    decides, so it is part of the model.
    """
    ratio = distance.clamp(min=exact).float() / exact
    growth = torch.log(ratio) / math.log(max_distance / exact)
    return (exact + (growth * (side - exact)).long()).clamp(max=side - 1)


class T5Bias(nn.Module):
    """One learned number for each bucket and head, added to the scores."""

    def __init__(
        self, num_heads: int, bidirectional: bool = False, num_buckets: int = 32, max_distance: int = 128
    ) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.weight = nn.Parameter(torch.zeros(num_buckets, num_heads))

    def forward(self, query_len: int, key_len: int) -> Float[Tensor, "H Q K"]:
        """The bias of the last `query_len` of `key_len` tokens.

        Raises:
            ValueError: there are fewer keys than queries, or no query.
        """
        if not 1 <= query_len <= key_len:
            raise ValueError(f"query_len={query_len}, key_len={key_len}: every query needs its own key; use more keys")
        queries = torch.arange(key_len - query_len, key_len)
        relative_position = torch.arange(key_len) - queries[:, None]  # Q K
        bucket = t5_bucket(relative_position, self.bidirectional, self.num_buckets, self.max_distance)
        return self.weight[bucket.to(self.weight.device)].permute(2, 0, 1)  # Q K H -> H Q K
