"""Measured beside the headline: hybrids, stability, a dense model upcycled, and what expert choice sees."""

import argparse
from collections.abc import Callable

import torch

from ..collapse import Balance, evaluate, train, windows
from ..expert_choice import leak
from ..moe import Config, Decoder, MoEConfig
from ..upcycling import upcycle_decoder
from .cli import seeds_of
from .experiment import CONTEXT, D_MODEL, EXPERTS, FFN, HEADS, LAYERS, LR, NONE, K, decoder, runs, text_bytes

STEPS = 100
Z_WEIGHTS = (0, 0.001, 0.1)
SCRATCH = "mixture from scratch"
CAPACITIES = (1.0, 2.0, 4.0)  # experts a token on average


def quests(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """All four; about a minute and a half."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps = 8 if options.quick else STEPS
    found = {"seeds": seeds, "steps": steps, "upcycling": upcycling(options, seeds, steps, log), "leak": leaks(seeds)}
    found["layouts"] = layouts(options, seeds, steps, log)
    found["stability"] = stability(options, seeds, steps, log)
    return found


def layouts(options: argparse.Namespace, seeds: list[int], steps: int, log: Callable[[str], None]) -> dict:
    """Dense and MoE blocks mixed, at equal FLOPs: parameters, those a token uses, and losses."""
    text, unseen = text_bytes(options.data)
    pair = MoEConfig(D_MODEL, FFN, EXPERTS, K)
    with_shared = MoEConfig(D_MODEL, FFN, EXPERTS, 1, normalize=False, shared=1)
    kinds = {
        "dense, dense": (None, ()),
        "dense, MoE": (pair, (1,)),
        "MoE, MoE": (pair, (0, 1)),
        "dense, MoE of 1 expert and a shared one": (with_shared, (1,)),
    }
    found = {}
    for name, (moe, layers) in kinds.items():
        losses = []
        for seed in seeds:
            log(f"seed {seed}: {name}")
            model = Decoder(Config(256, D_MODEL, LAYERS, HEADS, K * FFN, CONTEXT, moe, layers), seed)
            train(model, text, steps, LR, Balance(switch=0.01), seed=seed)
            losses.append(evaluate(model, unseen, batch=128)["loss"])
        parameters = sum(p.numel() for p in model.parameters())
        idle = 3 * D_MODEL * FFN * (EXPERTS - moe.k) * len(layers) if moe else 0
        found[name] = {"parameters": parameters, "used": parameters - idle, "loss": losses}
    return found


def stability(options: argparse.Namespace, seeds: list[int], steps: int, log: Callable[[str], None]) -> dict:
    """The router's logits after training at twice the learning rate, with several weights of the z-loss."""
    text, unseen = text_bytes(options.data)
    tokens, _ = windows(unseen, 64, CONTEXT, torch.Generator().manual_seed(0))
    found = {}
    for z in Z_WEIGHTS:
        of = found.setdefault(f"{z:g}", {"largest logit": [], "mean logsumexp squared": [], "loss": []})
        for seed in seeds:
            log(f"seed {seed}: z-loss of weight {z:g}")
            model = decoder(MoEConfig(D_MODEL, FFN, EXPERTS, K), seed)
            train(model, text, steps, 2 * LR, Balance(switch=0.01, z=z), seed=seed)
            of["loss"].append(evaluate(model, unseen, batch=128)["loss"])
            with torch.no_grad():
                logits = torch.stack([routing.logits for routing in model(tokens)[1]])
            of["largest logit"].append(logits.abs().max().item())
            of["mean logsumexp squared"].append(logits.logsumexp(-1).square().mean().item())
    return found


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
            SCRATCH: decoder(runs()[NONE][0], seed),
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
