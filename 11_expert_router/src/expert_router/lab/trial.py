"""The counts of a trial: what the grader said of attempts by someone who knew README and workbook only."""

from .markdown import section, table


def trial(content: dict | None = None) -> str:
    """All wrong attempts once, those that a repair is for once more, and the right ones."""
    content = content or section("trial")
    runs, right = content["wrong"], content["right"]
    rows = [("wrong attempts", "number", *runs["first run"])]
    rows += [(name, sum(counts.values()), *counts.values()) for name, counts in runs.items()]
    return f"{table(rows)}\n\nOf {right['attempts']} right attempts, {right['RIGHT']} were RIGHT. {content['date']}.\n"
