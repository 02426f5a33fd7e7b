"""The fast form: a block of running text shares its noise words, and the step becomes a few matrix products.

In the per-pair form each pair fetches K noise vectors of its own. Here T neighbouring words share N noise words, each
standing for K / N of a draw, so that the expected gradient is the same:

    scores    centres (T, D) times contexts (T + 2w, D) transposed. Row i needs only the 2w + 1 places around it, a
              diagonal band. The products outside it are wasted, and still cheaper than fetching rows one by one.
    noise     centres (T, D) times noise (N, D) transposed, weighted by the number of pairs of each row times K / N.

Every vector is fetched once for a block instead of once for each pair. Sharing noise: Ji et al. 2016,
"Parallelizing Word2Vec in Shared and Distributed Memory".

T words in a block, w largest width, C = T + 2w contexts, W = 2w + 1 places, N shared noise words, D dimensions, V words
in the vocabulary.
"""
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .windows import Stream


@dataclass(frozen=True)
class Block:
    """T words of running text. Word i looks at those of `context[i : i + W]` that `mask[i]` marks."""
    centre: Int[Tensor, "T"]
    context: Int[Tensor, "C"]       # the same words and w more on either side, filled up with word 0 at the text's ends
    mask: Bool[Tensor, "T W"]
    noise: Int[Tensor, "N"]
    negatives: int                  # K, how many draws the noise stands for in each pair

    def band(self, dense: Float[Tensor, "T C"]) -> Float[Tensor, "T W"]:
        """The diagonal band of a matrix of words by contexts, as a view: row i begins at column i."""
        rows, columns = dense.shape
        return dense.as_strided((rows, self.mask.shape[1]), (columns + 1, 1))

    def spread(self, band: Float[Tensor, "T W"]) -> Float[Tensor, "T C"]:
        """The matrix that has `band` on its diagonal band and zeros elsewhere."""
        dense = band.new_zeros(len(self.centre), len(self.context))
        self.band(dense).copy_(band)
        return dense


def blocks(text: Stream, noise: Int[Tensor, "M N"], size: int, negatives: int,
           first: int = 0, stride: int = 1) -> Iterator[tuple[int, Block]]:
    """Cuts the text into blocks of `size` words: every `stride`-th from `first` on, with its number."""
    ids = torch.from_numpy(text.ids)
    padded = F.pad(ids, (text.width, text.width))
    mask = torch.from_numpy(text.mask(0, len(text)))
    for number in range(first, (len(text) + size - 1) // size, stride):
        i, j = number * size, min((number + 1) * size, len(text))
        yield number, Block(ids[i:j], padded[i:j + 2 * text.width], mask[i:j], noise[number], negatives)


def noise_weight(block: Block, pairs: Float[Tensor, "T W"]) -> Float[Tensor, "T N"]:
    """How many draws noise word n stands for at word i: K / N for each pair of i whose context is not n itself."""
    share = block.negatives / len(block.noise)
    weight = (pairs.sum(1, keepdim=True) * share).repeat(1, len(block.noise))
    place, column = (block.context[:, None] == block.noise).nonzero(as_tuple=True)
    if len(place):
        collides = block.spread(pairs)[:, place]
        weight.index_add_(1, column, collides, alpha=-share)
    return weight


def block_loss(centres: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], block: Block) -> Float[Tensor, ""]:
    """The loss of all pairs of the block, in nats: what `block_step` steps down, written for autograd to check it."""
    v = centres[block.centre]
    scores = block.band(v @ contexts[block.context].T)
    pairs = block.mask.to(v.dtype)
    noise = F.logsigmoid(-v @ contexts[block.noise].T) * noise_weight(block, pairs)
    return -(F.logsigmoid(scores) * pairs).sum() - noise.sum()


@torch.no_grad()
def block_step(centres: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], block: Block, rate: float) -> None:
    """One step down the block's summed loss, in place; all gradients are taken at the old vectors."""
    v, u, n = centres[block.centre], contexts[block.context], contexts[block.noise]     # T D, C D, N D
    pairs = block.mask.to(v.dtype)
    d_score = block.spread(torch.sigmoid(block.band(v @ u.T)).sub_(1).mul_(pairs))      # T C
    d_noise = torch.sigmoid_(v @ n.T).mul_(noise_weight(block, pairs))                  # T N
    contexts.index_add_(0, block.context, d_score.T @ v, alpha=-rate)
    contexts.index_add_(0, block.noise, d_noise.T @ v, alpha=-rate)
    centres.index_add_(0, block.centre, torch.addmm(d_score @ u, d_noise, n), alpha=-rate)
