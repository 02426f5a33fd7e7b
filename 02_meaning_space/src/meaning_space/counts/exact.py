"""What skip-gram computes: at its optimum, w . c = PMI(w, c) - log k (Levy & Goldberg 2014b).

Over all text the expected loss is (their eq. 4, negated)

    L = - sum_wc [ #(w, c) log sigmoid(w . c) + k #(w) #(c) / |D| log sigmoid(-w . c) ]

Set x = w . c, let every x be free, and differentiate: #(w, c) (1 - sigmoid(x)) = k #(w) #(c) / |D| sigmoid(x), so

    exp(x) = #(w, c) |D| / (k #(w) #(c)),   x = PMI(w, c) - log k.

With D >= V every matrix of scores is a product W C', so that the x are free. With fewer dimensions, gradient descent
finds the product that is best by this loss. Negatives are drawn by plain frequency here: the derivation needs it.

Dimensions: V words, D embedding dimensions.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .pmi import pmi


def optimum(counts: Float[np.ndarray, "V V"], k: int) -> Float[np.ndarray, "V V"]:
    """PMI - log k: the scores with the least expected loss."""
    return pmi(counts) - np.log(k)


def expected_loss(scores: Float[Tensor, "V V"], counts: Float[Tensor, "V V"], k: int) -> Float[Tensor, ""]:
    """L, divided by the number of pairs: nats a pair."""
    share = counts / counts.sum()
    negatives = k * share.sum(1, keepdim=True) * share.sum(0, keepdim=True)
    return -(share * F.logsigmoid(scores) + negatives * F.logsigmoid(-scores)).sum()


def fit(
    counts: Float[np.ndarray, "V V"], dim: int, k: int, seed: int, steps: int = 600
) -> tuple[Float[np.ndarray, "V D"], Float[np.ndarray, "V D"]]:
    """Word and context vectors that minimize the expected loss over the whole matrix, by L-BFGS in float64.

    Raises:
        ValueError: `counts` hold a zero: the optimal score of a pair that never meets is minus infinity.
    """
    if not counts.all():
        raise ValueError(
            f"counts={int((counts == 0).sum())} zeros: every pair must meet; take more frequent words or a wider window"
        )
    table = torch.from_numpy(counts)
    generator = torch.Generator().manual_seed(seed)
    words = torch.randn((len(counts), dim), generator=generator, dtype=torch.float64) / dim**0.5
    contexts = torch.randn((len(counts), dim), generator=generator, dtype=torch.float64) / dim**0.5
    parameters = [words.requires_grad_(), contexts.requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=steps,
        history_size=50,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = expected_loss(words @ contexts.T, table, k)
        loss.backward()
        return loss

    optimizer.step(closure)
    return words.detach().numpy(), contexts.detach().numpy()


def words_that_all_meet(counts: Float[np.ndarray, "V V"], size: int) -> list[int]:
    """The first `size` words that all meet each other. The word with the most zeros is dropped until none is left.

    Raises:
        ValueError: fewer words remain.
    """
    kept = list(range(len(counts)))
    zeros = (counts == 0).sum(axis=1)
    while zeros.any():
        kept.pop(int(zeros.argmax()))
        zeros = (counts[np.ix_(kept, kept)] == 0).sum(axis=1)
    if len(kept) < size:
        raise ValueError(f"size={size}: only {len(kept)} words all meet each other; lower size or widen the window")
    return kept[:size]
