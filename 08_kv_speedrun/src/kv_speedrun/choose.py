"""No fp32 layout is the fastest for every matrix: measure each shape where you are, and keep each in its own.

Wide and flat, tall and narrow, in one cache or in none: which kernel reads a shape fastest is a property of the
machine, and a tenth of a second of timing finds it.
"""

import time
from functools import partial

import torch

from .layouts import LAYOUTS, replace_linears, why_absent
from .model import GPT

EXACT = ("as trained", "transposed", "packed")          # fp32, and the same greedy tokens


def fastest(outputs: int, inputs: int, rows: int = 1, megabytes: int = 96, rounds: int = 5) -> str:
    """The name of the exact layout that multiplies `rows` rows by an (inputs, outputs) matrix in the least time.

    With the present number of threads. Several matrices are read in turn, more than a cache holds, as a model's are;
    the layouts alternate, and the least time of the rounds counts, since other programs only ever add to it.
    """
    count = max(2, megabytes * 2**20 // (4 * outputs * inputs))
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    make = dict(LAYOUTS, packed=partial(LAYOUTS["packed"], rows=rows))
    kept = {name: [make[name](weight, None) for _ in range(count)] for name in EXACT if not why_absent(name)}
    if len(kept) > 1:                                   # `as trained` keeps the weight itself: give each its own
        kept["as trained"] = [LAYOUTS["as trained"](weight.clone(), None) for _ in range(count)]
    best = dict.fromkeys(kept, float("inf"))
    with torch.no_grad():
        for _ in range(rounds):
            for name, matrices in kept.items():
                start = time.perf_counter()
                for matrix in matrices:
                    matrix(x)
                best[name] = min(best[name], time.perf_counter() - start)
    return min(best, key=best.get)


def lay_out_fastest(model: GPT, rows: int = 1, megabytes: int = 96) -> tuple[GPT, dict[str, str]]:
    """A copy of `model` with each matrix in the exact layout that is fastest for its shape, and what was chosen."""
    chosen: dict[tuple[int, int], str] = {}

    def keep(weight, bias):
        shape = tuple(weight.shape)
        if shape not in chosen:
            chosen[shape] = fastest(*shape, rows=rows, megabytes=megabytes)
        more = {"rows": rows} if chosen[shape] == "packed" else {}
        return LAYOUTS[chosen[shape]](weight, bias, **more)

    laid = replace_linears(model, keep)
    return laid, {f"{inputs} to {outputs}": name for (outputs, inputs), name in chosen.items()}
