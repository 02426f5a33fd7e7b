"""Bytes that a norm moves, forward and backward, counted operation by operation. A count does not depend on load."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..layer_norm import layer_norm
from ..rms_norm import rms_norm

VIEWS = ("view", "reshape", "expand", "transpose", "detach", "unsqueeze", "t.default", "_unsafe_view", "split", "slice")


class Bytes(TorchDispatchMode):
    """Adds up the bytes of the inputs and outputs of every operation that is not a view."""

    def __init__(self):
        super().__init__()
        self.total, self.operations = 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not any(name in str(function) for name in VIEWS):
            tensors = [x for x in (*args, *(kwargs or {}).values()) if isinstance(x, torch.Tensor)]
            outputs = result if isinstance(result, (tuple, list)) else [result]
            tensors += [x for x in outputs if isinstance(x, torch.Tensor)]
            self.total += sum(x.numel() * x.element_size() for x in tensors)
            self.operations += 1
        return result


def bytes_moved(kind: str, rows: int = 256, width: int = 96) -> dict[str, float]:
    """Passes over the data of the plain norm, forward and backward: bytes moved / bytes of x."""
    x = torch.ones(rows, width, requires_grad=True)
    weight, bias = torch.ones(width, requires_grad=True), torch.zeros(width, requires_grad=True)
    with Bytes() as counted:
        y = layer_norm(x, weight, bias) if kind == "layer" else rms_norm(x, weight)
        forward = counted.total
        y.backward(torch.ones_like(y))
    size = x.numel() * x.element_size()
    return {"forward": forward / size, "backward": (counted.total - forward) / size, "operations": counted.operations}
