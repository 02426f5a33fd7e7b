"""Constraints on the form of an answer. Each is a name, a sentence for the prompt, and a program that decides."""

import json
from collections.abc import Sequence


def _json_keys(text: str, keys: str) -> bool:
    """Exactly one JSON object with exactly these keys, separated by commas."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and set(value) == set(keys.split(","))


def _bullets(text: str, count: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) == int(count) and all(line.startswith("- ") for line in lines)


CONSTRAINTS = {  # name: (what the prompt says of the argument, the program)
    "lower case": ("Use no capital letters.", lambda text, _: text == text.lower()),
    "upper case": ("Use capital letters only.", lambda text, _: text == text.upper()),
    "at most words": ("Use at most {} words.", lambda text, n: len(text.split()) <= int(n)),
    "contains": ("Use the word {}.", lambda text, word: word.lower() in text.lower().split()),
    "ends with": ("End with {}", lambda text, end: text.rstrip().endswith(end)),
    "no commas": ("Use no commas.", lambda text, _: "," not in text),
    "bullets": ("Answer with {} lines that begin with '- '.", _bullets),
    "json keys": ("Answer with one JSON object with the keys {}.", _json_keys),
}


def check_format(text: str, name: str, argument: str = "") -> bool:
    """Does an answer follow the constraint? An empty answer follows none.

    Raises:
        ValueError: a constraint that there is not.
    """
    if name not in CONSTRAINTS:
        raise ValueError(f"name={name!r}: the constraints are {', '.join(CONSTRAINTS)}")
    return bool(text.strip()) and bool(CONSTRAINTS[name][1](text, argument))


def share_followed(texts: Sequence[str], name: str, argument: str = "") -> float:
    """The share of answers that follow it."""
    return sum(check_format(text, name, argument) for text in texts) / len(texts)
