"""Attempts as learners write them: read from a file or a cell, refused, compiled, and told what they did."""

import json
from pathlib import Path

import diagnosis
import grader
import mistakes
import pytest
import torch

from cuda_quant_kernels.tasks import checks
from cuda_quant_kernels.tasks import source as sources

ADD = """__global__ void quantized_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb,
                              int zb, float sc, int zc) {
    int idx = threadIdx.x + blockIdx.x * blockDim.x;%s
    float x = sa * (float)(a[idx] - za), y = sb * (float)(b[idx] - zb);
    int q = (int)rintf((x + y) / sc) + zc;
    c[idx] = q > 127 ? 127 : q < -128 ? -128 : q;
}
"""
TILED = """__global__ void tiled_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    __shared__ int8_t sa[16][16];
    __shared__ int8_t sb[16][16];
    int ty = threadIdx.y, tx = threadIdx.x, r = blockIdx.y * 16 + ty, cc = blockIdx.x * 16 + tx;
    %s acc = 0;
    for (int t = 0; t < (k + 15) / 16; t++) {
        if (r < m && t * 16 + tx < k) sa[ty][tx] = a[r * k + t * 16 + tx]; else sa[ty][tx] = 0;
        if (cc < n && t * 16 + ty < k) sb[ty][tx] = b[(t * 16 + ty) * n + cc]; else sb[ty][tx] = 0;
        %s
        for (int i = 0; i < 16; i++) acc += sa[ty][i] * sb[i][tx];
        %s
    }
    if (r < m && cc < n) c[r * n + cc] = acc;
}
"""
GEMM = """__global__ void coalesced_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    int %s;
    if (t < m * n) {
        int acc = 0;
        for (int kk = 0; kk < k; kk++) acc += (int)a[%s] * (int)b[%s];
        c[row * n + col] = acc;
    }
}
"""
SYNC = "__syncthreads();"
pytest_plugins = ["ahead"]
AHEAD = [([Path(mistakes.__file__).with_suffix(".cu")], "trace")]
LEARNERS = {
    "no bounds check": ("quantized_add", ADD % "", "lets threads WITHOUT an element work"),
    "no first barrier": ("tiled_gemm", TILED % ("int", "", SYNC), "WITHOUT the first barrier"),
    "no second barrier": ("tiled_gemm", TILED % ("int", SYNC, ""), "LATER steps lack a barrier"),
    "int8 sums": ("tiled_gemm", TILED % ("char", SYNC, SYNC), "INT8 ACCUMULATOR"),
    "swapped strides": (
        "coalesced_gemm",
        GEMM % ("row = t / n, col = t % n", "row * n + kk", "kk * k + col"),
        "SWAPPED",
    ),
    "uncoalesced": (
        "coalesced_gemm",
        GEMM % ("col = t / m, row = t - col * m", "row * k + kk", "kk * n + col"),
        "UNCOALESCED",
    ),
}


@pytest.mark.parametrize("task, source, sentence", LEARNERS.values(), ids=LEARNERS)
def test_a_learners_kernel_is_told_what_it_did(task, source, sentence):
    attempt = grader.Names(mistakes.read_cuda("my_kernels.cu", source))
    assert sentence in diagnosis.diagnose(attempt, task, 3).sentence


def test_a_step_outside_for_another_reason_is_not_called_a_missing_check():
    source = GEMM % ("row = 1 + t / n, col = t % n", "row * k + kk", "kk * n + col")
    attempt = grader.Names(mistakes.read_cuda("my_kernels.cu", source))
    found = diagnosis.diagnose(attempt, "coalesced_gemm", 3, with_mutants=False)
    assert (
        found.mistake is None and "raises OutOfBounds" in found.sentence and "my_kernels.cu, line 6" in found.sentence
    )


@pytest.mark.parametrize(
    "task, source",
    [
        ("quantized_add", ADD % " if (idx >= n) return;"),
        ("tiled_gemm", TILED % ("int", SYNC, SYNC)),
        ("coalesced_gemm", GEMM % ("row = t / n, col = t % n", "row * k + kk", "kk * n + col")),
    ],
)
def test_a_learners_right_kernel_has_no_mistake(task, source):
    attempt = grader.Names(mistakes.read_cuda("my_kernels.cu", source))
    assert diagnosis.diagnose(attempt, task, 3).sentence == ""


def fault(source, task, *arguments, where="my_kernels.cu"):
    with pytest.raises(checks.WrongKernel) as caught:
        sources.CudaSource(source, where).run(task, *arguments)
    return caught.value


def products():
    return torch.ones(37, 53, dtype=torch.int8), torch.ones(53, 41, dtype=torch.int8)


