"""The band in blocks is the mask on the whole square, in values, gradients, operations and memory."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import Largest
from sliding_window import banded_attention, banded_attention_fast
from torch.utils.flop_counter import FlopCounterMode


def qkv(seed, T, B=2, H=3, D=7):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(B, H, T, D, dtype=torch.float64, generator=g, requires_grad=True) for _ in range(3)]


def band(T, window):
    behind = torch.arange(T)[:, None] - torch.arange(T)
    return (behind >= 0) & (behind < window)


def compare(function, seed, T, window):
    inputs = qkv(seed, T)
    upstream = torch.randn(2, 3, T, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    got = function(*inputs, window)
    want = F.scaled_dot_product_attention(*inputs, attn_mask=band(T, window))
    torch.testing.assert_close(got, want, rtol=0, atol=1e-13)  # float64 has sixteen digits
    gradients = [torch.autograd.grad((out * upstream).sum(), inputs) for out in (got, want)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


@pytest.mark.task("banded_attention")
@pytest.mark.parametrize(("T", "window"), [(1, 3), (12, 4), (13, 4), (17, 1), (11, 2), (11, 11), (5, 40)])
def test_oracle_masked_sdpa_values_and_gradients(impl, seed, T, window):
    compare(impl.banded_attention, seed, T, window)


@pytest.mark.parametrize(("T", "window", "block"), [(1, 3, None), (13, 4, None), (13, 4, 3), (29, 7, 20), (8, 1, None)])
def test_oracle_the_fast_form_is_the_same(T, window, block):
    compare(lambda q, k, v, w: banded_attention_fast(q, k, v, w, block), 0, T, window)


@pytest.mark.task("banded_attention")
def test_property_any_length_and_window(impl):
    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 23), st.integers(1, 25))
    def holds(T, window):
        q, k, v = (x.detach() for x in qkv(T, T, B=1, H=1))
        want = F.scaled_dot_product_attention(q, k, v, attn_mask=band(T, window))
        torch.testing.assert_close(impl.banded_attention(q, k, v, window), want, rtol=0, atol=1e-13)

    holds()


@pytest.mark.task("banded_attention")
@pytest.mark.parametrize("factor", [1_000, 50_000])
def test_edge_large_scores_neither_overflow_nor_come_near_what_hides_a_key(impl, factor):
    q, k, v = (x.detach() for x in qkv(3, 12))
    want = F.scaled_dot_product_attention(factor * q, k, v, attn_mask=band(12, 2))
    torch.testing.assert_close(impl.banded_attention(factor * q, k, v, 2), want, rtol=0, atol=1e-8)


@pytest.mark.task("banded_attention")
def test_property_what_is_outside_of_the_window_has_no_gradient(impl, seed):
    q, k, v = qkv(seed, 19)
    impl.banded_attention(q, k, v, 5)[:, :, 12].sum().backward()
    assert v.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist() == [8, 9, 10, 11, 12]
    assert k.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist() == [8, 9, 10, 11, 12]


@pytest.mark.task("banded_attention")
def test_cost_operations_grow_with_the_text_and_not_with_its_square(impl):
    window, D = 6, 4
    for T in (60, 240):
        q, k, v = (torch.randn(1, 1, T, D) for _ in range(3))
        with FlopCounterMode(display=False) as counter:
            impl.banded_attention(q, k, v, window)
        assert counter.get_total_flops() <= 2 * 2 * T * (2 * window) * D


@pytest.mark.task("banded_attention")
def test_cost_memory_grows_with_the_text_and_not_with_its_square(impl):
    for T in (80, 320):
        q, k, v = (torch.randn(1, 1, T, 4) for _ in range(3))
        with Largest() as largest:
            impl.banded_attention(q, k, v, 5)
        assert largest.numel <= 4 * T * 5


@pytest.mark.task("banded_attention")
def test_cost_no_window_has_a_copy_of_its_keys(impl):
    q, k, v = (torch.randn(1, 1, 60, 8) for _ in range(3))
    with Largest() as largest:
        impl.banded_attention(q, k, v, 20)
    assert largest.numel <= 4 * 60 * 20


def test_cost_both_forms_counted():
    """The plain form: W·(2W - 1) scores a block. The fast form with blocks of W/2: W/2·(3W/2 - 1)."""
    T, W, D = 4096, 256, 8
    q, k, v = (torch.randn(1, 1, T, D) for _ in range(3))
    counts = []
    for function in (banded_attention, banded_attention_fast):
        with FlopCounterMode(display=False) as counter:
            function(q, k, v, W)
        counts.append(counter.get_total_flops() / (4 * D))
    assert counts[0] == W * W + (T // W - 1) * W * (2 * W - 1)
    assert counts[1] <= T / (W / 2) * (W / 2) * (3 * W / 2)  # 0 where a fused kernel is not counted
