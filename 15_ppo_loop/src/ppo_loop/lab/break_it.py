"""Break it: seven experiments with a mistake switched on. A test compares the outcomes with what the workbook says."""

import argparse
import copy
import functools
from collections.abc import Callable

import torch

from ..integration import World, collect_pairs, evaluate, make_reference, make_reward_model, normalised
from ..model import Decoder
from ..rollout import Rollout
from ..trainer import PPOConfig, train_ppo
from .cli import seeds_of

Log = Callable[[str], None]
SIZES = {
    "reference": 300,
    "reference lr": 3e-3,
    "batch": 128,
    "pairs": 1024,
    "reward model": 200,
    "ppo": 60,
    "lr": 1e-3,
}
SMALL = SIZES | {"reference": 150, "reference lr": 5e-3, "batch": 64, "reward model": 150, "ppo": 30, "lr": 4e-3}
QUICK = SMALL | {"reference": 30, "pairs": 64, "reward model": 10, "ppo": 3}


class Stage:
    """A world with its reference and its reward model, made once; `run` trains a copy of the reference."""

    def __init__(self, seed: int = 0, sizes: dict = SIZES):
        self.seed, self.sizes = seed, sizes
        self.world = World(seed)
        self.reference = make_reference(self.world, sizes["reference"], sizes["reference lr"], sizes["batch"], seed)
        pairs = collect_pairs(self.world, self.reference, sizes["pairs"], seed + 100)
        model = make_reward_model(self.reference, pairs, sizes["reward model"], seed)
        self.score = normalised(model, self.world, self.reference, seed)
        self.start = evaluate(self.world, self.reference, self.reference, self.score)

    def run(self, score: Callable[[Rollout], torch.Tensor] | None = None, **changes) -> dict:
        """PPO with some settings changed: rewards, KL and length at the end, and the losses of the last steps."""
        policy: Decoder = copy.deepcopy(self.reference)
        config = PPOConfig(
            **({"steps": self.sizes["ppo"], "lr": self.sizes["lr"], "beta": 0.1, "seed": self.seed} | changes)
        )
        history = train_ppo(policy, self.world.prompts, score or self.score, config)
        found = evaluate(self.world, policy, self.reference, self.score)
        last = history[-max(len(history) // 4, 1) :]
        for name in ("value_loss", "clipped"):
            found[name] = sum(h[name] for h in last) / len(last)
        return found


@functools.cache
def small_stage() -> Stage:
    """The workbook's, made once in a process: three seconds."""
    return Stage(0, SMALL)


def length(rollout: Rollout) -> torch.Tensor:
    """A reward for long answers."""
    return rollout.mask.sum(1).float()


EXPERIMENTS = {
    "as it should be": {},
    "beta = 0": {"beta": 0.0},
    "beta = 10": {"beta": 10.0},
    "clip 10": {"clip": 10.0, "epochs": 8, "lr": 1e-2},
    "clip 0.2, same rate and epochs": {"epochs": 8, "lr": 1e-2},
    "no whitening": {"whiten_advantages": False},
    "value model at ten times the rate": {"value_lr_factor": 10.0},
    "k1 as a loss": {"kl_in": "k1", "beta": 0.5},
    "k2 as a loss": {"kl_in": "k2", "beta": 0.5},
    "k3 as a loss": {"kl_in": "k3", "beta": 0.5},
    "reward for length": {"score": length, "beta": 0.0},
}


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All of them, on several seeds; about two minutes."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    found = {"seeds": seeds, "start": [], "runs": {name: [] for name in EXPERIMENTS}}
    for seed in seeds:
        log(f"seed {seed}: reference and reward model")
        stage = Stage(seed, QUICK if options.quick else SIZES)
        found["start"].append(stage.start)
        for name, changes in EXPERIMENTS.items():
            log(f"seed {seed}: {name}")
            found["runs"][name].append(stage.run(**changes))
    return found
