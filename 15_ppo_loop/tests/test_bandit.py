"""The tabular world: DPO, the policy gradient and PPO find the optimum that the formula gives."""

import pytest
import torch
from mistakes import randn
from ppo_loop import fit_dpo, fit_policy_gradient, fit_ppo, optimal_policy


@pytest.fixture
def tabular(seed):
    return randn(seed, 7, dtype=torch.float64), randn(seed + 1, 7, dtype=torch.float64), 0.5


def test_the_formula_is_the_optimum(tabular):
    """No policy near it has a larger reward minus beta times KL."""
    ref, rewards, beta = tabular
    best = optimal_policy(ref, rewards, beta)

    def objective(policy):
        return (policy * (rewards - beta * (policy.log() - ref.log_softmax(-1)))).sum()

    for step in range(50):
        other = (best.log() + 0.1 * randn(step, 7, dtype=torch.float64)).softmax(-1)
        assert objective(other) < objective(best)
    assert objective(best).item() == pytest.approx(float(beta * (ref.log_softmax(-1) + rewards / beta).logsumexp(-1)))


def test_dpo_finds_it_to_eight_digits(tabular):
    assert (fit_dpo(*tabular) - optimal_policy(*tabular)).abs().max() < 3e-8


def test_the_policy_gradient_finds_it(tabular):
    assert (fit_policy_gradient(*tabular) - optimal_policy(*tabular)).abs().max() < 1e-6


def test_ppo_finds_it_from_samples(tabular):
    assert (fit_ppo(*tabular) - optimal_policy(*tabular)).abs().max() < 0.01


def test_a_small_beta_takes_the_best_answer_and_a_large_one_stays(tabular):
    ref, rewards, _ = tabular
    assert optimal_policy(ref, rewards, 0.01).argmax() == rewards.argmax()
    assert (optimal_policy(ref, rewards, 1e4) - ref.softmax(-1)).abs().max() < 1e-3


def test_bad_input_no_penalty(tabular):
    with pytest.raises(ValueError, match="beta=0"):
        optimal_policy(*tabular[:2], 0)
