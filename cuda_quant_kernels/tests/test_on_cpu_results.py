"""The emulator computes what a GPU computes: kernels with nothing wrong, in three thread orders, in every CPU build."""

import ctypes
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from cuda_quant_kernels.build import load
from cuda_quant_kernels.on_cpu.memory import guarded, pointer
from cuda_quant_kernels.on_cpu.toolchain import cpu_compiler, version
from cuda_quant_kernels.on_cpu.trace import trace

SOURCE = Path(__file__).parent / "faults" / "correct.cu"
ORDERS = ("ascending", "descending", "shuffled")


@pytest.fixture(scope="module", params=["cpu", "trace", "portable"])
def lib(request):
    """The library; `portable` switches fibers by swapcontext, as on machines without the assembly."""
    if request.param == "portable":
        return load(SOURCE, "cpu", defines=("QK_UCONTEXT",))
    return load(SOURCE, request.param)


@pytest.fixture(params=ORDERS)
def order(request, lib):
    with lib.order(request.param, seed=5):
        yield


def _run(lib, which: int, x: np.ndarray, y: np.ndarray, n: int = 0) -> np.ndarray:
    f = guarded(np.zeros(1, np.float32))
    x, y = guarded(x), guarded(y)
    assert lib.run_correct(which, pointer(x), pointer(y), pointer(f), n) == 0
    y.check()
    return np.array(y)


def test_tiles_of_shared_memory_with_two_barriers(lib, order):
    x = np.arange(96, dtype=np.int32) ** 2
    got = _run(lib, 1, x, np.zeros(32, np.int32))
    np.testing.assert_array_equal(got, x.reshape(3, 32)[:, ::-1].sum(0) + 3)
    got = _run(lib, 0, x[:16], np.zeros(8, np.int32))
    np.testing.assert_array_equal(got, x[:16].reshape(2, 8).sum(0) + 2)


def test_a_launch_over_five_lines_with_comments_in_it(lib):
    got = _run(lib, 2, np.arange(64, dtype=np.int32), np.zeros(64, np.int32), 64)
    np.testing.assert_array_equal(got, np.arange(64) + 5)


def test_a_header_with_shared_memory_is_rewritten_too(lib, order):
    got = _run(lib, 9, np.arange(32, dtype=np.int32), np.zeros(32, np.int32))
    np.testing.assert_array_equal(got, np.arange(32)[::-1])


def test_syncwarp_orders_a_warp(lib, order):
    x = np.arange(1, 33, dtype=np.int32)
    np.testing.assert_array_equal(_run(lib, 3, x, np.zeros(32, np.int32)), np.full(32, x.sum()))


def test_atomics_and_a_spin_lock(lib, order):
    x = np.random.default_rng(0).integers(-100, 100, 64).astype(np.int32)
    y = np.array([0, -1000, 1000, 0, 0, 0], np.int32)
    np.testing.assert_array_equal(_run(lib, 4, x, y), [2 * x.sum(), x.max(), x.min(), 64, 0, 128])


CASTS = """#include <cuda_runtime.h>
__global__ void casts_kernel(const float* x, int* y, int n) {
    int i = threadIdx.x;
    float twice = 2.0f * x[i];
    y[i] = (int)x[i], y[n + i] = (int)rintf(x[i]), y[2 * n + i] = twice, y[3 * n + i] = (int)(2.0 * x[i]);
}
extern "C" int casts(const float* x, int* y, int n) {
    casts_kernel<<<1, n>>>(x, y, n);
    return (int)cudaGetLastError();
}
"""


