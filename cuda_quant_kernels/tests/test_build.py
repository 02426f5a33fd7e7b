"""Builds: found again by content, safe side by side, refused with the compiler's message at the .cu file's own line."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cuda_quant_kernels.build import BuildError, build, find_headers, load, nvcc, resource_usage, sass
from cuda_quant_kernels.on_cpu import memory, toolchain
from cuda_quant_kernels.on_cpu.cache import cache_folder
from cuda_quant_kernels.on_cpu.rewrite import RewriteError, rewrite

FAULTS = Path(__file__).parent / "faults"
ARCHS = ["sm_80", "sm_90a", "sm_100"]
pytest_plugins = ["ahead"]
AHEAD = [([FAULTS / "correct.cu"], "cpu"), ([FAULTS / "correct.cu"], "trace"), ([FAULTS / "correct.cu"], "gpu", ARCHS)]
MINIMAL = """\
#ifdef HEADER
#include "factor.cuh"
#else
#define FACTOR 2
#endif
extern "C" int factor() { return FACTOR; }
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own, which already has the emulator's runtimes."""
    usual = cache_folder()
    for target in ("cpu", "trace"):
        build(FAULTS / "correct.cu", target)
    place = tmp_path / "cache"
    place.mkdir()
    for runtime in usual.glob("runtime-*.o"):
        (place / runtime.name).symlink_to(runtime)
    monkeypatch.setenv("CUDA_QUANT_CACHE", str(place))
    return place


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "minimal.cu"
    path.write_text(MINIMAL)
    return path


def test_a_build_is_found_again_and_made_anew_when_anything_changes(cache, source):
    first = build(source, "cpu")
    stamp = first.stat().st_mtime_ns
    assert first.parent == cache and build([source], "cpu") == first and first.stat().st_mtime_ns == stamp
    assert load(source, "cpu").factor() == 2

    changed = build(source, "cpu", defines=("FACTOR_UNUSED=1",))
    assert changed != first
    (source.parent / "factor.cuh").write_text("#define FACTOR 3\n")
    assert load(source, "cpu", defines=("HEADER",)).factor() == 3
    (source.parent / "factor.cuh").write_text("#define FACTOR 5\n")
    assert load(source, "cpu", defines=("HEADER",)).factor() == 5, "a changed header is a changed build"
    source.write_text(MINIMAL.replace("FACTOR 2", "FACTOR 7"))
    assert load(source, "cpu").factor() == 7
    assert not list(cache.glob("building-*")), "nothing half-built is left"


def test_builders_side_by_side(cache, source):
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: build(source, "cpu"), range(4)))
    (path,) = paths
    assert load(source, "cpu").factor() == 2
    assert not list(cache.glob("building-*"))
    assert path.exists()


