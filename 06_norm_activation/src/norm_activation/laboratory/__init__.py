"""The training-dynamics laboratory: what regularises, and is the difference real?

Read in this order: regularizers, schedules, network, significance.
"""

from .network import NORMS, OPTIMIZERS, REGULARIZERS, Digits, Recipe, accuracy, fit
from .schedules import SCHEDULES, schedule
from .significance import Difference, holm, paired, sign_flip_p

__all__ = [
    "NORMS",
    "OPTIMIZERS",
    "REGULARIZERS",
    "SCHEDULES",
    "Difference",
    "Digits",
    "Recipe",
    "accuracy",
    "fit",
    "holm",
    "paired",
    "schedule",
    "sign_flip_p",
]
