"""CBOW on the blocks of `skipgram_fast.py`. Here `contexts` are the input vectors, `centers` the output vectors.

Dimensions: T words in a block, C context words around it, N shared negatives, V words, D embedding dimensions.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..skipgram_fast import Block
from ..train import Model


class Parts(NamedTuple):
    """A block as CBOW sees it: one example for each center that has a context."""

    context_ids: Int[Tensor, "C"]
    negative_ids: Int[Tensor, "N"]
    average: Float[Tensor, "T C"]  # multiplied with the context vectors it gives their mean for each center
    is_example: Float[Tensor, "T 1"]  # 1 where the center has a context
    negative_weights: Float[Tensor, "T N"]  # K / N where the negative is not the center itself


def parts(block: Block, dtype: torch.dtype) -> Parts:
    """The tables of a block, made from those of skip-gram."""
    positive = block.positive_weights.to(dtype)
    count = positive.sum(1, keepdim=True)
    context_ids, negative_ids = block.output_ids.tensor_split([block.n_contexts])
    is_example = (count > 0).to(dtype)
    other = (block.center_ids[:, None] != negative_ids).to(dtype)
    share = block.k / len(negative_ids)
    return Parts(context_ids, negative_ids, positive / count.clamp(min=1), is_example, other * is_example * share)


def cbow_block_loss(contexts: Float[Tensor, "V D"], centers: Float[Tensor, "V D"], block: Block) -> Float[Tensor, ""]:
    """The summed loss of all words of the block that have a context, in nats."""
    p = parts(block, contexts.dtype)
    mean = p.average @ contexts[p.context_ids]  # T D
    positive = F.logsigmoid((mean * centers[block.center_ids]).sum(1, keepdim=True)) * p.is_example
    negative = F.logsigmoid(-mean @ centers[p.negative_ids].T) * p.negative_weights
    return -positive.sum() - negative.sum()


@torch.no_grad()
def cbow_block_step(contexts: Float[Tensor, "V D"], centers: Float[Tensor, "V D"], block: Block, lr: float) -> None:
    """One step down that loss, in place."""
    p = parts(block, contexts.dtype)
    mean = p.average @ contexts[p.context_ids]  # T D
    u, n = centers[block.center_ids], centers[p.negative_ids]  # T D, N D
    d_positive = (torch.sigmoid((mean * u).sum(1, keepdim=True)) - 1) * p.is_example  # T 1
    d_negatives = torch.sigmoid(mean @ n.T) * p.negative_weights  # T N
    d_mean = d_positive * u + d_negatives @ n  # T D
    centers.index_add_(0, block.center_ids, d_positive * mean, alpha=-lr)
    centers.index_add_(0, p.negative_ids, d_negatives.T @ mean, alpha=-lr)
    contexts.index_add_(0, p.context_ids, p.average.T @ d_mean, alpha=-lr)


CBOW = Model(cbow_block_step, cbow_block_loss, lambda block: float(block.positive_weights.any(1).sum()))
