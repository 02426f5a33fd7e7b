"""Seconds of every generated token, with and without a cache, and what the curves of the two say.

`runs[r][i]` is the time of the step that makes token `prompt_len + i` in repeat r.
"""

import math
import time
from collections.abc import Callable
from statistics import median

import torch
from jaxtyping import Int
from torch import Tensor

from ..cache import StaticCache
from ..cost import decode_flops, forward_flops, matmul_tokens
from ..model import GPT
from ..serving import decode, prefill
from .threads import threads as set_threads

LENGTHS = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
Log = Callable[[str], None]


def measure(model: GPT, prompt: Int[Tensor, "1 T"], longest: int, repeats: int, threads: int, work_of: int, log: Log):
    """Time every step from the prompt to `longest` tokens, with and without a cache, alternating.

    Returns, at a grid of lengths, the time per token (median of the steps before it, in each repeat), the time since
    the start, and the FLOPs of both; and the work of the first `work_of` tokens.
    """
    prompt_len = prompt.shape[1]
    new = longest - prompt_len
    runs = {"with": [], "without": []}
    with set_threads(threads):
        for repeat in range(1, repeats + 1):
            log(f"timing, repeat {repeat} of {repeats}")
            runs["with"].append(steps_with_cache(model, prompt, new))
            runs["without"].append(steps_without_cache(model, prompt, new, log))
    flops = flops_of_steps(model, prompt_len, longest)
    lengths = [n for n in LENGTHS if prompt_len < n <= longest]
    out = {"prompt_len": prompt_len, "lengths": lengths, "threads": threads, "repeats": repeats}
    out |= {name: curves(runs[name], flops[name], lengths, prompt_len) for name in runs}
    return out | {"work": work(runs, flops, min(work_of, new), prompt_len)}


def steps_with_cache(model: GPT, prompt: Int[Tensor, "1 T"], new: int) -> list[float]:
    """Seconds per new token. The first is the prefill, each later one a single decode step."""
    cache = StaticCache(model.config, 1, prompt.shape[1] + new)
    prefill(model, prompt, cache)  # warm-up: the first touch of the memory is not the cache's work
    start = time.perf_counter()
    token = prefill(model, prompt, cache).argmax(dim=-1)
    seconds = [time.perf_counter() - start]
    for _ in range(new - 1):
        start = time.perf_counter()
        token = decode(model, token, cache).argmax(dim=-1)
        seconds.append(time.perf_counter() - start)
    return seconds


@torch.no_grad()
def steps_without_cache(model: GPT, prompt: Int[Tensor, "1 T"], new: int, log: Log) -> list[float]:
    """Seconds per new token when each is computed from the whole sequence."""
    tokens, seconds = prompt, []
    for n in range(new):
        start = time.perf_counter()
        token = model(tokens, last_only=True)[:, -1].argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, token], dim=1)
        seconds.append(time.perf_counter() - start)
        if n % 32 == 31:
            log(f"without a cache: token {n + 1} of {new}, {seconds[-1] * 1e3:.1f} ms each")
    return seconds


def flops_of_steps(model: GPT, prompt_len: int, longest: int) -> dict[str, list[int]]:
    """FLOPs of each step by formula. The last token is not fed."""
    config = model.config
    first = forward_flops(config, prompt_len, last_only=True)
    return {
        "with": [first, *(decode_flops(config, n) for n in range(prompt_len, longest - 1))],
        "without": [forward_flops(config, n, last_only=True) for n in range(prompt_len, longest)],
    }


def curves(runs: list[list[float]], flops: list[int], lengths: list[int], prompt_len: int) -> dict:
    """At each length: time of a token, time so far, and the FLOPs of both."""
    steps = [n - prompt_len for n in lengths]  # steps done when there are n tokens
    total = [[sum(run[:i]) for run in runs] for i in steps]
    total_flops = [sum(flops[:i]) for i in steps]
    return {
        "per_token": [[median(run[max(1, i - 9) : i]) for run in runs] for i in steps],  # step 0 is a prefill
        "total": total,
        "flops_per_token": [flops[i - 1] for i in steps],
        "total_flops": total_flops,
        "slope": slopes(lengths, [median(values) for values in total], total_flops),
    }


def slopes(lengths: list[int], total: list[float], total_flops: list[int]) -> dict:
    """The slopes of time and work over the last quarter of the lengths."""
    first = next(i for i, n in enumerate(lengths) if n >= lengths[-1] / 4)
    x = lengths[first:]
    return {"total": slope(x, total[first:]), "total_flops": slope(x, total_flops[first:]), "from": x[0]}


def slope(x: list, y: list) -> float:
    """The exponent p of y ≈ c·xᵖ, by least squares on the logarithms."""
    log_x, log_y = [math.log(v) for v in x], [math.log(v) for v in y]
    mean_x, mean_y = sum(log_x) / len(x), sum(log_y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(log_x, log_y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in log_x)


def work(runs: dict[str, list], flops: dict[str, list[int]], new: int, prompt_len: int) -> dict:
    """Two numbers that are easily confused: the work avoided, and the time gained."""
    tokens = matmul_tokens(prompt_len, new)
    seconds = [median(sum(run[:new]) for run in runs[name]) for name in ("without", "with")]
    work = [sum(flops[name][:new]) for name in ("without", "with")]
    return {
        "prompt_len": prompt_len,
        "max_new_tokens": new,
        "matmul_tokens": list(tokens),
        "matmul_token_ratio": tokens[0] / tokens[1],
        "flops": work,
        "flop_ratio": work[0] / work[1],
        "seconds": seconds,
        "time_ratio": seconds[0] / seconds[1],
        "gflops_per_second": [f / s / 1e9 for f, s in zip(work, seconds, strict=True)],
    }
