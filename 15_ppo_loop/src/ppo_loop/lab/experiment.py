"""The headline: estimators, the tabular optimum, a proxy followed too far, three methods at equal samples, sums.

Each part checks what it can before it measures: the estimators' gradients, the optimum's formula, the sampled
log-probabilities.
"""

import argparse
import copy
from collections.abc import Callable
from statistics import mean

import torch
from torch.distributions import Normal

from ..bandit import fit_dpo, fit_policy_gradient, fit_ppo, optimal_policy
from ..dpo import train_dpo
from ..grpo import GRPOConfig, train_grpo
from ..hacking import best_of_n, best_of_n_kl, capped, fit_bon, fit_rl, worst_of
from ..integration import World, collect_pairs, evaluate, make_reference, make_reward_model, normalised
from ..integration.world import to_text
from ..kl import estimator_table, loss_gradients
from ..logprobs import answer_logprobs
from ..reasoning import CHAIN, DIRECT, Sums, accuracy, warm_up
from ..reward_model import calibration, differences, length_bias, ranking_accuracy, shuffled_labels
from ..rollout import sample
from ..trainer import PPOConfig, train_ppo
from .cli import seeds_of

Log = Callable[[str], None]
SIZES = {"reference": 300, "pairs": 1024, "reward model": 200, "ppo": 60, "sums": 80, "batch": 64}
QUICK = {"reference": 30, "pairs": 64, "reward model": 10, "ppo": 3, "sums": 2, "batch": 16}
BETAS = (0.0, 0.02, 0.1, 0.5)
HACKING_LR = 4e-3  # high, so that a minute is enough to go too far
CURED = 0.1
NS = (1, 2, 4, 8, 16, 32, 64)


def headline(options: argparse.Namespace, log: Log) -> dict:
    """All parts; about two minutes on one core."""
    seeds, sizes = seeds_of(options, 1 if options.quick else 3), QUICK if options.quick else SIZES
    found = {"seeds": seeds, "sizes": sizes, "kl": estimators(options.quick), "bandit": bandit(seeds)}
    found["checks"], found["hacking"], found["methods"], found["sums"] = [], [], [], []
    for seed in seeds:
        world = World(seed)
        log(f"seed {seed}: reference and reward model")
        reference = make_reference(world, sizes["reference"], seed=seed)
        check_sampling(world, reference)
        pairs, unseen = (collect_pairs(world, reference, sizes["pairs"], seed + i) for i in (100, 200))
        model = make_reward_model(reference, pairs, sizes["reward model"], seed)
        found["checks"].append(checks(world, reference, model, pairs, unseen, sizes, seed))
        found["hacking"].append(hacking(world, reference, model, pairs, sizes, seed, log))
        found["methods"].append(methods(world, reference, sizes, seed, log))
        found["sums"].append(sums(sizes, seed, log))
    return found


# ---------------------------------------------------------------- exact parts


def estimators(quick: bool) -> dict:
    """Schulman's table, and each estimator's gradient as a loss. Raises ValueError where k2's is not exact."""
    samples = 10_000 if quick else 1_000_000
    table = {str(m): estimator_table(Normal(0.0, 1.0), Normal(m, 1.0), samples) for m in (0.1, 1.0)}
    generator = torch.Generator().manual_seed(0)
    gradients = loss_gradients(*(torch.randn(7, generator=generator, dtype=torch.float64) for _ in range(2)))
    error = float((gradients["k2"] - gradients["KL(policy || reference)"]).abs().max())
    if error > 1e-12:
        raise ValueError(f"error={error:.1e}: k2's gradient must be that of the KL")
    return {"samples": samples, "table": table, "gradients": {n: float(g.norm()) for n, g in gradients.items()}}


