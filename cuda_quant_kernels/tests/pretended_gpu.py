"""`bench` from end to end on a machine without a GPU. Every "cuda" is the CPU, kernels run on the emulator, and events
read the clock. The times mean nothing. Each case is made, is right, and has its goal and its place in the tables.

Run by test_results.py in a process of its own: Triton reads TRITON_INTERPRET when it is imported.
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

from cuda_quant_kernels import __main__ as command
from cuda_quant_kernels.lab import bench as benchmark
from cuda_quant_kernels.lab.bench_cases import Sizes

SMALL = Sizes(add=2**12 + 16, quantize=(16, 512), gemm=64, gemv=(272, 256))


class OnTheCPU(TorchFunctionMode):
    """Puts every tensor that is asked for on "cuda" on the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.cuda:
            return args[0]
        if str(kwargs.get("device")).startswith("cuda"):
            kwargs["device"] = "cpu"
        return function(*args, **kwargs)


class Generator(torch.Generator):
    def __new__(cls, device):
        return super().__new__(cls, "cpu")


class Event:
    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.at = time.perf_counter()

    def elapsed_time(self, end):
        return max(end.at - self.at, 1e-9) * 1e3


def pretend() -> ExitStack:
    stack = ExitStack()
    replaced = {
        "is_available": lambda: True,
        "get_device_capability": lambda: (9, 0),
        "get_device_name": lambda: "a pretended GPU",
        "get_device_properties": lambda device: SimpleNamespace(L2_cache_size=4096),
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "_sleep": lambda cycles: None,
        "Event": Event,
    }
    for name, value in replaced.items():
        stack.enter_context(patch.object(torch.cuda, name, value))
    stack.enter_context(patch.object(torch, "Generator", Generator))
    stack.enter_context(patch.object(torch, "compile", lambda function: function))
    for name, value in {"QUICK": SMALL, "WARM_UP": 1, "MIN_REPEATS": 2, "SECONDS": 0.0}.items():
        stack.enter_context(patch.object(benchmark, name, value))
    stack.enter_context(OnTheCPU())
    return stack


if __name__ == "__main__":
    with pretend():
        sys.exit(command.run(["bench", "--quick", "--out", str(Path(sys.argv[1]))]))
