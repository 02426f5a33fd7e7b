"""Ours beside `transformers`, alternating in one run, at GPT-2's vocabulary. Correctness comes first."""

import argparse
import time
from collections.abc import Callable

import torch

from .. import warpers
from ..warpers_fast import top_p_fast, warp_fast

V = 50_257
SCALES = {"peaked": (4.0, 6.0), "flat": (2.0, 2.0)}  # standard deviation of the logits, the least and the most
P, TEMPERATURE, K, FUSED_P = 0.9, 0.8, 50, 0.95


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds a call, for batches of 1 and 32.

    Raises:
        ValueError: a kept set is not that of `transformers`.
    """
    content = {"vocabulary": V, "cases": {}}
    for kind in SCALES:
        for batch in (1, 4) if options.quick else (1, 32):
            logits, times = rows(kind, batch, options.seed), {}
            kept = (warpers.top_p(logits, P) > -torch.inf).sum(-1).tolist()
            calls = contenders(logits)
            check(calls)
            repeats = 2 if options.quick else (40 if batch == 1 else 12)
            for repeat in range(repeats + 2):
                log(f"{kind}, batch {batch}, repeat {repeat}")
                for name, call in calls.items():
                    start = time.perf_counter()
                    call()
                    if repeat > 1:
                        times.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
            content["cases"][f"{kind}, batch {batch}"] = {"kept": sorted(kept), "milliseconds": times}
    content["goals"] = goals(content["cases"])
    return content


def rows(kind: str, batch: int, seed: int) -> torch.Tensor:
    """Normal logits, each row with a standard deviation of its own."""
    low, high = SCALES[kind]
    generator = torch.Generator().manual_seed(seed)
    scale = low + (high - low) * torch.rand(batch, 1, generator=generator)
    return scale * torch.randn(batch, V, generator=generator)


def contenders(logits: torch.Tensor) -> dict[str, Callable[[], torch.Tensor]]:
    """Both jobs by `transformers`, by the plain form and by the fast one; one read of the logits is the limit."""
    from transformers.generation import logits_process as hf

    nucleus = hf.TopPLogitsWarper(P)
    chain = [hf.TemperatureLogitsWarper(TEMPERATURE), hf.TopKLogitsWarper(K), hf.TopPLogitsWarper(FUSED_P)]

    def hf_chain():
        out = logits
        for step in chain:
            out = step(None, out)
        return out

    def plain_chain():
        return warpers.top_p(warpers.top_k(warpers.temperature(logits, TEMPERATURE), K), FUSED_P)

    return {
        "top-p: transformers": lambda: nucleus(None, logits),
        "top-p: plain": lambda: warpers.top_p(logits, P),
        "top-p: fast": lambda: top_p_fast(logits, P),
        "T + top-k + top-p: transformers": hf_chain,
        "T + top-k + top-p: plain": plain_chain,
        "T + top-k + top-p: fast": lambda: warp_fast(logits, TEMPERATURE, K, FUSED_P),
        "limit: one read of the logits": lambda: logits.sum(),
    }


def check(calls: dict[str, Callable[[], torch.Tensor]]) -> None:
    """Raises ValueError unless all three forms of each job keep the same tokens."""
    for job in ("top-p", "T + top-k + top-p"):
        want = calls[f"{job}: transformers"]() > -torch.inf
        for form in ("plain", "fast"):
            if not torch.equal(calls[f"{job}: {form}"]() > -torch.inf, want):
                raise ValueError(f"{job}, {form}: keeps other tokens than transformers does")


def goals(cases: dict) -> list[dict]:
    """At least ten times as fast as `transformers` on peaked rows."""
    from statistics import median

    found = []
    for name, case in cases.items():
        if not name.startswith("peaked"):
            continue
        for job in ("top-p", "T + top-k + top-p"):
            ours, theirs = (median(case["milliseconds"][f"{job}: {form}"]) for form in ("fast", "transformers"))
            found.append({"goal": f"{job}, {name}", "wanted": 10.0, "got": theirs / ours})
    return found
