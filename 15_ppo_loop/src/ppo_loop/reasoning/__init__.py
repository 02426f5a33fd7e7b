"""Sums of digits with and without a written chain of thought, trained by checkable rewards.

Read in this order:
    sums.py      the task, its demonstrations, and what can be checked of an answer
    warm_up.py   a few demonstrations, so that a right answer happens at all
"""

from .sums import CHAIN, DIRECT, Sums
from .warm_up import accuracy, warm_up

__all__ = ["CHAIN", "DIRECT", "Sums", "accuracy", "warm_up"]
