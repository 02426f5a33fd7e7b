"""Ours beside PyTorch, alternating in one run: one decode step, 32 query and 4 key/value heads, 4,096 tokens."""

import argparse
import itertools
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F

from ..grouped import grouped_attention
from ..grouped_fast import decode_attention
from .bandwidth import measure_bandwidth

HEADS, KV_HEADS, HEAD_DIM, CONTEXT = 32, 4, 64, 4096
FAST, PLAIN = "grouped_fast.py", "grouped.py"
PEER, REPEAT, MHA = "SDPA, enable_gqa", "repeat_interleave, SDPA", "MHA, 32 key/value heads"
WANTED = {PEER: 2.0, REPEAT: 30.0}
STATES = ("cache", "memory")  # where the keys and values lie before the call
WARM_UP = 4  # calls just before the one that is timed, so that none profits from its neighbour in the list
OTHER_BYTES = 96 * 2**20  # read between two calls; more than the processor's cache holds


def contenders(seed: int, context: int) -> dict[str, Callable]:
    """The calls; all but the last have the same inputs."""
    generator = torch.Generator().manual_seed(seed)
    R = HEADS // KV_HEADS
    q = torch.randn(1, KV_HEADS, R, 1, HEAD_DIM, generator=generator)
    k, v = (torch.randn(1, KV_HEADS, context, HEAD_DIM, generator=generator) for _ in range(2))
    flat, newest = q.flatten(1, 2), q[:, :, :, 0]
    own_k, own_v = (torch.randn(1, HEADS, context, HEAD_DIM, generator=generator) for _ in range(2))
    own_q = flat[:, :, 0, None]  # 32 groups of one head
    return {
        FAST: lambda: decode_attention(newest, k, v).flatten(1, 2),
        PLAIN: lambda: grouped_attention(q, k, v).flatten(1, 2)[:, :, 0],
        PEER: lambda: F.scaled_dot_product_attention(flat, k, v, enable_gqa=True)[:, :, 0],
        REPEAT: lambda: F.scaled_dot_product_attention(
            flat, k.repeat_interleave(R, dim=1), v.repeat_interleave(R, dim=1)
        )[:, :, 0],
        MHA: lambda: decode_attention(own_q, own_k, own_v),
    }


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds of all contenders, in turn, with the keys and values in the processor's cache and in memory.

    Raises:
        ValueError: the sides do not agree.
    """
    context, repeats = (256, 3) if options.quick else (CONTEXT, 60)
    calls = contenders(options.seed, context)
    with torch.no_grad():
        want = calls[PEER]()
        errors = {name: float((call() - want).abs().max()) for name, call in calls.items() if name != MHA}
        if max(errors.values()) > 1e-5:
            raise ValueError(f"errors={errors}: the sides must agree before they are timed")
        buffer = torch.ones(OTHER_BYTES // 4)
        times = {state: {name: [] for name in calls} for state in STATES}
        for repeat in range(repeats):
            log(f"repeat {repeat + 1} of {repeats}")
            for state, name in itertools.product(STATES, calls):
                if state == "memory":
                    buffer.sum()  # as the other layers of a model do: nothing of this layer is left in the cache
                else:
                    for _ in range(WARM_UP):
                        calls[name]()
                times[state][name].append(milliseconds(calls[name]))
    size = 2 * KV_HEADS * context * HEAD_DIM * 4
    found = {"context": context, "bytes": size, "errors": errors, "milliseconds": times}
    found["bandwidth"] = {"memory": measure_bandwidth(16 if options.quick else 256)}
    found["bandwidth"]["cache"] = measure_bandwidth(8, 50)
    return found | summary_of(found)


def milliseconds(call: Callable) -> float:
    """The time of one call."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def summary_of(found: dict) -> dict:
    """Ratios to ours, and the share of the bandwidth that ours reaches, by where the keys and values lie."""
    ratio, share = {}, {}
    for state, times in found["milliseconds"].items():
        ours = median(times[FAST])
        ratio[state] = {name: median(values) / ours for name, values in times.items()}
        share[state] = 1e3 * found["bytes"] / found["bandwidth"][state] / ours
    return {"ratio": ratio, "share": share}
