"""Every algorithm of `probes/` next to scikit-learn on iris, wine and breast cancer: score, gap of the models, time.

Both sides get the same folds, the same scaling (learned on the training part) and the same start, and are fitted in
turn in one process on one thread. Time is CPU time of `fit`. Scores are on the held-out part: accuracy; R^2 for
regression, of the last feature from the others; adjusted Rand index against the classes for clusterings.
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from threadpoolctl import threadpool_limits

from ..probes.folds import StratifiedKFold
from ..probes.scaling import StandardScaler
from . import pitfalls
from .experiment import Log
from .probe_peers import ALL_PEERS, Maker, Peers

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
SIDES = ("ours", "theirs")


def probes(options: argparse.Namespace, log: Log) -> dict:
    """Every algorithm next to scikit-learn, then what goes wrong. About 45 CPU-seconds."""
    rows = compare(options.quick, options.seed, log)
    log("what goes wrong")
    return {"compare": rows, "pitfalls": pitfalls.pitfalls(options.quick, options.seed)}


def compare(quick: bool, seed: int, log: Log) -> dict:
    """One row for each algorithm and data set: three seeds, five folds. Quick: one seed, three folds, two data sets."""
    seeds, n_splits = ([seed], 3) if quick else ([seed, seed + 1, seed + 2], 5)
    names = [name for name in DATA if not (quick and name == "breast cancer")]
    rows = []
    with threadpool_limits(1):
        for peers in ALL_PEERS:
            log(peers.name)
            for name in names:
                X, y = DATA[name](return_X_y=True)
                folds = [
                    one_fold(peers, X, y, train, test, fold_seed)
                    for fold_seed in seeds
                    for train, test in StratifiedKFold(n_splits, fold_seed).split(y)
                ]
                rows.append({"algorithm": peers.name, "data": name, **over_folds(folds)})
    return {"rows": rows, "seeds": seeds, "folds": n_splits}


def one_fold(peers: Peers, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int) -> dict:
    """Scores, milliseconds and gap on one fold."""
    scaler = StandardScaler().fit(X[train])
    A, B = (scaler.transform(X[rows]) if peers.scaled else X[rows] for rows in (train, test))
    target, truth = y[train], y[test]
    if peers.predicts == "number":
        A, B, target, truth = A[:, :-1], B[:, :-1], A[:, -1], B[:, -1]
    fitted, row = {}, {}
    for side, make in zip(SIDES, (peers.ours, peers.theirs), strict=True):
        fitted[side], row[f"{side}_ms"] = timed_fit(make, A, y[train], target, seed)
        row[side] = peers.score(truth, fitted[side].predict(B))
    row["gap"] = peers.gap(fitted["ours"], fitted["theirs"], A)
    row["converged"] = bool(getattr(fitted["ours"], "converged_", True))
    return row


def timed_fit(make: Maker, X: np.ndarray, y: np.ndarray, target: np.ndarray, seed: int) -> tuple[Any, float]:
    """A fitted estimator, and the milliseconds of CPU time of `fit`. The preparation of the start is not counted."""
    estimator = make(X, y, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not converge is reported in the row
        start = time.process_time()
        estimator.fit(X, target)
        return estimator, (time.process_time() - start) * 1e3


def over_folds(folds: list[dict]) -> dict:
    """Mean score and its deviation, deviation of the difference, largest gap, median time."""
    gaps = [fold["gap"] for fold in folds if fold["gap"] is not None]
    row = {}
    for side in SIDES:
        row[side] = float(np.mean([fold[side] for fold in folds]))
        row[f"{side}_sd"] = float(np.std([fold[side] for fold in folds]))
        row[f"{side}_ms"] = float(np.median([fold[f"{side}_ms"] for fold in folds]))
    row["difference_sd"] = float(np.std([fold["ours"] - fold["theirs"] for fold in folds]))
    row["gap"] = max(gaps) if len(gaps) == len(folds) else None
    return row | {"fits": len(folds), "converged": sum(fold["converged"] for fold in folds)}