def test_a_killed_build_leaves_no_library(cache, source, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cuda_quant_kernels.on_cpu.compile.run", killed)
    with pytest.raises(KeyboardInterrupt):
        build(source, "cpu")
    assert not list(cache.glob("*.so")) and not list(cache.glob("building-*")) and not list(cache.glob("kernel-*"))


@pytest.mark.parametrize("target", ["cpu", "trace"])
def test_an_error_is_reported_at_the_line_of_the_source(cache, source, target):
    source.write_text(
        "__global__ void k(int* x) {\n    __shared__ int s[4],\n        t[4];\n    s[0] = t[0];\n"
        "    x[0] = undefined_name;\n}\n"
        'extern "C" void run(int* x) {\n    k<<<1,\n        32>>>(\n        x);\n    another;\n}\n'
    )
    with pytest.raises(BuildError) as caught:
        build(source, target)
    message = str(caught.value)
    assert message.startswith("minimal.cu does not compile:\n")
    assert f"{source}:5:" in message and "undefined_name" in message
    assert f"{source}:11:" in message, "lines after a launch over several lines are right too"


def test_what_the_rewriter_cannot_read_is_named(cache, source):
    source.write_text('extern "C" void run() {\n\n    k<<<1>>>();\n}\n')
    with pytest.raises(BuildError, match=r"minimal.cu:3: a launch takes <<<grid, block>>>"):
        build(source, "cpu")
    for text, says in (
        ("void f() {\n __shared__ int s = 3; }", "x.cu:2: cannot read this shared declaration"),
        ("void f() {\n __shared__ int s[3]\n}", "x.cu:2: this shared declaration has no semicolon"),
        ("void f() { __shared__ struct { int a; float b; x; ", "has no semicolon"),
        ("void f() { __shared__ float a[3], *b; }", "cannot read `.b` in this shared"),
        ("void f() { k<<<1, 2; }", "cannot read this kernel launch"),
        ("void f() { <<<1, 2>>>(3); }", "cannot read this kernel launch"),
    ):
        with pytest.raises(RewriteError, match=says):
            rewrite(text, "x.cu")


def test_the_rewriter_keeps_every_line_and_touches_nothing_else():
    text = (FAULTS / "correct.cu").read_text()
    out = rewrite(text, "correct.cu").splitlines()[1:]
    assert len(out) == len(text.splitlines())
    untouched = [line for line in text.splitlines() if not any(m in line for m in ("<<<", ">>>", "__shared__"))]
    assert len(untouched) > 100 and sum(line in out for line in untouched) >= len(untouched) - 4
    for line in text.splitlines():
        if line.startswith(("/* A comment", "static const char* text")):
            assert line in out, "comments and strings are not code"


@pytest.mark.parametrize(
    ("text", "kernel", "shape", "arguments"),
    [
        ("k<<<1, 2>>>(a, b);", "k", "1, 2", "a, b"),
        ("n::k<T, (A > B)><<<dim3(1, 2), t, 0, s>>>(f(a, b));", "n::k<T, (A > B)>", "dim3(1, 2), t, 0, s", "f(a, b)"),
        ("(pointer)<<<g, b>>>(x);", "(pointer)", "g, b", "x"),
        ("x = 1; k<pair<1, 2>> <<<g, b>>> (x);", "k<pair<1, 2>>", "g, b", "x"),
        ("k<<<(n + 255) >> 8, 256>>>(n < 3 ? p : q);", "k", "(n + 255) >> 8, 256", "n < 3 ? p : q"),
    ],
)  # fmt: skip
def test_launches_are_read(text, kernel, shape, arguments):
    out = "".join(rewrite(text, "x.cu").split("\n")[1:])
    assert f"{kernel} (qk_a...)" in out or f"{kernel}(qk_a...)" in out
    assert f"::qk::Shape({shape}), {arguments})" in out


def test_bad_arguments(source, tmp_path):
    for call, says in (
        (lambda: build(source, "tpu"), "target='tpu'"),
        (lambda: build([], "cpu"), r"sources=\[\]: empty"),
        (lambda: build(tmp_path / "none.cu", "cpu"), "none.cu: not a file"),
        (lambda: build(source, "cpu", arch="sm_80"), "arch='sm_80'"),
        (lambda: build(source, "gpu", arch="hopper"), "arch='hopper'"),
        (lambda: build(source, "gpu", arch=["sm_80", "90"]), "arch='90'"),
        (lambda: load(source, "asan"), "call on_cpu.sanitize"),
        (lambda: resource_usage(source), "make it with build"),
    ):
        with pytest.raises(ValueError, match=says):
            call()


# ---- finding things


def test_headers_are_found_where_they_lie(tmp_path, monkeypatch):
    assert (find_headers() / "cuda_runtime.h").is_file()
    home = tmp_path / "toolkit"
    (home / "include" / "crt").mkdir(parents=True)
    for name in ("cuda_runtime.h", "crt/host_config.h"):
        (home / "include" / name).touch()
    monkeypatch.setenv("CUDA_HOME", str(home))
    assert find_headers() == home / "include"
    (home / "bin").mkdir()
    (home / "bin" / "nvcc").touch()
    assert nvcc() == home / "bin" / "nvcc"


def test_without_headers_or_compiler_the_command_that_mends_it_is_given(monkeypatch):
    monkeypatch.setattr(toolchain, "_header_folders", lambda: iter([Path("/nowhere")]))
    with pytest.raises(BuildError, match=r'pip install "cuda-toolkit\[cudart,crt,cccl\]==13.0.\*"'):
        find_headers()
    monkeypatch.setattr(toolchain, "_tool", lambda name: None)
    with pytest.raises(BuildError, match=r'pip install "cuda-toolkit\[nvcc'):
        toolchain.gpu_compiler()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BuildError, match="install g\\+\\+"):
        toolchain.cpu_compiler()


