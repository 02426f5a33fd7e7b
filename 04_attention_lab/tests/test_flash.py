"""Tiled attention: equal to the plain form, with memory that grows with T."""

import pytest
import torch
import torch.nn.functional as F
from attention_lab import blocked_attention, causal_mask, flash_attention, scaled_dot_product_attention
from attention_lab.lab.bench import plain
from attention_lab.lab.memory import forward_and_backward, peak_memory
from hypothesis import given, settings
from hypothesis import strategies as st


def qkv(seed, *batch, Tq, Tk, D=5):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((*batch, Tq, D), (*batch, Tk, D), (*batch, Tk, D))
    return [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]


def compare(got, want, inputs):
    """float64: sums of at most 40 terms in another order."""
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    upstream = torch.sin(torch.arange(want.numel(), dtype=torch.float64)).view_as(want)
    pairs = zip(*(torch.autograd.grad((x * upstream).sum(), inputs) for x in (got, want)), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 23), st.integers(1, 29), st.integers(1, 31), st.booleans(), st.integers(0, 2**20))
def test_property_any_tile_sizes_and_shapes_equal_the_plain_form(Tq, Tk, tile, causal, seed):
    q, k, v = qkv(seed, 2, Tq=Tq, Tk=Tk)
    want = scaled_dot_product_attention(q, k, v, causal_mask(Tq, Tk) if causal else None)[0]
    compare(flash_attention(q, k, v, causal, tile), want, (q, k, v))


@pytest.mark.parametrize("tile", [1, 7, 64])
def test_oracle_sdpa(tile):
    inputs = qkv(0, 2, 3, Tq=37, Tk=37)
    compare(flash_attention(*inputs, True, tile), F.scaled_dot_product_attention(*inputs, is_causal=True), inputs)


def test_gradcheck():
    inputs = qkv(1, 1, Tq=5, Tk=7, D=3)
    assert torch.autograd.gradcheck(lambda *x: flash_attention(*x, True, 2), inputs)


@pytest.mark.parametrize("T", [1, 127, 128, 129, 300])
def test_the_fast_form_is_the_plain_one(T):
    inputs = qkv(T, 2, 3, Tq=T, Tk=T)
    compare(blocked_attention(*inputs), F.scaled_dot_product_attention(*inputs, is_causal=True), inputs)


def growth(call, lengths=(512, 1024, 2048)):
    peaks = []
    for T in lengths:
        q, k, v = torch.randn(3, 1, 2, T, 16)
        peaks.append(peak_memory(lambda q=q, k=k, v=v: call(q, k, v)))
    return [b / a for a, b in zip(peaks, peaks[1:], strict=False)]


@pytest.mark.parametrize("backward", [False, True])
def test_cost_memory_is_counted_and_linear(backward):
    """T doubles: a linear form takes at most twice as much, the plain one four times."""

    def both(f):
        return (lambda q, k, v: forward_and_backward(f, q, k, v)) if backward else f

    for tiled in (lambda q, k, v: flash_attention(q, k, v, True, 64), blocked_attention):
        assert max(growth(both(tiled))) < 2.1
    assert min(growth(both(plain))) > 3.5


def test_cost_the_counter_counts():
    assert 4000 <= peak_memory(lambda: torch.ones(1000)) < 4200
    assert 8000 <= peak_memory(lambda: torch.ones(1000) * 2) < 8400  # both are there at one time


def test_cost_hidden_tiles_are_not_computed():
    from torch.utils.flop_counter import FlopCounterMode

    q, k, v = torch.randn(3, 1, 1, 256, 16)
    counts = []
    for causal in (False, True):
        with FlopCounterMode(display=False) as counter:
            flash_attention(q, k, v, causal, 32)
        counts.append(counter.get_total_flops())
    assert counts[1] / counts[0] == 36 / 64  # 8 · 9 / 2 tiles of 64


def test_bad_input_a_tile_of_nothing():
    with pytest.raises(ValueError, match="tile=0: at least 1"):
        flash_attention(*torch.zeros(3, 4, 2), tile=0)
