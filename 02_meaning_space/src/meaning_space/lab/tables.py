"""Tables in markdown, from the results alone. README and REPORT take their numbers from here."""

from statistics import mean, median

import numpy as np

from .markdown import goals as goal_table
from .markdown import meta_line, spread, table
from .markdown import section as recorded


def headline(section: dict | None = None) -> str:
    """What the command prints."""
    return "\n\n".join([neighbors(section), scores(section), exact(section)])


def neighbors(section: dict | None = None) -> str:
    """Nearest words in Python's documentation."""
    lists = (section or recorded("headline"))["neighbors"]
    rows = [[word, ", ".join(near)] for word, near in lists.items()]
    return table([["word", "nearest among the thousand most frequent words"], *rows])


def scores(section: dict | None = None) -> str:
    """Analogies of word forms: skip-gram, CBOW and counting."""
    by_model = (section or recorded("headline"))["scores"]
    asked = by_model["skip-gram"]["questions"]
    names = [name for name in by_model["skip-gram"]["sections"]]
    rows = [["vectors", *(f"{name} ({asked[name]})" for name in names), "all, 3CosAdd", "all, 3CosMul"]]
    for model, score in by_model.items():
        sections = [f"{mean(score['sections'][name]):.0f} %" for name in names]
        rows.append([model, *sections, spread(score["cos_add"], 1, "%"), spread(score["cos_mul"], 1, "%")])
    return table(rows)


def exact(section: dict | None = None) -> str:
    """The correlation with PMI - log k, by dimensions."""
    rows = [["dimensions", "skip-gram", "truncated SVD", "largest deviation on frequent pairs, nats"]]
    for row in (section or recorded("headline"))["exact"]["rows"]:
        digits = 7 if row["correlation"] > 0.999 else 3
        rows.append([
            row["dimensions"],
            f"{row['correlation']:.{digits}f}",
            f"{row['svd']:.3f}",
            f"{row['largest_deviation']:.3f}",
        ])  # fmt: skip
    return table(rows)


def bench(section: dict | None = None) -> str:
    """What the command prints."""
    return "\n\n".join([speed(section), quality(section), softmax(section)])


def speed(section: dict | None = None) -> str:
    """Words a second of every side, and the ratios."""
    section = section or recorded("bench")
    speeds, limit = section["speed"], section["limit"]["words_per_second"]
    rows = [["side", "words/s", "× gensim", "× pair by pair", "of the limit"]]
    for name, runs in speeds.items():
        peer = speeds.get(f"gensim, {name.split(', ')[1]}") if name.startswith("blocks") else None
        rows.append([
            name,
            spread(runs, 0),
            f"{median(runs) / median(peer):.2f}" if peer else "",
            f"{median(runs) / median(speeds['pair by pair, PyTorch']):.1f}",
            f"{100 * median(runs) / limit:.0f} %",
        ])  # fmt: skip
    return table(rows)


def goals(section: dict | None = None) -> str:
    """The goals of the speed comparison."""
    speeds = {name: median(runs) for name, runs in (section or recorded("bench"))["speed"].items()}
    blocks, peer, pairs = speeds["blocks, 1 thread"], speeds["gensim, 1 thread"], speeds["pair by pair, PyTorch"]
    return goal_table([
        ("blocks on one thread, times gensim", 0.7, blocks / peer, "words a second, same choices"),
        ("blocks on one thread, times the per-pair form", 3, blocks / pairs, "both in PyTorch"),
    ])  # fmt: skip


def quality(section: dict | None = None) -> str:
    """Analogies and shared neighbors of both sides."""
    result = (section or recorded("bench"))["quality"]
    names = {"ours": "this project", "gensim": "gensim", "both": "this project and gensim, same seed number"}
    rows = [["vectors", "analogies of word forms right", "of ten nearest words shared"]]
    for side, shared in result["overlap"].items():
        right = spread(result["analogies"][side], 1, "%") if side in result["analogies"] else ""
        rows.append([names[side], right, f"{100 * mean(shared):.0f} %" if shared else ""])
    return table(rows)


