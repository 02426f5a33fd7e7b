"""The losses and the bias. The oracles are transformers' Switch and Mixtral losses; their normalisations are held."""

import math

import pytest
import torch
import torch.nn.functional as F
from expert_router import expert_load, importance_loss, load_balancing_loss, load_loss, squared_cv, update_bias, z_loss
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import choices, padding, randn


def by_definition(scores, indices, mask=None):
    """Token by token, in Python."""
    tokens = [t for t in range(len(scores)) if mask is None or mask[t]]
    E, k = scores.shape[1], indices.shape[1]
    f = [sum((indices[t] == e).sum().item() for t in tokens) / (len(tokens) * k) for e in range(E)]
    P = sum(scores[t].softmax(0) for t in tokens) / len(tokens)
    return E * sum(f[e] * P[e] for e in range(E))


@pytest.mark.task("load_balancing_loss")
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("masked", [True, False])
def test_value_and_gradient_are_those_of_the_definition(impl, seed, k, masked):
    scores, indices = randn(seed, 11, 5, dtype=torch.float64).requires_grad_(), choices(seed, 11, k, experts=5)
    mask = padding(seed, 11) if masked else None
    got, want = impl.load_balancing_loss(scores, indices, mask), by_definition(scores, indices, mask)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)  # shares of float32 are right too
    mine, theirs = (torch.autograd.grad(loss, scores)[0] for loss in (got, want))
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)


@pytest.mark.task("load_balancing_loss")
def test_texts_are_counted_together(impl, seed):
    scores, indices, mask = randn(seed, 3, 7, 5), choices(seed, 3, 7, 2, experts=5), padding(seed, 3, 7)
    for m in (None, mask):
        flat = by_definition(scores.flatten(0, 1), indices.flatten(0, 1), None if m is None else m.flatten())
        torch.testing.assert_close(impl.load_balancing_loss(scores, indices, m), flat)


@pytest.mark.task("load_balancing_loss")
@pytest.mark.parametrize("k", [1, 2])
def test_balance_is_1_and_one_expert_for_all_is_its_number_of_experts(impl, k):
    even = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6], dim=1)[:, :k]
    assert float(impl.load_balancing_loss(torch.zeros(6, 6), even)) == pytest.approx(1)
    hot = torch.zeros(9, 6).index_fill(1, torch.tensor(2), 50.0)
    assert float(impl.load_balancing_loss(hot, torch.full((9, 1), 2))) == pytest.approx(6)


@pytest.mark.task("load_balancing_loss")
def test_bad_input_a_mask_that_hides_all(impl):
    with pytest.raises(ValueError):
        impl.load_balancing_loss(torch.zeros(3, 5), torch.zeros(3, 1, dtype=torch.long), torch.zeros(3).bool())


def test_oracle_switch_averages_over_texts():
    """transformers' Switch loss is the mean of the loss of each text: ours, text by text."""
    from transformers.models.switch_transformers.modeling_switch_transformers import load_balancing_loss_func

    scores = randn(3, 4, 11, 5, dtype=torch.float64)
    indices = scores.argmax(-1, keepdim=True)
    theirs = load_balancing_loss_func(scores.softmax(-1), indices[..., 0])
    each = torch.stack([load_balancing_loss(s, i) for s, i in zip(scores, indices, strict=True)])
    torch.testing.assert_close(theirs, each.mean(), rtol=0, atol=1e-6)  # shares are float32
    whole = load_balancing_loss(scores, indices)
    assert whole < theirs - 1e-3  # texts with different favourites balance each other
    one = load_balancing_loss_func(scores.flatten(0, 1)[None].softmax(-1), indices[..., 0].flatten()[None])
    torch.testing.assert_close(one, whole, rtol=0, atol=1e-6)


def test_oracle_mixtral_is_k_times_ours():
    """transformers' Mixtral loss sums the shares of all choices: k at perfect balance."""
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    for k in (1, 2, 3):
        scores = randn(k, 22, 7)
        indices, mask = scores.topk(k).indices, padding(k, 2, 11)
        theirs = load_balancing_loss_func((scores,), 7, k)
        torch.testing.assert_close(theirs, k * load_balancing_loss(scores, indices), rtol=1e-6, atol=0)
        masked = load_balancing_loss_func((scores,), 7, k, mask)
        ours = k * load_balancing_loss(scores.view(2, 11, 7), indices.view(2, 11, k), mask)
        torch.testing.assert_close(masked, ours, rtol=1e-6, atol=0)  # float32
    balanced = load_balancing_loss_func((torch.eye(6),), 6, 2)
    assert float(balanced) != pytest.approx(1) and float(balanced) == pytest.approx(2, abs=0.2)


def test_oracle_the_z_loss_of_switch(impl, seed):
    from transformers.models.switch_transformers.modeling_switch_transformers import router_z_loss_func

    logits = (3 * randn(seed, 3, 7, 5, dtype=torch.float64)).requires_grad_()
    got, want = impl.z_loss(logits), router_z_loss_func(logits)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=0)
    mine, theirs = (torch.autograd.grad(loss, logits)[0] for loss in (got, want))
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-13)


@pytest.mark.task("z_loss")
def test_the_z_loss_and_its_gradient_are_those_of_the_definition(impl, seed):
    logits = (3 * randn(seed, 3, 7, 5, dtype=torch.float64)).requires_grad_()
    z, loss = logits.detach().exp().sum(-1, keepdim=True).log(), impl.z_loss(logits)
    torch.testing.assert_close(loss.detach(), z.square().mean(), rtol=1e-12, atol=0)
    gradient = 2 * z * (logits.detach() - z).exp() / (3 * 7)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], gradient, rtol=0, atol=1e-13)


