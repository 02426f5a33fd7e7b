"""Tests of the tasks that make numbers from positions: frequencies, the sinusoidal table, slopes, interpolation."""

import math

import pytest
import torch
from by_hand import float64
from torch.testing import assert_close

# ---------------------------------------------------------------- frequencies


@pytest.mark.task("frequencies")
def test_frequencies_fall_from_one_radian_a_token(impl, seed):
    dim, base = 2 * (5 + seed % 7), 9_000.1 / (1 + seed % 1000)
    theta = impl.frequencies(dim, base)
    assert theta.shape == (dim // 2,), f"{dim} coordinates make {dim // 2} pairs, each with one frequency"
    want = float64([math.exp(-math.log(base) * 2 * i / dim) for i in range(dim // 2)])
    assert_close(theta.double(), want, rtol=1e-6, atol=0)  # true of float32 too: the dtype has its own message
    assert theta.dtype == torch.float64, f"frequencies must be float64, not {theta.dtype}: angles need their precision"
    assert_close(theta, want, rtol=1e-12, atol=0)  # float64 is good to 1e-15, what was float32 before to 1e-7


@pytest.mark.task("frequencies")
def test_frequencies_of_one_pair_and_of_two_with_the_default_base(impl):
    assert_close(impl.frequencies(2), torch.ones(1, dtype=torch.float64))
    assert_close(impl.frequencies(4), float64([1.0, 0.01]), rtol=1e-12, atol=0)


@pytest.mark.task("frequencies")
@pytest.mark.parametrize("dim", [0, 1, 7, -2])
def test_frequencies_refuse_an_odd_width(impl, dim):
    with pytest.raises(ValueError):
        impl.frequencies(dim)


@pytest.mark.task("frequencies")
@pytest.mark.parametrize("base", [0.0, -1.0, math.inf, math.nan])
def test_frequencies_refuse_a_base_that_is_not_positive_and_finite(impl, base):
    with pytest.raises(ValueError):
        impl.frequencies(8, base)


# ---------------------------------------------------------------- sinusoidal table


@pytest.mark.task("sinusoidal_table")
def test_table_holds_sines_and_cosines_side_by_side(impl, seed):
    length, dim, base = 7 + seed % 5, 10, 200.0 + seed % 1000
    table = impl.sinusoidal_table(length, dim, base)
    assert table.shape == (length, dim), "one row a position, one column a coordinate"
    want = [
        [(math.cos if j % 2 else math.sin)(p * base ** (-2 * (j // 2) / dim)) for j in range(dim)]
        for p in range(length)
    ]
    assert_close(table.double(), float64(want), rtol=0, atol=1e-5)  # the precision of far rows has its own probe
    assert table.dtype == torch.float32, f"the table must be float32, like embeddings, not {table.dtype}"


@pytest.mark.task("sinusoidal_table")
def test_table_tells_large_positions_apart(impl, seed):
    row = 257 + 2 * (seed % 100)
    want = [math.sin(row), math.cos(row)]
    assert_close(impl.sinusoidal_table(row + 1, 4)[row, :2].double(), float64(want), rtol=0, atol=1e-3)


@pytest.mark.task("sinusoidal_table")
def test_far_rows_are_as_exact_as_near_ones_and_nothing_is_learned(impl, seed):
    rows = 6000 + seed % 100
    table, at = impl.sinusoidal_table(rows, 4, 3.0), torch.arange(rows).double()
    assert not table.requires_grad, "the table is not learned"
    assert_close(table[:, 2].double(), (at / math.sqrt(3)).sin(), rtol=0, atol=1e-6)  # float32 angles: 2e-4


@pytest.mark.task("sinusoidal_table")
def test_a_shift_of_the_table_is_a_rotation(impl, seed):
    """PE(p + k) is one matrix times PE(p), the same for all p (Vaswani et al. 2017, section 3.5)."""
    table, k = impl.sinusoidal_table(60, 6, 10.0).double(), 3 + seed % 4
    matrix = torch.linalg.lstsq(table[:-k], table[k:]).solution
    assert_close(table[:-k] @ matrix, table[k:], rtol=0, atol=1e-4)
    assert_close(matrix @ matrix.T, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-4)


@pytest.mark.task("sinusoidal_table")
@pytest.mark.parametrize("length", [0, -1])
def test_table_refuses_no_positions(impl, length):
    with pytest.raises(ValueError):
        impl.sinusoidal_table(length, 8)


# ---------------------------------------------------------------- ALiBi


@pytest.mark.task("alibi_slopes")
def test_slopes_of_a_power_of_two_are_the_papers(impl):
    assert_close(impl.alibi_slopes(8).double(), 2.0 ** -torch.arange(1, 9).double(), rtol=1e-6, atol=0)
    assert_close(impl.alibi_slopes(16).double(), 2.0 ** (-torch.arange(1, 17).double() / 2), rtol=1e-6, atol=0)
    assert_close(impl.alibi_slopes(1).double(), float64([2.0**-8]), rtol=1e-6, atol=0)
    assert impl.alibi_slopes(8).dtype == torch.float32, "slopes must be float32, like scores"


@pytest.mark.task("alibi_slopes")
def test_slopes_of_any_other_number_add_every_second_of_the_finer_series(impl, seed):
    twelve = [2.0 ** -(i + 1) for i in range(8)] + [2.0**-0.5, 2.0**-1.5, 2.0**-2.5, 2.0**-3.5]
    assert_close(impl.alibi_slopes(12).double(), float64(twelve), rtol=1e-6, atol=0)
    assert_close(impl.alibi_slopes(3).double(), float64([2.0**-4, 2.0**-8, 2.0**-2]), rtol=1e-6, atol=0)
    heads = 17 + seed % 13
    slopes = impl.alibi_slopes(heads).double()
    assert slopes.shape == (heads,), "one slope a head"
    assert_close(slopes[:16], impl.alibi_slopes(16).double())
    assert_close(slopes[16:], impl.alibi_slopes(32).double()[::2][: heads - 16])


@pytest.mark.task("alibi_slopes")
@pytest.mark.parametrize("heads", [0, -3])
def test_slopes_refuse_no_heads(impl, heads):
    with pytest.raises(ValueError):
        impl.alibi_slopes(heads)


# ---------------------------------------------------------------- position interpolation


@pytest.mark.task("interpolate")
def test_interpolation_squeezes_a_long_text_into_the_trained_range(impl, seed):
    trained, length = 16 + seed % 7, 51 + seed % 11
    squeezed = impl.interpolate(torch.arange(length), trained, length)
    want = float64([p * trained / length for p in range(length)])
    assert_close(squeezed.double(), want, rtol=0, atol=1e-5)
    assert squeezed.max() < trained, "no squeezed position lies beyond the trained ones"
    assert squeezed.dtype == torch.float64, f"positions must be float64, not {squeezed.dtype}: they become angles"


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("length", [5, 11, 16])
def test_interpolation_leaves_a_text_alone_that_fits(impl, length):
    at = torch.arange(length)
    assert_close(impl.interpolate(at, 16, length), at.double(), rtol=0, atol=0)


@pytest.mark.task("interpolate")
def test_interpolation_takes_positions_between_whole_numbers(impl):
    at = float64([0.5, 3.25, 17.0])
    assert_close(impl.interpolate(at, 8, 20), float64([0.2, 1.3, 6.8]), rtol=0, atol=1e-12)
    assert at.tolist() == [0.5, 3.25, 17.0], "the positions given must stay as they were"


@pytest.mark.task("interpolate")
@pytest.mark.parametrize("trained, length", [(0, 8), (8, 0), (-1, 8)])
def test_interpolation_refuses_lengths_below_one(impl, trained, length):
    with pytest.raises(ValueError):
        impl.interpolate(torch.arange(4), trained, length)
