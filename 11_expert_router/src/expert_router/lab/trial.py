"""The counts of the trials: what the grader said of attempts by someone who knew README and workbook only."""

from .markdown import section, table


def trial(content: dict | None = None) -> str:
    """Every run of the two trials, and the right attempts of each."""
    trials = (content or section("trial"))["trials"]
    kinds = list(next(iter(trials[0]["wrong"].values())))
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run, counts in each["wrong"].items():
            label = f"{run} run" if run in ("first", "last") else run
            rows.append((f"{name}, {label}", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        times = "" if "RIGHT" in right else f" in its first run and {right['last']} in its last"
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right.get('RIGHT', right.get('first'))} were RIGHT"
            f"{times}. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
