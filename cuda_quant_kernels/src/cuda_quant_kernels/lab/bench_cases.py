"""What is timed on a GPU: every kernel and its peers, the bytes or operations of a call, how to see it is right."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from .. import oracle
from ..int4 import quantize_int4
from ..linear import GEMM_VERSIONS, GEMV_VERSIONS, linear_w4a16, linear_w8a8
from ..quantization import add_int8, dequantize, quantize

L2_MULTIPLE = 4  # the buffers of a case together, in sizes of the L2 cache


@dataclass(frozen=True)
class Sizes:
    """What is timed: elements to add, rows and columns to quantize, the side of the GEMM, N and K of the GEMV."""

    add: int = 2**30
    quantize: tuple[int, int] = (16384, 16384)
    gemm: int = 8192
    gemv: tuple[int, int] = (28672, 8192)


FULL = Sizes()
QUICK = Sizes(2**27, (2048, 16384), 1024, (3584, 8192))


@dataclass(frozen=True)
class Case:
    """One thing to time: `call(set of buffers)`, the bytes or operations of a call, a check of its result."""

    name: str
    call: Callable[[int], object]
    work: float
    unit: str  # "bytes" or "operations"
    is_right: Callable[[object], bool]
    sets: int
    peer: str | None = None  # the name of the library's case to compare with


def sets_for(bytes_each: float | int, device: torch.device) -> int:
    """How many sets of buffers are together several times the L2 cache."""
    cache = torch.cuda.get_device_properties(device).L2_cache_size
    return max(1, min(8, int(L2_MULTIPLE * cache / bytes_each) + 1))


def equal(got: Tensor, want: Tensor) -> bool:
    return got.dtype == want.dtype and got.shape == want.shape and bool((got.float() == want.float()).all())


def ends(t: Tensor) -> Tensor:
    """The first and the last rows or elements, which are compared with an oracle on the CPU."""
    few = 8 if t.dim() == 2 else 4096
    return torch.cat((t[:few], t[-few:]))


def within_one_unit(got: Tensor, want: Tensor) -> bool:
    """Codes at most one apart, for peers that divide by the scale."""
    return got.shape == want.shape and bool((got.int() - want.int()).abs().max() <= 1)


def close(got: Tensor, want: Tensor, tolerance: float) -> bool:
    error = (got.double() - want.double()).norm() / want.double().norm()
    return bool(error.isfinite()) and error.item() < tolerance


def triton_module(name: str) -> ModuleType | None:
    """The module of a Triton kernel, None where Triton is not installed."""
    try:
        return importlib.import_module(f"..triton_kernels.{name}", __package__)
    except ImportError:
        return None


def add_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    n, args = sizes.add, (0.5, 3, 0.25, -5, 0.125, 7)
    sets = sets_for(3 * n, g.device)
    a, b = (
        [torch.randint(-127, 128, (n,), dtype=torch.int8, device="cuda", generator=g) for _ in range(sets)]
        for _ in range(2)
    )
    want = oracle.add_int8(ends(a[0]).cpu(), ends(b[0]).cpu(), *args).cuda()

    def right(c):
        return equal(ends(c), want)

    out = torch.empty_like(a[0])

    def eager(a, b):
        return (((a.float() - 3) * 4 + (b.float() + 5) * 2).round() + 7).clamp(-128, 127).to(torch.int8)

    def ours(version):
        return lambda i: add_int8(a[i], b[i], *args, version=version)

    fused = torch.compile(eager)
    return [
        Case("copy", lambda i: out.copy_(a[i]), 2.0 * n, "bytes", lambda c: equal(c, a[0]), sets),
        Case("add scalar", ours("scalar"), 3.0 * n, "bytes", right, sets, "add, torch.compile"),
        Case("add vectorized", ours("vectorized"), 3.0 * n, "bytes", right, sets, "add, torch.compile"),
        Case("add, torch eager", lambda i: eager(a[i], b[i]), 3.0 * n, "bytes", right, sets),
        Case("add, torch.compile", lambda i: fused(a[i], b[i]), 3.0 * n, "bytes", right, sets),
    ]


def quantize_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    rows, cols = sizes.quantize
    n = rows * cols
    sets = sets_for(3 * n, g.device)
    x = [torch.randn(rows, cols, device="cuda", generator=g).bfloat16() for _ in range(sets)]
    unit, some = torch.full((1,), 0.03, device="cuda"), ends(x[0]).cpu()

    def right(per, compare=equal):
        want = oracle.quantize(some, torch.int8, per)[0].cuda()
        return lambda r: compare(ends(r[0]), want)

    def static(r):
        return equal(ends(r[0]), oracle.encode(some.float() * (1 / unit.cpu()), torch.int8).cuda())

    def whole(r):
        return equal(r[0], oracle.quantize(x[0], torch.int8, "tensor")[0])

    def eager(x):
        s = x.float().abs().amax(1, keepdim=True) / 127
        return (x.float() * (1 / s)).round().clamp(-127, 127).to(torch.int8), s

    def ours(**options):
        return lambda i: quantize(x[i], check=False, **options)

    def case(name, call, bytes_each, right, peer=None):
        return Case(name, call, bytes_each * n, "bytes", right, sets, peer)

    fused, peer = torch.compile(eager), "quantize per row, torch.compile"
    q, s = quantize(x[0], per="group")
    back = oracle.dequantize(ends(q).cpu(), ends(s).cpu(), torch.bfloat16).cuda()
    cases = [
        case("quantize static", ours(per="tensor", scale=unit), 3.0, static),
        case("quantize per row", ours(version="one_pass"), 3.0, right("row"), peer),
        case("quantize per row, two_pass", ours(version="two_pass"), 3.0, right("row"), peer),
        case("quantize per tensor", ours(per="tensor"), 5.0, whole),
        case("quantize per group", ours(per="group"), 3 + 4 / 128, right("group")),
        case(
            "dequantize per group",
            lambda i: dequantize(q, s, torch.bfloat16),
            3 + 4 / 128,
            lambda r: equal(ends(r), back),
        ),
        case("quantize per row, torch eager", lambda i: eager(x[i]), 3.0, right("row", within_one_unit)),
        case("quantize per row, torch.compile", lambda i: fused(x[i]), 3.0, right("row", within_one_unit)),
    ]
    if triton := triton_module("quantize_rows"):
        cases.append(case("quantize per row, triton", lambda i: triton.quantize_rows(x[i]), 3.0, right("row"), peer))
    return cases


def w8a8_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    side, sets, capability = sizes.gemm, 3, torch.cuda.get_device_capability()
    a, w = (
        [torch.randint(-127, 128, (side, side), dtype=torch.int8, device="cuda", generator=g) for _ in range(sets)]
        for _ in range(2)
    )
    sa, sw = torch.rand(side, device="cuda", generator=g), torch.rand(side, device="cuda", generator=g)
    want = oracle.linear_w8a8(ends(a[0]).cpu(), w[0].cpu(), torch.cat((sa[:8], sa[-8:])).cpu(), sw.cpu()).cuda()
    exact = (ends(a[0]).cpu().double() @ w[0].cpu().double().T).int().cuda()

    def case(name, call, right, peer=None):
        return Case(name, call, 2.0 * side**3, "operations", right, sets, peer)

    def scaled(c):
        return equal(ends(c), want)

    def ours(version):
        return lambda i: linear_w8a8(a[i], w[i], sa, sw, version=version)

    versions = [v for v in GEMM_VERSIONS if v != "wgmma" or capability[0] == 9]
    cases = [case(f"w8a8 {v}", ours(v), scaled, "torch._int_mm") for v in versions]
    cases += [case("torch._int_mm", lambda i: torch._int_mm(a[i], w[i].t()), lambda c: equal(ends(c), exact))]
    if capability >= (8, 9):
        af, wf = ([t.to(torch.float8_e4m3fn) for t in m] for m in (a, w))
        one, loose = torch.ones((), device="cuda"), ends(af[0]).float() @ wf[0].float().T

        def float8(i):
            return torch._scaled_mm(af[i], wf[i].t(), one, one, out_dtype=torch.bfloat16)

        cases += [case("torch._scaled_mm, E4M3", float8, lambda c: close(ends(c), loose, 1e-2))]
    if triton := triton_module("w8a8"):
        cases += [case("w8a8 triton", lambda i: triton.linear_w8a8(a[i], w[i], sa, sw), scaled, "torch._int_mm")]
    return cases


def w4a16_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    n, k = sizes.gemv
    packed, s = (t.cuda() for t in quantize_int4(torch.randn(n, k, device="cuda", generator=g).cpu()))
    bytes_each = packed.nbytes + s.nbytes
    sets = sets_for(bytes_each, g.device)
    weights, half = [packed.clone() for _ in range(sets)], torch.randn(n, k, device="cuda", generator=g).half()

    def ours(x, version):
        return lambda i: linear_w4a16(x, weights[i], s, version=version)

    def close_to(want, tolerance):
        return lambda y: close(y[:, : want.shape[1]], want, tolerance)

    cases = []
    for m in (1, 16):
        x, peer = torch.randn(m, k, device="cuda", generator=g).half(), f"torch fp16 linear, M = {m}"
        right = close_to(oracle.linear_w4a16(x.cpu(), packed[:256].cpu(), s[:256].cpu()).cuda(), 2e-3)
        for v in GEMV_VERSIONS[1:] if m == 1 else GEMV_VERSIONS[2:]:
            cases.append(Case(f"w4a16 {v}, M = {m}", ours(x, v), bytes_each, "bytes", right, sets, peer))
        if triton := triton_module("w4a16"):
            call = functools.partial(lambda x, i: triton.linear_w4a16(x, weights[i], s), x)
            cases.append(Case(f"w4a16 triton, M = {m}", call, bytes_each, "bytes", right, sets, peer))
        exact = close_to(x.double() @ half.double().T, 5e-3)
        linear = functools.partial(lambda x, i: torch.nn.functional.linear(x, half), x)
        cases.append(Case(peer, linear, 2.0 * n * k, "bytes", exact, 1))
    return cases
