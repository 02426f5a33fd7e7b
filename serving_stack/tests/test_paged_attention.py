"""Paged attention: the oracle is PyTorch's attention over contiguous keys, in values and gradients."""

import math

import pytest
import torch
import torch.nn.functional as F

from serving_stack.memory import AttentionPlan, paged_attention


def case(seed, lengths, queries, H=6, G=2, S=4, D=8, dtype=torch.float64, spare=3):
    """Random pools in which everything is set, stale slots too; tables in random order."""
    g = torch.Generator().manual_seed(seed)
    counts = [-(-n // S) for n in lengths]
    order = torch.randperm(sum(counts) + spare, generator=g).tolist()
    tables, at = [], 0
    for count in counts:
        tables.append(order[at : at + count])
        at += count
    shape = (sum(counts) + spare, G, S, D)
    k, v = (torch.randn(shape, generator=g, dtype=torch.float64).to(dtype) for _ in range(2))
    q = torch.randn(sum(queries), H, D, generator=g, dtype=torch.float64).to(dtype)
    return q, k, v, tables, queries, lengths


def contiguous(q, k, v, tables, queries, lengths):
    """One request after the other, keys copied together, PyTorch's attention."""
    out = []
    for rows, table, length in zip(q.split(queries), tables, lengths, strict=True):
        keys, values = (torch.cat([pool[b] for b in table], 1)[None, :, :length] for pool in (k, v))
        n = len(rows)
        mask = torch.arange(length)[None] <= torch.arange(length - n, length)[:, None]
        y = F.scaled_dot_product_attention(rows.transpose(0, 1)[None], keys, values, mask, enable_gqa=True)
        out.append(y[0].transpose(0, 1))
    return torch.cat(out)


CASES = [([7, 4, 9], [1, 4, 2]), ([1], [1]), ([8, 8, 16], [1, 1, 1]), ([13], [13]), ([5, 11], [5, 3])]


@pytest.mark.task("paged_attention")
@pytest.mark.parametrize("lengths, queries", CASES)
def test_oracle_values(impl, seed, lengths, queries):
    """float64 has sixteen digits; a sum of some hundred products keeps thirteen."""
    arguments = case(seed, lengths, queries)
    torch.testing.assert_close(impl.paged_attention(*arguments), contiguous(*arguments), rtol=0, atol=1e-12)


@pytest.mark.task("paged_attention")
def test_oracle_gradients(impl, seed):
    q, k, v, *rest = case(seed, [7, 5], [3, 1], D=5)
    inputs = [x.requires_grad_() for x in (q, k, v)]
    upstream = torch.randn(q.shape, dtype=q.dtype, generator=torch.Generator().manual_seed(seed))
    ours, theirs = (
        torch.autograd.grad((f(q, k, v, *rest) * upstream).sum(), inputs) for f in (impl.paged_attention, contiguous)
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.task("paged_attention")
def test_property_large_scores_choose_one_token(impl):
    """Scores of 20,000 and 40,000: exp of either is infinite in float32, and the second token has all the weight."""
    keys, values = torch.tensor([[[[2e4], [4e4]]]]), torch.tensor([[[[3.0], [5.0]]]])
    out = impl.paged_attention(torch.ones(2, 1, 1), keys, values, [[0]], [2], [2])
    assert out.flatten().tolist() == [3.0, 5.0]


@pytest.mark.task("paged_attention")
def test_property_stale_slots_do_not_matter(impl, seed):
    q, k, v, tables, queries, lengths = case(seed, [6, 9], [2, 1])
    before = impl.paged_attention(q, k, v, tables, queries, lengths)
    for table, length in zip(tables, lengths, strict=True):
        k[table[-1], :, length % 4 :] = 1e6
        v[table[-1], :, length % 4 :] = -1e6
    torch.testing.assert_close(impl.paged_attention(q, k, v, tables, queries, lengths), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("lengths, queries", CASES)
@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("spare", [0, 40])
def test_the_fast_form_is_the_plain_form(seed, lengths, queries, one_by_one, spare):
    """float32, another order of additions: 1e-6 of values of about one. With `spare` blocks the pool is sparse."""
    q, k, v, tables, *_ = case(seed, lengths, queries, dtype=torch.float32, spare=spare)
    plan = AttentionPlan(tables, queries, lengths, 4, one_by_one)
    torch.testing.assert_close(plan.attend(q, k, v), paged_attention(q, k, v, tables, queries, lengths), rtol=1e-5,
                               atol=2e-6)  # fmt: skip


def test_the_fast_form_with_a_shared_block(seed):
    q, k, v, tables, queries, lengths = case(seed, [8, 8], [1, 1], dtype=torch.float32, spare=0)
    tables[1] = [tables[0][0], tables[1][1]]
    plan = AttentionPlan(tables, queries, lengths, 4)
    assert plan.dense == 0, "a shared block has two owners, so blocks are gathered"
    torch.testing.assert_close(plan.attend(q, k, v), paged_attention(q, k, v, tables, queries, lengths), rtol=1e-5,
                               atol=2e-6)  # fmt: skip


def test_cost_the_dense_form_copies_no_keys(seed):
    """Nothing that is as large as the pool's keys is written."""
    q, k, v, tables, queries, lengths = case(seed, [256] * 4, [1] * 4, H=4, G=4, S=16, D=64, dtype=torch.float32,
                                             spare=0)  # fmt: skip
    plan = AttentionPlan(tables, queries, lengths, 16)
    assert plan.dense
    largest = 0

    class Count(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if (
                isinstance(out, torch.Tensor)
                and out._base is None
                and out.data_ptr() not in (k.data_ptr(), v.data_ptr())
            ):
                largest = max(largest, out.numel())
            return out

    with Count():
        plan.attend(q, k, v)
    assert largest < k.numel() / 2


def test_effect_a_softmax_a_block_is_another_function(seed):
    """Weights of one query sum to one over all of its blocks together."""
    q, k, v, tables, queries, lengths = case(seed, [16], [1])
    ones = torch.ones_like(v)
    out = paged_attention(q, k, ones, tables, queries, lengths)
    assert out.max() == pytest.approx(1.0, abs=1e-12) and out.min() == pytest.approx(1.0, abs=1e-12)
    assert math.isfinite(float(out.sum()))
