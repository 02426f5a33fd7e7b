"""Tables in markdown, from the results alone. README and REPORT take their numbers from here."""

from statistics import mean, median

from .markdown import goals as goal_table
from .markdown import meta_line, spread, table
from .markdown import section as recorded
from .probe_tables import foundations, pitfalls, probe_details, probe_summary, probe_words, probes

__all__ = ["foundations", "pitfalls", "probe_details", "probe_summary", "probe_words", "probes"]  # and those below


def headline(section: dict | None = None) -> str:
    """What the command prints."""
    return "\n\n".join([neighbors(section), scores(section), exact(section)])


def headline_rows() -> str:
    """The first table of the README: ours, the peer, the limit."""
    bench, head, novel = recorded("bench"), recorded("headline"), recorded("novels")
    speeds = {name: median(runs) for name, runs in bench["speed"].items()}
    row = head["exact"]["rows"][-1]
    quality = {side: spread(values, 1, "%") for side, values in bench["quality"]["analogies"].items()}
    family = {side: spread(values["family"], 1, "%") for side, values in novel["sides"].items()}
    return table([
        ("", "this project", "gensim", "limit"),
        ("words a second, one thread", f"{speeds['blocks, 1 thread']:,.0f}", f"{speeds['gensim, 1 thread']:,.0f}",
         f"{bench['limit']['words_per_second']:,.0f} if memory and arithmetic were all"),
        ("words a second, one pair at a time", f"{speeds['pair by pair, PyTorch']:,.0f}", "", ""),
        ("analogies of word forms, Python's documentation", quality["ours"], quality["gensim"], ""),
        ("family analogies, 27 novels", family["ours"], family["gensim"], ""),
        (f"correlation with PMI − log k, {row['dimensions']} dimensions", f"{row['correlation']:.8f}", "",
         "1, by Levy and Goldberg's proof"),
    ])  # fmt: skip


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
        digits = 8 if row["correlation"] > 0.999 else 3
        rows.append([
            row["dimensions"],
            f"{row['correlation']:.{digits}f}",
            f"{row['svd']:.3f}",
            f"{row['largest_deviation']:.3g}",
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


REAL_SCORES = {
    "family": "family analogies, % right",
    "grammar": "nine grammar sections, % right",
    "wordsim353": "WordSim-353, Spearman × 100",
    "simlex999": "SimLex-999, Spearman × 100",
    "mean_cosine": "mean cosine of random pairs",
}


def smollm2(section: dict | None = None) -> str:
    """What the command prints."""
    return "\n\n".join([real_scores(section), real_neighbors(section)])


def real_scores(section: dict | None = None) -> str:
    """Both spaces on the same words, with and without their mean."""
    section = section or recorded("smollm2")
    rows = [["score", "questions", *section["spaces"]]]
    for key, title in REAL_SCORES.items():
        digits = 3 if key == "mean_cosine" else 1
        runs = [spread([run[key] for run in space], digits) for space in section["spaces"].values()]
        rows.append([title, section["questions"].get(key, ""), *runs])
    return table(rows)


def real_neighbors(section: dict | None = None) -> str:
    """Nearest words in both spaces."""
    near = (section or recorded("smollm2"))["neighbors"]
    rows = [[word, *(", ".join(lists[word][:4]) for lists in near.values())] for word in near["SmolLM2"]]
    return table([["word", *near], *rows])


def own_text(section: dict) -> str:
    """What the command `train` prints."""
    rows = [[word, ", ".join(near)] for word, near in section["neighbors"].items()]
    return table([["word", "nearest words"], *rows])


def trial(section: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (section or recorded("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [["wrong attempts", "number", *kinds]], []
    ordinals = ("first", "second", "third", "fourth", "fifth", "sixth")
    for nth, each in zip(ordinals[: len(trials)], trials, strict=True):
        for run, counts in each["wrong"].items():
            rows.append([f"{nth} trial, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)])
        right = each["right"]
        last = f" and {right['last']} in its last" if "last" in right else ""
        said.append(
            f"Of {right['attempts']} right attempts in other styles of the {nth} trial, {right['first']} were RIGHT in "
            f"its first run{last}. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}"


def how_measured(name: str) -> str:
    """The line under a table: machine, versions, seeds, commit."""
    return meta_line(recorded(name))
