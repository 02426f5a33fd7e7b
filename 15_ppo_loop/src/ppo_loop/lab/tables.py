"""Recorded results as tables, for the terminal, README and REPORT."""

from statistics import median

from .markdown import goals, meta_line, section, spread, table


def ends(r: dict, part: str, name: str, key: str) -> list[float]:
    """One number a seed, at the end of a run."""
    return [seed["end"][name][key] if part == "hacking" else seed[name][key] for seed in r[part]]


def summary(content: dict | None = None) -> str:
    """README's six rows."""
    r, b = content or section("headline"), section("bench")
    start = [s["start"]["judge"] for s in r["hacking"]]
    chain = [[s["chain"][when]["correct"] for s in r["sums"]] for when in ("before", "after")]
    direct = [s["direct"]["after"]["correct"] for s in r["sums"]]
    rows = [
        ("", "ours", "peer or limit"),
        (
            "distance from the tabular optimum: DPO, PPO",
            f"{max(r['bandit']['DPO, all pairs']):.0e}, {max(r['bandit']['PPO, 2,048 samples']):.4f}",
            "0 (formula)",
        ),
        (
            "PPO against a reward model, judged by the judge: no penalty, beta 0.1",
            f"{spread(ends(r, 'hacking', 'beta 0', 'judge'))}, {spread(ends(r, 'hacking', 'beta 0.1', 'judge'))}",
            f"{spread(start)} (before)",
        ),
        (
            "the same two policies, scored by the reward model",
            f"{spread(ends(r, 'hacking', 'beta 0', 'proxy'))}, {spread(ends(r, 'hacking', 'beta 0.1', 'proxy'))}",
            f"{spread([s['start']['proxy'] for s in r['hacking']])} (before)",
        ),
        (
            "sums that are right after GRPO: with a chain, without",
            f"{spread(chain[1])}, {spread(direct)}",
            f"{spread(chain[0])} (before), 0.1 (chance)",
        ),
        *(
            (
                f"{name}, samples a second",
                spread(b["samples_per_second"][name]["ours"], 0),
                f"{median(b['ratio'][name]):.1f}× TRL",
            )
            for name in b["ratio"]
        ),
    ]
    return f"{table(rows)}\n\n{meta_line(r)}\n"


def headline(content: dict | None = None) -> str:
    """All tables of the headline."""
    r = content or section("headline")
    return "\n\n".join([kl(r), bandit(r), hacking(r), methods(r), sums(r), meta_line(r)]) + "\n"


def kl(content: dict | None = None) -> str:
    """Schulman's table, and the three as losses."""
    r = (content or section("headline"))["kl"]
    rows = [("reference", "estimator", "bias / KL", "deviation / KL")]
    for mean, estimators in r["table"].items():
        for name, found in estimators.items():
            rows.append((f"N({mean}, 1)", name, f"{found['bias']:.3f}", f"{found['std']:.2f}"))
    gradients = [("as a loss", "length of its mean gradient")]
    gradients += [(name, f"{size:.4f}") for name, size in r["gradients"].items()]
    return f"{table(rows)}\n\nThe policy is N(0, 1), {r['samples']:,} samples.\n\n{table(gradients)}"


def bandit(content: dict | None = None) -> str:
    """Distance from the formula's policy."""
    r = (content or section("headline"))["bandit"]
    rows = [("method", "largest difference of a probability, worst seed")]
    return table([*rows, *((name, f"{max(values):.1e}") for name, values in r.items())])


def checks(content: dict | None = None) -> str:
    """The reward model's four checks."""
    found = (content or section("headline"))["checks"]
    names = {
        "accuracy": "ranking accuracy on unseen pairs",
        "on its own pairs": "on the pairs that it was trained on",
        "of the judge": "of the judge himself, whose choices are noisy",
        "shuffled labels": "of a twin trained on shuffled labels",
        "length bias": "correlation of reward and length",
        "length bias of the judge": "the same of the judge",
    }
    rows = [("check", "value"), *((words, spread([f[name] for f in found])) for name, words in names.items())]
    bins = [("says", "is right")]
    for i in range(len(found[0]["calibration"])):
        both = [[f["calibration"][i][j] for f in found if i < len(f["calibration"])] for j in (0, 1)]
        bins.append((spread(both[0]), spread(both[1])))
    return f"{table(rows)}\n\n{table(bins)}"


def hacking(content: dict | None = None) -> str:
    """The end of each run, and the best of n."""
    r = content or section("headline")
    rows = [("PPO against the reward model", "reward model", "judge", "KL", "words an answer")]
    keys = ("proxy", "judge", "kl", "length")
    rows.append(("before", *(spread([s["start"][k] for s in r["hacking"]]) for k in keys)))
    for name in r["hacking"][0]["end"]:
        rows.append((name, *(spread(ends(r, "hacking", name, k)) for k in keys)))
    best = [("best of n by the reward model", "reward model", "judge", "KL (formula)")]
    for i, point in enumerate(r["hacking"][0]["best of n"]):
        both = ([s["best of n"][i][k] for s in r["hacking"]] for k in ("proxy", "judge"))
        best.append((point["n"], *(spread(values) for values in both), f"{point['kl']:.2f}"))
    fits = [("Gao's form", "a", "b")]
    for name in r["hacking"][0]["gao"]:
        both = ([s["gao"][name][j] for s in r["hacking"] if name in s["gao"]] for j in (0, 1))
        fits.append((name, *(spread(values) for values in both)))
    return f"{table(rows)}\n\n{table(best)}\n\n{table(fits)}"