def softmax(section: dict | None = None) -> str:
    """Microseconds a pair, by the size of the vocabulary."""
    rows = [["vocabulary", "full softmax, µs a pair", "negative sampling, µs a pair"]]
    for row in (section or recorded("bench"))["softmax"]:
        rows.append([row["vocabulary"], spread(row["softmax"], 1), spread(row["negative_sampling"], 1)])
    return table(rows)


def break_it(section: dict | None = None) -> str:
    """Every experiment, every measure, in percent."""
    head = ["experiment", "cosine of random pairs", "top-20 word near", "neighbors with the same suffix",
            "neighbors that meet in the text", "analogies right"]  # fmt: skip
    variants = (section or recorded("break_it"))["variants"]
    return table([head, *([name, *(f"{v:.1f}" for v in row.values())] for name, row in variants.items())])


def novels(section: dict | None = None) -> str:
    """What the command prints."""
    parts = [novel_scores, novel_neighbors, novel_analogies, direction, probed]
    return "\n\n".join(part(section) for part in parts)


NOVEL_SCORES = {
    "family": "family analogies, % right",
    "grammar": "nine grammar sections, % right",
    "family_cos_mul": "family, 3CosMul",
    "grammar_cos_mul": "grammar, 3CosMul",
    "wordsim353": "WordSim-353, Spearman × 100",
    "simlex999": "SimLex-999, Spearman × 100",
}


def novel_scores(section: dict | None = None) -> str:
    """Both sides on the novels."""
    section = section or recorded("novels")
    sides = section["sides"]
    both = "gensim" in sides
    names = {"ours": "this project"}
    rows = [["score", "questions", *(names.get(side, side) for side in sides), "difference of means"]]
    for key, title in NOVEL_SCORES.items():
        difference = f"{mean(sides['ours'][key]) - mean(sides['gensim'][key]):+.1f}" if both else ""
        runs = [spread(side[key], 1) for side in sides.values()]
        rows.append([title, section["questions"].get(key, ""), *runs, difference])
    rows.append(["words/s", "", *(spread(side["words_per_second"], 0) for side in sides.values()), ""])
    return table(rows)


def novel_neighbors(section: dict | None = None) -> str:
    """Nearest words in the novels."""
    lists = (section or recorded("novels"))["neighbors"]
    rows = [[word, ", ".join(near)] for word, near in lists.items()]
    return table([["word", "nearest among the six thousand most frequent words"], *rows])


def novel_analogies(section: dict | None = None) -> str:
    """A few analogies with the three best answers, right or wrong."""
    rows = [["a : b", "c : ?", "the three best answers"]]
    for a, b, c, best in (section or recorded("novels"))["analogies"]:
        rows.append([f"{a} : {b}", f"{c} : ?", ", ".join(best)])
    return table(rows)


def direction(section: dict | None = None) -> str:
    """Occupations along the direction from he to she."""
    rows = (section or recorded("novels"))["direction"]
    return table([["occupation", "cosine with he → she"], *([word, f"{x:+.2f}"] for word, x in rows)])


def overlap(section: dict | None = None) -> str:
    """One sentence on the neighbors that sides and seeds share on the novels."""
    shares = (section or recorded("novels"))["overlap"]
    return "; ".join(f"{name}: {100 * mean(values):.0f} %" for name, values in shares.items() if values)


def probed(section: dict | None = None) -> str:
    """What small classifiers read off the novels' vectors."""
    return probe_words((section or recorded("novels"))["probes"])


def probe_words(results: dict) -> str:
    """The result of `probes.probe_words`: means over the seeds, and the deviation of the test score."""
    rows = [["probe", "training words", "unseen words", "random labels, training words"]]
    for name, row in results["probes"].items():
        test = f"{np.mean(row['test']):.3f} ± {np.std(row['test']):.3f}"
        rows.append([name, f"{np.mean(row['train']):.3f}", test, f"{np.mean(row['control']):.3f}"])
    majority = f"{results['majority']:.3f}"
    return table([*rows, ["always the largest class", majority, majority, ""]])


def own_text(section: dict) -> str:
    """What the command `train` prints."""
    rows = [[word, ", ".join(near)] for word, near in section["neighbors"].items()]
    return table([["word", "nearest words"], *rows])


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


def how_measured(name: str) -> str:
    """The line under a table: machine, versions, seeds, commit."""
    return meta_line(recorded(name))
