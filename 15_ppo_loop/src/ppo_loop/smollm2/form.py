"""A form that an answer must have, and its reward: what a program can check needs no reward model."""

import re
from dataclasses import dataclass

QUESTIONS = [
    "What is the capital of {}?".format(country)
    for country in ("France", "Japan", "Egypt", "Canada", "Peru", "Kenya", "Norway", "Greece")
]
UNSEEN = ["What is the capital of {}?".format(country) for country in ("Italy", "Spain", "China", "Cuba")]
_FORM = re.compile(r"\*\*[A-Z][\w'. -]{1,30}\*\*\.?")


@dataclass(frozen=True)
class Form:
    """An answer of a few words that ends in time."""

    most_words: int = 4

    def reward(self, text: str, ended: bool) -> float:
        """1 for a short answer that has ended; less for each word too many, down to 0."""
        extra = max(0, len(text.split()) - self.most_words)
        return float(ended) * max(0.0, 1 - 0.1 * extra)

    def obeys(self, text: str, ended: bool) -> bool:
        """Does the answer have the form?"""
        return ended and 1 <= len(text.split()) <= self.most_words
