"""The headline: the load collapses without balance and recovers with it; where experts win, and where they do not.

All forms of dispatch are compared with the definition before anything is trained.
"""

import argparse
from collections.abc import Callable

import torch

from ..collapse import Balance, evaluate, train
from ..dispatch import all_experts, loop_over_experts
from ..dispatch_fast import grouped_dispatch
from ..experts import Experts
from ..moe import Config, Decoder, MoEConfig, init_weights
from ..router import combine_weights, top_k_gate
from . import teacher
from .cli import seeds_of
from .fetch import load_text

Log = Callable[[str], None]
D_MODEL, LAYERS, HEADS, CONTEXT, EXPERTS, K, FFN = 64, 2, 4, 64, 8, 2, 64
STEPS, LR = 150, 3e-3
NONE, SWITCH, BIAS, DENSE = "no balance", "Switch loss, 0.01", "bias, rate 0.03", "dense, equal FLOPs"
SHAZEER = ((0, 0), (0.2, 0), (0, 0.2), (0.1, 0.1), (1, 1))  # weights of importance and load: his table 6
PAPER = {  # perplexity, CV(importance), CV(load), max/mean (Shazeer et al. 2017, table 6)
    (0, 0): (39.8, 3.04, 3.01, 17.80),
    (0.2, 0): (35.6, 0.06, 0.17, 1.47),
    (0, 0.2): (35.7, 0.22, 0.04, 1.15),
    (0.1, 0.1): (35.6, 0.06, 0.05, 1.14),
    (1, 1): (35.7, 0.03, 0.02, 1.07),
}


def shazeer_name(importance: float | int, load: float | int) -> str:
    return f"noisy gates, {importance:g} and {load:g}"


def runs() -> dict[str, tuple[MoEConfig | None, Balance]]:
    """What is trained: each mixture with its balance, and the dense model."""
    plain, noisy = (MoEConfig(D_MODEL, FFN, EXPERTS, K, noise=noise) for noise in (False, True))
    made = {DENSE: (None, Balance()), NONE: (plain, Balance())}
    made |= {SWITCH: (plain, Balance(switch=0.01)), BIAS: (plain, Balance(bias_rate=0.03))}
    for importance, load in SHAZEER:
        made[shazeer_name(importance, load)] = (noisy, Balance(importance=importance, load=load))
    return made


def decoder(moe: MoEConfig | None, seed: int) -> Decoder:
    """Both blocks are mixtures, or both are dense with as many products: K experts' width."""
    layers = tuple(range(LAYERS)) if moe else ()
    return Decoder(Config(256, D_MODEL, LAYERS, HEADS, K * FFN, CONTEXT, moe, layers), seed)


def text_bytes(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The first nine tenths of a text's bytes for training, the rest for testing."""
    data = torch.frombuffer(bytearray(load_text(name).encode()), dtype=torch.uint8)
    cut = int(0.9 * len(data))
    return data[:cut], data[cut:]


def headline(options: argparse.Namespace, log: Log) -> dict:
    """All three parts; about two minutes on one core."""
    check_dispatch()
    seeds = seeds_of(options, 1 if options.quick else 3)
    return {"seeds": seeds, "collapse": collapse(options, seeds, log), "teacher": clusters(options, seeds, log)}


def check_dispatch() -> float:
    """The largest difference between the forms of dispatch, in float64.

    Raises:
        ValueError: they do not agree.
    """
    generator = torch.Generator().manual_seed(0)
    experts, x = Experts(7, 12, 5), torch.randn(31, 12, generator=generator).double()
    init_weights(experts, generator)
    experts.double()
    scores, indices = top_k_gate(torch.randn(31, 7, generator=generator).double(), 2)
    weights, kept = combine_weights(scores, indices, True), torch.rand(31, 2, generator=generator) < 0.8
    with torch.no_grad():
        want = all_experts(x, indices, weights, experts, kept)
        loop = loop_over_experts(x, indices, weights, experts, kept)
        grouped = grouped_dispatch(torch.zeros_like(x), x, indices, weights, kept, experts)
    difference = max((loop - want).abs().max().item(), (grouped - want).abs().max().item())
    if difference > 1e-12:
        raise ValueError(f"difference={difference}: the forms of dispatch must agree before anything is measured")
    return difference


def collapse(options: argparse.Namespace, seeds: list[int], log: Log) -> dict:
    """Each run's loss and load on unseen text, one entry a seed; the load step by step for the first seed."""
    text, unseen = text_bytes(options.data)
    steps = 12 if options.quick else STEPS
    found = {"steps": steps, "runs": {}, "load": {}}
    for name, (moe, balance) in runs().items():
        measured = []
        for seed in seeds:
            log(f"seed {seed}: {name}")
            model = decoder(moe, seed)
            history = train(model, text, steps, LR, balance, seed=seed)
            measured.append(evaluate(model, unseen, batch=128))
            if seed == seeds[0] and moe:
                found["load"][name] = [step[-1] for step in history.load]  # of the last layer
        found["runs"][name] = {key: [m[key] for m in measured] for key in measured[0]}
    return found


def clusters(options: argparse.Namespace, seeds: list[int], log: Log) -> dict:
    """Errors on the teacher of clusters, one entry a seed."""
    steps, found = 20 if options.quick else teacher.STEPS, {}
    for seed in seeds:
        task = teacher.make_teacher(seed)
        for name, model in teacher.models(seed).items():
            log(f"seed {seed}: teacher, {name}")
            found.setdefault(name, []).append(teacher.nmse(model, task, seed, steps))
    return found