@pytest.mark.parametrize("target", ["cpu", "trace"])
def test_a_conversion_to_int_saturates_and_makes_0_of_nan(target, tmp_path):
    if platform.machine() in ("x86_64", "AMD64") and "clang" in version(cpu_compiler()):
        pytest.skip("clang++ on x86-64 converts as the processor does")
    (tmp_path / "casts.cu").write_text(CASTS)
    x = np.float32([1e12, -1e12, np.inf, -np.inf, np.nan, 2.7, -2.7, 2**31 - 128, -(2**31), 0.0])
    y = guarded(np.zeros((4, len(x)), np.int32))
    assert load(tmp_path / "casts.cu", target).casts(pointer(guarded(x)), pointer(y), len(x)) == 0
    wide = np.nan_to_num(np.float64(x), posinf=1e30, neginf=-1e30)
    for got, want in zip(np.array(y), (wide, np.rint(wide), 2 * wide, 2 * wide), strict=True):
        np.testing.assert_array_equal(got, np.trunc(want.clip(-(2**31), 2**31 - 1)))


def test_grid_and_block_in_three_dimensions(lib, order):
    got = _run(lib, 5, np.zeros(1, np.int32), np.zeros(12 * 40, np.int32))
    np.testing.assert_array_equal(got, (np.arange(12)[:, None] * 1000 + np.arange(40)).ravel())


def test_warp_primitives(lib, order):
    got = _run(lib, 6, np.zeros(1, np.int32), np.zeros((64, 12), np.int32)).view(np.uint32)
    for thread, row in enumerate(got):
        lane, warp = thread % 32, thread // 32
        half = lane < 16
        want = [
            50,
            lane - 3 if lane >= 3 else lane,
            lane + 3 if lane % 8 + 3 < 8 else lane,
            lane ^ 16,
            sum(1 << i for i in range(32) if i % 3 == warp),
            2,
            1,
            31 * 16,
            0xFF << lane // 8 * 8,
            0x0000FFFF if half else 0xFFFF0000,
            lane ^ 1 if half else int(1.5 * min(lane + 1, 31)),
            13,
        ]
        np.testing.assert_array_equal(row, want, err_msg=f"thread {thread}")


@pytest.mark.parametrize("there", [0, 1, 15, 16, 500, 1024])
def test_cp_async_fills_a_ragged_edge_with_zeros(lib, there):
    x = np.arange(1024, dtype=np.uint8) + 1
    given = guarded(x[: max(there, 1)], alignment=16)
    y = guarded(np.full(1024, 9, np.uint8))
    assert lib.run_correct(7, pointer(given), pointer(y), None, there) == 0
    np.testing.assert_array_equal(y[:there], x[:there])
    assert not y[there:].any()


def test_dynamic_shared_memory_beyond_48_kilobytes(lib):
    got = _run(lib, 8, np.zeros(1, np.int32), np.zeros(64, np.int32), 50000)
    np.testing.assert_array_equal(got, np.arange(64)[::-1])


def test_tensor_core_int8(lib, order, rng):
    a, b = rng.integers(-128, 128, (16, 32), dtype=np.int8), rng.integers(-128, 128, (8, 32), dtype=np.int8)
    a, b, c = guarded(a), guarded(b), guarded(np.zeros((16, 8), np.int32))
    assert lib.run_tensor_core(0, pointer(a), pointer(b), pointer(c)) == 0
    np.testing.assert_array_equal(c, a.astype(np.int32) @ b.astype(np.int32).T)


def test_tensor_core_half(lib, order, rng):
    a, b = (rng.integers(-9, 9, s).astype(np.float16) for s in ((16, 16), (16, 8)))  # products and sums are exact
    a, b, c = guarded(a), guarded(b), guarded(np.zeros((16, 8), np.float32))
    assert lib.run_tensor_core(1, pointer(a), pointer(b), pointer(c)) == 0
    np.testing.assert_array_equal(c, a.astype(np.float32) @ b.astype(np.float32))


