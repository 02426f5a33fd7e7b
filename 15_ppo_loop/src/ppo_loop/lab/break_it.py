"""Break it: seven experiments with a mistake switched on. A test compares the outcomes with what the workbook says."""

import argparse
import copy
from collections.abc import Callable

import torch

from ..integration import World, collect_pairs, evaluate, make_reference, make_reward_model, normalised
from ..model import Decoder
from ..rollout import Rollout
from ..trainer import PPOConfig, train_ppo
from .cli import seeds_of

Log = Callable[[str], None]
STEPS, LR = 60, 1e-3


class Stage:
    """A world with its reference and its reward model, made once; `run` trains a copy of the reference."""

    def __init__(self, seed: int = 0, quick: bool = False):
        self.seed, self.steps = seed, 3 if quick else STEPS
        self.world = World(seed)
        self.reference = make_reference(self.world, 30 if quick else 400, seed=seed)
        pairs = collect_pairs(self.world, self.reference, 64 if quick else 1024, seed + 100)
        model = make_reward_model(self.reference, pairs, 10 if quick else 200, seed)
        self.score = normalised(model, self.world, self.reference, seed)

    def run(self, score: Callable[[Rollout], torch.Tensor] | None = None, **changes) -> dict:
        """PPO with some settings changed; the judge's reward, the reward model's, KL, length, and the last steps' losses."""
        policy: Decoder = copy.deepcopy(self.reference)
        config = PPOConfig(**({"steps": self.steps, "lr": LR, "beta": 0.1, "seed": self.seed} | changes))
        history = train_ppo(policy, self.world.prompts, score or self.score, config)
        found = evaluate(self.world, policy, self.reference, self.score)
        last = history[-max(len(history) // 4, 1) :]
        for name in ("value_loss", "clipped"):
            found[name] = sum(h[name] for h in last) / len(last)
        return found


def length(rollout: Rollout) -> torch.Tensor:
    """A reward for long answers."""
    return rollout.mask.sum(1).float()


EXPERIMENTS = {
    "as it should be": {},
    "beta = 0": {"beta": 0.0},
    "beta = 10": {"beta": 10.0},
    "clip 10": {"clip": 10.0, "epochs": 8},
    "clip 0.2, as many epochs": {"epochs": 8},
    "no whitening": {"whiten_advantages": False},
    "value model at ten times the rate": {"value_lr_factor": 10.0},
    "k1 as a loss": {"kl_in": "k1"},
    "k2 as a loss": {"kl_in": "k2"},
    "k3 as a loss": {"kl_in": "k3"},
    "reward for length": {"score": length, "beta": 0.0},
}


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All of them, on several seeds; about two minutes."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    found = {"seeds": seeds, "start": [], "runs": {name: [] for name in EXPERIMENTS}}
    for seed in seeds:
        log(f"seed {seed}: reference and reward model")
        stage = Stage(seed, options.quick)
        found["start"].append(evaluate(stage.world, stage.reference, stage.reference, stage.score))
        for name, changes in EXPERIMENTS.items():
            log(f"seed {seed}: {name}")
            found["runs"][name].append(stage.run(**changes))
    return found
