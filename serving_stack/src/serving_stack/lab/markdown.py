"""Recorded results as markdown: tables, spreads and the line that says how a number was measured."""

import re
from collections.abc import Sequence
from statistics import median

from . import record

Number = int | float
_KNOWN = ("machine", "python", "versions", "commit", "seeds", "date", "threads", "quick")
_NUMBER = re.compile(r"\W*\d")


def table(rows: Sequence[Sequence[object]]) -> str:
    """A markdown table whose first row is the header, without a newline at the end.

    A column is set to the right if each of its cells starts with a number or is empty.

    Raises:
        ValueError: the rows differ in length.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells or len({len(row) for row in cells}) > 1:
        raise ValueError(f"rows={[len(row) for row in cells]} cells: a table needs a header and rows of one length")
    head, *body = cells
    right = [any(column) and all(_NUMBER.match(c) or not c for c in column) for column in zip(*body, strict=True)]
    rule = ["---:" if r else "---" for r in right] or ["---"] * len(head)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def _cell(value: object) -> str:
    """One cell: on one line, with "|" escaped once."""
    return re.sub(r"(?<!\\)\|", r"\\|", str(value)).replace("\n", " ")


def spread(values: Sequence[Number], digits: int = 2, unit: str = "") -> str:
    """The median, and the range where there is more than one value: `1.20 (1.10–1.35) ms`."""
    if not values:
        return ""
    low, middle, high = (f"{v:,.{digits}f}" for v in (min(values), median(values), max(values)))
    text = middle if len(values) == 1 else f"{middle} ({low}–{high})"
    return f"{text} {unit}".strip()


def meta_line(section: dict) -> str:
    """How the section's numbers were measured, in one small line."""
    meta = section.get("meta")
    if not meta:
        return ""
    parts = [f"Python {meta['python']}", *(f"{name} {version}" for name, version in meta["versions"].items())]
    threads, seeds = meta.get("threads"), meta.get("seeds", [])
    facts = [meta["machine"], ", ".join(parts)]
    if threads is not None:
        facts.append(f"{threads} thread{'' if threads == 1 else 's'}")
    if seeds:
        facts.append(f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}")
    facts += [f"{name} {value}" for name, value in meta.items() if name not in _KNOWN and value not in (None, "")]
    facts.append(f"commit {meta['commit']}, {meta['date']}")
    quick = " Quick run: the numbers mean nothing." if meta.get("quick") else ""
    return f"<sub>{'; '.join(facts)}. Medians, ranges in brackets.{quick}</sub>"


def section(name: str, results: dict | None = None, command: str = "") -> dict:
    """One section, of the committed results where `results` is None.

    Raises:
        ValueError: there is no such section; the message names the command that makes it.
    """
    results = record.read(record.COMMITTED) if results is None else results
    if name not in results:
        package = __package__.partition(".")[0]
        own = {"headline": "", "break_it": " break"}.get(name, f" {name}")
        raise ValueError(f"section={name!r}: not recorded yet; run {command or f'python -m {package}{own}'}")
    return results[name]


def goals(rows: Sequence[tuple[str, Number, Number, str]], at_most: bool = False) -> str:
    """A table of goals: what was wanted at least (`at_most`: at most), what was measured, met or missed."""
    sign = "≤" if at_most else "≥"
    body = []
    for goal, wanted, got, note in rows:
        met = got <= wanted if at_most else got >= wanted
        body.append((goal, f"{sign} {wanted:g}", f"{got:.3g}", note, "met" if met else "**missed**"))
    return table([("goal", "wanted", "measured", "note", ""), *body])
