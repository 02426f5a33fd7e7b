"""Rotating queries and keys beside Llama's own code in `transformers`, and beside the speed of copying them.

Two conditions, because on a CPU they are different worlds. Fresh: every call allocates its results, and the kernel
hands out their pages one by one. Reused: results go to memory that is there already, as in a training loop with a
caching allocator. The limit of the first is `clone`, of the second `copy_`.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from .rope import half_from_interleaved
from .rotary import Rotary

PEER = "Llama in transformers"
LIMITS = {"fresh": "clone", "reused": "copy_"}


@dataclass(frozen=True)
class Shape:
    """Batch, heads, tokens, width of a head; how often to time, and whether to measure memory."""

    batch: int = 8
    heads: int = 32
    tokens: int = 2048
    width: int = 128
    repeats: int = 7
    memory: bool = True  # a process of its own for each contender

    @property
    def size(self) -> tuple[int, int, int, int]:
        return self.batch, self.heads, self.tokens, self.width

    @property
    def moved(self) -> int:
        """Bytes that must move: queries and keys read once and written once, in float32."""
        return 4 * 4 * self.batch * self.heads * self.tokens * self.width


QUICK = Shape(2, 4, 256, 64, repeats=3, memory=False)


def inputs(shape: Shape, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Queries and keys."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape.size, generator=g), torch.randn(shape.size, generator=g)


def contenders(shape: Shape) -> dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    """What is timed: each takes q and k and returns fresh results. Tables are made beforehand, for all alike."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    half, interleaved = (Rotary(shape.tokens, shape.width, layout=layout) for layout in ("half", "interleaved"))
    cos, sin = (torch.cat((t, t), dim=-1)[None] for t in (half.cos, half.sin))
    return {
        PEER: lambda q, k: apply_rotary_pos_emb(q, k, cos, sin),
        "ours, half": lambda q, k: (half(q), half(k)),
        "ours, interleaved": lambda q, k: (interleaved(q), interleaved(k)),
        "clone": lambda q, k: (q.clone(), k.clone()),
    }


def reusing(shape: Shape, out: tuple[Tensor, Tensor]) -> dict[str, Callable[[Tensor, Tensor], None]]:
    """The same into memory that is there already."""
    half, interleaved = (Rotary(shape.tokens, shape.width, layout=layout) for layout in ("half", "interleaved"))
    return {
        "ours, half": lambda q, k: (half(q, out=out[0]), half(k, out=out[1])),
        "ours, interleaved": lambda q, k: (interleaved(q, out=out[0]), interleaved(k, out=out[1])),
        "copy_": lambda q, k: (out[0].copy_(q), out[1].copy_(k)),
    }


def differences(shape: Shape) -> dict[str, float]:
    """Largest difference from the peer; for the interleaved layout after the permutation, as a checkpoint would be."""
    q, k = inputs(shape)
    run, order = contenders(shape), half_from_interleaved(shape.width)
    theirs = run[PEER](q, k)
    found = {"ours, half": max_difference(run["ours, half"](q, k), theirs)}
    back = order.argsort()
    turned = run["ours, interleaved"](q[..., back].contiguous(), k[..., back].contiguous())
    found["ours, interleaved"] = max_difference(tuple(x[..., order] for x in turned), theirs)
    return found


def max_difference(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))


def alternate(run: dict[str, Callable], q: Tensor, k: Tensor, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each, in turns, after one warm-up of each."""
    seconds: dict[str, list[float]] = {name: [] for name in run}
    for turn in range(repeats + 1):
        for name, function in run.items():
            start = time.process_time()
            function(q, k)
            if turn:
                seconds[name].append(time.process_time() - start)
    return seconds


def peak_memory(name: str, shape: Shape) -> int:
    """Bytes that one call needs beyond its inputs, from the peak of this process: run it in a process of its own."""
    torch.set_num_threads(1)
    function, (q, k) = contenders(shape)[name], inputs(shape)
    function(q[:1, :1], k[:1, :1])  # whatever is loaded on first use
    before = peak_resident()
    function(q, k)
    return peak_resident() - before


def peak_resident() -> int:
    """Peak resident memory of this process in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


def in_own_process(name: str, shape: Shape) -> int:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak_memory, name, shape).result()


def bench(shape: Shape, seed: int = 0, say: Callable[[str], None] = print) -> dict:
    """Correctness, memory, then time. Raises ImportError if `transformers` is missing."""
    torch.set_num_threads(1)
    small = differences(QUICK)
    if max(small.values()) > 1e-5:
        raise AssertionError(f"not the same rotation as the peer's: {small}")
    memory = {name: in_own_process(name, shape) for name in contenders(QUICK)} if shape.memory else {}
    say("equal results; timing")
    q, k = inputs(shape, seed)
    fresh = alternate(contenders(shape), q, k, shape.repeats)
    out = torch.empty_like(q), torch.empty_like(k)
    reused = alternate(reusing(shape, out), q, k, shape.repeats)
    return {
        "shape": list(shape.size),
        "moved": shape.moved,
        "difference": small,
        "memory": memory,
        "fresh": {name: spread(times) for name, times in fresh.items()},
        "reused": {name: spread(times) for name, times in reused.items()},
    }


def spread(times: list[float]) -> dict:
    """Median and range in CPU seconds."""
    return {"median": statistics.median(times), "low": min(times), "high": max(times), "repeats": len(times)}
