"""Sums modulo five, as text: with the running sums written out, or with the answer alone.

    with a chain       3+1+4+2: 4 3 0=0
    without            3+1+4+2: =0

Each running sum is a small step from the last one. The answer alone needs all steps at once.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

MODULUS, TERMS = 5, 6
SYMBOLS = "01234+: =\n"


class Task(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


def encode(text: str) -> list[int]:
    return [SYMBOLS.index(symbol) for symbol in text]


def decode(ids: list[int]) -> str:
    return "".join(SYMBOLS[i] for i in ids)


def make_tasks(count: int, seed: int, terms: int = TERMS) -> list[Task]:
    """Random sums."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        digits = torch.randint(MODULUS, (terms,), generator=generator).tolist()
        made.append(Task("+".join(map(str, digits)) + ":", str(sum(digits) % MODULUS)))
    return made


def written(task: Task, chain: bool) -> str:
    """The task as a line of the training text."""
    digits = [int(d) for d in task.question[:-1].split("+")]
    sums = [sum(digits[: i + 1]) % MODULUS for i in range(1, len(digits))]
    steps = "".join(f" {s}" for s in sums) if chain else " "
    return f"{task.question}{steps}={task.answer}\n"


def rows_of(tasks: list[Task], chain: bool) -> Int[Tensor, "B T"]:
    """Training rows of one length, filled up with newlines."""
    lines = [written(task, chain) for task in tasks]
    longest = max(map(len, lines))
    return torch.tensor([encode(line.ljust(longest, "\n")) for line in lines])


def answers_of(texts: list[str]) -> list[str]:
    """The answer of each text, up to the end of its line; "" where there is none."""
    return [text.split("\n")[0].rpartition("=")[2].strip() if "=" in text else "" for text in texts]
