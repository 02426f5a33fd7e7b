"""Int8 codes: half a step of error at most, nothing lost at the edges, and a bound that is stated."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kv_speedrun import dequantize, quantize


def tokens(seed, shape=(3, 2, 5, 16)):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x * torch.linspace(0.1, 4, shape[-2])[:, None]


@pytest.mark.task("quantize")
def test_codes_and_scales_are_the_nearest(impl, seed):
    x = tokens(seed)
    codes, scale = impl.quantize(x)
    assert codes.dtype == torch.int8, f"codes are {codes.dtype}, and one byte each is the point"
    torch.testing.assert_close(scale, x.abs().amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)   # one float32 division
    torch.testing.assert_close(codes, (x / scale).round().to(torch.int8), rtol=0, atol=0)
    assert codes.abs().amax() == 127 and codes.min() >= -127, "the codes of a symmetric scheme run from -127 to 127"


@pytest.mark.task("quantize")
def test_the_error_is_half_a_step(impl, seed):
    x = tokens(seed)
    x[0, 0, 0] *= 300                                           # a loud token must not cost the others anything
    codes, scale = impl.quantize(x)
    error = (codes.float() * scale - x).abs()
    bound = x.abs().amax(-1, keepdim=True) / 127 * 0.5
    assert (error <= bound * (1 + 1e-4)).all(), "an element is off by more than half a step of its own token"


@pytest.mark.task("quantize")
def test_signs_mirror(impl, seed):
    x = tokens(seed)
    torch.testing.assert_close(impl.quantize(-x)[0], -impl.quantize(x)[0], rtol=0, atol=0)


@pytest.mark.task("quantize")
def test_a_row_of_zeros_is_a_row_of_zeros(impl, seed):
    x = tokens(seed)
    x[1, 0, 2] = 0
    codes, scale = impl.quantize(x)
    assert torch.isfinite(scale).all() and (scale[1, 0, 2] > 0).all(), "a row of zeros has no usable scale"
    torch.testing.assert_close(codes.float()[1, 0, 2] * scale[1, 0, 2], torch.zeros(16))


@pytest.mark.task("dequantize")
def test_dequantize_is_codes_times_scale(impl, seed):
    codes, scale = quantize(tokens(seed))
    got = impl.dequantize(codes, scale)
    torch.testing.assert_close(got, codes.float() * scale, rtol=1e-6, atol=0)
    torch.testing.assert_close(got, tokens(seed), rtol=0, atol=4 * 5 / 127)


@pytest.mark.task("dequantize")
def test_every_code_comes_back(impl):
    codes = torch.arange(-127, 128, dtype=torch.int8)[None]
    torch.testing.assert_close(impl.dequantize(codes, torch.tensor([[0.5]])), torch.arange(-127, 128)[None] * 0.5)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays("float32", (3, 8), elements=st.floats(-1e6, 1e6, width=32)))
def test_the_bound_holds_for_any_numbers(x):
    x = torch.from_numpy(x.copy())
    codes, scale = quantize(x)
    assert ((dequantize(codes, scale) - x).abs() <= scale / 2 * (1 + 1e-4) + 1e-30).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_no_scale_represents_is_refused(bad):
    x = tokens(0)
    x[0, 1, 2, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantize(x)
