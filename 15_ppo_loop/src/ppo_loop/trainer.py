"""The PPO loop. The details that matter are each one line of it (Huang et al. 2024 count more than twenty):

sampling      at temperature 1 from the policy that is trained; old log-probabilities and old values are kept
temperature   log-probabilities are taken at the temperature of sampling, reference included
no stop       an answer that does not stop loses `missing_eos_penalty`
KL            in the reward of every token; the score at the last token only
rewards       whitened without shifting the mean, if at all
advantages    whitened over the real tokens, after the returns are made
old           everything from sampling time is made once, before the first epoch
value         its own model, from a copy of the policy's trunk; its loss is clipped
Adam          epsilon 1e-5; the learning rate falls linearly to zero
dropout       none

Dimensions:
    B answers   P tokens of the prompt   N tokens of the longest answer   n answers of a minibatch
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .gae import gae, whiten
from .kl import k3_estimator, kl_loss
from .logprobs import answer_logprobs, masked_mean
from .model import Decoder, ScalarModel
from .ppo import adapt_kl_coef, ppo_clip_loss, shaped_rewards, value_loss
from .rollout import Rollout, sample

Score = Callable[[Rollout], Tensor]


@dataclass(frozen=True)
class PPOConfig:
    """Everything that a run is made of."""

    steps: int = 60
    batch: int = 64
    max_new_tokens: int = 8
    temperature: float | int = 1.0
    lr: float | int = 1e-3
    value_lr_factor: float | int = 1.0
    epochs: int = 2
    minibatches: int = 1
    clip: float | int = 0.2
    value_clip: float | int = 0.2
    value_coef: float | int = 0.5
    gamma: float | int = 1.0
    lam: float | int = 0.95
    beta: float | int = 0.05
    kl_in: str = "reward"  # or the name of an estimator that is added to the loss: "k1", "k2", "k3"
    kl_target: float | int | None = None  # adapts beta
    kl_horizon: int = 10_000
    whiten_advantages: bool = True
    whiten_rewards: bool = False
    missing_eos_penalty: float | int = 0.0
    seed: int = 0


class Batch(NamedTuple):
    """What is fixed at sampling time."""

    rollout: Rollout
    ref_logprobs: Float[Tensor, "B N"]
    values: Float[Tensor, "B N"]
    advantages: Float[Tensor, "B N"]
    returns: Float[Tensor, "B N"]


class Learner:
    """A policy, its value model and its frozen reference."""

    def __init__(self, policy: Decoder, config: PPOConfig, value_model: ScalarModel | None = None):
        self.policy, self.config, self.beta = policy, config, config.beta
        self.reference = copy.deepcopy(policy).requires_grad_(False)
        self.value_model = value_model if value_model is not None else ScalarModel.from_policy(policy)
        groups = [
            {"params": policy.parameters(), "lr": config.lr},
            {"params": self.value_model.parameters(), "lr": config.lr * config.value_lr_factor},
        ]
        self.optimizer = torch.optim.Adam(groups, eps=1e-5)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1 - step / config.steps)
        self.generator = torch.Generator().manual_seed(config.seed)

    def logprobs(self, model: Decoder, rollout: Rollout) -> Float[Tensor, "B N"]:
        """Log-probabilities of the sampled answers under a model."""
        return answer_logprobs(model(rollout.tokens), rollout.tokens, rollout.prompt_len, self.config.temperature)

    def values(self, rollout: Rollout) -> Float[Tensor, "B N"]:
        """The value before each answer token: what is expected when it has not been written yet."""
        return self.value_model(rollout.tokens)[:, rollout.prompt_len - 1 : -1]

    @torch.no_grad()
    def collect(self, prompts: Int[Tensor, "B P"], score: Score) -> tuple[Batch, dict]:
        """Sample, score, and make advantages and returns once."""
        c = self.config
        rollout = sample(self.policy, prompts, c.max_new_tokens, self.generator, c.temperature)
        ref_logprobs, values, mask = self.logprobs(self.reference, rollout), self.values(rollout), rollout.mask
        scores = score(rollout)
        penalised = scores - c.missing_eos_penalty * ~rollout.ended
        beta = self.beta if c.kl_in == "reward" else 0.0
        rewards = shaped_rewards(penalised, rollout.logprobs, ref_logprobs, mask, beta)
        if c.whiten_rewards:
            rewards = whiten(rewards, mask, shift_mean=False)
        advantages, returns = gae(rewards, values, mask, c.gamma, c.lam)
        if c.whiten_advantages:
            advantages = whiten(advantages, mask)
        kl = torch.where(mask, k3_estimator(rollout.logprobs, ref_logprobs), 0).sum(1).mean()
        seen = {"score": float(scores.mean()), "kl": float(kl), "length": float(mask.sum(1).float().mean())}
        return Batch(rollout, ref_logprobs, values, advantages, returns), seen

    def loss(self, batch: Batch, rows: Int[Tensor, "n"]) -> tuple[Tensor, Tensor, float]:
        """(policy loss, value loss, share of clipped tokens) of some answers."""
        c, mask = self.config, batch.rollout.mask[rows]
        some = Rollout(batch.rollout.tokens[rows], batch.rollout.prompt_len, batch.rollout.logprobs[rows], mask)
        logprobs = self.logprobs(self.policy, some)
        policy_loss = ppo_clip_loss(logprobs, some.logprobs, batch.advantages[rows], mask, c.clip)
        if c.kl_in != "reward":
            policy_loss = policy_loss + self.beta * masked_mean(
                kl_loss(c.kl_in, logprobs, batch.ref_logprobs[rows]), mask
            )
        critic = value_loss(self.values(some), batch.values[rows], batch.returns[rows], mask, c.value_clip)
        clipped = ((logprobs - some.logprobs).exp() - 1).abs() > c.clip
        return policy_loss, critic, float(clipped[mask].float().mean())

    def update(self, batch: Batch) -> dict:
        """Some epochs over the batch, in a new order each."""
        c, seen = self.config, []
        for _ in range(c.epochs):
            order = torch.randperm(len(batch.values), generator=self.generator)
            for rows in order.chunk(c.minibatches):
                policy_loss, critic, clipped = self.loss(batch, rows)
                self.optimizer.zero_grad()
                (policy_loss + c.value_coef * critic).backward()
                self.optimizer.step()
                seen.append((policy_loss.item(), critic.item(), clipped))
        return dict(zip(("policy_loss", "value_loss", "clipped"), torch.tensor(seen).mean(0).tolist(), strict=True))

    def step(self, prompts: Int[Tensor, "B P"], score: Score) -> dict:
        """One round of sampling and training."""
        batch, seen = self.collect(prompts, score)
        seen |= self.update(batch)
        self.schedule.step()
        if self.config.kl_target is not None:
            self.beta = adapt_kl_coef(
                self.beta, seen["kl"], self.config.kl_target, len(prompts), self.config.kl_horizon
            )
        return seen | {"beta": self.beta}


def train_ppo(
    policy: Decoder,
    prompts: Callable[[int, torch.Generator], Tensor],
    score: Score,
    config: PPOConfig,
    value_model: ScalarModel | None = None,
    watch: Callable[[Decoder, int], dict] | None = None,
) -> list[dict]:
    """Train the policy in place; returns what was seen at each step.

    `prompts(batch, generator)` draws prompts, `score(rollout)` gives one number an answer. `watch(policy, step)` may
    add measurements.
    """
    learner, history = Learner(policy, config, value_model), []
    for step in range(config.steps):
        seen = learner.step(prompts(config.batch, learner.generator), score)
        history.append(seen | (watch(policy, step) if watch else {}))
    return history
