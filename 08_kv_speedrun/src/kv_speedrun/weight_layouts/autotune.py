"""The fastest layout depends on the matrix shape and the CPU, so time each once.

Dimensions: B rows, I inputs, O outputs.
"""

import time
from functools import partial

import torch
from torch import Tensor, nn

from ..model import GPT
from .layouts import LAYOUTS, Packed
from .model import replace_linears, why_absent

EXACT = ("as trained", "transposed", "packed")  # fp32, and the same greedy tokens


def lay_out_fastest(model: GPT, rows: int = 1, megabytes: int = 96) -> tuple[GPT, dict[str, str]]:
    """A copy of `model` with each matrix in the exact layout that is fastest for its shape, and the choices.

    Raises:
        ValueError: the model is not float32 on CPU.
    """
    chosen: dict[tuple[int, int], str] = {}

    def layout(weight: Tensor, bias: Tensor | None) -> nn.Module:
        shape = (weight.shape[0], weight.shape[1])
        if shape not in chosen:
            chosen[shape] = fastest(*shape, rows=rows, megabytes=megabytes)
        return _make(chosen[shape], rows)(weight, bias)

    laid_out = replace_linears(model, layout)
    return laid_out, {f"{inputs} to {outputs}": name for (outputs, inputs), name in chosen.items()}


def fastest(outputs: int, inputs: int, rows: int = 1, megabytes: int = 96, rounds: int = 5) -> str:
    """The exact layout that multiplies `rows` rows by an (inputs, outputs) matrix in the least time.

    The present number of threads is used. Several matrices are read in turn, more than a cache holds, as in a model.
    The layouts alternate. The least time of the rounds counts, because other programs only ever add to it.
    """
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    count = max(2, megabytes * 2**20 // (4 * outputs * inputs))
    candidates = {name: _copies(name, weight, count, rows) for name in EXACT if not why_absent(name)}
    best = dict.fromkeys(candidates, float("inf"))
    with torch.no_grad():
        for _ in range(rounds):
            for name, matrices in candidates.items():
                best[name] = min(best[name], _seconds(matrices, x))
    return min(best, key=best.get)


def _make(name: str, rows: int):
    return partial(Packed, rows=rows) if name == "packed" else LAYOUTS[name]


def _copies(name: str, weight: Tensor, count: int, rows: int) -> list[nn.Module]:
    """Matrices in memory of their own: `as trained` would share the one weight."""
    return [_make(name, rows)(weight.clone(), None) for _ in range(count)]


def _seconds(matrices: list[nn.Module], x: Tensor) -> float:
    start = time.perf_counter()
    for matrix in matrices:
        matrix(x)
    return time.perf_counter() - start
