"""The seven tasks: right values on whole blocks and on ragged ones, and the budget of memory traffic.

Every call runs in three thread orders under the tracer, with poisoned outputs between forbidden pages; a race, an
access out of bounds, an element never written or too much traffic is an exception with the kernel's line in it.
"""

import pytest
import torch


def equal(got, want, why):
    assert isinstance(got, torch.Tensor), f"{why}: a {type(got).__name__} where a tensor is expected"
    assert got.dtype == want.dtype, f"{why}: dtype {got.dtype} where {want.dtype} is expected"
    assert tuple(got.shape) == tuple(want.shape), f"{why}: shape {tuple(got.shape)}, not {tuple(want.shape)}"
    wrong = (got != want).nonzero()
    assert len(wrong) == 0, (
        f"{why}: {len(wrong)} of {want.numel()} are wrong, first at {wrong[0].tolist()}: "
        f"{got[tuple(wrong[0])].item()} where {want[tuple(wrong[0])].item()} is right"
    )


def int8(*shape):
    return torch.randint(-128, 128, shape, dtype=torch.int8)


def add_exactly(a, b, sa, za, sb, zb, sc, zc):
    y = ((a.double() - za) * sa + (b.double() - zb) * sb) / sc
    return (y.round() + zc).clamp(-128, 127).to(torch.int8)


@pytest.mark.task("quantized_add")
@pytest.mark.parametrize("n", [256, 1009, 1, 4099])
def test_a_sum_of_two_scales_is_rounded_to_even_in_the_third(impl, seed, n):
    a, b = int8(n), int8(n)
    scales = (0.5, 3, 0.25, -5, 0.5, 7)  # powers of two: every step is exact, and ties abound
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), f"the sum of {n} elements")


@pytest.mark.task("quantized_add")
def test_ties_stay_ties_at_a_scale_whose_reciprocal_is_not_exact(impl, seed):
    a, b = torch.arange(-128, 128).to(torch.int8), int8(256)
    scales = (20.5, 3, 41.0, -5, 41.0, 7)
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), "ties at a scale of 41")


@pytest.mark.task("quantized_add")
def test_a_sum_beyond_the_range_saturates(impl, seed):
    a, b = int8(300), int8(300)
    scales = (2.0, 0, 2.0, 0, 0.5, 11)
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), "sums far outside int8")


@pytest.mark.task("quantized_add")
def test_scales_may_be_any_fraction(impl, seed):
    a, b = int8(256), torch.arange(-128, 128).to(torch.int8)
    scales = (0.018, -7, 0.032, 4, 0.0428, -9)  # sums are 107ths of a step, and none is near a tie
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), "scales of 0.018, 0.032 and 0.0428")


@pytest.mark.task("quantized_add")
def test_terms_that_are_no_whole_numbers_of_steps_give_ties(impl, seed):
    a, b = int8(256), torch.arange(-128, 128).to(torch.int8)
    scales = (1.0, 3, 1.0, -5, 6.0, 7)
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), "ties at a scale of 6")


@pytest.mark.task("quantized_add")
@pytest.mark.parametrize("zeros", [(-128, 127, -128), (127, -128, 127), (0, 0, 0)])
def test_scales_may_be_tiny_and_zero_points_are_any_codes(impl, seed, zeros):
    a, b = torch.arange(-128, 128).to(torch.int8), int8(256)
    scales = (2.0**-60, zeros[0], 2.0**-61, zeros[1], 2.0**-60, zeros[2])
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), f"zero-points of {zeros}")


@pytest.mark.task("quantized_add")
def test_a_sum_of_millions_of_steps_saturates(impl, seed):
    a, b = int8(256), int8(256)
    scales = (1024.0, 3, 512.0, -5, 2.0**-10, 7)
    equal(impl.quantized_add(a, b, *scales), add_exactly(a, b, *scales), "sums of up to 2^29 steps")


