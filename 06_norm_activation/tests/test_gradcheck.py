"""The gradient check itself: is it exact where it can be, and does it catch what it is for?"""

import norm_activation as na
import pytest
import torch
from test_norms import gradients, numbers


@pytest.mark.task("numerical_gradient")
def test_it_is_exact_for_a_square_and_off_by_h_squared_for_a_cube(impl, seed):
    x = numbers(seed, 2, 3)
    torch.testing.assert_close(impl.numerical_gradient(lambda x: (x**2).sum(), x, 0.5), 2 * x, rtol=0, atol=1e-12)
    cube = impl.numerical_gradient(lambda x: (x**3).sum(), x, 0.5)
    torch.testing.assert_close(cube, 3 * x**2 + 0.25, rtol=0, atol=1e-12)
    two = torch.tensor([2.0], dtype=torch.float64)
    assert float(impl.numerical_gradient(lambda x: (x**3).sum(), two, 1.0)) == pytest.approx(13)


@pytest.mark.task("numerical_gradient")
def test_it_agrees_with_autograd(impl, seed):
    x, w = numbers(seed, 3, 5), numbers(seed + 1, 5)

    def function(x):
        return (torch.sin(x) @ w).square().sum()

    got = impl.numerical_gradient(function, x)
    torch.testing.assert_close(got, gradients(function, torch.tensor(1.0), x)[0], rtol=1e-6, atol=1e-7)


@pytest.mark.task("numerical_gradient")
def test_it_moves_one_entry_of_three_axes_and_leaves_x_as_it_was(impl, seed):
    x = numbers(seed, 2, 3, 4)
    before = x.clone()
    got = impl.numerical_gradient(lambda x: x.sum() ** 2 + (x**2).sum(), x, 0.5)
    torch.testing.assert_close(got, 2 * before.sum() + 2 * before, rtol=1e-10, atol=1e-10)
    assert torch.equal(x, before)  # to the last digit


@pytest.mark.task("numerical_gradient")
@pytest.mark.parametrize("shape", [(2, 3), (2, 1, 3, 2)])
def test_it_takes_views_in_another_order(impl, seed, shape):
    x = numbers(seed, *shape).transpose(0, 1)
    got = impl.numerical_gradient(lambda x: (x**3).sum(), x, 0.5)
    torch.testing.assert_close(got, 3 * x**2 + 0.25, rtol=0, atol=1e-11)


@pytest.mark.task("numerical_gradient")
def test_bad_input_float32_has_too_few_digits(impl):
    with pytest.raises(ValueError):
        impl.numerical_gradient(lambda x: x.sum(), torch.ones(3))


@pytest.mark.task("gradcheck")
def test_it_passes_what_is_right_and_refuses_each_wrong_gradient(impl, seed):
    x, w, dy = numbers(seed, 3, 5), numbers(seed + 1, 5), numbers(seed + 2, 3, 5)

    def forward(x, w):
        return x**2 * w

    def backward(dy, x, w):
        return dy * 2 * x * w, (dy * x**2).sum(0)

    assert impl.gradcheck(forward, backward, (x, w), dy) is True
    wrong = [
        lambda dy, x, w: (dy * 2 * x * w, (dy * x**2).sum(1)),  # another shape
        lambda dy, x, w: (dy * x * w, (dy * x**2).sum(0)),
        lambda dy, x, w: (dy * 2 * x * w, 1.001 * (dy * x**2).sum(0)),
        lambda dy, x, w: (2 * x * w, (x**2).sum(0)),  # dy forgotten
        lambda dy, x, w: (dy * 2 * x * w, torch.full((5,), torch.nan, dtype=torch.float64)),
    ]
    for other in wrong:
        assert impl.gradcheck(forward, other, (x, w), dy) is False


