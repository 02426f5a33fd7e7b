"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from . import markdown
from .holtzman import PAPER
from .markdown import meta_line, section, spread, table

NAMES = {"perplexity": "perplexity", "entropy": "entropy, bits", "repetition": "4-grams repeated, %"}


def summary() -> str:
    """README's table: at most six rows."""
    head, race, real = section("headline"), section("bench"), section("holtzman")["rules"]
    ours = {rule: median(run["perplexity"] for run in runs) for rule, runs in head["models"]["transformer"].items()}
    cases = race["cases"]
    rows = [("", "ours", "beside it")]
    for job in ("top-p", "T + top-k + top-p"):
        for batch in (1, 32):
            times = {k: median(v) for k, v in cases[f"peaked, batch {batch}"]["milliseconds"].items()}
            peer, limit = times[f"{job}: transformers"], times["limit: one read of the logits"]
            fast = times[f"{job}: fast"]
            label = f"{job}, {batch} × 50,257 logits"
            rows.append(
                (label, f"{fast:.2f} ms", f"{peer:.2f} ms (transformers, {peer / fast:.0f}×), {limit:.3f} (limit)")
            )
    hot = [("T 1.5 + min-p 0.1", "T 1.5 + top-p 0.9", "human")]
    for a, b, human in hot:
        rows.append(
            (
                "perplexity at T 1.5, small model: min-p 0.1",
                f"{ours[a]:.1f}",
                f"{ours[b]:.1f} (top-p 0.9), {ours[human]:.1f} (human)",
            )
        )
        r = {name: real[name]["perplexity"] for name in (a, b, human)}
        rows.append(
            ("the same, SmolLM2", f"{r[a]:.1f}", f"{r[b]:,.0f} (top-p 0.9), {r[human]:.1f} (human)"),
        )
    return f"{table(rows)}\n\n{meta_line(race)}\n"


def headline(content: dict | None = None) -> str:
    """Every model and rule; what a temperature does to the nucleus; the known tail."""
    content = content or section("headline")
    parts = [rules_table(name, found) for name, found in content["models"].items()]
    nuclei = content["nuclei"]
    head = ("tokens kept (median)", *(f"T {t:g}" for t in nuclei["temperatures"]))
    parts.append(table([head, *((name, *map(_whole, nuclei[name])) for name in ("top-p 0.9", "min-p 0.1"))]))
    made_up = content["tail"]
    rows = [(name, f"{r['expected']:.0f}", spread(r["drawn"], 0)) for name, r in made_up["rules"].items()]
    parts.append(table([(f"tail tokens in {made_up['draws']:,} draws", "expected", "drawn"), *rows]))
    return "\n\n".join([*parts, meta_line(content)]) + "\n"


def rules_table(model: str, found: dict) -> str:
    """One row a rule."""
    rows = [(model, *NAMES.values(), "different tokens")]
    for rule, runs in found.items():
        cells = [spread([run[name] for run in runs], 1) for name in NAMES]
        rows.append((rule, *cells, spread([run["distinct"] for run in runs], 0)))
    return table(rows)


def holtzman(content: dict | None = None) -> str:
    """The real model beside the paper."""
    content = content or section("holtzman")
    rows = [("SmolLM2-135M-Instruct", *NAMES.values(), "different tokens", "paper: perplexity", "paper: repetition, %")]
    for rule, found in content["rules"].items():
        theirs = ["" if x is None else f"{x:.2f}" for x in PAPER.get(rule, (None, None))]
        cells = [f"{found[name]:,.1f}" for name in NAMES]
        rows.append((rule, *cells, found["distinct"], *theirs))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def bench(content: dict | None = None) -> str:
    """Milliseconds of every form, and the goals."""
    content = content or section("bench")
    rows = [("ms a call", *content["cases"])]
    names = list(next(iter(content["cases"].values()))["milliseconds"])
    rows += [(name, *(spread(case["milliseconds"][name], 3) for case in content["cases"].values())) for name in names]
    kept = ("tokens that top-p 0.9 keeps", *(spread(case["kept"], 0) for case in content["cases"].values()))
    goals = markdown.goals([(g["goal"], g["wanted"], g["got"], "times `transformers`") for g in content["goals"]])
    return f"{table([*rows, kept])}\n\n{goals}\n\n{meta_line(content)}\n"


