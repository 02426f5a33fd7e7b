"""The loop: its details, and the effect that each exists for."""

import copy

import pytest
import torch
from ppo_loop import PPOConfig, train_ppo
from ppo_loop.integration import evaluate
from ppo_loop.trainer import Learner

CONFIG = PPOConfig(steps=20, batch=64, lr=2e-3)


@pytest.fixture
def learner(world, reference):
    made = Learner(copy.deepcopy(reference), CONFIG)
    made.generator.manual_seed(3)
    return made


def test_before_the_first_step_the_ratio_is_one_and_kl_is_zero(world, learner):
    batch, seen = learner.collect(world.prompts(64, learner.generator), world.judge)
    with torch.no_grad():
        new = learner.logprobs(learner.policy, batch.rollout)
    mask = batch.rollout.mask
    torch.testing.assert_close(new[mask], batch.rollout.logprobs[mask])
    torch.testing.assert_close(batch.ref_logprobs[mask], batch.rollout.logprobs[mask])
    assert seen["kl"] < 1e-9
    assert batch.advantages[mask].mean().abs() < 1e-6 and batch.advantages[mask].var().item() == pytest.approx(
        1, abs=1e-3
    )


def test_an_update_moves_the_policy_and_leaves_the_reference_and_what_was_sampled(world, learner):
    batch, _ = learner.collect(world.prompts(64, learner.generator), world.judge)
    kept = [x.clone() for x in (batch.rollout.logprobs, batch.values, batch.advantages, batch.returns)]
    before = [copy.deepcopy(m.state_dict()) for m in (learner.policy, learner.reference, learner.value_model)]
    seen = learner.update(batch)
    after = [m.state_dict() for m in (learner.policy, learner.reference, learner.value_model)]
    moved = [any(not torch.equal(a[n], b[n]) for n in a) for a, b in zip(before, after, strict=True)]
    assert moved == [True, False, True] and seen["value_loss"] > 0
    for x, y in zip(kept, (batch.rollout.logprobs, batch.values, batch.advantages, batch.returns), strict=True):
        assert torch.equal(x, y)


def test_no_penalty_for_answers_that_stop(world, reference):
    plain, strict = (Learner(copy.deepcopy(reference), PPOConfig(missing_eos_penalty=p, beta=0.0)) for p in (0.0, 5.0))
    for one in (plain, strict):
        one.generator.manual_seed(3)
    (a, _), (b, _) = (one.collect(world.prompts(128, one.generator), world.judge) for one in (plain, strict))
    last = (a.returns - b.returns).gather(1, (a.rollout.mask.sum(1) - 1)[:, None])[:, 0]
    assert (~a.rollout.ended).any()
    torch.testing.assert_close(last, 5.0 * (~a.rollout.ended).float())


def test_effect_the_judges_reward_rises(world, reference):
    policy, before = copy.deepcopy(reference), evaluate(world, reference, reference)["judge"]
    history = train_ppo(policy, world.prompts, world.judge, CONFIG)
    found = evaluate(world, policy, reference)
    assert found["judge"] > before + 1 and 0.5 < found["kl"]
    assert history[-1]["value_loss"] < history[0]["value_loss"]


def test_effect_a_large_beta_keeps_the_policy_where_it_is(world, reference):
    policy = copy.deepcopy(reference)
    train_ppo(policy, world.prompts, world.judge, PPOConfig(steps=20, lr=2e-3, beta=10.0))
    assert evaluate(world, policy, reference)["kl"] < 0.1


def test_effect_the_adaptive_coefficient_rises_while_kl_is_above_its_target(world, reference):
    config = PPOConfig(steps=10, lr=2e-3, beta=0.01, kl_target=0.01, kl_horizon=100)
    history = train_ppo(copy.deepcopy(reference), world.prompts, world.judge, config)
    assert history[-1]["beta"] > 0.015


def test_rewards_may_be_whitened_and_minibatches_smaller(world, reference):
    config = PPOConfig(steps=2, minibatches=4, whiten_rewards=True, whiten_advantages=False)
    policy = copy.deepcopy(reference)
    train_ppo(policy, world.prompts, world.judge, config)
    assert any(not torch.equal(a, b) for a, b in zip(policy.parameters(), reference.parameters(), strict=True))


def test_a_run_can_be_repeated(world, reference):
    runs = [train_ppo(copy.deepcopy(reference), world.prompts, world.judge, PPOConfig(steps=2)) for _ in range(2)]
    assert runs[0] == runs[1]
