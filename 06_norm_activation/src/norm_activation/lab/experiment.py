"""The headline experiment: the norm and the feed-forward layer of a language model, each exchanged alone.

Correctness comes first: fast norms against plain ones, and LayerNorm's and RMSNorm's future leak, which must be zero.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict

import torch
from jaxtyping import Int
from torch import Tensor

from ..laboratory.significance import paired
from ..layer_norm import layer_norm
from ..norms_fast import layer_norm_fast, rms_norm_fast
from ..rms_norm import rms_norm
from .cli import seeds_of
from .counting import bytes_moved
from .fetch import load_text
from .language_model import Config, LanguageModel, encode, evaluate, leak, train, windows

Log = Callable[[str], None]
VARIANTS = {  # name: (norm, feed-forward layer)
    "LayerNorm, GELU": ("layer", "gelu"),
    "RMSNorm, GELU": ("rms", "gelu"),
    "BatchNorm, GELU": ("batch", "gelu"),
    "RMSNorm, SwiGLU": ("rms", "swiglu"),
}
PAPER = {"gap": 1.944 - 1.983, "seed_std": 0.005}  # Shazeer 2020, table 1, 65,536 steps; the paper's own spread


def headline(options: argparse.Namespace, log: Log) -> dict:
    """Train every variant on every seed. About two minutes on one core."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps = 12 if options.quick else 250
    tokens, vocab_size = encode(load_text(options.data))
    cut = int(0.9 * len(tokens))
    training, unseen = tokens[:cut], tokens[cut:]
    check(seeds[0])
    runs: dict[str, dict] = {name: {"loss": [], "curve": [], "leak": [], "one": []} for name in VARIANTS}
    for name, (norm, mlp) in VARIANTS.items():
        config = Config(norm, mlp, vocab_size)
        for seed in seeds:
            log(f"{name}, seed {seed}: {steps} steps")
            model, curve = train(config, training, steps, seed)
            runs[name]["weights"] = model.weights()
            add(runs[name], model, curve, unseen, seed)
    if len({run["weights"] for run in runs.values()}) > 1:
        raise ValueError("the variants differ in their number of weights; choose a width that 3 divides")
    return {
        "seeds": seeds,
        "steps": steps,
        "config": asdict(Config(vocab_size=vocab_size)),
        "runs": runs,
        "differences": differences(runs, len(seeds)),
        "bytes": {name: bytes_moved(name) for name in ("layer", "rms")},
        "paper": PAPER,
    }


def check(seed: int) -> None:
    """The fast norms are the plain ones. Raises ValueError: nothing is trained with a wrong norm."""
    x = torch.randn(300, 96, generator=torch.Generator().manual_seed(seed))
    one, zero = torch.ones(96), torch.zeros(96)
    error = max(
        float((layer_norm_fast(x, one, zero) - layer_norm(x, one, zero)).abs().max()),
        float((rms_norm_fast(x, one) - rms_norm(x, one)).abs().max()),
    )
    if error > 1e-5:
        raise ValueError(f"error={error}: the fast norms are not the plain ones")


def add(run: dict, model: LanguageModel, curve: list[float], unseen: Int[Tensor, " n"], seed: int) -> None:
    """What is measured of one trained model."""
    probe = windows(unseen, 16, model.config.context_length, torch.Generator().manual_seed(seed))
    model.eval()
    run["loss"].append(evaluate(model, unseen, 128))
    model.train()
    run["leak"].append(leak(model, probe, model.config.vocab_size))
    model.train()
    run["one"].append(evaluate(model, unseen, 128, 1))
    run["curve"].append([sum(curve[i : i + 10]) / len(curve[i : i + 10]) for i in range(0, len(curve), 10)])


def differences(runs: dict, n: int) -> dict:
    """Paired over seeds, with a 95 % interval where there are two seeds or more."""
    pairs = {
        "SwiGLU - GELU": ("RMSNorm, SwiGLU", "RMSNorm, GELU"),
        "RMSNorm - LayerNorm": ("RMSNorm, GELU", "LayerNorm, GELU"),
        "BatchNorm - LayerNorm": ("BatchNorm, GELU", "LayerNorm, GELU"),
    }
    found = {}
    for name, (a, b) in pairs.items():
        values = [x - y for x, y in zip(runs[a]["loss"], runs[b]["loss"], strict=True)]
        found[name] = {"values": values}
        if n > 1:
            found[name] |= asdict(paired(runs[a]["loss"], runs[b]["loss"]))
    return found
