"""Softmax: the oracle is torch's own, in values and gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.task("softmax")
def test_oracle_values_and_gradients(impl, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, 5, 7, dtype=torch.float64, generator=generator, requires_grad=True)
    upstream = torch.randn(3, 5, 7, dtype=torch.float64, generator=generator)
    got, want = impl.softmax(scores), torch.softmax(scores, -1)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)  # float64 has sixteen digits
    gradients = [torch.autograd.grad((p * upstream).sum(), scores)[0] for p in (got, want)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-13)


@pytest.mark.task("softmax")
def test_gradients_are_finite_where_rows_or_scores_are_minus_infinity(impl):
    scores = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scores[1], scores[2, 1:3] = -math.inf, -math.inf
    scores.requires_grad_()
    weights = impl.softmax(scores)
    assert weights[1].eq(0).all()
    (gradient,) = torch.autograd.grad(weights.square().sum(), scores)
    assert gradient.isfinite().all() and gradient[1].eq(0).all(), "the gradient of a row of -inf"


@pytest.mark.task("softmax")
def test_rows_far_from_zero_and_rows_of_minus_infinity(impl, seed):
    scores = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    scores += torch.tensor([0.0, 1500.0, -1500.0, 0.0], dtype=torch.float64)[:, None]
    want = torch.softmax(scores, -1)
    scores[3], want[3] = -math.inf, 0
    torch.testing.assert_close(impl.softmax(scores), want, rtol=0, atol=1e-12)


@pytest.mark.task("softmax")
def test_property_rows_sum_to_one_and_a_constant_changes_nothing(impl):
    @settings(deadline=None, max_examples=30)  # a busy machine is no failure
    @given(st.integers(1, 11), st.floats(-1e4, 1e4), st.integers(0, 2**20))
    def holds(tokens, constant, seed):
        scores = torch.randn(2, tokens, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        weights = impl.softmax(scores)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, dtype=torch.float64))
        torch.testing.assert_close(impl.softmax(scores + constant), weights, rtol=1e-9, atol=1e-9)

    holds()
