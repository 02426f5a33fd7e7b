"""The caches: what is written comes back, memory stays in place, and what does not fit is refused."""

import pytest
import torch
from grader import exactly
from kv_speedrun import Config, GrowingCache, Int8Cache, StaticCache, cache_bytes
from mistakes import tensors_of

SHAPE = Config(vocab_size=53, context_length=64, layers=3, heads=2, width=14)


def kv(seed, T, batch=3, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, SHAPE.heads, T, SHAPE.head_dim, generator=g).to(dtype) for _ in range(2)]


@pytest.fixture(autouse=True)
def gradients_put_back():
    """An attempt that switches gradients off for good is wrong where that is tested, and not here."""
    with torch.enable_grad():
        yield


def filled(kind, T, max_seq_len):
    """A cache of which every layer holds T tokens."""
    cache = kind(SHAPE, 3, max_seq_len)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(layer, T))
    return cache


@pytest.mark.task("StaticCache")
def test_returns_everything_written_so_far(impl, seed):
    cache, grown = impl.StaticCache(SHAPE, 3, 11), GrowingCache(SHAPE)
    for n, T in enumerate((4, 2, 1, 3)):
        exactly(cache.position, grown.position, "position")
        for layer in range(SHAPE.layers):
            new = kv(seed + layer + 10 * n, T)
            for ours, plain in zip(cache.update(layer, *new), grown.update(layer, *new), strict=True):
                torch.testing.assert_close(ours, plain, rtol=0, atol=0)  # stored, not computed: bit for bit
            exactly(cache.position, grown.position, f"position after layer {layer}")
    exactly(cache.position, 10, "position")


@pytest.mark.task("StaticCache")
def test_layers_do_not_share_memory(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 5)
    news = [kv(seed + layer, 2) for layer in range(SHAPE.layers)]
    held = [cache.update(layer, *new) for layer, new in enumerate(news)]
    for (k, v), (k0, v0) in zip(held, news, strict=True):
        message = "a layer's {} changed when another layer wrote its own"
        torch.testing.assert_close(k, k0, rtol=0, atol=0, msg=message.format("keys"))
        torch.testing.assert_close(v, v0, rtol=0, atol=0, msg=message.format("values"))


