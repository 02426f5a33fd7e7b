"""Tables in markdown, from the results alone; the README takes its numbers from here."""
from statistics import mean, median

from .probes.words import table as probe_table
from .record import read


def show(section: str, results: dict) -> str:
    """What the command line prints after an experiment."""
    tables = {"headline": [neighbours, marks, exact], "bench": [bench, quality, softmax], "break_it": [break_it],
              "novels": [novels, novel_neighbours, novel_analogies, direction, probed]}
    return "\n\n".join(table(results) for table in tables[section])


def _rows(head: list[str], rows: list[list[object]]) -> str:
    align = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(str(x) for x in row) + " |" for row in [head, align, *rows])


def _spread(values: list[float], form: str = ".1f") -> str:
    """Median (least to greatest), or the only value."""
    low, high = min(values), max(values)
    return f"{median(values):{form}}" + (f" ({low:{form}} to {high:{form}})" if len(values) > 1 else "")


def made_by(section: str, results: dict | None = None) -> str:
    """One line: where, when and with what a section was measured."""
    m = (results or read())[section]["meta"]
    versions = ", ".join(f"{name} {v}" for name, v in m["versions"].items())
    threads = f"{m['threads']} thread{'s' if m['threads'] > 1 else ''}"
    return (f"Measured {m['date']} on {m['machine']}; Python {m['python']}, {versions}; {threads} unless said "
            f"otherwise; seeds {', '.join(map(str, m['seeds']))}; commit {m['commit']}.")


def neighbours(results: dict | None = None) -> str:
    """Nearest words in the offline text."""
    found = (results or read())["headline"]["neighbours"]
    return "\n".join(["| word | nearest among the thousand most frequent words |", "|---|---|",
                      *(f"| {word} | {', '.join(near)} |" for word, near in found.items())])


def marks(results: dict | None = None) -> str:
    """Analogies of word forms: skip-gram, CBOW and counting."""
    r = (results or read())["headline"]
    sections = list(next(iter(r["marks"].values()))["sections"])
    asked = r["marks"]["skip-gram"]["questions"]
    head = ["vectors", *(f"{s} ({asked[s]})" for s in sections), "all, 3CosAdd", "all, 3CosMul"]
    rows = [[name, *(f"{mean(m['sections'][s]):.0f} %" for s in sections), _spread(m["add"]) + " %",
             _spread(m["mul"]) + " %"] for name, m in r["marks"].items()]
    return _rows(head, rows)


def exact(results: dict | None = None) -> str:
    """The correlation with PMI - log k by dimensions."""
    rows = (results or read())["headline"]["exact"]["rows"]
    return _rows(["dimensions", "skip-gram, correlation with PMI − log k", "truncated SVD of that matrix",
                  "largest deviation on frequent pairs, nats"],
                 [[r["dimensions"], f"{r['correlation']:.{7 if r['correlation'] > 0.999 else 3}f}", f"{r['svd']:.3f}",
                   f"{r['largest_deviation']:.3f}"] for r in rows])


def bench(results: dict | None = None) -> str:
    """Words a second of every side, and the ratios to the goals."""
    r = (results or read())["bench"]
    speed, limit = r["speed"], r["limit"]["words_per_second"]
    rows = []
    for name, runs in speed.items():
        peer = speed.get(f"gensim, {name.split(', ')[1]}") if name.startswith("blocks") else None
        rows.append([name, _spread(runs, ",.0f"), f"{median(runs) / median(peer):.2f}" if peer else "",
                     f"{median(runs) / median(speed['pair by pair, PyTorch']):.1f}",
                     f"{100 * median(runs) / limit:.0f} %"])
    return _rows(["side", "words/s, median (range)", "× gensim", "× pair by pair", "of the limit"], rows)


def quality(results: dict | None = None) -> str:
    """Analogies and shared neighbours of both sides."""
    r = (results or read())["bench"]["quality"]
    names = {"ours": "this project", "gensim": "gensim", "both": "this project and gensim, same seed number"}
    rows = [[names[side], _spread(r["analogies"][side]) + " %" if side in r["analogies"] else "",
             f"{100 * mean(shared):.0f} %" if shared else ""] for side, shared in r["overlap"].items()]
    return _rows(["vectors", "analogies of word forms right", "of ten nearest words shared"], rows)


def softmax(results: dict | None = None) -> str:
    """Microseconds a pair against the size of the vocabulary."""
    rows = (results or read())["bench"]["softmax"]
    return _rows(["vocabulary", "full softmax, µs a pair", "negative sampling, µs a pair"],
                 [[r["vocabulary"], _spread(r["softmax"]), _spread(r["negative_sampling"])] for r in rows])


def break_it(results: dict | None = None) -> str:
    """Every variant, every measure, in percent."""
    variants = (results or read())["break_it"]["variants"]
    return _rows(["variant", "cosine of random pairs", "top-20 word beside", "neighbours with the same ending",
                  "neighbours that meet in the text", "analogies right"],
                 [[name, *(f"{v:.1f}" for v in row.values())] for name, row in variants.items()])


def novels(results: dict | None = None) -> str:
    """Both sides on the novels."""
    r = (results or read())["novels"]
    names = {"family": "family analogies, % right", "grammar": "nine grammar sections, % right",
             "family_mul": "family, 3CosMul", "grammar_mul": "grammar, 3CosMul",
             "wordsim353": "WordSim-353, Spearman × 100", "simlex999": "SimLex-999, Spearman × 100"}
    sides = r["sides"]
    rows = [[title, r["known"].get(key, ""), *(_spread(side[key]) for side in sides.values()),
             f"{mean(sides['ours'][key]) - mean(sides['gensim'][key]):+.1f}" if "gensim" in sides else ""]
            for key, title in names.items()]
    rows.append(["words/s", "", *(_spread(side["words_per_second"], ",.0f") for side in sides.values()), ""])
    return _rows(["", "questions", *({"ours": "this project"}.get(s, s) for s in sides), "difference of means"], rows)


def novel_neighbours(results: dict | None = None) -> str:
    """Nearest words in the novels."""
    found = (results or read())["novels"]["neighbours"]
    return "\n".join(["| word | nearest among the six thousand most frequent words |", "|---|---|",
                      *(f"| {word} | {', '.join(near)} |" for word, near in found.items())])


def novel_analogies(results: dict | None = None) -> str:
    """A few analogies with the three best answers each, right or wrong."""
    found = (results or read())["novels"]["analogies"]
    return "\n".join(["| a : b | c : ? | the three best answers |", "|---|---|---|",
                      *(f"| {a} : {b} | {c} : ? | {', '.join(best)} |" for a, b, c, best in found)])


def direction(results: dict | None = None) -> str:
    """Occupations along the direction from he to she."""
    found = (results or read())["novels"]["direction"]
    return _rows(["occupation", "cosine with he → she"], [[word, f"{x:+.2f}"] for word, x in found])


def shared(results: dict | None = None) -> str:
    """One sentence on the neighbours that sides and seeds share on the novels."""
    found = (results or read())["novels"]["overlap"]
    return "; ".join(f"{name}: {100 * mean(values):.0f} %" for name, values in found.items() if values)


def probed(results: dict | None = None) -> str:
    """What small classifiers read off the novels' vectors."""
    return probe_table((results or read())["novels"]["probes"])
