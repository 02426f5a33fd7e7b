r"""How good a prediction is: accuracy, R^2, and agreement of two partitions.

The *Rand index* is the share of pairs of samples on which two partitions agree (together in both, or apart in both).
Even random partitions agree on most pairs, so it is *adjusted*: 0 is what chance gives with these cluster sizes, 1 is
agreement. With n_ij samples in cluster i of one and j of the other, and sums over pairs C(n, 2):

    ARI = (sum_ij C(n_ij,2) - E) / ((A + B)/2 - E),   A = sum_i C(a_i,2),  B = sum_j C(b_j,2),  E = A B / C(n,2)

Source: Hubert and Arabie 1985, Comparing Partitions, eq. 5.
"""
import numpy as np
from jaxtyping import Shaped


def same_length(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> tuple[np.ndarray, np.ndarray]:
    """Both as 1-D arrays. Raises ValueError unless they are equally long and not empty."""
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(f"two equally long lists are needed, not shapes {a.shape} and {b.shape}")
    return a, b


def accuracy(y: Shaped[np.ndarray, "..."], predicted: Shaped[np.ndarray, "..."]) -> float:
    """Share of labels that are right."""
    y, predicted = same_length(y, predicted)
    return float((y == predicted).mean())


def r_squared(y: Shaped[np.ndarray, "..."], predicted: Shaped[np.ndarray, "..."]) -> float:
    """1 - squared error / squared error of the mean: 1 is perfect, 0 no better than the mean.

    Raises ValueError when all of `y` are equal: there is nothing to explain.
    """
    y, predicted = same_length(y, predicted)
    total = ((y - y.mean()) ** 2).sum()
    if total == 0:
        raise ValueError("y is constant: R^2 has no meaning")
    return float(1 - ((y - predicted) ** 2).sum() / total)


def adjusted_rand(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> float:
    """Agreement of two partitions, whatever their numbers are called."""
    a, b = same_length(a, b)
    a, b = np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    together, first, second, pairs = (
        (m * (m - 1) / 2).sum() for m in (table, table.sum(axis=1), table.sum(axis=0), np.array([len(a)])))
    if first == second and first in (0, pairs):
        return 1.0  # both put all in one cluster, or each sample in its own: the same partition
    expected = first * second / pairs
    return float((together - expected) / ((first + second) / 2 - expected))
