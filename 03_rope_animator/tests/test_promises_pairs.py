"""Single promises of the workbook, each on a fixed small input: pairs."""

import math

import pytest
import torch
from by_hand import float64, normal
from torch.testing import assert_close

HALF_PRECISION = [(torch.float16, 0.02), (torch.bfloat16, 0.15)]  # and the rounding of values near 4, several times


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
