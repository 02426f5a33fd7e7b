"""Pointwise mutual information: how much oftener two words meet than their frequencies alone would have it. V words."""
import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix


def pmi(counts: Float[np.ndarray, "V V"]) -> Float[np.ndarray, "V V"]:
    """log(#(w, c) |D| / (#(w) #(c))) in nats; minus infinity where w and c never meet (Church & Hanks 1990).

    Raises ValueError if a word meets no other: its frequency is zero.
    """
    rows, columns = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    if not rows.all() or not columns.all():
        raise ValueError(f"counts have {int((rows == 0).sum())} rows and {int((columns == 0).sum())} columns of zeros: "
                         f"drop the words that never meet another")
    with np.errstate(divide="ignore"):
        return np.log(counts * counts.sum() / (rows * columns))


def ppmi(counts: csr_matrix, negatives: int = 1, power: float = 1.0) -> csr_matrix:
    """max(0, PMI - log k), kept sparse: pairs that never meet, and pairs that meet too seldom, are zero.

    `negatives` is k, the shift that skip-gram with k negatives has; `power` 3/4 smooths the contexts' frequencies as
    its noise distribution does (Levy, Goldberg & Dagan 2015, sections 3.2 and 3.3).

    Raises ValueError if `negatives` is below one.
    """
    if negatives < 1:
        raise ValueError(f"negatives={negatives} must be at least 1: PMI - log k is infinite for k = 0")
    met = counts.tocoo()
    word = np.asarray(counts.sum(axis=1)).ravel()
    context = np.asarray(counts.sum(axis=0)).ravel() ** power
    share = context / context.sum()
    value = np.log(met.data / (word[met.row] * share[met.col])) - np.log(negatives)
    positive = value > 0
    return csr_matrix((value[positive], (met.row[positive], met.col[positive])), shape=counts.shape)