@pytest.mark.task("gradcheck")
def test_it_looks_at_every_entry_and_at_its_sign(impl, seed):
    x, dy = numbers(seed, 200), torch.ones(200, dtype=torch.float64)

    def passes(change):
        return impl.gradcheck(lambda x: x**2, lambda dy, x: (2 * x * dy + change,), (x,), dy)

    one, opposite = torch.zeros_like(x), torch.zeros_like(x)
    one[7] = 1e-3 * (1 + 2 * x[7].abs())
    opposite[3], opposite[5] = 0.5, -0.5
    assert passes(0 * x) is True
    assert passes(one) is False, "one entry of 200 is wrong"
    assert passes(opposite) is False, "two errors that cancel"
    assert passes(-4 * x) is False, "the sign is wrong"


@pytest.mark.task("gradcheck")
@pytest.mark.parametrize("relative, absolute", [(8e-5, 0.0), (0.0, 8e-8)])
def test_it_allows_what_its_tolerances_allow_and_no_more(impl, seed, relative, absolute):
    x = 1 + numbers(seed, 5).abs() if relative else torch.zeros(5, dtype=torch.float64)
    dy = torch.ones_like(x)

    def passes(factor, **tolerances):
        def backward(dy, x):
            return (2 * x * dy * (1 + factor * relative) + factor * absolute,)

        return impl.gradcheck(lambda x: x**2, backward, (x,), dy, **tolerances)

    assert passes(1) is True and passes(2) is False, "the defaults are rtol 1e-4 and atol 1e-7"
    wider, narrower = ({"rtol": 2e-4}, {"rtol": 1e-5}) if relative else ({"atol": 2e-7}, {"atol": 1e-8})
    assert passes(2, **wider) is True and passes(1, **narrower) is False


@pytest.mark.task("gradcheck")
def test_each_entry_has_its_own_tolerance_and_that_of_the_numerical_gradient(impl, seed):
    x, dy = numbers(seed, 3), torch.ones(3, dtype=torch.float64)
    slopes = torch.tensor([1000.0, 1.0, 1.0], dtype=torch.float64)
    for given, rtol, right in (
        ([1000, 1.05, 1], 1e-4, False),
        ([1500, 1.5, 1.5], 0.4, False),
        ([500, 1, 0.5], 0.6, True),
    ):
        gradient = torch.tensor(given, dtype=torch.float64)
        assert impl.gradcheck(lambda x: slopes * x, lambda dy, x, g=gradient: (g * dy,), (x,), dy, rtol=rtol) is right


@pytest.mark.task("gradcheck")
def test_bad_input_a_gradient_for_each_input(impl, seed):
    x = numbers(seed, 3)
    with pytest.raises(ValueError):
        impl.gradcheck(lambda x, w: x * w, lambda dy, x, w: (dy * w,), (x, x), x)
    with pytest.raises(ValueError):
        impl.gradcheck(lambda x, w: x * w, lambda dy, x, w: (dy * w, dy * x, dy), (x, x), x)


@pytest.mark.task("gradcheck")
def test_the_inputs_may_stand_in_a_list(impl, seed):
    inputs, dy = [numbers(seed, 3), numbers(seed + 1, 3)], numbers(seed + 2, 3)

    def product(x, w):
        return x * w

    assert impl.gradcheck(product, lambda dy, x, w: (dy * w, dy * x), inputs, dy) is True
    assert impl.gradcheck(product, lambda dy, x, w: (dy * w, dy * w), inputs, dy) is False


@pytest.mark.task("gradcheck")
@pytest.mark.parametrize("error, atol, right", [(0.0, 0.0, True), (0.25, 0.25, True), (0.25, 0.24, False)])
def test_an_error_of_just_the_tolerance_is_allowed(impl, error, atol, right):
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)

    def backward(dy, x):
        return (0 * x + error,)

    assert impl.gradcheck(lambda x: 0 * x, backward, (x,), torch.ones_like(x), 1e-6, 0.0, atol) is right


@pytest.mark.parametrize("h, digits", [(1e-2, 3), (1e-4, 7), (1e-6, 8)])
def test_the_error_falls_with_h_until_rounding_takes_over(h, digits):
    x = numbers(1, 50)
    error = (na.numerical_gradient(lambda x: torch.sin(x).sum(), x, h) - torch.cos(x)).abs().max()
    assert error < 10.0**-digits
