"""Tests of the tasks that rotate: one pair, queries and keys, the learner's own test, attention."""

import math

import candidates
import pytest
import torch
from by_hand import normal, rotated_by_hand
from torch.testing import assert_close

# ---------------------------------------------------------------- rotate


@pytest.mark.task("rotate")
def test_rotate_is_the_product_of_complex_numbers(impl, seed):
    pairs, angle = normal(seed, 3, 5, 2), normal(seed + 1, 3, 5)
    rotated = impl.rotate(pairs, angle)
    assert rotated.shape == pairs.shape, "a rotated pair is a pair"
    want = torch.view_as_real(torch.view_as_complex(pairs) * torch.exp(1j * angle))
    assert_close(rotated, want, rtol=0, atol=1e-12)


@pytest.mark.task("rotate")
def test_a_quarter_of_a_rotation_takes_x_to_y(impl):
    rotated = impl.rotate(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor(math.pi / 2))
    assert_close(rotated, torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), rtol=0, atol=1e-6)


@pytest.mark.task("rotate")
def test_rotate_keeps_lengths_and_adds_angles(impl, seed):
    pairs, a, b = normal(seed, 11, 2), normal(seed + 1, 11), normal(seed + 2, 11)
    assert_close(impl.rotate(pairs, a).norm(dim=-1), pairs.norm(dim=-1), rtol=1e-12, atol=0)
    assert_close(impl.rotate(impl.rotate(pairs, a), b), impl.rotate(pairs, a + b), rtol=0, atol=1e-12)


@pytest.mark.task("rotate")
def test_rotate_broadcasts_angles(impl, seed):
    pairs, angle = normal(seed, 4, 3, 2), normal(seed + 1, 3)
    assert_close(impl.rotate(pairs, angle), impl.rotate(pairs, angle.expand(4, 3)))
    assert impl.rotate(pairs[0, 0], angle).shape == (3, 2), "one pair and three angles give three pairs"


@pytest.mark.task("rotate")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_rotate_keeps_the_dtype_of_the_pairs(impl, seed, dtype):
    pairs, angle = normal(seed, 7, 2), 1000 * normal(seed + 1, 7)
    rotated = impl.rotate(pairs.to(dtype), angle)
    assert rotated.dtype == dtype, f"{dtype} pairs came back as {rotated.dtype}"
    assert_close(rotated.double(), impl.rotate(pairs, angle), rtol=0, atol=0.05)  # bfloat16 has 8 bits


@pytest.mark.task("rotate")
def test_gradients_pass_through_a_rotation(impl, seed):
    """The gradient of a rotated pair is rotated back."""
    pairs, angle, weights = normal(seed, 7, 2).requires_grad_(), normal(seed + 1, 7), normal(seed + 2, 7, 2)
    (gradient,) = torch.autograd.grad((impl.rotate(pairs, angle) * weights).sum(), pairs)
    assert_close(gradient, impl.rotate(weights, -angle), rtol=0, atol=1e-12)


