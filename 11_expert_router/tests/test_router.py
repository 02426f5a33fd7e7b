"""The router. The oracles are transformers' routers of Mixtral and DeepSeek-V3, and PyTorch's softmax."""

import math

import pytest
import torch
import torch.nn.functional as F
from expert_router import combine_weights, gate_noise, jitter, top_k_gate
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import choices, randn


@pytest.mark.task("top_k_gate")
@pytest.mark.parametrize("k", [1, 3, 7])
def test_the_best_come_first(impl, seed, k):
    logits = randn(seed, 11, 7, dtype=torch.float64)
    scores, indices = impl.top_k_gate(logits, k)
    torch.testing.assert_close(scores, logits, rtol=0, atol=0)
    assert indices.dtype == torch.int64
    torch.testing.assert_close(indices, logits.argsort(-1, descending=True)[:, :k])


@pytest.mark.task("top_k_gate")
def test_the_bias_decides_the_choice_and_is_not_in_the_scores(impl, seed):
    logits, bias = randn(seed, 29, 5, 4), 3 * randn(seed + 1, 4)
    scores, indices = impl.top_k_gate(logits, 2, bias)
    torch.testing.assert_close(scores, logits, rtol=0, atol=0)
    torch.testing.assert_close(indices, (logits + bias).topk(2).indices)


@pytest.mark.task("top_k_gate")
@pytest.mark.parametrize("training", [True, False])
def test_noise_is_in_scores_and_choice_in_training_alone(impl, seed, training):
    logits, noise = randn(seed, 13, 5), 3 * randn(seed + 1, 13, 5)
    scores, indices = impl.top_k_gate(logits, 2, noise=noise, training=training)
    want = logits + noise if training else logits
    torch.testing.assert_close(scores, want)
    torch.testing.assert_close(indices, want.topk(2).indices)


@pytest.mark.task("top_k_gate")
def test_training_needs_no_noise_and_gradients_get_back(impl, seed):
    logits = randn(seed, 7, 5).requires_grad_()
    scores, _ = impl.top_k_gate(logits, 2, training=True)
    scores.square().sum().backward()
    torch.testing.assert_close(logits.grad, 2 * logits.detach())


@pytest.mark.task("top_k_gate")
@pytest.mark.parametrize("k", [0, -1, 6])
def test_bad_input_more_experts_than_there_are(impl, k):
    with pytest.raises(ValueError):
        impl.top_k_gate(torch.zeros(3, 5), k)


@pytest.mark.task("combine_weights")
@pytest.mark.parametrize("k", [1, 2, 5])
def test_weights_are_probabilities_of_all_experts(impl, seed, k):
    scores, indices = randn(seed, 11, 5, dtype=torch.float64), choices(seed, 11, k, experts=5)
    got, all_ = impl.combine_weights(scores, indices), F.softmax(scores, dim=1)
    want = torch.stack([all_[torch.arange(11), indices[:, j]] for j in range(k)], dim=1)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)


@pytest.mark.task("combine_weights")
def test_normalizing_is_a_softmax_over_the_chosen_scores(impl, seed):
    scores, indices = randn(seed, 3, 5, 7, dtype=torch.float64), choices(seed, 3, 5, 2, experts=7)
    got = impl.combine_weights(scores, indices, normalize=True)
    torch.testing.assert_close(got, F.softmax(scores.gather(-1, indices), -1), rtol=0, atol=1e-14)


@pytest.mark.task("combine_weights")
def test_large_scores_do_not_overflow_and_gradients_get_back(impl, seed):
    scores = (1e3 * randn(seed, 7, 5, dtype=torch.float64)).requires_grad_()
    weights = impl.combine_weights(scores, choices(seed, 7, 2, experts=5))
    assert weights.isfinite().all()
    assert torch.autograd.grad(weights.sum(), scores)[0].isfinite().all()
    small = randn(seed, 7, 5).requires_grad_()
    weight = impl.combine_weights(small, choices(seed, 7, 1, experts=5))
    assert torch.autograd.grad(weight.sum(), small)[0].abs().max() > 1e-3  # a router of one expert learns


