"""The classical algorithms by hand, and what they can read in word vectors.

Read in this order:

1. `linear.py`     least squares three ways: what conditioning costs
2. `logistic.py`   softmax regression by Newton's method, then `proximal.py`: how L1 makes exact zeros
3. `bayes.py`      counting
4. `kmeans.py`     and `mixture.py`: two steps in turn, neither of which can make things worse
5. `tree.py`       greedy questions
6. `svm.py`        two coordinates at a time
7. `scaling.py`, `folds.py`, `scores.py`, `search.py`: how to find out whether any of it works
8. `words.py`      all of it turned on learned vectors; `word_classes.py` has the words
9. `pairs.py`, `compare.py`: each algorithm beside scikit-learn; `pitfalls.py`: what goes wrong, measured

Each estimator is a dataclass: its fields are its settings, `fit` adds what it learns with a trailing underscore, and
`dataclasses.replace(estimator)` is a fresh copy. Names are scikit-learn's.
"""
from .bayes import GaussianNB, MultinomialNB
from .folds import KFold, StratifiedKFold, split_by_group
from .inputs import ConvergenceWarning
from .kmeans import KMeans
from .linear import LinearRegression
from .logistic import LogisticRegression
from .mixture import GaussianMixture
from .scaling import Scaled, StandardScaler
from .scores import accuracy, adjusted_rand, r_squared
from .search import GridSearch, cross_val_score
from .svm import SVC
from .tree import DecisionTreeClassifier
from .word_classes import DOCUMENTATION, FICTION
from .words import labelled, probe_words

__all__ = [
    "DOCUMENTATION", "FICTION", "SVC", "ConvergenceWarning", "DecisionTreeClassifier", "GaussianMixture", "GaussianNB",
    "GridSearch", "KFold", "KMeans", "LinearRegression", "LogisticRegression", "MultinomialNB", "Scaled",
    "StandardScaler", "StratifiedKFold", "accuracy", "adjusted_rand", "cross_val_score", "labelled", "probe_words",
    "r_squared", "split_by_group",
]
