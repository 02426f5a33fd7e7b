"""From a corpus to an aligned policy, one function a stage (Stiennon et al. 2020; Ouyang et al. 2022)."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from ..kl import k1_estimator
from ..logprobs import answer_logprobs
from ..model import Config, Decoder, ScalarModel
from ..reward_model import Pairs, score_answers, train_reward_model
from ..rollout import Rollout, sample
from ..trainer import PPOConfig, train_ppo
from .world import World


def make_reference(world: World, steps: int = 400, lr: float | int = 3e-3, batch: int = 128, seed: int = 0) -> Decoder:
    """Stage 1: a language model of the corpus. The loss is over the answers' tokens."""
    config = Config(world.vocab_size, world.prompt_len + world.max_new_tokens)
    policy, generator = Decoder(config, seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(steps):
        tokens, mask = world.corpus(batch, generator)
        loss = -answer_logprobs(policy(tokens), tokens, world.prompt_len)[mask].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return policy


def collect_pairs(world: World, policy: Decoder, count: int, seed: int = 0) -> Pairs:
    """Stage 2: two answers to each prompt; the judge prefers one with Bradley–Terry's probability."""
    generator = torch.Generator().manual_seed(seed)
    prompts = world.prompts(count, generator)
    first, second = (sample(policy, prompts, world.max_new_tokens, generator) for _ in range(2))
    wins = torch.rand(count, generator=generator) < torch.sigmoid(world.judge(first) - world.judge(second))
    pairs = []
    for a, b in ((first, second), (second, first)):
        rows = wins[:, None]
        parts = [torch.where(rows, getattr(a, name), getattr(b, name)) for name in ("tokens", "logprobs", "mask")]
        pairs.append(Rollout(parts[0], world.prompt_len, parts[1], parts[2]))
    return Pairs(*pairs)


def make_reward_model(policy: Decoder, pairs: Pairs, steps: int = 200, seed: int = 0) -> ScalarModel:
    """Stage 3: a reward model that starts as the supervised model."""
    model = ScalarModel.from_policy(policy)
    train_reward_model(model, pairs, steps, seed=seed)
    return model.requires_grad_(False)


def normalised(model: ScalarModel, world: World, reference: Decoder, seed: int = 0) -> Callable[[Rollout], Tensor]:
    """The reward model with mean 0 and deviation 1 on the reference's answers (Stiennon et al. 2020).

    Bradley–Terry sees differences only, so two reward models may differ by any constant and have any scale.
    """
    generator = torch.Generator().manual_seed(seed)
    rollout = sample(reference, world.prompts(512, generator), world.max_new_tokens, generator)
    with torch.no_grad():
        scores = score_answers(model, rollout)
    mean, std = scores.mean(), scores.std()

    @torch.no_grad()
    def score(rollout: Rollout) -> Tensor:
        return (score_answers(model, rollout) - mean) / std

    return score


@torch.no_grad()
def evaluate(world: World, policy: Decoder, reference: Decoder, score=None, count: int = 512, seed: int = 99) -> dict:
    """Stage 5: the judge's mean, the KL to the reference, the length, and the reward model's mean."""
    generator = torch.Generator().manual_seed(seed)
    rollout = sample(policy, world.prompts(count, generator), world.max_new_tokens, generator)
    ref = answer_logprobs(reference(rollout.tokens), rollout.tokens, rollout.prompt_len)
    kl = torch.where(rollout.mask, k1_estimator(rollout.logprobs, ref), 0).sum(1).mean()
    found = {"judge": float(world.judge(rollout).mean()), "kl": float(kl)}
    found["length"] = float(rollout.mask.sum(1).float().mean())
    if score is not None:
        found["proxy"] = float(score(rollout).mean())
    return found


def rlhf(
    world: World,
    config: PPOConfig,
    rounds: int = 1,
    pairs: int = 1024,
    seed: int = 0,
    sizes: tuple[int, int] = (400, 200),
) -> list[dict]:
    """All stages; returns the evaluation of the supervised model, and of the policy of each round.

    In later rounds new preferences are collected from the policy that PPO has made. Each round starts again from the
    supervised model, with a reward model that knows all pairs so far. `sizes` are the steps of stages 1 and 3.
    """
    reference = make_reference(world, sizes[0], seed=seed)
    source, known, found = reference, None, [evaluate(world, reference, reference)]
    for number in range(rounds):
        fresh = collect_pairs(world, source, pairs, seed=seed + 100 + number)
        known = fresh if known is None else Pairs(*map(joined, known, fresh))
        score = normalised(make_reward_model(reference, known, sizes[1], seed), world, reference, seed)
        source = copy.deepcopy(reference)
        train_ppo(source, world.prompts, score, config)
        found.append(evaluate(world, source, reference, score))
    return found


def joined(a: Rollout, b: Rollout) -> Rollout:
    """Two batches of answers as one."""
    parts = [torch.cat([getattr(a, name), getattr(b, name)]) for name in ("tokens", "logprobs", "mask")]
    return Rollout(parts[0], a.prompt_len, parts[1], parts[2])
