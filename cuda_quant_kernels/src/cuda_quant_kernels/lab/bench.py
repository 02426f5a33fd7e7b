"""The kernels on a GPU, beside torch and a plain copy: validated, timed with events, validated again.

The ceilings are measured on the spot: a large copy for bandwidth, torch._int_mm for int8 products. Buffers rotate among
enough sets to be several times the L2 cache, so that no run finds its inputs there. Nothing is timed on zeros. All
calls of a case are queued while the GPU is kept busy, then run back to back: Python's own time is in none of them.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from statistics import median

import torch

from .bench_cases import FULL, QUICK, Case, add_cases, quantize_cases, w4a16_cases, w8a8_cases
from .on_cpu.toolchain import nvcc, version

WARM_UP, REPEATS, FEWEST = 3, 30, 5
SECONDS = 2.0            # for one case: the slowest kernels are repeated less often
CYCLES = 2e9             # no GPU has more of them in a second
# Of the measured ceiling; and times as fast as the peer, where the goal is that.
GOALS = {
    "add 16 bytes": 0.90,
    "quantize given": 0.90,
    "quantize row": 0.85,
    "quantize tensor": 0.85,
    "quantize group": 0.85,
    "dequantize group": 0.85,
    "w4a16 tensor core, M = 1": 0.80,
    "w8a8 mma": 0.60,
    "w8a8 triton": 0.85,
    "w8a8 wgmma": 0.85,
}
CEILINGS = ("copy", "torch._int_mm")
FASTER = {"w4a16 tensor core, M = 1": 3.3}


def timed(case: Case, repeats: int) -> list[float]:
    """Seconds of each call, by events around it. Raises RuntimeError if the result is wrong before or after."""
    _validate(case, "before")
    queued, all_in_all = _warm_up(case)
    repeats = max(FEWEST, min(repeats, int(SECONDS / all_in_all)))
    torch.cuda._sleep(int(CYCLES * 2 * repeats * queued))
    marks = []
    for i in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        case.call(i % case.sets)
        end.record()
        marks.append((start, end))
    torch.cuda.synchronize()
    _validate(case, "after")
    return [start.elapsed_time(end) / 1e3 for start, end in marks]


def _validate(case: Case, when: str) -> None:
    if not case.right(case.call(0)):
        raise RuntimeError(f"{case.name} is wrong {when} it is timed: no time of it means anything")


def _warm_up(case: Case) -> tuple[float, float]:
    """Seconds that Python takes to queue a call, and that a call takes in all."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for i in range(WARM_UP):
        case.call(i % case.sets)
    queued = time.perf_counter() - start
    torch.cuda.synchronize()
    return queued / WARM_UP, (time.perf_counter() - start) / WARM_UP


def bench(seed: int, quick: bool, say: Callable[[str], None]) -> dict | None:
    """Times of every kernel and its peers, in the share of the ceilings measured here; None where there is no GPU."""
    if not torch.cuda.is_available():
        say(
            "no CUDA device here: nothing is timed and nothing is written. The tracer's counts need none: "
            "python -m cuda_quant_kernels"
        )
        return None
    g = torch.Generator("cuda").manual_seed(seed)
    sizes, rows, ceilings, not_timed = QUICK if quick else FULL, [], {}, {}
    for family in (add_cases, quantize_cases, w8a8_cases, w4a16_cases):
        cases = family(g, sizes)
        measured, refused = measure(cases, say)
        for case in cases:
            if case.name in CEILINGS:
                ceilings[case.unit] = case.work / median(measured[case.name])
        rows += [_row(case, measured, ceilings) for case in cases if case.name in measured]
        not_timed |= refused
        del cases
        torch.cuda.empty_cache()
    return {"device": device(), "ceilings": ceilings, "rows": rows, "not_timed": not_timed, "sizes": asdict(sizes)}


def measure(cases: list[Case], say: Callable[[str], None]) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds of the calls of each case; and of each that is wrong or fails, why.

    One case does not stop the others, but for the two ceilings, in shares of which the rest is told: their errors are
    raised.
    """
    measured, refused = {}, {}
    for case in cases:
        say(case.name)
        try:
            measured[case.name] = timed(case, REPEATS)
        except Exception as error:      # a peer's compiler, a launch: whatever it is, it is reported
            if case.name in CEILINGS:
                raise
            refused[case.name] = (str(error).strip() or type(error).__name__).splitlines()[0]
            say(f"not timed: {refused[case.name]}")
    return measured, refused


def device() -> str:
    """The GPU, its driver, and the CUDA that torch and the kernels were built with."""
    driver = ""
    if tool := shutil.which("nvidia-smi"):
        query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True).stdout.split("\n")[0]
    compiler = nvcc()
    release = re.search(r"release ([\d.]+)", version(compiler)) if compiler else None
    return (
        f"{torch.cuda.get_device_name()}, driver {driver or 'unknown'}, "
        f"CUDA {torch.version.cuda} (torch) and {release[1] if release else 'unknown'} (nvcc)"
    )


def _row(case: Case, measured: dict[str, list[float]], ceilings: dict[str, float]) -> dict:
    seconds = measured[case.name]
    rate = case.work / median(seconds)
    return {
        "kernel": case.name,
        "repeats": len(seconds),
        "median_us": median(seconds) * 1e6,
        "low_us": min(seconds) * 1e6,
        "high_us": max(seconds) * 1e6,
        "unit": case.unit,
        "rate": rate,
        "of_ceiling": rate / ceilings[case.unit],
        "goal": GOALS.get(case.name),
        "peer": case.peer,
        "faster": median(measured[case.peer]) / median(seconds) if case.peer in measured else None,
        "goal_faster": FASTER.get(case.name),
    }
