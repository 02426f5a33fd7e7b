r"""How good a prediction is: accuracy, R^2, and the agreement of two partitions.

The *Rand index* is the share of pairs of samples on which two partitions agree: together in both, or apart in both.
Random partitions agree on most pairs, too. The *adjusted* index is 0 for what chance gives with these cluster sizes,
and 1 for equal partitions. With n_ij samples in cluster i of one and j of the other, and sums over pairs C(n, 2):

    ARI = (sum_ij C(n_ij,2) - E) / ((A + B)/2 - E),   A = sum_i C(a_i,2),  B = sum_j C(b_j,2),  E = A B / C(n,2)

Source: Hubert and Arabie 1985, Comparing Partitions, eq. 5.
"""

import numpy as np
from jaxtyping import Shaped


def _same_length(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of one dimension. Raises ValueError unless they are equally long and not empty."""
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(f"y={a.shape}, predicted={b.shape}: must be two lists of one length, not empty")
    return a, b


def accuracy_score(y: Shaped[np.ndarray, "..."], predicted: Shaped[np.ndarray, "..."]) -> float:
    """The share of labels that are right."""
    y, predicted = _same_length(y, predicted)
    return float((y == predicted).mean())


def r2_score(y: Shaped[np.ndarray, "..."], predicted: Shaped[np.ndarray, "..."]) -> float:
    """1 - squared error / squared error of the mean: 1 is perfect, 0 no better than the mean.

    Raises:
        ValueError: all values of `y` are equal: there is nothing to explain.
    """
    y, predicted = _same_length(y, predicted)
    total = ((y - y.mean()) ** 2).sum()
    if total == 0:
        raise ValueError(f"y={y[0]} everywhere: must not be constant; R^2 has no meaning then")
    return float(1 - ((y - predicted) ** 2).sum() / total)


def adjusted_rand_score(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> float:
    """The agreement of two partitions, whatever their clusters are called."""
    a, b = _same_length(a, b)
    a, b = np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    together, first, second, pairs = _n_pairs(table), _n_pairs(table.sum(1)), _n_pairs(table.sum(0)), _n_pairs(len(a))
    if first == second and first in (0, pairs):
        return 1.0  # both put all samples in one cluster, or each in its own: the same partition
    expected = first * second / pairs
    return float((together - expected) / ((first + second) / 2 - expected))


def _n_pairs(sizes) -> float:
    """C(n, 2), summed over the sizes."""
    sizes = np.asarray(sizes)
    return float((sizes * (sizes - 1) / 2).sum())
