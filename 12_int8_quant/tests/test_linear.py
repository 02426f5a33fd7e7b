"""Layers on int8 products."""

import pytest
import torch
from counting import largest_new
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant import (
    FastW8A8Linear,
    W8A8Linear,
    WeightOnlyLinear,
    dequantize_groups,
    fast_int8_linear,
    int8_linear,
    int_product,
    quantize_channels,
    quantize_tokens,
)
from mistakes import int8_case, randn
from torch import nn


@pytest.mark.task("int8_linear")
def test_float64_numbers_keep_their_digits(impl):
    codes, scales = torch.tensor([[127, 0]], dtype=torch.int8), torch.tensor([[0.1]], dtype=torch.float64)
    y = impl.int8_linear(torch.tensor([[0.7, 0.3]], dtype=torch.float64), codes, scales)
    assert y.dtype == torch.float64 and float(y) == pytest.approx(0.7 * 12.7, rel=1e-12)


@pytest.mark.task("int8_linear")
def test_the_output_has_the_dtype_of_x(impl):
    codes, scales = torch.tensor([[127, 0]], dtype=torch.int8), torch.tensor([[0.1]], dtype=torch.float64)
    for bias in (None, torch.tensor([0.5], dtype=torch.float64)):
        assert impl.int8_linear(torch.tensor([[0.7, 0.3]]), codes, scales, bias).dtype == torch.float32


@pytest.mark.task("int8_linear")
@pytest.mark.parametrize(("T", "I", "O"), [(3, 5, 7), (5, 6, 5), (1, 1, 1), (2, 300, 3)])
def test_oracle_the_product_of_the_dequantized_numbers(impl, seed, T, I, O):
    x, codes, scales, bias = int8_case(seed, T, I, O, torch.float64)
    x_codes, x_scales = quantize_tokens(x)
    want = dequantize_groups(x_codes, x_scales) @ (codes * scales).T
    torch.testing.assert_close(impl.int8_linear(x, codes, scales, bias), want + bias, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(impl.int8_linear(x, codes, scales), want, rtol=1e-10, atol=1e-10)


@pytest.mark.task("int8_linear")
def test_sums_do_not_wrap(impl):
    x, codes = torch.ones(2, 1000), torch.full((3, 1000), 127, dtype=torch.int8)
    scales = torch.full((3, 1), 1 / 127)
    torch.testing.assert_close(impl.int8_linear(x, codes, scales), torch.full((2, 3), 1000.0))


@pytest.mark.task("int8_linear")
def test_property_tokens_do_not_notice_each_other(impl):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(2, 5), st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**20))
    def holds(T, I, O, seed):
        x, codes, scales, bias = int8_case(seed, T, I, O, torch.float64)
        whole = impl.int8_linear(x, codes, scales, bias)
        for t in range(T):
            torch.testing.assert_close(impl.int8_linear(x[t : t + 1], codes, scales, bias)[0], whole[t])

    holds()


@pytest.mark.task("int8_linear")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_bad_input_a_token_with_nan_or_infinity(impl, bad):
    x, *rest = int8_case(0, 3, 5, 2)
    x[1, 2] = bad
    with pytest.raises(ValueError):
        impl.int8_linear(x, *rest)


@pytest.mark.task("int8_linear")
def test_a_token_of_zeros_gives_the_bias(impl, seed):
    x, codes, scales, bias = int8_case(seed, 3, 5, 2)
    x[1] = 0
    torch.testing.assert_close(impl.int8_linear(x, codes, scales, bias)[1], bias)


def test_oracle_int_mm_is_exact():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randint(-127, 128, (n, 96), generator=generator, dtype=torch.int8) for n in (17, 24))
    assert torch.equal(int_product(a, b), torch._int_mm(a, b.T))


@pytest.mark.parametrize(("T", "I", "O"), [(1, 64, 32), (7, 48, 5), (33, 304, 48), (131, 64, 16), (2, 1, 1)])
def test_the_fast_form_is_the_plain_one(T, I, O):
    x, codes, scales, bias = int8_case(0, min(T, 8), I, O)
    x = x.repeat(20, 1)[:T]
    torch.testing.assert_close(fast_int8_linear(x, codes, scales, bias), int8_linear(x, codes, scales, bias))
    x[0] = 0
    torch.testing.assert_close(fast_int8_linear(x, codes, scales), int8_linear(x, codes, scales))


def test_bad_input_the_fast_form():
    x, codes, scales, _ = int8_case(0, 3, 16, 32)
    with pytest.raises(ValueError, match="dtype=torch.float64: .* use int8_linear"):
        fast_int8_linear(x.double(), codes, scales)
    x[0, 0] = float("inf")
    with pytest.raises(ValueError, match="x: holds NaN or infinity"):
        fast_int8_linear(x, codes, scales)


@pytest.mark.parametrize("kind", [WeightOnlyLinear, W8A8Linear, FastW8A8Linear])
@pytest.mark.parametrize("bias", [True, False])
def test_the_layers_are_close_to_the_linear_layer(kind, bias):
    linear = nn.Linear(96, 40, bias=bias)
    x = randn(0, 2, 5, 96)
    with torch.no_grad():
        want, got = linear(x), kind(linear)(x)
    assert got.shape == (2, 5, 40)
    assert (got - want).square().mean().sqrt() < 0.02 * want.square().mean().sqrt()
    assert kind(linear).codes.dtype == torch.int8


def test_oracle_torchaos_int8_weights():
    import copy
    import warnings

    linear = nn.Linear(64, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization = pytest.importorskip("torchao.quantization")
        theirs = nn.Sequential(copy.deepcopy(linear))
        quantization.quantize_(theirs, quantization.Int8WeightOnlyConfig())
        x = randn(0, 5, 64)
        with torch.no_grad():
            # torchao's range is −128…127, with the scale max / 127.5: half a step of its own
            difference = (theirs(x) - WeightOnlyLinear(linear)(x)).abs().max()
    assert difference < 0.02


def test_oracle_bitsandbytes_vectorwise_codes():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        functional = pytest.importorskip("bitsandbytes.functional")
        x = randn(0, 7, 64)
        codes, absmax, _ = functional.int8_vectorwise_quant(x.half().float())
    ours, scales = quantize_tokens(x.half().float())
    torch.testing.assert_close(absmax.float(), scales[:, 0] * 127, rtol=1e-3, atol=1e-3)
    assert (codes.int() - ours.int()).abs().max() <= 1


def test_cost_eight_bits_take_a_quarter():
    linear = nn.Linear(512, 256, bias=False)
    layer = WeightOnlyLinear(linear)
    size = sum(b.numel() * b.element_size() for b in layer.buffers())
    assert size == 512 * 256 + 4 * 256
    codes = quantize_channels(linear.weight.detach())
    assert largest_new(fast_int8_linear, randn(0, 4, 512), *codes) <= 4 * 512  # the weight is never widened
