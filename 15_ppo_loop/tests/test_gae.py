"""Advantages and whitening, by their definitions and identities."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import gae_inputs, right_mask, whiten_inputs
from ppo_loop import gae

NAN = float("nan")


def by_the_sum(rewards, values, lengths, gamma, lam):
    """A_t as the weighted sum of all later deltas."""
    advantages = torch.zeros_like(rewards)
    for b, n in enumerate(lengths):
        v = [*values[b, :n].tolist(), 0.0]
        delta = [float(rewards[b, t]) + gamma * v[t + 1] - v[t] for t in range(n)]
        for t in range(n):
            advantages[b, t] = sum((gamma * lam) ** (i - t) * delta[i] for i in range(t, n))
    return advantages


@pytest.mark.task("gae")
@pytest.mark.parametrize(("gamma", "lam"), [(0.9, 0.8), (1.0, 0.95), (0.9, 0.0), (0.7, 1.0)])
def test_advantages_are_the_weighted_sums_of_deltas(impl, seed, gamma, lam):
    lengths = (5, 2, 1, 4)
    rewards, values, mask = gae_inputs(seed, lengths, dtype=torch.float64)
    advantages, returns = impl.gae(rewards, values, mask, gamma, lam)
    want = by_the_sum(rewards, values, lengths, gamma, lam)
    torch.testing.assert_close(advantages, want, rtol=0, atol=1e-6)  # weights may be made in float32
    torch.testing.assert_close(
        returns, torch.where(mask, want + values, 0), rtol=0, atol=1e-6
    )  # weights may be made in float32


@pytest.mark.task("gae")
def test_identity_lambda_one_is_the_return_minus_the_value(impl, seed):
    rewards, values, mask = gae_inputs(seed, dtype=torch.float64)
    advantages, returns = impl.gae(rewards, values, mask, 0.9, 1.0)
    want = torch.zeros_like(rewards)
    for t in reversed(range(5)):
        later = want[:, t + 1] if t < 4 else 0
        want[:, t] = torch.where(mask[:, t], rewards[:, t] + 0.9 * later, 0)
    torch.testing.assert_close(returns, want, rtol=0, atol=1e-6)
    torch.testing.assert_close(advantages, torch.where(mask, want - values, 0), rtol=0, atol=1e-6)


@pytest.mark.task("gae")
def test_identity_lambda_zero_is_one_step(impl, seed):
    rewards, values, mask = gae_inputs(seed, dtype=torch.float64)
    advantages, _ = impl.gae(rewards, values, mask, 0.9, 0.0)
    following = torch.nn.functional.pad(torch.where(mask, values, 0)[:, 1:], (0, 1))
    torch.testing.assert_close(advantages, torch.where(mask, rewards + 0.9 * following - values, 0), rtol=0, atol=1e-6)


@pytest.mark.task("gae")
def test_what_stands_at_padding_does_not_matter(impl, seed):
    rewards, values, mask = gae_inputs(seed)
    spoiled = [torch.where(mask, x, NAN) for x in (rewards, values)]
    for got, want in zip(impl.gae(*spoiled, mask, 0.9, 0.8), impl.gae(rewards, values, mask, 0.9, 0.8), strict=True):
        torch.testing.assert_close(got, want)
        assert (got[~mask] == 0).all()


@pytest.mark.task("gae")
def test_infinity_at_padding_does_not_matter(impl):
    inf = float("inf")
    rewards, values = torch.tensor([[0.0, 0.0, 1.0, inf]]), torch.tensor([[0.5, 0.6, 0.8, -inf]])
    advantages, returns = impl.gae(rewards, values, torch.tensor([[True, True, True, False]]), 1.0, 0.5)
    torch.testing.assert_close(advantages, torch.tensor([[0.25, 0.3, 0.2, 0.0]]))
    torch.testing.assert_close(returns, torch.tensor([[0.75, 0.9, 1.0, 0.0]]))


@pytest.mark.task("gae")
@pytest.mark.parametrize("index", [0, 1])
def test_targets_carry_no_gradient(impl, seed, index):
    arguments = gae_inputs(seed)
    arguments[index].requires_grad_()
    assert not any(x.requires_grad for x in impl.gae(*arguments))


@pytest.mark.task("gae")
def test_gamma_and_lambda_that_are_left_out(impl):
    rewards, values = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 1.0]])
    advantages, _ = impl.gae(rewards, values, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(advantages, torch.tensor([[0.95, 1.0]]))


def test_property_a_perfect_value_leaves_no_advantage():
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=7), st.floats(0.5, 1), st.floats(0, 1))
    def holds(numbers, gamma, lam):
        rewards, values, total = torch.tensor([numbers], dtype=torch.float64), [], 0.0
        for r in reversed(numbers):
            total = r + gamma * total
            values.append(total)
        values = torch.tensor([values[::-1]], dtype=torch.float64)
        advantages, returns = gae(rewards, values, torch.ones(1, len(numbers), dtype=torch.bool), gamma, lam)
        assert advantages.abs().max() < 1e-12 and (returns - values).abs().max() < 1e-12

    holds()


# ---------------------------------------------------------------- whiten


@pytest.mark.task("whiten")
def test_real_tokens_have_mean_zero_and_variance_one(impl, seed):
    x, mask = whiten_inputs(seed, torch.float64)
    got = impl.whiten(x, mask)
    assert got[mask].mean().item() == pytest.approx(0, abs=1e-12)
    assert got[mask].var().item() == pytest.approx(1, abs=1e-7)  # 1e-8 is added to the variance
    assert (got[~mask] == 0).all()
    torch.testing.assert_close(got[mask], (x[mask] - x[mask].mean()) / x[mask].std())


@pytest.mark.task("whiten")
def test_only_the_scale_keeps_the_mean(impl, seed):
    x, mask = whiten_inputs(seed, torch.float64)
    got = impl.whiten(x, mask, shift_mean=False)
    assert got[mask].mean().item() == pytest.approx(x[mask].mean().item())
    assert got[mask].var().item() == pytest.approx(1, abs=1e-7)


@pytest.mark.task("whiten")
def test_more_padding_changes_nothing(impl, seed):
    x, mask = whiten_inputs(seed)
    wider, wider_mask = (torch.nn.functional.pad(a, (0, 3), value=v) for a, v in ((x, NAN), (mask, False)))
    torch.testing.assert_close(impl.whiten(wider, wider_mask)[:, :5], impl.whiten(x, mask))
    assert impl.whiten(torch.full((2, 2), 0.25), right_mask([2, 2], 2)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.task("whiten")
def test_bad_input_a_single_token(impl, seed):
    with pytest.raises(ValueError):
        impl.whiten(torch.ones(2, 3), right_mask([1, 0], 3))


@pytest.mark.task("whiten")
def test_the_small_number_is_added_to_the_variance(impl):
    x = 1e-4 * torch.tensor([[1.0, -1.0, 1.0, -1.0]])  # a variance of 4/3 · 1e-8
    want = torch.tensor([[1.0, -1.0, 1.0, -1.0]]) / (7 / 3) ** 0.5
    torch.testing.assert_close(impl.whiten(x, torch.ones(1, 4, dtype=torch.bool)), want, rtol=1e-4, atol=0)


@pytest.mark.task("whiten")
@pytest.mark.parametrize("padding", [NAN, float("inf"), -float("inf")])
@pytest.mark.parametrize("shift_mean", [True, False])
def test_padding_is_zero_whatever_it_holds(impl, seed, shift_mean, padding):
    x, mask = whiten_inputs(seed, torch.float64)
    x = torch.where(mask, x + 3, padding)
    got = impl.whiten(x, mask, shift_mean)
    assert (got[~mask] == 0).all() and got.isfinite().all() and not mask.all()