def bandit(seeds: list[int]) -> dict:
    """The largest distance of each method's policy from the formula's, over seeds."""
    methods_ = {"DPO, all pairs": fit_dpo, "policy gradient, exact": fit_policy_gradient, "PPO, 2,048 samples": fit_ppo}
    found = {name: [] for name in methods_}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        ref, rewards = (torch.randn(7, generator=generator, dtype=torch.float64) for _ in range(2))
        best = optimal_policy(ref, rewards, 0.5)
        for name, fit in methods_.items():
            found[name].append(float((fit(ref, rewards, 0.5) - best).abs().max()))
    return found


def check_sampling(world: World, reference) -> None:
    """Raises ValueError where the kept log-probabilities are not those of a forward pass."""
    generator = torch.Generator().manual_seed(0)
    rollout = sample(reference, world.prompts(64, generator), world.max_new_tokens, generator)
    with torch.no_grad():
        fresh = answer_logprobs(reference(rollout.tokens), rollout.tokens, rollout.prompt_len)
    error = float((fresh - rollout.logprobs)[rollout.mask].abs().max())
    if error > 1e-4:
        raise ValueError(f"error={error:.1e}: sampling with a cache must agree with a forward pass")


# ---------------------------------------------------------------- reward model


def checks(world, reference, model, pairs, unseen, sizes: dict, seed: int) -> dict:
    """Ranking, calibration, length bias, and a twin that was trained on shuffled labels."""
    difference = differences(model, unseen)
    judge = [world.judge(side) for side in unseen]
    best = torch.sigmoid((judge[0] - judge[1]).abs()).mean()  # what the judge himself would reach on his noisy labels
    twin = make_reward_model(reference, shuffled_labels(pairs, seed), sizes["reward model"], seed)
    return {
        "accuracy": ranking_accuracy(difference),
        "on its own pairs": ranking_accuracy(differences(model, pairs)),
        "of the judge": float(best),
        "shuffled labels": ranking_accuracy(differences(twin, unseen)),
        "calibration": calibration(difference),
        "length bias": length_bias(model, unseen.chosen),
        "length bias of the judge": float(
            torch.corrcoef(torch.stack([judge[0], unseen.chosen.mask.sum(1).float()]))[0, 1]
        ),
    }


# ---------------------------------------------------------------- hacking


