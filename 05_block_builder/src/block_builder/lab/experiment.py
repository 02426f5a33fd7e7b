"""The headline: where the norm stands decides how gradients depend on depth, and whether a deep stack learns."""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..config import Config
from ..initialization import seeded
from ..model import GPT
from ..signal import next_token_loss
from ..vision import fit, score, thin_resnet
from . import images, train
from .cli import seeds_of
from .fetch import load_text

DEPTHS = (2, 4, 6, 8, 12, 16, 24)
NORMS = {"Pre-LN": True, "Post-LN": False}
LR = 3e-3

# Fixed before the first run of this experiment, by its time: 18 runs in about a minute and a half.
TRAINED_DEPTHS, STEPS = (6, 12, 18), 200


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Gradients at initialization, losses at three depths, and networks of convolutions with and without skips."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    return {
        "seeds": seeds,
        "initialization": at_initialization(seeds, DEPTHS[:3] if options.quick else DEPTHS, log),
        "training": at_depths(options, seeds, log),
        "convolution": convolutions(options, seeds, log),
    }


# ---------------------------------------------------------------- Xiong et al. 2020, at initialization


def at_initialization(seeds: list[int], depths: tuple[int, ...], log: Callable[[str], None]) -> dict:
    """What `last_gradient` measures, for each norm, kind of initialization, depth and seed, and the slopes by depth."""
    found: dict = {"depths": list(depths)}
    for init in ("normal", "xavier"):
        for name, norm_first in NORMS.items():
            log(f"gradients at initialization: {name}, {init}")
            rows = [[last_gradient(norm_first, init, depth, seed) for seed in seeds] for depth in depths]
            found[f"{name}, {init}"] = {
                "gradients": [[one["gradient"] for one in row] for row in rows],
                "likeness": [[one["likeness"] for one in row] for row in rows],
                "slopes": slopes(depths, rows, "gradient"),
                "slopes of positions": slopes(depths, rows, "of positions"),
            }
    return found


def slopes(depths: tuple[int, ...], rows: list[list[dict]], key: str) -> list[float]:
    """Against depth, one for each seed."""
    return [log_slope(depths, [row[i][key] for row in rows]) for i in range(len(rows[0]))]


def last_gradient(norm_first: bool, init: str, depth: int, seed: int) -> dict[str, float]:
    """The gradient of the last `fc_out`, of one model. No matrix is scaled by depth.

    "gradient" is its norm. It is a sum over positions; "of positions" is what the norm would be if the parts of the
    sum were orthogonal. "likeness" is the mean cosine of two vectors of the last stream.
    """
    torch.manual_seed(seed)
    model = GPT(Config(64, 32, layers=depth, heads=4, width=64, norm_first=norm_first))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter) if init == "xavier" else nn.init.normal_(parameter, std=0.02)
    tokens = torch.randint(64, (8, 33), generator=torch.Generator().manual_seed(seed))
    last, seen = model.blocks[-1], {}

    def keep(layer: nn.Linear, inputs: tuple[Tensor], output: Tensor) -> None:
        seen["input"], seen["output"] = inputs[0], output

    handles = [last.mlp.fc_out.register_forward_hook(keep)]
    handles.append(last.register_forward_hook(lambda block, inputs, output: seen.update(stream=output.detach())))
    loss = next_token_loss(model, tokens)
    whole, at_output = torch.autograd.grad(loss, (last.mlp.fc_out.weight, seen["output"]))
    for handle in handles:
        handle.remove()
    parts = seen["input"].detach().norm(dim=-1) * at_output.norm(dim=-1)  # of each position, an outer product
    direction = nn.functional.normalize(seen["stream"], dim=-1)  # B T C
    likeness = (direction @ direction.mT).mean()
    return {"gradient": float(whole.norm()), "of positions": float(parts.norm()), "likeness": float(likeness)}


def log_slope(depths: tuple[int, ...], values: list[float]) -> float:
    """The slope of the least-squares line through the logarithms."""
    x, y = torch.tensor(depths).double().log(), torch.tensor(values).double().log()
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


# ---------------------------------------------------------------- training at depth


def at_depths(options: argparse.Namespace, seeds: list[int], log: Callable[[str], None]) -> dict:
    """Curves and final losses of a character model, for each norm, depth and seed."""
    tokens, vocab_size = train.letters(load_text(options.data))
    depths, steps = ((2, 4), 10) if options.quick else (TRAINED_DEPTHS, STEPS)
    found: dict = {"depths": list(depths), "steps": steps, "lr": LR, "unigram": train.unigram_loss(tokens), "runs": {}}
    for name, norm_first in NORMS.items():
        found["runs"][name] = {"curves": [], "unseen": []}
        for layers in depths:
            curves, losses = [], []
            for seed in seeds:
                log(f"training {layers} blocks, {name}, seed {seed}")
                config = Config(vocab_size, train.LENGTH, layers, heads=2, width=32, norm_first=norm_first)
                model = seeded(GPT(config), seed)
                curve = train.train(model, tokens[: -len(tokens) // 10], steps, seed, LR)
                curves.append([round(loss, 4) for loss in curve])
                losses.append(train.unseen_loss(model, tokens))
            found["runs"][name]["curves"].append(curves)
            found["runs"][name]["unseen"].append(losses)
    return found


# ---------------------------------------------------------------- plain and residual networks of convolutions


def convolutions(options: argparse.Namespace, seeds: list[int], log: Callable[[str], None]) -> dict:
    """Accuracy and training loss of both kinds on the bundled digits, at each depth."""
    train_set, test_set = images.digits()
    train_set = tuple(part[:200] if options.quick else part for part in train_set)
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
