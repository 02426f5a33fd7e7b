"""The best matrix of low rank, without the full decomposition. V words, D dimensions."""
import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix


def randomised_svd(matrix: csr_matrix | Float[np.ndarray, "V U"], rank: int, seed: int, rounds: int = 8) -> tuple[
        Float[np.ndarray, "V D"], Float[np.ndarray, "D"], Float[np.ndarray, "D U"]]:
    """The `rank` largest singular values with their vectors, approximately (Halko, Martinsson & Tropp 2011, alg. 4.4).

    A few random vectors, multiplied again and again by the matrix and its transpose and made orthogonal in between,
    turn into the space of the largest singular vectors. In it the problem is small.

    Raises ValueError if `rank` is not between 1 and the smaller side of the matrix.
    """
    if not 1 <= rank <= min(matrix.shape):
        raise ValueError(f"rank={rank} must be between 1 and {min(matrix.shape)}, the smaller side of {matrix.shape}")
    spare = min(rank + 10, min(matrix.shape))
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[1], spare))
    for _ in range(rounds):
        basis = np.linalg.qr(matrix @ basis)[0]
        basis = np.linalg.qr(matrix.T @ basis)[0]
    left, values, right = np.linalg.svd(matrix @ basis, full_matrices=False)
    return left[:, :rank], values[:rank], right[:rank] @ basis.T


def word_vectors(matrix: csr_matrix, dimensions: int, seed: int, power: float = 0.5) -> Float[np.ndarray, "V D"]:
    """U S^power of the matrix U S V'. The power 1/2 shares the singular values out evenly between words and contexts.

    It is not the optimum of anything, and does better on word similarity than U S (Levy & Goldberg 2014b, section 4.2).
    """
    left, values, _ = randomised_svd(matrix, dimensions, seed)
    return left * values ** power
