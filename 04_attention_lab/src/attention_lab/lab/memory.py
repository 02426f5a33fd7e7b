"""Memory, counted: every allocation of PyTorch's CPU allocator, temporary ones inside of kernels included."""

import os
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler writes to the terminal otherwise


def peak_memory(call: Callable[[], object]) -> int:
    """The most bytes that were allocated at one time during a call, above what was there before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        result = call()
    del result
    changes = [(e.start_ns(), e.nbytes()) for e in run.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for _, change in sorted(changes, key=lambda c: c[0]):
        now += change
        most = max(most, now)
    return most


def forward_and_backward(attention: Callable, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple:
    """The gradients of the sum of an attention's output."""
    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    return torch.autograd.grad(attention(*leaves).sum(), leaves)
