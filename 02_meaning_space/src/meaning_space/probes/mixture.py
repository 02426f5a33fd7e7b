r"""A mixture of Gaussians, fitted by expectation-maximization.

Each point comes from one of k Gaussians, which one is not seen:  p(x) = sum_k w_k N(x | m_k, S_k). Were it seen, the
fit would be k means and covariances; were the parameters known, Bayes' rule would tell how likely each Gaussian is.
EM takes turns:

    E: r_ik = w_k N(x_i | m_k, S_k) / p(x_i)                               (responsibilities)
    M: n_k = sum_i r_ik,  w_k = n_k/n,  m_k = sum_i r_ik x_i / n_k,
       S_k = sum_i r_ik (x_i - m_k)(x_i - m_k)' / n_k

For any r, Jensen's inequality bounds log p(x_i) from below by sum_k r_ik log( w_k N_k / r_ik ). The E step makes the
bound touch, the M step raises it: the log-likelihood never falls. k-means is the limit of small equal round S_k.

Densities in 30 dimensions underflow, so all is done in logarithms (log-sum-exp), and log N through the Cholesky
factor S = LL':  log|S| = 2 sum log L_jj and (x-m)'S^-1(x-m) = ||L^-1 (x-m)||^2. Without `reg_covar` on the diagonal a
Gaussian can shrink onto one point, where the likelihood is infinite.

Source: Dempster, Laird and Rubin 1977; Bishop, Pattern Recognition and BinarySVC Learning, section 9.2.2.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from .kmeans import KMeans
from .validation import ConvergenceWarning, as_features, check_at_least, check_is_fitted


@dataclass(eq=False)
class GaussianMixture:
    """EM with full covariances, started from a k-means clustering or from the clusters in `init_labels`.

    `tol` bounds the gain of the mean log-likelihood, in nats a sample. After `fit`: `weights_`, `means_`,
    `covariances_`, `lower_bound_` (mean log-likelihood), `history_`, `n_iter_`, `converged_`.

    Raises:
        ValueError: a setting is out of its range; too few samples or NaN in `fit`; `init_labels` do not name each
            component; a component has lost every sample; a covariance has become singular.
    """

    n_components: int = 1
    tol: float = 1e-3
    reg_covar: float = 1e-6
    max_iter: int = 100
    init_labels: np.ndarray | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("n_components", self.n_components, 1)
        check_at_least("tol", self.tol, 0)
        check_at_least("reg_covar", self.reg_covar, 0)
        check_at_least("max_iter", self.max_iter, 1)

    def fit(self, X: Shaped[np.ndarray, "..."], y: object = None) -> "GaussianMixture":
        """`y` is ignored: it is there so that a mixture can stand where a classifier does."""
        X = as_features(X)
        if len(X) < max(2, self.n_components):
            raise ValueError(f"X={len(X)} samples: must be at least {max(2, self.n_components)}; use fewer components")
        self.history_: list[float] = []
        self.converged_ = False
        self._m_step(X, np.eye(self.n_components)[self._init(X)])
        while not self.converged_ and len(self.history_) < self.max_iter:
            joint = self._log_joint(X)
            log_p = np.logaddexp.reduce(joint, axis=1, keepdims=True)
            self.history_.append(float(log_p.mean()))
            self.converged_ = len(self.history_) > 1 and abs(self.history_[-1] - self.history_[-2]) < self.tol
            self._m_step(X, np.exp(joint - log_p))
        self.lower_bound_, self.n_iter_ = self.history_[-1], len(self.history_)
        if not self.converged_:
            warnings.warn(
                f"max_iter={self.max_iter}: the log-likelihood still gained more than tol={self.tol} a step; "
                f"raise max_iter",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _init(self, X: Float[np.ndarray, "n d"]) -> Int[np.ndarray, "n"]:
        if self.init_labels is None:
            return KMeans(self.n_components, n_init=1, seed=self.seed).fit(X).labels_
        labels = np.asarray(self.init_labels)
        if (
            labels.shape != (len(X),)
            or labels.dtype.kind not in "iu"
            or not np.array_equal(np.unique(labels), np.arange(self.n_components))
        ):
            raise ValueError(
                f"init_labels={labels.shape}: must give each of the {len(X)} samples one of the numbers "
                f"0..{self.n_components - 1}, and use them all"
            )
        return labels

    def _m_step(self, X: Float[np.ndarray, "n d"], R: Float[np.ndarray, "n k"]) -> None:
        """The M step."""
        counts = R.sum(axis=0)
        if counts.min() == 0:
            raise ValueError(
                f"n_components={self.n_components}: a component has lost every sample; use fewer, or another seed"
            )
        self.weights_ = counts / counts.sum()
        self.means_ = R.T @ X / counts[:, None]
        self.covariances_ = np.empty((len(counts), X.shape[1], X.shape[1]))
        for k, mean in enumerate(self.means_):
            self.covariances_[k] = (R[:, k, None] * (X - mean)).T @ (X - mean) / counts[k]
            self.covariances_[k] += self.reg_covar * np.eye(X.shape[1])

    def _log_joint(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """log w_k + log N(x | m_k, S_k)."""
        density = [log_normal(X, m, S) for m, S in zip(self.means_, self.covariances_, strict=True)]
        return np.stack(density, axis=1) + np.log(self.weights_)

    def predict_proba(self, X: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n k"]:
        """The responsibilities."""
        check_is_fitted(self, "means_")
        joint = self._log_joint(as_features(X, self.means_.shape[1]))
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Int[np.ndarray, "n"]:
        return self.predict_proba(X).argmax(axis=1)

    def score(self, X: Shaped[np.ndarray, "..."]) -> float:
        """Mean log-likelihood, in nats a sample."""
        check_is_fitted(self, "means_")
        return float(np.logaddexp.reduce(self._log_joint(as_features(X, self.means_.shape[1])), axis=1).mean())


def log_normal(
    X: Float[np.ndarray, "n d"], mean: Float[np.ndarray, "d"], covariance: Float[np.ndarray, "d d"]
) -> Float[np.ndarray, "n"]:
    """log N(x | mean, covariance) of each row."""
    try:
        L = np.linalg.cholesky(covariance)
        # L_jj^2 / S_jj is the share of feature j that the features before it leave unexplained; below this, rounding.
        singular = (np.diag(L) ** 2 <= 1e-14 * len(mean) * np.diag(covariance)).any()
    except np.linalg.LinAlgError:
        singular = True
    if singular:
        raise ValueError(
            "covariance=singular: a component has collapsed onto too few points; "
            "raise reg_covar, or use fewer components or features"
        )
    whitened = np.linalg.solve(L, (X - mean).T)
    return -0.5 * (X.shape[1] * np.log(2 * np.pi) + (whitened**2).sum(axis=0)) - np.log(np.diag(L)).sum()
