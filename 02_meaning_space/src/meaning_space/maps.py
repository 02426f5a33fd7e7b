"""Flat pictures of high-dimensional points: principal components by hand, t-SNE from scikit-learn.

N points, D dimensions, k components.
"""
import numpy as np
from jaxtyping import Float
from sklearn.manifold import TSNE


def pca(x: Float[np.ndarray, "N D"], k: int) -> tuple[
        Float[np.ndarray, "N k"], Float[np.ndarray, "k D"], Float[np.ndarray, "k"]]:
    """Coordinates of the points on their k principal components, the components, and the variance along each.

    The components are the right singular vectors of the centred points, by falling singular value s; the variance
    along each is s^2 / (N - 1) (Pearson 1901; Jolliffe 2002, section 3.5). Their signs are arbitrary.

    Raises ValueError if there are fewer than two points, or k is not between 1 and min(N, D).
    """
    if len(x) < 2 or not 1 <= k <= min(x.shape):
        raise ValueError(f"k={k} must be between 1 and {min(x.shape)}, for {len(x)} points of {x.shape[1]} dimensions")
    centred = x - x.mean(axis=0)
    _, s, components = np.linalg.svd(centred, full_matrices=False)
    return centred @ components[:k].T, components[:k], s[:k] ** 2 / (len(x) - 1)


def pca_by_covariance(x: Float[np.ndarray, "N D"], k: int) -> tuple[
        Float[np.ndarray, "N k"], Float[np.ndarray, "k D"], Float[np.ndarray, "k"]]:
    """The same by the eigenvectors of the covariance matrix, whose eigenvalues are the variances.

    `eigh` returns them in ascending order. Forming the covariance squares the condition number: components with
    less than 1e-8 of the largest standard deviation are lost in float64, which the singular vectors keep.
    """
    centred = x - x.mean(axis=0)
    variance, components = np.linalg.eigh(centred.T @ centred / (len(x) - 1))
    components = components[:, ::-1][:, :k].T
    return centred @ components.T, components, variance[::-1][:k]


def tsne(x: Float[np.ndarray, "N D"], seed: int, perplexity: float = 30.0) -> Float[np.ndarray, "N 2"]:
    """A map on which near points stay near (van der Maaten & Hinton 2008); distances between groups mean little.

    Raises ValueError if `perplexity`, the number of neighbours each point keeps, is not below the number of points.
    """
    if not 0 < perplexity < len(x):
        raise ValueError(f"perplexity={perplexity} must be positive and below the number of points, {len(x)}")
    model = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    return model.fit_transform(np.asarray(x, dtype=np.float32)).astype(np.float64)
