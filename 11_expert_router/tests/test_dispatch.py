"""Dispatch. The oracle is every expert on every token, in float64; transformers' Mixtral block with copied weights."""

import math

import pytest
import torch
from expert_router import (
    Experts,
    FeedForward,
    all_experts,
    combine_weights,
    drop_overflow,
    grouped_dispatch,
    grouped_mm_dispatch,
    loop_over_experts,
    top_k_gate,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import Recorded, always_on, choices, generator, randn, uneven


def experts_of(seed, experts, width, ffn, dtype=torch.float64):
    made = Experts(experts, width, ffn)
    for i, weight in enumerate(made.parameters()):
        weight.data = randn(seed + i, *weight.shape, dtype=dtype) * weight.shape[-1] ** -0.5
    return made


def case(seed, N, K, E, D=5, dtype=torch.float64):
    x, weights = randn(seed, N, D, dtype=dtype), randn(seed + 1, N, K, dtype=dtype).abs()
    kept = torch.rand((N, K), generator=generator(seed)) < 0.7
    return x, choices(seed, N, K, experts=E), weights, kept


# ---------------------------------------------------------------- drop_overflow


@pytest.mark.task("drop_overflow")
@pytest.mark.parametrize(("G", "N", "K", "E", "factor"), [(2, 13, 2, 5, 1.25), (3, 7, 1, 3, 1.0), (1, 11, 3, 4, 0.5)])
def test_first_choices_come_first_in_the_order_of_the_tokens(impl, seed, G, N, K, E, factor):
    indices = uneven(seed, G, N, K, experts=E)
    kept, capacity = impl.drop_overflow(indices, E, factor), math.ceil(factor * N * K / E)
    assert kept.shape == indices.shape and kept.dtype == torch.bool
    for g in range(G):
        for e in range(E):
            line = [bool(kept[g, n, j]) for j in range(K) for n in range(N) if indices[g, n, j] == e]
            assert line == [i < capacity for i in range(len(line))]


@pytest.mark.task("drop_overflow")
def test_a_long_queue_is_counted_exactly(impl):
    kept = impl.drop_overflow(torch.zeros(1, 5000, 1, dtype=torch.long), 2, 1.0)
    torch.testing.assert_close(kept[0, :, 0], torch.arange(5000) < 2500)


@pytest.mark.task("drop_overflow")
def test_experts_that_nobody_wants_count_in_the_capacity(impl):
    kept = impl.drop_overflow(torch.tensor([[[0, 1], [0, 1], [1, 0]]]), 5, 1.0)  # six assignments, five experts: 2
    torch.testing.assert_close(kept[0], torch.tensor([[True, True], [True, False], [True, False]]))


@pytest.mark.task("drop_overflow")
@pytest.mark.parametrize("factor", [0.0, -0.5])
def test_bad_input_no_capacity(impl, factor):
    with pytest.raises(ValueError):
        impl.drop_overflow(torch.zeros(1, 2, 1, dtype=torch.long), 3, factor)


def test_property_nobody_has_more_than_its_capacity_and_nobody_waits_beside_a_free_place():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 9), st.integers(1, 3), st.integers(3, 6), st.floats(0.25, 2), st.integers(0, 99))
    def holds(N, K, E, factor, seed):
        indices = choices(seed, 2, N, K, experts=E)
        kept, capacity = drop_overflow(indices, E, factor), math.ceil(factor * N * K / E)
        for g in range(2):
            wanted = torch.bincount(indices[g].flatten(), minlength=E)
            got = torch.bincount(indices[g][kept[g]], minlength=E)
            assert torch.equal(got, wanted.clamp(max=capacity))

    holds()


# ---------------------------------------------------------------- grouped_dispatch


