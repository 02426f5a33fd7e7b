"""Self-consistency: sample several chains of thought, and let their answers vote.

Read in this order:
    vote.py   the vote, and what the binomial distribution promises
"""

from .vote import binomial_majority, majority_vote, plurality

__all__ = ["binomial_majority", "majority_vote", "plurality"]
