"""The rolling cache: token by token it is the band; the library's sliding-window models agree."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import numbers_held
from sliding_window import RollingCache, attend, rotate, window_mask


def made(seed, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.task("RollingCache")
def test_oracle_any_split_of_a_text_gives_the_banded_mask(impl):
    q, k, v = (made(i, 2, 3, 23, 5) for i in range(3))

    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 9), st.lists(st.integers(1, 12), min_size=1, max_size=12))
    def holds(window, sizes):
        cache, at, out = impl.RollingCache(2, 3, window, 5, torch.float64), 0, []
        for n in sizes:
            n = min(n, 23 - at)
            if n == 0:
                break
            keys, values = cache.update(k[:, :, at : at + n], v[:, :, at : at + n])
            assert keys.shape[2] == min(at, window - 1) + n
            out.append(attend(q[:, :, at : at + n], keys, values, window_mask(n, keys.shape[2], window)))
            at += n
            assert cache.position == at
        got = torch.cat(out, 2)
        want = F.scaled_dot_product_attention(
            q[:, :, :at], k[:, :, :at], v[:, :, :at], attn_mask=window_mask(at, at, window)
        )
        torch.testing.assert_close(got, want, rtol=0, atol=1e-13)

    holds()


@pytest.mark.task("RollingCache")
def test_property_keys_come_back_in_the_order_of_the_text(impl):
    cache = impl.RollingCache(1, 1, 4, 1)
    for t in range(11):
        keys, values = cache.update(torch.full((1, 1, 1, 1), float(t)), torch.full((1, 1, 1, 1), -float(t)))
        assert keys.flatten().tolist() == list(range(max(t - 3, 0), t + 1))
        assert values.flatten().tolist() == [-x for x in range(max(t - 3, 0), t + 1)]


@pytest.mark.task("RollingCache")
def test_property_nothing_of_the_last_text_is_left_after_reset(impl, seed):
    used, fresh = (impl.RollingCache(1, 2, 3, 5) for _ in range(2))
    used.update(*(torch.randn(1, 2, 8, 5) for _ in range(2)))
    used.reset()
    assert used.position == 0
    for n in (1, 2, 4):
        k, v = (torch.randn(1, 2, n, 5) for _ in range(2))
        for got, want in zip(used.update(k, v), fresh.update(k, v), strict=True):
            assert torch.equal(got, want)


@pytest.mark.task("RollingCache")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_property_bits_and_dtype_are_kept(impl, dtype):
    cache = impl.RollingCache(1, 1, 3, 2, dtype)
    k, v = (torch.randn(1, 1, 2, 2).to(dtype) for _ in range(2))
    cache.update(k, v)
    keys, values = cache.update(k, v)
    assert keys.dtype == values.dtype == dtype
    assert torch.equal(keys, torch.cat((k, k), 2)) and torch.equal(values, torch.cat((v, v), 2))


@pytest.mark.task("RollingCache")
@pytest.mark.parametrize("window", [0, -1])
def test_bad_input_a_window_below_one(impl, window):
    with pytest.raises(ValueError):
        impl.RollingCache(1, 1, window, 4)


def test_the_error_says_what_to_do():
    with pytest.raises(ValueError, match="window=0: the cache holds at least one token; use 1 or more"):
        RollingCache(1, 1, 0, 4)


@pytest.mark.task("RollingCache")
def test_cost_what_is_held_does_not_grow_with_the_text(impl):
    cache, held = impl.RollingCache(1, 2, 5, 3), []
    for _ in range(40):
        cache.update(torch.randn(1, 2, 1, 3), torch.randn(1, 2, 1, 3))
        held.append(numbers_held(cache, {}))
    assert max(held[20:]) <= max(held[:20])


@pytest.mark.task("RollingCache")
def test_cost_a_long_chunk_is_not_kept_behind_a_view(impl):
    held = []
    for sizes in ([1] * 12, [12], [2, 50, 1]):
        cache, most = impl.RollingCache(1, 2, 5, 3), 0
        for n in sizes:
            cache.update(torch.randn(1, 2, n, 3), torch.randn(1, 2, n, 3))
            most = max(most, numbers_held(cache, {}))
        held.append(most)
    assert max(held) == held[0]


@pytest.mark.task("RollingCache")
def test_property_what_was_returned_stays_as_it_was(impl):
    cache, kept = impl.RollingCache(1, 1, 3, 2), []
    for n in (1, 1, 1, 1, 2, 1, 3, 5, 1, 1):
        returned = cache.update(torch.randn(1, 1, n, 2), torch.randn(1, 1, n, 2))
        kept.append((returned, [x.clone() for x in returned]))
    assert all(torch.equal(x, y) for pair in kept for x, y in zip(*pair, strict=True))


def test_cost_memory_is_that_of_the_window_however_long_the_text_is():
    cache = RollingCache(1, 2, 7, 4)
    places = cache.keys.data_ptr(), cache.values.data_ptr()
    for n in (3, 50, 1, 200):
        cache.update(torch.randn(1, 2, n, 4), torch.randn(1, 2, n, 4))
        assert cache.keys.shape == (1, 2, 7, 4) and (cache.keys.data_ptr(), cache.values.data_ptr()) == places


@pytest.mark.task("cache_positions")
def test_property_the_order_of_the_text_without_gaps(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20, unique=True))
    def holds(held):
        positions = impl.cache_positions(torch.tensor(held))
        assert positions.dtype == torch.int64
        assert positions.tolist() == [sorted(held).index(p) for p in held]

    holds()


@pytest.mark.task("cache_positions")
def test_property_positions_are_exact_in_a_text_of_billions_of_tokens(impl):
    assert impl.cache_positions(2**33 + torch.tensor([2, 4, 0, 1, 3])).tolist() == [2, 4, 0, 1, 3]
    for far in (2**24, 2**31, 2**32, 2**33):
        assert impl.cache_positions(torch.tensor([0, 1, far + 1, far - 2, far - 1, far])).tolist() == [0, 1, 5, 2, 3, 4]


@pytest.mark.task("cache_positions")
def test_effect_scores_do_not_depend_on_how_far_the_text_has_come(impl):
    """The same keys at the same places in the cache: at text position 20 and at one million."""
    q, k = made(0, 1, 1, 1, 8), made(1, 1, 1, 6, 8)
    scores = []
    for last in (19, 1_000_000):
        held = torch.tensor([0, 1, last - 1, last, last - 3, last - 2])
        keys = k[:, :, held.argsort().argsort()]
        positions = impl.cache_positions(held)
        out = rotate(q, positions.max().view(1)) @ rotate(keys, positions).mT
        scores.append(out.flatten().sort().values)
    torch.testing.assert_close(*scores, rtol=0, atol=1e-12)


def test_oracle_a_key_that_is_rotated_twice_stands_at_the_sum():
    k = made(3, 1, 1, 5, 8)
    at = torch.arange(5)
    torch.testing.assert_close(rotate(rotate(k, at), at + 2), rotate(k, 2 * at + 2), rtol=0, atol=1e-12)
