"""Online softmax: as if all scores were there at once."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import handed_over


@pytest.mark.task("online_softmax")
def test_property_blocks_of_any_size_change_nothing(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 2**20), st.floats(0.1, 300))
    def holds(sizes, seed, size):
        generator = torch.Generator().manual_seed(seed)
        scores = size * torch.randn(2, 3, sum(sizes), dtype=torch.float64, generator=generator)
        values = torch.randn(2, sum(sizes), 5, dtype=torch.float64, generator=generator)
        output, log_sum = impl.online_softmax(handed_over(scores, values, sizes))
        torch.testing.assert_close(output, torch.softmax(scores, -1) @ values, rtol=0, atol=1e-12)
        torch.testing.assert_close(log_sum, torch.logsumexp(scores, -1, keepdim=True), rtol=1e-12, atol=1e-12)

    holds()


@pytest.mark.task("online_softmax")
def test_scores_in_the_thousands_do_not_overflow(impl):
    scores = torch.tensor([[0.0, 2000.0, 1999.0, -2000.0]], dtype=torch.float64)
    values = torch.eye(4, dtype=torch.float64)
    output, log_sum = impl.online_softmax(handed_over(scores, values, [1, 2, 1]))
    torch.testing.assert_close(output, torch.softmax(scores, -1), rtol=0, atol=1e-12)
    torch.testing.assert_close(log_sum, torch.logsumexp(scores, -1, keepdim=True))


@pytest.mark.task("online_softmax")
def test_queries_whose_scores_are_far_apart(impl, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, 6, dtype=torch.float64, generator=generator) + torch.tensor([[0.0], [-3000.0], [3000.0]])
    values = torch.randn(6, 4, dtype=torch.float64, generator=generator)
    output, log_sum = impl.online_softmax(handed_over(scores, values, [2, 3, 1]))
    torch.testing.assert_close(output, torch.softmax(scores, -1) @ values, rtol=0, atol=1e-12)
    torch.testing.assert_close(log_sum, torch.logsumexp(scores, -1, keepdim=True))


@pytest.mark.task("online_softmax")
def test_cost_blocks_are_not_kept(impl):
    alive = []
    impl.online_softmax(handed_over(torch.zeros(2, 40), torch.zeros(40, 3), [4] * 10, alive))
    assert len(alive) == 10 and max(alive) <= 2, "blocks that were read already are still held"


@pytest.mark.task("online_softmax")
def test_a_query_that_sees_nothing_gets_zeros(impl):
    scores = torch.full((1, 6), -math.inf, dtype=torch.float64)
    output, log_sum = impl.online_softmax(handed_over(scores, torch.ones(6, 2, dtype=torch.float64), [2, 4]))
    assert output.eq(0).all() and log_sum.eq(-math.inf).all()
