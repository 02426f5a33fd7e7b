"""Masks: who may see whom."""

import pytest
import torch
from attention_lab import causal_mask, combine_masks, padding_mask, scaled_dot_product_attention
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.task("causal_mask")
def test_property_new_queries_see_what_they_saw_without_a_cache(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 9), st.integers(0, 9))
    def holds(queries, cached):
        whole = impl.causal_mask(queries + cached)
        assert torch.equal(impl.causal_mask(queries, queries + cached), whole[cached:])
        assert torch.equal(whole, impl.causal_mask(queries + cached, queries + cached))
        assert torch.equal(whole.sum(-1), torch.arange(1, queries + cached + 1))

    holds()


@pytest.mark.task("causal_mask")
def test_no_keys_are_not_left_out_keys(impl):
    assert impl.causal_mask(3, 0).shape == (3, 0)


@pytest.mark.task("causal_mask")
def test_effect_a_later_token_changes_no_earlier_output(impl, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(7, 4, generator=generator)
    other = x.clone()
    other[5] += 3
    mask = impl.causal_mask(7)
    before, after = (scaled_dot_product_attention(y, y, y, mask)[0] for y in (x, other))
    moved = (before - after).abs().amax(-1) > 1e-6
    assert moved.tolist() == [False] * 5 + [True] * 2


@pytest.mark.task("padding_mask")
def test_effect_what_stands_at_padding_is_nowhere_seen(impl, seed):
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 2, 3, 5, 4, generator=generator)
    mask = impl.padding_mask(torch.tensor([2, 5]), 5)
    loud = v.clone()
    loud[0, :, 2:] = 100
    outputs = [scaled_dot_product_attention(q, k, x, mask)[0] for x in (v, loud)]
    assert torch.equal(*outputs)
    short = scaled_dot_product_attention(q[:1], k[:1, :, :2], v[:1, :, :2])[0]
    torch.testing.assert_close(outputs[0][:1], short)


@pytest.mark.task("padding_mask")
def test_an_empty_sequence_is_all_padding(impl):
    assert impl.padding_mask(torch.tensor([0, 2]), 3).tolist() == [[[[False] * 3]], [[[True, True, False]]]]


@pytest.mark.task("padding_mask")
def test_bad_input_lengths_that_do_not_fit(impl):
    for lengths in ([6, 1], [1, 6], [1, -1], [-1, 1]):
        with pytest.raises(ValueError):
            impl.padding_mask(torch.tensor(lengths), 5)


def test_masks_combine():
    both = combine_masks(causal_mask(4), None, padding_mask(torch.tensor([2, 4]), 4))
    assert both.shape == (2, 1, 4, 4)
    assert both[0, 0].sum() == 1 + 2 + 2 + 2 and torch.equal(both[1, 0], causal_mask(4))
    assert combine_masks(None, None) is None and torch.equal(combine_masks(causal_mask(3)), causal_mask(3))
