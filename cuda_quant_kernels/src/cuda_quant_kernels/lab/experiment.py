"""The headline experiment: the int8 product seen through the tracer and the roofline, version by version.

A small product is run under the tracer and checked against the exact reference. Its counts, per operand and output,
give the work of the large one, and the roofline the time below which each version cannot go on an H200.
"""

from collections.abc import Callable

import torch

from . import ops, reference
from .launch import Tracing
from .on_cpu.trace import Report
from .roofline import H200, Work, floor, gemm_work

SIDE = 8192  # of the large product
TRACED = (128, 256, 256)  # M, N, K of the small one: whole tiles of every version
UNITS = {"naive": "scalar", "coalesced": "scalar", "tiled": "scalar", "dp4a": "dp4a"}
UNITS |= {"mma": "int8_tensor", "wgmma": "int8_tensor"}
# kernel, what it is run on at full size, elements, bytes for each element as counted from the shapes
LEDGER = (
    ("add 16 bytes", "int8 add, 2^30 elements", 2**30, 3.0, 0.90),
    ("quantize given", "quantize, scale given, 16384 x 16384 bf16", 16384**2, 3.0, 0.90),
    ("quantize row", "quantize per row, 16384 x 16384 bf16", 16384**2, 3.0, 0.85),
    ("quantize tensor", "quantize per tensor, two passes", 16384**2, 5.0, 0.85),
    ("quantize group", "quantize per group of 128", 16384**2, 3 + 4 / 128, 0.85),
    ("dequantize group", "dequantize per group of 128", 16384**2, 3 + 4 / 128, 0.85),
    ("w4a16 tensor core, M = 1", "W4A16 GEMV, 28672 x 8192", 28672 * 8192, 0.5 + 2 / 128, 0.80),
)


def ladder(seed: int, shape: tuple[int, int, int], say: Callable[[str], None]) -> list[dict]:
    """Each version: exactness, the tracer's counts, and its floor at SIDE^3.

    Raises:
        RuntimeError: a version's result is not exactly the reference's; nothing is then reported.
    """
    g = torch.Generator().manual_seed(seed)
    m, n, k = shape
    a, w = (torch.randint(-127, 128, s, dtype=torch.int8, generator=g) for s in ((m, k), (n, k)))
    sa, sw = torch.rand(m, generator=g), torch.rand(n, generator=g)
    rows = []
    for version, unit in UNITS.items():
        say(f"{version}: {m} x {n} x {k} under the tracer")
        tracing = Tracing()
        if not torch.equal(
            ops.linear_w8a8(a, w, sa, sw, version=version, target=tracing), reference.linear_w8a8(a, w, sa, sw)
        ):
            raise RuntimeError(f"version {version!r} does not give the exact product: no count of it means anything")
        rows.append(_row(version, tracing.reports[0], shape, unit))
    return rows


def _row(version: str, report: Report, shape: tuple[int, int, int], unit: str) -> dict:
    work = gemm_work(report, shape, (SIDE, SIDE, SIDE), unit)
    least = floor(work, H200)
    loads = [r for r in report.rows if r.space == "global" and r.name in ("a", "w")]
    shared = [r for r in report.rows if r.space == "shared"]
    worst = max(loads, key=lambda r: r.per_request / (r.ideal / r.requests))
    return {
        "version": version,
        "sectors_per_request": worst.per_request,
        "ideal_per_request": worst.ideal / worst.requests,
        "operand_requests": sum(r.requests for r in loads),
        "operand_sectors": sum(r.moved for r in loads),
        "shared_passes": sum(r.moved for r in shared),
        "conflict": sum(r.moved for r in shared) / sum(r.ideal for r in shared) if shared else None,
        "intensity": work.intensity,
        "floor_ms": least.seconds * 1e3,
        "bound": least.bound,
        "pipes_ms": {name: t * 1e3 for name, t in least.pipes.items()},
        "products_per_shared_pass": shape[0] * shape[1] * shape[2] / sum(r.moved for r in shared) if shared else None,
    }


def counted_bytes(seed: int, say: Callable[[str], None]) -> list[dict]:
    """Bytes for each element by the tracer on small inputs, beside those by the shapes, and the floor at full size."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(16, 2048, generator=g).to(torch.bfloat16)
    a, b = (torch.randint(-127, 128, (8192,), dtype=torch.int8, generator=g) for _ in range(2))
    packed, scale4 = reference.quantize_int4(torch.randn(64, 2048, generator=g))
    token = torch.randn(1, 2048, generator=g).half()
    q, s = ops.quantize(x, per="group")
    calls = {
        "add 16 bytes": (lambda t: ops.add_int8(a, b, 0.5, 0, 0.25, 0, 0.5, 0, target=t), a.numel()),
        "quantize given": (lambda t: ops.quantize(x, per="tensor", scale=torch.ones(1), target=t), x.numel()),
        "quantize row": (lambda t: ops.quantize(x, per="row", target=t), x.numel()),
        "quantize tensor": (lambda t: ops.quantize(x, per="tensor", target=t), x.numel()),
        "quantize group": (lambda t: ops.quantize(x, per="group", target=t), x.numel()),
        "dequantize group": (lambda t: ops.dequantize(q, s, torch.bfloat16, target=t), x.numel()),
        "w4a16 tensor core, M = 1": (lambda t: ops.linear_w4a16(token, packed, scale4, target=t), packed.numel() * 8),
    }
    rows = []
    for name, what, elements, least, goal in LEDGER:
        say(f"{what}: bytes under the tracer")
        tracing, (call, traced) = Tracing(), calls[name]
        call(tracing)
        streams = ("x",) if name.startswith("w4a16") else ()  # the token is read again by every block, from a cache
        moved = 32 * sum(
            r.moved for rep in tracing.reports for r in rep.rows if r.space == "global" and r.name not in streams
        )
        least_us = floor(Work(bytes=least * elements), H200).seconds * 1e6
        counted = {"bytes": least, "traced": moved / traced, "floor_us": least_us, "goal": goal}
        rows.append({"kernel": name, "what": what, **counted})
    return rows


def headline(seed: int, quick: bool, say: Callable[[str], None]) -> dict:
    """The ladder and the ledger of bytes; times on a GPU are the bench's."""
    shape = (128, 256, 128) if quick else TRACED
    rows = ladder(seed, shape, say)
    return {
        "machine": H200.name,
        "source": H200.source,
        "side": SIDE,
        "traced": shape,
        "roofs": {"int8 tensor cores": H200.int8_tensor, "dp4a": H200.dp4a, "multiply-add": H200.scalar},
        "sector_bandwidth": 128 * H200.load_store,
        "ladder": rows,
        "ledger": counted_bytes(seed, say),
    }