def test_a_fault_names_the_line_in_a_file_and_in_a_cell():
    ones = torch.ones(1009, dtype=torch.int8)
    arguments = ("quantized_add", ones, ones, 1.0, 0, 1.0, 0, 1.0, 0)
    error = fault(ADD % "", *arguments)
    assert isinstance(error, checks.OutOfBounds) and error.place == "my_kernels.cu, line 4"
    assert (
        fault("\n" + ADD % "", *arguments, where="starter.ipynb, code cell 3").place
        == "starter.ipynb, code cell 3, line 5"
    )


def test_a_race_names_both_lines():
    error = fault(TILED % ("int", SYNC, ""), "tiled_gemm", *products())
    assert isinstance(error, checks.Race)
    assert error.place == "my_kernels.cu, line 7" and "of line 10" in str(error)


def test_what_is_never_written_is_found():
    error = fault(
        "__global__ void tiled_gemm(const int8_t*, const int8_t*, int* c, int m, int n, int k)"
        "{ if (!(blockIdx.x + blockIdx.y + threadIdx.x + threadIdx.y)) c[0] = 1; }",
        "tiled_gemm",
        *products(),
    )
    assert isinstance(error, checks.Unwritten) and "element 1 of c is never written" in str(error)


def test_what_is_done_over_and_over_is_told_how_often():
    source = """__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) {
        int sum = 0;
        for (int w = 0; w < words; ++w) sum = __dp4a(a[blockIdx.x * words + w], b[blockIdx.x * words + w], sum);
        if (threadIdx.x == 0) for (int i = 0; i < 4000; ++i) dots[blockIdx.x] = sum;
    }"""
    error = fault(source, "dp4a_dot", *(torch.ones(7, 1028, dtype=torch.int8),) * 2)
    assert isinstance(error, checks.OverBudget) and "dots is stored 4000 times over" in str(error), error


@pytest.mark.parametrize("task", mistakes.TASKS)
def test_every_mistake_is_compiled(task):
    text = Path(mistakes.__file__).with_suffix(".cu").read_text().split(f"int wrong_{task}(")[1].split("DISPATCH")[0]
    assert all(f"CASE({knobs})" in text for knobs in (*mistakes.KNOBS[task], *mistakes.PAIRS[task]))


def test_parameters_in_another_order_are_told():
    swapped = (ADD % " if (idx >= n) return;").replace("float sa, int za, float sb,", "float sa, float sb, int za,")
    ones = torch.ones(300, dtype=torch.int8)
    error = fault(swapped, "quantized_add", ones, ones, 1.0, 0, 1.0, 0, 1.0, 0)
    assert str(error).endswith("in this order: a, b, c, n, sa, za, sb, zb, sc, zc")


def test_an_output_that_nothing_sets_first_is_not_called_a_matter_of_order():
    source = """__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) {
        if (threadIdx.x < words)
            atomicAdd(&dots[blockIdx.x], __dp4a(a[threadIdx.x], b[threadIdx.x], 0));
    }"""
    error = fault(source, "dp4a_dot", *(torch.ones(1, 128, dtype=torch.int8),) * 2)
    assert isinstance(error, checks.Unwritten) and error.place == "my_kernels.cu, line 3"
    assert "before anything sets it" in str(error)


def test_a_result_that_depends_on_the_order_of_threads_is_found():
    source = """__global__ void row_absmax(const float* x, float* absmax, int cols) {
        __shared__ int turn;
        if (threadIdx.x == 0) turn = 0;
        __syncthreads();
        if (atomicAdd(&turn, 1) == 0) absmax[blockIdx.x] = threadIdx.x;
    }"""
    assert "order" in str(fault(source, "row_absmax", torch.ones(2, 300)))


def test_a_kernel_that_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr(sources, "SECONDS", 0.3)
    error = fault(
        "__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) { while (words) {} }",
        "dp4a_dot",
        torch.ones(1, 4, dtype=torch.int8),
        torch.ones(1, 4, dtype=torch.int8),
    )
    assert "still runs" in str(error)


def test_a_compiler_error_names_the_learners_line():
    error = fault(GEMM % ("row = t / n, col = t % q", "0", "0"), "coalesced_gemm", *products())
    assert isinstance(error, checks.DoesNotCompile) and str(error).startswith("does not compile: ")
    assert error.place == "my_kernels.cu, line 3" and error.__notes__ == [error.place]


def kernels(**changes):
    """A source with the package's kernels of these tasks; `{old: new}` changes one."""
    text = ""
    for task, change in changes.items():
        kernel = (sources.FOLDER / f"{task}.cu").read_text()
        for old, new in change.items():
            assert old in kernel
            kernel = kernel.replace(old, new)
        text += kernel
    return text


