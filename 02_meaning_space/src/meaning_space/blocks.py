"""Cutting a text into the blocks of `skipgram_fast.py`, many at a time.

Dimensions: M blocks, T words in a block, w window, C = T + 2w context words, N shared negatives.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .skipgram_fast import Block
from .windows_fast import WindowedText

CHUNK = 128  # blocks whose weights are made together: about five megabytes


def blocks(
    text: WindowedText, negatives: Int[Tensor, "M N"], size: int, k: int, first: int = 0, step: int = 1
) -> Iterator[tuple[int, Block]]:
    """(number, block) of every `step`-th block of `size` words, from block `first` on. Each pair has `k` negatives.

    Word 0 fills up the text at both ends. It has weight zero there.

    Raises:
        ValueError: `negatives` does not have one row for each block.
    """
    missing = -len(text) % size
    n_blocks = (len(text) + missing) // size
    if len(negatives) != n_blocks:
        raise ValueError(f"negatives={len(negatives)} rows: must have one row for each of the {n_blocks} blocks")
    ids = torch.from_numpy(text.ids)
    left = F.pad(torch.from_numpy(text.left), (0, missing)).view(-1, size)  # M T
    right = F.pad(torch.from_numpy(text.right), (0, missing)).view(-1, size)  # M T
    center_ids = F.pad(ids, (0, missing)).view(-1, size)  # M T
    padded = F.pad(ids, (text.window, text.window + missing))
    context_ids = padded.unfold(0, size + 2 * text.window, size)  # M C
    for numbers in torch.arange(first, n_blocks, step).split(CHUNK):
        positive = positive_weights(left[numbers], right[numbers], text.window)
        negative = negative_weights(positive, context_ids[numbers], negatives[numbers], k)
        weights = torch.cat([positive, negative], dim=2)  # M T O
        output_ids = torch.cat([context_ids[numbers], negatives[numbers]], dim=1)  # M O
        for i, number in enumerate(numbers.tolist()):
            yield number, Block(center_ids[number], output_ids[i], weights[i], context_ids.shape[1], k)


def positive_weights(left: Int[Tensor, "M T"], right: Int[Tensor, "M T"], window: int) -> Float[Tensor, "M T C"]:
    """1 where a context word is in the center's window, else 0: a diagonal band.

    Row i is the center at position i of the block, column j the context at position j - `window`.
    """
    T = left.shape[1]
    offset = torch.arange(T + 2 * window) - window - torch.arange(T)[:, None]  # T C
    inside = (offset >= -left[:, :, None]) & (offset <= right[:, :, None])  # M T C
    return (inside & (offset != 0)).float()


def negative_weights(
    positive: Float[Tensor, "M T C"], context_ids: Int[Tensor, "M C"], negatives: Int[Tensor, "M N"], k: int
) -> Float[Tensor, "M T N"]:
    """k / N for each pair of the center, without the pairs whose context is the negative itself."""
    same = (context_ids[:, :, None] == negatives[:, None, :]).to(positive.dtype)  # M C N
    pairs = positive.sum(2, keepdim=True)  # M T 1
    return (pairs - positive @ same) * (k / negatives.shape[1])
