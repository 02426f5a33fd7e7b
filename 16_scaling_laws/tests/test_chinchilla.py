"""The objective, the three approaches, the fast fit, and the refit of the published points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import THETA, TRUE, runs_of
from scaling_laws import PUBLISHED, approach_1, approach_2, approach_3, huber_log_loss, law_of, resamples, theta_of
from scaling_laws.chinchilla import starts
from scaling_laws.chinchilla_fast import Objective, bootstrap, fit, minimize_batch
from scaling_laws.lab import fetch
from scaling_laws.lab.points import chinchilla_points, read_points, without_outliers
from scipy.optimize import check_grad
from scipy.special import huber, logsumexp

# ---------------------------------------------------------------- huber_log_loss


def oracle(theta, n, tokens, loss, delta):
    terms = [theta[0] - theta[3] * np.log(n), theta[1] - theta[4] * np.log(tokens), np.full(len(n), theta[2])]
    return huber(delta, logsumexp(terms, axis=0) - np.log(loss)).sum()


@pytest.mark.parametrize("count, delta", [(29, 1e-3), (23, 0.04), (13, 3.0), (1, 0.01)])
def test_oracle_scipys_huber(impl, seed, count, delta):
    runs = runs_of(seed, count, 0.05)
    for theta in (THETA, THETA + 0.02, np.array([900.0, 1100.0, 800.0, 0.4, 0.3])):
        value, gradient = impl.huber_log_loss(theta, *runs, delta)
        assert isinstance(float(value), float) and gradient.shape == (5,)
        assert value == pytest.approx(oracle(theta, *runs, delta), rel=1e-9)


@pytest.mark.parametrize("delta", [1e-3, 0.02, 3.0])
def test_oracle_scipys_check_grad(impl, seed, delta):
    """Differences of 1.5e-8 in float64; the kinks of Huber are met by chance never: 1e-4 of the gradient's length."""
    runs = runs_of(seed + 1, 31, 0.05)

    def value(theta):
        return impl.huber_log_loss(theta, *runs, delta)[0]

    def gradient(theta):
        return impl.huber_log_loss(theta, *runs, delta)[1]

    for theta in (THETA, THETA - 0.013):
        assert check_grad(value, gradient, theta) < 1e-4 * np.linalg.norm(gradient(theta))


@pytest.mark.task("huber_log_loss")
def test_delta_is_a_thousandth_where_none_is_given(impl, seed):
    runs = runs_of(seed, 17)
    given_, default = (impl.huber_log_loss(THETA, *runs, *more) for more in ((1e-3,), ()))
    assert given_[0] == default[0] and (given_[1] == default[1]).all()


@pytest.mark.task("huber_log_loss")
def test_terms_of_a_thousand_in_one_run_leave_the_others_alone(impl):
    theta, n = np.array([1000.0, 900.0, -300.0, 100.0, 80.0]), np.array([2.0, 1e5])
    runs = n, np.array([3.0, 1e6]), np.array([2.5, 3.5])
    value, gradient = impl.huber_log_loss(theta, *runs, 0.5)
    assert value == pytest.approx(oracle(theta, *runs, 0.5), rel=1e-9)
    assert gradient == pytest.approx([0.0, 0.0, 0.0, 0.5 * np.log(1e5 / 2), 0.0], abs=1e-9)


@pytest.mark.task("huber_log_loss")
def test_the_run_of_the_workbook(impl):
    theta, one = np.array([np.log(4), np.log(9), np.log(2), 0.5, 0.5]), np.ones(1)
    value, gradient = impl.huber_log_loss(theta, 16 * one, 9 * one, 3 * one, 0.5)
    assert value == pytest.approx(0.2216, abs=1e-4)
    assert gradient == pytest.approx([0.0833, 0.25, 0.1667, -0.2310, -0.5493], abs=1e-4)


# ---------------------------------------------------------------- the approaches


def test_property_theta_and_law_are_the_same():
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.floats(0.01, 9), min_size=5, max_size=5))
    def holds(values):
        theta = np.array(values)
        np.testing.assert_allclose(theta_of(law_of(theta)), theta, rtol=1e-9, atol=1e-12)

    holds()


def test_a_law_without_a_floor_has_a_finite_theta():
    theta = theta_of(TRUE._replace(E=0.0))
    assert np.isfinite(theta).all() and law_of(theta).loss(1e9, 1e9) == pytest.approx(TRUE.loss(1e9, 1e9) - TRUE.E)


def iso_flops(law, budgets=(1e18, 1e19, 1e20, 1e21)):
    for flops in budgets:
        n = np.sqrt(flops / 6 / 20) * np.geomspace(0.3, 3, 9)
        yield flops, n, law.loss(n, flops / 6 / n)


def test_three_approaches_find_the_exponent_of_a_known_law():
    """Without noise. The parabola and the bins are approximations: 0.02; the parametric fit is exact."""
    a = TRUE.beta / (TRUE.alpha + TRUE.beta)
    assert approach_2(iso_flops(TRUE))[1] == pytest.approx(a, abs=0.02)
    groups = list(iso_flops(TRUE, np.geomspace(1e18, 1e22, 12)))
    flops = np.concatenate([np.full(len(n), c) for c, n, _ in groups])
    n, loss = (np.concatenate([group[i] for group in groups]) for i in (1, 2))
    assert approach_1(flops, n, loss)[1] == pytest.approx(a, abs=0.02)
    found, value = approach_3(n, flops / 6 / n, loss, starts(450))
    assert value < 1e-12 and found == pytest.approx(TRUE, rel=1e-2)


