"""Counting instead of timing: the largest tensor that a call makes. Views of its arguments cost nothing."""

import importlib

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

importlib.import_module("torch._dynamo")  # counting needs it; its first import takes seconds, on nobody's clock


class Largest(TorchDispatchMode):
    """The number of elements of the largest memory that is newly written."""

    def __init__(self, *given):
        super().__init__()
        self.alive = [t for t in tree_leaves(given) if isinstance(t, Tensor)]  # so that no address is used again
        self.known = {t.untyped_storage().data_ptr() for t in self.alive}
        self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, Tensor) and t.untyped_storage().data_ptr() not in self.known:
                self.alive.append(t)
                self.known.add(t.untyped_storage().data_ptr())
                self.largest = max(self.largest, t.untyped_storage().nbytes() // t.element_size())
        return out


def largest_new(function, *args) -> int:
    """Elements of the largest tensor that `function(*args)` makes."""
    with Largest(*args) as counted:
        function(*args)
    return counted.largest
