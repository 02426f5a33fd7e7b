"""Sinks: their slots, the cache, and the streams of `transformers`."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sliding_window import Config, Llama, SinkCache, attend, rotate, sink_attention, sink_slots, window_mask


@pytest.mark.task("sink_slots")
def test_property_sinks_stay_and_the_rest_rolls(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 5), st.integers(1, 7), st.integers(1, 60))
    def holds(sinks, window, T):
        slots = impl.sink_slots(torch.arange(T), sinks, window)
        assert slots.dtype == torch.int64
        held = dict(zip(slots.tolist(), range(T), strict=True))  # the last writer of a slot stays
        kept = sorted({*range(min(sinks, T)), *range(max(T - window, 0), T)})
        assert sorted(held.values()) == kept
        assert all(0 <= slot < sinks + window for slot in held)
        assert slots[: sinks + window].tolist() == list(range(min(T, sinks + window)))

    holds()


@pytest.mark.task("sink_slots")
def test_property_slots_are_exact_in_a_text_of_billions_of_tokens(impl):
    positions = torch.arange(2**33, 2**33 + 12)
    assert impl.sink_slots(positions, 3, 7).tolist() == [3 + (p - 3) % 7 for p in positions.tolist()]
    mixed = [2**31 + 1, 0, 2**24 + 1, 2**33, 2]
    assert impl.sink_slots(torch.tensor(mixed), 3, 7).tolist() == [p if p < 3 else 3 + (p - 3) % 7 for p in mixed]


def test_property_one_query_sees_what_sink_attention_shows_it():
    """By definition: positions in the cache, sinks and window, one query after the other."""
    torch.manual_seed(0)
    T, S, W = 17, 3, 5
    q, k, v = (torch.randn(1, 2, T, 6, dtype=torch.float64) for _ in range(3))
    got, weights = sink_attention(q, k, v, torch.arange(T), W, S)
    for t in range(T):
        held = sorted({*range(min(S, t + 1)), *range(max(t - W + 1, 0), t + 1)})
        at = torch.arange(len(held))
        keys, query = rotate(k[:, :, held], at), rotate(q[:, :, t : t + 1], at[-1:])
        want = attend(query, keys, v[:, :, held], torch.ones(1, len(held), dtype=torch.bool))
        torch.testing.assert_close(got[:, :, t : t + 1], want, rtol=0, atol=1e-12)
        assert weights[0, 0, t].nonzero().flatten().tolist() == held


def test_property_without_sinks_the_positions_of_the_text_do_as_well():
    torch.manual_seed(1)
    q, k, v = (torch.randn(1, 2, 13, 6, dtype=torch.float64) for _ in range(3))
    at = torch.arange(13)
    want = attend(rotate(q, at), rotate(k, at), v, window_mask(13, 13, 4))
    for reassign in (True, False):
        torch.testing.assert_close(sink_attention(q, k, v, at, 4, 0, reassign)[0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("sinks", "window", "reassign"), [(0, 5, True), (2, 5, True), (2, 5, False), (4, 3, True)])
def test_property_a_stream_does_not_depend_on_how_it_is_cut(sinks, window, reassign):
    torch.manual_seed(2)
    model = Llama(Config(53, d_model=24, heads=4, kv_heads=2, layers=3)).double()
    tokens = torch.randint(53, (2, 40))
    with torch.no_grad():
        want = model(tokens, model.new_cache(window, sinks, reassign, batch_size=2))
        for size in (1, 3, 7, 13):
            cache = model.new_cache(window, sinks, reassign, batch_size=2)
            got = torch.cat([model(piece, cache) for piece in tokens.split(size, dim=1)], 1)
            torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
            assert cache.position == 40


def test_property_the_sinks_slots_never_change():
    cache = SinkCache(2, 1, 1, 2, window=3, sinks=2)
    for layer in range(2):
        k, v = torch.randn(1, 1, 2, 2), torch.randn(1, 1, 2, 2)
        cache.update(layer, k, v)
        for n in (1, 4, 1, 1, 9):
            cache.update(layer, torch.randn(1, 1, n, 2), torch.randn(1, 1, n, 2))
        assert torch.equal(cache.keys[layer][:, :, :2], k) and torch.equal(cache.values[layer][:, :, :2], v)
        assert cache.text_positions[layer][:2].tolist() == [0, 1]
        assert sorted(cache.text_positions[layer][2:].tolist()) == [15, 16, 17]
    cache.reset()
    assert cache.position == 0 and cache.update(0, k, v)[0].shape[2] == 2


def test_cost_a_single_token_copies_nothing_and_memory_stays():
    cache = SinkCache(1, 1, 2, 4, window=6, sinks=2)
    places, nbytes = (cache.keys[0].data_ptr(), cache.values[0].data_ptr()), cache.nbytes
    for _ in range(30):
        k, v, positions = cache.update(0, torch.randn(1, 2, 1, 4), torch.randn(1, 2, 1, 4))
        assert (k.data_ptr(), v.data_ptr()) == places
        assert k.shape[2] == len(positions) <= 8
    assert cache.nbytes == nbytes == 2 * 2 * 8 * 4 * 4


@pytest.mark.parametrize(("window", "sinks"), [(0, 1), (-1, 0), (4, -1)])
def test_bad_input_no_window_or_negative_sinks(window, sinks):
    with pytest.raises(ValueError, match=f"window={window}, sinks={sinks}: use a window of 1 or more"):
        SinkCache(1, 1, 1, 2, window, sinks)


def test_the_first_tokens_have_the_first_slots():
    assert sink_slots(torch.arange(9), 2, 3).tolist() == [0, 1, 2, 3, 4, 2, 3, 4, 2]
