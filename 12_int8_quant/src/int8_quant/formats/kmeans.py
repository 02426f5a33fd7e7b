"""Non-uniform levels: k-means puts each level at the mean of the numbers that round to it (Han et al. 2016).

Lloyd's algorithm in one dimension: round everything to the nearest level, move each level to its mean, and again.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def nearest(x: Float[Tensor, "*shape"], levels: Float[Tensor, "L"]) -> Tensor:
    """The index of the nearest of the sorted levels."""
    return torch.bucketize(x, (levels[1:] + levels[:-1]) / 2)


def round_to(x: Float[Tensor, "*shape"], levels: Float[Tensor, "L"]) -> Float[Tensor, "*shape"]:
    """The nearest level itself, after the largest level was scaled to the largest magnitude of x."""
    scaled = levels.to(x.dtype) * (x.abs().max() / levels.abs().max())
    return scaled[nearest(x, scaled)]


def kmeans_levels(x: Float[Tensor, "N"], bits: int, iterations: int = 50) -> Float[Tensor, "L"]:
    """2^bits levels. They start at quantiles of x, so that none is empty at first; an empty one stays where it is."""
    count = 2**bits
    levels = x.sort().values[((torch.arange(count) + 0.5) / count * len(x)).long()]
    for _ in range(iterations):
        codes = nearest(x, levels)
        sums = torch.zeros_like(levels).index_add(0, codes, x)
        sizes = codes.bincount(minlength=count)
        moved = torch.where(sizes > 0, sums / sizes.clamp(min=1), levels).sort().values
        if torch.equal(moved, levels):
            break
        levels = moved
    return levels
