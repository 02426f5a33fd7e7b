"""The same checks on a device: run where there is one, skipped with the reason where there is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cuda_quant_kernels import int4, linear, oracle, quantization

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
CASES = Path(__file__).with_name("triton_cases.py")
ADD = (0.5, 3, 0.25, -5, 1.5, 7)


def int8(*shape):
    return torch.randint(-128, 128, shape, dtype=torch.int8)


@pytest.mark.parametrize("version", quantization.ADD_VERSIONS)
@pytest.mark.parametrize("n", [1, 15, 1009, 2**20 + 7])
def test_addition(n, version):
    a, b = int8(n), int8(n)
    assert torch.equal(
        quantization.add_int8(a.cuda(), b.cuda(), *ADD, version=version).cpu(), oracle.add_int8(a, b, *ADD)
    )


@pytest.mark.parametrize("per", ["tensor", "row", "group"])
@pytest.mark.parametrize("rows, cols", [(5, 1009), (257, 4096), (3, 32768)])
def test_quantization(rows, cols, per):
    for dtype in quantization.INPUTS:
        x = torch.randn(rows, cols).to(dtype)
        x[0, 0] = 1e4
        for form in quantization.FORMATS:
            q, s = quantization.quantize(x.cuda(), form, per)
            want, scale = oracle.quantize(x, form, per)
            assert torch.equal(s.cpu(), scale) and torch.equal(q.cpu().view(torch.uint8), want.view(torch.uint8))
            assert torch.equal(quantization.dequantize(q, s, dtype).cpu(), oracle.dequantize(want, scale, dtype))
    x[1, 1] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        quantization.quantize(x.cuda(), per=per)


def test_more_rows_than_the_grids_second_index_holds():
    x = torch.randn(70001, 8)
    q, s = quantization.quantize(x.cuda(), per="group")
    want, scale = oracle.quantize(x, torch.int8, "group")
    assert torch.equal(q.cpu(), want) and torch.equal(s.cpu(), scale)
    assert torch.equal(quantization.dequantize(q, s).cpu(), oracle.dequantize(want, scale, torch.float32))


@pytest.mark.parametrize("version", linear.GEMM_VERSIONS)
@pytest.mark.parametrize("m, n, k", [(1, 1, 16), (131, 257, 80), (513, 769, 1040)])
def test_int8_products(m, n, k, version):
    if version == "wgmma" and torch.cuda.get_device_capability()[0] != 9:
        pytest.skip("wgmma is Hopper's")
    a, w, sa, sw = int8(m, k), int8(n, k), torch.rand(m), torch.rand(n)
    for _ in range(3):  # a moving error is a race
        got = linear.linear_w8a8(a.cuda(), w.cuda(), sa.cuda(), sw.cuda(), version=version)
        assert torch.equal(got.cpu(), oracle.linear_w8a8(a, w, sa, sw))


@pytest.mark.parametrize("version", linear.GEMV_VERSIONS)
@pytest.mark.parametrize("m, n, k", [(1, 7, 128), (9, 33, 384), (16, 1021, 2176)])
def test_four_bit_weights(m, n, k, version):
    x = torch.randn(m, k).half()
    packed, scale = int4.quantize_int4(torch.randn(n, k))
    got = linear.linear_w4a16(x.cuda(), packed.cuda(), scale.cuda(), version=version).cpu()
    want = oracle.linear_w4a16(x, packed, scale)
    torch.testing.assert_close(got.double(), want, rtol=2**-10, atol=2**-11 * float(want.abs().max()) / 16)


def test_triton_agrees():
    pytest.importorskip("triton")
    in_a_process([CASES, "gpu"])


def test_bench_times_every_case(tmp_path):
    """In a process of its own, without the type checks of the tests: Triton reads the source of its kernels."""
    in_a_process(["-m", "cuda_quant_kernels", "bench", "--quick", "--out", tmp_path])
    bench = json.loads((tmp_path / "results.json").read_text())["bench"]
    assert bench["rows"] and not bench["not_timed"]


def in_a_process(arguments):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
