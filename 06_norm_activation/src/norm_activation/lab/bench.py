"""Norms beside PyTorch's, alternating in one run: 4,096 rows of 768, forward and backward. Correctness comes first."""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F

from ..layer_norm import layer_norm
from ..norms_fast import layer_norm_fast, rms_norm_fast
from ..rms_norm import rms_norm

Log = Callable[[str], None]
SHAPES = {"out of cache": (4096, 768), "in cache": (256, 768)}
CONTENDERS = {
    "F.rms_norm": lambda x, w, b: F.rms_norm(x, x.shape[-1:], w, 1e-6),
    "RMSNorm, plain": lambda x, w, b: rms_norm(x, w),
    "RMSNorm, by hand": lambda x, w, b: rms_norm_fast(x, w),
    "F.layer_norm": lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b),
    "LayerNorm, plain": lambda x, w, b: layer_norm(x, w, b),
    "LayerNorm, by hand": lambda x, w, b: layer_norm_fast(x, w, b),
}


def bench(options: argparse.Namespace, log: Log) -> dict:
    """CPU milliseconds of one forward and backward pass of each contender."""
    times, errors = {}, {}
    for where, shape in SHAPES.items():
        rows = shape[0] // 8 if options.quick else shape[0]
        repeats = 3 if options.quick else (40 if rows > 1000 else 200)
        inputs = make(rows, shape[1], options.seed)
        errors[where] = check(*inputs)
        times[where] = race(*inputs, repeats, lambda line, where=where: log(f"{where}, {line}"))
    bandwidth = measure_bandwidth()
    return {
        "shapes": SHAPES,
        "milliseconds": times,
        "errors": errors,
        "bandwidth": bandwidth,
        "limit": 5 * 4096 * 768 * 4 / bandwidth / 2**30 * 1e3,
        "ratios": ratios(times),
    }


def make(rows: int, width: int, seed: int) -> tuple:
    """x, weight, bias and dy."""
    generator = torch.Generator().manual_seed(seed)
    x, dy = (torch.randn(rows, width, generator=generator) for _ in range(2))
    weight, bias = (torch.randn(width, generator=generator) for _ in range(2))
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), dy


def run(name: str, x, weight, bias, dy) -> tuple:
    """(output, dx, dweight) of a contender."""
    x.grad = weight.grad = bias.grad = None
    y = CONTENDERS[name](x, weight, bias)
    y.backward(dy)
    return y, x.grad, weight.grad


def check(x, weight, bias, dy) -> dict[str, float]:
    """The largest difference to PyTorch, relative to the largest entry. Raises ValueError above 1e-5."""
    errors = {}
    for name in CONTENDERS:
        want = run("F.rms_norm" if "RMS" in name or "rms" in name else "F.layer_norm", x, weight, bias, dy)
        got = run(name, x, weight, bias, dy)
        pairs = zip(got, want, strict=True)
        errors[name] = max(float(((g - w).abs().max() / w.abs().max()).detach()) for g, w in pairs)
        if errors[name] > 1e-5:
            raise ValueError(f"{name}: error={errors[name]}; values must agree before anything is timed")
    return errors


def race(x, weight, bias, dy, repeats: int, log: Log) -> dict[str, list[float]]:
    """Alternating: whatever else the machine does slows all of them. The first round is warm-up."""
    times = {name: [] for name in CONTENDERS}
    for repeat in range(repeats + 1):
        log(f"round {repeat} of {repeats}")
        for name in CONTENDERS:
            start = time.process_time()
            run(name, x, weight, bias, dy)
            times[name].append(1e3 * (time.process_time() - start))
    return {name: values[1:] for name, values in times.items()}


def measure_bandwidth(repeats: int = 7) -> float:
    """GiB/s of a copy that does not fit into the cache, read and written bytes counted."""
    source = torch.ones(2**25)
    target, best = torch.empty_like(source), 0.0
    for _ in range(repeats):
        start = time.process_time()
        target.copy_(source)
        best = max(best, 2 * source.nbytes / 2**30 / (time.process_time() - start))
    return best


def ratios(times: dict) -> dict[str, list[float]]:
    """The peer's time over ours, round by round."""
    found = {}
    for where, by_name in times.items():
        for ours, peer in (("RMSNorm, by hand", "F.rms_norm"), ("LayerNorm, by hand", "F.layer_norm")):
            pairs = zip(by_name[peer], by_name[ours], strict=True)
            found[f"{ours}, {where}"] = [p / o for p, o in pairs]
        found[f"F.rms_norm ÷ RMSNorm, plain, {where}"] = [
            median(by_name["F.rms_norm"]) / median(by_name["RMSNorm, plain"])
        ]
    return found
