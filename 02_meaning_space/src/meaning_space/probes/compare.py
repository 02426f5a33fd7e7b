"""Every algorithm beside scikit-learn, on iris, wine and breast cancer: score, distance of the models, time.

Both sides get the same folds, the same scaling (learned on the training part) and the same start, and are fitted in
turn in one process on one thread. Time is CPU time of `fit`; scores are on the held-out part: accuracy, R^2 for
regression (the last feature from the others), adjusted Rand index against the classes for clusterings.
"""
import time
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from threadpoolctl import threadpool_limits

from .folds import StratifiedKFold
from .pairs import PAIRS, Pair
from .record import recorded, saved_figure
from .scaling import StandardScaler

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
COLOURS = {"iris": "#0072B2", "wine": "#D55E00", "breast cancer": "#009E73"}
SIDES = ("ours", "theirs")


def timed_fit(make: Any, X: np.ndarray, y: np.ndarray, target: np.ndarray, seed: int) -> tuple[Any, float]:
    """A fitted estimator and the milliseconds of CPU time `fit` took. Preparing the start is not counted."""
    estimator = make(X, y, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not converge is reported in the row, for both sides
        began = time.process_time()
        estimator.fit(X, target)
        return estimator, (time.process_time() - began) * 1e3


def one_fold(pair: Pair, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int) -> dict:
    """Scores, milliseconds and the gap of one pair on one fold."""
    scaler = StandardScaler().fit(X[train])
    A, B = (scaler.transform(X[rows]) if pair.scaled else X[rows] for rows in (train, test))
    target, truth = y[train], y[test]
    if pair.supervised == "number":
        A, B, target, truth = A[:, :-1], B[:, :-1], A[:, -1], B[:, -1]
    fitted, row = {}, {}
    for side, make in zip(SIDES, (pair.ours, pair.theirs), strict=True):
        fitted[side], row[f"{side}_ms"] = timed_fit(make, A, y[train], target, seed)
        row[side] = pair.score(truth, fitted[side].predict(B))
    row["gap"] = pair.gap(fitted["ours"], fitted["theirs"], A)
    row["converged"] = bool(getattr(fitted["ours"], "converged_", True))
    return row


def run(quick: bool = False, seed: int = 0) -> dict:
    """A list of rows under "rows", one for each algorithm and data set: three cuts into five folds.

    `quick`: one cut into three, without breast cancer.
    """
    seeds, n_splits = ([seed], 3) if quick else ([seed, seed + 1, seed + 2], 5)
    names = [name for name in DATA if not (quick and name == "breast cancer")]
    rows = []
    with threadpool_limits(1):
        for pair in PAIRS:
            for name in names:
                X, y = DATA[name](return_X_y=True)
                folds = [one_fold(pair, X, y, train, test, s)
                         for s in seeds for train, test in StratifiedKFold(n_splits, s).split(y)]
                rows.append({"algorithm": pair.name, "data": name, **gathered(folds)})
    return {"rows": rows, "seeds": seeds, "folds": n_splits}


def gathered(folds: list[dict]) -> dict:
    """Over the folds: mean score and its spread, the spread of the difference, the largest gap, the median time."""
    gaps = [fold["gap"] for fold in folds if fold["gap"] is not None]
    row = {side: float(np.mean([fold[side] for fold in folds])) for side in SIDES}
    row |= {f"{side}_sd": float(np.std([fold[side] for fold in folds])) for side in SIDES}
    row |= {f"{side}_ms": float(np.median([fold[f"{side}_ms"] for fold in folds])) for side in SIDES}
    row["difference_sd"] = float(np.std([fold["ours"] - fold["theirs"] for fold in folds]))
    return row | {"gap": max(gaps) if len(gaps) == len(folds) else None, "fits": len(folds),
                  "converged": sum(fold["converged"] for fold in folds)}


def table(results: dict | None = None) -> str:
    """One line for each algorithm and data set; the recorded results where none are given."""
    results = recorded("compare") if results is None else results
    lines = ["| algorithm | data | ours | scikit-learn | difference | models differ by | ours, ms | scikit-learn, ms |",
             "|---|---|--:|--:|--:|--:|--:|--:|"]
    for r in results["rows"]:
        gap = "–" if r["gap"] is None else f"{r['gap']:.0e}" if r["gap"] else "0"
        mark = "" if r["converged"] == r["fits"] else " †"
        difference = f"{r['ours'] - r['theirs']:+.3f}".replace("-0.000", "+0.000").replace("+0.000", "0.000")
        lines.append(f"| {r['algorithm']} | {r['data']} | {r['ours']:.3f} ± {r['ours_sd']:.3f} "
                     f"| {r['theirs']:.3f} ± {r['theirs_sd']:.3f} | {difference} | {gap}{mark} "
                     f"| {r['ours_ms']:.2f} | {r['theirs_ms']:.2f} |")
    return "\n".join(lines)


def summary(results: dict | None = None) -> str:
    """One line for each algorithm: scores on each set, ours and scikit-learn's, and how much longer ours takes."""
    results = recorded("compare") if results is None else results
    names = list(dict.fromkeys(r["data"] for r in results["rows"]))
    lines = ["| algorithm | " + " | ".join(names) + " | time to fit, ours / scikit-learn |",
             "|---|" + "--:|" * (len(names) + 1)]
    for algorithm in dict.fromkeys(r["algorithm"] for r in results["rows"]):
        rows = {r["data"]: r for r in results["rows"] if r["algorithm"] == algorithm}
        ratios = [f"{r['ours_ms'] / r['theirs_ms']:.2f}" for r in rows.values()]
        cells = " | ".join(f"{rows[n]['ours']:.3f} / {rows[n]['theirs']:.3f}" for n in names)
        lines.append(f"| {algorithm} | {cells} | {', '.join(ratios)} |")
    return "\n".join(lines)


def figure(results: dict, path: Path) -> None:
    """Left: difference of scores, with its standard error over the folds. Right: ratio of times."""
    algorithms = list(dict.fromkeys(r["algorithm"] for r in results["rows"]))
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 5.6), sharey=True, width_ratios=(1, 1))
    for k, name in enumerate(dict.fromkeys(r["data"] for r in results["rows"])):
        rows, colour = [r for r in results["rows"] if r["data"] == name], COLOURS[name]
        heights = [algorithms.index(r["algorithm"]) + (k - 1) * 0.22 for r in rows]
        left.errorbar([100 * (r["ours"] - r["theirs"]) for r in rows], heights, color=colour, fmt="o", ms=4.5,
                      elinewidth=1, xerr=[100 * r["difference_sd"] / np.sqrt(r["fits"]) for r in rows])
        right.scatter([r["ours_ms"] / r["theirs_ms"] for r in rows], heights, s=22, color=colour, label=name)
    largest, unique = (max(abs(100 * (r["ours"] - r["theirs"])) for r in rows) for rows in (
        results["rows"], [r for r in results["rows"] if r["gap"] is not None]))
    left.axvline(0, color="0.5", lw=1, zorder=0)
    left.set_xlim(-max(2.5, 1.3 * largest), max(2.5, 1.3 * largest))
    left.set_xlabel("score, ours less scikit-learn (points of 100)")
    left.set_yticks(range(len(algorithms)), algorithms)
    left.invert_yaxis()
    right.axvline(1, color="0.5", lw=1, zorder=0)
    right.set_xscale("log")
    right.set_xlabel("CPU time to fit, ours / scikit-learn")
    for x, text, side in ((0.93, "ours faster", "right"), (1.07, "scikit-learn faster", "left")):
        right.text(x, 1.0, text, color="0.4", fontsize=8, ha=side, transform=right.get_xaxis_transform(), va="bottom")
    right.legend(frameon=False, loc="lower right", fontsize=8)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="0.92", lw=0.6)
        axis.set_axisbelow(True)
    fig.suptitle(f"Where the optimum is unique, scores by hand are scikit-learn's to {max(unique, 0.1):.1f} points; "
                 f"elsewhere to {largest:.1f}")
    saved_figure(fig, path)
