"""Rank-stabilised LoRA (Kalajdzievski 2023): α/√r in place of α/r.

A has r rows of the same size, so B A x grows with √r at equal entries. Divided by r it shrinks as r grows, and a
larger rank learns more slowly than it could.
"""

import math


def rank_stabilized_alpha(alpha: int | float, r: int) -> float:
    """The α to give `LoRALinear` so that its scale α/r becomes α/√r."""
    return alpha * math.sqrt(r)