def test_bad_input_a_profile_without_a_minimum():
    n = np.array([1e6, 2e6, 4e6])
    with pytest.raises(ValueError, match="no minimum"):
        approach_2([(1e18, n, -(np.log(n) ** 2))])


def test_the_grid_of_starts_is_the_papers():
    assert len(starts()) == 4500 and len(starts(19)) == 237 and np.ptp(starts(), axis=0).tolist() == [25, 25, 2, 2, 2]


# ---------------------------------------------------------------- the fast form


def test_many_thetas_at_once_are_as_one_by_one(seed):
    runs = runs_of(seed, 37, 0.05)
    thetas = THETA + 0.1 * np.random.default_rng(seed).standard_normal((7, 5))
    values, gradients = Objective(*runs)(thetas, np.arange(7))
    for theta, value, gradient in zip(thetas, values, gradients, strict=True):
        want, slope = huber_log_loss(theta, *runs)
        assert value == pytest.approx(want, rel=1e-10)
        np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-12)


def test_weights_are_repeated_runs(seed):
    n, tokens, loss = runs_of(seed, 19)
    rows = resamples(19, 3, seed)
    weights = np.stack([np.bincount(r, minlength=19) for r in rows]).astype(float)
    values, _ = Objective(n, tokens, loss, weights)(np.tile(THETA, (3, 1)), np.arange(3))
    for value, r in zip(values, rows, strict=True):
        assert value == pytest.approx(huber_log_loss(THETA, n[r], tokens[r], loss[r])[0], rel=1e-10)


def test_the_fast_fit_is_the_plain_fit(seed):
    runs = runs_of(seed, 83)
    (fast, lower), (plain, low) = fit(*runs, starts(113)), approach_3(*runs, starts(113))
    assert lower == pytest.approx(low, rel=1e-6) and fast == pytest.approx(plain, rel=1e-2)


def test_a_minimum_is_not_left_again(seed):
    runs = runs_of(seed, 83)
    law, value = fit(*runs, starts(225))
    theta, again = minimize_batch(Objective(*runs), theta_of(law)[None])
    assert again[0] <= value * (1 + 1e-9) and theta[0] == pytest.approx(theta_of(law), rel=1e-3)


def test_known_parameters_come_back_within_one_standard_error_on_average():
    """Twenty data sets of 120 runs; the standard error is the bootstrap's."""
    close = []
    for case in range(20):
        runs = runs_of(case, 120)
        law, _ = fit(*runs, starts(225))
        spread = bootstrap(*runs, theta_of(law), resamples(120, 60, case)).std(0)
        close.append(np.abs(theta_of(law) - theta_of(TRUE)) < spread)
    share = np.mean(close, axis=0)
    assert (share > 0.4).all() and (share < 1).any(), share  # a normal error is within one in 68 of 100 cases


# ---------------------------------------------------------------- the published points


POINTS = pytest.mark.skipif(
    not fetch.is_local(fetch.REMOTES["chinchilla"]),
    reason="chinchilla_svg_extracted_data.csv is not here (HARDWAY_DATA)",
)


@pytest.mark.data
@POINTS
def test_the_refit_of_the_published_points():
    n, tokens, loss = without_outliers(*chinchilla_points())
    assert len(n) == 240
    law, value = fit(n, tokens, loss, starts(113))
    assert value <= 1.0183e-3
    assert law.alpha == pytest.approx(0.3473, abs=0.003) and law.beta == pytest.approx(0.3672, abs=0.003)
    assert law.E == pytest.approx(1.8172, abs=0.002)
    assert law.A == pytest.approx(477.8, rel=0.02) and law.B == pytest.approx(2143, rel=0.04)
    printed = huber_log_loss(theta_of(PUBLISHED["Besiroglu 2024"]), n, tokens, loss)[0]
    assert printed == pytest.approx(1.0228e-3, abs=1e-7) and printed > value
    for name in ("Hoffmann 2022, as printed", "Hoffmann 2022, TeX source"):
        assert huber_log_loss(theta_of(PUBLISHED[name]), n, tokens, loss)[0] > 1.2 * value


@pytest.mark.data
@POINTS
def test_the_bootstraps_errors_are_those_of_besiroglu():
    """Their table: A 124.58, B 1293.23, E .03, alpha .02, beta .02, with 4,000 resamples. Here 300."""
    n, tokens, loss = without_outliers(*chinchilla_points())
    law, _ = fit(n, tokens, loss, starts(225))
    thetas = bootstrap(n, tokens, loss, theta_of(law), resamples(240, 300, 0))
    a, b, e = np.exp(thetas[:, :3]).std(0)
    assert 80 < a < 180 and 800 < b < 2600 and 0.02 < e < 0.04
    assert thetas[:, 3:].std(0) == pytest.approx([0.018, 0.02], abs=0.006)


@pytest.mark.data
@POINTS
def test_bad_input_a_file_without_its_columns(tmp_path):
    (tmp_path / "points.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="columns"):
        read_points(tmp_path / "points.csv")
