"""Int8 codes: half a step of error at most, nothing lost at the edges, and a bound that is stated."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kv_speedrun import Config, Int8Cache, cache_bytes, dequantize, quantize
from mistakes import off_the_halves

SHAPE = Config(vocab_size=53, context_length=64, layers=3, heads=2, width=14)


def tokens(seed, shape=(3, 2, 5, 16)):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return off_the_halves(x * torch.linspace(0.1, 4, shape[-2])[:, None])


@pytest.mark.task("quantize")
def test_codes_and_scales_are_the_nearest(impl, seed):
    x = tokens(seed)
    codes, scale = impl.quantize(x)
    assert codes.dtype == torch.int8, f"codes are {codes.dtype}, and one byte each is the point"
    torch.testing.assert_close(scale, x.abs().amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)  # one float32 division
    torch.testing.assert_close(codes, (x / scale).round().to(torch.int8), rtol=0, atol=0)
    assert codes.abs().amax() == 127 and codes.min() >= -127, "the codes of a symmetric scheme run from -127 to 127"


@pytest.mark.task("quantize")
def test_the_error_is_half_a_step(impl, seed):
    x = tokens(seed)
    x[0, 0, 0] *= 300  # a loud token must not cost the others anything
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


@pytest.mark.task("quantize")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_no_scale_represents_is_an_error(impl, seed, bad):
    x = tokens(seed)
    x[0, 1, 2, 3] = bad
    with pytest.raises(ValueError):
        impl.quantize(x)


@pytest.mark.task("quantize")
def test_halves_are_rounded_to_even(impl):
    codes, scale = impl.quantize(torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -127.0]]))
    assert scale.item() == 1 and codes.tolist() == [[127, 0, 2, 2, 0, -2, -2, -127]]
    scales = torch.arange(513, 4096, 97)[:, None] / 2**14  # 12 bits, so these products are exact
    codes, _ = impl.quantize(scales * torch.tensor([127.0, 0.5, 1.5, 2.5, 40.5, -126.5]))
    assert codes.unique(dim=0).tolist() == [[127, 0, 2, 2, 40, -126]], "x / scale is one half, and times 1 / scale not"


@pytest.mark.task("quantize")
def test_one_row_is_enough_and_small_numbers_have_a_scale(impl, seed):
    for x in (torch.tensor([0.5, -1.27, 0.02, 0.0]), 1e-9 * tokens(seed, (7, 5))):
        codes, scale = impl.quantize(x)
        torch.testing.assert_close(scale, x.abs().amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)
        assert ((codes * scale - x).abs() <= scale / 2 * (1 + 1e-4)).all()


@pytest.mark.task("quantize")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
def test_scales_are_float32_for_any_dtype(impl, seed, dtype):
    codes, scale = impl.quantize(tokens(seed).to(dtype))
    assert (codes.dtype, scale.dtype) == (torch.int8, torch.float32)


@pytest.mark.task("quantize")
@pytest.mark.parametrize("dtype, size", [(torch.float32, 1.5e38), (torch.float16, 3e4)], ids=str)
def test_numbers_near_the_largest_of_their_dtype_are_no_error(impl, seed, dtype, size):
    x = ((1 + torch.rand(2, 8, generator=torch.Generator().manual_seed(seed))) * size).to(dtype)
    codes, scale = impl.quantize(x)
    torch.testing.assert_close(scale, x.float().abs().amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)
    assert codes.amax() == 127


@pytest.mark.task("dequantize")
def test_a_scale_in_float64_keeps_its_digits(impl):
    codes = torch.arange(-127, 128, dtype=torch.int8)[None]
    want = torch.arange(-127, 128).double()[None] * 0.1
    got = impl.dequantize(codes, torch.tensor([[0.1]], dtype=torch.float64))
    torch.testing.assert_close(got, want, rtol=1e-14, atol=0)


@pytest.mark.task("dequantize")
def test_the_result_has_the_dtype_of_the_scale(impl, seed):
    codes, scale = quantize(tokens(seed))
    for dtype in (torch.float64, torch.bfloat16):
        got = impl.dequantize(codes, scale.to(dtype))
        assert got.dtype == dtype
        torch.testing.assert_close(got, codes.to(dtype) * scale.to(dtype), rtol=1e-2, atol=0)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays("float32", (3, 8), elements=st.floats(-1e6, 1e6, width=32)))
def test_the_bound_holds_for_any_numbers(x):
    x = torch.from_numpy(x.copy())
    codes, scale = quantize(x)
    assert ((dequantize(codes, scale) - x).abs() <= scale / 2 * (1 + 1e-4) + 1e-30).all()


def test_the_error_says_what_to_do():
    with pytest.raises(ValueError, match="x holds NaN or infinity: no scale can represent them; find where"):
        quantize(torch.tensor([1.0, float("nan")]))


# ---------------------------------------------------------------- the cache


def kv(seed, T):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(3, SHAPE.heads, T, SHAPE.head_dim, generator=g) for _ in range(2)]


def test_scales_are_counted():
    cache = Int8Cache(SHAPE, 3, 17)
    scales = 2 * SHAPE.layers * 3 * SHAPE.heads * 17 * 4
    assert cache.nbytes == cache_bytes(SHAPE, 3, 17, 1) + scales
    assert Int8Cache(Config.gpt2(), 1, 8).nbytes / cache_bytes(Config.gpt2(), 1, 8, 4) == (64 + 4) / 256


def test_it_gives_back_what_it_was_given_to_half_a_step():
    cache, (k, v) = Int8Cache(SHAPE, 3, 9), kv(4, 9)
    for got, x in zip(cache.update(0, k, v), (k, v), strict=True):
        step = x.abs().amax(-1, keepdim=True) / 127
        assert ((got - x).abs() <= step * 0.5 * (1 + 1e-5)).all()  # 1e-5: the division and the product round


def test_chunks_have_their_own_scales():
    cache, whole = Int8Cache(SHAPE, 3, 9), Int8Cache(SHAPE, 3, 9)
    k, v = kv(5, 9)
    want = whole.update(1, k, v)
    for part in (slice(0, 4), slice(4, 5), slice(5, 9)):
        got = cache.update(1, k[:, :, part], v[:, :, part])
    torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_nan_is_refused_before_anything_is_written():
    cache, (k, v) = Int8Cache(SHAPE, 3, 9), kv(6, 2)
    v[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        cache.update(0, k, v)
    assert cache.seq_lens == [0, 0, 0]
