"""The counts of the trials: what the grader said of attempts by someone who knew README and workbook only."""

from .markdown import section, table


def trial(content: dict | None = None) -> str:
    """First, and after the repairs that followed."""
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
