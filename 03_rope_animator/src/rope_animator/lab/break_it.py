"""Experiments that switch something off or make it wrong. Each has a claim, and a test compares it with the outcome."""

import argparse
import copy
import functools
import hashlib
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..rope import half_from_interleaved
from .cli import seeds_of
from .corpus import load_corpus
from .experiment import in_processes
from .model import Config, TinyLM
from .record import atomic
from .train import Training, loss_by_position, train


@dataclass(frozen=True)
class Size:
    """How large the models are, and how much text measures them."""

    trained_len: int = 64
    dim: int = 64
    num_heads: int = 4
    steps: int = 400
    batch_size: int = 24
    lr: float = 4e-3
    characters: int = 16_384
    data: str = "pydoc"


WORKBOOK = Size(24, 48, 3, steps=250, batch_size=16, lr=8e-3, characters=4096)  # two seconds a model
QUICK = replace(WORKBOOK, steps=10, characters=1024)


@dataclass(frozen=True)
class Experiment:
    """One thing to break. `holds(outcome)` says whether the claim is true of an outcome."""

    name: str
    predict: str
    claim: str
    run: Callable[[Size, int], dict]
    holds: Callable[[dict], bool]


@functools.lru_cache(maxsize=16)
def trained_model(
    size: Size, seed: int, scheme: str = "rope", base: float = 10_000.0, rotary_fraction: float = 1.0
) -> TinyLM:
    """A trained model. Experiments share models, so they must not change them.

    Where HARDWAY_TRAINED names a folder, models are kept there and read again: a run of the tests executes the
    workbook twice and trains once.
    """
    corpus = load_corpus(size.data)
    config = Config(
        len(corpus.vocab),
        scheme,
        size.trained_len,
        dim=size.dim,
        num_heads=size.num_heads,
        base=base,
        rotary_fraction=rotary_fraction,
    )
    training = Training(size.steps, size.batch_size, size.lr, seed=seed)
    folder = os.environ.get("HARDWAY_TRAINED")
    if not folder:
        return train(config, training, corpus)
    name = hashlib.sha256(repr((config, training, size.data)).encode()).hexdigest()
    path = Path(folder) / f"{name}.pt"
    if not path.exists():
        with atomic(path) as temporary:
            torch.save(train(config, training, corpus).state_dict(), temporary)
    model = TinyLM(config)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def losses(model: TinyLM, size: Size, seq_len: int) -> Tensor:
    """Loss in nats at each position of texts of `seq_len` characters."""
    return loss_by_position(model, load_corpus(size.data), seq_len, size.characters)


def losses_by_factor(model: TinyLM, size: Size) -> dict[str, float]:
    """Mean loss at 1, 2 and 4 times the trained length."""
    return {str(f): losses(model, size, f * size.trained_len).mean().item() for f in (1, 2, 4)}


# ---------------------------------------------------------------- the experiments


def shuffled_text(size: Size, seed: int) -> dict:
    """How far the last token's logits move when the tokens before it are shuffled."""
    return {
        f"{scheme}, {num_layers} layer{'s' * (num_layers > 1)}": logit_change(scheme, num_layers, seed)
        for scheme in ("none", "rope")
        for num_layers in (1, 2)
    }


def logit_change(scheme: str, num_layers: int, seed: int = 0) -> float:
    """Largest change of the last token's logits in an untrained model."""
    torch.manual_seed(seed)
    model = TinyLM(Config(50, scheme, trained_len=32, num_layers=num_layers))
    for parameter in model.parameters():  # large weights, so that a change is visible
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    tokens = torch.randint(50, (1, 32))
    shuffled = torch.cat((tokens[:, torch.randperm(31)], tokens[:, 31:]), dim=1)
    with torch.no_grad():
        return (model(tokens)[:, -1] - model(shuffled)[:, -1]).abs().max().item()


class Extrapolated(torch.nn.Module):
    """A learned table that answers beyond its end: it repeats its last row, or starts again at row 0."""

    def __init__(self, weight: Tensor, rule: str) -> None:
        super().__init__()
        self.weight, self.rule = weight, rule

    def forward(self, positions: Tensor) -> Tensor:
        rows = len(self.weight)
        return self.weight[positions.clamp(max=rows - 1) if self.rule == "clamped" else positions % rows]


def beyond_the_table(size: Size, seed: int) -> dict:
    """Loss of learned positions within their table, and beyond it where the table is made to answer."""
    model = copy.deepcopy(trained_model(size, seed, "learned", 10_000.0))
    weight = model.wpe.weight
    outcome = {"within": losses(model, size, size.trained_len).mean().item()}
    for rule in ("clamped", "wrapped"):
        model.wpe = Extrapolated(weight, rule)
        outcome[rule] = losses(model, size, 2 * size.trained_len)[size.trained_len :].mean().item()
    return outcome


def three_bases(size: Size, seed: int) -> dict:
    """Losses at 1, 2 and 4 times the trained length for three bases."""
    bases = (10.0, 10_000.0, 1_000_000.0)
    return {f"base {base:,.0f}": losses_by_factor(trained_model(size, seed, "rope", base), size) for base in bases}


def quarter_rotated(size: Size, seed: int) -> dict:
    """Losses with all coordinates rotated, and with a quarter of them."""
    return {
        "all rotated": losses_by_factor(trained_model(size, seed, "rope", 10_000.0), size),
        "a quarter rotated": losses_by_factor(trained_model(size, seed, rotary_fraction=0.25), size),
    }