@pytest.mark.parametrize("change", [{"& 15": "& FIFTEEN"}, {">> 4;": ">> ;"}], ids=["a name", "an operand"])
def test_a_kernel_that_does_not_compile_stops_no_other(change):
    ones = torch.ones(1, 64, dtype=torch.int8)
    text = kernels(row_absmax={}, unpack_int4=change, coalesced_gemm={"int sum": "int sun"}, dp4a_dot={})
    cuda = sources.CudaSource(text, "my_kernels.cu")
    assert cuda.run("dp4a_dot", ones, ones).item() == 64
    assert cuda.run("row_absmax", torch.full((1, 5), -2.0)).item() == 2.0
    with pytest.raises(checks.DoesNotCompile) as caught:
        cuda.run("unpack_int4", torch.ones(2, dtype=torch.uint8), 4)
    line = 1 + text[: text.index(next(iter(change.values())))].count("\n")
    assert caught.value.place == f"my_kernels.cu, line {line}" and "none is graded" not in str(caught.value)
    with pytest.raises(checks.DoesNotCompile, match="sum"):
        cuda.run("coalesced_gemm", ones, ones.T)


def test_a_line_outside_the_kernels_that_does_not_compile_is_said_to_stop_all():
    text = "__device__ int helper() { return missing; }\n" + kernels(row_absmax={}, dp4a_dot={})
    error = fault(text, "row_absmax", torch.ones(1, 5))
    assert error.place == "my_kernels.cu, line 1" and "in no task's kernel, and none is graded" in str(error)


@pytest.mark.parametrize("name", ["INT_MAX + FLT_MIN + INFINITY", "__half2float(__float2half(2.0f))"])
def test_the_headers_that_the_workbook_names_are_there(name):
    include = "#include <cuda_fp16.h>\n" if "half" in name else ""
    text = include + kernels(row_absmax={"float m = 0.0f;": f"float m = 0.0f * (int)!({name});"})
    assert sources.CudaSource(text, "a.cu").run("row_absmax", torch.full((1, 5), -2.0)).item() == 2.0


def test_a_stub_is_not_started():
    with pytest.raises(NotImplementedError):
        sources.CudaSource("__global__ void dp4a_dot(const int* a) {\n    NOT_IMPLEMENTED;\n}", "a.cu").run("dp4a_dot")


def test_comments_and_other_kernels_do_not_hide_a_stub():
    kernel = "__global__ void dp4a_dot(int* d) { d[0] = 1; }"
    source = f"/* __global__ void dp4a_dot( {{ }} */ // NOT_IMPLEMENTED\n{kernel}\n__global__ void x() {{}}"
    assert sources.definition(source, "dp4a_dot") == kernel
    assert sources.definition(source, "row_absmax") is None


@pytest.mark.parametrize(
    "include", ['"../src/cuda_quant_kernels/tasks/tiled_gemm.cu"', "<../../tasks/tiled_gemm.cu>", "</home/me/tiled.cu>"]
)
def test_an_attempt_that_includes_the_reference_is_not_counted(include):
    with pytest.raises(grader.NotCounted, match="line 2: an attempt stands alone"):
        mistakes.read_cuda("a.cu", f"#include <cuda/std/limits>\n # include {include}\n")


def test_a_notebook_cell_that_writes_a_file_is_an_attempt(tmp_path):
    cell = {
        "cell_type": "code",
        "source": ["%%writefile my.cu\n", ADD % " if (idx >= n) return;"],
        "metadata": {},
        "outputs": [],
    }
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    ones = torch.ones(300, dtype=torch.int8)
    assert grader.load(tmp_path / "a.ipynb")["quantized_add"](ones, ones, 1.0, 0, 1.0, 0, 1.0, 0).tolist() == [2] * 300


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("tiled_gemm", torch.ones(2, 3), torch.ones(3, 2)), "a=torch.float32"),
        (
            ("tiled_gemm", torch.ones(2, 3, dtype=torch.int8), torch.ones(2, 2, dtype=torch.int8)),
            "b=2 rows: must have 3",
        ),
        (("dp4a_dot", torch.ones(1, 6, dtype=torch.int8), torch.ones(1, 6, dtype=torch.int8)), "multiple of 4"),
        (("unpack_int4", torch.ones(2, dtype=torch.uint8), 5), "packed=2 bytes: must have 3"),
        (("row_absmax", torch.ones(0, 4)), "non-empty"),
        (("quantized_add", *[torch.ones(4, dtype=torch.int8)] * 2, 1.0, 0, 1.0, 200, 1.0, 0), "zero_b=200: must be"),
    ],
)
def test_arguments_that_a_task_does_not_take(arguments, message):
    with pytest.raises(ValueError, match=message):
        sources.reference_kernel(arguments[0])(*arguments[1:])