@pytest.mark.task("grouped_dispatch")
@pytest.mark.parametrize(("N", "K", "E"), [(11, 2, 5), (7, 1, 3), (13, 3, 4)])
def test_oracle_every_expert_on_every_token_values_and_gradients(impl, seed, N, K, E):
    x, indices, weights, kept = case(seed, N, K, E)
    experts, residual = experts_of(seed, E, 5, 3), randn(seed + 9, N, 5, dtype=torch.float64)
    leaves = [x.requires_grad_(), weights.requires_grad_(), residual.requires_grad_(), *experts.parameters()]
    upstream = randn(seed + 8, N, 5, dtype=torch.float64)
    got = impl.grouped_dispatch(residual, x, indices, weights, kept, experts)
    want = residual + all_experts(x, indices, weights, experts, kept)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)  # float64: sums of a few products
    for mine, theirs in zip(*(torch.autograd.grad((o * upstream).sum(), leaves) for o in (got, want)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.task("grouped_dispatch")
def test_cost_each_expert_computes_its_kept_rows_once(impl, seed):
    x, indices, weights, kept = case(seed, 11, 2, 5)
    experts = Recorded(seed, 5, 5, torch.float64)
    impl.grouped_dispatch(torch.zeros_like(x), x, indices, weights, kept, experts)
    counts = torch.bincount(indices[kept], minlength=5).tolist()
    assert sorted(experts.calls) == [(e, n) for e, n in enumerate(counts) if n]


@pytest.mark.task("grouped_dispatch")
def test_dropped_tokens_keep_their_residual_and_the_shared_expert_sees_all(impl, seed):
    x, indices, weights, _ = case(seed, 5, 2, 4)
    residual, kept = randn(seed + 7, 5, 5, dtype=torch.float64), torch.zeros(5, 2, dtype=torch.bool)
    before = residual.clone()
    experts = Recorded(seed, 4, 5, torch.float64)
    torch.testing.assert_close(impl.grouped_dispatch(residual, x, indices, weights, kept, experts), residual)
    got = impl.grouped_dispatch(residual, x, indices, weights, kept, experts, always_on)
    torch.testing.assert_close(got, residual + always_on(x))
    assert experts.calls == []
    kept[:] = True
    with_, without = (
        impl.grouped_dispatch(residual, x, indices, weights, kept, experts, shared) for shared in (always_on, None)
    )
    torch.testing.assert_close(with_ - without, always_on(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(residual, before, rtol=0, atol=0)


@pytest.mark.task("grouped_dispatch")
def test_a_gradient_gets_back_to_x_through_the_shared_expert(impl, seed):
    x, indices, weights, _ = case(seed, 5, 2, 4)
    kept = torch.zeros(5, 2, dtype=torch.bool)
    out = impl.grouped_dispatch(
        torch.zeros_like(x), x.requires_grad_(), indices, weights, kept, Recorded(seed, 4, 5), always_on
    )
    torch.testing.assert_close(torch.autograd.grad(out.sum(), x)[0], -x.detach().sin())


@pytest.mark.task("grouped_dispatch")
def test_a_weight_of_zero_or_below_is_a_weight(impl, seed):
    x, indices, weights, kept = case(seed, 7, 2, 4)
    weights = (weights - weights.mean()).index_fill(0, torch.tensor(3), 0).requires_grad_()
    experts, residual = experts_of(seed, 4, 5, 3), torch.zeros_like(x)
    got = impl.grouped_dispatch(residual, x, indices, weights, kept, experts)
    want = all_experts(x, indices, weights, experts, kept)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    mine, theirs = (torch.autograd.grad(o.square().sum() + o.sum(), weights)[0] for o in (got, want))
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11)


@pytest.mark.task("grouped_dispatch")
def test_idle_experts_are_passed_over(impl, seed):
    x, _, weights, _ = case(seed, 7, 2, 7)
    indices = torch.tensor([1, 4, 6])[choices(seed, 7, 2, experts=3)]
    experts, kept = experts_of(seed, 7, 5, 3), torch.ones(7, 2, dtype=torch.bool)
    got = impl.grouped_dispatch(torch.zeros_like(x), x, indices, weights, kept, experts)
    torch.testing.assert_close(got, all_experts(x, indices, weights, experts), rtol=0, atol=1e-12)


def test_the_loop_is_the_definition():
    x, indices, weights, kept = case(0, 13, 2, 5)
    experts = experts_of(1, 5, 5, 3)
    for k in (None, kept):
        got, want = (form(x, indices, weights, experts, k) for form in (loop_over_experts, all_experts))
        torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


def test_grouped_products_in_bfloat16_are_the_definition_up_to_its_eight_bits():
    experts = experts_of(1, 5, 16, 8, torch.float32).to(torch.bfloat16)
    x, weights = randn(0, 13, 16).bfloat16(), randn(1, 13, 2).abs()
    indices = torch.tensor([0, 1, 3])[choices(0, 13, 2, experts=3)]  # experts 2 and 4 are idle
    exact = Experts(5, 16, 8)
    exact.load_state_dict({name: w.float() for name, w in experts.state_dict().items()})
    with torch.no_grad():
        got = grouped_mm_dispatch(x, indices, weights, experts)
        want = all_experts(x.float(), indices, weights, exact)
    assert (got - want).abs().max() < 0.02 * want.abs().max()


def test_oracle_the_block_of_mixtral_values_and_gradients():
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    config = MixtralConfig(hidden_size=13, intermediate_size=11, num_local_experts=7, num_experts_per_tok=3)
    config._experts_implementation = "eager"
    theirs = MixtralSparseMoeBlock(config).double()
    ours = experts_of(0, 7, 13, 11)
    theirs.experts.load_state_dict(ours.state_dict())
    theirs.gate.weight.data = randn(5, 7, 13, dtype=torch.float64)
    x, upstream = randn(6, 2, 17, 13, dtype=torch.float64), randn(7, 2, 17, 13, dtype=torch.float64)

    def block(x):
        rows = x.flatten(0, 1)
        scores, indices = top_k_gate(torch.nn.functional.linear(rows, theirs.gate.weight).float(), 3)
        weights = combine_weights(scores, indices, normalize=True).double()
        kept = torch.ones_like(indices, dtype=torch.bool)
        return grouped_dispatch(torch.zeros_like(rows), rows, indices, weights, kept, ours).view_as(x)

    torch.testing.assert_close(block(x), theirs(x), rtol=0, atol=1e-6)  # theirs routes in float32
    (block(x) * upstream).sum().backward()
    (theirs(x) * upstream).sum().backward()
    for mine, other in zip(ours.parameters(), theirs.experts.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-5)


def test_property_a_permutation_of_the_tokens_permutes_the_output():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 9), st.integers(1, 3), st.integers(3, 6), st.integers(0, 99))
    def holds(N, K, E, seed):
        x, indices, weights, kept = case(seed, N, K, E)
        experts = experts_of(seed, E, 5, 3)
        order = torch.randperm(N, generator=generator(seed))
        out = grouped_dispatch(x, x, indices, weights, kept, experts)
        moved = grouped_dispatch(x[order], x[order], indices[order], weights[order], kept[order], experts)
        assert (moved - out[order]).abs().max() < 1e-12

    holds()


def test_one_expert_is_a_dense_layer():
    dense = FeedForward(5, 3)
    dense.gate_up_proj.data, dense.down_proj.data = randn(0, 6, 5), randn(1, 5, 3)
    experts = Experts(1, 5, 3)
    experts.gate_up_proj.data, experts.down_proj.data = dense.gate_up_proj.data[None], dense.down_proj.data[None]
    x = randn(2, 7, 5)
    got = all_experts(x, torch.zeros(7, 1, dtype=torch.long), torch.ones(7, 1), experts)
    torch.testing.assert_close(got, dense(x), rtol=1e-5, atol=1e-6)  # float32, another order of additions
