"""One sentence: what this project builds.

Read in this order:
    softmax.py      scores into probabilities, without overflow
"""

from .softmax import softmax

__all__ = ["softmax"]