def outliers(rows, cols):
    x = 20 * torch.randn(rows, cols)
    x[0, cols // 2] = -700.0
    x[1, (1 if cols < 128 else 97) % cols] = 350.0
    x[2] = -x[2].abs() - 1
    return x


@pytest.mark.task("row_absmax")
@pytest.mark.parametrize("cols", [128, 1009, 7, 1, 33, 5003])
def test_the_largest_magnitude_of_each_row(impl, seed, cols):
    x = outliers(5, cols)
    equal(impl.row_absmax(x), x.abs().amax(1), f"rows of {cols}")


@pytest.mark.task("row_absmax")
def test_every_column_is_looked_at(impl, seed):
    x = torch.zeros(128, 128)
    x[torch.arange(128), torch.arange(128)] = -torch.arange(1.0, 129.0)
    equal(impl.row_absmax(x), torch.arange(1.0, 129.0), "an outlier in each of 128 columns")


@pytest.mark.task("row_absmax")
def test_a_row_of_zeros_has_0_and_tiny_numbers_are_not_zeros(impl, seed):
    x = torch.tensor([[0.0, 0.0, 0.0], [1e-30, -2e-30, 0.0], [-1e-12, 0.0, 0.0]])
    equal(impl.row_absmax(x), torch.tensor([0.0, 2e-30, 1e-12]), "zeros, and tiny numbers")


@pytest.mark.task("row_absmax")
def test_a_magnitude_may_be_as_large_as_a_float(impl, seed):
    x = torch.tensor([[1e38, -3.4e38, 2e38], [1.5e38, -1e38, 0.0]])
    equal(impl.row_absmax(x), torch.tensor([3.4e38, 1.5e38]), "huge numbers")


@pytest.mark.task("quantize_rows")
@pytest.mark.parametrize("cols", [128, 1009, 7, 5003])
def test_rows_are_scaled_to_127_and_rounded_to_even(impl, seed, cols):
    x = outliers(5, cols)
    x[3] = torch.randint(-254, 255, (cols,)) / 2.0  # with a scale of 1, half of them are ties
    x[3, 0] = 127.0
    q, scale = impl.quantize_rows(x, x.abs().amax(1))
    want = x.abs().amax(1) / 127
    equal(scale, want, "the scales")
    equal(q, (x / want[:, None]).round().to(torch.int8), f"the codes of rows of {cols}")


@pytest.mark.task("quantize_rows")
def test_a_row_of_zeros_has_scale_one(impl, seed):
    x = outliers(3, 130)
    x[2] = 0
    q, scale = impl.quantize_rows(x, x.abs().amax(1))
    equal(scale[2:], torch.ones(1), "the scale of a row of zeros")
    equal(q[2], torch.zeros(130, dtype=torch.int8), "the codes of a row of zeros")


@pytest.mark.task("quantize_rows")
def test_a_row_of_tiny_numbers_is_no_row_of_zeros(impl, seed):
    x = outliers(3, 130) * torch.tensor([[1e-10], [1e-30], [1e-36]])
    q, scale = impl.quantize_rows(x, x.abs().amax(1))
    equal(scale, x.abs().amax(1) / 127, "the scales of tiny numbers")
    equal(q, (x / scale[:, None]).round().to(torch.int8), "the codes of tiny numbers")


@pytest.mark.task("quantize_rows")
def test_ties_stay_ties_at_scales_whose_reciprocal_is_not_exact(impl, seed):
    scale = torch.tensor([15.0, 61.0])
    steps = torch.arange(-127.0, 127) + 0.5
    q, got = impl.quantize_rows(steps * scale[:, None], 127 * scale)
    equal(got, scale, "the scales")
    equal(q, steps.round().expand(2, -1).to(torch.int8), "ties at scales of 15 and 61")


@pytest.mark.task("quantize_rows")
def test_steps_are_counted_in_the_rounded_scale(impl, seed):
    absmax = torch.tensor([100.0])
    steps = torch.arange(-127.0, 127) + 0.5
    x = steps[None] * (absmax / 127)
    q, scale = impl.quantize_rows(x, absmax)
    equal(scale, absmax / 127, "the scale")
    equal(q, (x / (absmax / 127)).round().to(torch.int8), "halves of a scale of 100 / 127")


@pytest.mark.task("quantize_rows")
def test_an_absmax_of_0_has_scale_one_whatever_the_row_holds(impl, seed):
    q, scale = impl.quantize_rows(torch.tensor([[3.3, -200.0, 0.5, -1.5, 0.0]]), torch.zeros(1))
    equal(scale, torch.ones(1), "the scale where absmax is 0")
    equal(q, torch.tensor([[3, -127, 0, -2, 0]], dtype=torch.int8), "the codes where absmax is 0")


@pytest.mark.task("quantize_rows")
def test_values_beyond_absmax_saturate(impl, seed):
    x, absmax = 3 * torch.randn(2, 131), torch.tensor([0.5, 1.0])
    q, scale = impl.quantize_rows(x, absmax)
    equal(scale, absmax / 127, "the scales")
    equal(q, (x / scale[:, None]).round().clamp(-127, 127).to(torch.int8), "codes of values beyond absmax")


@pytest.mark.task("quantize_rows")
def test_values_far_beyond_absmax_saturate(impl, seed):
    x = torch.tensor(
        [[1e12, -1e12, 2.4e7, -2.4e7, 3e5, -3e5, 0.25]]
    )  # more steps than an int holds, and more than 16 bits
    q, scale = impl.quantize_rows(x, torch.ones(1))
    equal(q, torch.tensor([[127, -127, 127, -127, 127, -127, 32]], dtype=torch.int8), "codes of 1e12 where absmax is 1")


@pytest.mark.task("quantize_rows")
def test_an_absmax_above_every_value_is_taken(impl, seed):
    x = torch.randn(2, 131)
    absmax = 2 * x.abs().amax(1)
    q, scale = impl.quantize_rows(x, absmax)
    equal(scale, absmax / 127, "the scales")
    equal(q, (x / scale[:, None]).round().to(torch.int8), "codes of values below absmax")


@pytest.mark.task("coalesced_gemm")
@pytest.mark.parametrize(
    "m, n, k", [(16, 16, 4), (37, 41, 53), (32, 32, 32), (1, 3, 2), (64, 2, 64), (3, 300, 5), (5, 7, 1)]
)
def test_the_product_is_exact(impl, seed, m, n, k):
    a, b = int8(m, k), int8(k, n)
    equal(impl.coalesced_gemm(a, b), a.int() @ b.int(), f"{m} x {k} times {k} x {n}")


@pytest.mark.task("coalesced_gemm")
def test_a_sum_of_25_bits_is_exact(impl, seed):
    a = torch.full((1, 1040), -128, dtype=torch.int8)
    a[0, 0] = 1
    want = torch.tensor([[1 + 1039 * 16384]], dtype=torch.int32)
    equal(impl.coalesced_gemm(a, a.T.contiguous()), want, "1039 times (-128)^2, and 1")


@pytest.mark.task("tiled_gemm")
@pytest.mark.parametrize(
    "m, n, k", [(16, 16, 16), (16, 16, 32), (37, 41, 53), (3, 5, 2), (20, 40, 24), (5, 33, 1), (70, 2, 40)]
)
def test_the_tiled_product_is_exact(impl, seed, m, n, k):
    a, b = int8(m, k), int8(k, n)
    equal(impl.tiled_gemm(a, b), a.int() @ b.int(), f"{m} x {k} times {k} x {n}")


@pytest.mark.task("tiled_gemm")
def test_a_tiled_sum_of_25_bits_is_exact(impl, seed):
    a = torch.full((1, 1040), -128, dtype=torch.int8)
    a[0, 0] = 1
    want = torch.tensor([[1 + 1039 * 16384]], dtype=torch.int32)
    equal(impl.tiled_gemm(a, a.T.contiguous()), want, "1039 times (-128)^2, and 1")


@pytest.mark.task("dp4a_dot")
def test_an_inner_product_of_25_bits_is_exact(impl, seed):
    a = torch.full((1, 1040), -128, dtype=torch.int8)
    a[0, 0] = 1
    equal(impl.dp4a_dot(a, a), torch.tensor([1 + 1039 * 16384], dtype=torch.int32), "1039 times (-128)^2, and 1")


@pytest.mark.task("dp4a_dot")
@pytest.mark.parametrize("rows, k", [(3, 128), (7, 1028), (2, 4), (4, 80), (1, 5200)])
def test_the_inner_products_are_exact(impl, seed, rows, k):
    a, b = int8(rows, k), int8(rows, k)
    equal(impl.dp4a_dot(a, b), (a.int() * b.int()).sum(1).int(), f"rows of {k}")


@pytest.mark.task("dp4a_dot")
def test_the_largest_inner_product_fits(impl, seed):
    a = torch.full((1, 512), -128, dtype=torch.int8)
    equal(impl.dp4a_dot(a, a), torch.tensor([512 * 16384], dtype=torch.int32), "512 times (-128)^2")


@pytest.mark.task("unpack_int4")
def test_every_byte_has_its_two_values(impl, seed):
    got = impl.unpack_int4(torch.arange(256).to(torch.uint8), 512).view(256, 2)
    value = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1], dtype=torch.int8)
    equal(got[:, 0], value.repeat(16), "the low nibbles of all bytes")
    equal(got[:, 1], value.repeat_interleave(16), "the high nibbles of all bytes")


@pytest.mark.task("unpack_int4")
@pytest.mark.parametrize("n", [256, 255, 1000, 1, 4099])
def test_nibbles_come_low_first_and_signed(impl, seed, n):
    want = torch.randint(-8, 8, (n + n % 2,))
    packed = ((want[0::2] & 15) | (want[1::2] & 15) << 4).to(torch.uint8)
    equal(impl.unpack_int4(packed, n), want[:n].to(torch.int8), f"{n} values")
