r"""k-means: Lloyd's algorithm, and where to start it.

Minimize the *inertia*, the sum over points of ||x - center of its cluster||^2. Lloyd's algorithm takes turns:

1. centers held, give each point to its nearest center: no term can grow;
2. points held, move each center to the mean of its points: the mean is where a sum of squared distances is least.

So the inertia never rises, and as there are finitely many ways to part n points the process ends. It ends in *a*
local minimum, and the start decides which. `random` draws k points evenly: two of them often fall into one cluster,
and Lloyd cannot carry a center across the empty space between clusters. `k-means++` draws each next center with
probability proportional to the squared distance from the centers so far, which makes the expected inertia at most
8 (ln k + 2) times the best possible, before a single step is taken.

Source: Lloyd 1982, Least Squares Quantization in PCM; Arthur and Vassilvitskii 2007, k-means++, theorem 1.1.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from .validation import ConvergenceWarning, as_features, check_at_least, check_choice, check_is_fitted

INITS = ("k-means++", "random")


@dataclass(eq=False)
class KMeans:
    """The best of `n_init` runs of Lloyd's algorithm, or one run from `init` when that is an array of centers.

    After `fit`: `cluster_centers_`, `labels_`, `inertia_`, `inertia_history_` (one value for each step of the best
    run), `n_iter_`, `converged_`.

    Raises:
        ValueError: a setting is out of its range; `init` has the wrong shape; too few samples or NaN in `fit`.
    """

    n_clusters: int = 8
    init: str | np.ndarray = "k-means++"
    n_init: int = 10
    max_iter: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("n_clusters", self.n_clusters, 1)
        check_at_least("n_init", self.n_init, 1)
        check_at_least("max_iter", self.max_iter, 1)
        if isinstance(self.init, str):
            check_choice("init", self.init, INITS)

    def fit(self, X: Shaped[np.ndarray, "..."], y: object = None) -> "KMeans":
        """`y` is ignored: it is there so that a clustering can stand where a classifier does."""
        X = as_features(X)
        if len(X) < self.n_clusters:
            raise ValueError(f"n_clusters={self.n_clusters}: must be at most {len(X)}, the number of samples")
        rng = np.random.default_rng(self.seed)
        starts = [self._init(X, rng) for _ in range(self.n_init if isinstance(self.init, str) else 1)]
        runs = [lloyd(X, start, self.max_iter) for start in starts]
        centers, history, self.converged_ = min(runs, key=lambda run: run[1][-1])
        if not self.converged_:
            warnings.warn(
                f"max_iter={self.max_iter}: points still changed cluster; raise it", ConvergenceWarning, stacklevel=2
            )
        self.cluster_centers_, self.inertia_history_ = centers, history
        self.inertia_, self.n_iter_ = history[-1], len(history) - 1
        self.labels_ = squared_distances(X, centers).argmin(axis=1)
        return self

    def _init(self, X: Float[np.ndarray, "n d"], rng: np.random.Generator) -> Float[np.ndarray, "k d"]:
        if not isinstance(self.init, str):
            centers = as_features(self.init)
            if centers.shape != (self.n_clusters, X.shape[1]):
                raise ValueError(f"init={centers.shape}: must be {self.n_clusters} centers of {X.shape[1]} features")
            return centers.copy()
        if self.init == "random":
            return X[rng.choice(len(X), self.n_clusters, replace=False)]
        return kmeans_plusplus(X, self.n_clusters, rng)

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Int[np.ndarray, "n"]:
        """The nearest center's number."""
        check_is_fitted(self, "cluster_centers_")
        return squared_distances(as_features(X, self.cluster_centers_.shape[1]), self.cluster_centers_).argmin(axis=1)


def squared_distances(X: Float[np.ndarray, "n d"], centers: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "n k"]:
    """||x - c||^2 by subtraction: ||x||^2 - 2 x'c + ||c||^2 loses all digits far from the origin."""
    return np.stack([((X - c) ** 2).sum(axis=1) for c in centers], axis=1)


def kmeans_plusplus(X: Float[np.ndarray, "n d"], k: int, rng: np.random.Generator) -> Float[np.ndarray, "k d"]:
    """k rows of X, each drawn in proportion to its squared distance from those before it."""
    centers = [X[rng.integers(len(X))]]
    nearest = np.full(len(X), np.inf)
    while len(centers) < k:
        nearest = np.minimum(nearest, ((X - centers[-1]) ** 2).sum(axis=1))
        total = nearest.sum()
        # Fewer distinct points than centers: every point is already on one, and any choice is as good.
        centers.append(X[rng.choice(len(X), p=nearest / total if total > 0 else None)])
    return np.array(centers)


def lloyd(
    X: Float[np.ndarray, "n d"], centers: Float[np.ndarray, "k d"], max_iter: int
) -> tuple[Float[np.ndarray, "k d"], list[float], bool]:
    """Alternate the two steps until no point changes cluster: centers, inertia after each step, and whether it ended.

    A cluster that loses all its points takes the point farthest from its own center, so that k stays k.
    """
    labels = np.full(len(X), -1)
    history: list[float] = []
    for _ in range(max_iter + 1):
        distance = squared_distances(X, centers)
        new, own = distance.argmin(axis=1), distance.min(axis=1)
        history.append(float(own.sum()))
        if (new == labels).all():
            return centers, history, True
        labels = new.copy()
        for empty in np.setdiff1d(np.arange(len(centers)), labels):
            far = own.argmax()
            new[far], own[far] = empty, 0.0
        centers = np.array([X[new == c].mean(axis=0) if (new == c).any() else centers[c] for c in range(len(centers))])
    return centers, history, False
