"""T5's relative positions (Raffel et al. 2020, section 2.1): a learned bias for each bucket of distances."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def t5_bucket(
    relative: Int[Tensor, "*N"], bidirectional: bool = True, buckets: int = 32, max_distance: int = 128
) -> Int[Tensor, "*N"]:
    """Bucket of each relative position (key minus query).

    Half of the buckets hold one distance each, the other half widen logarithmically up to max_distance, where the
    last one takes all that is farther. A bidirectional model spends one half of them on each side.
    The logarithm is float32, as in the code the released weights were trained with: at a bucket's edge the rounding
    is part of the model.

    Raises ValueError unless buckets leaves at least one exact distance, below max_distance.
    """
    bucket = torch.zeros_like(relative)
    if bidirectional:
        buckets //= 2
        bucket = bucket + buckets * (relative > 0)
    exact = buckets // 2
    if exact < 1 or max_distance <= exact:
        raise ValueError(
            f"buckets = {buckets} a side, max_distance = {max_distance}: half of the buckets are exact distances, so "
            "there must be at least 2 (4 if bidirectional), and max_distance must exceed their half"
        )
    distance = relative.abs() if bidirectional else (-relative).clamp(min=0)
    growth = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    wide = (exact + (growth * (buckets - exact)).to(relative.dtype)).clamp(max=buckets - 1)
    return bucket + torch.where(distance < exact, distance, wide)


class T5Bias(nn.Module):
    """One learned number for each bucket and head, added to the scores."""

    def __init__(self, heads: int, bidirectional: bool = False, buckets: int = 32, max_distance: int = 128) -> None:
        super().__init__()
        self.bidirectional, self.buckets, self.max_distance = bidirectional, buckets, max_distance
        self.bias = nn.Parameter(torch.zeros(buckets, heads))

    def forward(self, queries: int, keys: int) -> Float[Tensor, "H Q K"]:
        """The bias for queries that are the last of the keys."""
        relative = torch.arange(keys) - torch.arange(keys - queries, keys)[:, None]
        bucket = t5_bucket(relative, self.bidirectional, self.buckets, self.max_distance)
        return self.bias[bucket.to(self.bias.device)].permute(2, 0, 1)  # Q K H -> H Q K
