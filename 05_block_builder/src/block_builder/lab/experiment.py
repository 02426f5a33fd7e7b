"""The headline: where the norm stands decides how gradients depend on depth, and whether a deep stack learns."""

import argparse
from collections.abc import Callable

import torch
from torch import nn

from ..config import Config
from ..deep_residuals import DeepNormBlock
from ..initialization import seeded
from ..model import GPT
from ..signal import measure
from ..vision import fit, score, thin_resnet
from . import images, train
from .cli import seeds_of
from .fetch import load_text

DEPTHS = (2, 4, 6, 8, 12, 16, 24)
NORMS = {"Pre-LN": True, "Post-LN": False}
RUNS = {  # name: (norm_first, steps of warm-up)
    "Pre-LN": (True, 0),
    "Post-LN": (False, 0),
    "Post-LN, warm-up": (False, 60),
    "DeepNorm": (False, 0),
}
LR = 3e-3


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Gradients at initialization, losses at depth 12, and networks of convolutions with and without skips."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    return {
        "seeds": seeds,
        "initialization": at_initialization(seeds, DEPTHS[:3] if options.quick else DEPTHS, log),
        "training": at_depth(options, seeds, log),
        "convolution": convolutions(options, seeds, log),
    }


# ---------------------------------------------------------------- Xiong et al. 2020, at initialization


def at_initialization(seeds: list[int], depths: tuple[int, ...], log: Callable[[str], None]) -> dict:
    """The gradient norm of the last block's `fc_out`, for each norm, kind of initialization and depth."""
    found: dict = {"depths": list(depths)}
    for init in ("normal", "xavier"):
        for name, norm_first in NORMS.items():
            log(f"gradients at initialization: {name}, {init}")
            rows = [[last_gradient(norm_first, init, depth, seed) for seed in seeds] for depth in depths]
            slopes = [log_slope(depths, [row[i] for row in rows]) for i in range(len(seeds))]
            found[f"{name}, {init}"] = {"gradients": rows, "slopes": slopes}
    return found


def last_gradient(norm_first: bool, init: str, depth: int, seed: int) -> float:
    """One model's: every matrix normal with standard deviation 0.02, or by Xavier's formula. No scale by depth."""
    torch.manual_seed(seed)
    model = GPT(Config(64, 32, layers=depth, heads=4, width=64, norm_first=norm_first))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter) if init == "xavier" else nn.init.normal_(parameter, std=0.02)
    tokens = torch.randint(64, (8, 33), generator=torch.Generator().manual_seed(seed))
    return measure(model, tokens)["fc_out gradient"][-1]


def log_slope(depths: tuple[int, ...], values: list[float]) -> float:
    """The slope of the least-squares line through the logarithms."""
    x, y = torch.tensor(depths).double().log(), torch.tensor(values).double().log()
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


# ---------------------------------------------------------------- training at depth


def at_depth(options: argparse.Namespace, seeds: list[int], log: Callable[[str], None]) -> dict:
    """Curves and final losses of a character model, for each kind of block."""
    tokens, vocab_size = train.letters(load_text(options.data))
    layers, steps = (4, 10) if options.quick else (12, 160)
    found: dict = {"layers": layers, "steps": steps, "lr": LR, "unigram": train.unigram_loss(tokens), "runs": {}}
    for name, (norm_first, warmup) in RUNS.items():
        curves, losses = [], []
        for seed in seeds:
            log(f"{layers} layers, {name}, seed {seed}")
            model = model_of(name, Config(vocab_size, 32, layers, heads=2, width=32, norm_first=norm_first), seed)
            curve = train.train(model, tokens[: -len(tokens) // 10], steps, seed, LR, warmup)
            curves.append([round(loss, 4) for loss in curve])
            losses.append(train.unseen_loss(model, tokens))
        found["runs"][name] = {"curves": curves, "unseen": losses}
    return found


def model_of(name: str, config: Config, seed: int) -> GPT:
    return train.with_blocks(config, DeepNormBlock, seed) if name == "DeepNorm" else seeded(GPT(config), seed)


# ---------------------------------------------------------------- plain and residual networks of convolutions


def convolutions(options: argparse.Namespace, seeds: list[int], log: Callable[[str], None]) -> dict:
    """Accuracy and training loss of both kinds on the bundled digits, at each depth."""
    train_set, test_set = images.digits()
    depths, epochs = ((2, 4), 1) if options.quick else ((4, 12, 20, 32), 3)
    found: dict = {"depths": list(depths), "epochs": epochs}
    for name, skip in (("residual", True), ("plain", False)):
        found[name] = {"accuracy": [], "loss": []}
        for depth in depths:
            accuracy, loss = [], []
            for seed in seeds:
                log(f"{depth} convolutions, {name}, seed {seed}")
                torch.manual_seed(seed)
                net = thin_resnet(depth, skip=skip)
                loss.append(fit(net, *train_set, epochs=epochs, seed=seed)[-1])
                accuracy.append(score(net, *test_set))
            found[name]["accuracy"].append(accuracy)
            found[name]["loss"].append(loss)
    return found
