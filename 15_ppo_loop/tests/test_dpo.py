"""DPO and IPO: token by token, by finite differences, in the tabular world and on the toy language."""

import copy
import math

import pytest
import torch
from mistakes import dpo_inputs
from ppo_loop import dpo_loss, ipo_loss, train_dpo
from ppo_loop.integration import collect_pairs, evaluate

NAN, INF = float("nan"), float("inf")


def by_loops(inputs, beta):
    total = 0.0
    for b in range(3):
        implicit = []
        for side in ("chosen", "rejected"):
            mask, logprobs, ref = inputs[f"{side}_mask"][b], inputs[side][b], inputs[f"ref_{side}"][b]
            implicit.append(sum(beta * (logprobs[t] - ref[t]).item() for t in mask.nonzero()[:, 0].tolist()))
        total += math.log1p(math.exp(implicit[1] - implicit[0]))
    return total / 3


@pytest.mark.task("dpo_loss")
@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_values_pair_by_pair(impl, seed, beta):
    inputs = dpo_inputs(seed, torch.float64)
    assert impl.dpo_loss(*inputs.values(), beta).item() == pytest.approx(by_loops(inputs, beta), abs=1e-6)


@pytest.mark.task("dpo_loss")
def test_a_beta_that_is_left_out_is_a_tenth(impl, seed):
    inputs = dpo_inputs(seed, torch.float64)
    torch.testing.assert_close(impl.dpo_loss(*inputs.values()), impl.dpo_loss(*inputs.values(), 0.1))


@pytest.mark.task("dpo_loss")
def test_infinity_outside_of_the_masks_changes_nothing(impl):
    chosen = torch.tensor([[-INF, -1.0, -1.0]], requires_grad=True)
    rejected = torch.tensor([[-3.0, -2.0, -INF]], requires_grad=True)
    ref_chosen, ref_rejected = torch.tensor([[-3.0, -2.0, -2.0]]), torch.tensor([[-INF, -1.0, -1.0]])
    masks = torch.tensor([[False, True, True]]), torch.tensor([[False, True, False]])
    loss = impl.dpo_loss(chosen, rejected, ref_chosen, ref_rejected, *masks, 0.5)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(0.20141328))
    weight = 0.5 * 0.18242552  # beta times sigmoid(-1.5)
    torch.testing.assert_close(chosen.grad[masks[0]], torch.tensor([-weight, -weight]))
    torch.testing.assert_close(rejected.grad[masks[1]], torch.tensor([weight]))


@pytest.mark.task("dpo_loss")
def test_gradients_push_the_two_answers_apart_by_the_probability_of_the_wrong_order(impl, seed):
    inputs = dpo_inputs(seed, torch.float64)
    leaves = {n: x.clone().requires_grad_() for n, x in inputs.items() if x.is_floating_point()}
    loss = impl.dpo_loss(*(inputs | leaves).values(), 0.5)
    grads = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()), allow_unused=True), strict=True))
    ratio = {
        s: torch.where(inputs[f"{s}_mask"], inputs[s] - inputs[f"ref_{s}"], 0).sum(1) for s in ("chosen", "rejected")
    }
    weight = torch.sigmoid(0.5 * (ratio["rejected"] - ratio["chosen"]))[:, None] * 0.5 / 3
    torch.testing.assert_close(grads["chosen"], -weight * inputs["chosen_mask"], rtol=0, atol=1e-6)
    torch.testing.assert_close(grads["rejected"], weight * inputs["rejected_mask"], rtol=0, atol=1e-6)
    assert all(grads[n] is None or not grads[n].any() for n in ("ref_chosen", "ref_rejected"))


@pytest.mark.task("dpo_loss")
def test_a_policy_that_is_the_reference_has_a_loss_of_log_two(impl, seed):
    inputs = dpo_inputs(seed, apart=0.0)
    inputs["chosen"] = torch.where(inputs["chosen_mask"], inputs["chosen"], NAN)
    assert impl.dpo_loss(*inputs.values()).item() == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.task("dpo_loss")
def test_pairs_far_in_the_wrong_order_have_a_finite_loss(impl, seed):
    inputs = dpo_inputs(seed)
    inputs["rejected"] = inputs["rejected"] + 400
    assert 400 < impl.dpo_loss(*inputs.values(), 1.0).item() < math.inf


@pytest.mark.parametrize("loss", [dpo_loss, ipo_loss])
def test_gradients_by_finite_differences(loss, seed):
    inputs = dpo_inputs(seed, torch.float64)
    leaves = [inputs.pop(name).requires_grad_() for name in ("chosen", "rejected")]
    assert torch.autograd.gradcheck(lambda c, r: loss(c, r, *inputs.values(), 0.3), leaves)


def test_ipo_has_a_margin_that_is_reached(seed):
    """At a difference of the means of 1 / (2 beta) the loss and its gradient are zero."""
    inputs = dpo_inputs(seed, torch.float64, apart=0.0)
    inputs["chosen"] = (inputs["chosen"] + 1.25).requires_grad_()
    loss = ipo_loss(*inputs.values(), 0.4)
    assert loss.item() == pytest.approx(0, abs=1e-24)


@pytest.mark.parametrize(("loss", "beta"), [(dpo_loss, 0.3), (ipo_loss, 0.5)])
def test_effect_preferences_alone_improve_the_policy(world, reference, loss, beta):
    policy, before = copy.deepcopy(reference), evaluate(world, reference, reference)["judge"]
    losses = train_dpo(policy, collect_pairs(world, reference, 512), 60, beta=beta, lr=5e-4, loss_function=loss)
    assert sum(losses[-10:]) < sum(losses[:10])
    assert evaluate(world, policy, reference)["judge"] > before + 0.3
