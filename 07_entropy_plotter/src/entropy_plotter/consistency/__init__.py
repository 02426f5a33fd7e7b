"""Self-consistency: sample several chains of thought, and let their answers vote.

Read in this order:
    vote.py         the vote, and what the binomial distribution promises
    arithmetic.py   sums that can be checked, with and without a written chain
"""

from .arithmetic import Task, answers_of, make_tasks, rows_of
from .vote import binomial_majority, majority_vote, plurality

__all__ = ["Task", "answers_of", "binomial_majority", "majority_vote", "make_tasks", "plurality", "rows_of"]
