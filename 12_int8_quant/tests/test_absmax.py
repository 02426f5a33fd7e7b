"""One scale: symmetric and asymmetric. PyTorch's quantizers are the oracle."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant import (
    absmax_quantize,
    dequantize,
    largest_code,
    rms_error,
    zeropoint_dequantize,
    zeropoint_quantize,
)
from mistakes import randn


@pytest.mark.task("absmax_quantize")
@pytest.mark.parametrize(("shape", "bits"), [((7, 11), 8), ((3, 5, 2), 8), ((13,), 4), ((17,), 2)])
def test_oracle_the_codes_are_pytorchs(impl, seed, shape, bits):
    x = randn(seed, *shape)
    codes, scale = impl.absmax_quantize(x, bits)
    limit = 2 ** (bits - 1) - 1
    assert (
        codes.dtype == torch.int8 and scale.shape == () and float(scale) == pytest.approx(float(x.abs().max()) / limit)
    )
    want = torch.fake_quantize_per_tensor_affine(x, scale, torch.zeros((), dtype=torch.int32), -limit, limit)
    # torch multiplies by 1 / scale: a number halfway between two codes may go the other way
    assert ((codes * scale - want).abs() > 1e-6).sum() <= 1
    assert int(codes.abs().max()) == limit


@pytest.mark.task("absmax_quantize")
def test_symmetric_scales_of_float64_keep_their_digits(impl):
    scale = impl.absmax_quantize(torch.tensor([0.1, -0.7], dtype=torch.float64))[1]
    assert scale.dtype == torch.float64 and float(scale) == pytest.approx(0.7 / 127, rel=1e-12)


@pytest.mark.task("absmax_quantize")
def test_very_small_numbers_are_no_zeros(impl):
    codes, scale = impl.absmax_quantize(torch.tensor([1e-12, -4e-12], dtype=torch.float64))
    assert codes.tolist() == [32, -127] and float(scale) == pytest.approx(4e-12 / 127)


@pytest.mark.task("absmax_quantize")
def test_halves_zeros_and_bfloat16(impl):
    codes, scale = impl.absmax_quantize(torch.tensor([-127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 2.9, -2.9]))
    assert codes.tolist() == [-127, 0, 2, 2, 0, -2, 3, -3] and float(scale) == 1
    codes, scale = impl.absmax_quantize(torch.zeros(2, 3))
    assert not codes.any() and float(scale) == 1
    codes, scale = impl.absmax_quantize(torch.tensor([1.328125, -1.328125], dtype=torch.bfloat16))
    assert codes.tolist() == [127, -127] and scale.dtype == torch.bfloat16


@pytest.mark.task("absmax_quantize")
def test_property_the_error_is_at_most_half_a_step_and_the_sign_changes_the_signs(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 40), st.integers(2, 8), st.floats(1e-6, 1e6), st.integers(0, 2**20))
    def holds(size, bits, factor, seed):
        x = randn(seed, size, dtype=torch.float64) * factor
        codes, scale = impl.absmax_quantize(x, bits)
        assert ((codes * scale - x).abs() <= scale * 0.5000001).all()
        assert torch.equal(impl.absmax_quantize(-x, bits)[0], -codes)

    holds()


@pytest.mark.task("absmax_quantize")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_bad_input_symmetric(impl, bad):
    with pytest.raises(ValueError):
        impl.absmax_quantize(torch.tensor([1.0, bad]))
    for bits in (1, 9):
        with pytest.raises(ValueError):
            impl.absmax_quantize(torch.ones(2), bits)


@pytest.mark.task("zeropoint_quantize")
@pytest.mark.parametrize("shift", [0.0, 0.7, 9.0, -9.0])
def test_oracle_the_observer_of_pytorch(impl, seed, shift):
    import warnings

    from torch.ao.quantization import MinMaxObserver

    x = randn(seed, 7, 11) + shift
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the namespace is deprecated; the numbers are the same
        observer = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_affine)
        observer(x)
        scale, zero_point = observer.calculate_qparams()
    codes, ours, point = impl.zeropoint_quantize(x)
    assert codes.dtype == torch.int8 and point.dtype == torch.int32
    assert float(ours) == pytest.approx(float(scale), rel=1e-6) and int(point) == int(zero_point)
    want = torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero_point), -128, 127)
    assert (((codes.int() - point) * ours - want).abs() > 1e-5).sum() <= 1  # one number halfway may go the other way


@pytest.mark.task("zeropoint_quantize")
def test_asymmetric_scales_of_float64_keep_their_digits(impl):
    scale = impl.zeropoint_quantize(torch.tensor([-0.1, 0.7], dtype=torch.float64))[1]
    assert scale.dtype == torch.float64 and float(scale) == pytest.approx(0.8 / 255, rel=1e-12)


@pytest.mark.task("zeropoint_quantize")
@pytest.mark.parametrize(("number", "code", "zero"), [(5.0, 127, -128), (-5.0, -128, 127), (1e-12, 127, -128)])
def test_equal_numbers_have_a_range_that_reaches_zero(impl, number, code, zero):
    codes, scale, point = impl.zeropoint_quantize(torch.full((3,), number))
    assert codes.tolist() == [code] * 3 and int(point) == zero and float(scale) == pytest.approx(abs(number) / 255)


@pytest.mark.task("zeropoint_quantize")
def test_codes_stay_in_int8_and_zeros_are_whole(impl):
    codes, scale, point = impl.zeropoint_quantize(torch.tensor([-153.5, 101.5, 0.0, 0.5, 1.5, -0.5, 33.3]))
    assert codes.tolist() == [-128, 127, 26, 26, 28, 26, 59] and int(point) == 26 and float(scale) == 1
    codes, _, point = impl.zeropoint_quantize(torch.tensor([-155.0, 100.0, 0.5, 1.5, -0.5]))
    assert int(point) == 27 and codes.tolist() == [-128, 127, 27, 29, 27]
    codes, scale, point = impl.zeropoint_quantize(torch.zeros(3))
    assert codes.tolist() == [-128] * 3 and float(scale) == 1 and int(point) == -128


@pytest.mark.task("zeropoint_quantize")
def test_property_zero_is_exact_and_the_error_is_at_most_one_step(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 40), st.floats(-5, 5), st.integers(0, 2**20))
    def holds(size, shift, seed):
        x = randn(seed, size, dtype=torch.float64) + shift
        codes, scale, point = impl.zeropoint_quantize(torch.cat((x, torch.zeros(1, dtype=x.dtype))))
        back = (codes.int() - point) * scale
        assert float(back[-1]) == 0
        assert ((back[:-1] - x).abs() <= scale * 1.0000001).all()

    holds()


@pytest.mark.task("zeropoint_quantize")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_bad_input_asymmetric(impl, bad):
    with pytest.raises(ValueError):
        impl.zeropoint_quantize(torch.tensor([1.0, bad]))


def test_effect_after_a_relu_asymmetric_codes_are_twice_as_fine():
    x = randn(0, 10_000).relu()
    symmetric = rms_error(x, dequantize(*absmax_quantize(x)))
    asymmetric = rms_error(x, zeropoint_dequantize(*zeropoint_quantize(x)))
    assert 1.9 < symmetric / asymmetric < 2.1


def test_effect_each_bit_halves_the_error():
    x = randn(1, 10_000)
    errors = [rms_error(x, dequantize(*absmax_quantize(x, bits))) for bits in (8, 7, 6, 5)]
    assert all(1.9 < more / less < 2.2 for less, more in zip(errors, errors[1:], strict=False))


@pytest.mark.parametrize("bits", [1, 9, 0])
def test_bad_input_bits(bits):
    with pytest.raises(ValueError, match=f"bits={bits}: .* choose 2 to 8"):
        largest_code(bits)