def hacking(world, reference, model, pairs, sizes: dict, seed: int, log: Log) -> dict:
    """PPO against the reward model at several penalties, two other cures, and the best of n."""
    score = normalised(model, world, reference, seed)
    every = max(sizes["ppo"] // 12, 1)

    def watch(policy, step):
        return evaluate(world, policy, reference, score, 256) if (step + 1) % every == 0 else {}

    found = {"start": evaluate(world, reference, reference, score), "curves": {}, "end": {}, "words": {}}
    others = [normalised(make_reward_model(reference, half, sizes["reward model"], seed + 1), world, reference, seed)
              for half in thirds(pairs)]  # fmt: skip
    cures = {"cap": capped(score, 1.0), "worst of three": worst_of(others)}
    runs = [*((f"beta {beta:g}", score, beta) for beta in BETAS), *((name, s, 0.0) for name, s in cures.items())]
    for name, rewards, beta in runs:
        log(f"seed {seed}: PPO against the reward model, {name}")
        policy = copy.deepcopy(reference)
        config = PPOConfig(sizes["ppo"], sizes["batch"], lr=HACKING_LR, beta=beta, seed=seed)
        history = train_ppo(policy, world.prompts, rewards, config, watch=watch)
        found["curves"][name] = [
            {"step": i + 1} | {k: h[k] for k in ("judge", "proxy", "kl")} for i, h in enumerate(history) if "judge" in h
        ]
        found["end"][name] = evaluate(world, policy, reference, score)
        found["words"][name] = texts(world, policy, 3)
    found["best of n"] = by_best_of_n(world, reference, score, sizes, seed)
    found["gao"] = gao(found)
    return found


def thirds(pairs) -> list:
    """Three overlapping two-thirds of the pairs."""
    n = len(pairs.chosen.tokens)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    return [pairs.take(torch.cat([order[: i * n // 3], order[(i + 1) * n // 3 :]])) for i in range(3)]


def texts(world, policy, count: int) -> list[str]:
    """A few answers."""
    generator = torch.Generator().manual_seed(1)
    rollout = sample(policy, world.prompts(count, generator), world.max_new_tokens, generator)
    return [to_text(row) for row in rollout.tokens]


def by_best_of_n(world, reference, score, sizes: dict, seed: int) -> list[dict]:
    """Proxy and judge of the reference's best answer among n, by the proxy."""
    generator, most = torch.Generator().manual_seed(seed + 7), max(NS)
    prompts = world.prompts(sizes["batch"], generator).repeat_interleave(most, 0)
    rollout = sample(reference, prompts, world.max_new_tokens, generator)
    proxy, gold = (f(rollout).view(-1, most).double() for f in (score, world.judge))
    found = []
    for n in NS:
        by_proxy, by_judge = best_of_n(proxy, gold, n)
        found.append({"n": n, "kl": best_of_n_kl(n), "proxy": float(by_proxy), "judge": float(by_judge)})
    return found


def gao(found: dict) -> dict:
    """Gao's forms fitted to the judge's gain: best of n, and PPO without a penalty."""
    import numpy as np

    bon, start = found["best of n"], found["start"]["judge"]
    d = np.sqrt([p["kl"] for p in bon[1:]])
    rl = [p for p in found["curves"]["beta 0"] if p["kl"] > 0.05]
    fits = {"best of n": fit_bon(d, np.array([p["judge"] - bon[0]["judge"] for p in bon[1:]]))}
    if rl:
        fits["PPO"] = fit_rl(np.sqrt([p["kl"] for p in rl]), np.array([p["judge"] - start for p in rl]))
    return fits


# ---------------------------------------------------------------- three methods, equal samples


def methods(world, reference, sizes: dict, seed: int, log: Log) -> dict:
    """DPO, PPO and GRPO with as many sampled answers. PPO and GRPO see the judge's number, DPO a noisy choice."""
    steps, batch = sizes["ppo"], sizes["batch"]
    found = {"samples": steps * batch, "start": evaluate(world, reference, reference)}
    log(f"seed {seed}: DPO, PPO and GRPO at equal samples")
    policy = copy.deepcopy(reference)
    pairs = collect_pairs(world, reference, steps * batch // 2, seed + 7)
    train_dpo(policy, pairs, 2 * steps, beta=0.5, lr=3e-4, batch=batch, seed=seed)
    found["DPO"] = evaluate(world, policy, reference)
    policy = copy.deepcopy(reference)
    train_ppo(policy, world.prompts, world.judge, PPOConfig(steps, batch, beta=0.1, seed=seed))
    found["PPO"] = evaluate(world, policy, reference)
    policy = copy.deepcopy(reference)
    config = GRPOConfig(steps, batch // 8, 8, epochs=2, beta=0.1, seed=seed)
    train_grpo(policy, world.prompts, world.judge, config)
    found["GRPO"] = evaluate(world, policy, reference)
    return found


# ---------------------------------------------------------------- sums


def sums(sizes: dict, seed: int, log: Log) -> dict:
    """Sums of four digits after a warm-up, and after GRPO: direct, and with a chain of thought."""
    log(f"seed {seed}: warm-up on sums")
    policy = warm_up(seed=seed, most=20 if sizes is QUICK else 800)
    found = {}
    for name, mode in (("direct", DIRECT), ("chain", CHAIN)):
        log(f"seed {seed}: GRPO on sums, {name}")
        task, trained = Sums(mode), copy.deepcopy(policy)
        config = GRPOConfig(sizes["sums"], 16, 8, task.max_new_tokens, lr=5e-4, epochs=2, beta=0.01, seed=seed)
        history = train_grpo(trained, task.prompts, task.reward(), config)
        width = max(len(history) // 10, 1)
        curve = [mean(h["score"] for h in history[i : i + width]) for i in range(0, len(history), width)]
        found[name] = {"before": accuracy(policy, task, 512), "after": accuracy(trained, task, 512), "curve": curve}
    return found
