"""A kernel that does what it may not do never ends the process: a Python exception names the fault, file and line."""

import time
from pathlib import Path

import numpy as np
import pytest
from test_on_cpu_trace import FAULTS, ORDERS, line_of

from cuda_quant_kernels.build import build, load
from cuda_quant_kernels.on_cpu.faults import KernelFault
from cuda_quant_kernels.on_cpu.memory import guarded, pointer
from cuda_quant_kernels.on_cpu.sanitize import Call, sanitize

pytest_plugins = ["ahead"]
BOTH = [FAULTS / "memory.cu", FAULTS / "threads.cu"]
AHEAD = [(BOTH, "cpu"), (BOTH, "trace"), ([*BOTH, FAULTS / "correct.cu"], "asan")]


@pytest.fixture(scope="module", params=["cpu", "trace"])
def lib(request):
    return load(BOTH, request.param)


def _fault(call, *arguments) -> list[tuple[str, str, int]]:
    with pytest.raises(KernelFault) as caught:
        call(*arguments)
    return [(f.kind, Path(f.file).name, f.line) for f in caught.value.faults]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("which", "n", "kind", "tag"),
    [
        (0, 40, "divergent", "in branch"),
        (2, 0, "deadlock", "lane missing"),
        (3, 20, "shuffle", "ended lane"),
        (4, 0, "shuffle", "own mask"),
    ],
)
def test_threads_that_wait_for_ever(lib, order, which, n, kind, tag):
    y = guarded(np.zeros(64, np.int32))
    with lib.order(order, seed=1):
        faults = _fault(lib.run_wait, which, pointer(y), n)
    assert (kind, "threads.cu", line_of("threads.cu", tag)) in faults
    assert len(faults) == 1


def test_two_barriers_that_are_not_one(lib):
    y = guarded(np.zeros(64, np.int32))
    with pytest.raises(KernelFault) as caught:
        lib.run_wait(1, pointer(y), 0)
    (fault,) = caught.value.faults
    lines = {line_of("threads.cu", "one of two"), line_of("threads.cu", "two of two")}
    (other,) = lines - {fault.line}
    assert fault.kind == "divergent" and f"threads.cu:{other}" in fault.message


@pytest.mark.parametrize(
    ("which", "tag"), [(0, "too many threads"), (1, "no block"), (2, "too much dynamic"), (3, "too much")]
)
def test_launches_that_a_gpu_refuses(lib, which, tag):
    y = guarded(np.zeros(64, np.int32))
    assert _fault(lib.run_shape, which, pointer(y)) == [("launch", "threads.cu", line_of("threads.cu", tag))]


@pytest.mark.parametrize(("which", "kind", "tag"), [(7, "address", "wild"), (9, "arithmetic", "divide")])
def test_signals_become_exceptions_at_the_kernel_s_line(lib, which, kind, tag):
    x = guarded(np.zeros(64, np.int32))
    assert _fault(lib.run_bounds, which, pointer(x), pointer(x), 0) == [(kind, "memory.cu", line_of("memory.cu", tag))]
    assert lib.run_banks(pointer(x), 1) == 0, "and the next launch works"


def test_asserts_and_traps_end_the_launch_alone(lib):
    x = guarded(np.zeros(64, np.int32))
    assert lib.run_bounds(12, pointer(x), pointer(x), 0) == 0
    (fault,) = _fault(lib.run_bounds, 12, pointer(x), pointer(x), 1)
    assert fault == ("abort", "memory.cu", line_of("memory.cu", "trap"))
    x[:] = 1
    (fault,) = _fault(lib.run_bounds, 12, pointer(x), pointer(x), 0)
    assert fault == ("assert", "memory.cu", line_of("memory.cu", "assert"))


def test_a_loop_that_does_not_end_is_stopped(lib):
    x = guarded(np.zeros(64, np.int32))
    lib.limit(0.2)
    began = time.process_time()
    try:
        (fault,) = _fault(lib.run_bounds, 10, pointer(x), pointer(x), 0)
    finally:
        lib.limit(0)
    assert fault == ("timeout", "memory.cu", line_of("memory.cu", "forever"))
    assert time.process_time() - began < 5


