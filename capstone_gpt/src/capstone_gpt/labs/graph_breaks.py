"""What makes torch.compile give up a graph and start another, counted."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from .small_run import small_gpt


def smooth(x: Tensor) -> Tensor:
    return (x * 2).tanh().sum()


def printing(x: Tensor) -> Tensor:
    x = x * 2
    print(end="")
    return x.tanh().sum()


def reading_a_number(x: Tensor) -> Tensor:
    x = x * 2
    return (x if x.sum().item() > 0 else -x).tanh().sum()


def asking_for_a_break(x: Tensor) -> Tensor:
    x = x * 2
    torch._dynamo.graph_break()
    return x.tanh().sum()


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "tensors only": smooth,
    "print": printing,
    "item() in an if": reading_a_number,
    "graph_break()": asking_for_a_break,
}


def graph_breaks() -> dict[str, int]:
    """How often dynamo gives up and starts a new graph, for four functions and for the GPT."""
    import torch._dynamo as dynamo
    import torch._logging

    torch._logging.set_logs(dynamo=logging.ERROR)  # a break is the result here, not a warning
    found = {}
    for name, function in CASES.items():
        dynamo.reset()
        found[name] = dynamo.explain(function)(torch.ones(3)).graph_break_count
    dynamo.reset()
    found["the GPT"] = dynamo.explain(small_gpt(0))(torch.zeros(1, 5, dtype=torch.long)).graph_break_count
    dynamo.reset()
    torch._logging.set_logs()
    return found