# ---------------------------------------------------------------- apply_rope


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_apply_rope_rotates_each_pair_by_position_times_frequency(impl, seed, layout):
    q, k, at = normal(seed, 2, 3, 7, 10), normal(seed + 1, 2, 3, 7, 10), torch.arange(7) + 13
    for got, x in zip(impl.apply_rope(q, k, at, 500.0, layout), (q, k), strict=True):
        assert_close(got, rotated_by_hand(x, at, 500.0, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_apply_rope_takes_the_positions_of_each_row(impl, seed):
    q, k = normal(seed, 2, 3, 5, 6), normal(seed + 1, 2, 3, 5, 6)
    at = torch.tensor([[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]])
    assert_close(impl.apply_rope(q, k, at)[1], rotated_by_hand(k, at, 10_000.0, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_apply_rope_takes_fractional_positions_and_fewer_key_heads(impl, seed):
    q, k, at = normal(seed, 1, 4, 5, 6), normal(seed + 1, 1, 2, 5, 6), torch.tensor([0, 0.25, 0.5, 3.75, 9])
    for got, x in zip(impl.apply_rope(q, k, at), (q, k), strict=True):
        assert_close(got, rotated_by_hand(x, at, 10_000.0, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_apply_rope_keeps_the_phase_far_away(impl, seed):
    q, k, at = normal(seed, 1, 2, 5, 8), normal(seed + 1, 1, 2, 5, 8), torch.arange(5) + 100_000 + seed % 1000
    want = rotated_by_hand(q, at, 10_000.0, "half")
    # 1e-9: float64 angles of 1e5 radians are good to 1e-11, float32 ones to 1e-2
    assert_close(impl.apply_rope(q, k, at)[0], want, rtol=0, atol=1e-9)


@pytest.mark.task("apply_rope")
def test_apply_rope_keeps_the_phase_and_the_dtype_in_float16(impl, seed):
    q, k, at = normal(seed, 1, 2, 5, 8), normal(seed + 1, 1, 2, 5, 8), torch.arange(5) + 3001
    rotated = impl.apply_rope(q.half(), k.half(), at)[0]
    assert rotated.dtype == torch.float16, f"float16 queries came back as {rotated.dtype}"
    # 0.02: rounding of values of size 4 to float16, several times
    assert_close(rotated.double(), rotated_by_hand(q, at, 10_000.0, "half"), rtol=0, atol=0.02)


@pytest.mark.task("apply_rope")
def test_queries_and_keys_keep_their_own_dtypes_and_gradients(impl, seed):
    q, k = normal(seed, 1, 2, 5, 8).float().requires_grad_(), normal(seed + 1, 1, 2, 5, 8).requires_grad_()
    rotated_q, rotated_k = impl.apply_rope(q, k, torch.arange(5))
    assert (rotated_q.dtype, rotated_k.dtype) == (torch.float32, torch.float64)
    assert rotated_q.requires_grad and rotated_k.requires_grad, "queries and keys are trained"


@pytest.mark.task("apply_rope")
def test_a_cache_changes_nothing(impl, seed):
    """Token by token with the right positions equals the whole text at once."""
    q, k = normal(seed, 1, 2, 6, 8), normal(seed + 1, 1, 2, 6, 8)
    whole = impl.apply_rope(q, k, torch.arange(6))[1]
    steps = [impl.apply_rope(q[:, :, t : t + 1], k[:, :, t : t + 1], torch.tensor([t]))[1] for t in range(6)]
    assert_close(torch.cat(steps, 2), whole, rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_apply_rope_refuses_positions_that_do_not_fit(impl):
    q = torch.zeros(2, 3, 5, 4)
    for at in (torch.arange(4), torch.zeros(1), torch.zeros(3, 5)):
        with pytest.raises(ValueError):
            impl.apply_rope(q, q, at)


@pytest.mark.task("apply_rope")
def test_apply_rope_refuses_keys_of_other_tokens(impl):
    """One new query and the ten keys of a cache: the cached keys are rotated already."""
    x = torch.zeros(2, 3, 10, 4)
    for q_len, k_len, at in ((1, 10, torch.tensor([9])), (5, 1, torch.arange(5)), (1, 10, torch.arange(10))):
        with pytest.raises(ValueError):
            impl.apply_rope(x[:, :, :q_len], x[:, :, :k_len], at)
    for k in (x[:1], x[..., :2]):  # another batch, another width
        with pytest.raises(ValueError):
            impl.apply_rope(x, k, torch.arange(10))


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_apply_rope_refuses_positions_in_half_precision(impl, dtype):
    """bfloat16 rounds 257 to 256, float16 rounds 2,049 to 2,048."""
    q = torch.zeros(1, 1, 2, 4)
    with pytest.raises(ValueError):
        impl.apply_rope(q, q, torch.tensor([256, 257]).to(dtype))


@pytest.mark.task("apply_rope")
def test_apply_rope_refuses_an_unknown_layout(impl):
    q = torch.zeros(1, 1, 2, 4)
    with pytest.raises(ValueError):
        impl.apply_rope(q, q, torch.arange(2), layout="llama")


# ---------------------------------------------------------------- the learner's own test


@pytest.mark.task("assert_relative")
def test_your_test_accepts_what_is_relative(impl):
    for rotary in candidates.RELATIVE:
        try:
            returned = impl.assert_relative(rotary)
        except AssertionError as error:
            pytest.fail(f"your test rejects an encoding that is relative ({candidates.name(rotary)}): {error}")
        assert returned is None, "a test returns nothing: it raises AssertionError, or it does not"


@pytest.mark.task("assert_relative")
def test_your_test_rejects_what_is_not_relative(impl):
    for rotary in candidates.NOT_RELATIVE:
        with pytest.raises(AssertionError):
            impl.assert_relative(rotary)
            pytest.fail(f"your test accepts an encoding that is not relative: {candidates.name(rotary)}")


# ---------------------------------------------------------------- attention


def expected_attention(q, k, v, positions, base):
    q, k = (rotated_by_hand(x, positions, base, "half") for x in (q, k))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.task("rotary_attention")
def test_attention_rotates_queries_and_keys_and_nothing_else(impl, seed):
    q, k, v = (normal(seed + i, 2, 3, 7, 8) for i in range(3))
    at = torch.tensor([0, 1, 4, 5, 9, 30, 31])
    for arguments, base in (((), 10_000.0), ((300.0,), 300.0)):
        got = impl.rotary_attention(q, k, v, at, *arguments)
        assert_close(got, expected_attention(q, k, v, at, base), rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
def test_attention_hides_the_future_when_scores_are_far_below_zero(impl, seed):
    x, v, at = normal(seed, 1, 2, 6, 8), normal(seed + 1, 1, 2, 6, 8), torch.arange(6)
    q, k = 30 * x, -30 * x
    assert_close(impl.rotary_attention(q, k, v, at), expected_attention(q, k, v, at, 10_000.0), rtol=0, atol=1e-9)


@pytest.mark.task("rotary_attention")
def test_attention_is_causal_in_the_order_of_tokens_whatever_their_positions(impl, seed):
    q, k, v = (normal(seed + i, 2, 2, 5, 8) for i in range(3))
    at = torch.tensor([[0, 0, 0, 1, 2], [4, 3, 2, 1, 0]])
    assert_close(impl.rotary_attention(q, k, v, at), expected_attention(q, k, v, at, 10_000.0), rtol=0, atol=1e-12)


@pytest.mark.task("rotary_attention")
def test_attention_depends_on_distances_only(impl, seed):
    q, k, v = (normal(seed + i, 1, 2, 6, 8) for i in range(3))
    near, far = (impl.rotary_attention(q, k, v, torch.arange(6) + shift, 300.0) for shift in (0, 777))
    assert_close(near, far, rtol=0, atol=1e-10)


@pytest.mark.task("rotary_attention")
def test_attention_refuses_shapes_that_differ(impl):
    x = torch.zeros(1, 2, 5, 8)
    for k, v in ((x, x[:, :, :4]), (x[:, :, :4], x[:, :, :4]), (x[:, :, :4], x)):
        with pytest.raises(ValueError):
            impl.rotary_attention(x, k, v, torch.arange(5))
