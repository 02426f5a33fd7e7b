"""Side quest: the classical algorithms by hand, and what they can read in word vectors.

Read in this order:

0. `estimation.py`, `descent.py`: Bayes, likelihood and prior; batches and momentum
1. `linear.py`      least squares three ways: what conditioning costs
2. `logistic.py`    softmax regression by Newton's method, then `proximal.py`: how L1 makes exact zeros
3. `bayes.py`       counting
4. `kmeans.py`      and `mixture.py`: two steps in turn, neither of which can make things worse
5. `tree.py`        greedy questions
6. `svm.py`         two coordinates at a time
7. `scaling.py`, `folds.py`, `metrics.py`, `search.py`: how to find out whether any of it works
8. `probing.py`     all of it applied to word vectors; `word_classes.py` has the words

Each estimator is a dataclass: its fields are its settings, `fit` adds what it learns with a trailing underscore, and
`dataclasses.replace(estimator)` is a fresh copy. Names are scikit-learn's. `validation.py` checks all inputs.
"""

from .bayes import GaussianNB, MultinomialNB
from .folds import KFold, StratifiedKFold, split_by_group
from .kmeans import KMeans
from .linear import LinearRegression
from .logistic import LogisticRegression
from .metrics import accuracy_score, adjusted_rand_score, r2_score
from .mixture import GaussianMixture
from .probing import labeled_rows, probe_words
from .scaling import StandardizedEstimator, StandardScaler
from .search import GridSearch, cross_val_score
from .svm import SVC
from .tree import DecisionTreeClassifier
from .validation import ConvergenceWarning
from .word_classes import DOCUMENTATION, FICTION

__all__ = [
    "DOCUMENTATION",
    "FICTION",
    "SVC",
    "ConvergenceWarning",
    "DecisionTreeClassifier",
    "GaussianMixture",
    "GaussianNB",
    "GridSearch",
    "KFold",
    "KMeans",
    "LinearRegression",
    "LogisticRegression",
    "MultinomialNB",
    "StandardScaler",
    "StandardizedEstimator",
    "StratifiedKFold",
    "accuracy_score",
    "adjusted_rand_score",
    "cross_val_score",
    "labeled_rows",
    "probe_words",
    "r2_score",
    "split_by_group",
]
