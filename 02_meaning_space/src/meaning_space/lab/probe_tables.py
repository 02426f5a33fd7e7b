"""Tables of the probes and their foundations, from the results alone."""

import numpy as np

from .markdown import section as recorded
from .markdown import table


def probe_words(results: dict) -> str:
    """The result of `probes.probe_words`: means over the seeds, and the deviation of the test score."""
    rows = [["probe", "training words", "unseen words", "random labels, training words"]]
    for name, row in results["probes"].items():
        test = f"{np.mean(row['test']):.3f} ± {np.std(row['test']):.3f}"
        rows.append([name, f"{np.mean(row['train']):.3f}", test, f"{np.mean(row['control']):.3f}"])
    majority = f"{results['majority']:.3f}"
    return table([*rows, ["always the largest class", majority, majority, ""]])


def probes(section: dict | None = None) -> str:
    """What the command prints."""
    return "\n\n".join([probe_summary(section), pitfalls(section)])


def probe_summary(section: dict | None = None) -> str:
    """One row for each algorithm: the scores on each set, ours and scikit-learn's, and the ratio of times."""
    rows = (section or recorded("probes"))["compare"]["rows"]
    names = list(dict.fromkeys(row["data"] for row in rows))
    out = [["algorithm", *names, "time to fit, ours / scikit-learn"]]
    for algorithm in dict.fromkeys(row["algorithm"] for row in rows):
        by_data = {row["data"]: row for row in rows if row["algorithm"] == algorithm}
        cells = [f"{by_data[name]['ours']:.3f} / {by_data[name]['theirs']:.3f}" for name in names]
        ratios = ", ".join(f"{row['ours_ms'] / row['theirs_ms']:.2f}" for row in by_data.values())
        out.append([algorithm, *cells, ratios])
    return table(out)


def probe_details(section: dict | None = None) -> str:
    """One row for each algorithm and data set."""
    out = [["algorithm", "data", "ours", "scikit-learn", "difference", "models differ by", "ours, ms",
            "scikit-learn, ms"]]  # fmt: skip
    for row in (section or recorded("probes"))["compare"]["rows"]:
        gap = "–" if row["gap"] is None else f"{row['gap']:.0e}" if row["gap"] else "0"
        mark = "" if row["converged"] == row["fits"] else " †"
        out.append([
            row["algorithm"],
            row["data"],
            f"{row['ours']:.3f} ± {row['ours_sd']:.3f}",
            f"{row['theirs']:.3f} ± {row['theirs_sd']:.3f}",
            f"{row['ours'] - row['theirs']:+.3f}".replace("-0.000", "0.000").replace("+0.000", "0.000"),
            gap + mark,
            f"{row['ours_ms']:.2f}",
            f"{row['theirs_ms']:.2f}",
        ])  # fmt: skip
    return table(out)


def pitfalls(section: dict | None = None) -> str:
    """One row for each experiment."""
    r = (section or recorded("probes"))["pitfalls"]
    svm, words, peek = r["unscaled_svm"], r["memorizing_probe"], r["peeking"]
    random, plus = r["kmeans_starts"]["random"], r["kmeans_starts"]["k-means++"]
    raw, scaled = r["conditioning"]["raw"], r["conditioning"]["scaled"]
    stopped = "" if raw["converged"] else " and not converged"
    penalties = [f"{s['l1']} / {s['l2']} (accuracy {s['l1_accuracy']:.3f} / {s['l2_accuracy']:.3f})"
                 for s in r["sparsity"]]  # fmt: skip
    steps = ", ".join(str(s["steps"]) for s in r["runaway_weights"])
    return table([
        ("experiment", "outcome"),
        ("RBF SVM on wine, features as measured / scaled", f"{svm['raw']:.3f} / {svm['scaled']:.3f} accuracy"),
        ("k-means, 25 clusters, one start: random / k-means++",
         f"all found in {random['found_all']:.0%} / {plus['found_all']:.0%} of {r['kmeans_starts']['starts']} starts; "
         f"median inertia {random['median_over_best']:.2f} / {plus['median_over_best']:.2f} of the best"),
        ("probe on random vectors: training words / unseen rows of known words / unseen words",
         f"{words['on_training_words']:.3f} / {words['split_by_row']:.3f} / {words['split_by_word']:.3f} accuracy"),
        ("20 of 2,000 noise features, chosen before / inside the folds",
         f"{peek['chosen_before']:.3f} / {peek['chosen_inside']:.3f} accuracy"),
        ("gradient descent on wine, raw / scaled",
         f"kappa {raw['kappa']:.1e} / {scaled['kappa']:.1e}; steps {raw['steps']:,}{stopped} / {scaled['steps']:,}"),
        ("weights not zero of 30, L1 / L2, for C = " + ", ".join(str(s["C"]) for s in r["sparsity"]),
         "; ".join(penalties)),
        (f"largest weight without a penalty after {steps} steps on separable classes",
         ", ".join(f"{s['largest_weight']:.0f}" for s in r["runaway_weights"])),
    ])  # fmt: skip


def foundations(section: dict | None = None) -> str:
    """One row for each experiment."""
    r = section or recorded("foundations")
    clt = r["central_limit"]["rows"]
    rows = [("experiment", "outcome")]
    coin = [abs(r["coin"][way][4] - 0.5) for way in ("mle", "map")]
    rows.append(("a fair coin after 5 throws: error of MLE, of MAP with Beta(5, 5)", f"{coin[0]:.2f}, {coin[1]:.2f}"))
    rows.append(
        (
            "mean of five numbers from N(2, 1): MLE, MAP with prior N(0, 1)",
            f"{r['gaussian']['mle']:.2f}, {r['gaussian']['map']:.2f}",
        )
    )
    rows.append(
        (
            f"distance of standardized means of n = {', '.join(str(c['n']) for c in clt)} from the Gaussian",
            ", ".join(f"{c['distance']:.3f}" for c in clt),
        )
    )
    rows.append(
        (
            "valley with condition number 100: steps of descent, with momentum",
            f"{r['valley']['descent']['steps']}, {r['valley']['momentum']['steps']}",
        )
    )
    rows.append(
        (
            "double well from two starts: where descent ends",
            ", ".join(f"{path[-1]:.2f}" for path in r["double_well"]["paths"]),
        )
    )
    rows.append(
        (
            f"loss above the minimum after 5 epochs: {', '.join(r['rows'])}",
            ", ".join(f"{values[5]:.4f}" for values in r["rows"].values()),
        )
    )
    rows.append(
        (
            "PCA in the plane: share of the variance along the first component",
            f"{r['plane']['variance'][0] / sum(r['plane']['variance']):.0%}",
        )
    )
    return table(rows)
