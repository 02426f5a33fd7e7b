"""The counts of a trial: what the grader said of attempts by someone who knew README and workbook only."""

from .markdown import section, table


def trial(content: dict | None = None) -> str:
    """First, and after the repairs that followed."""
    content = content or section("trial")
    kinds = list(content["wrong"]["first"])
    rows = [("wrong attempts", "number", *kinds)]
    for run in ("first", "last"):
        counts = content["wrong"][run]
        rows.append((f"{run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
    right = content["right"]
    return (
        f"{table(rows)}\n\nOf {right['attempts']} right attempts, {right['first']} were RIGHT in the first run and "
        f"{right['last']} in the last. {content['date']}.\n"
    )
