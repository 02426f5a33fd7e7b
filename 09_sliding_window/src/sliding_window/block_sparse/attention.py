"""Attention over a list of blocks. A block that is not listed costs nothing."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .patterns import blocks_of


def block_sparse_attention(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B H T D"],
    v: Float[Tensor, "B H T D"],
    mask: Bool[Tensor, "T T"],
    block: int,
) -> Float[Tensor, "B H T D"]:
    """softmax(q kᵀ / √D) v under the mask, computed in the blocks where the mask shows anything.

    Raises:
        ValueError: the block size does not divide T, or a query sees no key.
    """
    listed = blocks_of(mask, block)  # N N
    if not mask.any(dim=1).all():
        raise ValueError("mask: a query sees no key; let each token see itself")
    B, H, T, D = q.shape
    k_blocks, v_blocks = (x.view(B, H, T // block, block, D) for x in (k, v))
    out = []
    for row, columns in enumerate(listed):
        rows = slice(row * block, (row + 1) * block)
        shown = mask[rows].view(block, -1, block)[:, columns].flatten(1)  # block n·block
        keys, values = (x[:, :, columns].flatten(2, 3) for x in (k_blocks, v_blocks))  # B H n·block D
        scores = q[:, :, rows] @ keys.transpose(-2, -1) / math.sqrt(D)
        out.append(scores.masked_fill(~shown, -math.inf).softmax(dim=-1) @ values)
    return torch.cat(out, dim=2)
