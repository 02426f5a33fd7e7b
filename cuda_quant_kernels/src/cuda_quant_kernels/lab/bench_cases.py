"""What is timed on a GPU: every kernel and its peers, the bytes or operations of a call, how to see it is right."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from . import ops, reference

L2_MULTIPLE = 4           # the buffers of a case are together this many times the L2 cache


@dataclass(frozen=True)
class Sizes:
    """What is timed: elements to add, rows and columns to quantize, the side of the product, N and K of the GEMV."""

    add: int = 2**30
    quantize: tuple[int, int] = (16384, 16384)
    gemm: int = 8192
    gemv: tuple[int, int] = (28672, 8192)


FULL = Sizes()
QUICK = Sizes(2**27, (2048, 16384), 1024, (3584, 8192))


@dataclass(frozen=True)
class Case:
    """One thing to time. `call(set number)`, the bytes or operations of a call, and how to see that it is right."""

    name: str
    call: Callable[[int], object]
    work: float
    unit: str  # "bytes" or "operations"
    right: Callable[[object], bool]
    sets: int
    peer: str | None = None  # the case that does the same and is not ours


def sets_for(bytes_each: float, device: torch.device) -> int:
    """How many copies of a call's buffers are several times the L2 cache."""
    cache = torch.cuda.get_device_properties(device).L2_cache_size
    return max(1, min(8, int(L2_MULTIPLE * cache / bytes_each) + 1))


def same(got: Tensor, want: Tensor) -> bool:
    return got.dtype == want.dtype and got.shape == want.shape and bool((got.float() == want.float()).all())


def ends(t: Tensor) -> Tensor:
    """The first and the last few rows or elements: what a reference on the CPU is compared with."""
    few = 8 if t.dim() == 2 else 4096
    return torch.cat((t[:few], t[-few:]))


def one_unit(got: Tensor, want: Tensor) -> bool:
    """For peers, which may divide where we multiply: codes at most one apart."""
    return got.shape == want.shape and bool((got.int() - want.int()).abs().max() <= 1)


def near(got: Tensor, want: Tensor, tolerance: float) -> bool:
    error = (got.double() - want.double()).norm() / want.double().norm()
    return bool(error.isfinite()) and error.item() < tolerance


def in_triton(name: str) -> ModuleType | None:
    """The module of that Triton kernel, where Triton is installed."""
    try:
        return importlib.import_module(f".triton_kernels.{name}", __package__)
    except ImportError:
        return None


def add_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    n, args = sizes.add, (0.5, 3, 0.25, -5, 0.125, 7)
    sets = sets_for(3 * n, g.device)
    a, b = (
        [torch.randint(-127, 128, (n,), dtype=torch.int8, device="cuda", generator=g) for _ in range(sets)]
        for _ in range(2)
    )
    want = reference.add_int8(ends(a[0]).cpu(), ends(b[0]).cpu(), *args).cuda()

    def right(c):
        return same(ends(c), want)

    out = torch.empty_like(a[0])

    def plain(a, b):
        return (((a.float() - 3) * 4 + (b.float() + 5) * 2).round() + 7).clamp(-128, 127).to(torch.int8)

    def ours(version):
        return lambda i: ops.add_int8(a[i], b[i], *args, version=version)

    fused = torch.compile(plain)
    return [
        Case("copy", lambda i: out.copy_(a[i]), 2.0 * n, "bytes", lambda c: same(c, a[0]), sets),
        Case("add scalar", ours("scalar"), 3.0 * n, "bytes", right, sets, "add, torch.compile"),
        Case("add 16 bytes", ours("16 bytes"), 3.0 * n, "bytes", right, sets, "add, torch.compile"),
        Case("add, torch eager", lambda i: plain(a[i], b[i]), 3.0 * n, "bytes", right, sets),
        Case("add, torch.compile", lambda i: fused(a[i], b[i]), 3.0 * n, "bytes", right, sets),
    ]


