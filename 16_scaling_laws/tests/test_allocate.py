"""The budget spent: closed form against search, and what it costs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import TRUE, some_law
from scaling_laws import (
    PUBLISHED,
    Card,
    ChinchillaLaw,
    dollars,
    gpu_hours,
    optimal_allocation,
    size_exponent,
    tokens_for_loss,
)
from scaling_laws.allocate import GOPHER, H100
from scaling_laws.kaplan import compute_optimal, data_for_size, joint_loss, loss_of_data, loss_of_size
from scipy.optimize import minimize_scalar


@pytest.mark.task("optimal_allocation")
@pytest.mark.parametrize("flops", [3e15, 5.76e23, 7e26])
def test_oracle_a_search_finds_the_same_size(impl, seed, flops):
    """The minimum is flat, so that a search finds log N to 1e-4 only."""
    for law in (some_law(seed), some_law(seed + 1), TRUE):
        found = minimize_scalar(
            lambda t, law=law: law.loss(math.exp(t), flops / 6 / math.exp(t)) - law.E,
            bounds=(-30, 90),
            method="bounded",
            options={"xatol": 1e-9},
        )
        n, d = impl.optimal_allocation(law, flops)
        assert math.log(n) == pytest.approx(found.x, abs=2e-3)
        assert 6 * n * d == pytest.approx(flops, rel=1e-9)


@pytest.mark.task("optimal_allocation")
def test_property_a_little_more_or_less_size_is_worse(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 10**6), st.floats(15, 27))
    def holds(case, exponent):
        law, flops = some_law(case), 10**exponent
        n, d = impl.optimal_allocation(law, flops)
        best = law.loss(n, d) - law.E
        for factor in (0.7, 1.4):
            assert law.loss(n * factor, d / factor) - law.E > best

    holds()


@pytest.mark.task("optimal_allocation")
def test_tokens_a_parameter_at_gophers_budget(impl):
    ratio = {name: d / n for name, law in PUBLISHED.items() for n, d in [impl.optimal_allocation(law, GOPHER)]}
    assert ratio["Hoffmann 2022, as printed"] == pytest.approx(92.6, abs=0.1)
    assert ratio["Hoffmann 2022, TeX source"] == pytest.approx(59.1, abs=0.1)
    assert ratio["Besiroglu 2024"] == pytest.approx(18.4, abs=0.1)


@pytest.mark.task("optimal_allocation")
@pytest.mark.parametrize("flops", [0.0, -1e20])
def test_bad_input_a_budget_that_is_not_positive(impl, flops):
    with pytest.raises(ValueError):
        impl.optimal_allocation(TRUE, flops)


@pytest.mark.task("optimal_allocation")
def test_a_budget_below_one_is_positive(impl):
    assert impl.optimal_allocation(ChinchillaLaw(2.0, 32.0, 2.0, 0.5, 0.5), 0.06) == pytest.approx((1.6, 0.00625))


@pytest.mark.task("optimal_allocation")
def test_the_law_of_the_workbook(impl):
    assert impl.optimal_allocation(ChinchillaLaw(2.0, 32.0, 2.0, 0.5, 0.5), 600.0) == pytest.approx((160.0, 0.625))


def test_the_size_exponent_is_the_slope_of_the_optimum():
    for law in PUBLISHED.values():
        (a, _), (b, _) = (optimal_allocation(law, c) for c in (1e20, 1e24))
        assert math.log(b / a) / math.log(1e4) == pytest.approx(size_exponent(law), rel=1e-9)
    assert size_exponent(PUBLISHED["Besiroglu 2024"]) == pytest.approx(0.5126, abs=1e-4)


def test_tokens_for_a_loss_and_back():
    law = PUBLISHED["Besiroglu 2024"]
    assert tokens_for_loss(law, 7e9, law.loss(7e9, 3e11)) == pytest.approx(3e11, rel=1e-6)
    with pytest.raises(ValueError, match="larger model"):
        tokens_for_loss(law, 1e6, 2.0)


def test_hours_and_money():
    card = Card("a card", 1e15, 0.5, 3.0)
    assert gpu_hours(1.8e21, card) == pytest.approx(1000) and dollars(1.8e21, card) == pytest.approx(3000)
    assert 3e5 < gpu_hours(GOPHER, H100) < 6e5


def test_kaplans_laws_meet_where_they_should():
    assert loss_of_size(8.8e13) == loss_of_data(5.4e13) == 1
    assert joint_loss(1e9, 1e30) == pytest.approx(loss_of_size(1e9), rel=1e-6)
    assert joint_loss(1e40, 1e9) == pytest.approx(loss_of_data(1e9), rel=1e-2)
    assert data_for_size(1e9) == pytest.approx(5e3 * 1e9**0.74)
    (n, d), (more, _) = compute_optimal(GOPHER), compute_optimal(10 * GOPHER)
    assert math.log10(more / n) == pytest.approx(0.73) and d / n == pytest.approx(0.27, abs=0.01)


def test_kaplan_wants_a_larger_model_than_chinchilla():
    n, _ = optimal_allocation(PUBLISHED["Besiroglu 2024"], GOPHER)
    assert compute_optimal(GOPHER)[0] > 9 * n
    assert np.isclose(n, 7.2e10, rtol=0.05)
