"""Conversations with tools, made by a program: the calls are right because the program wrote them."""

import json
import random
from typing import NamedTuple

from ..template import Message
from .calculator import calculate
from .parse import TOOL_CLOSE, TOOL_OPEN

QUESTIONS = ("What is {a} {word} {b}?", "How much is {a} {word} {b}?", "Compute {a} {word} {b}.", "{a} {word} {b}?")
WORDS = {"plus": "+", "minus": "-", "times": "*"}


class Problem(NamedTuple):
    """A question, the expression that answers it, and the answer."""

    question: str
    expression: str
    answer: str


def problems(count: int, seed: int, digits: int = 3) -> list[Problem]:
    """Different questions about two numbers of up to so many digits."""
    chooser, made = random.Random(seed), {}
    while len(made) < count:
        a, b = (chooser.randrange(10 ** (digits - 1), 10**digits) for _ in range(2))
        word = chooser.choice(list(WORDS))
        expression = f"{a} {WORDS[word]} {b}"
        question = chooser.choice(QUESTIONS).format(a=a, word=word, b=b)
        made.setdefault(expression, Problem(question, expression, calculate(expression)))
    return list(made.values())


def call_text(name: str, **arguments: str) -> str:
    """The message that is a call."""
    return f"{TOOL_OPEN}{json.dumps({'name': name, 'arguments': arguments})}{TOOL_CLOSE}"


def tool_conversation(problem: Problem) -> list[Message]:
    """Question, call, result, answer."""
    return [
        {"role": "user", "content": problem.question},
        {"role": "assistant", "content": call_text("calculator", expression=problem.expression)},
        {"role": "tool", "content": problem.answer},
        {"role": "assistant", "content": f"It is {problem.answer}."},
    ]
