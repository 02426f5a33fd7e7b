"""Matrices of weights in results.json: a text for each row instead of a line for each number."""

from collections.abc import Iterable


def packed(rows: Iterable) -> list[str]:
    """Rows of numbers as texts, in thousandths; zeros at the end are left out."""
    texts = []
    for row in rows:
        numbers = [round(1000 * float(x)) for x in row]
        while numbers and not numbers[-1]:
            numbers.pop()
        texts.append(" ".join(map(str, numbers)))
    return texts


def unpacked(rows: list[str], width: int) -> list[list[float]]:
    """The rows again, each `width` numbers long."""
    numbers = [[int(x) / 1000 for x in row.split()] for row in rows]
    return [row + [0.0] * (width - len(row)) for row in numbers]
