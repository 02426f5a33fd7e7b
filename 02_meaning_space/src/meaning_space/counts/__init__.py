"""Side quest: word vectors by counting, and why skip-gram is counting too.

Read `cooccurrence.py`, `pmi.py`, `factorise.py`, then `exact.py`, where the optimum of skip-gram turns out to be
a matrix of counts.
"""
from .cooccurrence import cooccurrence
from .exact import expected_loss, fit, optimum
from .factorise import randomised_svd, word_vectors
from .pmi import pmi, ppmi

__all__ = ["cooccurrence", "expected_loss", "fit", "optimum", "pmi", "ppmi", "randomised_svd", "word_vectors"]
