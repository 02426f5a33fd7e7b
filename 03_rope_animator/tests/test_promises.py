"""Single promises of the workbook, each on a small fixed input: frequencies, tables, slopes, interpolation, a test."""

import functools
import math

import candidates
import pytest
import torch
from by_hand import float64
from torch.testing import assert_close

# ---------------------------------------------------------------- frequencies


@pytest.mark.task("frequencies")
@pytest.mark.parametrize("dim, base", [(8, 1.0), (8, 1e-5), (22, 5e6), (256, 10_000.0)])
def test_frequencies_of_unusual_bases_and_of_a_wide_head(impl, dim, base):
    want = float64([base ** (-2 * i / dim) for i in range(dim // 2)])
    assert_close(impl.frequencies(dim, base), want, rtol=1e-12, atol=0)


@pytest.mark.task("frequencies")
def test_width_and_base_may_be_named(impl):
    assert_close(impl.frequencies(base=100.0, dim=4), float64([1, 0.1]))


@pytest.mark.task("frequencies")
@pytest.mark.parametrize("dim, base", [(-1, 10_000.0), (-3, 10_000.0), (8, -math.inf)])
def test_frequencies_refuse_negative_odd_widths_and_minus_infinity(impl, dim, base):
    with pytest.raises(ValueError):
        impl.frequencies(dim, base)


# ---------------------------------------------------------------- sinusoidal_table


@pytest.mark.task("sinusoidal_table")
def test_only_the_table_is_rounded_to_float32(impl):
    """Rounding a number below 1 costs 3e-8. Rounding an angle of up to 2 pi costs 2e-7."""
    table, angle = impl.sinusoidal_table(5000, 4, 3.0).double(), torch.arange(5000).double() / math.sqrt(3)
    assert_close(table[:, 2:], torch.stack((angle.sin(), angle.cos()), 1), rtol=0, atol=1e-7)


@pytest.mark.task("sinusoidal_table")
def test_frequencies_of_a_table_are_not_rounded_to_float32(impl):
    """A relative error of 6e-8 in a frequency of 0.58 is 7e-4 radians at row 20,000."""
    rows, angle = impl.sinusoidal_table(20_001, 4, 3.0)[-9:, 2].double(), torch.arange(19_992, 20_001).double()
    assert_close(rows, (angle / math.sqrt(3)).sin(), rtol=0, atol=1e-7)


@pytest.mark.task("sinusoidal_table")
def test_a_table_of_one_pair_may_have_more_than_32_768_rows(impl):
    rows = impl.sinusoidal_table(33_000, 2)
    assert rows.shape == (33_000, 2), "one row a position, one column a coordinate"
    assert_close(rows[-1].double(), float64([math.sin(32_999), math.cos(32_999)]), rtol=0, atol=1e-6)


@pytest.mark.task("sinusoidal_table")
@pytest.mark.parametrize("base", [1.0, 0.25])
def test_the_base_of_a_table_may_be_one_or_below(impl, base):
    fast = base**-0.5
    want = float64([math.sin(1), math.cos(1), math.sin(fast), math.cos(fast)])
    assert_close(impl.sinusoidal_table(2, 4, base)[1].double(), want, rtol=0, atol=1e-6)


@pytest.mark.task("sinusoidal_table")
def test_a_short_table_after_a_long_one_is_short(impl):
    for rows in (9, 3):
        assert impl.sinusoidal_table(max_seq_len=rows, dim=4, base=77.0).shape == (rows, 4)


@pytest.mark.task("sinusoidal_table")
def test_a_long_table_after_a_short_one_is_long(impl):
    for rows in (3, 9):
        table = impl.sinusoidal_table(rows, 4, 78.0)
        assert table.shape == (rows, 4), "one row a position, whatever was asked for before"
        assert_close(table[-1, :2].double(), float64([math.sin(rows - 1), math.cos(rows - 1)]), rtol=0, atol=1e-6)


@pytest.mark.task("sinusoidal_table")
@pytest.mark.parametrize("arguments", [(5, 0), (5, 1), (5, 7), (5, -2), (5, 8, -math.inf)])
def test_a_table_refuses_what_frequencies_refuses(impl, arguments):
    with pytest.raises(ValueError):
        impl.sinusoidal_table(*arguments)


# ---------------------------------------------------------------- assert_relative


@pytest.mark.task("assert_relative")
def test_your_test_takes_a_callable_without_a_name(impl):
    assert impl.assert_relative(functools.partial(candidates.half_layout)) is None


@pytest.mark.task("assert_relative")
def test_your_test_calls_the_encoding_with_queries_and_keys_of_one_shape(impl):
    def strict(q, k, positions):
        assert q.shape == k.shape, "q and k are both B H T D"
        return candidates.half_layout(q, k, positions)

    impl.assert_relative(strict)


# ---------------------------------------------------------------- alibi_slopes


@pytest.mark.task("alibi_slopes")
@pytest.mark.parametrize("heads", [5, 6, 7, 32, 63, 64, 100, 128, 200])
def test_slopes_of_more_numbers_of_heads(impl, heads):
    power = 2 ** int(math.log2(heads))
    exponents = [8 * (i + 1) / power for i in range(power)] + [4 * (2 * i + 1) / power for i in range(heads - power)]
    slopes = impl.alibi_slopes(num_heads=heads).double()
    # the 128th power of a float32 number has an error of up to 128 * 6e-8
    assert_close(slopes, float64([2.0**-e for e in exponents]), rtol=2e-5, atol=0)


# ---------------------------------------------------------------- interpolate


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64, torch.float32, torch.float64])
def test_positions_of_every_dtype_become_float64(impl, dtype):
    """30,000 times 300,000 is more than an int32 holds."""
    at = torch.tensor([3, 20_001, 30_000])
    assert_close(impl.interpolate(at.to(dtype), 300_000, 900_000), at.double() / 3, rtol=1e-14, atol=0)
    assert_close(impl.interpolate(at.to(dtype), 40_000, 35_000), at.double(), rtol=0, atol=0)


@pytest.mark.task("alibi_slopes")
@pytest.mark.parametrize("heads", [-1, -2, -8])
def test_slopes_refuse_negative_numbers_of_heads(impl, heads):
    with pytest.raises(ValueError):
        impl.alibi_slopes(heads)


@pytest.mark.task("interpolate")
def test_float64_positions_of_two_rows_stay_as_they_were(impl):
    at = torch.arange(6).double().view(2, 3)
    assert_close(impl.interpolate(at, 8, 32), torch.arange(6).double().view(2, 3) / 4, rtol=0, atol=0)
    assert at.flatten().tolist() == [0, 1, 2, 3, 4, 5], "the positions given must stay as they were"


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float_positions_are_squeezed_in_float64(impl, dtype):
    at = torch.tensor([1_000_000 + 1 / 3, 2_000_001, 0.1], dtype=torch.float64).to(dtype)
    assert_close(impl.interpolate(at, 1_000_000, 3_000_000), at.double() / 3, rtol=1e-14, atol=0)


@pytest.mark.task("interpolate")
def test_positions_of_a_few_tokens_are_squeezed_by_the_length_of_the_text(impl):
    for at in ([4], [30, 31], [7, 2], [0]):
        assert_close(impl.interpolate(torch.tensor(at), 8, 32), float64(at) / 4, rtol=0, atol=0)


@pytest.mark.task("interpolate")
def test_one_token_too_many_is_squeezed(impl):
    for length in (8, 30, 100):
        got = impl.interpolate(trained_len=length, positions=torch.tensor([length]), seq_len=length + 1)
        assert_close(got, float64([length * length / (length + 1)]), rtol=1e-14, atol=0)


@pytest.mark.task("interpolate")
def test_positions_may_be_transposed_views(impl):
    at = torch.arange(6).view(2, 3).T
    assert_close(impl.interpolate(at, 8, 32), at.double() / 4, rtol=0, atol=0)
    rows = torch.arange(2).expand(6, 2)
    assert_close(impl.interpolate(rows, 8, 2), rows.double(), rtol=0, atol=0)


@pytest.mark.task("interpolate")
def test_far_positions_in_int32_are_squeezed_in_float64(impl):
    at = torch.tensor([30_000_001], dtype=torch.int32)
    assert_close(impl.interpolate(at, 10_000_000, 40_000_000), float64([7_500_000.25]), rtol=1e-14, atol=0)


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("trained, length", [(8, -1), (0, 0), (-8, -16)])
def test_interpolation_refuses_negative_lengths_and_two_bad_ones(impl, trained, length):
    with pytest.raises(ValueError):
        impl.interpolate(torch.arange(4), trained, length)


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("length", [4, 8, 16])
def test_interpolation_refuses_half_precision_whatever_the_length(impl, dtype, length):
    with pytest.raises(ValueError):
        impl.interpolate(torch.arange(4).to(dtype), 8, length)
