"""Single promises of the workbook, each on a fixed small input: attention."""

import math

import pytest
import torch
from by_hand import float64, normal, rotated_by_hand
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close

HALF_PRECISION = [(torch.float16, 0.02), (torch.bfloat16, 0.15)]  # and the rounding of values near 4, several times


def attention_by_hand(q, k, v, at, base=10_000.0):
    q, k = (rotated_by_hand(x, at, base, "half") for x in (q, k))
    return scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize("dtype, most", [(torch.float32, 1e-5), *HALF_PRECISION])
def test_attention_keeps_the_dtype_and_the_phase(impl, dtype, most):
    q, k, v = (normal(i, 1, 2, 4, 6) for i in range(3))
    at = float64([100_000.1, 100_001.3, 100_002.7, 100_009])
    got = impl.rotary_attention(*(x.to(dtype) for x in (q, k, v)), at)
    assert got.dtype == dtype, f"{dtype} inputs gave an output in {got.dtype}"
    assert_close(got.double(), attention_by_hand(q, k, v, at), rtol=0, atol=most)


@pytest.mark.task("rotary_attention")
def test_each_call_attends_by_its_own_positions(impl):
    q, k, v = (normal(i, 1, 2, 3, 4) for i in range(3))
    for at in (torch.arange(3), 5 * torch.arange(3), torch.tensor([7, 7, 2])):
        got = impl.rotary_attention(q, k, v, at, 78.0)
        assert_close(got, attention_by_hand(q, k, v, at, 78.0), rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
def test_hidden_scores_are_below_every_float64(impl):
    x, v = float64([[1, 0.5], [2, 1], [1, 1]]).expand(1, 1, 3, 2), normal(1, 1, 1, 3, 2)
    got = impl.rotary_attention(1e150 * x, -1e150 * x, v, torch.zeros(3))
    want = torch.stack((v[0, 0, 0], v[0, 0, 0], v[0, 0, 0]))  # key 0 has the largest of three scores near -1e300
    assert_close(got[0, 0], want, rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
def test_attention_over_forty_tokens_of_another_width(impl):
    q, k, v = (normal(i, 1, 1, 40, 6) for i in range(3))
    assert_close(
        impl.rotary_attention(q, k, v, torch.arange(40)),
        attention_by_hand(q, k, v, torch.arange(40)),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize("at", [torch.zeros(1), torch.zeros(1, 5), torch.zeros(5).bfloat16(), torch.zeros(5).half()])
def test_attention_refuses_the_positions_that_apply_rope_refuses(impl, at):
    x = torch.zeros(2, 2, 5, 8)
    with pytest.raises(ValueError):
        impl.rotary_attention(x, x, x, at)


@pytest.mark.task("rotary_attention")
def test_attention_takes_rows_in_int32_another_base_and_expanded_views(impl):
    q, k, v = (normal(i, 1, 1, 5, 8).expand(2, 3, 5, 8) for i in range(3))
    for at in (torch.tensor([[0, 1, 3, 6, 10], [5, 6, 7, 9, 8]]).int(), torch.tensor([9, 4, 4, 0, 7]).int()):
        got = impl.rotary_attention(base=20.7, positions=at, v=v, k=k, q=q)
        assert_close(got, attention_by_hand(q, k, v, at, 20.7), rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize("axes", [(1, 2), (2, 3), (0, 3), (0, 1)])
def test_inputs_of_attention_may_be_transposed_views(impl, axes):
    q, k, v = (normal(i, 2, 3, 5, 8) for i in range(3))
    views = (x.transpose(*axes).contiguous().transpose(*axes) for x in (q, k, v))
    want = attention_by_hand(q, k, v, torch.arange(5))
    assert_close(impl.rotary_attention(*views, torch.arange(5)), want, rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize("zero", [0, 1])
def test_scores_of_zero_are_not_hidden(impl, zero):
    """A query or keys of zeros: every score is 0, and each output is the mean of the values so far."""
    inputs = [normal(i, 2, 2, 5, 8) for i in range(3)]
    inputs[zero] = torch.zeros_like(inputs[zero])
    want = inputs[2].cumsum(2) / torch.arange(1, 6).view(5, 1)
    assert_close(impl.rotary_attention(*inputs, torch.arange(5)), want, rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_angles_of_attention_are_float64_whatever_the_dtype_of_the_positions(impl, shape):
    inputs, at = [normal(i, 2, 2, 3, 6) for i in range(3)], torch.tensor([99_998, 50_003.5, 77_777])
    for dtype in (torch.float64, torch.float32):
        got = impl.rotary_attention(*inputs, at.to(dtype).expand(shape))
        assert_close(got, attention_by_hand(*inputs, at.expand(shape)), rtol=0, atol=1e-9)


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize("base", [0.0, -1.0, math.inf, math.nan])
def test_attention_refuses_the_bases_that_apply_rope_refuses(impl, base):
    with pytest.raises(ValueError):
        impl.rotary_attention(*torch.zeros(3, 1, 1, 2, 4), torch.arange(2), base)


@pytest.mark.task("rotary_attention")
def test_attention_refuses_an_odd_width(impl):
    with pytest.raises(ValueError):
        impl.rotary_attention(*torch.zeros(3, 1, 1, 2, 3), torch.arange(2))


@pytest.mark.task("rotary_attention")
def test_gradients_pass_through_attention(impl):
    at, inputs = torch.arange(4), [normal(i, 1, 2, 4, 6).requires_grad_() for i in range(3)]
    rotated = [x.transpose(-1, -2).unflatten(-2, (2, -1)) for x in inputs[:2]]  # B H 2 P T
    angle = (at[:, None] * 10_000.0 ** -(torch.arange(3).double() / 3)).T
    cos, sin = angle.cos(), angle.sin()
    q, k = (
        torch.cat((x[:, :, 0] * cos - x[:, :, 1] * sin, x[:, :, 0] * sin + x[:, :, 1] * cos), -2).mT for x in rotated
    )
    want = torch.autograd.grad((scaled_dot_product_attention(q, k, inputs[2], is_causal=True) ** 2).sum(), inputs)
    got = torch.autograd.grad((impl.rotary_attention(*inputs, at) ** 2).sum(), inputs)
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.task("rotary_attention")
@pytest.mark.parametrize(
    "lengths", [(4, 5, 5, 4), (4, 5, 5, 5), (1, 5, 5, 1), (5, 4, 5, 5), (5, 5, 1, 5), (5, 1, 1, 5)]
)
def test_attention_refuses_other_numbers_of_tokens(impl, lengths):
    q, k, v = (torch.zeros(1, 2, n, 8) for n in lengths[:3])
    with pytest.raises(ValueError):
        impl.rotary_attention(q, k, v, torch.arange(lengths[3]))


def test_the_largest_score_of_the_test_above_is_that_of_key_0():
    """1e150 (1, 0.5) and its products stay below 1.8e308, the end of float64."""
    x = float64([[1, 0.5], [2, 1], [1, 1]])
    scores = -1e300 * (x @ x.T) / math.sqrt(2)
    assert scores.isfinite().all() and scores.argmax(-1).tolist() == [0, 0, 0]
