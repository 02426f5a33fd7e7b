"""What goes wrong with classical algorithms, measured: seven small experiments to predict before running."""

import warnings
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from sklearn.datasets import load_breast_cancer, load_wine
from threadpoolctl import threadpool_limits

from ..probes.folds import KFold, StratifiedKFold, split_by_group
from ..probes.kmeans import KMeans
from ..probes.linear import LinearRegression
from ..probes.logistic import LogisticRegression
from ..probes.metrics import accuracy_score
from ..probes.scaling import StandardizedEstimator, StandardScaler
from ..probes.search import cross_val_score
from ..probes.svm import SVC
from ..probes.validation import ConvergenceWarning


def unscaled_svm(seed: int) -> dict:
    """RBF on wine as measured. Proline is in the hundreds and makes the whole distance; hue is near one."""
    X, y = load_wine(return_X_y=True)
    folds = StratifiedKFold(5, seed)
    return {
        "raw": float(cross_val_score(SVC(), X, y, folds).mean()),
        "scaled": float(cross_val_score(StandardizedEstimator(SVC()), X, y, folds).mean()),
        "largest_sd": float(X.std(axis=0).max()),
        "smallest_sd": float(X.std(axis=0).min()),
    }


def grid_of_blobs(rng: np.random.Generator) -> Float[np.ndarray, "500 2"]:
    """25 round clusters of 20 points on a 5 x 5 grid, far apart."""
    centers = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2) * 10.0
    return np.repeat(centers, 20, axis=0) + rng.normal(size=(500, 2))


def kmeans_starts(seed: int, starts: int) -> dict:
    """Single runs from each kind of start: how often all 25 clusters are found, and the inertia over the best."""
    X = grid_of_blobs(np.random.default_rng(seed))
    runs = {
        init: [KMeans(25, init, n_init=1, seed=seed + s).fit(X) for s in range(starts)]
        for init in ("random", "k-means++")
    }
    # The clusters are known, so the best inertia is: that of the true means.
    truth = X.reshape(25, 20, 2)
    best = float(((truth - truth.mean(axis=1, keepdims=True)) ** 2).sum())
    return {
        "starts": starts,
        **{
            init: {
                "found_all": float(np.mean([run.inertia_ < 1.05 * best for run in fits])),
                "median_over_best": float(np.median([run.inertia_ for run in fits]) / best),
                "median_steps": float(np.median([run.n_iter_ for run in fits])),
            }
            for init, fits in runs.items()
        },
    }


def memorizing_probe(seed: int) -> dict:
    """120 words with random vectors of 200 dimensions and random labels: there is nothing to know."""
    rng = np.random.default_rng(seed)
    vectors, labels = rng.normal(size=(120, 200)), rng.permutation(np.arange(120) % 2)
    # Each word has 5 rows, as it would if every occurrence in a text had a vector.
    rows = np.repeat(vectors, 5, axis=0) + 0.3 * rng.normal(size=(600, 200))
    words, y = [f"word {i // 5}" for i in range(600)], np.repeat(labels, 5)
    probe = LogisticRegression(C=1.0, tol=1e-6)
    by_word, by_row = split_by_group(words, 0.3, seed), split_by_group([str(i) for i in range(600)], 0.3, seed)
    fitted = {
        name: replace(probe).fit(rows[train], y[train]) for name, (train, _) in (("word", by_word), ("row", by_row))
    }
    return {
        "on_training_words": accuracy_score(y[by_word[0]], fitted["word"].predict(rows[by_word[0]])),
        "split_by_row": accuracy_score(y[by_row[1]], fitted["row"].predict(rows[by_row[1]])),
        "split_by_word": accuracy_score(y[by_word[1]], fitted["word"].predict(rows[by_word[1]])),
    }


def sparsity(seed: int) -> list[dict]:
    """Weights of breast cancer (30 features) that are not exactly zero, as the penalty weakens."""
    X, y = load_breast_cancer(return_X_y=True)
    rows = []
    for C in (0.01, 0.1, 1.0):
        row: dict = {"C": C}
        for penalty in ("l1", "l2"):
            probe = StandardizedEstimator(LogisticRegression(penalty, C=C, tol=1e-6))
            row[penalty] = int(np.count_nonzero(replace(probe).fit(X, y).estimator_.coef_))
            row[f"{penalty}_accuracy"] = float(cross_val_score(probe, X, y, StratifiedKFold(5, seed)).mean())
        rows.append(row)
    return rows


def conditioning(max_iter: int) -> dict:
    """Gradient descent for wine's last feature from the others, raw and standardised: kappa decides."""
    X = load_wine().data
    out: dict = {"max_iter": max_iter}
    for name, Z in (("raw", X), ("scaled", StandardScaler().fit(X).transform(X))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # that it does not converge is the finding
            fit = LinearRegression("gradient", max_iter=max_iter, tol=1e-6).fit(Z[:, :-1], Z[:, -1])
        A = Z[:, :-1] - Z[:, :-1].mean(axis=0)
        out[name] = {"kappa": float(np.linalg.cond(A.T @ A)), "steps": fit.n_iter_, "converged": fit.converged_}
    return out


def runaway_weights() -> list[dict]:
    """Wine's classes are separable: without a penalty the weights grow with every step."""
    X, y = load_wine(return_X_y=True)
    Z = StandardScaler().fit(X).transform(X)
    rows = []
    for max_iter in (5, 10, 20):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # there is nothing to converge to
            fit = LogisticRegression("none", max_iter=max_iter).fit(Z, y)
        rows.append({"steps": max_iter, "largest_weight": float(np.abs(fit.coef_).max()), "converged": fit.converged_})
    return rows


def most_correlated(X: Float[np.ndarray, "n d"], y: Int[np.ndarray, "n"], k: int) -> Int[np.ndarray, "k"]:
    """The k features that correlate most with the labels."""
    centered = X - X.mean(axis=0)
    return np.abs((y - y.mean()) @ centered / np.linalg.norm(centered, axis=0)).argsort()[-k:]


def peeking(seed: int) -> dict:
    """50 samples, 2,000 noise features. Keep the 20 that correlate most with the labels, then cross-validate."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(50, 2000)), rng.permutation(np.arange(50) % 2)
    probe = LogisticRegression(C=1.0, tol=1e-6)
    before = cross_val_score(probe, X[:, most_correlated(X, y, 20)], y, KFold(5, seed))
    inside = []
    for train, test in KFold(5, seed).split(y):
        kept = most_correlated(X[train], y[train], 20)
        inside.append(
            accuracy_score(y[test], replace(probe).fit(X[train][:, kept], y[train]).predict(X[test][:, kept]))
        )
    return {"chosen_before": float(before.mean()), "chosen_inside": float(np.mean(inside))}


def mean_of(results: list[dict]) -> dict:
    """The mean of each measure."""
    return {name: float(np.mean([result[name] for result in results])) for name in results[0]}


def pitfalls(quick: bool, seed: int) -> dict:
    """All of them. Quick: fewer repeats and steps."""
    seeds = range(seed, seed + (2 if quick else 10))
    with threadpool_limits(1):  # matrices this small are not worth a second thread
        return {
            "unscaled_svm": mean_of([unscaled_svm(s) for s in seeds]),
            "kmeans_starts": kmeans_starts(seed, 10 if quick else 100),
            "memorizing_probe": mean_of([memorizing_probe(s) for s in seeds]),
            "sparsity": sparsity(seed),
            "conditioning": conditioning(2_000 if quick else 1_000_000),
            "runaway_weights": runaway_weights(),
            "peeking": mean_of([peeking(s) for s in seeds]),
            "repeats": len(seeds),
        }
