"""Continuous bag of words: the mean of the context predicts the word in the middle (Mikolov et al. 2013a, section 3.1).

Letters as in `blocks.py`; M contexts of one word.
"""
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
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


def averages(block: Block) -> tuple[Int[Tensor, "C"], Float[Tensor, "T C"], Float[Tensor, "T 1"]]:
    """The words around the block, the matrix that averages each centre's contexts, and whether it has any (1 or 0)."""
    contexts, real = block.others[:-block.noise], block.real[:, :-block.noise]
    count = real.sum(1, keepdim=True)
    return contexts, real / count.clamp(min=1), (count > 0).to(real.dtype)


def draws(block: Block, some: Float[Tensor, "T 1"]) -> Float[Tensor, "T N"]:
    """What each noise word counts for: K / N at every centre that has a context and is another word."""
    other = (block.centre[:, None] != block.others[-block.noise:]).to(some.dtype)
    return other * some * (block.negatives / block.noise)


def cbow_block_loss(around: Float[Tensor, "V D"], middle: Float[Tensor, "V D"], block: Block) -> Float[Tensor, ""]:
    """The loss of all words of the block that have a context, in nats, for autograd to check `cbow_block_step`."""
    contexts, average, some = averages(block)
    mean = average.to(around.dtype) @ around[contexts]
    score = (mean * middle[block.centre]).sum(1, keepdim=True)
    noise = F.logsigmoid(-mean @ middle[block.others[-block.noise:]].T) * draws(block, some)
    return -(F.logsigmoid(score) * some).sum() - noise.sum()


@torch.no_grad()
def cbow_block_step(around: Float[Tensor, "V D"], middle: Float[Tensor, "V D"], block: Block, rate: float) -> None:
    """One step down that loss, in place: `around` are the input vectors, `middle` the output vectors."""
    contexts, average, some = averages(block)
    average, noise = average.to(around.dtype), block.others[-block.noise:]
    u, n = middle[block.centre], middle[noise]
    mean = average @ around[contexts]
    d_score = (torch.sigmoid((mean * u).sum(1, keepdim=True)) - 1) * some           # T 1
    d_noise = torch.sigmoid(mean @ n.T) * draws(block, some)                        # T N
    middle.index_add_(0, block.centre, d_score * mean, alpha=-rate)
    middle.index_add_(0, noise, d_noise.T @ mean, alpha=-rate)
    around.index_add_(0, contexts, average.T @ (d_score * u + d_noise @ n), alpha=-rate)