def test_conversions_are_those_of_torch(lib, rng):
    x = np.concatenate([rng.standard_normal(500) * 10.0 ** rng.integers(-6, 6, 500), [0.5, 1.5, 2.5, -0.5, 3e9, -3e9]])
    x = torch.from_numpy(x.astype(np.float32))
    n = len(x)
    outs = [torch.zeros(n, dtype=t) for t in (torch.half, torch.bfloat16, torch.uint8, torch.uint8, torch.int32)]
    assert lib.run_conversions(pointer(x), *map(pointer, outs), n) == 0
    half, bf16, e4m3, e5m2, rounded = outs
    assert torch.equal(half, x.half())
    assert torch.equal(bf16, x.bfloat16())
    # NVIDIA's conversions saturate, torch's do not: held against values within each format's range
    for got, kind, top in ((e4m3, torch.float8_e4m3fn, 448), (e5m2, torch.float8_e5m2, 57344)):
        assert torch.equal(got, x.clamp(-top, top).to(kind).view(torch.uint8))
    assert torch.equal(rounded, x.double().round().clamp(-(2**31), 2**31 - 1).int())  # ties to even


def test_correct_kernels_are_reported_clean(rng):
    """No race, no fault, in three thread orders: the tracer's false alarms would show here."""
    lib = load(SOURCE, "trace")
    for kind in ORDERS:
        with lib.order(kind, seed=9):
            for which, n in ((0, 0), (1, 0), (2, 64), (3, 0), (4, 0), (5, 0), (6, 0), (7, 500), (8, 50000), (9, 0)):
                x, y = guarded(np.ones(1024, np.int32)), guarded(np.zeros(1024, np.int32))
                f = guarded(np.zeros(1, np.float32))

                def call(lib, which=which, n=n, x=x, y=y, f=f):
                    return lib.run_correct(which, pointer(x), pointer(y), pointer(f), n)

                report = trace(lib, call, {"x": x, "y": y, "f": f})
                assert report.clean and report.result == 0, f"kernel {which}, {kind}:\n{report.table()}"
                assert report.rows
            for half in (0, 1):
                a, b, c = (guarded(np.ones(512, np.int8)) for _ in range(3))

                def call(lib, half=half, a=a, b=b, c=c):
                    return lib.run_tensor_core(half, pointer(a), pointer(b), pointer(c))

                assert trace(lib, call, {"a": a, "b": b, "c": c}).clean


@pytest.mark.gpu
def test_the_emulator_agrees_with_a_gpu(rng):
    """The same source and calls on the device. The votes are left out: a GPU need not answer __activemask alike."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    host, device = load(SOURCE, "cpu"), load(SOURCE, "gpu")
    x = torch.from_numpy(rng.integers(0, 100, 1024).astype(np.int32))
    for which, n in ((0, 0), (1, 0), (2, 64), (3, 0), (4, 0), (5, 0), (7, 500), (8, 50000), (9, 0)):
        arrays = [x, torch.zeros(1024, dtype=torch.int32), torch.zeros(1)]
        on_device = [a.cuda() for a in arrays]
        assert host.run_correct(which, *map(pointer, arrays), n) == 0
        assert device.run_correct(which, *map(pointer, on_device), n) == 0
        torch.cuda.synchronize()
        assert all(torch.equal(a, b.cpu()) for a, b in zip(arrays, on_device, strict=True)), f"kernel {which}"
    for half, dtype in ((0, torch.int8), (1, torch.half)):
        a, b = (torch.from_numpy(rng.integers(-9, 9, 512)).to(dtype) for _ in range(2))
        c = torch.zeros(128, dtype=torch.float32 if half else torch.int32)
        on_device = [t.cuda() for t in (a, b, c)]
        assert host.run_tensor_core(half, pointer(a), pointer(b), pointer(c)) == 0
        assert device.run_tensor_core(half, *map(pointer, on_device)) == 0
        assert torch.equal(c, on_device[2].cpu())


def test_two_libraries_in_one_process_keep_apart(lib):
    other = load(SOURCE, "cpu" if hasattr(lib.cdll, "qk_trace_start") else "trace")
    with other.order("descending"):
        x = np.arange(32, dtype=np.int32)
        for l in (lib, other, lib):
            np.testing.assert_array_equal(_run(l, 9, x, np.zeros(32, np.int32)), x[::-1])


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_ctypes_arguments_pass_unchanged(lib):
    assert lib.run_correct(99, None, None, None, ctypes.c_int(3)) == 0
