"""The headline experiment: the int8 GEMM seen through the tracer and the roofline, version by version.

A small GEMM runs under the tracer and is checked against the exact oracle. Its counts, per operand and output, give the
work of the large one. The roofline gives the time below which each version cannot go on a Hopper GPU.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .. import oracle
from ..int4 import quantize_int4
from ..launch import Tracing
from ..linear import linear_w4a16, linear_w8a8
from ..on_cpu.trace import Report, Row
from ..quantization import add_int8, dequantize, quantize
from ..roofline import H200, LowerBound, Machine, Work, gemm_work, lower_bound, machine_of
from . import record

Log = Callable[[str], None]
SIDE = 8192  # of the large GEMM
TRACED = (128, 256, 256)  # M, N, K of the small one: whole tiles of every version
UNITS = {"naive": "scalar", "coalesced": "scalar", "tiled": "scalar", "dp4a": "dp4a"}
UNITS |= {"mma": "int8_tensor", "wgmma": "int8_tensor"}
# Of the ceilings that a bench measures (a copy, torch._int_mm); of a peer's speed, where the goal is that.
GOALS = {
    "add vectorized": 0.90,
    "quantize static": 0.90,
    "quantize per row": 0.85,
    "quantize per tensor": 0.85,
    "quantize per group": 0.85,
    "dequantize per group": 0.85,
    "w4a16 tensor_core, M = 1": 0.80,
    "w8a8 mma": 0.60,
    "w8a8 triton": 0.85,
    "w8a8 wgmma": 0.85,
}


def headline(options: argparse.Namespace, log: Log) -> dict:
    """The ladder, and the bytes that the other kernels move. Times on a GPU are the bench's.

    The lower bounds are those of the GPU on which the committed bench ran.
    """
    shape = (128, 256, 128) if options.quick else TRACED
    machine = machine_of(record.read(record.COMMITTED).get("bench", {}).get("device", ""))
    return {
        "machine": machine.name,
        "source": machine.source,
        "side": SIDE,
        "traced": shape,
        "roofs": {"int8 tensor cores": machine.int8_tensor, "dp4a": machine.dp4a, "multiply-add": machine.scalar},
        "sector_bandwidth": 128 * machine.load_store,
        "ladder": ladder(options.seed, shape, log, machine),
        "bytes_moved": bytes_moved(options.seed, log, machine),
    }


# ---- the ladder


def ladder(seed: int, shape: tuple[int, int, int], log: Log, machine: Machine = H200) -> list[dict]:
    """Each version: checked, counted by the tracer, and its lower bound at SIDE^3.

    Raises:
        RuntimeError: a version's result is not exactly the oracle's; nothing is then reported.
    """
    g = torch.Generator().manual_seed(seed)
    m, n, k = shape
    a, w = (torch.randint(-127, 128, s, dtype=torch.int8, generator=g) for s in ((m, k), (n, k)))
    scale_a, scale_w = torch.rand(m, generator=g), torch.rand(n, generator=g)
    exact, rows = oracle.linear_w8a8(a, w, scale_a, scale_w), []
    for version, unit in UNITS.items():
        log(f"{version}: {m} x {n} x {k} under the tracer")
        tracing = Tracing()
        if not torch.equal(linear_w8a8(a, w, scale_a, scale_w, version=version, target=tracing), exact):
            raise RuntimeError(
                f"version={version!r}: its result is not exact, so its counts mean nothing; run the tests"
            )
        work = gemm_work(tracing.reports[0], shape, (SIDE, SIDE, SIDE), unit)
        rows.append(
            {"version": version, **_counts(tracing.reports[0], shape), **_bound(work, lower_bound(work, machine))}
        )
    return rows


def _counts(report: Report, shape: tuple[int, int, int]) -> dict:
    operands = [r for r in report.rows if r.space == "global" and r.name in ("a", "w")]
    shared = [r for r in report.rows if r.space == "shared"]
    worst = max(operands, key=lambda r: r.per_request / (r.ideal / r.requests))
    wavefronts = sum(r.moved for r in shared)
    return {
        "sectors_per_request": worst.per_request,
        "ideal_per_request": worst.ideal / worst.requests,
        "operand_requests": sum(r.requests for r in operands),
        "operand_sectors": sum(r.moved for r in operands),
        "wavefronts": wavefronts,
        "bank_conflict": wavefronts / sum(r.ideal for r in shared) if shared else None,
        "macs_per_wavefront": shape[0] * shape[1] * shape[2] / wavefronts if shared else None,
    }


def _bound(work: Work, bound: LowerBound) -> dict:
    return {
        "intensity": work.intensity,
        "lower_bound_ms": bound.seconds * 1e3,
        "bound": bound.bound,
        "pipes_ms": {name: seconds * 1e3 for name, seconds in bound.pipes.items()},
    }


# ---- bytes moved


@dataclass(frozen=True)
class Stream:
    """A kernel that memory bounds: what it does at full size, the least bytes for each element, a small traced call."""

    kernel: str
    title: str
    elements: int
    least_bytes: float
    call: Callable[[Tracing], object]
    traced_elements: int
    cached: tuple[str, ...] = ()  # arrays that every block reads again, from a cache


def streams(seed: int) -> list[Stream]:
    """The kernels that memory bounds."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(16, 2048, generator=g).to(torch.bfloat16)
    a, b = (torch.randint(-127, 128, (8192,), dtype=torch.int8, generator=g) for _ in range(2))
    packed, scale4 = quantize_int4(torch.randn(64, 2048, generator=g))
    token = torch.randn(1, 2048, generator=g).half()
    q, s = quantize(x, per="group")
    scale, big, n, group = torch.ones(1), 16384**2, x.numel(), 3 + 4 / 128

    def per(granularity: str) -> Callable[[Tracing], object]:
        return lambda target: quantize(x, per=granularity, target=target)

    def static(target: Tracing) -> object:
        return quantize(x, per="tensor", scale=scale, target=target)

    def add(target: Tracing) -> object:
        return add_int8(a, b, 0.5, 0, 0.25, 0, 0.5, 0, target=target)

    def back(target: Tracing) -> object:
        return dequantize(q, s, torch.bfloat16, target=target)

    def gemv(target: Tracing) -> object:
        return linear_w4a16(token, packed, scale4, target=target)

    gemv_title, weights = "W4A16 GEMV, 28672 x 8192", packed.numel() * 8
    return [
        Stream("add vectorized", "int8 add, 2^30 elements", 2**30, 3.0, add, len(a)),
        Stream("quantize static", "quantize, static scale, 16384 x 16384 bf16", big, 3.0, static, n),
        Stream("quantize per row", "quantize per row, 16384 x 16384 bf16", big, 3.0, per("row"), n),
        Stream("quantize per tensor", "quantize per tensor, two passes", big, 5.0, per("tensor"), n),
        Stream("quantize per group", "quantize per group of 128", big, group, per("group"), n),
        Stream("dequantize per group", "dequantize per group of 128", big, group, back, n),
        Stream("w4a16 tensor_core, M = 1", gemv_title, 28672 * 8192, 0.5 + 2 / 128, gemv, weights, ("x",)),
    ]


def bytes_moved(seed: int, log: Log, machine: Machine = H200) -> list[dict]:
    """Bytes for each element: the least by the shapes, those traced on small inputs, and the time at full size."""
    rows = []
    for stream in streams(seed):
        log(f"{stream.title}: bytes under the tracer")
        tracing = Tracing()
        stream.call(tracing)
        sectors = sum(r.moved for report in tracing.reports for r in report.rows if _streamed(r, stream))
        rows.append(
            {
                "kernel": stream.kernel,
                "title": stream.title,
                "bytes": stream.least_bytes,
                "traced": 32 * sectors / stream.traced_elements,
                "lower_bound_us": lower_bound(Work(stream.least_bytes * stream.elements), machine).seconds * 1e6,
                "goal": GOALS[stream.kernel],
            }
        )
    return rows


def _streamed(row: Row, stream: Stream) -> bool:
    return row.space == "global" and row.name not in stream.cached
