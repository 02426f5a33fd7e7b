"""Side quest: word vectors by counting, and why skip-gram counts too.

Read `cooccurrence.py`, `pmi.py`, `factorize.py`, then `exact.py`: the optimum of skip-gram is a matrix of counts.
"""

from .cooccurrence import cooccurrence
from .exact import expected_loss, fit, optimum
from .factorize import randomized_svd, word_vectors
from .pmi import pmi, ppmi

__all__ = ["cooccurrence", "expected_loss", "fit", "optimum", "pmi", "ppmi", "randomized_svd", "word_vectors"]
