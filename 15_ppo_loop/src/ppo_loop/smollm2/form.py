"""Questions, and a form that an answer must have. What a program can check needs no reward model."""

from dataclasses import dataclass

CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Egypt": "Cairo", "Peru": "Lima", "Kenya": "Nairobi", "Norway": "Oslo",
    "Greece": "Athens", "Poland": "Warsaw",
}  # fmt: skip
UNSEEN = {
    "Italy": "Rome", "Spain": "Madrid", "China": "Beijing", "Cuba": "Havana", "Austria": "Vienna", "Ireland": "Dublin",
}  # fmt: skip


def question(country: str) -> str:
    return f"What is the capital of {country}?"


@dataclass(frozen=True)
class Form:
    """One short sentence with a full stop, which ends in time. Whether it is true is measured and not rewarded."""

    most_words: int = 6

    def reward(self, text: str, ended: bool) -> float:
        """1 in the form; half without the full stop; 0.1 less for each word too many; 0 if empty or not ended."""
        words = len(text.split())
        if not ended or words == 0:
            return 0.0
        short = max(0.0, 1 - 0.1 * max(0, words - self.most_words))
        return short if text.endswith(".") else short / 2

    def obeys(self, text: str, ended: bool) -> bool:
        """Does the answer have the form?"""
        return self.reward(text, ended) == 1.0
