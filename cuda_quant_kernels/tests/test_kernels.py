"""Every kernel against its exact oracle: ragged shapes, outliers, poisoned outputs, three thread orders; the tracer
and the sanitizer find nothing."""

from contextlib import contextmanager
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuda_quant_kernels import int4, linear, oracle, quantization
from cuda_quant_kernels.build import build
from cuda_quant_kernels.launch import KERNELS, SOURCES, Tracing, library
from cuda_quant_kernels.on_cpu.sanitize import Call, sanitize

ORDERS = [("ascending", 0), ("descending", 0), ("shuffled", 1)]
FORMATS = list(quantization.FORMATS)
ADD = (0.5, 3, 0.25, -5, 1.5, 7)
GEMM = linear.GEMM_VERSIONS
pytest_plugins = ["ahead"]
AHEAD = [([KERNELS / s], target) for target in ("cpu", "trace") for s in SOURCES]
AHEAD += [([KERNELS / s], "asan") for s in SOURCES if s not in ("vector_add.cu", "quantize_groups.cu")]


@contextmanager
def poisoned():
    """torch.empty gives NaN, and the largest value of int8: an element that is never written shows."""

    def filled(make):
        def poison(*args, **kwargs):
            made = make(*args, **kwargs)
            made.view(torch.uint8).fill_(0xFF if made.is_floating_point() else 0x7F)
            return made

        return poison

    with patch("torch.empty", filled(torch.empty)), patch("torch.empty_like", filled(torch.empty_like)):
        yield


def int8(*shape):
    return torch.randint(-128, 128, shape, dtype=torch.int8)


def bits(t):
    return t.view(torch.uint8)


def outliers(rows, cols, dtype):
    x = torch.randn(rows, cols)
    x[0, 0], x[-1, -1], x[rows // 2] = 1e4, -3e3, 0.0
    return x.to(dtype)


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: o[0])
@pytest.mark.parametrize("version", quantization.ADD_VERSIONS)
@pytest.mark.parametrize("n", [1, 15, 1009])
def test_addition_is_exact_in_every_order(n, version, order):
    a, b = int8(n), int8(n)
    with poisoned(), library("vector_add.cu", "cpu").order(*order):
        got = quantization.add_int8(a, b, *ADD, version=version)
    assert torch.equal(got, oracle.add_int8(a, b, *ADD))


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: o[0])
@pytest.mark.parametrize("per", ["tensor", "row", "group"])
@pytest.mark.parametrize("rows, cols", [(3, 5), (5, 1009), (2, 1000), (1, 2056)])
def test_quantization_is_exact_bit_for_bit(rows, cols, per, order):
    for dtype in quantization.INPUTS:
        x = outliers(rows, cols, dtype)
        for form in FORMATS:
            want_q, want_s = oracle.quantize(x, form, per)
            with poisoned(), library("quantize.cu", "cpu").order(*order):
                q, s = quantization.quantize(x, form, per)
                back = quantization.dequantize(q, s, dtype)
            assert torch.equal(s, want_s), (dtype, form)
            assert torch.equal(bits(q), bits(want_q)), (dtype, form)
            assert torch.equal(back, oracle.dequantize(want_q, want_s, dtype)), (dtype, form)


@pytest.mark.parametrize("cols", [8, 1000, 4096, 16384, 32768])
def test_one_read_equals_two_reads(cols):
    x = outliers(2, cols, torch.bfloat16)
    q1, s1 = quantization.quantize(x, version="one_pass")
    q2, s2 = quantization.quantize(x, version="two_pass")
    assert torch.equal(q1, q2) and torch.equal(s1, s2)


def test_more_rows_than_the_grids_second_index_holds():
    x = torch.randn(65540, 2)
    q, scale = quantization.quantize(x, per="group")
    want, want_scale = oracle.quantize(x, torch.int8, "group")
    assert torch.equal(q, want) and torch.equal(scale, want_scale)
    assert torch.equal(quantization.dequantize(q, scale), oracle.dequantize(want, want_scale, torch.float32))


def test_a_given_scale_saturates():
    x, scale = outliers(3, 1009, torch.float32), torch.tensor([0.02])
    for form in FORMATS:
        q, _ = quantization.quantize(x, form, "tensor", scale)
        assert torch.equal(bits(q), bits(oracle.encode(x * (1 / scale), form)))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 5), st.integers(1, 300), st.sampled_from(FORMATS), st.floats(1e-40, 1e30), st.integers(0, 99))
def test_codes_are_within_one_unit_of_dividing_by_the_scale(rows, cols, form, size, seed):
    x = torch.randn(rows, cols, generator=torch.Generator().manual_seed(seed)) * size
    q, scale = quantization.quantize(x, form, "row")
    divided = oracle.encode(x / scale[:, None], form)
    if form == torch.int8:
        assert (q.int() - divided.int()).abs().max() <= 1
        assert q.min() >= -127
    else:  # neighbouring codes of one sign are neighbouring integers
        assert (bits(q).int() - bits(divided).int()).abs().max() <= 1


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: o[0])
@pytest.mark.parametrize("version", GEMM)
@pytest.mark.parametrize("m, n, k", [(1, 1, 16), (37, 53, 528), (131, 257, 80)])
def test_the_int8_product_is_exact(m, n, k, version, order):
    a, w, sa, sw = int8(m, k), int8(n, k), torch.rand(m), torch.rand(n)
    with poisoned(), library("gemm_w8a8.cu", "cpu").order(*order):
        got = linear.linear_w8a8(a, w, sa, sw, version=version)
    assert torch.equal(got, oracle.linear_w8a8(a, w, sa, sw))


