"""The kernels on a GPU, beside torch and a plain copy: validated, timed with events, validated again.

The ceilings are measured on the spot: a large copy for bandwidth, torch._int_mm for int8 products. Buffers rotate among
enough sets to be several times the L2 cache, so that no run finds its inputs there. Nothing is timed on zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from . import ops, reference

L2_MULTIPLE, WARM_UP, REPEATS = 4, 5, 30
GOALS = {"add": 0.90, "quantize given": 0.90, "quantize row": 0.85, "quantize tensor": 0.85, "quantize group": 0.85,
         "dequantize group": 0.85, "w4a16": 0.80, "w8a8 mma": 0.60, "w8a8 triton": 0.85, "w8a8 wgmma": 0.85}


@dataclass(frozen=True)
class Case:
    """One thing to time. `call(set number)`, the bytes or operations of a call, and how to see that it is right."""

    name: str
    call: Callable[[int], object]
    work: float
    unit: str                                  # "bytes" or "operations"
    right: Callable[[object], bool]
    sets: int


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


def sets_for(bytes_each: float, device: torch.device) -> int:
    """How many copies of a call's buffers are several times the L2 cache."""
    cache = torch.cuda.get_device_properties(device).L2_cache_size
    return max(1, min(8, int(L2_MULTIPLE * cache / bytes_each) + 1))


def same(got: Tensor, want: Tensor) -> bool:
    return got.dtype == want.dtype and got.shape == want.shape and bool((got.float() == want.float()).all())


def near(got: Tensor, want: Tensor, tolerance: float) -> bool:
    error = (got.double() - want.double()).norm() / want.double().norm()
    return bool(error.isfinite()) and error.item() < tolerance


def add_cases(g: torch.Generator, scale: int) -> list[Case]:
    n, args = 2**30 // scale, (0.5, 3, 0.25, -5, 0.125, 7)
    sets = sets_for(3 * n, g.device)
    a, b = ([torch.randint(-127, 128, (n,), dtype=torch.int8, device="cuda", generator=g) for _ in range(sets)] for _ in range(2))
    want = reference.add_int8(a[0][:4096].cpu(), b[0][:4096].cpu(), *args).cuda()
    def right(c): return same(c[:4096], want)
    out = torch.empty_like(a[0])
    def plain(a, b): return (((a.float() - 3) * 4 + (b.float() + 5) * 2).round() + 7).clamp(-128, 127).to(torch.int8)
    fused = torch.compile(plain)
    return [Case("copy", lambda i: out.copy_(a[i]), 2.0 * n, "bytes", lambda c: same(c, a[0]), sets),
            *(Case(f"add {v}", lambda i, v=v: ops.add_int8(a[i], b[i], *args, version=v), 3.0 * n, "bytes", right, sets)
              for v in ("scalar", "16 bytes")),
            Case("add, torch eager", lambda i: plain(a[i], b[i]), 3.0 * n, "bytes", right, sets),
            Case("add, torch.compile", lambda i: fused(a[i], b[i]), 3.0 * n, "bytes", right, sets)]


def quantize_cases(g: torch.Generator, scale: int) -> list[Case]:
    rows, cols = 16384 // scale, 16384
    n = rows * cols
    sets = sets_for(3 * n, g.device)
    x = [torch.randn(rows, cols, device="cuda", generator=g).bfloat16() for _ in range(sets)]
    unit, head = torch.full((1,), 0.03, device="cuda"), x[0][:16].cpu()
    def right(per):
        want = reference.quantize(head, torch.int8, per)[0].cuda()
        return lambda r: same(r[0][:16], want)
    def given(r): return same(r[0][:16], reference.encode(head.float() * (1 / unit.cpu()), torch.int8).cuda())
    def whole(r): return same(r[0], reference.quantize(x[0], torch.int8, "tensor")[0])
    def eager(x):
        s = x.float().abs().amax(1, keepdim=True) / 127
        return (x.float() * (1 / s)).round().clamp(-127, 127).to(torch.int8), s
    fused = torch.compile(eager)
    q, s = ops.quantize(x[0], per="group")
    back = reference.dequantize(q[:16].cpu(), s[:16].cpu(), torch.bfloat16).cuda()
    return [Case("quantize given", lambda i: ops.quantize(x[i], per="tensor", scale=unit, check=False), 3.0 * n, "bytes", given, sets),
            Case("quantize row", lambda i: ops.quantize(x[i], check=False), 3.0 * n, "bytes", right("row"), sets),
            Case("quantize row, two reads", lambda i: ops.quantize(x[i], version="two reads", check=False), 3.0 * n, "bytes", right("row"), sets),
            Case("quantize tensor", lambda i: ops.quantize(x[i], per="tensor", check=False), 5.0 * n, "bytes", whole, sets),
            Case("quantize group", lambda i: ops.quantize(x[i], per="group", check=False), 3.03125 * n, "bytes", right("group"), sets),
            Case("dequantize group", lambda i: ops.dequantize(q, s, torch.bfloat16), 3.03125 * n, "bytes", lambda r: same(r[:16], back), sets),
            Case("quantize row, torch eager", lambda i: eager(x[i]), 3.0 * n, "bytes", right("row"), sets),
            Case("quantize row, torch.compile", lambda i: fused(x[i]), 3.0 * n, "bytes", right("row"), sets)]


