"""Break it: five experiments with a mistake switched on. A test compares the outcomes with what the workbook says."""

import argparse
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F

from ..balance import expert_load
from ..collapse import Balance, evaluate, mixtures, train
from ..dispatch import drop_overflow
from ..moe import MoE, MoEConfig, Routing
from ..router import top_k_gate
from ..upcycling import upcycle
from .experiment import D_MODEL, EXPERTS, FFN, LR, K, decoder, text_bytes

Log = Callable[[str], None]
STEPS = 150
PLAIN = MoEConfig(D_MODEL, FFN, EXPERTS, K)
ONE = MoEConfig(D_MODEL, K * FFN, EXPERTS, 1, normalize=False)


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All five, with the same steps; under a minute."""
    steps = 10 if options.quick else STEPS
    text, unseen = text_bytes(options.data)
    found = {"steps": steps}
    log("no balance loss")
    found["balance weights"] = balance_weights(text, unseen, steps, options.seed, (0, 0.01, 10))
    log("k = 1 with normalized weights")
    found["normalized"] = {
        name: one_expert(text, unseen, steps, options.seed, name) for name in ("as it is", "always 1")
    }
    log("a hot expert")
    found["hot expert"] = hot_expert()
    log("equal experts")
    found["equal experts"] = equal_experts(text, steps, options.seed)
    return found


def balance_weights(text, unseen, steps: int, seed: int, weights) -> dict:
    """Loss and load on unseen text for several weights of Switch's loss."""
    found = {}
    for weight in weights:
        model = decoder(PLAIN, seed)
        train(model, text, steps, LR, Balance(switch=weight), seed=seed)
        found[f"{weight:g}"] = evaluate(model, unseen, batch=128)
    return found


class AlwaysOne(MoE):
    """k = 1 with a normalized gate: the weight is 1, without a gradient."""

    def route(self, x, generator=None) -> Routing:
        routing = super().route(x, generator)
        return routing._replace(weights=torch.ones_like(routing.weights))


def one_expert(text, unseen, steps: int, seed: int, gate: str) -> dict:
    """How far the routers move in training without a balance loss, and the loss."""
    model = decoder(ONE, seed)
    if gate == "always 1":
        for layer in mixtures(model):
            layer.__class__ = AlwaysOne
    before = [layer.router.detach().clone() for layer in mixtures(model)]
    train(model, text, steps, LR, seed=seed)
    moved = max((m.router - b).abs().max().item() for m, b in zip(mixtures(model), before, strict=True))
    return {"router moved": moved, "loss": evaluate(model, unseen)["loss"]}


def hot_expert(tokens: int = 256, seed: int = 0) -> dict:
    """The share of assignments dropped at several capacity factors: an even router, and one with a favourite."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(8, tokens, EXPERTS, generator=generator)
    favourite = logits + 2 * F.one_hot(torch.tensor(3), EXPERTS)
    found = {}
    for name, scores in (("even", logits), ("one favourite", favourite)):
        indices = top_k_gate(scores, K)[1]
        dropped = {f"{c:g}": 1 - drop_overflow(indices, EXPERTS, c).double().mean().item() for c in (1.0, 1.25, 2.0)}
        load = expert_load(indices, EXPERTS).double()
        found[name] = {"max/mean": (load.max() / load.mean()).item(), "dropped": dropped}
    return found


def equal_experts(text, steps: int, seed: int) -> dict:
    """The largest difference between experts that start equal: with a router, and with equal weights for all."""
    found = {}
    for name in ("different tokens", "every token to every expert alike"):
        config = PLAIN if name == "different tokens" else replace(PLAIN, k=EXPERTS)
        model = decoder(config, seed)
        for layer in mixtures(model):
            experts = layer.experts
            copies = upcycle(experts.gate_up_proj[0], experts.down_proj[0], EXPERTS)
            experts.gate_up_proj.data, experts.down_proj.data = copies
            if config.k == EXPERTS:
                layer.router.data.zero_()
                layer.router.requires_grad_(False)  # its gradient is rounding alone, which Adam would make large
        train(model, text, max(steps // 3, 1), LR, seed=seed)
        found[name] = max(difference(layer) for layer in mixtures(model))
    return found


def difference(layer: MoE) -> float:
    weights = layer.experts.down_proj
    return (weights - weights[:1]).abs().max().item()
