"""The climb, measured: every rung at each budget of CPU seconds, on names or on the words of the offline text."""

import argparse
import re
from collections.abc import Callable
from statistics import median

from ..ladder.climb import climb, counted, crossings, rungs
from ..ladder.names import Names
from . import fetch
from .catalogue import NAMES
from .cli import seeds_of

BUDGETS = [1, 3, 10]
ORDERS = (2, 5)


def words(data: str) -> list[str]:
    """First names where the file is on this machine (`--data names`), else the words of the text."""
    if data == "names":
        return fetch.fetch(NAMES).read_text(encoding="utf-8").split()
    return sorted(set(re.findall(r"[a-z]{3,12}", fetch.load_text(data).lower())))


def run(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Losses of each rung at each budget and seed, and where one comes under the counts."""
    names = Names(words(options.data)[: 300 if options.quick else None])
    seeds, budgets = seeds_of(options, 1), [0.05, 0.1] if options.quick else BUDGETS
    found = {}
    for order in ORDERS:
        loss, size, seconds = counted(names, order)
        name = "bigrams" if order == 2 else f"{order}-grams"
        found[name] = {"parameters": size, "loss": {str(b): [loss] for b in budgets}, "cpu_s": seconds}
    for rung in rungs(names.vocab_size):
        losses = {}
        for b in budgets:
            log(f"{rung}, {b} CPU seconds")
            runs = [climb(names, rung, b, seed) for seed in seeds]
            losses[str(b)] = [loss for loss, _ in runs]
        found[rung] = {"parameters": runs[0][1], "loss": losses}
    best = f"{ORDERS[-1]}-grams"
    curves = {name: [median(rung["loss"][str(b)]) for b in budgets] for name, rung in found.items()}
    crossed = [{"rung": name, "seconds": s, "loss": loss} for name in rungs(names.vocab_size)
               for s, loss in crossings(budgets, curves[best], curves[name])]  # fmt: skip
    order = sorted(curves, key=lambda name: curves[name][-1])
    claim = f"After {budgets[-1]:g} CPU seconds the best of {len(order)} rungs: {order[0]}; the worst: {order[-1]}"
    return {"seeds": seeds, "names": sum(map(len, names.splits.values())), "budgets": budgets, "rungs": found,
            "crossings": crossed, "claim": claim}  # fmt: skip
