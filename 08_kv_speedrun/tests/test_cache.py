"""The caches: what is written comes back, memory stays in place, and what does not fit is refused."""
import pytest
import torch
from grader import exactly
from kv_speedrun import Config, GrowingCache, Int8Cache, StaticCache, cache_bytes

SHAPE = Config(vocab_size=53, context_length=64, layers=3, heads=2, width=14)


def kv(seed, T, batch=3, config=SHAPE, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, config.heads, T, config.head_dim, generator=g).to(dtype) for _ in range(2)]


@pytest.mark.task("StaticCache")
def test_returns_everything_written_so_far(impl, seed):
    cache, grown = impl.StaticCache(SHAPE, 3, 11), GrowingCache(SHAPE)
    for n, T in enumerate((4, 2, 1, 3)):
        exactly(cache.position, grown.position, "position")
        for layer in range(SHAPE.layers):
            new = kv(seed + layer + 10 * n, T)
            for ours, plain in zip(cache.update(layer, *new), grown.update(layer, *new), strict=True):
                torch.testing.assert_close(ours, plain, rtol=0, atol=0)         # stored, not computed: bit for bit
    exactly(cache.position, 10, "position")


@pytest.mark.task("StaticCache")
def test_layers_do_not_share_memory(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 5)
    news = [kv(seed + layer, 2) for layer in range(SHAPE.layers)]
    held = [cache.update(layer, *new) for layer, new in enumerate(news)]
    for (k, v), (k0, v0) in zip(held, news, strict=True):
        torch.testing.assert_close(k, k0, rtol=0, atol=0, msg="a layer's keys changed when another layer wrote its own")
        torch.testing.assert_close(
            v, v0, rtol=0, atol=0, msg="a layer's values changed when another layer wrote its own"
        )


@pytest.mark.task("StaticCache")
def test_writes_in_place_and_copies_nothing_old(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 11)
    addresses = {cache.update(0, *kv(seed + n, 1))[0].data_ptr() for n in range(6)}
    assert len(addresses) == 1, "the keys move to new memory at each step: every step copies all that came before"


@pytest.mark.task("StaticCache")
def test_reset_forgets_the_last_prompt(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    cache.reset()
    exactly(cache.position, 0, "position after reset")
    new = kv(seed + 1, 2)
    torch.testing.assert_close(cache.update(0, *new)[0], new[0], rtol=0, atol=0)


@pytest.mark.task("StaticCache")
def test_overflow_is_an_error_and_not_forgetfulness(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    with pytest.raises(ValueError, match="4"):
        cache.update(0, *kv(seed, 2))


def test_overflow_says_how_long_it_is_and_what_to_do_and_loses_nothing():
    for kind in (StaticCache, Int8Cache):
        cache, old = kind(SHAPE, 3, 4), kv(1, 3)
        first = cache.update(0, *old)[0].clone()
        with pytest.raises(
            ValueError, match="length 4 and holds 3 tokens, so 2 more do not fit; make one with length >= 5"
        ):
            cache.update(0, *kv(2, 2))
        torch.testing.assert_close(cache.update(0, *kv(3, 1))[0][:, :, :3], first)


@pytest.mark.parametrize("kind", [StaticCache, Int8Cache])
def test_bad_input_is_refused_by_name(kind):
    cache = kind(SHAPE, 3, 4)
    with pytest.raises(
        ValueError, match="k is torch.float64, but this cache holds torch.float32; give the cache the model's dtype"
    ):
        cache.update(0, *kv(0, 1, dtype=torch.float64))
    with pytest.raises(ValueError, match="made for batch 3"):
        cache.update(0, *kv(0, 1, batch=2))
    with pytest.raises(ValueError, match="at least one row"):
        kind(SHAPE, 0, 4)
    for n in (-1, 1):
        with pytest.raises(ValueError, match="holds 0 tokens"):
            cache.crop(n)


@pytest.mark.parametrize(
    "make", [lambda: GrowingCache(3), lambda: StaticCache(SHAPE, 3, 9), lambda: Int8Cache(SHAPE, 3, 9)]
)
def test_truncate_forgets_the_tail_and_goes_on_from_there(make):
    """What happens to the tokens of a rejected draft: they are gone, and the next ones take their place."""
    cache, plain = make(), make()
    for layer in range(3):
        cache.update(layer, *kv(layer, 5))
        plain.update(layer, *(x[:, :, :2] for x in kv(layer, 5)))
    cache.crop(2)
    assert cache.position == plain.position == 2
    for a, b in zip(cache.update(1, *kv(9, 3)), plain.update(1, *kv(9, 3)), strict=True):
        torch.testing.assert_close(a, b)
    cache.crop(0)
    assert cache.position == 0


def test_bytes_are_what_is_allocated():
    cache = StaticCache(SHAPE, 3, 17, dtype=torch.float64)
    assert cache.nbytes == cache_bytes(SHAPE, 3, 17, 8) == cache.keys.numel() * 8 + cache.values.numel() * 8
    grown = GrowingCache(SHAPE)
    for layer in range(SHAPE.layers):
        grown.update(layer, *kv(0, 17))
    assert grown.nbytes == cache_bytes(SHAPE, 3, 17, 4)


def test_int8_counts_its_scales():
    cache = Int8Cache(SHAPE, 3, 17)
    scales = 2 * SHAPE.layers * 3 * SHAPE.heads * 17 * 4
    assert cache.nbytes == cache_bytes(SHAPE, 3, 17, 1) + scales
    assert Int8Cache(Config.gpt2(), 1, 8).nbytes / cache_bytes(Config.gpt2(), 1, 8, 4) == (64 + 4) / 256


def test_int8_gives_back_what_it_was_given_to_half_a_step():
    cache, (k, v) = Int8Cache(SHAPE, 3, 9), kv(4, 9)
    for got, x in zip(cache.update(0, k, v), (k, v), strict=True):
        step = x.abs().amax(-1, keepdim=True) / 127
        assert ((got - x).abs() <= step * 0.5 * (1 + 1e-5)).all()      # 1e-5: the division and the product round
