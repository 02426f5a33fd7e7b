"""What arrives at each of 12 blocks, before training and after it, for six ways to build a deep stack."""

import argparse
from collections.abc import Callable

import torch
from torch import nn

from ..config import Config
from ..deep_residuals import DeepNormBlock, LayerScaleBlock, ReZeroBlock
from ..initialization import seeded
from ..model import GPT
from ..signal import measure
from . import train
from .cli import seeds_of
from .experiment import LR, STEPS
from .fetch import load_text

LAYERS, WARMUP = 12, 60
OTHERS = {"DeepNorm": DeepNormBlock, "ReZero": ReZeroBlock, "LayerScale": LayerScaleBlock}
KINDS = ("Pre-LN", "Post-LN", "Post-LN, warm-up", *OTHERS)


def signal(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Stream and gradient at each block before and after training, and the loss on unseen text, of each kind."""
    tokens, vocab_size = train.letters(load_text(options.data))
    seeds = seeds_of(options, 1 if options.quick else 3)
    layers, steps = (3, 5) if options.quick else (LAYERS, STEPS)
    batch = train.windows(tokens, 16, torch.Generator().manual_seed(0))
    found: dict = {"seeds": seeds, "layers": layers, "steps": steps, "unigram": train.unigram_loss(tokens), "kinds": {}}
    for name in KINDS:
        row: dict = {"before": [], "after": [], "unseen": []}
        for seed in seeds:
            log(f"{layers} blocks, {name}, seed {seed}")
            model = model_of(name, vocab_size, layers, seed)
            row["before"].append(measured(model, batch))
            warmup = WARMUP if name.endswith("warm-up") else 0
            train.train(model, tokens[: -len(tokens) // 10], steps, seed, LR, warmup)
            row["after"].append(measured(model, batch))
            row["unseen"].append(train.unseen_loss(model, tokens))
        found["kinds"][name] = row
    return found


def model_of(name: str, vocab_size: int, layers: int, seed: int) -> GPT:
    norm_first = not name.startswith(("Post-LN", "DeepNorm"))
    config = Config(vocab_size, train.LENGTH, layers, heads=2, width=32, norm_first=norm_first)
    if name in OTHERS:
        return train.with_blocks(config, OTHERS[name], seed)
    return seeded(GPT(config), seed)


def measured(model: nn.Module, batch: torch.Tensor) -> dict[str, list[float]]:
    """What `measure` finds, in five digits."""
    return {name: [float(f"{value:.5g}") for value in values] for name, values in measure(model, batch).items()}
