"""All stages in one loop: a corpus, a supervised model, preferences, a reward model, PPO, an evaluation.

Read in this order:
    world.py       a toy language, and the judge whom nobody may train on
    pipeline.py    the stages
"""

from .pipeline import collect_pairs, evaluate, make_reference, make_reward_model, normalised, rlhf
from .world import World

__all__ = ["World", "collect_pairs", "evaluate", "make_reference", "make_reward_model", "normalised", "rlhf"]
