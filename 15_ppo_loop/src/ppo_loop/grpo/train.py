"""The GRPO loop: sample a group for each prompt, score, step."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..kl import k3_estimator
from ..logprobs import answer_logprobs
from ..model import Decoder
from ..rollout import Rollout, sample
from .loss import group_advantages, grpo_loss

Score = Callable[[Rollout], Tensor]


@dataclass(frozen=True)
class GRPOConfig:
    """Everything that a run is made of."""

    steps: int = 60
    prompts: int = 8
    group_size: int = 8
    max_new_tokens: int = 8
    temperature: float | int = 1.0
    lr: float | int = 1e-3
    epochs: int = 1
    clip: float | int = 0.2
    beta: float | int = 0.04
    loss_type: str = "bnpo"
    scale_std: bool = True
    seed: int = 0


def train_grpo(
    policy: Decoder,
    prompts: Callable[[int, torch.Generator], Tensor],
    score: Score,
    config: GRPOConfig,
    watch: Callable[[Decoder, int], dict] | None = None,
) -> list[dict]:
    """Train the policy in place; returns what was seen at each step. `prompts` and `score` are those of `train_ppo`."""
    c, generator, history = config, torch.Generator().manual_seed(config.seed), []
    reference = copy.deepcopy(policy).requires_grad_(False)
    optimizer = torch.optim.Adam(policy.parameters(), lr=c.lr, eps=1e-5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / c.steps)
    for step in range(c.steps):
        groups = prompts(c.prompts, generator).repeat_interleave(c.group_size, 0)
        rollout = sample(policy, groups, c.max_new_tokens, generator, c.temperature)
        rewards = score(rollout)
        advantages = group_advantages(rewards, rollout.mask, c.group_size, c.scale_std)
        with torch.no_grad():
            ref_logprobs = of_rollout(reference, rollout, c.temperature)
        for _ in range(c.epochs):
            logprobs = of_rollout(policy, rollout, c.temperature)
            loss = grpo_loss(
                logprobs, rollout.logprobs, ref_logprobs, advantages, rollout.mask, c.clip, c.beta, c.loss_type
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        kl = torch.where(rollout.mask, k3_estimator(rollout.logprobs, ref_logprobs), 0).sum(1).mean()
        seen = {"score": float(rewards.mean()), "kl": float(kl), "length": float(rollout.mask.sum(1).float().mean())}
        history.append(seen | {"loss": loss.item()} | (watch(policy, step) if watch else {}))
    return history


def of_rollout(policy: Decoder, rollout: Rollout, temperature: float | int) -> Tensor:
    """Log-probabilities of the sampled answers under a model."""
    return answer_logprobs(policy(rollout.tokens), rollout.tokens, rollout.prompt_len, temperature)
