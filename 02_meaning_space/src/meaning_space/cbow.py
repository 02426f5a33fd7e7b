"""Continuous bag of words: the mean of the context predicts the word in the middle (Mikolov et al. 2013a, section 3.1).

Letters as in `blocks.py`; M contexts of one word.
"""
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .blocks import Block
from .skipgram import loss_and_gradients


def cbow_loss_and_gradients(
        around: Float[np.ndarray, "M D"], word: Float[np.ndarray, "D"], negatives: Float[np.ndarray, "K D"],
) -> tuple[float, Float[np.ndarray, "M D"], Float[np.ndarray, "D"], Float[np.ndarray, "K D"]]:
    """The loss of one word, in nats, and its gradients in the arguments' order.

    The mean takes the place of the centre's vector, and each context vector receives 1 / M of its gradient. The
    original program passes on the whole of it, which is not the gradient of any loss (Irsoy et al. 2021).
    """
    mean = around.mean(axis=0)
    loss, d_mean, d_word, d_negatives = loss_and_gradients(mean[None], word[None], negatives[None])
    return float(loss[0]), np.repeat(d_mean / len(around), len(around), axis=0), d_word[0], d_negatives[0]


def _averages(block: Block, dtype: torch.dtype) -> tuple[Float[Tensor, "T C"], Float[Tensor, "T N"]]:
    """The matrix that averages each word's contexts, and the draws each noise word stands for at each word."""
    pairs = block.mask.to(dtype)
    count = pairs.sum(1, keepdim=True)
    draws = (block.centre[:, None] != block.noise) * (count > 0) * (block.negatives / len(block.noise))
    return block.spread(pairs / count.clamp(min=1)), draws.to(dtype)


def cbow_block_loss(around: Float[Tensor, "V D"], middle: Float[Tensor, "V D"], block: Block) -> Float[Tensor, ""]:
    """The loss of all words of the block that have a context, in nats, for autograd to check `cbow_block_step`."""
    average, draws = _averages(block, around.dtype)
    mean = average @ around[block.context]
    score = (mean * middle[block.centre]).sum(1)
    noise = F.logsigmoid(-mean @ middle[block.noise].T) * draws
    return -(F.logsigmoid(score) * block.mask.any(1)).sum() - noise.sum()


@torch.no_grad()
def cbow_block_step(around: Float[Tensor, "V D"], middle: Float[Tensor, "V D"], block: Block, rate: float) -> None:
    """One step down that loss, in place: `around` are the input vectors, `middle` the output vectors."""
    average, draws = _averages(block, around.dtype)
    u, n = middle[block.centre], middle[block.noise]
    mean = average @ around[block.context]
    d_score = (torch.sigmoid((mean * u).sum(1)) - 1) * block.mask.any(1)        # T
    d_noise = torch.sigmoid(mean @ n.T) * draws                                 # T N
    d_mean = d_score[:, None] * u + d_noise @ n
    middle.index_add_(0, block.centre, d_score[:, None] * mean, alpha=-rate)
    middle.index_add_(0, block.noise, d_noise.T @ mean, alpha=-rate)
    around.index_add_(0, block.context, average.T @ d_mean, alpha=-rate)