def w8a8_cases(g: torch.Generator, scale: int) -> list[Case]:
    side = 8192 // scale
    sets, operations = 3, 2.0 * side**3
    a, w = ([torch.randint(-127, 128, (side, side), dtype=torch.int8, device="cuda", generator=g) for _ in range(sets)] for _ in range(2))
    sa, sw = torch.rand(side, device="cuda", generator=g), torch.rand(side, device="cuda", generator=g)
    want = reference.linear_w8a8(a[0][:64].cpu(), w[0].cpu(), sa[:64].cpu(), sw.cpu()).cuda()
    exact = (a[0][:64].cpu().double() @ w[0].cpu().double().T).int().cuda()
    versions = ("dp4a", "mma") + (("wgmma",) if torch.cuda.get_device_capability()[0] == 9 else ())
    cases = [Case(f"w8a8 {v}", lambda i, v=v: ops.linear_w8a8(a[i], w[i], sa, sw, version=v), operations, "operations",
                  lambda c: same(c[:64], want), sets) for v in versions]
    cases.append(Case("torch._int_mm", lambda i: torch._int_mm(a[i], w[i].t()), operations, "operations", lambda c: same(c[:64], exact), sets))
    if torch.cuda.get_device_capability() >= (8, 9):
        af, wf = ([t.to(torch.float8_e4m3fn) for t in m] for m in (a, w))
        one = torch.ones((), device="cuda")
        loose = af[0][:64].float() @ wf[0].float().T
        cases.append(Case("torch._scaled_mm, E4M3", lambda i: torch._scaled_mm(af[i], wf[i].t(), one, one, out_dtype=torch.bfloat16),
                          operations, "operations", lambda c: near(c[:64], loose, 1e-2), sets))
    try:
        from .triton_kernels import w8a8 as in_triton
        cases.append(Case("w8a8 triton", lambda i: in_triton.linear_w8a8(a[i], w[i], sa, sw), operations, "operations",
                          lambda c: same(c[:64], want), sets))
    except ImportError:
        pass
    return cases


def w4a16_cases(g: torch.Generator, scale: int) -> list[Case]:
    n, k = 28672 // scale, 8192
    packed, s = (t.cuda() for t in reference.quantize_int4(torch.randn(n, k)))
    bytes_each = packed.nbytes + s.nbytes
    sets = sets_for(bytes_each, g.device)
    weights, half = [packed.clone() for _ in range(sets)], torch.randn(n, k, device="cuda", generator=g).half()
    cases = []
    for m in (1, 16):
        x = torch.randn(m, k, device="cuda", generator=g).half()
        want = reference.linear_w4a16(x.cpu(), packed[:256].cpu(), s[:256].cpu()).cuda()
        for v in ops.GEMV_VERSIONS[1:] if m == 1 else ops.GEMV_VERSIONS[2:]:
            cases.append(Case(f"w4a16 {v}, M = {m}", lambda i, x=x, v=v: ops.linear_w4a16(x, weights[i], s, version=v),
                              bytes_each, "bytes", lambda y, want=want: near(y[:, :256], want, 2e-3), sets))
        exact = x.double() @ half.double().T
        cases.append(Case(f"torch fp16 linear, M = {m}", lambda i, x=x: torch.nn.functional.linear(x, half), 2.0 * n * k, "bytes",
                          lambda y, exact=exact: near(y, exact, 5e-3), 1))
    return cases


def goal_of(name: str) -> float | None:
    return next((goal for start, goal in GOALS.items() if name == start or name.startswith(start + " 16") or
                 name == start + " tensor core, M = 1"), None)


def bench(seed: int, quick: bool, say: Callable[[str], None]) -> dict | None:
    """Times of every kernel and its peers, in the share of the ceilings measured here; None where there is no GPU."""
    if not torch.cuda.is_available():
        say("no CUDA device here: nothing is timed and nothing is written. The tracer's counts need none: "
            "python -m cuda_quant_kernels")
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
    return {"kernel": case.name, "median_us": median(seconds) * 1e6, "low_us": min(seconds) * 1e6, "high_us": max(seconds) * 1e6,
            "unit": case.unit, "rate": rate, "of_ceiling": rate / ceilings[case.unit], "goal": goal_of(case.name)}
