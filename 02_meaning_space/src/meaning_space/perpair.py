"""The step of `skipgram.py` in PyTorch, pair by pair: every pair gathers and scatters noise vectors of its own.

B pairs, D dimensions, K negatives for each pair, V words. This form moves (K + 2) rows of memory in and out for each
pair and multiplies vectors with vectors: `blocks.py` is the answer to that.
"""
import torch
from jaxtyping import Float, Int
from torch import Tensor


@torch.no_grad()
def pair_step(centres: Float[Tensor, "V D"], contexts: Float[Tensor, "V D"], pairs: Int[Tensor, "B 2"],
              negatives: Int[Tensor, "B K"], rate: float) -> None:
    """Takes the step of `skipgram.sgd_step`, in place."""
    centre, context = pairs.T
    v, u, n = centres[centre], contexts[context], contexts[negatives]          # B D, B D, B K D
    d_score = torch.sigmoid((v * u).sum(1)) - 1
    d_noise = torch.sigmoid(torch.einsum("bd,bkd->bk", v, n))
    d_centre = d_score[:, None] * u + torch.einsum("bk,bkd->bd", d_noise, n)
    contexts.index_add_(0, context, d_score[:, None] * v, alpha=-rate)
    contexts.index_add_(0, negatives.flatten(), (d_noise[:, :, None] * v[:, None]).flatten(0, 1), alpha=-rate)
    centres.index_add_(0, centre, d_centre, alpha=-rate)