def test_recursion_without_end_is_a_full_stack(lib):
    x = guarded(np.zeros(64, np.int32))
    assert [kind for kind, _, _ in _fault(lib.run_bounds, 11, pointer(x), pointer(x), 1 << 20)] == ["stack"]
    assert lib.run_bounds(11, pointer(x), pointer(x), 3) == 0


def test_a_missing_bounds_check_meets_the_guard_page():
    """Without any instrumentation: the array ends where the memory ends."""
    lib = load(BOTH, "cpu")
    x = guarded(np.zeros(40, np.float32), alignment=1)
    faults = _fault(lib.run_bounds, 0, pointer(x), pointer(x), 40)
    assert faults == [("address", "memory.cu", line_of("memory.cu", "write past"))]


def test_a_write_short_of_the_guard_page_is_found_by_check():
    lib = load(BOTH, "cpu")
    x = guarded(np.zeros(40, np.float32))
    assert lib.run_bounds(0, pointer(x), pointer(x), 40) == 0
    with pytest.raises(ValueError, match="0 bytes past its end has been overwritten .the array has 160 bytes"):
        x.check()
    before = guarded(np.zeros(1024, np.float32))
    assert lib.run_bounds(0, pointer(before), pointer(before), 1024) == 0
    before.check()
    shifted = guarded(np.zeros(900, np.float32))
    lib.run_bounds(2, pointer(shifted), pointer(shifted), 0)
    with pytest.raises(ValueError, match="4 bytes before its start|1 bytes before its start"):
        shifted.check()
    with pytest.raises(ValueError, match="only a guarded array itself"):
        shifted[:3].check()
    with pytest.raises(ValueError, match="alignment=48"):
        guarded(np.zeros(3), alignment=48)


# ---- under the address sanitizer


@pytest.fixture(scope="module")
def sanitized():
    return build([*BOTH, FAULTS / "correct.cu"], "asan")


@pytest.mark.parametrize(
    ("which", "n", "kind", "tag"),
    [
        (0, 40, "heap-buffer-overflow", "write past"),
        (1, 32, "heap-buffer-overflow", "read past"),
        (2, 32, "heap-buffer-overflow", "write before"),
        (3, 32, "use-after-poison", "shared past"),
        (4, 32, "use-after-poison", "dynamic past"),
        (8, 8, "stack-buffer-overflow", "local past"),
    ],
)
def test_the_sanitizer_names_the_line(sanitized, which, n, kind, tag):
    x, y = np.zeros(max(n, 32), np.float32), np.zeros(32, np.float32)
    found = sanitize(sanitized, Call("run_bounds", (which, x, y, n)))
    assert (kind, line_of("memory.cu", tag)) in {(f.kind, f.line) for f in found}, found
    assert {f.line for f in found} <= {line_of("memory.cu", tag), line_of("memory.cu", tag) + 1}


def test_the_sanitizer_finds_nothing_in_correct_kernels(sanitized):
    x, y, f = np.ones(1024, np.int32), np.zeros(1024, np.int32), np.zeros(1, np.float32)
    calls = [Call("run_correct", (which, x, y, f, 500 if which == 7 else 64)) for which in (0, 1, 2, 3, 4, 5, 6, 7, 9)]
    a = np.ones(512, np.int8)
    calls += [Call("run_tensor_core", (half, a, a, a)) for half in (0, 1)]
    assert sanitize(sanitized, calls) == []


def test_the_sanitized_process_reports_the_emulator_s_faults_too(sanitized):
    (fault,) = sanitize(sanitized, Call("run_wait", (0, np.zeros(64, np.int32), 40)))
    assert (fault.kind, fault.line) == ("divergent", line_of("threads.cu", "in branch"))


def test_what_the_sanitizer_cannot_be_given(sanitized):
    with pytest.raises(ValueError, match="run_wait, argument 1=str"):
        sanitize(sanitized, Call("run_wait", (0, "text")))
    with pytest.raises(RuntimeError, match="ended with"):
        sanitize(sanitized, Call("no_such_function", (0,)))
    with pytest.raises(RuntimeError, match="still ran after"):
        sanitize(sanitized, Call("run_bounds", (10, np.zeros(32, np.int32), None, 0)), seconds=1)
