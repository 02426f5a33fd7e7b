"""Reward says what is better, KL says how far you may go; everything else is keeping the estimate honest.

Read in this order:
    model.py          a small GPT with a cache, and the same trunk with one number a token as its head
    logprobs.py       which logit belongs to which answer token
    rollout.py        sampling with a cache; the log-probabilities are kept
    reward_model.py   pairs of answers into one number an answer, and four checks of it
    kl.py             three estimators of KL, each as a number and as a loss
    gae.py            advantages, returns, whitening
    ppo.py            the rewards of a token, the clipped losses, the adaptive KL coefficient
    trainer.py        the loop; it names every detail that matters
    bandit.py         a world so small that the optimum is a formula

Side quests: dpo/ (preferences without a reward model), grpo/ (groups instead of a value head), hacking/ (a proxy that
is followed too far), reasoning/ (sums with and without a written chain), integration/ (all stages in one loop),
smollm2/ (a real chat model).
"""

from .bandit import fit_dpo, fit_policy_gradient, fit_ppo, optimal_policy
from .dpo import dpo_loss, ipo_loss, train_dpo
from .gae import gae, whiten
from .grpo import GRPOConfig, group_advantages, grpo_loss, train_grpo
from .kl import k1_estimator, k2_estimator, k3_estimator, kl_loss
from .logprobs import answer_logprobs, masked_mean
from .model import Config, Decoder, KVCache, ScalarModel
from .ppo import adapt_kl_coef, ppo_clip_loss, shaped_rewards, value_loss
from .reward_model import bradley_terry_loss, last_token_scores, score_answers, train_reward_model
from .rollout import EOS, PAD, Rollout, sample
from .trainer import PPOConfig, train_ppo

__all__ = ["EOS", "PAD", "Config", "Decoder", "GRPOConfig", "KVCache", "PPOConfig", "Rollout", "ScalarModel"]
__all__ += ["adapt_kl_coef", "answer_logprobs", "bradley_terry_loss", "dpo_loss", "fit_dpo", "fit_policy_gradient"]
__all__ += ["fit_ppo", "gae", "group_advantages", "grpo_loss", "ipo_loss", "k1_estimator", "k2_estimator"]
__all__ += ["k3_estimator", "kl_loss", "last_token_scores", "masked_mean", "optimal_policy", "ppo_clip_loss", "sample"]
__all__ += ["score_answers", "shaped_rewards", "train_dpo", "train_grpo", "train_ppo", "train_reward_model"]
__all__ += ["value_loss", "whiten"]
