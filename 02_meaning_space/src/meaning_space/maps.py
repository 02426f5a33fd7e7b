"""Flat pictures of points in many dimensions: principal components by hand, t-SNE from scikit-learn.

Dimensions: N points, D dimensions, k components.
"""

import numpy as np
from jaxtyping import Float


def pca(
    x: Float[np.ndarray, "N D"], k: int
) -> tuple[Float[np.ndarray, "N k"], Float[np.ndarray, "k D"], Float[np.ndarray, "k"]]:
    """Coordinates of the points on their first k principal components, the components, and the variance along each.

    The components are the right singular vectors of the centered points, by falling singular value s. The variance
    along each is s^2 / (N - 1) (Pearson 1901; Jolliffe 2002, section 3.5). Their signs are arbitrary.

    Raises:
        ValueError: there are fewer than two points, or k is not between 1 and min(N, D).
    """
    _check(x, k)
    centered = x - x.mean(axis=0)
    _, s, components = np.linalg.svd(centered, full_matrices=False)
    return centered @ components[:k].T, components[:k], s[:k] ** 2 / (len(x) - 1)


def pca_eigh(
    x: Float[np.ndarray, "N D"], k: int
) -> tuple[Float[np.ndarray, "N k"], Float[np.ndarray, "k D"], Float[np.ndarray, "k"]]:
    """The same by the eigenvectors of the covariance matrix. The eigenvalues are the variances.

    `eigh` returns them in ascending order. The covariance has the square of the condition number: in float64 it loses
    components with less than 1e-8 of the largest standard deviation, which `pca` keeps.

    Raises:
        ValueError: as `pca`.
    """
    _check(x, k)
    centered = x - x.mean(axis=0)
    variance, components = np.linalg.eigh(centered.T @ centered / (len(x) - 1))
    components = components[:, ::-1][:, :k].T
    return centered @ components.T, components, variance[::-1][:k]


def _check(x: Float[np.ndarray, "N D"], k: int) -> None:
    if len(x) < 2:
        raise ValueError(f"x={len(x)} points: must be at least two; one point has no variance")
    if not 1 <= k <= min(x.shape):
        raise ValueError(f"k={k}: must be between 1 and {min(x.shape)}, the smaller side of x")


def tsne(x: Float[np.ndarray, "N D"], seed: int, perplexity: float = 30.0) -> Float[np.ndarray, "N 2"]:
    """A map on which near points stay near (van der Maaten & Hinton 2008). Distances between groups mean little.

    `perplexity` is about the number of neighbors that each point keeps.

    Raises:
        ValueError: `perplexity` is not between 0 and the number of points.
    """
    if not 0 < perplexity < len(x):
        raise ValueError(f"perplexity={perplexity}: must be above 0 and below {len(x)}, the number of points")
    from sklearn.manifold import TSNE  # here, because its import takes as long as PyTorch's

    model = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    return model.fit_transform(np.asarray(x, dtype=np.float32)).astype(np.float64)