@pytest.mark.task("combine_weights")
def test_chosen_experts_far_below_the_best_have_weights_too(impl):
    scores = torch.tensor([[3000.0, 1000.0, 1000.0], [9000.0, 0.0, -2000.0]])
    got = impl.combine_weights(scores, torch.tensor([[1, 2], [1, 2]]), normalize=True)
    torch.testing.assert_close(got, torch.tensor([[0.5, 0.5], [1.0, 0.0]]))


@pytest.mark.task("combine_weights")
def test_bad_input_one_normalized_expert(impl):
    with pytest.raises(ValueError):
        impl.combine_weights(torch.zeros(3, 5), torch.zeros(3, 1, dtype=torch.long), normalize=True)


def test_oracle_the_router_of_mixtral():
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralTopKRouter

    theirs = MixtralTopKRouter(MixtralConfig(hidden_size=13, num_local_experts=7, num_experts_per_tok=3))
    theirs.weight.data = randn(1, 7, 13)
    x = randn(2, 11, 13)
    logits, weights, indices = theirs(x)
    scores, ours = top_k_gate(F.linear(x, theirs.weight), 3)
    torch.testing.assert_close(scores, logits, rtol=0, atol=0)
    torch.testing.assert_close(ours, indices)
    torch.testing.assert_close(combine_weights(scores, ours, True), weights, rtol=0, atol=1e-6)  # float32


def test_oracle_the_bias_of_deepseek_changes_the_choice_alone():
    from transformers import DeepseekV3Config
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3TopkRouter

    config = DeepseekV3Config(
        hidden_size=13, n_routed_experts=6, num_experts_per_tok=2, n_group=1, topk_group=1, routed_scaling_factor=1.0
    )
    theirs = DeepseekV3TopkRouter(config)
    theirs.weight.data, bias = randn(1, 6, 13), randn(2, 6)
    theirs.e_score_correction_bias.copy_(bias)
    x = randn(3, 17, 13)
    logits, weights, indices = theirs(x)
    affinity = logits.sigmoid()  # DeepSeek's scores: one sigmoid for each expert
    scores, ours = top_k_gate(affinity, 2, bias)
    torch.testing.assert_close(ours.sort(-1).values, indices.sort(-1).values)
    chosen = scores.gather(-1, indices)
    torch.testing.assert_close(chosen / chosen.sum(-1, keepdim=True), weights, rtol=0, atol=1e-6)


def test_property_weights_sum_to_at_most_one():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 6), st.integers(2, 7), st.integers(0, 9), st.floats(0, 50))
    def holds(k, experts, seed, scale):
        k = min(k, experts)
        scores, indices = top_k_gate(scale * randn(seed, 5, experts, dtype=torch.float64), k)
        total = combine_weights(scores, indices).sum(-1)
        assert (total <= 1 + 1e-12).all()
        if k > 1:
            assert (combine_weights(scores, indices, True).sum(-1) - 1).abs().max() < 1e-12

    holds()


def test_the_first_noise_has_the_deviation_log_2_and_its_gradient_reaches_the_router():
    x, proj = randn(0, 3, 5, 4), torch.zeros(7, 4, requires_grad=True)
    noise, std = gate_noise(x, proj, randn(1, 3, 5, 7))
    torch.testing.assert_close(std, torch.full_like(std, math.log(2)))
    torch.testing.assert_close(noise, randn(1, 3, 5, 7) * math.log(2))
    assert torch.autograd.grad(noise.sum(), proj)[0].abs().max() > 0


def test_jitter_is_for_training_alone_and_stays_in_its_bounds():
    x, uniforms = randn(0, 11, 3), torch.rand(11, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(jitter(x, uniforms), x)
    ratio = jitter(x, uniforms, 0.05, training=True) / x
    assert 0.95 <= ratio.min() < 0.97 and 1.03 < ratio.max() <= 1.05
