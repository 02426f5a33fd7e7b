"""What a kernel cannot take is refused by name, and what lies just inside the limits is right."""

import pytest
import torch

from cuda_quant_kernels import int4, linear, quantization
from cuda_quant_kernels.launch import KERNELS, launch, library

ADD = (0.5, 3, 0.25, -5, 1.5, 7)
GEMM = linear.GEMM_VERSIONS


def int8(*shape):
    return torch.randint(-128, 128, shape, dtype=torch.int8)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("per", ["tensor", "row", "group"])
def test_nan_and_infinity_are_refused(bad, per):
    x = torch.randn(3, 1009)
    x[1, 700] = bad
    with pytest.raises(ValueError, match="x=NaN or infinity"):
        quantization.quantize(x, per=per)
    with pytest.raises(ValueError, match="x=NaN or infinity"):
        quantization.quantize(x, per="tensor", scale=torch.ones(1))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: quantization.quantize(torch.zeros(3, 4, dtype=torch.float64)), "x.dtype=torch.float64"),
        (lambda: quantization.quantize(torch.zeros(4)), "2 dimension"),
        (lambda: quantization.quantize(torch.zeros(4, 4).T[::2]), "not contiguous"),
        (lambda: quantization.quantize(torch.zeros(0, 4)), "empty"),
        (lambda: quantization.quantize(torch.zeros(3, 4), torch.int16), "dtype=torch.int16"),
        (lambda: quantization.quantize(torch.zeros(3, 4), per="column"), "per='column'"),
        (lambda: quantization.quantize(torch.zeros(3, 4), version="thrice"), "version='thrice'"),
        (lambda: quantization.quantize(torch.zeros(3, 4), scale=torch.ones(1)), "a static scale is one for the tensor"),
        (
            lambda: quantization.quantize(torch.zeros(3, 4), per="tensor", scale=torch.zeros(1)),
            "scale=0.0: must be positive and finite",
        ),
        (lambda: quantization.quantize(torch.zeros(3, 4), per="tensor", scale=torch.tensor([1e-40])), "scale=9.99"),
        (lambda: quantization.dequantize(int8(3, 4), torch.tensor(1.0)), r"scale.shape=\(\)"),
        (lambda: quantization.dequantize(int8(3, 4), torch.ones(2)), r"scale.shape=\(2,\)"),
        (lambda: quantization.dequantize(int8(3, 4), torch.ones(3), torch.float64), "dtype=torch.float64"),
        (lambda: quantization.add_int8(int8(3), int8(4), *ADD), r"b.shape=\(4,\): must be that of a"),
        (lambda: quantization.add_int8(int8(3), int8(3), 0.0, 0, 1.0, 0, 1.0, 0), "scale_a=0.0"),
        (lambda: quantization.add_int8(int8(3), int8(3), 1.0, 0, 1.0, 300, 1.0, 0), "zero_b=300"),
        (lambda: quantization.add_int8(int8(3), int8(3), float("nan"), 0, 1.0, 0, 1.0, 0), "scale_a=nan"),
        (lambda: quantization.add_int8(int8(3), int8(3), 1e-60, 0, 1.0, 0, 1.0, 0), "scale_a=1e-60"),
        (lambda: quantization.add_int8(int8(3), int8(3), 1e38, 0, 1.0, 0, 1e-38, 0), "scale_a/scale_c"),
        (
            lambda: linear.linear_w8a8(int8(3, 4), int8(5, 6), torch.ones(3), torch.ones(5)),
            r"w.shape=\(5, 6\): must have K=4",
        ),
        (lambda: linear.linear_w8a8(int8(3, 18), int8(5, 18), torch.ones(3), torch.ones(5)), "K=18: mma needs"),
        (lambda: linear.linear_w8a8(int8(3, 16), int8(5, 16), torch.ones(4), torch.ones(5)), r"scale_a.shape=\(4,\)"),
        (
            lambda: linear.linear_w4a16(torch.zeros(17, 128).half(), torch.zeros(2, 16).int(), torch.ones(2, 1).half()),
            "M=17",
        ),
        (
            lambda: linear.linear_w4a16(torch.zeros(1, 64).half(), torch.zeros(2, 8).int(), torch.ones(2, 1).half()),
            "multiple of 128",
        ),
        (
            lambda: linear.linear_w4a16(torch.zeros(1, 128).half(), torch.zeros(2, 8).int(), torch.ones(2, 1).half()),
            "packed.shape=",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_longest_sum_is_exact_and_a_longer_one_is_refused():
    k, one = 2**17 - 1, torch.ones(1)
    a = torch.full((1, k), -128, dtype=torch.int8)
    for version in GEMM[:2]:
        assert linear.linear_w8a8(a, a, one, one, version=version).item() == float(k * 16384)
    longer = torch.full((1, k + 1), -128, dtype=torch.int8)
    for version in GEMM:
        with pytest.raises(ValueError, match="K=131072: int32 sums are exact up to K=131071"):
            linear.linear_w8a8(longer, longer, one, one, version=version)


def test_more_rows_than_a_grid_holds_are_refused():
    a, w = torch.ones(65536, 1, dtype=torch.int8), torch.ones(1, 1, dtype=torch.int8)
    with pytest.raises(ValueError, match="M=65536: coalesced allows 65535 rows"):
        linear.linear_w8a8(a, w, torch.ones(65536), torch.ones(1), version="coalesced")


def test_sums_far_beyond_int32_saturate():
    a = torch.tensor([100, -100, 0], dtype=torch.int8)
    for version in quantization.ADD_VERSIONS:
        c = quantization.add_int8(a, a, 1.0, 0, 1.0, 0, 1e-7, 7, version=version)
        assert c.tolist() == [127, -128, 7]


@pytest.mark.parametrize("size", [1e-7, 1e-5, 1e-3, 1.0, 1e4, 4e5])
def test_four_bit_weights_of_every_size_are_quantized_to_half_a_step(size):
    w = torch.randn(3, 256) * size
    w[1, :128] = 0
    w = w.clamp(-7 * 65504.0, 7 * 65504.0)
    packed, scale = int4.quantize_int4(w)
    codes = int4.unpack_int4_words(packed) - 8
    steps = scale.float().repeat_interleave(128, 1)
    assert scale.isfinite().all() and (scale > 0).all() and codes.abs().max() <= 7
    assert ((codes * steps - w).abs() <= 0.5001 * steps + 2.0**-11 * w.abs()).all()
    assert size < 1e-6 or codes.abs().amax(1)[[0, 2]].tolist() == [7, 7]


def test_four_bit_weights_that_no_scale_represents_are_refused():
    for w, message in (
        (torch.full((1, 128), float("nan")), "w=NaN or infinity"),
        (torch.full((1, 128), float("inf")), "w=NaN or infinity"),
        (torch.full((1, 128), 1e6), "w=1e.06 at most"),
        (torch.randn(2, 192), "K=192: must be a multiple of 128"),
        (torch.randn(128), r"w=torch.float32 of shape \(128,\)"),
        (torch.ones(2, 128, dtype=torch.int8), "w=torch.int8"),
    ):
        with pytest.raises(ValueError, match=message):
            int4.quantize_int4(w)


def test_python_and_cuda_agree_on_the_group_size():
    assert f"GROUP_SIZE = {int4.GROUP_SIZE};" in (KERNELS / "warp.cuh").read_text()


def test_a_version_that_does_not_exist_here_is_refused():
    with pytest.raises(RuntimeError, match="does not exist on this machine .target 'cpu'"):
        launch("gemm_w8a8", 99, *(torch.zeros(16, 16) for _ in range(5)), 16, 16, 16, target="cpu")


def test_the_last_version_is_refused_on_a_gpu_that_is_no_hopper():
    """It is compiled into every library and would compute nothing there."""
    lib = library("gemm_w8a8_tensor.cu", "cpu")
    lib.cdll.qk_set_capability(8)
    try:
        with pytest.raises(RuntimeError, match="does not exist on this machine"):
            linear.linear_w8a8(int8(3, 16), int8(5, 16), torch.ones(3), torch.ones(5), version="wgmma")
    finally:
        lib.cdll.qk_set_capability(9)
