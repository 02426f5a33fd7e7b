"""Tests of single promises of the workbook, each on a fixed small input: views, zeros, second calls, far fractions."""

import math

import candidates
import pytest
import torch
from by_hand import float64, normal, rotated_by_hand
from torch.testing import assert_close

# ---------------------------------------------------------------- frequencies and tables


@pytest.mark.task("frequencies")
def test_a_wide_head_has_no_frequency_of_zero(impl):
    want = float64([10_000.0 ** (-2 * i / 128) for i in range(64)])
    assert_close(impl.frequencies(128), want, rtol=1e-12, atol=0)


@pytest.mark.task("frequencies")
def test_a_second_call_with_another_base_has_other_frequencies(impl):
    assert_close(impl.frequencies(4, 100.0), float64([1, 0.1]))
    assert_close(impl.frequencies(4, 10_000.0), float64([1, 0.01]))


@pytest.mark.task("sinusoidal_table")
def test_a_second_table_of_the_same_size_has_its_own_base(impl):
    for base in (100.0, 10_000.0):
        want = torch.tensor([math.sin(1), math.cos(1), math.sin(base**-0.5), math.cos(base**-0.5)])
        assert_close(impl.sinusoidal_table(2, 4, base)[1], want)


@pytest.mark.task("sinusoidal_table")
@pytest.mark.parametrize("base", [0.0, -1.0, math.inf, math.nan])
def test_a_table_refuses_the_bases_that_frequencies_refuses(impl, base):
    with pytest.raises(ValueError):
        impl.sinusoidal_table(5, 8, base)


# ---------------------------------------------------------------- rotate


@pytest.mark.task("rotate")
def test_a_pair_of_zeros_stays_and_has_a_gradient(impl):
    pairs = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    rotated = impl.rotate(pairs, float64([math.pi / 2]))
    assert_close(rotated, torch.zeros_like(rotated))
    (gradient,) = torch.autograd.grad((rotated * float64([1, 3])).sum(), pairs)
    assert_close(gradient, float64([[3, -1]]))  # (1, 3) rotated back


@pytest.mark.task("rotate")
@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)])
def test_cosine_and_sine_are_rounded_and_not_the_angle(impl, dtype, most):
    """Rounded cosines are off by 0.00025 and 0.002. Rounded angles of up to 2 pi are off by 0.002 and 0.016."""
    angle = torch.linspace(3000, 3006, 64, dtype=torch.float64)
    rotated = impl.rotate(torch.tensor([1.0, 0.0]).to(dtype), angle)
    assert_close(rotated.double(), torch.stack((angle.cos(), angle.sin()), -1), rtol=0, atol=most)


@pytest.mark.task("rotate")
def test_pairs_may_be_a_transposed_view(impl):
    rotated = impl.rotate(float64([[1, 0, 3], [0, 1, 4]]).T, torch.tensor(math.pi / 2))
    assert_close(rotated, float64([[0, 1], [-1, 0], [-4, 3]]), rtol=0, atol=1e-6)


# ---------------------------------------------------------------- apply_rope


@pytest.mark.task("apply_rope")
def test_one_new_token_has_the_position_of_its_row(impl):
    q = normal(0, 2, 1, 1, 4)
    at = torch.tensor([[7], [2]])
    assert_close(impl.apply_rope(q, q, at)[1], rotated_by_hand(q, at, 10_000.0, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_fractions_far_away_are_not_rounded(impl):
    q, at = normal(0, 1, 1, 2, 4), float64([100_000 + 1 / 3, 200_000.7])
    assert_close(impl.apply_rope(q, q, at)[0], rotated_by_hand(q, at, 10_000.0, "half"), rtol=0, atol=1e-9)


@pytest.mark.task("apply_rope")
@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_queries_and_keys_may_be_transposed_views(impl, layout):
    q, at = normal(0, 1, 2, 4, 3).mT, torch.arange(3)
    assert_close(impl.apply_rope(q, q, at, layout=layout)[0], rotated_by_hand(q, at, 1e4, layout), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_a_second_call_uses_its_own_base(impl):
    q, at = normal(0, 1, 1, 3, 4), torch.arange(3)
    for base in (100.0, 10_000.0):
        assert_close(impl.apply_rope(q, q, at, base)[0], rotated_by_hand(q, at, base, "half"), rtol=0, atol=1e-12)


@pytest.mark.task("apply_rope")
def test_heads_may_be_128_wide(impl):
    q, at = normal(0, 1, 1, 2, 128), torch.tensor([1, 2])
    assert_close(impl.apply_rope(q, q, at)[0], rotated_by_hand(q, at, 10_000.0, "half"), rtol=0, atol=1e-12)


# ---------------------------------------------------------------- assert_relative and rotary_attention


@pytest.mark.task("assert_relative")
def test_your_test_calls_the_encoding_as_the_workbook_says(impl):
    def strict(q, k, positions):
        assert q.ndim == k.ndim == 4 and q.shape[-1] % 4 == 0, "q and k are B H T D, D a multiple of 4"
        assert positions.shape == (q.shape[2],) and not positions.is_floating_point(), "positions are T integers"
        assert 0 <= positions.min() and positions.max() <= 50_000, "positions are from 0 to 50,000"
        return candidates.half_layout(q, k, positions)

    impl.assert_relative(strict)


@pytest.mark.task("rotary_attention")
def test_attention_uses_the_base_of_each_call_and_takes_views(impl):
    x, at = normal(0, 1, 2, 4, 3).mT, float64([100_000.1, 100_001.3, 100_002.7])
    for base in (100.0, 10_000.0):
        rotated = rotated_by_hand(x, at, base, "half")
        want = torch.nn.functional.scaled_dot_product_attention(rotated, rotated, x, is_causal=True)
        assert_close(impl.rotary_attention(x, x, x, at, base), want, rtol=0, atol=1e-9)


# ---------------------------------------------------------------- interpolate


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("shape", [(2, 3), (6,), (1, 2, 3)])
def test_positions_keep_their_shape(impl, shape):
    at = torch.arange(6).view(shape)
    assert_close(impl.interpolate(at, 8, 32), at.double() / 4, rtol=0, atol=0)
    assert_close(impl.interpolate(at[..., :0], 8, 32), at[..., :0].double(), rtol=0, atol=0)


@pytest.mark.task("interpolate")
def test_one_position_may_be_a_single_number(impl):
    assert_close(impl.interpolate(torch.tensor(4), 8, 32), torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.task("interpolate")
def test_far_fractions_are_squeezed_in_float64(impl):
    at = float64([1_000_000 + 1 / 3, 30_000_001])
    assert_close(impl.interpolate(at, 1_000_000, 2_000_000), at / 2, rtol=1e-14, atol=0)
