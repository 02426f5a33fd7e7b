"""Two tools. The calculator reads a grammar of its own; it never evaluates the text as a program."""

import datetime
import re
from fractions import Fraction

TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[-+*/()])")
MOST_CHARACTERS = 200


def calculate(expression: str) -> str:
    """The value of an expression of numbers, + - * / and parentheses: exact for whole numbers, else up to 10 digits.

    Raises:
        ValueError: anything else in the expression, a division by zero, or more than 200 characters.
    """
    if len(expression) > MOST_CHARACTERS:
        raise ValueError(f"expression: {len(expression)} characters; at most {MOST_CHARACTERS}")
    tokens, end = [], 0
    while end < len(expression.rstrip()):
        match = TOKEN.match(expression, end)
        if match is None:
            raise ValueError(f"expression={expression!r}: numbers, + - * / and parentheses only")
        tokens.append(match[1])
        end = match.end()
    value, rest = _sum(tokens)
    if rest:
        raise ValueError(f"expression={expression!r}: nothing may follow; what is {' '.join(rest)}?")
    return str(value) if value.denominator == 1 else f"{float(value):.10g}"


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    """sum = product (("+" | "-") product)*"""
    value, tokens = _product(tokens)
    while tokens and tokens[0] in "+-":
        other, rest = _product(tokens[1:])
        value, tokens = value + other if tokens[0] == "+" else value - other, rest
    return value, tokens


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    """product = atom (("*" | "/") atom)*"""
    value, tokens = _atom(tokens)
    while tokens and tokens[0] in "*/":
        other, rest = _atom(tokens[1:])
        if tokens[0] == "/" and other == 0:
            raise ValueError("expression: divides by zero")
        value, tokens = value * other if tokens[0] == "*" else value / other, rest
    return value, tokens


def _atom(tokens: list[str]) -> tuple[Fraction, list[str]]:
    """atom = number | "-" atom | "(" sum ")" """
    if not tokens:
        raise ValueError("expression: ends where a number is expected")
    first, rest = tokens[0], tokens[1:]
    if first == "-":
        value, rest = _atom(rest)
        return -value, rest
    if first == "(":
        value, rest = _sum(rest)
        if not rest or rest[0] != ")":
            raise ValueError("expression: a parenthesis is not closed")
        return value, rest[1:]
    if not first[0].isdigit():
        raise ValueError(f"expression: {first} where a number is expected")
    return Fraction(first), rest


def clock(now: datetime.datetime | None = None) -> str:
    """Hours and minutes. The time is an argument, for tests."""
    return (now or datetime.datetime.now()).strftime("%H:%M")