@pytest.mark.task("StaticCache")
@pytest.mark.parametrize("what", [0, 1], ids=["keys", "values"])
def test_writes_in_place_and_copies_nothing_old(impl, seed, what):
    cache = impl.StaticCache(SHAPE, 3, 11)
    views = [cache.update(0, *kv(seed + n, 1))[what] for n in range(6)]  # kept alive: no address is given out twice
    assert len({view.data_ptr() for view in views}) == 1, (
        "the memory moves at each step: every step copies all that came before"
    )


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
def test_reset_keeps_the_memory(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    old = cache.update(0, *kv(seed, 3))  # kept alive: its address is not given out again
    cache.reset()
    new = cache.update(0, *kv(seed + 1, 2))
    assert [x.data_ptr() for x in new] == [x.data_ptr() for x in old], "reset allocates new memory"


@pytest.mark.task("StaticCache")
def test_overflow_is_an_error_and_changes_nothing(impl, seed):
    cache, new = impl.StaticCache(SHAPE, 3, 4), kv(seed + 1, 1)
    old = kv(seed, 3)
    cache.update(0, *old)
    with pytest.raises(ValueError):
        cache.update(0, *kv(seed, 2))
    keys, _ = cache.update(0, *new)
    torch.testing.assert_close(keys, torch.cat([old[0], new[0]], dim=2), rtol=0, atol=0)
    with pytest.raises(ValueError):
        cache.update(0, *new)  # one token is what an empty slice would take without a word


@pytest.mark.task("StaticCache")
def test_position_waits_for_the_layer_that_is_furthest_behind(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for layer, position in ((2, 0), (0, 0), (1, 2)):
        cache.update(layer, *kv(seed, 2))
        exactly(cache.position, position, f"position after layer {layer}")


@pytest.mark.task("StaticCache")
def test_two_caches_share_nothing(impl, seed):
    one, other, new = impl.StaticCache(SHAPE, 3, 6), impl.StaticCache(SHAPE, 3, 6), kv(seed, 2)
    keys, _ = one.update(0, *new)
    exactly(other.update(0, *kv(seed + 1, 3))[0].shape[2], 3, "tokens in the second cache")
    torch.testing.assert_close(keys, new[0], rtol=0, atol=0)


@pytest.mark.task("StaticCache")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_keeps_the_dtype_it_was_made_for(impl, seed, dtype):
    cache, new = impl.StaticCache(SHAPE, 3, 4, dtype=dtype), kv(seed, 2, dtype=dtype)
    for ours, x in zip(cache.update(0, *new), new, strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, x, rtol=0, atol=0)


@pytest.mark.task("StaticCache")
def test_allocates_on_the_device_it_is_made_for(impl):
    """The device "meta" has shapes and no numbers, so it is there on every machine."""
    memory = [t for t in tensors_of(impl.StaticCache(SHAPE, 3, 4, device="meta")) if t.numel() > 4 * SHAPE.layers]
    assert memory, "no memory is there before the first token"
    assert all(t.device.type == "meta" for t in memory)


@pytest.mark.task("StaticCache")
def test_holds_numbers_without_gradients(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for x in cache.update(0, *(x.requires_grad_() for x in kv(seed, 2))):
        assert not x.requires_grad, "the cache keeps the graph of every step alive: store k.detach()"
    assert not any(x.requires_grad for x in tensors_of(cache)), "the memory keeps the graph: store k.detach()"


# ---------------------------------------------------------------- all three kinds


@pytest.mark.parametrize("kind", [StaticCache, Int8Cache])
def test_overflow_says_how_long_it_is_and_what_to_do(kind):
    cache = filled(kind, 3, 4)
    words = "max_seq_len=4: layer 0 holds 3 tokens, so 2 more do not fit; make a cache with max_seq_len >= 5"
    with pytest.raises(ValueError, match=words):
        cache.update(0, *kv(2, 2))
    assert cache.position == 3


@pytest.mark.parametrize("kind", [StaticCache, Int8Cache])
def test_what_was_made_for_another_model_is_refused(kind):
    cache = kind(SHAPE, 3, 4)
    for args, words in (
        ((0, *kv(0, 1, dtype=torch.float64)), "k is torch.float64"),
        ((0, *kv(0, 1, batch=2)), r"k.shape=\(2, 2, 1, 7\): this cache holds batch 3, 2 heads, head_dim 7; make"),
        ((3, *kv(0, 1)), "layer=3: the cache has 3 layers; pass 0 to 2"),
        ((-1, *kv(0, 1)), "layer=-1: the cache has 3 layers"),
    ):
        with pytest.raises(ValueError, match=words):
            cache.update(*args)
    assert cache.seq_lens == [0, 0, 0]


@pytest.mark.parametrize("kind", [StaticCache, Int8Cache])
@pytest.mark.parametrize("batch_size, max_seq_len", [(0, 4), (3, 0), (3, -1)])
def test_caches_without_room_are_refused(kind, batch_size, max_seq_len):
    with pytest.raises(ValueError, match=f"batch_size={batch_size}, max_seq_len={max_seq_len}: both must be"):
        kind(SHAPE, batch_size, max_seq_len)


@pytest.mark.parametrize("make", [GrowingCache, lambda c: StaticCache(c, 3, 9), lambda c: Int8Cache(c, 3, 9)])
def test_crop_and_go_on(make):
    """What happens to the tokens of a rejected draft: they are gone, and the next ones take their place."""
    cache, plain = make(SHAPE), make(SHAPE)
    for layer in range(3):
        cache.update(layer, *kv(layer, 5))
        plain.update(layer, *(x[:, :, :2] for x in kv(layer, 5)))
    with pytest.raises(ValueError, match="max_length=6: the cache holds 5 tokens; pass 0 to 5"):
        cache.crop(6)
    cache.crop(2)
    assert cache.position == plain.position == 2
    for a, b in zip(cache.update(1, *kv(9, 3)), plain.update(1, *kv(9, 3)), strict=True):
        torch.testing.assert_close(a, b)
    cache.crop(0)
    assert cache.position == 0


def test_bytes_are_the_formula():
    cache = StaticCache(SHAPE, 3, 17, dtype=torch.float64)
    assert cache.nbytes == cache_bytes(SHAPE, 3, 17, 8)
    grown = GrowingCache(SHAPE)
    for layer in range(SHAPE.layers):
        grown.update(layer, *kv(0, 17))
    assert grown.nbytes == cache_bytes(SHAPE, 3, 17, 4)