@pytest.mark.parametrize("version", GEMM[:3])
def test_the_first_versions_take_any_k(version):
    a, w = int8(7, 37), int8(11, 37)
    assert torch.equal(
        linear.linear_w8a8(a, w, torch.ones(7), torch.ones(11), version=version), (a.double() @ w.double().T).float()
    )


def test_int8_products_equal_torch_int_mm():
    a, w = int8(32, 64), int8(48, 64)
    assert torch.equal(
        linear.linear_w8a8(a, w, torch.ones(32), torch.ones(48)).int(), torch._int_mm(a, w.t().contiguous())
    )


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: o[0])
@pytest.mark.parametrize("version", linear.GEMV_VERSIONS)
@pytest.mark.parametrize("m, n, k", [(1, 7, 128), (5, 33, 256), (16, 19, 1152)])
def test_four_bit_weights(m, n, k, version, order):
    x = torch.randn(m, k).half()
    x[0, 3] = 200.0
    packed, scale = int4.quantize_int4(torch.randn(n, k))
    source = "gemm_w4a16.cu" if version == "tensor_core" else "gemv_w4a16.cu"
    with poisoned(), library(source, "cpu").order(*order):
        got = linear.linear_w4a16(x, packed, scale, version=version)
    want = oracle.linear_w4a16(x, packed, scale)
    # rounding to fp16 allows 2^-11 of each element; the fp32 sums add far less
    torch.testing.assert_close(got.double(), want, rtol=2**-10, atol=2**-11 * float(want.abs().max()) / 16)


def test_packing_four_bits_and_back():
    packed, scale = int4.quantize_int4(torch.randn(3, 256))
    q = int4.unpack_int4_words(packed)
    assert q.min() >= 1 and q.max() <= 15
    assert torch.equal(q[0, :8], torch.tensor([int(packed[0, 0]) >> 4 * i & 15 for i in range(8)], dtype=torch.int32))


# ---------------------------------------------------------------- watched


def everything(target):
    """One ragged call of each kernel and version."""
    a, b = int8(1009), int8(1009)
    for version in quantization.ADD_VERSIONS:
        quantization.add_int8(a, b, *ADD, version=version, target=target)
    for cols in (261, 264):
        x = outliers(3, cols, torch.bfloat16)
        for per in ("tensor", "row", "group"):
            quantization.dequantize(
                *quantization.quantize(x, torch.float8_e4m3fn, per, target=target), torch.bfloat16, target=target
            )
        quantization.quantize(x, version="two_pass", target=target)
        quantization.quantize(x, per="tensor", scale=torch.ones(1), target=target)
    for version in GEMM:
        # K of 528: every buffer of every version is used again
        linear.linear_w8a8(int8(37, 528), int8(53, 528), torch.rand(37), torch.rand(53), version=version, target=target)
    packed, scale = int4.quantize_int4(torch.randn(19, 256))
    for version in linear.GEMV_VERSIONS:
        linear.linear_w4a16(torch.randn(9, 256).half(), packed, scale, version=version, target=target)


def test_the_tracer_finds_nothing():
    tracing = Tracing()  # a race or an access outside the arrays would raise
    everything(tracing)
    assert len(tracing.reports) == 2 + 2 * (6 + 2) + len(GEMM) + 3
    assert all(report.rows for report in tracing.reports)


def test_the_tiles_of_the_int8_product_have_no_bank_conflicts():
    tracing = Tracing()
    for version in GEMM[2:]:
        linear.linear_w8a8(
            int8(128, 128), int8(256, 128), torch.rand(128), torch.rand(256), version=version, target=tracing
        )
    assert [report.efficiency("shared") for report in tracing.reports] == [1.0] * 4


def test_the_ladder_moves_ever_less():
    moved = []
    for version in GEMM:
        tracing = Tracing()
        linear.linear_w8a8(
            int8(128, 64), int8(256, 64), torch.rand(128), torch.rand(256), version=version, target=tracing
        )
        moved.append(tracing.reports[0].total(name="a") + tracing.reports[0].total(name="w"))
    assert moved[0] > 16 * moved[1] and moved[1] > 30 * moved[2], moved
    assert moved[2] > moved[3] > moved[4] == moved[5], moved  # the last two have tiles of one size


@pytest.mark.timeout(200)
def test_the_sanitizer_finds_nothing():
    a, w = int8(37, 48), int8(53, 48)
    for source, versions in (("gemm_w8a8", range(4)), ("gemm_w8a8_tensor", (4, 5))):
        tensors = (a, w, torch.rand(37), torch.rand(53), torch.empty(37, 53))
        calls = [Call(source, (version, *tensors, 37, 53, 48, None)) for version in versions]
        assert sanitize(build(KERNELS / f"{source}.cu", "asan"), calls) == []
    packed, scale = int4.quantize_int4(torch.randn(19, 256))
    tensors = (packed, scale, torch.randn(9, 256).half(), torch.empty(9, 19).half())
    launchers = ("gemv_w4a16", "gemv_w4a16", "gemm_w4a16")
    calls = [Call(name, (version, *tensors, 9, 19, 256, None)) for version, name in enumerate(launchers)]
    assert sanitize(build([KERNELS / "gemv_w4a16.cu", KERNELS / "gemm_w4a16.cu"], "asan"), calls) == []
    x, q = outliers(3, 261, torch.bfloat16), torch.empty(3, 261, dtype=torch.int8)
    rows = Call("quantize_rows", (0, 1, 0, x, q, torch.empty(3), 3, 261, None))
    assert sanitize(build(KERNELS / "quantize.cu", "asan"), rows) == []
