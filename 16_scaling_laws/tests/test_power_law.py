"""Fits on log paper, the irreducible loss, and intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import law_points, rows_of
from scaling_laws import fit_irreducible, fit_power_law, resamples, squared_log_error, standard_error
from scipy.optimize import curve_fit, least_squares

# ---------------------------------------------------------------- fit_power_law


@pytest.mark.parametrize("n, alpha, noise", [(17, 0.37, 0.2), (11, 1.3, 0.6), (13, -0.7, 0.1), (2, 0.4, 0.0)])
def test_oracle_scipys_line_on_log_paper(impl, seed, n, alpha, noise):
    from scipy import stats  # imported here: it takes a second, in every graded run

    x, y = law_points(seed, n, alpha, 5.3, noise)
    want = stats.linregress(np.log(x), np.log(y))
    c, got = impl.fit_power_law(x, y)
    assert c == pytest.approx(np.exp(want.intercept), rel=1e-9) and got == pytest.approx(-want.slope, rel=1e-9)


@pytest.mark.task("fit_power_law")
def test_property_units_change_the_coefficient_and_never_the_exponent(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 99), st.floats(1e-3, 1e6), st.floats(1e-3, 1e3))
    def holds(case, x_unit, y_unit):
        x, y = law_points(case, 9, 0.5, 3.0, 0.2)
        (c, alpha), (other, same) = impl.fit_power_law(x, y), impl.fit_power_law(x * x_unit, y * y_unit)
        assert same == pytest.approx(alpha, rel=1e-6)
        assert other == pytest.approx(c * y_unit * x_unit**alpha, rel=1e-6)

    holds()


@pytest.mark.task("fit_power_law")
def test_the_first_and_the_last_x_may_be_equal(impl):
    x, y = np.array([10.0, 1000.0, 10.0]), np.array([8.0, 2.0, 2.0])
    assert impl.fit_power_law(x, y) == pytest.approx((4 * 2**0.5, np.log10(2) / 2))


@pytest.mark.task("fit_power_law")
def test_bad_input_points_that_have_no_place_on_log_paper(impl):
    x, y = law_points(0, 7, 0.5, 2.0, 0.1)
    for bad in ((x, np.append(y[:-1], 0.0)), (x, np.append(-1.0, y[1:])), (np.append(0.0, x[1:]), y)):
        with pytest.raises(ValueError):
            impl.fit_power_law(*bad)
    with pytest.raises(ValueError):
        impl.fit_power_law(np.full(7, 3.0), y)


def test_known_parameters_come_back_within_their_standard_errors():
    """A hundred data sets: 1.96 standard errors hold the truth in about 95 of them."""
    held, errors = 0, []
    for case in range(100):
        x, y = law_points(case, 31, 0.4, 6.0, 0.2)
        error = standard_error(x, y)
        held += abs(fit_power_law(x, y)[1] - 0.4) < 1.96 * error
        errors.append(error)
    assert 88 <= held <= 99
    from scipy import stats

    want = stats.linregress(np.log(x), np.log(y)).stderr
    assert errors[-1] == pytest.approx(want, rel=1e-9)


# ---------------------------------------------------------------- fit_irreducible


@pytest.mark.task("fit_irreducible")
def test_every_floor_is_tried_and_the_best_is_kept(impl, seed):
    for case, noise in enumerate((0.02, 0.1, 0.1, 0.1)):
        x, loss = law_points(seed + case, 19, 0.35, 20.0, noise, floor=1.0)
        floors = loss.min() * np.linspace(1.3, 0.02, 80)
        best = []
        for E in floors[floors < loss.min()]:
            slope, intercept = np.polyfit(np.log(x), np.log(loss - E), 1)
            predicted = E + np.exp(intercept + slope * np.log(x))
            best.append((squared_log_error(loss, predicted), E, np.exp(intercept), -slope))
        assert impl.fit_irreducible(x, loss, floors) == pytest.approx(min(best)[1:], rel=1e-9)


@pytest.mark.task("fit_irreducible")
def test_a_law_without_noise_comes_back(impl):
    x, loss = law_points(3, 13, 0.5, 6.0, 0.0, floor=1.1)
    floors = np.array([1.0, 5.0, 0.2, 1.1, 0.6, 9.0])
    assert impl.fit_irreducible(x, loss, floors) == pytest.approx((1.1, 6.0, 0.5), rel=1e-6)
    x, loss = law_points(4, 13, 0.5, 6.0, 0.0)
    assert impl.fit_irreducible(x, loss, np.array([0.2, 0.0, 0.01])) == pytest.approx((0.0, 6.0, 0.5), rel=1e-6)


@pytest.mark.task("fit_irreducible")
def test_bad_input_no_floor_below_every_loss(impl):
    x, loss = law_points(0, 7, 0.5, 6.0, 0.1, floor=1.5)
    for floors in ([9.0, 10.0], [loss.min()], [(loss.min() + loss.mean()) / 2]):
        with pytest.raises(ValueError):
            impl.fit_irreducible(x, loss, np.array(floors))


def test_oracle_least_squares_finds_the_floor_of_a_fine_grid():
    x, loss = law_points(0, 41, 0.5, 9.0, 0.01, floor=1.7)
    floors = np.linspace(1.0, 1.75, 751)
    E, c, alpha = fit_irreducible(x, loss, floors)
    free = least_squares(lambda p: np.log(p[0] + p[1] * x ** -p[2]) - np.log(loss), (1.0, 5.0, 0.3))
    assert (E, c, alpha) == pytest.approx(free.x.tolist(), rel=0.05)
    assert squared_log_error(loss, E + c * x**-alpha) < 1.01 * 2 * free.cost


def test_effect_leaving_out_the_floor_makes_the_exponent_too_small():
    for case in range(5):
        x, loss = law_points(case, 29, 0.5, 9.0, 0.01, floor=1.7)
        assert fit_power_law(x, loss)[1] < 0.2 < 0.4 < fit_irreducible(x, loss, np.linspace(1, 1.8, 81))[2] < 0.6


def test_effect_raw_space_listens_to_the_largest_losses_alone():
    x, y = law_points(1, 25, 1.0, 400.0, 0.0)
    y[np.argmax(y)] *= 1.5
    raw = curve_fit(lambda v, c, a: c * v**-a, x, y, (400.0, 1.0))[0][1]
    assert abs(fit_power_law(x, y)[1] - 1.0) < 0.06 < 0.1 < abs(raw - 1.0)


# ---------------------------------------------------------------- bootstrap_interval


@pytest.mark.task("bootstrap_interval")
@pytest.mark.parametrize("n, count, level", [(13, 61, 0.8), (11, 43, 0.5), (17, 101, 0.95), (7, 3, 0.8)])
def test_oracle_percentiles_of_numpys_lines(impl, seed, n, count, level):
    x, y = law_points(seed, n, 0.4, 6.0, 0.3)
    indices, places = rows_of(seed, n, count), np.array([2.0, 50.0, 3e7])
    laws = [np.polyfit(np.log(x[rows]), np.log(y[rows]), 1) for rows in indices]
    predictions = np.array([np.exp(np.polyval(law, np.log(places))) for law in laws])
    want = np.percentile(predictions, [50 - 50 * level, 50 + 50 * level], axis=0)
    for got, right in zip(impl.bootstrap_interval(x, y, indices, places, level), want, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-8)


@pytest.mark.task("bootstrap_interval")
def test_the_places_may_come_in_any_order(impl):
    x, y, places = np.array([1.0, 10.0, 100.0]), np.array([8.0, 4.0, 1.0]), np.array([1000.0, 1.0])
    low, high = impl.bootstrap_interval(x, y, np.array([[0, 1, 1], [1, 2, 2], [0, 2, 2]]), places, 0.5)
    assert low == pytest.approx([0.3018, 8.0], abs=1e-4) and high == pytest.approx([0.6768, 12.0], abs=1e-4)
    assert places.tolist() == [1000.0, 1.0]


@pytest.mark.task("bootstrap_interval")
def test_the_interval_is_of_80_per_cent_where_no_level_is_asked(impl, seed):
    x, y = law_points(seed, 13, 0.4, 6.0, 0.3)
    arguments = (x, y, rows_of(seed, 13, 61), np.array([30.0, 1e6]))
    for a, b in zip(impl.bootstrap_interval(*arguments), impl.bootstrap_interval(*arguments, 0.8), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_the_interval_agrees_with_scipys_bootstrap(seed):
    x, y = law_points(seed, 31, 0.4, 6.0, 0.2)
    place = np.array([1e5])
    from scaling_laws import bootstrap_interval
    from scipy import stats

    def predicted(a, b):
        c, alpha = fit_power_law(a, b)
        return float(c * place[0] ** -alpha)

    theirs = stats.bootstrap(
        (x, y), predicted, paired=True, vectorized=False, n_resamples=1500, confidence_level=0.8, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    low, high = bootstrap_interval(x, y, resamples(31, 1500, 1), place)
    width = theirs.high - theirs.low
    assert abs(low[0] - theirs.low) < 0.15 * width and abs(high[0] - theirs.high) < 0.15 * width  # two random samples


def test_a_resample_of_one_point_is_drawn_again():
    drawn = resamples(2, 500, 0)
    assert drawn.shape == (500, 2) and (drawn[:, 0] != drawn[:, 1]).all()
    assert set(np.unique(resamples(5, 200, 1))) == set(range(5))
