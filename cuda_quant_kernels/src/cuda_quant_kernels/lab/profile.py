"""Profiles: the tracer's counts where there is no GPU, Nsight Compute's counters where there is one.

    python -m cuda_quant_kernels profile            a kernel's table by source line, on this machine
    python -m cuda_quant_kernels profile --ncu      the same kernel's counters on the GPU as well
    python -m cuda_quant_kernels counters           those of every kernel, kept in results.json

The method is the same with either: take a baseline, find what sets its time, change that one thing, profile again.
"""

import argparse
import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Callable

import torch

from ..int4 import quantize_int4
from ..launch import Tracing
from ..linear import GEMM_VERSIONS, GEMV_VERSIONS, linear_w4a16, linear_w8a8
from ..on_cpu.trace import Report
from ..quantization import ADD_VERSIONS, ROW_VERSIONS, add_int8, quantize

Log = Callable[[str], None]
LAUNCHED = "launched "
# Nsight Compute's metrics and what they mean. The tracer predicts the first six.
COUNTERS = {
    "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum": "global load requests",
    "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": "global load sectors",
    "l1tex__t_requests_pipe_lsu_mem_global_op_st.sum": "global store requests",
    "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum": "global store sectors",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum": "shared wavefronts",
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum": "wavefronts lost to bank conflicts",
    "dram__bytes.sum": "bytes of device memory",
    "gpu__time_duration.sum": "ns",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "% of peak, multiprocessors",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "% of peak, device memory",
}


def profile(options: argparse.Namespace, log: Log) -> None:
    """Prints one kernel's table; nothing is recorded."""
    log(options.kernel)
    report = traced(options.kernel, options.seed)
    print(report.table())
    if options.ncu:
        print(side_by_side(report, nsight([options.kernel])[options.kernel]))


def predicted(report: Report) -> dict[str, int]:
    """The tracer's counts under the names of COUNTERS. Asynchronous copies and wgmma use other pipes."""
    rows = {space: [r for r in report.rows if r.space == space] for space in ("global", "shared")}
    loads, stores = ([r for r in rows["global"] if r.kind == kind] for kind in ("load", "store"))
    shared = [r for r in rows["shared"] if r.kind in ("load", "store", "atomic")]
    return {
        "global load requests": sum(r.requests for r in loads),
        "global load sectors": sum(r.moved for r in loads),
        "global store requests": sum(r.requests for r in stores),
        "global store sectors": sum(r.moved for r in stores),
        "shared wavefronts": sum(r.moved for r in shared),
        "wavefronts lost to bank conflicts": sum(r.moved - r.ideal for r in shared),
    }


def side_by_side(report: Report, counted: dict[str, float]) -> str:
    """A line for each counter: what the tracer predicts, what Nsight Compute counted."""
    prediction = predicted(report)
    lines = [f"{'traced':>14}  {'counted':>14}"]
    for meaning, value in counted.items():
        here = f"{prediction[meaning]:,}" if meaning in prediction else ""
        lines.append(f"{here:>14}  {value:>14,.0f}  {meaning}")
    return "\n".join(lines)


def subjects(device: str, seed: int) -> dict[str, Callable]:
    """Every kernel as a function of a target, on inputs that are small enough for the tracer."""
    g = torch.Generator().manual_seed(seed)

    def int8(*shape):
        return torch.randint(-127, 128, shape, dtype=torch.int8, generator=g).to(device)

    a, b, x = int8(4096), int8(4096), torch.randn(8, 4096, generator=g).to(torch.bfloat16).to(device)
    left, right = int8(128, 256), int8(256, 256)
    scales = torch.rand(128, generator=g).to(device), torch.rand(256, generator=g).to(device)
    packed, scale = quantize_int4(torch.randn(64, 2048, generator=g))
    token, packed, scale = torch.randn(1, 2048, generator=g).half().to(device), packed.to(device), scale.to(device)
    numbers = (0.5, 0, 0.25, 0, 0.5, 0)
    made = {f"add {v}": lambda t, v=v: add_int8(a, b, *numbers, version=v, target=t) for v in ADD_VERSIONS}
    made |= {f"quantize rows, {v}": lambda t, v=v: quantize(x, version=v, target=t) for v in ROW_VERSIONS}
    made |= {f"w8a8 {v}": lambda t, v=v: linear_w8a8(left, right, *scales, version=v, target=t) for v in GEMM_VERSIONS}
    made |= {
        f"w4a16 {v}": lambda t, v=v: linear_w4a16(token, packed, scale, version=v, target=t) for v in GEMV_VERSIONS
    }
    return made


