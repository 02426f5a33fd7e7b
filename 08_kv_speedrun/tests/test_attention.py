"""attend: against PyTorch's fused attention, and what must hold for any right one."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from kv_speedrun import attend, attend_fast

EXACT = {"rtol": 0, "atol": 1e-12}  # float64: a few hundred additions of numbers near one


def qkv(seed, Tq, Tk, D=11):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(3, 2, T, D, generator=g, dtype=torch.float64) for T in (Tq, Tk, Tk)]


def lower_right(Tq, Tk):
    return torch.ones(Tq, Tk, dtype=torch.bool).tril(Tk - Tq)


def test_the_triangle_is_the_one_that_torch_calls_lower_right():
    from torch.nn.attention.bias import causal_lower_right  # imported here: it takes seconds, in every graded run

    q, k, v = qkv(0, 3, 8)
    theirs = F.scaled_dot_product_attention(q, k, v, causal_lower_right(3, 8))
    torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v, lower_right(3, 8)), theirs, **EXACT)


@pytest.mark.task("attend")
@pytest.mark.parametrize("Tq, Tk", [(7, 7), (3, 8), (1, 5), (5, 5)])
def test_equals_torch_with_the_triangle_at_the_bottom_right(impl, seed, Tq, Tk):
    q, k, v = qkv(seed, Tq, Tk)
    torch.testing.assert_close(
        impl.attend(q, k, v), F.scaled_dot_product_attention(q, k, v, lower_right(Tq, Tk)), **EXACT
    )


@pytest.mark.task("attend")
def test_padding_keys_are_not_attended_to(impl, seed):
    q, k, v = qkv(seed, 3, 8)
    attention_mask = torch.arange(8) >= torch.tensor([[0], [2], [4]])
    mask = attention_mask[:, None, None, :] & torch.ones(3, 8, dtype=torch.bool).tril(5)
    torch.testing.assert_close(
        impl.attend(q, k, v, attention_mask), F.scaled_dot_product_attention(q, k, v, mask), **EXACT
    )


@pytest.mark.task("attend")
def test_a_single_query_does_not_see_padding(impl, seed):
    q, k, v = qkv(seed, 1, 5)
    attention_mask = torch.arange(5) >= torch.tensor([[0], [2], [4]])
    want = F.scaled_dot_product_attention(q, k, v, attention_mask[:, None, None, :])
    torch.testing.assert_close(impl.attend(q, k, v, attention_mask), want, **EXACT)


@pytest.mark.task("attend")
def test_a_query_with_no_key_at_all_gives_zeros_and_not_nan(impl, seed):
    q, k, v = qkv(seed, 4, 4)
    out = impl.attend(q, k, v, torch.arange(4) >= torch.tensor([[0], [2], [4]]))
    assert torch.isfinite(out).all(), "a query whose keys are all padding gives NaN: one NaN reaches every later layer"
    torch.testing.assert_close(out[2], torch.zeros_like(out[2]))
    torch.testing.assert_close(out[1, :, :2], torch.zeros_like(out[1, :, :2]))


@pytest.mark.task("attend")
def test_padding_may_be_anywhere(impl, seed):
    q, k, v = qkv(seed, 4, 7)
    attention_mask = torch.ones(3, 7, dtype=torch.bool)
    attention_mask[0, 2:4] = attention_mask[1, 5:] = attention_mask[2, 6] = False
    mask = attention_mask[:, None, None, :] & torch.ones(4, 7, dtype=torch.bool).tril(3)
    want = F.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(impl.attend(q, k, v, attention_mask), want, **EXACT)


@pytest.mark.task("attend")
def test_gradients_of_a_query_with_no_key_are_no_nan(impl, seed):
    leaves = [x.requires_grad_() for x in qkv(seed, 4, 4)]
    impl.attend(*leaves, torch.arange(4) >= torch.tensor([[0], [2], [4]])).square().sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in leaves), "one NaN in a gradient reaches every weight"


@pytest.mark.task("attend")
def test_large_scores_stay_finite(impl, seed):
    q, k, v = (x.float() for x in qkv(seed, 3, 6))
    torch.testing.assert_close(
        impl.attend(100 * q, 100 * k, v),
        F.scaled_dot_product_attention(100 * q, 100 * k, v, lower_right(3, 6)),
        rtol=0,
        atol=1e-3,
    )  # float32 scores near 10^4 carry errors of 10^-3 into the weights


@pytest.mark.task("attend")
def test_gradients_equal_torch(impl, seed):
    ours, theirs = ([x.requires_grad_() for x in qkv(seed, 3, 5)] for _ in range(2))
    impl.attend(*ours).square().sum().backward()
    F.scaled_dot_product_attention(*theirs, lower_right(3, 5)).square().sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, **EXACT)


@pytest.mark.task("attend")
def test_more_queries_than_keys_is_an_error(impl, seed):
    q, k, v = qkv(seed, 5, 4)
    with pytest.raises(ValueError):
        impl.attend(q, k, v)


@settings(max_examples=30, deadline=None)
@given(Tq=st.integers(1, 6), extra=st.integers(0, 5), seed=st.integers(0, 10**6), padded=st.booleans())
def test_the_fused_form_equals_the_plain_one(Tq, extra, seed, padded):
    q, k, v = qkv(seed, Tq, Tq + extra)
    pad = torch.tensor([0, 1, 3]).clamp(max=Tq + extra)
    mask = torch.arange(Tq + extra) >= pad[:, None] if padded else None
    torch.testing.assert_close(attend_fast(q, k, v, mask), attend(q, k, v, mask), **EXACT)


@pytest.mark.parametrize("function", [attend, attend_fast])
def test_the_error_says_what_to_do(function):
    with pytest.raises(ValueError, match="queries=5, keys=4: each query needs its own key; pass old and new keys"):
        function(*qkv(0, 5, 4))


@pytest.mark.task("attend")
def test_no_score_is_large_enough_to_get_past_the_mask(impl):
    q = torch.full((1, 1, 1, 4), 200.0, dtype=torch.float64)
    k = torch.cat([q, torch.zeros_like(q)], dim=2)  # the hidden key's score is 80,000, the other's 0
    v = torch.tensor([1.0, 2.0], dtype=torch.float64).reshape(1, 1, 2, 1).expand(1, 1, 2, 4)
    out = impl.attend(q, k, v, torch.tensor([[False, True]]))
    assert out.tolist() == [[[[2.0] * 4]]]
