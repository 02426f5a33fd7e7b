"""Break it: six experiments, each with an outcome that a test compares with what the workbook says."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..attention import causal_mask
from ..block import Block
from ..config import Config
from ..initialization import seeded
from ..model import GPT
from ..signal import measure
from . import train
from .cli import seeds_of
from .fetch import load_text

STEPS, LR = 100, 3e-3


@dataclass(frozen=True)
class Experiment:
    """What is broken, what to predict, and what happens."""

    name: str
    title: str
    predict: str
    answer: str
    run: Callable[[int], dict[str, int | float]]  # of a seed
    holds: Callable[[dict[str, int | float]], bool]


class NoResidual(Block):
    """A block whose branches replace the stream."""

    def forward(self, x):
        h = self.ln_1(x)
        x = self.attn(h, h, causal_mask(x.shape[1]))
        return self.mlp(self.ln_2(x))


class StreamDropout(Block):
    """A block that drops the stream itself instead of its branches."""

    def forward(self, x):
        keep, self.dropout = self.dropout, nn.Identity()
        out = keep(super().forward(x))
        self.dropout = keep
        return out


def text() -> tuple[torch.Tensor, int]:
    return train.letters(load_text())


def learned(model: nn.Module, tokens: torch.Tensor, seed: int) -> float:
    """The loss on unseen text after a short training."""
    train.train(model, tokens[: -len(tokens) // 10], STEPS, seed, LR)
    return train.unseen_loss(model, tokens)


def config_of(vocab_size: int, **changes) -> Config:
    return Config(**{"vocab_size": vocab_size, "context_length": 32, "layers": 6, "heads": 2, "width": 32} | changes)


def no_residual(seed: int = 0) -> dict[str, int | float]:
    tokens, V = text()
    config = config_of(V)
    broken = seeded(GPT(config), seed)
    for i, block in enumerate(broken.blocks):
        twin = NoResidual(config)
        twin.load_state_dict(block.state_dict())
        broken.blocks[i] = twin
    batch = train.windows(tokens, 16, torch.Generator().manual_seed(seed))
    first = measure(broken, batch)["stream gradient"]
    return {"with": learned(seeded(GPT(config), seed), tokens, seed), "without": learned(broken, tokens, seed),
            "gradient, first over last": first[0] / first[-1], "unigram": train.unigram_loss(tokens)}  # fmt: skip


def no_final_norm(seed: int = 0) -> dict[str, int | float]:
    tokens, V = text()
    models = {name: seeded(GPT(config_of(V)), seed, std=0.3) for name in ("with", "without")}
    models["without"].ln_f = nn.Identity()
    batch = train.windows(tokens, 16, torch.Generator().manual_seed(seed))
    found = {f"loss at the start, {name}": train.next_token_loss(m, batch).item() for name, m in models.items()}
    return found | {name: learned(model, tokens, seed) for name, model in models.items()}


def post_ln_at_24_layers(seed: int = 0) -> dict[str, int | float]:
    tokens, V = text()
    return {
        "Pre-LN": learned(seeded(GPT(config_of(V, layers=24)), seed), tokens, seed),
        "Post-LN": learned(seeded(GPT(config_of(V, layers=24, norm_first=False)), seed), tokens, seed),
        "unigram": train.unigram_loss(tokens),
    }


def expansion_of_one(seed: int = 0) -> dict[str, int | float]:
    tokens, V = text()
    found = {}
    for expansion in (1, 4):
        model = seeded(GPT(config_of(V, layers=2, expansion=expansion)), seed)
        found[f"parameters, {expansion}"] = sum(p.numel() for p in model.parameters())
        found[f"loss, {expansion}"] = learned(model, tokens, seed)
    return found


def no_depth_scale(seed: int = 0) -> dict[str, int | float]:
    tokens, V = text()
    batch = train.windows(tokens, 16, torch.Generator().manual_seed(seed))
    found = {}
    for name in ("with", "without"):
        for layers in (2, 24):
            model = seeded(GPT(config_of(V, layers=layers)), seed, std=0.2)
            if name == "without":
                with torch.no_grad():
                    for block in model.blocks:
                        block.attn.o_proj.weight *= (2 * layers) ** 0.5
                        block.mlp.fc_out.weight *= (2 * layers) ** 0.5
            found[f"{name}, {layers} layers"] = measure(model, batch)["stream"][-1]
    return found


def dropout_on_the_stream(seed: int = 0) -> dict[str, int | float]:
    tokens, V = text()
    found = {}
    for name, kind in (("branches", Block), ("stream", StreamDropout)):
        config = config_of(V, layers=4, dropout=0.9)
        model = seeded(GPT(config_of(V, layers=4)), seed)
        for i, block in enumerate(model.blocks):
            twin = kind(config)
            twin.load_state_dict(block.state_dict())
            model.blocks[i] = twin
        torch.manual_seed(seed)
        found[name] = learned(model, tokens, seed)
    return found | {"unigram": train.unigram_loss(tokens)}


EXPERIMENTS = [
    Experiment(
        "no residual",
        "no residual",
        "Each branch replaces the stream. How much gradient reaches the first of six blocks? What is learned?",
        "More than half of the gradient arrives, because each norm restores the size of what passes. Still, the model "
        "learns little more than how often each character occurs: every branch must pass on what it reads, and has not "
        "learned to. With residuals it is more than half a nat better.",
        no_residual,
        lambda r: (
            0.5 < r["gradient, first over last"] < 2
            and abs(r["without"] - r["unigram"]) < 0.12
            and r["with"] < r["without"] - 0.5
        ),
    ),
    Experiment(
        "no final norm",
        "no final norm",
        "The weights start fifteen times larger than usual. What is the first loss with a final norm, and without?",
        "The first loss is higher without the norm, because the head reads a stream that each branch has made larger. "
        "After 100 steps the model without the norm is still the worse one.",
        no_final_norm,
        lambda r: r["loss at the start, without"] > 1.3 * r["loss at the start, with"] and r["without"] > r["with"],
    ),
    Experiment(
        "post-ln at 24 layers",
        "Post-LN at 24 layers",
        "The same data, rate and number of steps; only the place of the norm differs. Where does each loss end?",
        "Post-LN ends within 0.15 nats of counting characters, with each of three seeds. Pre-LN is better with each: "
        "by half a nat with the first, and by less than a tenth with the last.",
        post_ln_at_24_layers,
        lambda r: abs(r["Post-LN"] - r["unigram"]) < 0.15 and r["Pre-LN"] < r["Post-LN"],
    ),
    Experiment(
        "expansion 1",
        "expansion 1",
        "The feed-forward layer is as wide as the stream. How many parameters are left? How much worse is the loss?",
        "About half of the parameters are left. After 100 steps the loss differs by less than 0.15 nats: a model this "
        "small and this little trained does not use the width yet.",
        expansion_of_one,
        lambda r: 0.4 < r["parameters, 1"] / r["parameters, 4"] < 0.65 and abs(r["loss, 1"] - r["loss, 4"]) < 0.15,
    ),
    Experiment(
        "no depth scale",
        "no scale by depth",
        "Every matrix starts equally large. How many times larger is the stream after 24 blocks than after 2?",
        "It is more than three times larger, near the square root of 12. With the scale it stays within 20%.",
        no_depth_scale,
        lambda r: (
            r["without, 24 layers"] / r["without, 2 layers"] > 3
            and 0.8 < r["with, 24 layers"] / r["with, 2 layers"] < 1.2
        ),
    ),
    Experiment(
        "dropout 0.9 on the stream",
        "dropout 0.9 on the stream",
        "Nine of ten numbers are dropped. One model of 4 blocks drops them from its branches, another from its stream.",
        "With dropout on the branches the model still learns more than the frequencies of characters. With dropout on "
        "the stream, one number in ten thousand gets through all four blocks, and it learns less than that.",
        dropout_on_the_stream,
        lambda r: r["branches"] < r["unigram"] - 0.1 and r["stream"] > r["unigram"] - 0.05,
    ),
]
BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Every experiment, with each seed; --quick takes the one that only measures."""
    chosen = ("no depth scale",) if options.quick else tuple(BY_NAME)
    seeds = seeds_of(options, 1 if options.quick else 3)
    found: dict[str, dict[str, list]] = {}
    for name in chosen:
        runs = []
        for seed in seeds:
            log(f"{name}, seed {seed}")
            runs.append(BY_NAME[name].run(seed))
        found[name] = {key: [run[key] for run in runs] for key in runs[0]}
    return {"seeds": seeds, "outcomes": found}