def quantize_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    rows, cols = sizes.quantize
    n = rows * cols
    sets = sets_for(3 * n, g.device)
    x = [torch.randn(rows, cols, device="cuda", generator=g).bfloat16() for _ in range(sets)]
    unit, some = torch.full((1,), 0.03, device="cuda"), ends(x[0]).cpu()

    def right(per, compare=same):
        want = reference.quantize(some, torch.int8, per)[0].cuda()
        return lambda r: compare(ends(r[0]), want)

    def given(r):
        return same(ends(r[0]), reference.encode(some.float() * (1 / unit.cpu()), torch.int8).cuda())

    def whole(r):
        return same(r[0], reference.quantize(x[0], torch.int8, "tensor")[0])

    def eager(x):
        s = x.float().abs().amax(1, keepdim=True) / 127
        return (x.float() * (1 / s)).round().clamp(-127, 127).to(torch.int8), s

    def ours(**how):
        return lambda i: ops.quantize(x[i], check=False, **how)

    def case(name, call, bytes_each, right, peer=None):
        return Case(name, call, bytes_each * n, "bytes", right, sets, peer)

    fused, peer = torch.compile(eager), "quantize row, torch.compile"
    q, s = ops.quantize(x[0], per="group")
    back = reference.dequantize(ends(q).cpu(), ends(s).cpu(), torch.bfloat16).cuda()
    cases = [
        case("quantize given", ours(per="tensor", scale=unit), 3.0, given),
        case("quantize row", ours(version="one read"), 3.0, right("row"), peer),
        case("quantize row, two reads", ours(version="two reads"), 3.0, right("row"), peer),
        case("quantize tensor", ours(per="tensor"), 5.0, whole),
        case("quantize group", ours(per="group"), 3 + 4 / 128, right("group")),
        case(
            "dequantize group",
            lambda i: ops.dequantize(q, s, torch.bfloat16),
            3 + 4 / 128,
            lambda r: same(ends(r), back),
        ),
        case("quantize row, torch eager", lambda i: eager(x[i]), 3.0, right("row", one_unit)),
        case("quantize row, torch.compile", lambda i: fused(x[i]), 3.0, right("row", one_unit)),
    ]
    if triton := in_triton("quantize_rows"):
        cases.append(case("quantize row, triton", lambda i: triton.quantize_rows(x[i]), 3.0, right("row"), peer))
    return cases


def w8a8_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    side, sets, capability = sizes.gemm, 3, torch.cuda.get_device_capability()
    a, w = (
        [torch.randint(-127, 128, (side, side), dtype=torch.int8, device="cuda", generator=g) for _ in range(sets)]
        for _ in range(2)
    )
    sa, sw = torch.rand(side, device="cuda", generator=g), torch.rand(side, device="cuda", generator=g)
    want = reference.linear_w8a8(ends(a[0]).cpu(), w[0].cpu(), torch.cat((sa[:8], sa[-8:])).cpu(), sw.cpu()).cuda()
    exact = (ends(a[0]).cpu().double() @ w[0].cpu().double().T).int().cuda()

    def case(name, call, right, peer=None):
        return Case(name, call, 2.0 * side**3, "operations", right, sets, peer)

    def scaled(c):
        return same(ends(c), want)

    def ours(version):
        return lambda i: ops.linear_w8a8(a[i], w[i], sa, sw, version=version)

    versions = [v for v in ops.GEMM_VERSIONS if v != "wgmma" or capability[0] == 9]
    cases = [case(f"w8a8 {v}", ours(v), scaled, "torch._int_mm") for v in versions]
    cases += [case("torch._int_mm", lambda i: torch._int_mm(a[i], w[i].t()), lambda c: same(ends(c), exact))]
    if capability >= (8, 9):
        af, wf = ([t.to(torch.float8_e4m3fn) for t in m] for m in (a, w))
        one, loose = torch.ones((), device="cuda"), ends(af[0]).float() @ wf[0].float().T

        def float8(i):
            return torch._scaled_mm(af[i], wf[i].t(), one, one, out_dtype=torch.bfloat16)

        cases += [case("torch._scaled_mm, E4M3", float8, lambda c: near(ends(c), loose, 1e-2))]
    if triton := in_triton("w8a8"):
        cases += [case("w8a8 triton", lambda i: triton.linear_w8a8(a[i], w[i], sa, sw), scaled, "torch._int_mm")]
    return cases


def w4a16_cases(g: torch.Generator, sizes: Sizes) -> list[Case]:
    n, k = sizes.gemv
    packed, s = (t.cuda() for t in reference.quantize_int4(torch.randn(n, k, device="cuda", generator=g).cpu()))
    bytes_each = packed.nbytes + s.nbytes
    sets = sets_for(bytes_each, g.device)
    weights, half = [packed.clone() for _ in range(sets)], torch.randn(n, k, device="cuda", generator=g).half()

    def ours(x, version):
        return lambda i: ops.linear_w4a16(x, weights[i], s, version=version)

    def close_to(want, tolerance):
        return lambda y: near(y[:, : want.shape[1]], want, tolerance)

    cases = []
    for m in (1, 16):
        x, peer = torch.randn(m, k, device="cuda", generator=g).half(), f"torch fp16 linear, M = {m}"
        right = close_to(reference.linear_w4a16(x.cpu(), packed[:256].cpu(), s[:256].cpu()).cuda(), 2e-3)
        for v in ops.GEMV_VERSIONS[1:] if m == 1 else ops.GEMV_VERSIONS[2:]:
            cases.append(Case(f"w4a16 {v}, M = {m}", ours(x, v), bytes_each, "bytes", right, sets, peer))
        if triton := in_triton("w4a16"):
            call = functools.partial(lambda x, i: triton.linear_w4a16(x, weights[i], s), x)
            cases.append(Case(f"w4a16 triton, M = {m}", call, bytes_each, "bytes", right, sets, peer))
        exact = close_to(x.double() @ half.double().T, 5e-3)
        linear = functools.partial(lambda x, i: torch.nn.functional.linear(x, half), x)
        cases.append(Case(peer, linear, 2.0 * n * k, "bytes", exact, 1))
    return cases
