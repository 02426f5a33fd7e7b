"""The laboratory's experiment: norm × optimizer × schedule × regularizer on digits, with confidence intervals.

300 examples to learn from, 500 to choose by, the rest to report. Every cell runs on the same seeds, so differences are
paired. A third of the 600 cells is run, chosen so that every two values of different factors meet. Effects come from
a linear model of the four factors. Each norm and optimizer gets the learning rate that is best on OTHER seeds. The
recipe is chosen by the choosing set, and judged on fresh seeds by the reporting set.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from statistics import fmean

import numpy as np
import torch

from ..laboratory import NORMS, REGULARIZERS, Recipe, accuracy, fit, holm, paired, sign_flip_p
from .images import digits

Log = Callable[[str], None]
CHOICES = {
    "norm": NORMS,
    "optimizer": ("momentum", "rmsprop", "adamw"),
    "schedule": ("constant", "step", "cosine", "warm-up + cosine"),
    "regularizer": REGULARIZERS,
}
RATES = {
    "momentum": (0.003, 0.01, 0.03, 0.1),
    "rmsprop": (0.0003, 0.001, 0.003, 0.01),
    "adamw": (0.001, 0.003, 0.01, 0.03),
}
LEARN, CHOOSE = 300, 500
BASE = Recipe("none", "momentum", "constant", "none")


def laboratory(options: argparse.Namespace, log: Log) -> dict:
    """About five minutes. `--quick` keeps two values of each factor and few steps."""
    seeds = list(range(options.seed, options.seed + (options.seeds or (2 if options.quick else 8))))
    steps = 10 if options.quick else 200
    choices = {name: values[:2] for name, values in CHOICES.items()} if options.quick else CHOICES
    rates = tune(choices, [1000 + s for s in seeds[:4]], steps, log)
    cells, data = {}, split(seeds)
    recipes = fraction(choices, rates)
    for i, recipe in enumerate(recipes):
        if i % 20 == 0:
            log(f"recipe {i} of {len(recipes)}")
        network = fit(recipe, seeds, *data["learn"], steps)
        cells[name_of(recipe)] = {part: accuracy(network, *data[part]) for part in ("choose", "report")}
    best = max(recipes, key=lambda r: fmean(cells[name_of(r)]["choose"]))
    fresh = [500 + s for s in seeds]
    return {
        "seeds": seeds,
        "steps": steps,
        "rates": rates,
        "choices": choices,
        "cells": cells,
        "effects": effects(cells, choices),
        "recipe": judged(best, replace(BASE, lr=rates["none, momentum"]), fresh, steps),
    }


def fraction(choices: dict, rates: dict[str, float]) -> list[Recipe]:
    """Every norm with every schedule and every regularizer, and the optimizers in turn."""
    names, found = choices["optimizer"], []
    for i, j, k in product(*(range(len(choices[factor])) for factor in ("norm", "schedule", "regularizer"))):
        norm, optimizer = choices["norm"][i], names[(i + j + k) % len(names)]
        cell = (norm, optimizer, choices["schedule"][j], choices["regularizer"][k])
        found.append(Recipe(*cell, lr=rates[f"{norm}, {optimizer}"]))
    return found


def split(seeds: list[int]) -> dict:
    """Each seed's own examples: (x, classes) of S × n, for learning, choosing and reporting."""
    x, classes = digits()
    orders = torch.stack([torch.randperm(len(x), generator=torch.Generator().manual_seed(s)) for s in seeds])
    ends = (LEARN, LEARN + CHOOSE)
    parts = {"learn": orders[:, : ends[0]], "choose": orders[:, ends[0] : ends[1]], "report": orders[:, ends[1] :]}
    return {name: (x[rows], classes[rows]) for name, rows in parts.items()}


def tune(choices: dict, seeds: list[int], steps: int, log: Log) -> dict[str, float]:
    """The best learning rate of each norm and optimizer, with a cosine and no regularizer, on seeds of its own."""
    data, found = split(seeds), {}
    for norm in choices["norm"]:
        for optimizer in choices["optimizer"]:
            log(f"learning rate of {norm}, {optimizer}")
            scores = {}
            for lr in RATES[optimizer]:
                network = fit(Recipe(norm, optimizer, "cosine", lr=lr), seeds, *data["learn"], steps)
                scores[lr] = fmean(accuracy(network, *data["choose"]))
            found[f"{norm}, {optimizer}"] = max(scores, key=scores.get)
    return found


def name_of(recipe: Recipe) -> str:
    return f"{recipe.norm} | {recipe.optimizer} | {recipe.schedule} | {recipe.regularizer}"


def effects(cells: dict, choices: dict) -> list[dict]:
    """For each value of each factor, what it adds to the accuracy of the factor's first value, paired by seed.

    A seed's effects are those of the linear model that fits its accuracies best. Holm's correction is over all rows.
    """
    rows = []
    for (factor, value), by_seed in linear_model(cells, choices).items():
        nothing = [0.0] * len(by_seed)
        row = {"factor": factor, "value": value, "against": choices[factor][0]}
        rows.append(row | {"sign flip p": sign_flip_p(by_seed, nothing)} | asdict(paired(by_seed, nothing)))
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["holm p"] = p
    return rows


def linear_model(cells: dict, choices: dict) -> dict[tuple[str, str], list[float]]:
    """{(factor, value): its effect for each seed} by least squares: accuracy = base + one effect for each factor."""
    columns = [(place, factor, value) for place, (factor, values) in enumerate(choices.items()) for value in values[1:]]
    names = [name.split(" | ") for name in cells]
    design = np.array([[1.0, *(name[place] == value for place, _, value in columns)] for name in names])
    accuracies = np.array([cell["report"] for cell in cells.values()])  # cells × seeds
    effects_by_seed = np.linalg.lstsq(design, accuracies, rcond=None)[0][1:]
    return {(factor, value): row.tolist() for (_, factor, value), row in zip(columns, effects_by_seed, strict=True)}


def judged(best: Recipe, base: Recipe, seeds: list[int], steps: int) -> dict:
    """The chosen recipe against the plain one, on fresh seeds and the reporting set."""
    data, scores = split(seeds), {}
    for name, recipe in (("best", best), ("base", base)):
        scores[name] = accuracy(fit(recipe, seeds, *data["learn"], steps), *data["report"])
    return {
        "best": asdict(best),
        "base": asdict(base),
        "scores": scores,
        **asdict(paired(scores["best"], scores["base"])),
    }
