"""Questions with gold answers. The countries of `HELD_OUT` are asked about in the test alone."""

import random
from typing import NamedTuple

from ..tools import problems
from ..tools.synthetic import call_text
from .facts import COUNTRIES, HELD_OUT, QUESTIONS


class Pair(NamedTuple):
    """What the user says, and what the assistant should say."""

    question: str
    answer: str


def fact_pairs(held_out: bool, seed: int = 0) -> list[Pair]:
    """All questions about the countries that are tuned on, or about the others, shuffled."""
    made = [
        Pair(question.format(x=country.name), f"{getattr(country, kind)}.")
        for country in COUNTRIES
        if (country in HELD_OUT) == held_out
        for kind, questions in QUESTIONS.items()
        for question in questions
    ]
    random.Random(seed).shuffle(made)
    return made


def tool_pairs(count: int, seed: int) -> list[Pair]:
    """Sums of two digits each, answered by a call of the calculator."""
    return [Pair(p.question, call_text("calculator", expression=p.expression)) for p in problems(count, seed, 2)]
