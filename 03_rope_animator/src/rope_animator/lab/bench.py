"""Rotating queries and keys: ours beside Llama's code in `transformers`, and beside the speed of copying them.

There are two conditions, because on a CPU they differ by a factor of seven. Fresh: every call allocates its results,
and the kernel hands out their pages one by one. Reused: results go to memory that exists already, as in a training
loop with a caching allocator. The limit of the first is `clone`, of the second `copy_`.
"""

import argparse
import importlib
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

from ..rope import LAYOUTS, half_from_interleaved
from ..rope_fast import RotaryEmbedding

PEER = "Llama in transformers"
LIMITS = {"fresh": "clone", "reused": "copy_"}
Contenders = dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]


@dataclass(frozen=True)
class Shape:
    """Shape of q and of k; how often to time, and whether to measure memory."""

    batch_size: int = 8
    num_heads: int = 32
    seq_len: int = 2048
    head_dim: int = 128
    repeats: int = 7
    memory: bool = True  # in a process of its own for each contender

    @property
    def size(self) -> tuple[int, int, int, int]:
        return self.batch_size, self.num_heads, self.seq_len, self.head_dim

    @property
    def bytes_moved(self) -> int:
        """Bytes that must move: float32 queries and keys, read once and written once."""
        return 4 * 4 * self.batch_size * self.num_heads * self.seq_len * self.head_dim


QUICK = Shape(2, 4, 256, 64, repeats=3, memory=False)


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Correctness, then memory, then time. Raises ImportError if `transformers` is missing."""
    torch.set_num_threads(1)
    shape = QUICK if options.quick else Shape()
    log("comparing the results with the peer's")
    difference = max_difference()
    log("measuring memory")
    peak = {name: in_own_process(name, shape) for name in contenders(QUICK)} if shape.memory else {}
    log("timing")
    q, k = inputs(shape, options.seed)
    fresh = alternate(contenders(shape), q, k, shape.repeats)
    out = torch.empty_like(q), torch.empty_like(k)
    reused = alternate(contenders_with_memory(shape, out), q, k, shape.repeats)
    return {
        "seeds": [options.seed],
        "threads": 1,
        "shape": list(shape.size),
        "bytes_moved": shape.bytes_moved,
        "max_difference": difference,
        "peak_bytes": peak,
        "fresh": {name: spread(seconds) for name, seconds in fresh.items()},
        "reused": {name: spread(seconds) for name, seconds in reused.items()},
    }


def inputs(shape: Shape, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Queries and keys."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape.size, generator=generator), torch.randn(shape.size, generator=generator)


def embeddings(shape: Shape) -> dict[str, RotaryEmbedding]:
    """Ours, by the name under which they are reported."""
    return {f"ours, {layout}": RotaryEmbedding(shape.head_dim, shape.seq_len, layout=layout) for layout in LAYOUTS}


def contenders(shape: Shape) -> Contenders:
    """Each takes q and k and returns fresh results. The tables are made beforehand, for all of them."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    ours = embeddings(shape)
    table = ours["ours, half"]
    cos = torch.cat((table.cos, table.cos), dim=-1)[None]  # 1 T D
    sin = torch.cat((table.sin, table.sin), dim=-1)[None]
    functions: Contenders = {PEER: lambda q, k: apply_rotary_pos_emb(q, k, cos, sin)}
    for name, rotary in ours.items():
        functions[name] = lambda q, k, rotary=rotary: (rotary(q), rotary(k))
    functions["clone"] = lambda q, k: (q.clone(), k.clone())
    return functions


def contenders_with_memory(shape: Shape, out: tuple[Tensor, Tensor]) -> Contenders:
    """The same, with results in memory that exists already."""
    functions: Contenders = {}
    for name, rotary in embeddings(shape).items():
        functions[name] = lambda q, k, rotary=rotary: (rotary(q, out=out[0]), rotary(k, out=out[1]))
    functions["copy_"] = lambda q, k: (out[0].copy_(q), out[1].copy_(k))
    return functions


def max_difference(shape: Shape = QUICK) -> dict[str, float]:
    """Largest difference from the peer, at a small shape. Raises RuntimeError above 1e-5.

    In the interleaved layout q and k are permuted first, as a checkpoint would be.
    """
    q, k = inputs(shape)
    functions, order = contenders(shape), half_from_interleaved(shape.head_dim)
    theirs = functions[PEER](q, k)
    back = order.argsort()
    half = functions["ours, half"](q, k)
    interleaved = functions["ours, interleaved"](q[..., back].contiguous(), k[..., back].contiguous())
    ours = {"ours, half": half, "ours, interleaved": tuple(x[..., order] for x in interleaved)}
    largest = {
        name: max((a - b).abs().max().item() for a, b in zip(results, theirs, strict=True))
        for name, results in ours.items()
    }
    if max(largest.values()) > 1e-5:
        raise RuntimeError(f"these results are not the peer's, so no time is measured: {largest}")
    return largest


def alternate(functions: Contenders, q: Tensor, k: Tensor, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each function, one after the other in every round, after one warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(repeats + 1):
        for name, function in functions.items():
            start = time.process_time()
            function(q, k)
            elapsed = time.process_time() - start
            if round_ > 0:
                seconds[name].append(elapsed)
    return seconds


def spread(seconds: list[float]) -> dict:
    """Median and range in CPU seconds."""
    return {
        "median": statistics.median(seconds),
        "low": min(seconds),
        "high": max(seconds),
        "repeats": len(seconds),
    }


# ---------------------------------------------------------------- memory


def in_own_process(name: str, shape: Shape) -> int:
    """`peak_bytes` in a process that has done nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak_bytes, name, shape).result()


def peak_bytes(name: str, shape: Shape) -> int:
    """Bytes that one call needs beyond its inputs, from the peak of this process."""
    torch.set_num_threads(1)
    function, (q, k) = contenders(shape)[name], inputs(shape)
    function(q[:1, :1], k[:1, :1])  # loads whatever is loaded on first use
    before = peak_resident()
    function(q, k)
    return peak_resident() - before


def peak_resident() -> int:
    """Peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    if sys.platform == "win32":
        return importlib.import_module("psutil").Process().memory_info().peak_wset
    resource = importlib.import_module("resource")  # Windows has none
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
