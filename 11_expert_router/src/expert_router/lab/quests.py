"""The side quests, measured: a dense model upcycled, and how much of the future expert choice sees."""

import argparse
from collections.abc import Callable

import torch

from ..collapse import Balance, evaluate, train
from ..expert_choice import leak
from ..upcycling import upcycle_decoder
from .cli import seeds_of
from .experiment import EXPERTS, K, LAYERS, LR, decoder, runs, text_bytes

STEPS = 100
SCRATCH = "mixture from scratch"
CAPACITIES = (1.0, 2.0, 4.0)  # experts a token on average


def quests(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Both; under a minute."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps = 8 if options.quick else STEPS
    return {"seeds": seeds, "steps": steps, "upcycling": upcycling(options, seeds, steps, log), "leak": leaks(seeds)}


def upcycling(options: argparse.Namespace, seeds: list[int], steps: int, log: Callable[[str], None]) -> dict:
    """Losses at step 0 and after as many steps again, of the dense model, two upcycled ones, and one from scratch."""
    text, unseen = text_bytes(options.data)
    found = {}
    for seed in seeds:
        dense, layers = decoder(None, seed), tuple(range(LAYERS))
        log(f"seed {seed}: the dense model")
        train(dense, text, steps, LR, seed=seed)
        models = {
            "upcycled, weights sum to 1": upcycle_decoder(dense, EXPERTS, K, layers, True, seed),
            "upcycled, k=1, not normalized": upcycle_decoder(dense, EXPERTS, 1, layers, False, seed),
            SCRATCH: decoder(runs()["no balance"][0], seed),
            "dense": dense,
        }
        for name, model in models.items():
            log(f"seed {seed}: {name}")
            of = found.setdefault(name, {"0": [], "after": []})
            of["0"].append(evaluate(model, unseen, batch=128)["loss"])
            train(model, text, steps, LR, Balance(switch=0.01), seed=seed + 100)
            of["after"].append(evaluate(model, unseen, batch=128)["loss"])
    return found


def leaks(seeds: list[int], tokens: int = 256) -> dict:
    """The share of the first half's tokens whose experts change with the second half; random scores."""
    found = {}
    for mean in CAPACITIES:
        capacity = round(mean * tokens / EXPERTS)
        values = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            scores, others = (torch.randn(tokens, EXPERTS, generator=generator) for _ in range(2))
            values.append(leak(scores, others, capacity, tokens // 2))
        found[f"{capacity} of {tokens} tokens"] = values
    return found
