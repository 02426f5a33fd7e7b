"""The three estimators: Schulman's table, and what each does as a loss."""

import pytest
import torch
from mistakes import probabilities, randn
from ppo_loop import k1_estimator, k2_estimator, k3_estimator, kl_loss
from ppo_loop.kl import estimator_table, loss_gradients
from torch.distributions import Categorical, Normal, kl_divergence


@pytest.mark.task("k3_estimator")
def test_values_are_those_of_the_formula_and_never_negative(impl, seed):
    p, q = probabilities(seed, 3, 5, dtype=torch.float64), probabilities(seed + 1, 3, 5, dtype=torch.float64)
    got = impl.k3_estimator(p, q)
    r = q.exp() / p.exp()
    torch.testing.assert_close(got, r - 1 - r.log(), rtol=0, atol=1e-9)  # r is up to a thousand
    assert (got >= 0).all() and got.shape == (3, 5)
    torch.testing.assert_close(impl.k3_estimator(p, p.clone()), torch.zeros(3, 5, dtype=torch.float64))


@pytest.mark.task("k3_estimator")
@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_tokens_may_stand_on_any_axes(impl, seed, shape):
    p, q = probabilities(seed, *shape), probabilities(seed + 1, *shape)
    got = impl.k3_estimator(p, q)
    assert got.shape == shape
    torch.testing.assert_close(got, torch.expm1(q - p) - (q - p), rtol=1e-4, atol=1e-4)


@pytest.mark.task("k3_estimator")
def test_its_mean_over_the_policy_is_the_kl(impl, seed):
    policy, reference = Categorical(logits=randn(seed, 7)), Categorical(logits=randn(seed + 1, 7))
    every = impl.k3_estimator(policy.logits, reference.logits)
    torch.testing.assert_close((policy.probs * every).sum(), kl_divergence(policy, reference))


@pytest.mark.task("k3_estimator")
def test_it_can_be_differentiated(impl, seed):
    p, q = probabilities(seed, 4, dtype=torch.float64).requires_grad_(), probabilities(seed + 1, 4, dtype=torch.float64)
    impl.k3_estimator(p, q).sum().backward()
    torch.testing.assert_close(p.grad, 1 - (q - p.detach()).exp(), rtol=1e-9, atol=1e-9)


SCHULMAN = {
    0.1: {"k1": (0, 20), "k2": (0.002, 1.42), "k3": (0, 1.42)},
    1.0: {"k1": (0, 2), "k2": (0.25, 1.73), "k3": (0, 1.7)},
}


@pytest.mark.parametrize("mean", SCHULMAN)
def test_schulmans_table_to_two_digits(mean):
    """His p is our reference and his q our policy: samples come from N(0, 1)."""
    table = estimator_table(Normal(0.0, 1.0), Normal(mean, 1.0), 1_000_000)
    for name, (bias, std) in SCHULMAN[mean].items():
        assert table[name]["std"] == pytest.approx(std, rel=0.01)
        noise = 4 * std / 1000  # four standard errors of a million samples
        assert table[name]["bias"] == pytest.approx(bias, abs=noise)


def test_as_a_loss_k1_does_nothing_k2_is_exact_and_k3_points_to_the_other_kl(seed):
    g = loss_gradients(randn(seed, 7, dtype=torch.float64), randn(seed + 1, 7, dtype=torch.float64))
    true, other = g["KL(policy || reference)"], g["KL(reference || policy)"]
    assert g["k1"].abs().max() < 1e-15
    torch.testing.assert_close(g["k2"], true, rtol=0, atol=1e-14)
    torch.testing.assert_close(g["k3"], other, rtol=0, atol=1e-14)
    assert (g["k3"] - true).abs().max() > 0.01


def test_the_estimators_agree_to_second_order():
    p = torch.log(torch.tensor([0.30, 0.31]))
    q = torch.log(torch.tensor([0.31, 0.30]))
    torch.testing.assert_close(k2_estimator(p, q), k3_estimator(p, q), rtol=0, atol=1e-4)  # third order: 0.03³ / 6
    assert k1_estimator(p, q)[0] < 0 < k1_estimator(p, q)[1]


def test_bad_input_an_unknown_estimator():
    with pytest.raises(ValueError, match="k1, k2, k3"):
        kl_loss("k4", torch.zeros(2), torch.zeros(2))


@pytest.mark.task("k3_estimator")
def test_policies_far_apart_have_a_finite_k3(impl):
    ours, reference = torch.tensor([[-0.5, -16.0]]), torch.tensor([[-200.5, -1.0]])
    want = torch.tensor([[199.0, 15.0]]) + torch.tensor([[0.0, 3269017.375 - 1 - 30]])  # e^15 = 3,269,017.4
    torch.testing.assert_close(impl.k3_estimator(ours, reference), want, rtol=1e-5, atol=0)
