"""The best matrix of low rank, without the full decomposition.

Dimensions: V words, U contexts, D embedding dimensions.
"""

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix


def randomized_svd(
    matrix: csr_matrix | Float[np.ndarray, "V U"], rank: int, seed: int, n_iter: int = 8
) -> tuple[Float[np.ndarray, "V D"], Float[np.ndarray, "D"], Float[np.ndarray, "D U"]]:
    """The `rank` largest singular values and their vectors, approximately (Halko et al. 2011, algorithm 4.4).

    Random vectors are multiplied by the matrix and its transpose in turn, and made orthogonal in between. They turn
    into the space of the largest singular vectors. In that space the problem is small.

    Raises:
        ValueError: `rank` is not between 1 and the smaller side of the matrix, or `n_iter` is below one.
    """
    smaller = min(matrix.shape)
    if not 1 <= rank <= smaller:
        raise ValueError(f"rank={rank}: must be between 1 and {smaller}, the smaller side of the matrix")
    if n_iter < 1:
        raise ValueError(f"n_iter={n_iter}: must be at least 1; the random vectors have to be multiplied")
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[1], min(rank + 10, smaller)))
    for _ in range(n_iter):
        basis = np.linalg.qr(matrix @ basis)[0]
        basis = np.linalg.qr(matrix.T @ basis)[0]
    left, values, right = np.linalg.svd(matrix @ basis, full_matrices=False)
    return left[:, :rank], values[:rank], right[:rank] @ basis.T


def word_vectors(matrix: csr_matrix, dim: int, seed: int, power: float = 0.5) -> Float[np.ndarray, "V D"]:
    """U S^power of the matrix U S V'. The power 1/2 shares the singular values evenly between words and contexts.

    It is the optimum of nothing, but does better on word similarity than U S (Levy & Goldberg 2014b, section 4.2).
    """
    left, values, _ = randomized_svd(matrix, dim, seed)
    return left * values**power
