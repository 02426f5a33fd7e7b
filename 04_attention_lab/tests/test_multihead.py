"""Multi-head attention: `nn.MultiheadAttention` is the oracle. Its mask means the opposite of ours."""

import pytest
import torch
from attention_lab import MultiHeadAttention, causal_mask, combine_masks, merge_heads, padding_mask, split_heads
from torch import nn


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(seed, bias=True, heads=3):
    torch.manual_seed(seed)
    theirs = nn.MultiheadAttention(12, heads, bias=bias, batch_first=True, dtype=torch.float64)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    return theirs, MultiHeadAttention.from_torch(theirs)


@pytest.mark.task("multi_head_attention")
def test_oracle_multiheadattention_values_weights_and_gradients(impl, seed):
    theirs, ours = pair(seed)
    x, context = normal(seed, 2, 5, 12).requires_grad_(), normal(seed + 1, 2, 7, 12).requires_grad_()
    mask = combine_masks(causal_mask(5, 7), padding_mask(torch.tensor([6, 7]), 7))
    opposite = (~mask).expand(2, 3, 5, 7).reshape(6, 5, 7)  # True hides, and heads are in the batch
    want, weights = theirs(x, context, context, attn_mask=opposite, average_attn_weights=False)
    got, ours_weights = impl.multi_head_attention(ours, x, context, 3, mask)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours_weights, weights, rtol=0, atol=1e-12)
    upstream = normal(seed + 2, 2, 5, 12)
    grads = [torch.autograd.grad((y * upstream).sum(), (x, context), retain_graph=True) for y in (got, want)]
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


@pytest.mark.task("multi_head_attention")
def test_oracle_without_a_mask_every_key_is_seen(impl, seed):
    theirs, ours = pair(seed)
    x = normal(seed, 2, 5, 12)
    want, weights = theirs(x, x, x, average_attn_weights=False)
    got, ours_weights = impl.multi_head_attention(ours, x, x, 3)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours_weights, weights, rtol=0, atol=1e-12)


@pytest.mark.task("split_heads")
def test_a_gradient_of_ones_passes_the_split(impl, seed):
    x = normal(seed, 2, 5, 12).requires_grad_()
    heads = impl.split_heads(x, 3)
    assert heads.requires_grad, "no gradient passes"
    assert torch.autograd.grad(heads.sum(), x)[0].eq(1).all()


@pytest.mark.task("merge_heads")
def test_a_gradient_of_ones_passes_the_merge(impl, seed):
    x = normal(seed, 2, 3, 5, 4).requires_grad_()
    merged = impl.merge_heads(x)
    assert merged.requires_grad, "no gradient passes"
    assert torch.autograd.grad(merged.sum(), x)[0].eq(1).all()


@pytest.mark.task("multi_head_attention")
def test_a_mask_of_its_own_for_each_head(impl):
    """Head 0 sees the first key alone, heads 1 and 2 the second one alone: their weights are 1 there."""
    _, ours = pair(0)
    x, mask = normal(0, 1, 2, 12), torch.tensor([[True, False], [False, True], [False, True]])
    weights = impl.multi_head_attention(ours, x, x, 3, mask[None, :, None])[1]
    torch.testing.assert_close(weights, mask[None, :, None].expand(1, 3, 2, 2).double())


@pytest.mark.task("split_heads")
def test_one_sequence_is_a_batch_to_split(impl):
    assert impl.split_heads(torch.arange(4.0).view(1, 1, 4), 2).tolist() == [[[[0, 1]], [[2, 3]]]]


@pytest.mark.task("merge_heads")
def test_one_sequence_is_a_batch_to_merge(impl):
    assert impl.merge_heads(torch.arange(4.0).view(1, 2, 1, 2)).tolist() == [[[0, 1, 2, 3]]]


@pytest.mark.task("multi_head_attention")
def test_a_query_that_may_see_nothing_gets_the_bias_alone(impl, seed):
    _, ours = pair(seed)
    x, mask = normal(seed, 2, 5, 12), padding_mask(torch.tensor([0, 5]), 5)
    output, weights = impl.multi_head_attention(ours, x, x, 3, mask)
    assert weights[0].eq(0).all()
    torch.testing.assert_close(output[0], ours.o_proj.bias.expand(5, 12), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_oracle_the_layer_and_the_gradients_of_its_weights(bias):
    theirs, ours = pair(1, bias)
    x = normal(3, 2, 5, 12)
    want, got = theirs(x, x, x, need_weights=False)[0], ours(x)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    want.square().sum().backward()
    got.square().sum().backward()
    stacked = torch.cat([p.weight.grad for p in (ours.q_proj, ours.k_proj, ours.v_proj)])
    torch.testing.assert_close(stacked, theirs.in_proj_weight.grad, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.o_proj.weight.grad, theirs.out_proj.weight.grad, rtol=1e-10, atol=1e-10)
    assert len(list(ours.parameters())) == (8 if bias else 4)


def test_its_mask_is_the_opposite_of_ours():
    theirs, ours = pair(2)
    x, mask = normal(4, 1, 5, 12), causal_mask(5)
    same = theirs(x, x, x, attn_mask=~mask, need_weights=False)[0]
    torch.testing.assert_close(ours(x, attention_mask=mask), same, rtol=0, atol=1e-12)
    inverted = theirs(x, x, x, attn_mask=mask.tril(-1), need_weights=False)[0]
    assert (inverted - same).abs().max() > 0.1


@pytest.mark.task("split_heads")
def test_split_is_undone_by_merge(impl, seed):
    x = normal(seed, 2, 5, 12)
    assert torch.equal(merge_heads(impl.split_heads(x, 4)), x)


@pytest.mark.task("split_heads")
def test_a_position_stays_a_position(impl, seed):
    x = normal(seed, 1, 6, 8)
    other = x.clone()
    other[0, 2] += 1
    moved = (impl.split_heads(x, 2) != impl.split_heads(other, 2)).any(-1)  # 1 H T
    assert moved[0].nonzero().tolist() == [[0, 2], [1, 2]]


@pytest.mark.task("split_heads")
def test_bad_input_heads_that_do_not_divide(impl):
    with pytest.raises(ValueError):
        impl.split_heads(torch.zeros(1, 2, 12), 5)


@pytest.mark.task("merge_heads")
def test_merge_undoes_split(impl, seed):
    x = normal(seed, 2, 5, 12)
    assert torch.equal(impl.merge_heads(split_heads(x, 4)), x)


def test_bad_input_of_the_layer():
    with pytest.raises(ValueError, match="heads=5: must divide d_model=12"):
        MultiHeadAttention(12, 5)
    with pytest.raises(ValueError, match="kdim=6"):
        MultiHeadAttention.from_torch(nn.MultiheadAttention(12, 3, kdim=6, vdim=6))


def test_cost_heads_add_no_parameters_and_no_multiplications():
    from torch.utils.flop_counter import FlopCounterMode

    counts = []
    for heads in (1, 3, 12):
        layer = MultiHeadAttention(12, heads).double()
        with FlopCounterMode(display=False) as counter:
            layer(normal(0, 2, 5, 12))
        counts.append((counter.get_total_flops(), sum(p.numel() for p in layer.parameters())))
    assert set(counts) == {(2 * 2 * (4 * 5 * 12 * 12 + 2 * 5 * 5 * 12), 4 * (12 * 12 + 12))}
