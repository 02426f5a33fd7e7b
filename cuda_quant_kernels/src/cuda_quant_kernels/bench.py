"""The kernels on a GPU, beside torch and a plain copy: validated, timed with events, validated again.

The ceilings are measured on the spot: a large copy for bandwidth, torch._int_mm for int8 products. Buffers rotate among
enough sets to be several times the L2 cache, so that no run finds its inputs there. Nothing is timed on zeros.
"""

from collections.abc import Callable
from statistics import median

import torch

from .bench_cases import Case, add_cases, quantize_cases, w4a16_cases, w8a8_cases

WARM_UP, REPEATS = 5, 30
GOALS = {
    "add": 0.90,
    "quantize given": 0.90,
    "quantize row": 0.85,
    "quantize tensor": 0.85,
    "quantize group": 0.85,
    "dequantize group": 0.85,
    "w4a16": 0.80,
    "w8a8 mma": 0.60,
    "w8a8 triton": 0.85,
    "w8a8 wgmma": 0.85,
}


def timed(case: Case, repeats: int) -> list[float]:
    """Seconds of each call, by events around it. Raises RuntimeError if the result is wrong before or after."""

    def validate(when: str) -> None:
        if not case.right(case.call(0)):
            raise RuntimeError(f"{case.name} is wrong {when} it is timed: no time of it means anything")

    validate("before")
    for i in range(WARM_UP):
        case.call(i % case.sets)
    seconds = []
    for i in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        case.call(i % case.sets)
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    validate("after")
    return seconds


def goal_of(name: str) -> float | None:
    return next(
        (
            goal
            for start, goal in GOALS.items()
            if name == start or name.startswith(start + " 16") or name == start + " tensor core, M = 1"
        ),
        None,
    )


def bench(seed: int, quick: bool, say: Callable[[str], None]) -> dict | None:
    """Times of every kernel and its peers, in the share of the ceilings measured here; None where there is no GPU."""
    if not torch.cuda.is_available():
        say(
            "no CUDA device here: nothing is timed and nothing is written. The tracer's counts need none: "
            "python -m cuda_quant_kernels"
        )
        return None
    g = torch.Generator("cuda").manual_seed(seed)
    scale, repeats, rows, ceilings = 8 if quick else 1, 10 if quick else REPEATS, [], {}
    for family in (add_cases, quantize_cases, w8a8_cases, w4a16_cases):
        cases = family(g, scale)
        measured = {}
        for case in cases:
            say(case.name)
            measured[case.name] = timed(case, repeats)
        for case in cases:
            if case.name in ("copy", "torch._int_mm"):
                ceilings[case.unit] = case.work / median(measured[case.name])
        rows += [_row(case, measured[case.name], ceilings) for case in cases]
        del cases
        torch.cuda.empty_cache()
    return {"device": torch.cuda.get_device_name(), "ceilings": ceilings, "rows": rows, "repeats": repeats}


def _row(case: Case, seconds: list[float], ceilings: dict[str, float]) -> dict:
    rate = case.work / median(seconds)
    return {
        "kernel": case.name,
        "median_us": median(seconds) * 1e6,
        "low_us": min(seconds) * 1e6,
        "high_us": max(seconds) * 1e6,
        "unit": case.unit,
        "rate": rate,
        "of_ceiling": rate / ceilings[case.unit],
        "goal": goal_of(case.name),
    }
