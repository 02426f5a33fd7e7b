"""Pruning, lottery ticket and distillation on images; the whole pipeline on sentences."""

import argparse
import copy
import time
from collections.abc import Callable

import torch
from torch import nn

from ..calibrate import Images, LeNet5, accuracy, digits, fit
from ..compress import (
    Encoder,
    apply_masks,
    channel_mask,
    distillation_loss,
    encode,
    iterative_masks,
    keep_masks,
    magnitude_masks,
    prunable,
    read_polarity,
    rewound,
    vocabulary,
    without_channels,
)
from .catalogue import POLARITY
from .cli import seeds_of
from .fetch import fetch

Log = Callable[[str], None]
SPARSITIES = (0.3, 0.5, 0.7, 0.9, 0.95)
TEMPERATURES = (1.0, 2.0, 5.0, 20.0)
STEPS, BATCH = 250, 64


def compress(options: argparse.Namespace, log: Log) -> dict:
    """Curves over seeds on the bundled digits; about two minutes on one core."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps = 15 if options.quick else STEPS
    found: dict = {"seeds": seeds, "steps": steps, "dense": []}
    found["pruned"] = {kind: {str(s): [] for s in SPARSITIES} for kind in PRUNERS}
    found["lottery"] = {kind: {str(s): [] for s in SPARSITIES[1:]} for kind in ("ticket", "other first weights")}
    found["distilled"] = {"labels alone": []} | {f"T = {t:g}": [] for t in TEMPERATURES}
    for seed in seeds:
        data = digits(seed)
        log(f"seed {seed}: dense model")
        model = trained(LeNet5(seed), data, steps, seed)
        found["dense"].append(test(model, data))
        for kind, prune in PRUNERS.items():
            for s in SPARSITIES:
                log(f"seed {seed}: {kind}, {s:.0%}")
                found["pruned"][kind][str(s)].append(test(prune(model, s, data, steps, seed), data))
        lottery(found["lottery"], data, steps, seed, log)
        distillation(found["distilled"], data, steps, seed, log)
    found["speed"] = speed(options.seed, 5 if options.quick else 40)
    return found


def trained(model: nn.Module, data: Images, steps: int, seed: int, masks: list | None = None, **more) -> nn.Module:
    """Trained on the images; `masks` are applied after each step."""
    after = keep_masks(masks) if masks else None
    return fit(model, data.train, data.train_labels, steps, seed=seed, after_step=after, batch=BATCH, **more)


def test(model: nn.Module, data: Images) -> float:
    return accuracy(model, data.test, data.test_labels)


def one_shot(model, s, data, steps, seed, everywhere=True, more=0.0):
    """Pruned once. `more` is the share of the training's steps that follow."""
    made = copy.deepcopy(model)
    weights = list(prunable(made).values())
    masks = magnitude_masks(weights, s, everywhere)
    apply_masks(weights, masks)
    return trained(made, data, round(more * steps), seed, masks) if more else made


def iterative(model, s, data, steps, seed):
    """Five rounds of pruning, each followed by a tenth of the training."""
    made = copy.deepcopy(model)
    for i in range(1, 6):
        weights = list(prunable(made).values())
        masks = magnitude_masks(weights, 1 - (1 - s) ** (i / 5))
        apply_masks(weights, masks)
        trained(made, data, round(0.1 * steps), seed + i, masks)
    return made


def structured(model, s, data, steps, seed):
    """Whole output channels of all layers but the last, then half of the training's steps."""
    made = copy.deepcopy(model)
    weights = prunable(made)
    masks = [
        torch.ones_like(w, dtype=torch.bool)
        if name == "fc3"
        else channel_mask(w, s).view(-1, *[1] * (w.ndim - 1)).expand_as(w)
        for name, w in weights.items()
    ]
    apply_masks(list(weights.values()), masks)
    return trained(made, data, round(0.5 * steps), seed, masks)


PRUNERS = {
    "once, all layers together": one_shot,
    "once, each layer by itself": lambda *args: one_shot(*args, everywhere=False),
    "once, then half of the training": lambda *args: one_shot(*args, more=0.5),
    "iterative, half of the training": iterative,
    "whole channels, half of the training": structured,
}


