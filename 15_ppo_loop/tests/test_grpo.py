"""Group-relative advantages, the three averages, and their biases."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import clip_inputs, probabilities, randn, right_mask
from ppo_loop import GRPOConfig, group_advantages, grpo_loss, ppo_clip_loss, train_grpo
from ppo_loop.grpo import LOSS_TYPES
from ppo_loop.integration import evaluate


@pytest.mark.task("group_advantages")
@pytest.mark.parametrize("scale_std", [True, False])
@pytest.mark.parametrize("group_size", [2, 3])
def test_each_answer_is_compared_with_its_neighbours(impl, seed, group_size, scale_std):
    rewards, lengths = 3 * randn(seed, 6, dtype=torch.float64) + 1, [4, 1, 3, 2, 4, 3]
    got = impl.group_advantages(rewards, right_mask(lengths, 4), group_size, scale_std)
    assert got.shape == (6, 4) and got.dtype == torch.float64
    for i, n in enumerate(lengths):
        first = i // group_size * group_size
        group = rewards[first : first + group_size]
        want = rewards[i] - group.mean()
        want = want / (group.std() + 1e-4) if scale_std else want
        torch.testing.assert_close(got[i, :n], want.expand(n), rtol=0, atol=1e-6)  # constants may be made in float32
        assert (got[i, n:] == 0).all()


@pytest.mark.task("group_advantages")
def test_a_group_without_a_difference_teaches_nothing(impl):
    rewards = torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0, 0.5])
    got = impl.group_advantages(rewards, right_mask([2, 1, 2, 2, 1, 2], 2), 3)
    assert (got[:3] == 0).all() and torch.isfinite(got).all() and got[3:].abs().sum() > 1


@pytest.mark.task("group_advantages")
def test_the_small_number_is_added_to_the_deviation(impl):
    rewards, mask = torch.tensor([0.0, 2e-4]), torch.ones(2, 1, dtype=torch.bool)  # a deviation of √2 · 1e-4
    want = torch.tensor([[-1.0], [1.0]]) / (2**0.5 + 1)
    torch.testing.assert_close(impl.group_advantages(rewards, mask, 2), want, rtol=1e-4, atol=0)


@pytest.mark.task("group_advantages")
@pytest.mark.parametrize("group_size", [-2, 0, 1, 4, 7])
def test_bad_input_groups_that_are_none(impl, seed, group_size):
    with pytest.raises(ValueError):
        impl.group_advantages(randn(seed, 6), right_mask([2] * 6, 2), group_size)


def test_property_advantages_of_a_group_sum_to_zero_and_ignore_a_shift():
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.floats(-5, 5, width=32), min_size=4, max_size=4), st.floats(-3, 3, width=32))
    def holds(rewards, shift):
        rewards, mask = torch.tensor(rewards, dtype=torch.float64), torch.ones(4, 1, dtype=torch.bool)
        a, b = (group_advantages(r, mask, 4)[:, 0] for r in (rewards, rewards + shift))
        assert a.sum().abs() < 1e-9 and (a - b).abs().max() < 1e-6

    holds()


# ---------------------------------------------------------------- grpo_loss


def test_without_a_penalty_bnpo_is_ppos_clipped_loss(seed):
    inputs = clip_inputs(seed, dtype=torch.float64)
    ref = probabilities(seed + 5, 3, 5, dtype=torch.float64)
    args = inputs["logprobs"], inputs["old_logprobs"], ref, inputs["advantages"], inputs["mask"]
    torch.testing.assert_close(grpo_loss(*args, beta=0.0, loss_type="bnpo"), ppo_clip_loss(**inputs))


def test_the_weight_of_a_token_in_the_three_averages():
    """Two answers of 1 and 4 tokens, one advantage each: what a token weighs."""
    logprobs = torch.zeros(2, 5, requires_grad=True)
    mask, zero = right_mask([1, 4], 5), torch.zeros(2, 5)
    want = {"grpo": (1 / 2, 1 / 8), "bnpo": (1 / 5, 1 / 5), "dr_grpo": (1 / 10, 1 / 10)}
    for loss_type in LOSS_TYPES:
        loss = grpo_loss(logprobs, zero, zero, torch.ones(2, 5), mask, beta=0.0, loss_type=loss_type)
        (grad,) = torch.autograd.grad(loss, logprobs)
        assert (-grad[0, 0].item(), -grad[1, 0].item()) == pytest.approx(want[loss_type])
        assert grad[0, 1:].tolist() == [0, 0, 0, 0]


def test_dividing_by_the_deviation_makes_lopsided_groups_weigh_more():
    """One right answer of eight, or four: with the deviation the rare success counts more per unit of its advantage."""
    mask = torch.ones(8, 1, dtype=torch.bool)
    rare, even = torch.eye(8)[0], torch.tensor([1.0, 0.0] * 4)
    weight = {
        name: (group_advantages(r, mask, 8)[0] / group_advantages(r, mask, 8, scale_std=False)[0]).item()
        for name, r in (("rare", rare), ("even", even))
    }
    assert weight["rare"] > 1.4 * weight["even"]


@pytest.mark.parametrize("loss_type", LOSS_TYPES)
def test_gradients_by_finite_differences(loss_type, seed):
    inputs = clip_inputs(seed, dtype=torch.float64)
    ref = probabilities(seed + 5, 3, 5, dtype=torch.float64)
    rest = inputs["old_logprobs"], ref, inputs["advantages"], inputs["mask"], 0.2, 0.3, loss_type
    assert torch.autograd.gradcheck(lambda x: grpo_loss(x, *rest), inputs["logprobs"].requires_grad_(), eps=1e-7)


def test_bad_input_an_unknown_average(seed):
    inputs = clip_inputs(seed)
    with pytest.raises(ValueError, match="dr_grpo"):
        grpo_loss(
            inputs["logprobs"],
            inputs["logprobs"],
            inputs["logprobs"],
            inputs["advantages"],
            inputs["mask"],
            loss_type="mean",
        )


def test_effect_groups_improve_the_policy(world, reference):
    policy, before = copy.deepcopy(reference), evaluate(world, reference, reference)["judge"]
    history = train_grpo(policy, world.prompts, world.judge, GRPOConfig(steps=20, epochs=2, lr=2e-3))
    assert evaluate(world, policy, reference)["judge"] > before + 0.7
    assert history[0]["kl"] < 1e-6 < history[-1]["kl"]


def test_k3_times_the_ratio_has_the_gradient_of_the_kl(seed):
    """At the old policy, over all tokens weighted by it: the plain k3 points elsewhere."""
    logits, ref = (
        randn(seed, 7, dtype=torch.float64).requires_grad_(),
        randn(seed + 1, 7, dtype=torch.float64).log_softmax(-1),
    )
    new = logits.log_softmax(-1)
    weights, old = new.detach().exp(), new.detach()
    (true,) = torch.autograd.grad((new.exp() * (new - ref)).sum(), logits, retain_graph=True)
    found = {}
    for correct_kl in (False, True):
        rows = [
            grpo_loss(n[None, None], o[None, None], r[None, None], torch.zeros(1, 1, dtype=torch.float64),
                      torch.ones(1, 1, dtype=torch.bool), beta=1.0, correct_kl=correct_kl)
            for n, o, r in zip(new, old, ref, strict=True)
        ]  # fmt: skip
        (found[correct_kl],) = torch.autograd.grad((weights * torch.stack(rows)).sum(), logits, retain_graph=True)
    torch.testing.assert_close(found[True], true, rtol=0, atol=1e-14)
    assert (found[False] - true).abs().max() > 0.01
