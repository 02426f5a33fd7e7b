"""Plain, tiled and PyTorch's attention in one run: time and peak memory, forward and backward. Correctness first."""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from ..attention import scaled_dot_product_attention
from ..flash import flash_attention
from ..flash_fast import blocked_attention
from ..masks import causal_mask
from .memory import forward_and_backward, peak_memory

HEADS, WIDTH = 12, 64
LENGTHS = (1024, 4096)


def plain(q, k, v):
    return scaled_dot_product_attention(q, k, v, causal_mask(q.shape[-2]))[0]


def tiled(q, k, v):
    return flash_attention(q, k, v, causal=True, tile=128)


def sdpa(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


CONTENDERS = {"plain": plain, "flash_attention": tiled, "blocked_attention": blocked_attention, "SDPA": sdpa}


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds of CPU and megabytes a call, by length; contenders alternate.

    Raises:
        ValueError: two contenders do not agree.
    """
    content = {"heads": HEADS, "width": WIDTH, "error": {}, "forward": {}, "both": {}, "memory": {}, "memory both": {}}
    for T in (64, 128) if options.quick else LENGTHS:
        generator = torch.Generator().manual_seed(options.seed)
        q, k, v = torch.randn(3, 1, HEADS, T, WIDTH, generator=generator)
        log(f"T = {T}: do they agree?")
        content["error"][str(T)] = agree(q, k, v)
        log(f"T = {T}: memory")
        calls = {name: partial(f, q, k, v) for name, f in CONTENDERS.items()}
        both = {name: partial(forward_and_backward, f, q, k, v) for name, f in CONTENDERS.items()}
        content["memory"][str(T)] = {name: peak_memory(call) / 2**20 for name, call in calls.items()}
        content["memory both"][str(T)] = {name: peak_memory(call) / 2**20 for name, call in both.items()}
        repeats = 2 if options.quick else 12 if T < 2000 else 5
        for key, which in (("forward", calls), ("both", both)):
            content[key][str(T)] = {name: [] for name in which}
            for repeat in range(repeats):
                log(f"T = {T}: {key}, repeat {repeat + 1} of {repeats}")
                for name, call in which.items():
                    start = time.process_time()
                    call()
                    content[key][str(T)][name].append(1e3 * (time.process_time() - start))
            content[key][str(T)] = {name: values[1:] for name, values in content[key][str(T)].items()}  # warm-up
    return content


def agree(q, k, v) -> float:
    """The largest difference from SDPA, in outputs and gradients."""
    outputs, gradients = sdpa(q, k, v), forward_and_backward(sdpa, q, k, v)
    error = 0.0
    for name, function in CONTENDERS.items():
        pairs = zip(forward_and_backward(function, q, k, v), gradients, strict=True)
        largest = max(float((function(q, k, v) - outputs).abs().max()), *(float((a - b).abs().max()) for a, b in pairs))
        if largest > 1e-4:  # gradients add up to T terms in float32
            raise ValueError(f"{name}: error={largest}: all must agree before they are timed")
        error = max(error, largest)
    return error
