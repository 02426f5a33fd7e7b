"""Preferences straight into the policy: the reward model is the policy itself.

Read in this order:
    loss.py     DPO and IPO from the log-probabilities of each token
    train.py    the loop
"""

from .loss import answer_log_ratio, dpo_loss, ipo_loss
from .train import train_dpo

__all__ = ["answer_log_ratio", "dpo_loss", "ipo_loss", "train_dpo"]
