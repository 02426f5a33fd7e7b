"""Several answers to one prompt are each other's baseline: no value model, and a reward that can be checked.

Read in this order:
    loss.py     advantages of a group, three ways to average a loss
    train.py    the loop
"""

from .loss import LOSS_TYPES, group_advantages, grpo_loss
from .train import GRPOConfig, train_grpo

__all__ = ["LOSS_TYPES", "GRPOConfig", "group_advantages", "grpo_loss", "train_grpo"]
