"""Single promises of the workbook, each on a fixed small input: pairs, queries and keys, attention."""

import math

import pytest
import torch
from by_hand import float64, normal, rotated_by_hand
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close

LAYOUTS = ["half", "interleaved"]
HALF_PRECISION = [(torch.float16, 0.02), (torch.bfloat16, 0.15)]  # and the rounding of values near 4, several times

# ---------------------------------------------------------------- rotate


@pytest.mark.task("rotate")
@pytest.mark.parametrize("dtype, most", [(torch.float32, 1e-6), (torch.float16, 1e-3), (torch.bfloat16, 5e-3)])
def test_far_angles_are_not_rounded_to_float32(impl, dtype, most):
    angle = float64([1e6 + 1 / 3, 2e6 + 1 / 7])
    rotated = impl.rotate(torch.tensor([1.0, 0.0]).to(dtype), angle)
    assert rotated.dtype == dtype, f"{dtype} pairs came back as {rotated.dtype}"
    assert_close(rotated.double(), torch.stack((angle.cos(), angle.sin()), -1), rtol=0, atol=most)


@pytest.mark.task("rotate")
def test_float64_pairs_are_not_rounded_to_the_dtype_of_the_angle(impl):
    pairs = float64([[0.1, 1 / 3], [1e-9, -7.7]])
    assert_close(impl.rotate(pairs, torch.zeros(2)), pairs, rtol=0, atol=0)


@pytest.mark.task("rotate")
@pytest.mark.parametrize(
    "pairs, angle",
    [
        ((3, 1, 2), (1, 4)),
        ((3, 1, 2), (4,)),
        ((3, 2), (4, 1)),
        ((3, 2), (2, 2, 1)),
        ((3, 2), (3, 1)),
        ((1, 3, 2), (3, 1)),
        ((2, 1, 4, 3, 2), (4, 1)),
        ((2,), ()),
    ],
)
def test_pairs_and_angles_broadcast_against_each_other(impl, pairs, angle):
    pairs, angle = normal(0, *pairs), normal(1, *angle)
    want = torch.view_as_real(torch.view_as_complex(pairs) * torch.exp(1j * angle))
    assert_close(impl.rotate(angle=angle, pairs=pairs), want, rtol=0, atol=1e-12)


@pytest.mark.task("rotate")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_angles_may_be_in_half_precision(impl, dtype):
    rotated = impl.rotate(torch.tensor([[1.0, 0.0]] * 3), torch.tensor(0.75).to(dtype))
    assert_close(rotated, torch.tensor([[math.cos(0.75), math.sin(0.75)]] * 3), rtol=0, atol=5e-3)


@pytest.mark.task("rotate")
@pytest.mark.parametrize("angle", [2.5, -2.5])
def test_one_angle_may_be_negative(impl, angle):
    x, y = math.cos(angle), math.sin(angle)
    assert_close(impl.rotate(float64([1, 0]), torch.tensor(angle, dtype=torch.float64)), float64([x, y]))
    assert_close(impl.rotate(float64([[0, 2]]), float64([angle])), float64([[-2 * y, 2 * x]]))


@pytest.mark.task("rotate")
def test_slices_and_expanded_views_are_tensors_too(impl):
    wide, angle = normal(0, 4, 3), normal(1, 12)
    for pairs in (wide[:, 1:], wide[:1, :2].expand(4, 2)):
        for a in (angle[:4], angle[::3], angle[:1].expand(4), angle.view(4, 3).T[0]):
            want = torch.view_as_real(torch.view_as_complex(pairs.clone()) * torch.exp(1j * a))
            assert_close(impl.rotate(pairs, a), want, rtol=0, atol=1e-12)


@pytest.mark.task("rotate")
@pytest.mark.parametrize("dtype, most", [(torch.float32, 1e-5), *HALF_PRECISION])
def test_gradients_of_one_pair_in_other_dtypes(impl, dtype, most):
    """One pair and three angles: the gradient is the sum of three, each rotated back."""
    pair, angle = torch.tensor([0.5, -2.0]).to(dtype).requires_grad_(), float64([0.3, 1.1, -2.0])
    rotated = impl.rotate(pair, angle)
    (gradient,) = torch.autograd.grad((rotated * torch.tensor([1.0, 3.0]).to(dtype)).sum(), pair)
    cos, sin = angle.cos(), angle.sin()
    assert_close(gradient.double(), torch.stack((cos + 3 * sin, 3 * cos - sin)).sum(1), rtol=0, atol=most)


