"""A scalar autograd engine: numbers that remember how they were made.

Each `Value` keeps its parents and, for each, the derivative of itself by that parent. That is all that the chain rule
needs.
"""

import math
from collections.abc import Sequence


class Value:
    """A number in a graph. `grad` is the derivative of the last output by it, once `backward` has run."""

    def __init__(
        self, data: float | int, parents: Sequence["Value"] = (), local_grads: Sequence[float | int] = (), op: str = ""
    ):
        self.data, self.grad = float(data), 0.0
        self.parents, self.local_grads, self.op = tuple(parents), tuple(local_grads), op

    def __add__(self, other) -> "Value":
        other = as_value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0), "+")

    def __mul__(self, other) -> "Value":
        other = as_value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data), "×")

    def __pow__(self, exponent: float | int) -> "Value":
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),), f"^{exponent:g}")

    def exp(self) -> "Value":
        value = math.exp(self.data)
        return Value(value, (self,), (value,), "exp")

    def log(self) -> "Value":
        return Value(math.log(self.data), (self,), (1 / self.data,), "log")

    def tanh(self) -> "Value":
        value = math.tanh(self.data)
        return Value(value, (self,), (1 - value**2,), "tanh")

    def relu(self) -> "Value":
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),), "relu")

    def __neg__(self) -> "Value":
        return self * -1

    def __sub__(self, other) -> "Value":
        return self + -as_value(other)

    def __truediv__(self, other) -> "Value":
        return self * as_value(other) ** -1

    def __radd__(self, other) -> "Value":
        return self + other

    def __rmul__(self, other) -> "Value":
        return self * other

    def __rsub__(self, other) -> "Value":
        return as_value(other) - self

    def __rtruediv__(self, other) -> "Value":
        return as_value(other) / self

    def __repr__(self) -> str:
        return f"Value(data={self.data:.4g}, grad={self.grad:.4g})"

    def backward(self) -> None:
        backward(self)


def as_value(x: "Value | float | int") -> Value:
    return x if isinstance(x, Value) else Value(x)


def backward(output: Value) -> None:
    """Set `grad` of every value that `output` depends on to the derivative of `output` by it (reverse mode).

    A value that is used twice gets the sum of both paths. Gradients from an earlier call are forgotten. Graphs may be
    thousands of steps deep.
    """
    order = topological(output)
    for value in order:
        value.grad = 0.0
    output.grad = 1.0
    for value in reversed(order):
        for parent, local_grad in zip(value.parents, value.local_grads, strict=True):
            parent.grad += local_grad * value.grad


def topological(output: Value) -> list[Value]:
    """Every value of the graph once, parents before what is made from them."""
    order, seen, todo = [], set(), [(output, False)]
    while todo:
        value, parents_are_done = todo.pop()
        if parents_are_done:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            todo.append((value, True))
            todo += [(parent, False) for parent in value.parents]
    return order