def traced(kernel: str, seed: int = 0) -> Report:
    """The tracer's report of one kernel.

    Raises:
        ValueError: no kernel has that name; the message lists them.
    """
    known = subjects("cpu", seed)
    if kernel not in known:
        raise ValueError(f"kernel={kernel!r}: unknown; choose {', '.join(known)}")
    tracing = Tracing()
    known[kernel](tracing)
    return tracing.reports[-1]


def launch_all(kernels: list[str]) -> None:
    """Launches each kernel once on the GPU, and prints the name of each that this GPU has. Nsight Compute watches."""
    known = subjects("cuda", 0)
    for kernel in kernels:
        try:
            known[kernel]("gpu")
        except RuntimeError as error:  # wgmma on a GPU that is not a Hopper
            print(f"no {kernel}: {error}")
        else:
            print(LAUNCHED + kernel, flush=True)


def nsight(kernels: list[str]) -> dict[str, dict[str, float]]:
    """Nsight Compute's counters of each kernel on the GPU, at the clocks as they are.

    A metric that ncu does not know for this GPU is left out.

    Raises:
        RuntimeError: there is no ncu, no GPU, or no permission to read counters.
    """
    if not (tool := shutil.which("ncu")):
        raise RuntimeError("ncu (Nsight Compute) is not on PATH; the tracer's table needs no GPU")
    code = f"from {__name__} import launch_all; launch_all({kernels!r})"
    metrics = list(COUNTERS)
    while metrics:
        command = [tool, "--clock-control", "none", "--csv", "--print-units", "base", "--metrics", ",".join(metrics)]
        command += ["--kernel-name", "regex:^(add|quantize|dequantize|gemm|gemv|absmax)", sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        complaints = _complaints(done.stdout + done.stderr)
        unknown = [metric for metric in metrics if metric in complaints]
        if not unknown:
            return _counters(done.stdout, done.stderr)
        metrics = [metric for metric in metrics if metric not in unknown]
    raise RuntimeError("ncu knows none of the counters; is it made for this GPU?")


def _complaints(output: str) -> str:
    return " ".join(line for line in output.splitlines() if "ailed to find metric" in line)


def _counters(out: str, errors: str) -> dict[str, dict[str, float]]:
    """The values of each launched kernel. ncu numbers the launches; the program has printed their names in order."""
    lines = out.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise RuntimeError(f"ncu gave no counters: {(out + errors).strip()[-500:]}")
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[start:]))))
    launched = [line.removeprefix(LAUNCHED) for line in lines if line.startswith(LAUNCHED)]
    numbers = list(dict.fromkeys(row["ID"] for row in rows))
    if len(numbers) != len(launched):
        raise RuntimeError(f"ncu counted {len(numbers)} launches of {len(launched)}, so none can be told by its place")
    names, counted = dict(zip(numbers, launched, strict=True)), {kernel: {} for kernel in launched}
    for row in rows:
        if (meaning := COUNTERS.get(row["Metric Name"])) is not None:
            counted[names[row["ID"]]][meaning] = float(row["Metric Value"].replace(",", ""))
    return counted


def counters(options: argparse.Namespace, log: Log) -> dict:
    """What the tracer predicts and what Nsight Compute counts, kernel by kernel.

    Raises:
        ValueError: there is no GPU or no ncu.
        RuntimeError: ncu counted nothing of any kernel.
    """
    if not torch.cuda.is_available() or not shutil.which("ncu"):
        raise ValueError("counters: no CUDA device or no ncu (Nsight Compute) here; `profile` needs neither")
    kernels, rows = list(subjects("cpu", options.seed)), []
    log(f"ncu on {len(kernels)} kernels")
    for kernel, counted in nsight(kernels).items():
        log(kernel)
        prediction = predicted(traced(kernel, options.seed))
        rows += [
            {"kernel": kernel, "counter": meaning, "traced": prediction.get(meaning), "counted": value}
            for meaning, value in counted.items()
        ]
    if not rows:
        raise RuntimeError("ncu counted nothing of any kernel; are hardware counters open to this user?")
    return {"device": torch.cuda.get_device_name(), "rows": rows}
