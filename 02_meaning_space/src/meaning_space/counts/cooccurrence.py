"""How often does each word stand near each other word? V words."""
import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix

from ..corpus import Corpus


def cooccurrence(corpus: Corpus, window: int, dynamic: bool = True) -> csr_matrix:
    """The V by V matrix of the expected number of (row, column) pairs, over all draws of the windows' widths.

    With `dynamic` a context at distance d counts (window - d + 1) / window, the chance that a width drawn uniformly
    from 1..window reaches it; otherwise 1. The matrix is symmetric.

    Raises ValueError if `window` is below one.
    """
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    size = len(corpus.vocabulary)
    sentence = np.repeat(np.arange(len(corpus.starts)), np.diff(np.append(corpus.starts, len(corpus))))
    total = csr_matrix((size, size))
    for d in range(1, window + 1):
        together = sentence[d:] == sentence[:-d]
        left, right = corpus.ids[:-d][together], corpus.ids[d:][together]
        weight = np.full(len(left), (window - d + 1) / window if dynamic else 1.0)
        total += csr_matrix((weight, (left, right)), shape=(size, size))
    return total + total.T


def dense(matrix: csr_matrix) -> Float[np.ndarray, "V V"]:
    """The matrix with its zeros written out."""
    return matrix.toarray()
