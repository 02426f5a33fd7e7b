"""Profiles: the tracer's counts where there is no GPU, Nsight Compute's counters where there is one.

    python -m cuda_quant_kernels profile            a kernel's table by source line, on this machine
    python -m cuda_quant_kernels profile --ncu      the same kernel's counters on the GPU, beside them
    python -m cuda_quant_kernels counters           those of every kernel, kept in results.json

The method is the same with either: take a baseline, find what sets its time, change that one thing, profile again.
"""

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Callable

import torch

from . import ops, reference
from .launch import Tracing
from .on_cpu.trace import Report

# what Nsight Compute calls the tracer's columns, and what the tracer knows nothing of
COUNTERS = {
    "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum": "global load requests",
    "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": "global load sectors",
    "l1tex__t_requests_pipe_lsu_mem_global_op_st.sum": "global store requests",
    "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum": "global store sectors",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum": "passes over shared memory",
    "l1tex__data_bank_conflicts_pipe_lsu.sum": "passes lost to bank conflicts",
    "dram__bytes.sum": "bytes of device memory",
    "gpu__time_duration.sum": "ns",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "% of peak, multiprocessors",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "% of peak, device memory",
}


def predicted(report: Report) -> dict[str, int]:
    """The tracer's counts under the names of COUNTERS. Asynchronous copies and wgmma go by pipes of their own."""
    rows = {space: [r for r in report.rows if r.space == space] for space in ("global", "shared")}
    loads, stores = ([r for r in rows["global"] if r.kind == kind] for kind in ("load", "store"))
    passes = [r for r in rows["shared"] if r.kind in ("load", "store", "atomic")]
    return {
        "global load requests": sum(r.requests for r in loads),
        "global load sectors": sum(r.moved for r in loads),
        "global store requests": sum(r.requests for r in stores),
        "global store sectors": sum(r.moved for r in stores),
        "passes over shared memory": sum(r.moved for r in passes),
        "passes lost to bank conflicts": sum(r.moved - r.ideal for r in passes),
    }


def beside(report: Report, counted: dict[str, float]) -> str:
    """A line for each counter: what the tracer predicts, what Nsight Compute counted."""
    traced = predicted(report)
    lines = [f"{'traced':>14}  {'counted':>14}"]
    for meaning, value in counted.items():
        here = f"{traced[meaning]:,}" if meaning in traced else ""
        lines.append(f"{here:>14}  {value:>14,.0f}  {meaning}")
    return "\n".join(lines)


def subjects(device: str, seed: int) -> dict[str, Callable]:
    """Every kernel as a function of a target, on inputs small enough to be traced."""
    g = torch.Generator().manual_seed(seed)

    def int8(*shape):
        return torch.randint(-127, 128, shape, dtype=torch.int8, generator=g).to(device)

    a, b, x = int8(4096), int8(4096), torch.randn(8, 4096, generator=g).to(torch.bfloat16).to(device)
    left, right = int8(128, 256), int8(256, 256)
    scales = torch.rand(128, generator=g).to(device), torch.rand(256, generator=g).to(device)
    packed, s = reference.quantize_int4(torch.randn(64, 2048, generator=g))
    token, packed, s = torch.randn(1, 2048, generator=g).half().to(device), packed.to(device), s.to(device)
    made = {
        f"add {v}": lambda t, v=v: ops.add_int8(a, b, 0.5, 0, 0.25, 0, 0.5, 0, version=v, target=t)
        for v in ("scalar", "16 bytes")
    }
    made |= {
        f"quantize rows, {v}": lambda t, v=v: ops.quantize(x, version=v, target=t) for v in ("two reads", "one read")
    }
    made |= {
        f"w8a8 {v}": lambda t, v=v: ops.linear_w8a8(left, right, *scales, version=v, target=t)
        for v in ops.GEMM_VERSIONS
    }
    made |= {
        f"w4a16 {v}": lambda t, v=v: ops.linear_w4a16(token, packed, s, version=v, target=t) for v in ops.GEMV_VERSIONS
    }
    return made


def traced(name: str, seed: int = 0) -> Report:
    """The tracer's report of one kernel.

    Raises:
        ValueError: no kernel has that name; the message lists them.
    """
    known = subjects("cpu", seed)
    if name not in known:
        raise ValueError(f"name is {name!r}: it must be one of {', '.join(known)}")
    tracing = Tracing()
    known[name](tracing)
    return tracing.reports[-1]


def nsight(name: str) -> dict[str, float]:
    """Nsight Compute's counters of one kernel, on the GPU. The clocks are left as they are.

    A counter that ncu does not know for this GPU is left out.

    Raises:
        RuntimeError: there is no ncu, no GPU, or no permission to read counters.
    """
    if not (tool := shutil.which("ncu")):
        raise RuntimeError("ncu (Nsight Compute) is not on PATH: the tracer's table needs no GPU")
    code = f"from cuda_quant_kernels.profile import subjects; subjects('cuda', 0)[{name!r}]('gpu')"
    wanted = list(COUNTERS)
    while wanted:
        options = ["--clock-control", "none", "--csv", "--print-units", "base", "--metrics", ",".join(wanted)]
        options += ["--kernel-name", "regex:^(add|quantize|dequantize|gemm|gemv|absmax)"]
        done = subprocess.run([tool, *options, sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        unknown = [metric for metric in wanted if metric in _refused(done.stdout + done.stderr)]
        if not unknown:
            return _counters(done.stdout, done.stderr)
        wanted = [metric for metric in wanted if metric not in unknown]
    raise RuntimeError("ncu knows none of the counters: is it made for this GPU?")


def _refused(said: str) -> str:
    return " ".join(line for line in said.splitlines() if "ailed to find metric" in line)


def _counters(out: str, errors: str) -> dict[str, float]:
    lines = out.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise RuntimeError(f"ncu gave no counters: {(out + errors).strip()[-500:]}")
    found: dict[str, float] = {}
    for row in csv.DictReader(io.StringIO("\n".join(lines[start:]))):
        if (meaning := COUNTERS.get(row["Metric Name"])) is not None:
            found[meaning] = found.get(meaning, 0.0) + float(row["Metric Value"].replace(",", ""))
    return found


def counters(seed: int, say: Callable[[str], None]) -> dict | None:
    """What the tracer predicts and what Nsight Compute counts, kernel by kernel; None where there is no GPU or no ncu.

    Raises:
        RuntimeError: ncu counted nothing of any kernel.
    """
    if not torch.cuda.is_available() or not shutil.which("ncu"):
        say("no CUDA device or no ncu (Nsight Compute) here: nothing is counted and nothing is written")
        return None
    rows = []
    for name in subjects("cpu", seed):
        say(name)
        traced_here, counted = predicted(traced(name, seed)), {}
        try:
            counted = nsight(name)
        except RuntimeError as error:
            say(f"not counted: {error}")
        rows += [
            {"kernel": name, "counter": meaning, "traced": traced_here.get(meaning), "counted": value}
            for meaning, value in counted.items()
        ]
    if not rows:
        raise RuntimeError("ncu counted nothing of any kernel: are hardware counters open to this user?")
    return {"device": torch.cuda.get_device_name(), "rows": rows}
