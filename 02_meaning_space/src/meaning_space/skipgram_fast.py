"""The fast forms of `skipgram.sgd_step`, in PyTorch: pair by pair, then a block of text at a time.

Pair by pair, each pair fetches K + 2 vectors and multiplies vectors with vectors. In a block, T neighboring words share
N negatives. Every vector is fetched once for the block, and the step becomes three matrix products (Ji et al. 2016,
"Parallelizing Word2Vec in Shared and Distributed Memory").

All scores of a block are one table, T center words by C + N output words. The output words are the C words of the text
around the block, then the negatives. A table of weights says how often each score counts:

    positive   column j < C    1 if word j is in the center's window. Only a diagonal band is; the rest of the product
                               is computed in vain, which is cheaper than fetching vectors for each pair.
    negative   column j >= C   K / N for each pair of the center whose context is not this word. Each pair has K
                               negatives in expectation, so that the expected gradient is that of the plain form.

Dimensions: T words in a block, w window, C = T + 2w context words, N shared negatives, O = C + N output words, B pairs,
K negatives for each pair, D embedding dimensions, V words in the vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


@torch.no_grad()
def pair_step(
    centers: Float[Tensor, "V D"],
    contexts: Float[Tensor, "V D"],
    pairs: Int[Tensor, "B 2"],
    negatives: Int[Tensor, "B K"],
    lr: float,
) -> None:
    """The step of `skipgram.sgd_step`, in place."""
    center, context = pairs.T
    v, u, n = centers[center], contexts[context], contexts[negatives]  # B D, B D, B K D
    d_positive = torch.sigmoid((v * u).sum(1)) - 1  # B
    d_negatives = torch.sigmoid(torch.einsum("bd,bkd->bk", v, n))  # B K
    d_center = d_positive[:, None] * u + torch.einsum("bk,bkd->bd", d_negatives, n)
    d_noise = d_negatives[:, :, None] * v[:, None, :]  # B K D
    contexts.index_add_(0, context, d_positive[:, None] * v, alpha=-lr)
    contexts.index_add_(0, negatives.flatten(), d_noise.flatten(0, 1), alpha=-lr)
    centers.index_add_(0, center, d_center, alpha=-lr)


@dataclass(frozen=True)
class Block:
    """T words of running text, the words they are scored against, and how often each score counts."""

    center_ids: Int[Tensor, "T"]
    output_ids: Int[Tensor, "O"]
    weights: Float[Tensor, "T O"]
    n_contexts: int  # C: the first C output words are contexts, the others negatives
    k: int  # negatives of each pair

    @property
    def positive_weights(self) -> Float[Tensor, "T C"]:
        """1 where the context word is in the center's window."""
        return self.weights[:, : self.n_contexts]

    @property
    def negative_weights(self) -> Float[Tensor, "T N"]:
        """K / N for each pair of the center that has this word as a negative."""
        return self.weights[:, self.n_contexts :]


def block_loss(centers: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], block: Block) -> Float[Tensor, ""]:
    """The summed loss of all pairs of the block, in nats: logistic regression with label 1 for a context, else 0."""
    scores = centers[block.center_ids] @ contexts[block.output_ids].T  # T O
    labels = torch.zeros_like(scores)
    labels[:, : block.n_contexts] = 1
    weights = block.weights.to(scores.dtype)
    return F.binary_cross_entropy_with_logits(scores, labels, weights, reduction="sum")


@torch.no_grad()
def block_step(centers: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], block: Block, lr: float) -> None:
    """One step down the block's summed loss, in place. All gradients are taken at the old vectors."""
    v, u = centers[block.center_ids], contexts[block.output_ids]  # T D, O D
    d_scores = torch.sigmoid_(v @ u.T)  # T O
    d_scores[:, : block.n_contexts] -= 1  # sigmoid(score) - label
    d_scores *= block.weights
    contexts.index_add_(0, block.output_ids, d_scores.T @ v, alpha=-lr)
    centers.index_add_(0, block.center_ids, d_scores @ u, alpha=-lr)