def test_headers_from_the_wheels_alone():
    """As on a machine with Python, pip and g++ and nothing of NVIDIA's but the wheels."""
    code = (
        "import toolchain as t\n"
        "t.nvcc = lambda: None\n"
        "wheels = [p for p in t._in_wheels('include') if (p / 'crt' / 'host_config.h').is_file()]\n"
        "print(wheels[0] if wheels else '', t.find_headers())"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("CUDA_HOME", "CUDA_PATH")}
    environment["PYTHONPATH"] = str(Path(toolchain.__file__).parent)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    wheels, _, found = done.stdout.strip().rpartition(" ")
    if not wheels:
        pytest.skip("the header wheels are not installed")
    assert found == wheels


# ---- nvcc


needs_nvcc = pytest.mark.skipif(nvcc() is None, reason="no nvcc on this machine")


@needs_nvcc
@pytest.mark.parametrize("arch", ARCHS)
def test_nvcc_builds_the_same_source_without_spills(arch):
    library = build(FAULTS / "correct.cu", "gpu", arch=ARCHS)
    found = [r for r in resource_usage(library) if r.arch == arch]
    usage = {r.kernel.split("(")[0].split("<")[0].split()[-1]: r for r in found}
    assert {"tensor_core", "votes", "ragged_copy", "deep::er::add"} <= set(usage)
    assert all(r.spill_bytes == 0 and 0 < r.registers <= 255 for r in usage.values())
    assert usage["tensor_core"].shared_bytes == 768
    code = sass(library, arch)
    if code is not None:
        assert "IMMA.16832.S8.S8" in code and "HMMA.16816.F32" in code and "LDSM.16.M88.4" in code and "LDGSTS" in code


@needs_nvcc
def test_an_error_of_nvcc_is_reported(source):
    source.write_text("__global__ void k(int* x) {\n    x[0] = undefined_name;\n}\n")
    with pytest.raises(BuildError, match=r"minimal.cu\(2\): error: identifier .undefined_name"):
        build(source, "gpu")


# ---- the folder by itself


def test_the_emulator_s_folder_alone_is_enough(tmp_path):
    """As its README says: copied elsewhere, it compiles and traces with nothing of this project's around it."""
    shutil.copytree(Path(memory.__file__).parent, tmp_path / "on_cpu", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "add.cu").write_text(ADD_ONE)
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "[1", "2", "3]", "[]"], done.stdout + done.stderr


ADD_ONE = """\
#include <cuda_runtime.h>
#include "wgmma.cuh"
__global__ void add_one(const int* x, int* y) { y[threadIdx.x] = x[threadIdx.x] + 1; }
extern "C" int run(const int* x, int* y) { add_one<<<1, 3>>>(x, y); return (int)cudaGetLastError(); }
"""
ALONE = """\
import sys
from pathlib import Path
import numpy as np
from on_cpu.compile import build_on_cpu
from on_cpu.library import Library
from on_cpu.memory import guarded, pointer
from on_cpu.trace import trace
lib = Library(build_on_cpu([Path("add.cu")], "trace", defines=()))
x, y = guarded(np.arange(3, dtype=np.int32)), guarded(np.zeros(3, np.int32))
print(trace(lib, lambda lib: lib.run(pointer(x), pointer(y)), {"x": x, "y": y}).clean, y)
print([name for name in sys.modules if name.startswith(("cuda_quant", "torch"))])
"""
