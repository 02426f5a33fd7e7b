"""Tables of the side quests. Without a section, of the committed one."""

from .markdown import meta_line, section, spread, table


def percent(values: list[float]) -> str:
    return spread([100 * v for v in values], 1)


def losses(content: dict | None = None) -> str:
    """Imbalance, outliers, contrast."""
    content = content or section("losses")
    head = ("loss", "average precision, %", "precision at ½, %", "recall at ½, %")
    rows = [(name, *(percent(values) for values in r.values())) for name, r in content["imbalance"].items()]
    shares = list(next(iter(content["outliers"].values())))
    slopes = [("loss", *(f"{share} outliers" for share in shares))]
    slopes += [(name, *(spread(errors[share]) for share in shares)) for name, errors in content["outliers"].items()]
    found = [("loss", "partner found among 500, %")]
    found += [(name, percent(values)) for name, values in content["contrast"].items()]
    return "\n\n".join([
        f"One positive in {1 / content['share']:.0f}:", table([head, *rows]),
        "Error of a fitted slope of 2:", table(slopes),
        "Two noisy views of the same thing:", table(found), meta_line(content),
    ]) + "\n"  # fmt: skip


def translation(content: dict | None = None) -> str:
    """BLEU by the number of training pairs."""
    content = content or section("translation")
    rows = [("training pairs", "BLEU, greedy", "BLEU, beam of 4", "greedy, the same sentences", "exact, %")]
    for size, r in content["made"].items():
        cells = (spread(r[key], 1) for key in ("greedy", "beam 4", "greedy, the beam's sentences"))
        rows.append((f"{int(size):,}", *cells, percent(r["exact"])))
    return f"{table(rows)}\n\n{examples(content)}\n\n{meta_line(content)}\n"


def examples(content: dict) -> str:
    head = ("English", "ours, greedy", "reference")
    return table([head, *content["examples"]])


def french(content: dict | None = None) -> str:
    """The same of French."""
    content = content or section("french")
    rows = [("training pairs", "BLEU, greedy", "BLEU, beam of 4", "greedy, the same sentences", "exact, %")]
    cells = (f"{content[key]:.1f}" for key in ("greedy", "beam 4", "greedy, the beam's sentences"))
    rows.append((f"{content['pairs']:,}", *cells, f"{100 * content['exact']:.1f}"))
    return f"{table(rows)}\n\n{examples(content)}\n\n{meta_line(content)}\n"


def polarity(content: dict | None = None) -> str:
    """Accuracy by the number of labels, and the other metrics at the most labels."""
    content = content or section("polarity")
    sizes = list(next(iter(content["scores"].values())))
    rows = [("", *(f"accuracy, {int(n):,} labels" for n in sizes), "F1", "Matthews")]
    for name, by_size in content["scores"].items():
        last = by_size[sizes[-1]]
        rows.append(
            (name, *(percent(by_size[n]["accuracy"]) for n in sizes), percent(last["f1"]), percent(last["matthews"]))
        )
    ends = ", ".join(f"{name} {spread(values)}" for name, values in content["last loss"].items())
    note = (
        "In per cent, on 2,000 test sentences; F1 and Matthews' correlation with the most labels. Pre-training is "
        f"{content['pretraining']:,} steps on the training sentences without their labels. Its last loss, in nats a "
        f"word: {ends}."
    )
    return f"{table(rows)}\n\n{note}\n\n{meta_line(content)}\n"


def polarity_sentence(content: dict | None = None) -> str:
    """By how much pre-training helps or does not, in a sentence for each number of labels."""
    content = content or section("polarity")
    sentences = []
    for kind in ("encoder", "writer"):
        scratch, trained = (content["scores"][f"{kind}, {start}"] for start in ("from scratch", "pre-trained"))
        gains = []
        for size in scratch:
            pairs = zip(trained[size]["accuracy"], scratch[size]["accuracy"], strict=True)
            points = [100 * (a - b) for a, b in pairs]
            gains.append(f"{sum(points) / len(points):+.1f} with {int(size):,} labels")
        sentences.append(f"Pre-training moves the {kind}'s accuracy by {', '.join(gains)} (points, mean of the seeds).")
    return " ".join(sentences)


def trial(content: dict | None = None) -> str:
    """Attempts written from README and workbook alone: first, and after the repairs that followed."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        said.append(
            f"{name.capitalize()}, {each['date']}: of {right['attempts']} attempts that were meant to be right, "
            f"{right['first']} were RIGHT in the first run and {right['last']} in the last. {each['refused']}"
        )
    return f"{table(rows)}\n\n" + "\n\n".join(said) + "\n"