@pytest.mark.task("z_loss")
def test_padding_has_no_part_in_the_z_loss(impl, seed):
    logits, mask = randn(seed, 3, 7, 5), padding(seed, 3, 7)
    torch.testing.assert_close(impl.z_loss(logits, mask), impl.z_loss(logits[mask]))
    assert impl.z_loss(1e4 * logits).isfinite()


@pytest.mark.task("z_loss")
def test_bad_input_no_token_for_the_z_loss(impl):
    with pytest.raises(ValueError):
        impl.z_loss(torch.zeros(3, 5), torch.zeros(3).bool())


@pytest.mark.task("update_bias")
@pytest.mark.parametrize(("load", "signs"), [((4, 9, 1, 4, 2), (0, -1, 1, 0, 1)), ((4, 9, 1, 4, 3), (1, -1, 1, 1, 1))])
def test_who_lacks_tokens_rises_by_the_rate(impl, seed, load, signs):
    bias = randn(seed, 5, dtype=torch.float64)
    before = bias.clone()
    got = impl.update_bias(bias, torch.tensor(load), 0.1)
    torch.testing.assert_close(got - before, torch.tensor(signs).double() / 10, rtol=0, atol=1e-7)
    torch.testing.assert_close(bias, before, rtol=0, atol=0)
    assert got.dtype == torch.float64


@pytest.mark.task("update_bias")
@pytest.mark.parametrize(("mean", "dtype"), [(2**25, torch.float32), (2**25, torch.float64), (4096, torch.float16)])
def test_loads_are_compared_as_whole_numbers(impl, mean, dtype):
    got = impl.update_bias(torch.zeros(3, dtype=dtype), torch.tensor([mean + 1, mean - 1, mean]), 0.5)
    torch.testing.assert_close(got, torch.tensor([-0.5, 0.5, 0], dtype=dtype), rtol=0, atol=0)


@pytest.mark.task("update_bias")
def test_effect_a_bias_alone_evens_out_a_router_with_favourites(impl, seed):
    logits, bias = randn(seed, 512, 8) + torch.arange(8) / 2, torch.zeros(8)
    first = expert_load(logits.topk(2).indices, 8)
    for _ in range(300):
        bias = impl.update_bias(bias, expert_load((logits + bias).topk(2).indices, 8), 0.02)
    last = expert_load((logits + bias).topk(2).indices, 8)
    assert first.max() > 2.2 * 128 and last.max() < 1.15 * 128 and last.min() > 0.85 * 128


def test_property_counts_conserve_tokens():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 5), st.integers(1, 9), st.integers(5, 8), st.integers(0, 99))
    def holds(k, tokens, experts, seed):
        load = expert_load(choices(seed, tokens, k, experts=experts), experts)
        assert load.sum() == tokens * k and len(load) == experts

    holds()


def test_property_the_loss_of_a_top_k_router_is_between_1_and_its_experts_when_probabilities_follow_the_choice():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(2, 7), st.integers(1, 13), st.integers(0, 99))
    def holds(experts, tokens, seed):
        indices = choices(seed, tokens, 1, experts=experts)
        certain = 60.0 * F.one_hot(indices[:, 0], experts).double()
        loss = float(load_balancing_loss(certain, indices))
        assert 1 - 1e-6 <= loss <= experts + 1e-6

    holds()


def test_importance_is_the_squared_coefficient_of_variation_of_summed_weights():
    weights, indices = torch.tensor([[0.75, 0.25], [0.5, 0.5]]), torch.tensor([[0, 1], [0, 2]])
    # sums 1.25, 0.25, 0.5: mean 2/3
    want = torch.tensor([1.25, 0.25, 0.5]).var(correction=0) / (2 / 3) ** 2
    torch.testing.assert_close(importance_loss(weights, indices, 3), want)
    assert float(squared_cv(torch.full((5,), 3.0))) == 0


def test_the_smooth_load_is_the_chance_over_new_noise():
    """A token's chance, by drawing its noise for one expert again 200,000 times: four standard errors are 0.0045."""
    logits, std = randn(0, 1, 4, dtype=torch.float64), torch.full((1, 4), 0.7, dtype=torch.float64)
    scores, k = logits + 0.7 * randn(1, 1, 4, dtype=torch.float64), 2
    chances = []
    for e in range(4):
        others = torch.cat([scores[0, :e], scores[0, e + 1 :]])
        again = logits[0, e] + 0.7 * randn(2 + e, 200_000, dtype=torch.float64)
        chances.append((again > others.topk(k).values[-1]).double().mean())
    want = squared_cv(torch.stack(chances))
    got = load_loss(logits, scores, std, k)
    assert float(got) == pytest.approx(float(want), abs=0.02)
    with pytest.raises(ValueError, match="k=4"):
        load_loss(logits, scores, std, 4)


def test_the_loads_gradient_lowers_a_favourite():
    logits = torch.tensor([[1.0, 0.0, 0.0]]).repeat(5, 1).requires_grad_()
    load_loss(logits, logits.detach(), torch.ones(5, 3), 1).backward()
    assert (logits.grad[:, 0] > 0).all() and (logits.grad[:, 1:] < 0).all()


def test_bias_and_counts_of_the_docstring():
    torch.testing.assert_close(update_bias(torch.zeros(3), torch.tensor([6, 2, 4]), 0.1), torch.tensor([-0.1, 0.1, 0]))
    assert z_loss(torch.zeros(1, 2)).item() == pytest.approx(math.log(2) ** 2)