def other_layout(size: Size, seed: int) -> dict:
    """The same weights read in the other layout, without and with the rows of W_q and W_k permuted."""
    model = trained_model(size, seed, "rope", 10_000.0)
    config = replace(model.config, layout="interleaved")
    other = TinyLM(config)
    other.load_state_dict(model.state_dict())
    outcome = {
        "as trained (half)": losses(model, size, size.trained_len).mean().item(),
        "read as interleaved": losses(other, size, size.trained_len).mean().item(),
    }
    interleaved_from_half = half_from_interleaved(config.head_dim).argsort()
    with torch.no_grad():
        for block in other.blocks:
            rows = block.qkv_proj.weight.view(3, config.num_heads, config.head_dim, config.dim)
            rows[:2] = rows[:2][:, :, interleaved_from_half]
    outcome["rows permuted"] = losses(other, size, size.trained_len).mean().item()
    return outcome


def order_is_seen_by_two_layers(outcome: dict) -> bool:
    return outcome["none, 1 layer"] < 1e-4 and min(outcome["none, 2 layers"], outcome["rope, 1 layer"]) > 0.01


def table_does_not_extrapolate(outcome: dict) -> bool:
    return min(outcome["clamped"], outcome["wrapped"]) > outcome["within"] + 0.02


def small_base_extrapolates(outcome: dict) -> bool:
    near = [loss["1"] for loss in outcome.values()]
    far = [loss["4"] for loss in outcome.values()]
    return max(near) - min(near) < 0.1 and far == sorted(far)


def quarter_is_worse_and_steadier(outcome: dict) -> bool:
    whole, part = outcome["all rotated"], outcome["a quarter rotated"]
    return part["1"] > whole["1"] + 0.1 and part["4"] - part["1"] < whole["4"] - whole["1"]


def permutation_repairs(outcome: dict) -> bool:
    trained, read, permuted = outcome.values()
    return read > trained + 0.1 and abs(permuted - trained) < 1e-4


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "no positions, shuffled text",
            "whether the last token's logits move, with one layer and with two",
            "Without positions one layer cannot see the order. Two layers can, through the causal mask.",
            shuffled_text,
            order_is_seen_by_two_layers,
        ),
        Experiment(
            "learned positions beyond their table",
            "the loss there if the table repeats its last row, or starts again at row 0",
            "Beyond its table a learned scheme loses at least 0.02 nats, clamped or wrapped.",
            beyond_the_table,
            table_does_not_extrapolate,
        ),
        Experiment(
            "base 10, 10,000 and 1,000,000",
            "the loss at the trained length, and at four times it",
            "At the trained length the bases differ by less than 0.1 nats. At four times it, the larger the base, "
            "the larger the loss.",
            three_bases,
            small_base_extrapolates,
        ),
        Experiment(
            "a quarter of the coordinates rotated",
            "the loss at the trained length, and its growth beyond it",
            "Rotating a quarter of 16 coordinates, not all, costs more than 0.1 nats at the trained length. Beyond it, "
            "the loss grows less than with all of them.",
            quarter_rotated,
            quarter_is_worse_and_steadier,
        ),
        Experiment(
            "weights read in the other layout",
            "the loss before and after permuting the rows of W_q and W_k",
            "The other layout costs more than 0.1 nats. Permuting the rows of W_q and W_k repairs it.",
            other_layout,
            permutation_repairs,
        ),
    )
}


# ---------------------------------------------------------------- all of them


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Every experiment on every seed: the outcomes, and their means."""
    size = replace(QUICK if options.quick else Size(), data=options.data)
    seeds = seeds_of(options, 1 if options.quick else 2)
    load_corpus(size.data)  # a missing text ends the run here, and not in a worker
    values: dict[str, list[dict]] = {}
    jobs = [(size, seed) for seed in seeds]
    for done, (_, outcomes) in enumerate(in_processes(run_all, jobs, 1 if options.quick else 2), 1):
        log(f"[{done}/{len(jobs)}] all experiments of one seed")
        for name, outcome in outcomes.items():
            values.setdefault(name, []).append(outcome)
    return {"seeds": seeds, "values": values, "mean": {name: mean(outcomes) for name, outcomes in values.items()}}


def run_all(size: Size, seed: int) -> dict[str, dict]:
    """Every experiment on one seed, in one thread: the work of one process."""
    torch.set_num_threads(1)
    return {name: experiment.run(size, seed) for name, experiment in EXPERIMENTS.items()}


def mean(outcomes: list):
    """The mean of numbers that stand at the same place in equal nested dictionaries."""
    if isinstance(outcomes[0], dict):
        return {key: mean([outcome[key] for outcome in outcomes]) for key in outcomes[0]}
    return statistics.mean(outcomes)


def show(name: str, size: Size = WORKBOOK, seed: int = 0) -> None:
    """Run one experiment at the workbook's size and print its outcome."""
    for key, value in EXPERIMENTS[name].run(size, seed).items():
        text = (
            "  ".join(f"{f} times the length {v:.3f}" for f, v in value.items())
            if isinstance(value, dict)
            else f"{value:.3g}"
        )
        print(f"{key:22}{text}")
