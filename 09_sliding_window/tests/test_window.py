"""The window mask and the receptive field: by definition, by the library's masks, and by gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sliding_window import attend, receptive_field_by_gradient, window_mask
from torch.nn.attention.flex_attention import create_block_mask, create_mask, flex_attention


@pytest.mark.task("window_mask")
def test_property_each_query_sees_itself_and_the_tokens_before_it(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 13), st.integers(0, 11), st.integers(1, 15))
    def holds(Tq, cached, window):
        mask = impl.window_mask(Tq, Tq + cached, window)
        assert mask.dtype == torch.bool and mask.shape == (Tq, Tq + cached)
        for i in range(Tq):
            own = cached + i
            assert mask[i].nonzero().flatten().tolist() == list(range(max(own - window + 1, 0), own + 1))

    holds()


@pytest.mark.task("window_mask")
@pytest.mark.parametrize(("T", "window"), [(11, 1), (11, 4), (13, 13), (13, 20)])
def test_oracle_flex_attention_makes_the_same_mask(impl, T, window):
    made = create_mask(lambda b, h, q, k: (q >= k) & (q - k < window), None, None, T, T, device="cpu")
    assert (impl.window_mask(T, T, window) == made[0, 0]).all()


@pytest.mark.task("window_mask")
def test_property_a_chunk_has_the_last_rows_of_the_whole(impl):
    whole = impl.window_mask(12, 12, 5)
    for new in range(1, 13):
        assert (impl.window_mask(new, 12, 5) == whole[-new:]).all()


@pytest.mark.task("window_mask")
@pytest.mark.parametrize(("Tk", "window"), [(0, 1), (4, 2), (3, 9)])
def test_edge_no_query_has_a_mask_without_rows(impl, Tk, window):
    mask = impl.window_mask(0, Tk, window)
    assert mask.shape == (0, Tk) and mask.dtype == torch.bool


@pytest.mark.task("window_mask")
@pytest.mark.parametrize(("Tq", "Tk", "window"), [(3, 3, 0), (3, 3, -2), (4, 3, 2)])
def test_bad_input_no_window_or_more_queries_than_keys(impl, Tq, Tk, window):
    with pytest.raises(ValueError):
        impl.window_mask(Tq, Tk, window)


def test_the_errors_say_what_to_do():
    with pytest.raises(ValueError, match="window=0: a token sees at least itself; use 1 or more"):
        window_mask(2, 2, 0)
    with pytest.raises(ValueError, match="Tq=3: each query has a key of its own among the Tk=2"):
        window_mask(3, 2, 1)


def stack_of_windows(layers, window, T, seed):
    """A stack of attention layers without residual connections, q = k = v: (B, T, C) -> (B, T, C)."""
    g = torch.Generator().manual_seed(seed)
    weights = [torch.randn(4, 4, dtype=torch.float64, generator=g) / 2 for _ in range(layers)]

    def function(x):
        for weight in weights:
            x = attend(x[:, None], x[:, None], x[:, None] @ weight, window_mask(T, T, window))[:, 0]
        return x

    return function


@pytest.mark.task("receptive_field")
@pytest.mark.parametrize(("layers", "window"), [(1, 1), (1, 4), (2, 2), (3, 2), (2, 5), (4, 3), (3, 1)])
def test_oracle_the_gradient_is_exactly_zero_outside(impl, seed, layers, window):
    T = 16
    x = torch.randn(2, T, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    seen = receptive_field_by_gradient(stack_of_windows(layers, window, T, seed), x, T - 1)
    field = impl.receptive_field(layers, window)
    assert type(field) is int
    assert seen == list(range(T - field, T))


@pytest.mark.task("receptive_field")
def test_property_layers_add_their_reach(impl):
    for a, b, window in ((1, 2, 7), (5, 5, 3), (0, 4, 2)):
        both = impl.receptive_field(a, window) + impl.receptive_field(b, window) - 1
        assert impl.receptive_field(a + b, window) == both


def test_flex_attention_with_a_block_mask_gives_the_same_output():
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 256, 16) for _ in range(3))
    blocks = create_block_mask(lambda b, h, q, k: (q >= k) & (q - k < 37), None, None, 256, 256, device="cpu")
    with pytest.warns(UserWarning, match="without torch.compile"):
        want = flex_attention(q, k, v, block_mask=blocks)
    torch.testing.assert_close(attend(q, k, v, window_mask(256, 256, 37)), want, rtol=0, atol=2e-6)  # float32
