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
from jaxtyping import Float
from scipy.optimize import minimize

from ..skipgram import log_sigmoid
from .pmi import pmi


def optimum(counts: Float[np.ndarray, "V V"], k: int) -> Float[np.ndarray, "V V"]:
    """PMI - log k: the scores with the least expected loss."""
    return pmi(counts) - np.log(k)


def expected_loss(
    scores: Float[np.ndarray, "V V"], counts: Float[np.ndarray, "V V"], k: int
) -> tuple[float, Float[np.ndarray, "V V"]]:
    """L, divided by the number of pairs (nats a pair), and its gradient by the scores."""
    positive = counts / counts.sum()
    negative = k * positive.sum(axis=1, keepdims=True) * positive.sum(axis=0, keepdims=True)
    loss = -(positive * log_sigmoid(scores) + negative * log_sigmoid(-scores)).sum()
    sigmoid = np.exp(log_sigmoid(scores))
    return float(loss), (positive + negative) * sigmoid - positive


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
    shape = (2, len(counts), dim)
    start = np.random.default_rng(seed).standard_normal(shape) / dim**0.5

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        words, contexts = flat.reshape(shape)
        loss, d_scores = expected_loss(words @ contexts.T, counts, k)
        return loss, np.stack([d_scores @ contexts, d_scores.T @ words]).ravel()

    options = {"maxiter": steps, "maxfun": 10 * steps, "maxcor": 50, "ftol": 0, "gtol": 1e-12}
    found = minimize(loss_and_gradient, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    words, contexts = found.x.reshape(shape)
    return words, contexts


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
