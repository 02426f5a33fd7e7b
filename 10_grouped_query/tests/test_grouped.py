"""Groups of heads and their attention. The oracles are PyTorch's own attention and transformers' repeat_kv."""

import pytest
import torch
import torch.nn.functional as F
from counting import largest_new
from grouped_query import decode_attention, grouped_attention, mask_future, merge_groups, split_groups
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import qkv, randn


def in_order(q, k, v):
    """PyTorch's attention with one key head for each query head, repeated by hand, mask at the bottom right."""
    (Tq, Tk), R = (q.shape[3], k.shape[2]), q.shape[2]
    mask = torch.ones(Tq, Tk, dtype=torch.bool).tril(Tk - Tq)
    k, v = (torch.stack([x] * R, dim=2).flatten(1, 2) for x in (k, v))
    return F.scaled_dot_product_attention(q.flatten(1, 2), k, v, mask).unflatten(1, q.shape[1:3])


# ---------------------------------------------------------------- split_groups


@pytest.mark.task("split_groups")
@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 2), (6, 6), (6, 1), (4, 2)])
def test_each_head_is_where_it_belongs(impl, seed, heads, kv_heads):
    x = randn(seed, 2, 3, heads * 5)
    got = impl.split_groups(x, heads, kv_heads)
    R = heads // kv_heads
    assert got.shape == (2, kv_heads, R, 3, 5)
    for h in range(heads):
        torch.testing.assert_close(got[:, h // R, h % R], x[:, :, 5 * h : 5 * h + 5], rtol=0, atol=0)


@pytest.mark.task("split_groups")
def test_a_part_of_a_wider_projection_is_split(impl, seed):
    x = randn(seed, 2, 3, 40)[..., 4:16]
    torch.testing.assert_close(impl.split_groups(x, 4, 2)[:, 1, 0], x[..., 6:9], rtol=0, atol=0)


@pytest.mark.task("split_groups")
def test_gradients_get_back_to_the_projection(impl, seed):
    x = randn(seed, 2, 3, 12).requires_grad_()
    impl.split_groups(x, 4, 2).square().sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


@pytest.mark.task("split_groups")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_heads_keep_their_dtype(impl, dtype):
    got = impl.split_groups(torch.arange(4, dtype=dtype).view(1, 1, 4), 4, 2)
    want = torch.tensor([[[[0.0]], [[1.0]]], [[[2.0]], [[3.0]]]], dtype=dtype)[None]
    torch.testing.assert_close(got, want, rtol=0, atol=0)


@pytest.mark.task("split_groups")
@pytest.mark.parametrize(("heads", "kv_heads", "width"), [(5, 2, 30), (4, 2, 30), (2, 4, 32)])
def test_bad_input_heads_that_cannot_be_shared_out(impl, heads, kv_heads, width):
    with pytest.raises(ValueError):
        impl.split_groups(torch.zeros(1, 2, width), heads, kv_heads)


def test_property_merging_undoes_splitting():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
    def holds(G, R, D, T):
        x = torch.randn(2, T, G * R * D)
        assert torch.equal(merge_groups(split_groups(x, G * R, G)), x)

    holds()


# ---------------------------------------------------------------- grouped_attention


@pytest.mark.task("grouped_attention")
@pytest.mark.parametrize(("G", "R", "Tq", "Tk"), [(2, 3, 5, 5), (2, 2, 3, 7), (3, 2, 1, 5)])
def test_oracle_repeated_keys_values_and_gradients(impl, seed, G, R, Tq, Tk):
    leaves = [x.requires_grad_() for x in qkv(seed, 3, G, R, Tq, Tk, 7, dtype=torch.float64)]
    upstream = randn(seed + 5, 3, G, R, Tq, 7, dtype=torch.float64)
    got, want = impl.grouped_attention(*leaves), in_order(*leaves)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)  # float64 has sixteen digits
    grads = [torch.autograd.grad((out * upstream).sum(), leaves) for out in (got, want)]
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.task("grouped_attention")
def test_oracle_pytorch_with_enable_gqa(impl, seed):
    q, k, v = qkv(seed, 2, 3, 4, 11, 11, 8)
    want = F.scaled_dot_product_attention(q.flatten(1, 2), k, v, is_causal=True, enable_gqa=True)
    got = impl.grouped_attention(q, k, v).flatten(1, 2)
    torch.testing.assert_close(got, want, rtol=0, atol=2e-6)  # float32 rounds sums of eleven products


@pytest.mark.task("grouped_attention")
def test_large_scores_do_not_overflow(impl, seed):
    q, k, v = qkv(seed, 1, 2, 2, 3, 4, 5, dtype=torch.float64)
    got = impl.grouped_attention(3_000 * q, k, v)
    torch.testing.assert_close(got, in_order(3_000 * q, k, v), rtol=0, atol=1e-8)


@pytest.mark.task("grouped_attention")
def test_bfloat16_in_is_bfloat16_out(impl):
    v = torch.tensor([1.0, 2.0, 3.0, 10.0, 20.0, 30.0], dtype=torch.bfloat16).view(1, 2, 3, 1)
    got = impl.grouped_attention(v.new_zeros(1, 2, 2, 3, 1), v.new_zeros(1, 2, 3, 1), v)
    want = torch.tensor([[1.0, 1.5, 2.0], [10.0, 15.0, 20.0]]).bfloat16()[None, :, None, :, None].expand(1, 2, 2, 3, 1)
    torch.testing.assert_close(got, want, rtol=2e-2, atol=0)  # bfloat16 has three digits


@pytest.mark.task("grouped_attention")
def test_one_key_head_for_all_is_multi_query_attention(impl, seed):
    q, k, v = qkv(seed, 2, 1, 5, 4, 6, 3)
    got = impl.grouped_attention(q, k, v)
    for r in range(5):
        torch.testing.assert_close(got[:, :, r], in_order(q[:, :, r, None], k, v)[:, :, 0])


@pytest.mark.task("grouped_attention")
def test_effect_only_its_own_group_reads_a_key(impl, seed):
    q, k, v = qkv(seed, 2, 3, 2, 4, 4, 5)
    before, k2 = impl.grouped_attention(q, k, v), k.clone()
    k2[0, 1, 2] += 1.0
    moved = (impl.grouped_attention(q, k2, v) - before).abs().amax(-1) > 1e-6
    assert moved[0, 1, :, 2:].all() and not moved[0, 1, :, :2].any()
    assert not moved[1].any() and not moved[0, 0].any() and not moved[0, 2].any()


@pytest.mark.task("grouped_attention")
def test_cost_nothing_larger_than_the_keys_is_written(impl, seed):
    q, k, v = qkv(seed, 2, 2, 3, 1, 64, 16)
    assert largest_new(impl.grouped_attention, q, k, v) <= k.numel()


@pytest.mark.task("grouped_attention")
def test_bad_input_more_queries_than_keys(impl, seed):
    with pytest.raises(ValueError):
        impl.grouped_attention(*qkv(seed, 1, 2, 2, 3, 2, 5))


def test_as_many_groups_as_heads_is_multi_head_attention_bit_for_bit():
    q, k, v = qkv(0, 3, 5, 1, 7, 7, 11)
    scores = mask_future(q[:, :, 0] @ k.mT / 11**0.5)
    assert torch.equal(grouped_attention(q, k, v)[:, :, 0], scores.softmax(-1) @ v)


def test_oracle_repeat_kv():
    from transformers.models.llama.modeling_llama import repeat_kv

    q, k, v = qkv(3, 2, 3, 4, 5, 5, 7, dtype=torch.float64)
    want = F.scaled_dot_product_attention(q.flatten(1, 2), repeat_kv(k, 4), repeat_kv(v, 4), is_causal=True)
    torch.testing.assert_close(grouped_attention(q, k, v).flatten(1, 2), want, rtol=0, atol=1e-12)


def test_cost_repeating_the_keys_writes_the_groups_size_times_the_bytes():
    q, k, v = qkv(0, 1, 4, 8, 1, 128, 16)
    repeated = largest_new(lambda q, k: q.flatten(1, 2) @ k.repeat_interleave(8, 1).mT, q, k)
    assert repeated == 8 * k.numel()
    assert largest_new(grouped_attention, q, k, v) == 32 * 128  # the scores


# ---------------------------------------------------------------- the decode form


@pytest.mark.parametrize(("G", "R"), [(1, 6), (3, 2), (5, 1)])
def test_the_fast_form_is_the_plain_one(G, R):
    q, k, v = qkv(1, 2, G, R, 1, 37, 8, dtype=torch.float64)
    longer = torch.zeros(2, G, 50, 8, dtype=torch.float64)  # a cache with room for more
    longer[:, :, :37] = k
    got = decode_attention(q[:, :, :, 0], longer[:, :, :37], v)
    torch.testing.assert_close(got, grouped_attention(q, k, v)[:, :, :, 0], rtol=0, atol=1e-12)


def test_cost_the_fast_form_copies_nothing_of_the_cache():
    q, k, v = qkv(1, 2, 4, 2, 1, 64, 16)
    output = 2 * 4 * 2 * 16  # twice as many as a group's scores
    assert largest_new(decode_attention, q[:, :, :, 0], k, v) == output
