"""How often does each word stand near each other word?

Dimensions: V words.
"""

import numpy as np
from scipy.sparse import csr_matrix

from ..corpus import Corpus


def cooccurrence(corpus: Corpus, window: int, shrink_windows: bool = True) -> csr_matrix:
    """The V by V matrix of the expected number of (row, column) pairs, over all draws of the windows' widths.

    With `shrink_windows` a context at distance d counts (window - d + 1) / window: the probability that a width drawn
    from 1..window reaches it. Otherwise it counts 1. The matrix is symmetric.

    Raises:
        ValueError: `window` is below one.
    """
    if window < 1:
        raise ValueError(f"window={window}: must be at least 1; a word needs neighbors")
    size = len(corpus.vocabulary)
    sentence = np.repeat(np.arange(len(corpus.starts)), np.diff(np.append(corpus.starts, len(corpus))))
    total = csr_matrix((size, size))
    for d in range(1, window + 1):
        together = sentence[d:] == sentence[:-d]
        left, right = corpus.ids[:-d][together], corpus.ids[d:][together]
        weight = (window - d + 1) / window if shrink_windows else 1.0
        total += csr_matrix((np.full(len(left), weight), (left, right)), shape=(size, size))
    return total + total.T