def drafts(content: dict | None = None) -> str:
    """Acceptance, tokens a pass, time."""
    content = content or section("drafts")
    plain = median(content["plain seconds"])
    rows = [("draft", "γ", "acceptance", "tokens a pass", "predicted", "times plain decoding's time, CPU")]
    for name, gammas in content["drafts"].items():
        for gamma, r in gammas.items():
            times = spread([s / plain for s in r["seconds a token"]], 2)
            got = spread(r["tokens a pass"], 2)
            rows.append((name, gamma, f"{r['acceptance']:.0%}", got, f"{r['expected']:.2f}", times))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def smollm2_drafts(content: dict | None = None) -> str:
    """The same on the real model, with n-grams as drafts."""
    content = content or section("smollm2_drafts")
    rows = [("SmolLM2", "γ", "acceptance", "tokens a pass", "predicted", "times plain decoding's time, CPU")]
    for rule, found in content["rules"].items():
        plain = median(found["plain seconds"])
        for gamma, r in found["gammas"].items():
            times = spread([s / plain for s in r["seconds a token"]], 2)
            got = spread(r["tokens a pass"], 2)
            rows.append((rule, gamma, f"{r['acceptance']:.0%}", got, f"{r['expected']:.2f}", times))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def reasoning(content: dict | None = None) -> str:
    """With and without partial sums; then votes of chains beside the jury."""
    content = content or section("reasoning")
    steps, seconds = content["steps"], content["seconds"]

    def share(values: list[float]) -> str:
        return spread([100 * v for v in values], 0, "%")

    rows = [("greedy answers", "steps", "CPU-s", "right"),
            ("the sum at once", steps, spread(seconds["direct"], 1), share(content["direct"])),
            ("the sum at once, trained longer", 4 * steps, spread(seconds["direct_longer"], 1),
             share(content["direct_longer"])),
            ("every partial sum first", steps, spread(seconds["chain"], 1), share(content["chain"]))]  # fmt: skip
    votes = [("sampled chains that vote", *content["votes"], "one greedy chain")]
    for name, key in (("measured", "vote"), ("a jury of two opinions", "jury")):
        columns = [share(list(column)) for column in zip(*content[key], strict=True)]
        votes.append((name, *columns, share(content["early"]) if key == "vote" else ""))
    between = f"Training ended early, a sampled chain (`{content['example']}`):"
    return f"{table(rows)}\n\n{between}\n\n{table(votes)}\n\n{meta_line(content)}\n"


def break_it(content: dict | None = None) -> str:
    """What each experiment did."""
    from .break_it import EXPERIMENTS

    content = content or section("break_it")
    rows = [("experiment", "what happens"), *((e.title, content[e.name]["outcome"]) for e in EXPERIMENTS)]
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def gallery(content: dict | None = None, characters: int = 220) -> str:
    """The beginning of one text for each rule, the same prompt."""
    content = content or section("holtzman")
    rows = [("rule", "text"), *((rule, _short(text, characters)) for rule, text in content["gallery"].items())]
    return f"{table(rows)}\n"


def _short(text: str, characters: int) -> str:
    cut = " ".join(text.split())[:characters]
    for symbol in "\\`*_<>[]$#~":
        cut = cut.replace(symbol, f"&#{ord(symbol)};")
    return cut


def _whole(x: float) -> str:
    return f"{x:.0f}"


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right['first']} were RIGHT in its first run and "
            f"{right['last']} in its last. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
