"""Single promises of the workbook, each on a fixed small input: queries and keys."""

import math

import pytest
import torch
from by_hand import float64, normal, rotated_by_hand
from torch.testing import assert_close

LAYOUTS = ["half", "interleaved"]
HALF_PRECISION = [(torch.float16, 0.02), (torch.bfloat16, 0.15)]  # and the rounding of values near 4, several times


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
def test_each_call_rotates_by_its_own_positions(impl, layout):
    q = normal(0, 1, 2, 3, 4)
    for at in (torch.arange(3), torch.arange(3) + 100, torch.tensor([7, 7, 2])):
        got = impl.apply_rope(q, q, at, 78.0, layout)[1]
        assert_close(got, rotated_by_hand(q, at, 78.0, layout), rtol=0, atol=1e-12)


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
