"""Pointwise mutual information: how much more often two words meet than their frequencies alone would make them.

Dimensions: V words.
"""

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix


def pmi(counts: Float[np.ndarray, "V V"]) -> Float[np.ndarray, "V V"]:
    """log(#(w, c) |D| / (#(w) #(c))) in nats; minus infinity where w and c never meet (Church & Hanks 1990).

    Raises:
        ValueError: a word meets no other, so that its frequency is zero.
    """
    rows, columns = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    empty = int((rows == 0).sum()), int((columns == 0).sum())
    if any(empty):
        raise ValueError(
            f"counts={empty[0]} rows and {empty[1]} columns of zeros: each word must meet another; drop the others"
        )
    with np.errstate(divide="ignore"):  # the logarithm of zero is minus infinity, as promised
        return np.log(counts * counts.sum() / (rows * columns))


def ppmi(counts: csr_matrix, k: int = 1, power: float = 1.0) -> csr_matrix:
    """max(0, PMI - log k), kept sparse: pairs that never meet, or meet too seldom, are zero.

    `k` is the shift that skip-gram with k negatives has. `power` 3/4 smooths the frequencies of the contexts as its
    negatives do (Levy, Goldberg & Dagan 2015, sections 3.2 and 3.3).

    Raises:
        ValueError: `k` is below one.
    """
    if k < 1:
        raise ValueError(f"k={k}: must be at least 1; log k is minus infinity for 0")
    met = counts.tocoo()
    word = np.asarray(counts.sum(axis=1)).ravel()
    context = np.asarray(counts.sum(axis=0)).ravel() ** power
    share = context / context.sum()
    value = np.log(met.data / (word[met.row] * share[met.col])) - np.log(k)
    positive = value > 0
    return csr_matrix((value[positive], (met.row[positive], met.col[positive])), shape=counts.shape)
