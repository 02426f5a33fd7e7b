"""The fast form: a block of running text shares its noise words, and the step becomes three matrix products.

In the per-pair form each pair fetches K noise vectors of its own. Here T neighbouring words share N noise words, each
standing for K / N of a draw, so that the expected gradient is the same. All scores of a block are one table,

    centres (T, D) times others (C + N, D) transposed,   others = the C words of the text around, then N noise words

and two tables of the same shape say what each score counts for:

    real     1 where the other word stands in the centre's window: a diagonal band, of which row i begins at column i
    drawn    for a noise word K / N for each pair of the centre whose context is another word, 0 in the other columns

Scores outside the band are computed in vain, which is still cheaper than fetching rows one by one: every vector is
fetched once for a block instead of once for each pair. Sharing noise: Ji et al. 2016, "Parallelizing Word2Vec in Shared
and Distributed Memory".

T words in a block, w largest width, C = T + 2w, W = 2w + 1, N shared noise words, O = C + N, M blocks, D dimensions,
V words in the vocabulary.
"""
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .windows import Stream

AT_ONCE = 128       # blocks whose tables are made together; about five megabytes each time


@dataclass(frozen=True)
class Block:
    """T words of running text, the words they are scored against, and what each score counts for."""
    centre: Int[Tensor, "T"]
    others: Int[Tensor, "O"]
    real: Float[Tensor, "T O"]
    drawn: Float[Tensor, "T O"]
    noise: int                      # N: the last N of `others` are noise words,
    negatives: int                  # which stand for K draws at each pair


def blocks(text: Stream, noise: Int[Tensor, "M N"], size: int, negatives: int,
           first: int = 0, stride: int = 1) -> Iterator[tuple[int, Block]]:
    """Cuts the text into blocks of `size` words: every `stride`-th from `first` on, with its number.

    The text is filled up with word 0 at either end; what is filled up counts for nothing.

    Raises ValueError if there is not one row of noise for each block.
    """
    spare, around = -len(text) % size, size + 2 * text.width
    if len(noise) * size != len(text) + spare:
        raise ValueError(f"noise has {len(noise)} rows; a text of {len(text)} words has {(len(text) + spare) // size} "
                         f"blocks of {size}")
    ids = torch.from_numpy(text.ids)
    centres = F.pad(ids, (0, spare)).view(-1, size)                                            # M T
    contexts = F.pad(ids, (text.width, text.width + spare)).unfold(0, around, size)            # M C
    mask = F.pad(torch.from_numpy(text.mask(0, len(text))), (0, 0, 0, spare)).view(-1, size, 2 * text.width + 1)
    numbers = torch.arange(first, len(centres), stride)
    for chunk in numbers.split(AT_ONCE):
        real = band(mask[chunk], around)
        drawn = draws(real, contexts[chunk], noise[chunk], negatives)
        others = torch.cat([contexts[chunk], noise[chunk]], dim=1)
        real = F.pad(real, (0, noise.shape[1]))
        drawn = F.pad(drawn, (around, 0))
        for i, number in enumerate(chunk.tolist()):
            yield number, Block(centres[number], others[i], real[i], drawn[i], noise.shape[1], negatives)


def band(mask: Bool[Tensor, "M T W"], columns: int) -> Float[Tensor, "M T C"]:
    """Writes row i of each mask from column i on: place j of a window is column i + j of the words around the block."""
    M, T, W = mask.shape
    dense = torch.zeros(M, T, columns)
    dense.as_strided((M, T, W), (T * columns, columns + 1, 1)).copy_(mask)
    return dense


def draws(real: Float[Tensor, "M T C"], contexts: Int[Tensor, "M C"], noise: Int[Tensor, "M N"],
          negatives: int) -> Float[Tensor, "M T N"]:
    """How many draws each noise word stands for at each centre: K / N for each pair whose context is not that word."""
    same = (contexts[:, :, None] == noise[:, None, :]).to(real.dtype)
    return (real.sum(2, keepdim=True) - real @ same) * (negatives / noise.shape[1])


def block_loss(centres: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], block: Block) -> Float[Tensor, ""]:
    """The loss of all pairs of the block, in nats: what `block_step` steps down, written for autograd to check it."""
    scores = centres[block.centre] @ contexts[block.others].T
    return -(F.logsigmoid(scores) * block.real).sum() - (F.logsigmoid(-scores) * block.drawn).sum()


@torch.no_grad()
def block_step(centres: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], block: Block, rate: float) -> None:
    """One step down the block's summed loss, in place; all gradients are taken at the old vectors.

    A score's gradient is sigmoid(score) - 1 for a real pair and sigmoid(score) for a drawn one, each times its count.
    """
    v, u = centres[block.centre], contexts[block.others]                                        # T D, O D
    d_scores = torch.sigmoid_(v @ u.T).mul_(block.real + block.drawn).sub_(block.real)          # T O
    contexts.index_add_(0, block.others, d_scores.T @ v, alpha=-rate)
    centres.index_add_(0, block.centre, d_scores @ u, alpha=-rate)