@pytest.mark.task("rotate")
@pytest.mark.parametrize("dtype, most", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_half_a_rotation_turns_a_pair_around(impl, dtype, most):
    pairs = normal(0, 3, 2, dtype=dtype)
    for angle in (math.pi, -math.pi, 3 * math.pi):
        assert_close(impl.rotate(pairs, torch.tensor(angle, dtype=dtype)), -pairs, rtol=0, atol=most)


@pytest.mark.task("rotate")
def test_the_first_axes_of_a_table_of_pairs_may_be_exchanged(impl):
    pairs, angle = normal(0, 4, 3, 2).transpose(0, 1), normal(1, 4)
    want = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.exp(1j * angle))
    assert_close(impl.rotate(pairs, angle), want, rtol=0, atol=1e-12)


# ---------------------------------------------------------------- apply_rope


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axes", [(1, 2), (2, 3), (0, 3), (0, 1)])
def test_queries_and_keys_may_be_transposed_views(impl, layout, axes):
    """A projection makes (B, T, H, D), of which (B, H, T, D) is a view: its axes 1 and 2 are exchanged."""
    q, k, at = normal(0, 2, 4, 3, 6), normal(1, 2, 2, 3, 6), torch.arange(3) + 7
    views = [x.transpose(*axes).contiguous().transpose(*axes) for x in (q, k)]
    for got, x in zip(impl.apply_rope(*views, at, layout=layout), (q, k), strict=True):
        assert_close(got, rotated_by_hand(x, at, 10_000.0, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_queries_and_keys_of_zeros_have_gradients(impl, layout):
    at, inputs = torch.arange(3), [torch.zeros(1, 2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in "qk"]
    weights = normal(0, 1, 2, 3, 4)
    outputs = impl.apply_rope(*inputs, at, layout=layout)
    for gradient in torch.autograd.grad(sum((y * weights).sum() for y in outputs), inputs):
        assert_close(gradient, rotated_by_hand(weights, -at, 10_000.0, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("layout_of_positions", [(3,), (2, 3)])
def test_the_base_given_is_that_of_queries_and_of_keys(impl, layout, layout_of_positions):
    q, k, at = normal(0, 2, 2, 3, 4), normal(1, 2, 2, 3, 4), torch.tensor([5, 2, 40]).expand(layout_of_positions)
    for got, x in zip(impl.apply_rope(q, k, at, 30.0, layout), (q, k), strict=True):
        assert_close(got, rotated_by_hand(x, at, 30.0, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_angles_of_far_positions_are_float64(impl, layout, dtype, shape):
    q, at = normal(0, 2, 2, 3, 6), torch.tensor([99_998, 50_003.5, 77_777]).to(dtype).expand(shape)
    assert_close(impl.apply_rope(q, q, at, layout=layout)[0], rotated_by_hand(q, at, 1e4, layout), rtol=0, atol=1e-9)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("base", [0.0, -1.0, math.inf, -math.inf, math.nan])
def test_apply_rope_refuses_the_bases_that_frequencies_refuses(impl, base):
    with pytest.raises(ValueError):
        impl.apply_rope(torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4), torch.arange(2), base)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype, most", [(torch.float32, 1e-5), *HALF_PRECISION])
def test_far_phases_are_kept_in_every_dtype(impl, layout, dtype, most):
    x, at = normal(0, 1, 2, 3, 4), torch.arange(3) + 1_000_003
    for got in impl.apply_rope(x.to(dtype), x.to(dtype), at, layout=layout):
        assert got.dtype == dtype, f"{dtype} came back as {got.dtype}"
        assert_close(got.double(), rotated_by_hand(x, at, 10_000.0, layout), rtol=0, atol=most)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_float64_is_not_rounded_for_the_others_sake(impl, layout, dtype):
    x, at = normal(0, 1, 2, 3, 4), torch.arange(3)
    for i, pair in enumerate(((x.to(dtype), x), (x, x.to(dtype)))):
        low, exact = impl.apply_rope(*pair, at, layout=layout)[:: 1 - 2 * i]
        assert (low.dtype, exact.dtype) == (dtype, torch.float64), "each keeps its own dtype"
        assert_close(exact, rotated_by_hand(x, at, 10_000.0, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype, most", [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)])
def test_cosines_of_queries_are_rounded_and_not_the_angles(impl, layout, dtype, most):
    """Rounded cosines are off by 0.00025 and 0.002. Rounded angles of up to 2 pi are off by 0.002 and 0.016."""
    at, x = torch.arange(64), torch.zeros(1, 1, 64, 4)
    x[..., 0] = 1
    want = rotated_by_hand(x.double(), at, 10_000.0, layout)
    for got in impl.apply_rope(x.to(dtype), x.to(dtype), at, layout=layout):
        assert_close(got.double(), want, rtol=0, atol=most)


@pytest.mark.task("apply_rope")
def test_a_base_need_not_be_whole_and_the_result_is_a_pair(impl):
    q, at = normal(0, 1, 1, 3, 4), torch.arange(3)
    got = impl.apply_rope(q, q, at, 2.7)
    assert isinstance(got, (tuple, list)) and len(got) == 2, "the rotated queries and the rotated keys"
    assert_close(got[1], rotated_by_hand(q, at, 2.7, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_rotated_back(impl, layout, dtype):
    q, k, at = (normal(0, 1, 2, 3, 4), normal(1, 1, 1, 3, 4), torch.arange(3))
    inputs = [x.to(dtype).requires_grad_() for x in (q, k)]
    outputs = impl.apply_rope(*inputs, at, layout=layout)
    gradients = torch.autograd.grad(sum((y * x.detach()).sum() for x, y in zip(inputs, outputs, strict=True)), inputs)
    for gradient, x in zip(gradients, (q, k), strict=True):
        assert_close(gradient.double(), rotated_by_hand(x, -at, 10_000.0, layout), rtol=0, atol=1e-5)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64, torch.float32, torch.float64])
def test_positions_of_every_dtype_and_in_any_order(impl, dtype):
    q, at = normal(0, 1, 2, 4, 4), torch.tensor([16_303, 5, 5, 0])
    assert_close(impl.apply_rope(q, q, at.to(dtype))[0], rotated_by_hand(q, at, 1e4, "half"), rtol=0, atol=1e-9)


@pytest.mark.task("apply_rope")
def test_a_batch_of_one_may_have_a_row_of_positions(impl):
    q, at = normal(0, 1, 2, 3, 4), torch.tensor([[3, 4, 9]])
    assert_close(impl.apply_rope(q, q, at)[0], rotated_by_hand(q, at, 10_000.0, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_positions_may_be_views(impl):
    q = normal(0, 2, 2, 3, 4)
    for at in (torch.tensor([3, 4, 9]).expand(2, 3), torch.tensor([[3, 0], [4, 1], [9, 2]]).T, torch.arange(6)[::2]):
        assert_close(impl.apply_rope(q, q, at)[1], rotated_by_hand(q, at, 10_000.0, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("heads", [2, 1])
def test_rows_of_fractions_fewer_key_heads_and_another_base_together(impl, layout, heads):
    q, k, at = normal(0, 2, 4, 3, 6), normal(1, 2, heads, 3, 6), float64([[0.5, 7, 8.25], [3, 2.75, 11]])
    got = impl.apply_rope(layout=layout, base=20.0, positions=at, k=k, q=q)
    for y, x in zip(got, (q, k), strict=True):
        assert_close(y, rotated_by_hand(x, at, 20.0, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_queries_may_be_expanded_and_wide_and_the_base_large(impl):
    q, at = normal(0, 1, 1, 1, 256).expand(1, 2, 3, 256), torch.tensor([0, 3, 5000])
    assert_close(impl.apply_rope(q, q, at, 5e5)[0], rotated_by_hand(q, at, 5e5, "half"), rtol=0, atol=1e-10)


X = torch.zeros(2, 3, 5, 4)
ONE = X[:, :, :1]
MISFITS = {
    "positions (T, B)": (X, X, torch.zeros(5, 2)),
    "positions (B, 1)": (X, X, torch.zeros(2, 1)),
    "positions (1, T) for two rows": (X, X, torch.zeros(1, 5)),
    "positions (B, 1, T)": (X, X, torch.zeros(2, 1, 5)),
    "positions (1, 1, T)": (X[:1], X[:1], torch.zeros(1, 1, 5)),
    "positions (B) for one token each": (ONE, ONE, torch.zeros(2)),
    "a position without dimension": (X, X, torch.tensor(3)),
    "a position without dimension for one token": (ONE, ONE, torch.tensor(3)),
    "no positions": (X, X, torch.zeros(0)),
    "one row of queries, two of keys": (X[:1], X, torch.arange(5)),
    "wider keys": (X[..., :2], X, torch.arange(5)),
    "an odd width": (X[..., :3], X[..., :3], torch.arange(5)),
    "an odd width, interleaved": (X[..., :3], X[..., :3], torch.arange(5), 10_000.0, "interleaved"),
    "a width of one": (X[..., :1], X[..., :1], torch.arange(5)),
    "rows in float16": (X, X, torch.zeros(2, 5).half()),
    "rows in bfloat16": (X, X, torch.zeros(2, 5).bfloat16()),
    **{f"layout {named}": (X, X, torch.arange(5), 1e4, named) for named in ("Half", "halves", "interleave", "")},
}


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("what", MISFITS)
def test_apply_rope_refuses(impl, what):
    with pytest.raises(ValueError):
        impl.apply_rope(*MISFITS[what])


# ---------------------------------------------------------------- rotary_attention


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
