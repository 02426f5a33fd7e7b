"""Speculative sampling: a cheap model drafts, the target verifies several tokens in one pass, and nothing changes.

Read in this order:
    accept.py   the acceptance rule, which keeps the target's distribution exact
    decode.py   draft, verify, crop the caches, again
"""

from .accept import speculative_accept
from .decode import SpeculativeRun, expected_tokens, speculative_generate

__all__ = ["SpeculativeRun", "expected_tokens", "speculative_accept", "speculative_generate"]
