"""The kernels on a GPU, beside torch and a plain copy: validated, timed with events, validated again.

The ceilings are measured in the same run: a large copy for bandwidth, torch._int_mm for the int8 GEMM. Buffers rotate
among sets that are several times the L2 cache, so no run finds its inputs there. Nothing is timed on zeros. All calls
of a case are queued while the GPU is busy, then run back to back, so Python's own time is in none of them.
"""

import argparse
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from statistics import median

import torch

from ..on_cpu.toolchain import nvcc, version
from .bench_cases import FULL, QUICK, Case, add_cases, quantize_cases, w4a16_cases, w8a8_cases
from .experiment import GOALS

Log = Callable[[str], None]

WARM_UP, REPEATS, MIN_REPEATS = 3, 30, 5
SECONDS = 2.0  # for one case: the slowest kernels are repeated less often
CYCLES = 2e9  # a second has fewer on any GPU
CEILINGS = ("copy", "torch._int_mm")
SPEEDUP_GOALS = {"w4a16 tensor_core, M = 1": 3.3}


def timed(case: Case, repeats: int) -> list[float]:
    """Seconds of each call, by events around it.

    Raises:
        RuntimeError: the result is wrong before or after.
    """
    _validate(case, "before")
    queue_seconds, call_seconds = _warm_up(case)
    repeats = max(MIN_REPEATS, min(repeats, int(SECONDS / call_seconds)))
    torch.cuda._sleep(int(CYCLES * 2 * repeats * queue_seconds))  # the GPU waits until all calls are queued
    events = []
    for i in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        case.call(i % case.sets)
        end.record()
        events.append((start, end))
    torch.cuda.synchronize()
    _validate(case, "after")
    return [start.elapsed_time(end) / 1e3 for start, end in events]


def _validate(case: Case, when: str) -> None:
    if not case.is_right(case.call(0)):
        raise RuntimeError(f"{case.name}: wrong {when} it is timed, so its time means nothing; run the tests")


def _warm_up(case: Case) -> tuple[float, float]:
    """Seconds that Python takes to queue a call, and that a call takes in total."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for i in range(WARM_UP):
        case.call(i % case.sets)
    queue_seconds = time.perf_counter() - start
    torch.cuda.synchronize()
    return queue_seconds / WARM_UP, (time.perf_counter() - start) / WARM_UP


def bench(options: argparse.Namespace, log: Log) -> dict:
    """Times of every kernel and its peers, as shares of the ceilings of the same run.

    Raises:
        ValueError: there is no GPU.
        RuntimeError: a ceiling cannot be measured.
    """
    if not torch.cuda.is_available():
        raise ValueError("bench: no CUDA device here; the tracer needs none: python -m cuda_quant_kernels")
    g = torch.Generator("cuda").manual_seed(options.seed)
    sizes, rows, ceilings, not_timed = QUICK if options.quick else FULL, [], {}, {}
    for family in (add_cases, quantize_cases, w8a8_cases, w4a16_cases):
        cases = family(g, sizes)
        measured, failed = measure(cases, log)
        for case in cases:
            if case.name in CEILINGS:
                ceilings[case.unit] = case.work / median(measured[case.name])
        rows += [_row(case, measured, ceilings) for case in cases if case.name in measured]
        not_timed |= failed
        del cases
        torch.cuda.empty_cache()
    return {"device": device(), "ceilings": ceilings, "rows": rows, "not_timed": not_timed, "sizes": asdict(sizes)}


def measure(cases: list[Case], log: Log) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds of the calls of each case; and for each that is wrong or fails, the reason.

    One case does not stop the others. An error of a ceiling is raised, because the rest is given as shares of it.
    """
    measured, failed = {}, {}
    for case in cases:
        log(case.name)
        try:
            measured[case.name] = timed(case, REPEATS)
        except Exception as error:  # of a peer's compiler, of a launch: it is reported
            if case.name in CEILINGS:
                raise
            failed[case.name] = (str(error).strip() or type(error).__name__).splitlines()[0]
            log(f"not timed: {failed[case.name]}")
    return measured, failed


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
        "speedup": median(measured[case.peer]) / median(seconds) if case.peer in measured else None,
        "goal_speedup": SPEEDUP_GOALS.get(case.name),
    }
