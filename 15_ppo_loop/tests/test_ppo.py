"""Rewards and losses of PPO: piece by piece, by finite differences, and whether a step improves the policy."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import clip_inputs, right_mask, shaped_inputs, value_inputs
from ppo_loop import adapt_kl_coef, ppo_clip_loss, value_loss

NAN, INF = float("nan"), float("inf")
DIGITS = {"rtol": 0, "atol": 1e-6}  # constants may be made in float32

# ---------------------------------------------------------------- shaped_rewards


@pytest.mark.task("shaped_rewards")
def test_each_token_pays_for_kl_and_the_last_one_gets_the_score(impl, seed):
    lengths = (5, 2, 1, 4)
    scores, logprobs, ref, mask = shaped_inputs(seed, lengths, dtype=torch.float64)
    got = impl.shaped_rewards(scores, logprobs, ref, mask, 0.3)
    want = torch.zeros(4, 5, dtype=torch.float64)
    for b, n in enumerate(lengths):
        for t in range(n):
            want[b, t] = -0.3 * (logprobs[b, t] - ref[b, t])
        want[b, n - 1] += scores[b]
    torch.testing.assert_close(got, want, **DIGITS)


@pytest.mark.task("shaped_rewards")
def test_identity_an_answers_rewards_sum_to_score_minus_beta_kl(impl, seed):
    scores, logprobs, ref, mask = shaped_inputs(seed)
    logprobs = torch.where(mask, logprobs, NAN)
    got = impl.shaped_rewards(scores, logprobs.requires_grad_(), ref, mask, 2.0)
    kl = torch.where(mask, logprobs.detach() - ref, 0).sum(1)
    torch.testing.assert_close(got.sum(1), scores - 2 * kl)
    assert not got.requires_grad


@pytest.mark.task("shaped_rewards")
def test_bad_input_an_answer_of_no_token(impl, seed):
    with pytest.raises(ValueError):
        impl.shaped_rewards(*shaped_inputs(seed, (3, 0)), 0.1)


@pytest.mark.task("shaped_rewards")
@pytest.mark.parametrize(("ours", "reference"), [(NAN, NAN), (-INF, -1.0), (-1.0, -INF), (INF, NAN)])
def test_padding_pays_nothing_whatever_it_holds(impl, ours, reference):
    logprobs, ref = torch.tensor([[-1.0, ours], [-3.0, -1.0]]), torch.tensor([[-2.0, reference], [-1.0, -2.0]])
    mask = torch.tensor([[True, False], [True, True]])
    got = impl.shaped_rewards(torch.tensor([5.0, 1.0]), logprobs, ref, mask, 0.5)
    torch.testing.assert_close(got, torch.tensor([[4.5, 0.0], [1.0, 0.5]]))


@pytest.mark.task("shaped_rewards")
@pytest.mark.parametrize("index", [0, 1, 2])
def test_no_gradient_flows_into_scores_policy_or_reference(impl, seed, index):
    arguments = list(shaped_inputs(seed))
    arguments[index].requires_grad_()
    assert not impl.shaped_rewards(*arguments, 0.3).requires_grad


# ---------------------------------------------------------------- ppo_clip_loss


def by_cases(ratio, advantage, clip):
    """The loss of one token and its slope in the ratio, case by case."""
    stops = advantage > 0 and ratio > 1 + clip or advantage < 0 and ratio < 1 - clip
    edge = 1 + clip if advantage > 0 else 1 - clip
    return (-advantage * edge, 0.0) if stops else (-advantage * ratio, -advantage)


@pytest.mark.task("ppo_clip_loss")
@pytest.mark.parametrize("clip", [0.2, 0.05])
def test_values_and_gradients_case_by_case(impl, seed, clip):
    inputs = clip_inputs(seed, dtype=torch.float64)
    mask, logprobs = inputs["mask"], inputs["logprobs"].clone().requires_grad_()
    got = impl.ppo_clip_loss(logprobs, inputs["old_logprobs"], inputs["advantages"], mask, clip)
    ratio = (logprobs.detach() - inputs["old_logprobs"]).exp()
    total, slopes = 0.0, torch.zeros_like(ratio)
    for b, t in mask.nonzero().tolist():
        loss, slope = by_cases(ratio[b, t].item(), inputs["advantages"][b, t].item(), clip)
        total, slopes[b, t] = total + loss, slope * ratio[b, t]
    n = int(mask.sum())
    torch.testing.assert_close(got.item(), total / n, **DIGITS)
    got.backward()
    torch.testing.assert_close(logprobs.grad, slopes / n, **DIGITS)


@pytest.mark.task("ppo_clip_loss")
def test_what_was_measured_at_sampling_gets_no_gradient(impl, seed):
    inputs = clip_inputs(seed)
    mask = inputs["mask"]
    leaves = [torch.where(mask, inputs[n], NAN).requires_grad_() for n in ("logprobs", "old_logprobs", "advantages")]
    loss = impl.ppo_clip_loss(*leaves, mask)
    grads = torch.autograd.grad(loss, leaves, allow_unused=True)
    assert torch.isfinite(loss) and grads[0][mask].abs().sum() > 0
    assert all(g is None or not g.any() for g in grads[1:])


@pytest.mark.task("ppo_clip_loss")
def test_infinity_at_padding_changes_nothing(impl):
    logprobs = torch.tensor([[0.5, 1.0], [0.5, 1.0]]).log().requires_grad_()
    mask = torch.tensor([[True, False], [True, False]])
    old = torch.tensor([[0.0, -INF], [0.0, 0.0]])
    advantages = torch.tensor([[1.0, INF], [-1.0, -INF]])
    loss = impl.ppo_clip_loss(logprobs, old, advantages, mask)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(0.15))  # -0.5 and 0.8
    torch.testing.assert_close(logprobs.grad[mask], torch.tensor([-0.25, 0.0]))


@pytest.mark.task("ppo_clip_loss")
def test_the_lower_limit_and_the_clip_that_is_left_out(impl):
    ratio, mask = torch.tensor([[0.82, 0.5, 1.15, 1.5]]), torch.ones(1, 4, dtype=torch.bool)
    for advantage, want in ((-1.0, 0.82 + 0.8 + 1.15 + 1.5), (1.0, -0.82 - 0.5 - 1.15 - 1.2)):
        a = torch.full((1, 4), advantage)
        got = [impl.ppo_clip_loss(ratio.log(), torch.zeros(1, 4), a, mask, *clip) for clip in ((), (0.2,))]
        torch.testing.assert_close(torch.stack(got), torch.full((2,), want / 4))


@pytest.mark.task("ppo_clip_loss")
def test_with_a_clip_above_one_only_the_upper_limit_is_left(impl):
    ratio, advantages = torch.tensor([[0.01, 0.01, 5.0, 5.0]]), torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    got = impl.ppo_clip_loss(ratio.log(), torch.zeros(1, 4), advantages, torch.ones(1, 4, dtype=torch.bool), 3.0)
    torch.testing.assert_close(got, torch.tensor((-0.01 + 0.01 - 4 + 5) / 4))


@pytest.mark.task("ppo_clip_loss")
def test_at_the_old_policy_the_gradient_is_that_of_reinforce(impl, seed):
    inputs = clip_inputs(seed, spread=0.0, dtype=torch.float64)
    mask, logprobs = inputs["mask"], inputs["logprobs"].clone().requires_grad_()
    impl.ppo_clip_loss(logprobs, inputs["old_logprobs"], inputs["advantages"], mask).backward()
    torch.testing.assert_close(logprobs.grad, torch.where(mask, -inputs["advantages"], 0) / mask.sum())


def test_property_the_clipped_loss_is_never_below_the_plain_one():
    @settings(deadline=None, max_examples=30)
    @given(st.floats(-3, 3), st.floats(-2, 2), st.floats(0.01, 0.9))
    def holds(log_ratio, advantage, clip):
        args = (torch.tensor([[x]], dtype=torch.float64) for x in (log_ratio, 0.0, advantage))
        loss = ppo_clip_loss(*args, torch.ones(1, 1, dtype=torch.bool), clip)
        assert loss.item() >= -advantage * torch.tensor(log_ratio, dtype=torch.float64).exp().item() - 1e-12

    holds()


# ---------------------------------------------------------------- value_loss


@pytest.mark.task("value_loss")
@pytest.mark.parametrize("clip", [0.2, 0.05, 1.5])
def test_the_larger_of_two_errors_token_by_token(impl, seed, clip):
    inputs = value_inputs(seed, dtype=torch.float64)
    mask = inputs["mask"]
    got = impl.value_loss(**inputs, clip=clip)
    total = 0.0
    for b, t in mask.nonzero().tolist():
        v, old, target = (inputs[n][b, t].item() for n in ("values", "old_values", "returns"))
        clipped = min(max(v, old - clip), old + clip)
        total += 0.5 * max((v - target) ** 2, (clipped - target) ** 2)
    torch.testing.assert_close(got.item(), total / int(mask.sum()), **DIGITS)


@pytest.mark.task("value_loss")
def test_only_the_values_get_a_gradient_and_padding_none(impl, seed):
    inputs = value_inputs(seed)
    mask = inputs["mask"]
    leaves = [torch.where(mask, inputs[n], NAN).requires_grad_() for n in ("values", "old_values", "returns")]
    loss = impl.value_loss(*leaves, mask)
    grads = torch.autograd.grad(loss, leaves, allow_unused=True)
    assert torch.isfinite(loss) and grads[0][mask].abs().sum() > 0
    assert all(g is None or not g.any() for g in grads[1:])


@pytest.mark.task("value_loss")
def test_infinity_at_padding_of_the_values_changes_nothing(impl):
    values = torch.tensor([[1.0, 5.0], [1.0, -INF]]).requires_grad_()
    old, returns = torch.tensor([[0.5, -INF], [0.9, 0.0]]), torch.tensor([[2.0, INF], [2.0, 0.0]])
    mask = torch.tensor([[True, False], [True, False]])
    loss = impl.value_loss(values, old, returns, mask)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(0.5 * (1.69 + 1) / 2))
    torch.testing.assert_close(values.grad[mask], torch.tensor([0.0, -0.5]))


@pytest.mark.task("value_loss")
def test_a_clip_of_the_values_that_is_left_out_is_a_fifth(impl, seed):
    inputs = value_inputs(seed, dtype=torch.float64)
    torch.testing.assert_close(impl.value_loss(**inputs), impl.value_loss(**inputs, clip=0.2))


@pytest.mark.parametrize("loss", [ppo_clip_loss, value_loss])
def test_gradients_by_finite_differences(loss, seed):
    inputs = (
        clip_inputs(seed, dtype=torch.float64) if loss is ppo_clip_loss else value_inputs(seed, dtype=torch.float64)
    )
    mask = inputs.pop("mask")
    first, *others = inputs.values()
    assert torch.autograd.gradcheck(lambda x: loss(x, *others, mask), first.requires_grad_(), eps=1e-7)


# ---------------------------------------------------------------- adapt_kl_coef


@pytest.mark.task("adapt_kl_coef")
@pytest.mark.parametrize(("kl", "error"), [(6.6, 0.1), (5.4, -0.1), (60, 0.2), (0, -0.2), (6, 0)])
def test_the_coefficient_follows_the_clipped_error(impl, kl, error):
    assert impl.adapt_kl_coef(0.3, kl, 6.0, 500) == pytest.approx(0.3 * (1 + error * 0.05))
    assert impl.adapt_kl_coef(0.3, kl / 4, 1.5, 64, horizon=128) == pytest.approx(0.3 * (1 + error / 2))


@pytest.mark.task("adapt_kl_coef")
def test_a_batch_may_be_larger_than_the_horizon(impl):
    assert impl.adapt_kl_coef(0.3, 2.2, 2.0, 300, horizon=100) == pytest.approx(0.39)
    assert impl.adapt_kl_coef(0.3, 9.0, 2.0, 300, horizon=100) == pytest.approx(0.48)


@pytest.mark.task("adapt_kl_coef")
@pytest.mark.parametrize("target", [0.0, -1.0])
def test_bad_input_a_target_that_is_not_positive(impl, target):
    with pytest.raises(ValueError):
        impl.adapt_kl_coef(0.1, 1.0, target, 64)


def test_effect_the_controller_settles_where_kl_is_at_its_target():
    """A policy whose KL is 2 / beta has a KL of 4 at beta = 0.5."""
    beta = 5.0
    for _ in range(400):
        beta = adapt_kl_coef(beta, 2 / beta, 4.0, 640)
    assert beta == pytest.approx(0.5, rel=0.02)


def test_masks_of_the_inputs_are_what_they_say():
    assert right_mask([2, 0], 3).tolist() == [[True, True, False], [False, False, False]]