def words(content: dict | None = None) -> str:
    """What the policies write, first seed."""
    r = (content or section("headline"))["hacking"][0]["words"]
    return table([("policy", "answers"), *((name, "; ".join(texts)) for name, texts in r.items())])


def methods(content: dict | None = None) -> str:
    """DPO, PPO, GRPO at equal samples."""
    r = content or section("headline")
    rows = [(f"{r['methods'][0]['samples']:,} sampled answers", "judge", "KL", "words an answer")]
    for name in ("start", "DPO", "PPO", "GRPO"):
        rows.append((name, *(spread([s[name][k] for s in r["methods"]]) for k in ("judge", "kl", "length"))))
    return table(rows)


def sums(content: dict | None = None) -> str:
    """Accuracy and compliance, before and after."""
    r = content or section("headline")
    rows = [("sums of four digits", "right", "in the form", "every step right", "faithful", "compliant")]
    keys = ("correct", "form", "steps", "faithful", "compliant")
    for name in ("direct", "chain"):
        for when in ("before", "after"):
            rows.append((f"{name}, {when} GRPO", *(spread([s[name][when][k] for s in r["sums"]]) for k in keys)))
    return table(rows)


def bench(content: dict | None = None) -> str:
    """Samples a second beside TRL, and the limit."""
    r = content or section("bench")
    rows = [("samples a second", "ours", "TRL 1.12.0", "times TRL", "limit by arithmetic")]
    for name, sides in r["samples_per_second"].items():
        most = r["limit"]["samples_per_second"][name]
        share = 100 * median(sides["ours"]) / most
        rows.append(
            (
                name,
                *(spread(sides[s], 0) for s in ("ours", "TRL")),
                spread(r["ratio"][name], 1),
                f"{most:,.0f} (ours: {share:.0f} %)",
            )
        )
    note = (
        f"{r['rounds']} rounds in turn, {r['steps']} steps of {r['batch']} answers each; "
        "a side's figure is the median of its steps."
    )
    wanted = [(f"{name}: times TRL", 2, median(ratio), "median of the rounds") for name, ratio in r["ratio"].items()]
    return f"{table(rows)}\n\n{note}\n\n{goals(wanted)}\n\n{meta_line(r)}\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake does."""
    r = content or section("break_it")
    keys = ("judge", "proxy", "kl", "length")
    rows = [("experiment", "judge", "reward model", "KL", "words an answer", "value loss", "clipped tokens")]
    rows.append(("before training", *(spread([s[k] for s in r["start"]]) for k in keys), "", ""))
    for name, runs in r["runs"].items():
        more = (spread([s["value_loss"] for s in runs], 3), spread([100 * s["clipped"] for s in runs], 1, "%"))
        rows.append((name, *(spread([s[k] for s in runs]) for k in keys), *more))
    return f"{table(rows)}\n\n{meta_line(r)}\n"


def smollm2(content: dict | None = None) -> str:
    """Form and truth before and after, and answers."""
    r = content or section("smollm2")
    rows = [("SmolLM2-135M-Instruct", "answers", "in the form", "name the capital")]
    for when in ("before", "after"):
        for name in ("trained", "unseen"):
            f = r[when][name]
            rows.append(
                (f"{when}, {name} countries", f["answers"], f"{100 * f['obey']:.0f} %", f"{100 * f['true']:.0f} %")
            )
    said = [("country", "before", "after")]
    for name in ("trained", "unseen"):
        for country, text in r["before"][name]["examples"].items():
            said.append((country, text, r["after"][name]["examples"][country]))
    answers = r["steps"] * r["questions"] * r["group"]
    note = (
        f"{r['steps']} steps, {answers} sampled answers, {r['trained']:,} trained numbers beside {r['of']:,} "
        "frozen ones, "
        f"{r['seconds'] / 60:.1f} minutes. KL at the last step: {r['history'][-1]['kl']:.2f}."
    )
    return f"{table(rows)}\n\n{note}\n\n{table(said)}\n\n{meta_line(r)}\n"


def real_sentence(content: dict | None = None) -> str:
    """What became of the real model."""
    r = content or section("smollm2")
    before, after = r["before"]["unseen"], r["after"]["unseen"]
    return (
        f"SmolLM2, asked for the capitals of countries that were not trained on, answers in the form in "
        f"{100 * before['obey']:.0f} % of samples before {r['steps']} steps of GRPO and "
        f"{100 * after['obey']:.0f} % after. "
        f"The right capital stands in {100 * before['true']:.0f} % before and "
        f"{100 * after['true']:.0f} % after, although nothing rewards it."
    )


def trial(content: dict | None = None) -> str:
    """Two sets of attempts by someone who had read README and workbook alone: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    rows, said = [("wrong attempts", "number", *trials[0]["wrong"]["first"])], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *counts.values()))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} attempts of the {name} that were meant to be right, {right['first']} were RIGHT "
            f"in its first run and {right['last']} in its last. {each['refused']} {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
