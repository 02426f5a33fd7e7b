"""A proxy that is followed too far.

Read in this order:
    best_of_n.py    the best of n answers: its KL is a formula
    gao.py          Gao's two curves, fitted; a proxy with heavy tails
    rewards.py      running normalisation, a cap, an ensemble's worst: cures and what they cost
"""

from .best_of_n import best_of_n, best_of_n_kl
from .gao import fit_bon, fit_rl, heavy_tailed_proxy
from .rewards import RunningNormalizer, capped, worst_of

__all__ = ["RunningNormalizer", "best_of_n", "best_of_n_kl", "capped", "fit_bon", "fit_rl", "heavy_tailed_proxy"]
__all__ += ["worst_of"]
