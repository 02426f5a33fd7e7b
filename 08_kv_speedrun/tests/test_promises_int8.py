"""What the workbook promises of int8 codes beside the main road: sizes, dtypes, views, and any axes."""

import math

import pytest
import torch
from grader import exactly
from kv_speedrun import quantize
from mistakes import off_the_halves

EXACT = {"rtol": 0, "atol": 0}


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.task("quantize")
@pytest.mark.parametrize("factor", [1e-28, 1e-12, 1e30])
def test_rows_of_any_size_have_their_scale(impl, seed, factor):
    x = (1 + randn(seed, 4, 300).abs()) * factor
    codes, scale = impl.quantize(x)
    torch.testing.assert_close(scale, x.amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)
    exactly(codes.amax(-1).tolist(), [127] * 4, "the largest code of each row")


@pytest.mark.task("quantize")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_halves_are_even_and_nan_is_refused_in_any_dtype(impl, dtype):
    x = torch.tensor([127.0, 0.5, 1.5, 2.5, -0.5, -1.5]) * torch.tensor([[1.0], [0.25], [8.0]])
    codes, scale = impl.quantize(x.to(dtype))
    exactly(codes.tolist(), [[127, 0, 2, 2, 0, -2]] * 3, "codes")
    exactly(scale.tolist(), [[1.0], [0.25], [8.0]], "scales")
    for bad in (math.nan, math.inf):
        for x in (torch.tensor([0.0, bad]), torch.tensor([[1.0, 2.0]] * 40 + [[bad, 0.0]])):
            with pytest.raises(ValueError):
                impl.quantize(x.to(dtype))


@pytest.mark.task("quantize")
@pytest.mark.parametrize("shape", [(4,), (2, 1), (3, 2, 5)], ids=str)
def test_zeros_alone_have_codes_0(impl, shape):
    codes, scale = impl.quantize(torch.zeros(shape))
    assert not codes.any() and (scale > 0).all() and torch.isfinite(scale).all()


@pytest.mark.task("quantize")
def test_views_are_quantized_and_single_numbers(impl, seed):
    x = off_the_halves(randn(seed, 3, 5, 2, 8))
    x[..., ::2] = off_the_halves(x[..., ::2])
    for view in (x.transpose(1, 2), x[..., ::2], x[:, :1].expand(3, 4, 2, 8), x[..., :1]):
        codes, scale = impl.quantize(view)
        torch.testing.assert_close(scale, view.abs().amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)
        torch.testing.assert_close(codes, (view / scale).round().to(torch.int8), **EXACT)


@pytest.mark.task("quantize")
@pytest.mark.parametrize("shape", [(4,), (2, 1, 4), (1, 3, 4), (2, 1, 1, 3, 4), (1, 1, 1, 1)], ids=str)
def test_any_axes_before_the_last_are_kept_when_quantized(impl, seed, shape):
    x = off_the_halves(randn(seed, *shape))
    codes, scale = impl.quantize(x)
    torch.testing.assert_close(scale, x.abs().amax(-1, keepdim=True) / 127, rtol=1e-6, atol=0)
    torch.testing.assert_close(codes, (x / scale).round().to(torch.int8), **EXACT)


@pytest.mark.task("dequantize")
@pytest.mark.parametrize("shape", [(4,), (2, 1, 4), (1, 3, 4), (2, 1, 1, 3, 4), (1, 1, 1, 1)], ids=str)
def test_any_axes_before_the_last_are_kept(impl, seed, shape):
    codes, scale = quantize(randn(seed, *shape))
    torch.testing.assert_close(impl.dequantize(codes, scale), codes.float() * scale, rtol=1e-6, atol=0)


@pytest.mark.task("dequantize")
def test_views_are_turned_back(impl, seed):
    codes, scale = quantize(randn(seed, 3, 2, 8, 4))
    for c, s in ((codes[:, :, :5], scale[:, :, :5]), (codes.transpose(0, 2), scale.transpose(0, 2))):
        torch.testing.assert_close(impl.dequantize(c, s), c.float() * s, rtol=1e-6, atol=0)


@pytest.mark.task("dequantize")
@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 2.6e36])
def test_any_scale_is_kept(impl, scale):
    codes = torch.tensor([[127], [-127], [3]], dtype=torch.int8)
    got = impl.dequantize(codes, torch.full((3, 1), scale))
    torch.testing.assert_close(got / scale, codes.float(), rtol=1e-6, atol=0)
