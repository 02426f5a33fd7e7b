"""The tensor-shape primer: a tracer that shows the shape at every step.

Everything in this folder is made of five operations:
    view        the same numbers in the same order, cut differently     (B, T, H·D) -> (B, T, H, D)
    transpose   the axes exchanged, nothing moved in memory             (B, T, H, D) -> (B, H, T, D)
    matmul      rows times columns of the last two axes                 (Tq, D) @ (D, Tk) -> (Tq, Tk)
    broadcast   axes of size 1, or none, stretch to the other's size    (B, 1, 1, Tk) & (Tq, Tk) -> (B, 1, Tq, Tk)
    reduce      one axis is summed, averaged or maximised away          (B, H, T, D) -> (B, H, T)

`transpose` changes how the numbers are walked through, so a `view` after it is refused: `reshape` copies them first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Shape(NamedTuple):
    """One step: its name, the shapes of the tensors that went in, and the shape of what came out."""

    step: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.step:24} {', '.join(map(str, self.inputs)):36} -> {self.output}"


def _shapes(values: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(value.shape) for value in values if isinstance(value, Tensor))


def trace_modules(module: nn.Module, *inputs: Any, **keywords: Any) -> list[Shape]:
    """The shapes at each submodule of `module`, in the order in which they are called; the module itself is last.

    Forward hooks do it: PyTorch calls them with a module's inputs and output. They are removed afterwards.
    """
    steps: list[Shape] = []
    handles = []
    for name, part in module.named_modules():
        handles.append(part.register_forward_hook(_recorder(steps, name or type(module).__name__)))
    try:
        module(*inputs, **keywords)
    finally:
        for handle in handles:
            handle.remove()
    return steps


def _recorder(steps: list[Shape], name: str) -> Callable:
    def hook(module, inputs, output):
        first = output if isinstance(output, Tensor) else output[0]
        steps.append(Shape(name, _shapes(inputs), tuple(first.shape)))

    return hook


class _Recording(TorchFunctionMode):
    """While it lasts, every function that is called on tensors is recorded."""

    def __init__(self):
        super().__init__()
        self.steps: list[Shape] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", str(function)).strip("_")
        if isinstance(result, Tensor) and name != "get":
            self.steps.append(Shape(name, _shapes(args), tuple(result.shape)))
        return result


def trace_operations(function: Callable, *inputs: Any, **keywords: Any) -> list[Shape]:
    """The shapes at each tensor operation inside of `function`."""
    with torch.no_grad(), _Recording() as recording:
        function(*inputs, **keywords)
    return recording.steps
