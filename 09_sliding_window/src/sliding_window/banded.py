"""Window attention in blocks: only the keys of a block's windows are ever touched.

The whole square has T² scores. Here each block of W queries meets at most 2W - 1 keys, so there are about 2·T·W.

Dimensions:
    B   sequences        H   heads        T   tokens
    D   width of a head  W   window
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .attention import attend
from .window import window_mask


def banded_attention(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"], window: int
) -> Float[Tensor, "B H T D"]:
    """`attend` under the window mask, with O(T·W) operations and memory (Longformer's sliding chunks)."""
    T = q.shape[2]
    blocks = []
    for start in range(0, T, window):
        end = min(start + window, T)
        first = max(start - window + 1, 0)  # the oldest key that the block's first query sees
        mask = window_mask(end - start, end - first, window)
        blocks.append(attend(q[:, :, start:end], k[:, :, first:end], v[:, :, first:end], mask))
    return torch.cat(blocks, dim=2)
