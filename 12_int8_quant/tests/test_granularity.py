"""Who shares a scale."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant import (
    absmax_quantize,
    bits_per_weight,
    dequantize,
    dequantize_groups,
    quantize_channels,
    quantize_groups,
    quantize_tokens,
    rms_error,
)
from mistakes import randn


@pytest.mark.task("quantize_groups")
@pytest.mark.parametrize(("O", "I", "size", "bits"), [(7, 15, 5, 8), (3, 11, 11, 8), (6, 6, 3, 4), (5, 14, 2, 3)])
def test_oracle_each_group_is_quantized_by_itself(impl, seed, O, I, size, bits):
    weight = randn(seed, O, I, dtype=torch.float64)
    weight[1] *= 100
    codes, scales = impl.quantize_groups(weight, size, bits)
    assert codes.shape == (O, I) and codes.dtype == torch.int8 and scales.shape == (O, I // size)
    for o in range(O):
        for g in range(I // size):
            part = slice(g * size, (g + 1) * size)
            want, scale = absmax_quantize(weight[o, part], bits)
            assert torch.equal(codes[o, part], want) and float(scales[o, g]) == pytest.approx(float(scale), rel=1e-12)


@pytest.mark.task("quantize_groups")
def test_a_group_of_very_small_numbers_is_no_group_of_zeros(impl):
    codes, scales = impl.quantize_groups(torch.tensor([[1e-12, -4e-12, 0.0, 127.0]], dtype=torch.float64), 2)
    assert codes.tolist() == [[32, -127, 0, 127]] and float(scales[0, 0]) == pytest.approx(4e-12 / 127)


@pytest.mark.task("quantize_groups")
def test_oracle_per_channel_is_pytorchs(impl, seed):
    weight = randn(seed, 5, 13)
    codes, scales = impl.quantize_groups(weight, 13)
    zeros = torch.zeros(5, dtype=torch.int32)
    want = torch.fake_quantize_per_channel_affine(weight, scales[:, 0], zeros, 0, -127, 127)
    assert ((codes * scales - want).abs() > 1e-6).sum() <= 1  # torch multiplies by 1 / scale


@pytest.mark.task("quantize_groups")
def test_zeros_and_halves(impl):
    codes, scales = impl.quantize_groups(torch.tensor([[0.0, 0.0, 7.0, 0.5], [1.5, -7.0, 7.0, 2.5]]), 2, 4)
    assert scales.tolist() == [[1, 1], [1, 1]] and codes.tolist() == [[0, 0, 7, 0], [2, -7, 7, 2]]


@pytest.mark.task("quantize_groups")
def test_property_a_group_does_not_notice_the_others(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.floats(10, 1e4), st.integers(0, 2**20))
    def holds(rows, groups, size, factor, seed):
        weight = randn(seed, rows, groups * size, dtype=torch.float64)
        loud = weight.clone()
        loud[0, :size] *= factor
        quiet, scaled = impl.quantize_groups(weight, size)[1], impl.quantize_groups(loud, size)[1]
        assert torch.equal(quiet.flatten()[1:], scaled.flatten()[1:])
        torch.testing.assert_close(quiet[0, 0] * factor, scaled[0, 0], rtol=1e-9, atol=0)

    holds()


@pytest.mark.task("quantize_groups")
def test_bad_input_groups(impl):
    for size in (4, 20):
        with pytest.raises(ValueError):
            impl.quantize_groups(torch.ones(4, 10), size)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            impl.quantize_groups(torch.tensor([[1.0, bad]]), 2)


def test_rows_are_channels_of_weights_and_tokens_of_activations():
    x = randn(0, 3, 5)
    for quantize in (quantize_channels, quantize_tokens):
        codes, scales = quantize(x)
        assert torch.equal(codes, quantize_groups(x, 5)[0]) and scales.shape == (3, 1)
        torch.testing.assert_close(dequantize_groups(codes, scales), codes * scales)


def test_effect_finer_scales_and_one_per_cent_of_outliers():
    """A normal with 1 % outliers of fifty times the size: one scale loses the small ones, groups keep most."""
    x = randn(0, 64, 256)
    x = torch.where(torch.rand(64, 256, generator=torch.Generator().manual_seed(1)) < 0.01, 50 * x, x)
    small = x.abs() < 4
    error = {}
    for name, y in {
        "tensor": dequantize(*absmax_quantize(x)),
        "channel": dequantize_groups(*quantize_channels(x)),
        "group": dequantize_groups(*quantize_groups(x, 16)),
    }.items():
        error[name] = rms_error(x[small], y[small])
    assert error["tensor"] > 1.3 * error["channel"] > 2 * error["group"]


def test_cost_bits_count_the_scales():
    codes, scales = quantize_groups(randn(0, 6, 128), 64, 4)
    assert bits_per_weight(codes, scales, 4) == 4.25
    assert bits_per_weight(*quantize_channels(randn(0, 6, 128)), 8, 32) == 8.25
