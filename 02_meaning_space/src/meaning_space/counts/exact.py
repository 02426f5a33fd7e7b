"""What skip-gram computes: at its optimum, w . c = PMI(w, c) - log k (Levy & Goldberg 2014b). V words, D dimensions.

Over all text the expected loss is (their eq. 4, negated)

    L = - sum_wc [ #(w, c) log sigmoid(w . c) + k #(w) #(c) / |D| log sigmoid(-w . c) ]

Set x = w . c, let every x be free, and differentiate: #(w, c) (1 - sigmoid(x)) = k #(w) #(c) / |D| sigmoid(x), so

    exp(x) = #(w, c) |D| / (k #(w) #(c)),   x = PMI(w, c) - log k.

With D >= V every matrix of scores is a product W C', and the x are free indeed; with fewer dimensions, gradient descent
finds the product that comes nearest by this loss. The noise is drawn by plain frequency here, as the derivation needs.
"""
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .pmi import pmi


def optimum(counts: Float[np.ndarray, "V V"], negatives: int) -> Float[np.ndarray, "V V"]:
    """PMI - log k: the scores with the least expected loss."""
    return pmi(counts) - np.log(negatives)


def expected_loss(scores: Float[Tensor, "V V"], counts: Float[Tensor, "V V"], negatives: int) -> Float[Tensor, ""]:
    """L of the module's text, divided by the number of pairs: nats a pair."""
    share = counts / counts.sum()
    noise = negatives * share.sum(1, keepdim=True) * share.sum(0, keepdim=True)
    return -(share * F.logsigmoid(scores) + noise * F.logsigmoid(-scores)).sum()


def fit(counts: Float[np.ndarray, "V V"], dimensions: int, negatives: int, seed: int, steps: int = 600) -> tuple[
        Float[np.ndarray, "V D"], Float[np.ndarray, "V D"]]:
    """Word and context vectors that minimise the expected loss over the whole matrix, by L-BFGS in float64.

    Raises ValueError if `counts` hold a zero: the optimal score of a pair that never meets is minus infinity.
    """
    if not counts.all():
        raise ValueError(f"counts hold {int((counts == 0).sum())} zeros, whose optimum is minus infinity: "
                         f"take more frequent words or a wider window")
    table = torch.from_numpy(counts)
    draw = torch.Generator().manual_seed(seed)
    size = (len(counts), dimensions)
    words, contexts = (torch.randn(size, generator=draw, dtype=torch.float64).mul_(dimensions ** -0.5)
                       .requires_grad_() for _ in range(2))
    descent = torch.optim.LBFGS([words, contexts], max_iter=steps, history_size=50, tolerance_grad=1e-12,
                                tolerance_change=0, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        loss = expected_loss(words @ contexts.T, table, negatives)
        loss.backward()
        return loss

    descent.step(closure)
    return words.detach().numpy(), contexts.detach().numpy()


def meeting(counts: Float[np.ndarray, "V V"], size: int) -> list[int]:
    """The first `size` words that all meet each other: of the rest, those with the most gaps are left out one by one.

    Raises ValueError if fewer remain.
    """
    kept = list(range(len(counts)))
    while (gaps := (counts[np.ix_(kept, kept)] == 0).sum(axis=1)).any():
        kept.pop(int(gaps.argmax()))
    if len(kept) < size:
        raise ValueError(f"size={size} words that all meet each other were asked for, {len(kept)} were found")
    return kept[:size]