def lottery(found: dict, data: Images, steps: int, seed: int, log: Log) -> None:
    """The ticket trained from its own first weights, and the same masks on other first weights."""
    start = LeNet5(seed)
    for s in SPARSITIES[1:]:
        log(f"seed {seed}: lottery ticket, {s:.0%}")
        masks = iterative_masks(start, lambda m, masks: trained(m, data, steps // 2, seed, masks), s, 3)
        for kind, first in (("ticket", start), ("other first weights", LeNet5(seed + 100))):
            found[kind][str(s)].append(test(trained(rewound(first, masks), data, steps // 2, seed, masks), data))


class SmallNet(nn.Module):
    """The student: one hidden layer of 16, 12,730 parameters."""

    def __init__(self, seed: int):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))

    def forward(self, x):
        return self.layers(x)


def distillation(found: dict, data: Images, steps: int, seed: int, log: Log, few: int = 150) -> None:
    """A student on `few` labelled images, with labels alone and with a teacher that saw all of them."""
    teacher = trained(LeNet5(seed), data, 2 * steps, seed)
    small = data._replace(train=data.train[:few], train_labels=data.train_labels[:few])
    with torch.no_grad():
        logits = teacher(small.train)
    found["labels alone"].append(test(trained(SmallNet(seed), small, 2 * steps, seed), data))
    for t in TEMPERATURES:
        log(f"seed {seed}: distillation, T = {t:g}")

        def loss_of(out, chosen, t=t):
            return distillation_loss(out, logits[chosen], small.train_labels[chosen], t, 0.9)

        student = trained(SmallNet(seed), small, 2 * steps, seed, loss_of=loss_of)
        found[f"T = {t:g}"].append(test(student, data))


def speed(seed: int, repeats: int) -> dict:
    """Milliseconds of two linear layers with half of the weights or of the hidden channels gone."""
    torch.manual_seed(seed)
    first, second, x = nn.Linear(1024, 4096), nn.Linear(4096, 1024), torch.randn(64, 1024)
    keep = channel_mask(first.weight, 0.5)
    smaller = without_channels(first, second, keep)
    masked = copy.deepcopy(first), copy.deepcopy(second)
    weights = [m.weight for m in masked]
    apply_masks(weights, magnitude_masks(weights, 0.5))
    cases = {"dense": (first, second), "half of the weights zero": masked, "half of the channels gone": smaller}
    times: dict = {name: [] for name in cases}
    with torch.no_grad():
        for _ in range(repeats):
            for name, (a, b) in cases.items():
                start = time.perf_counter()
                b(torch.relu(a(x)))
                times[name].append(1e3 * (time.perf_counter() - start))
    sizes = {name: sum(p.numel() for m in pair for p in m.parameters()) for name, pair in cases.items()}
    return {"milliseconds": {name: t[2:] for name, t in times.items()}, "parameters": sizes}


# ---------------------------------------------------------------- the pipeline


def pipeline(options: argparse.Namespace, log: Log) -> dict:
    """Teacher, pruned teacher, student, pruned student, on sentence polarity; about three minutes on one core."""
    sentences, labels = read_polarity(fetch(POLARITY))
    labels = torch.tensor(labels)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(options.seed))
    cut = 200 if options.quick else int(0.85 * len(labels))
    chosen = [sentences[i] for i in order[:cut]]
    ids = vocabulary(chosen)
    stop = cut + (100 if options.quick else len(labels))
    tokens = encode([sentences[i] for i in order[:stop]], ids)
    labels = labels[order[:stop]]
    data = Images(tokens[:cut], labels[:cut], tokens[cut:], labels[cut:])
    steps = 4 if options.quick else 500
    found: dict = {"sentences": [cut, len(tokens) - cut], "steps": steps, "models": {}}

    def note(name: str, model: nn.Module) -> nn.Module:
        count = sum(p.numel() for p in model.parameters())
        left = sum(int((p != 0).sum()) for p in model.parameters())
        found["models"][name] = {"parameters": count, "not zero": left, "accuracy": test(model.eval(), data)}
        log(f"{name}: accuracy {found['models'][name]['accuracy']:.3f}")
        return model.train()

    size = len(ids) + 2
    teacher = note("teacher", learn(Encoder(size, 64, 2, seed=options.seed), data, steps, options.seed))
    note("pruned teacher", prune_and_learn(teacher, data, steps // 4, options.seed))
    with torch.no_grad():
        logits = teacher.eval()(data.train)

    def loss_of(out, chosen):
        return distillation_loss(out, logits[chosen], data.train_labels[chosen], 2.0, 0.7)

    def make():
        return Encoder(size, 16, 1, heads=2, seed=options.seed)

    note("student, labels alone", learn(make(), data, steps, options.seed))
    student = note("student", learn(make(), data, steps, options.seed, loss_of))
    note("pruned student", prune_and_learn(student, data, steps // 4, options.seed, loss_of))
    return found


def learn(model: nn.Module, data: Images, steps: int, seed: int, loss_of=None) -> nn.Module:
    """Trained, with dropout from a seed of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return fit(model, data.train, data.train_labels, steps, 3e-3, BATCH, seed, loss_of=loss_of)


def prune_and_learn(model: nn.Module, data: Images, steps: int, seed: int, loss_of=None) -> nn.Module:
    """Half of the weights of its linear layers and of its embedding gone, and some more steps."""
    made = copy.deepcopy(model)
    weights = [*prunable(made).values(), made.wte.weight]
    masks = magnitude_masks(weights, 0.5, everywhere=False)
    apply_masks(weights, masks)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return fit(
            made,
            data.train,
            data.train_labels,
            steps,
            1e-3,
            BATCH,
            seed,
            lambda _: apply_masks(weights, masks),
            loss_of,
        )
