"""Expert choice: an even load by construction, and a future that leaks."""

import pytest
import torch
from expert_router import expert_load
from expert_router.expert_choice import choose_tokens, expert_choice, leak
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import randn
from test_dispatch import experts_of


def test_experts_take_the_tokens_that_want_them_most():
    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]).double()
    weights, tokens = choose_tokens(scores, 2)
    assert tokens.tolist() == [[2, 0], [1, 0]]
    torch.testing.assert_close(weights, scores.softmax(-1).T.gather(1, tokens))


def test_the_output_is_that_of_all_experts_with_the_chosen_weights():
    x, scores, experts = (
        randn(0, 11, 5, dtype=torch.float64),
        randn(1, 11, 4, dtype=torch.float64),
        experts_of(2, 4, 5, 3),
    )
    weights, tokens = choose_tokens(scores, 3)
    dense = torch.zeros(11, 4, dtype=torch.float64).T.scatter(1, tokens, weights).T  # N E
    want = sum(dense[:, e, None] * experts(x, e) for e in range(4))
    torch.testing.assert_close(expert_choice(x, scores, experts, 3), want, rtol=0, atol=1e-12)


def test_property_every_expert_has_its_capacity():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 99), st.data())
    def holds(N, E, seed, data):
        capacity = data.draw(st.integers(1, N))
        weights, tokens = choose_tokens(randn(seed, N, E), capacity)
        assert weights.shape == tokens.shape == (E, capacity)
        assert all(len(set(row.tolist())) == capacity for row in tokens)
        assert expert_load(torch.arange(E).repeat_interleave(capacity), E).tolist() == [capacity] * E

    holds()


def test_later_tokens_change_earlier_choices_and_a_token_alone_is_safe():
    scores, others = randn(0, 64, 8), randn(1, 64, 8)
    assert leak(scores, others, 16, 32) > 0.1
    assert leak(scores, scores, 16, 32) == 0
    assert leak(scores, others, 64, 32) == 0  # everybody is chosen: nothing to leak


@pytest.mark.parametrize("capacity", [0, 6])
def test_bad_input_a_capacity_that_is_none(capacity):
    with pytest.raises(ValueError, match=f"capacity={capacity}"):
        choose_tokens(torch.zeros(5, 3), capacity)
