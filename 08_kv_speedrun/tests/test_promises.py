"""What the workbook promises beside the main road: views, other dtypes and sizes, and what is left behind."""

import pytest
import torch
import torch.nn.functional as F
from grader import exactly
from kv_speedrun import GPT, Config, GrowingCache, StaticCache, generate_without_cache
from mistakes import NothingElse, always, bytes_held, parts_only

SHAPE = Config(vocab_size=53, context_length=64, layers=3, heads=2, width=14)
EXACT = {"rtol": 0, "atol": 0}


@pytest.fixture(autouse=True)
def gradients_put_back():
    """An attempt that switches gradients off for good is wrong here, and not in the tests that follow."""
    with torch.enable_grad():
        yield


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def model_and_tokens(seed, T, batch=2, config=SHAPE):
    """Weights ten times larger than at initialisation: positions and attention then matter to the logits."""
    model = GPT(config, seed=seed).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model, torch.randint(config.vocab_size, (batch, T), generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------- attend


def right(q, k, v, attention_mask=None):
    Tq, Tk = q.shape[2], k.shape[2]
    seen = torch.ones(q.shape[0], 1, Tq, Tk, dtype=torch.bool).tril(Tk - Tq)
    seen = seen if attention_mask is None else seen & attention_mask[:, None, None]
    return F.scaled_dot_product_attention(q, k, v, seen).masked_fill(~seen.any(-1, keepdim=True), 0)


@pytest.mark.task("attend")
@pytest.mark.parametrize("B, H, Tq, Tk, D", [(1, 1, 1, 1, 1), (1, 4, 2, 3, 5), (4, 1, 3, 3, 2), (1, 1, 150, 300, 3)])
def test_attends_in_any_shape(impl, seed, B, H, Tq, Tk, D):
    q, k, v = (randn(seed + i, B, H, T, D, dtype=torch.float64) for i, T in enumerate((Tq, Tk, Tk)))
    torch.testing.assert_close(impl.attend(q, k, v), right(q, k, v), rtol=0, atol=1e-12)


@pytest.mark.task("attend")
def test_attends_to_views(impl, seed):
    q, k, v = (randn(seed + i, 2, 7, 3, 5, dtype=torch.float64).transpose(1, 2) for i in range(3))
    mask = torch.tensor([[True, False, True, True, True]]).expand(2, 5)
    q, k, v = q[:, :, :2], k[:, :, 2:], v[:, :1, :5].expand(2, 3, 5, 5)
    torch.testing.assert_close(impl.attend(q, k, v, mask), right(q, k, v, mask), rtol=0, atol=1e-12)


@pytest.mark.task("attend")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_result_has_the_dtype_of_the_arguments(impl, seed, dtype):
    q, k, v = (randn(seed + i, 2, 1, T, 4, dtype=dtype) for i, T in enumerate((2, 3, 3)))
    mask = torch.tensor([[True, True, True], [False, False, False]])
    out = impl.attend(q, k, v, attention_mask=mask)
    assert out.dtype == dtype, f"the result is {out.dtype}, the arguments are {dtype}"
    assert not out[1].any(), "a query that may see no key gives zeros"
    torch.testing.assert_close(out, right(q.float(), k.float(), v.float(), mask).to(dtype), rtol=0, atol=0.2)


@pytest.mark.task("attend")
def test_the_lowest_scores_are_above_those_of_hidden_keys(impl, seed):
    q, k = torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 5, 4)
    q[..., 0], k[..., 0] = 2.0**17, -(2.0**17)
    v = torch.arange(1.0, 6)[:, None].expand(1, 1, 5, 4)
    torch.testing.assert_close(impl.attend(q, k, v)[0, 0, :, 0], torch.tensor([2.5, 3.0]))


@pytest.mark.task("attend")
def test_more_queries_than_keys_is_an_error_with_padding_too(impl, seed):
    with pytest.raises(ValueError):
        impl.attend(*(randn(seed, 2, 1, T, 4) for T in (3, 2, 2)), torch.ones(2, 2, dtype=torch.bool))


# ---------------------------------------------------------------- StaticCache


@pytest.mark.task("StaticCache")
@pytest.mark.parametrize("layers, rows, heads, D, size", [(1, 1, 1, 1, 3), (4, 1, 3, 2, 6), (2, 5, 1, 3, 300)])
def test_a_cache_of_any_shape_is_filled_twice(impl, seed, layers, rows, heads, D, size):
    cache = impl.StaticCache(Config(53, 64, layers, heads, heads * D), rows, size)
    x, first = randn(seed, layers, 2, rows, heads, size, D), {}
    for _ in range(2):
        for part in (slice(0, 2), slice(2, size)):
            for layer in range(layers):
                held = cache.update(layer, *x[layer, :, :, :, part])
                torch.testing.assert_close(torch.stack(held), x[layer, :, :, :, : part.stop], **EXACT)
                where = first.setdefault(layer, [t.data_ptr() for t in held])
                assert [t.data_ptr() for t in held] == where, f"the memory of layer {layer} moves"
            exactly(cache.position, part.stop, "position")
        need = 2 * layers * rows * heads * size * D * 4
        assert bytes_held(cache) <= 1.2 * need + 64 * layers, "it holds more than the keys and values"
        with pytest.raises(ValueError):
            cache.update(0, *x[0, :, :, :, :1])
        cache.reset()


@pytest.mark.task("StaticCache")
def test_an_error_leaves_every_layer_as_it_was(impl, seed):
    cache, x = impl.StaticCache(SHAPE, 1, 4), randn(seed, 3, 2, 1, 2, 6, 7)
    with pytest.raises(ValueError):
        cache.update(0, *x[0])
    for layer in range(3):
        cache.update(layer, *x[layer, :, :, :, :3])
    with pytest.raises(ValueError):
        cache.update(1, *x[1, :, :, :, 3:])
    exactly(cache.position, 3, "position after the error")
    for layer in range(3):
        held = cache.update(layer, *x[layer, :, :, :, 3:4])
        torch.testing.assert_close(torch.stack(held), x[layer, :, :, :, :4], **EXACT)


@pytest.mark.task("StaticCache")
def test_reset_forgets_a_step_that_is_not_complete(impl, seed):
    cache, x = impl.StaticCache(SHAPE, 1, 4), randn(seed, 2, 1, 2, 3, 7)
    cache.update(0, *x)
    cache.reset()
    torch.testing.assert_close(torch.stack(cache.update(0, *x[:, :, :, :2])), x[:, :, :, :2], **EXACT)


@pytest.mark.task("StaticCache")
def test_the_callers_keys_stay_the_callers(impl, seed):
    cache, x = impl.StaticCache(SHAPE, 1, 2), randn(seed, 2, 1, 2, 2, 7)
    k, v = (2 * t.requires_grad_() for t in x.clone())
    held = cache.update(0, k, v)
    assert k.requires_grad and v.requires_grad, "the caller's keys or values are cut from their graph"
    assert torch.is_grad_enabled(), "gradients are off for the rest of the program"
    with torch.no_grad():
        cache.update(1, *x)
        assert not torch.is_grad_enabled(), "gradients were off, and are on after update"
    k.data.zero_(), v.data.zero_()
    torch.testing.assert_close(torch.stack(held), 2 * x, **EXACT)


@pytest.mark.task("StaticCache")
@torch.no_grad()
def test_a_model_can_use_it(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    cache = impl.StaticCache(SHAPE, 2, 5, torch.float64, torch.device("cpu"))
    got = torch.cat([model(x, cache) for x in tokens.split([3, 2], dim=1)], dim=1)
    torch.testing.assert_close(got, model(tokens), rtol=0, atol=1e-10)
    exactly((cache.layers, cache.max_seq_len), (3, 5), "layers and max_seq_len")


# ---------------------------------------------------------------- forward_with_cache


@pytest.mark.task("forward_with_cache")
@pytest.mark.parametrize("layers, heads, width", [(1, 1, 6), (5, 3, 12)])
@torch.no_grad()
def test_any_model_and_any_cache_to_the_last_position(impl, seed, layers, heads, width):
    config = Config(vocab_size=53, context_length=40, layers=layers, heads=heads, width=width)
    model, tokens = model_and_tokens(seed, 40, config=config)
    want, cache = model(tokens), NothingElse(config)
    model(tokens[:, :4], cache)  # somebody else has begun
    parts_only(model)
    got = torch.cat([impl.forward_with_cache(model, x, cache) for x in tokens[:, 4:].int().split([33, 3], dim=1)], 1)
    torch.testing.assert_close(got, want[:, 4:], rtol=0, atol=1e-10)
    cache.reset()
    torch.testing.assert_close(impl.forward_with_cache(model, tokens, cache), want, rtol=0, atol=1e-10)


@pytest.mark.task("forward_with_cache")
@torch.no_grad()
def test_two_caches_are_used_in_turns(impl, seed):
    model, tokens = model_and_tokens(seed, 9)
    want, one, other = model(tokens), GrowingCache(SHAPE), StaticCache(SHAPE, 2, 9, torch.float64)
    parts_only(model)
    impl.forward_with_cache(model, tokens[:, :6], one)
    impl.forward_with_cache(model, tokens[:, :3], other)
    got = impl.forward_with_cache(model, tokens[:, 6:7], one)
    torch.testing.assert_close(got, want[:, 6:7], rtol=0, atol=1e-10, msg="a second cache moves the first one's logits")
    got = impl.forward_with_cache(model, tokens[:, 3:5], other)
    torch.testing.assert_close(got, want[:, 3:5], rtol=0, atol=1e-10, msg="the first cache moves the second's logits")


@pytest.mark.task("forward_with_cache")
def test_a_step_leaves_gradients_and_the_model_as_they_were(impl, seed):
    model, tokens = model_and_tokens(seed, 3)
    impl.forward_with_cache(parts_only(model), tokens, GrowingCache(SHAPE))
    assert torch.is_grad_enabled(), "gradients are off for the rest of the program"
    assert all(p.requires_grad for p in model.parameters()), "the model cannot be trained any more"
    model.blocks[0].requires_grad_(False)
    before = [p.requires_grad for p in model.parameters()]
    with torch.no_grad():
        impl.forward_with_cache(model, tokens, GrowingCache(SHAPE))
        assert not torch.is_grad_enabled(), "gradients were off, and are on afterwards"
    exactly([p.requires_grad for p in model.parameters()], before, "which parameters require gradients")


@pytest.mark.task("forward_with_cache")
def test_the_logits_have_the_dtype_of_the_model(impl, seed):
    model, tokens = model_and_tokens(seed, 3)
    out = impl.forward_with_cache(parts_only(model.bfloat16()), tokens, GrowingCache(SHAPE))
    assert out.dtype == torch.bfloat16


# ---------------------------------------------------------------- generate


@pytest.mark.task("generate")
def test_forty_tokens_from_a_prompt_of_one(impl, seed):
    config = Config(vocab_size=53, context_length=40, layers=1, heads=1, width=6)
    model, tokens = model_and_tokens(seed, 1, config=config)
    fed = []
    hook = model.blocks[0].ln_1.register_forward_hook(lambda module, args, out: fed.append(args[0].shape[1]))
    got = impl.generate(model, tokens, max_new_tokens=40, cache=NothingElse(config))
    hook.remove()
    exactly(fed, [1] * 40, "tokens fed to the model at each step")
    exactly(got.tolist(), generate_without_cache(model, tokens, 40).tolist(), "tokens")


@pytest.mark.task("generate")
@pytest.mark.parametrize("token", [1, 2, SHAPE.vocab_size - 1])
def test_no_token_ends_the_text(impl, seed, token):
    model, tokens = always(token, seed)
    exactly(impl.generate(model, tokens, 9, GrowingCache(SHAPE))[:, 4:].tolist(), [[token] * 9] * 2, "tokens")


@pytest.mark.task("generate")
def test_a_cache_left_in_the_middle_of_a_step_is_reset(impl, seed):
    model, tokens = model_and_tokens(seed, 4)
    cache = GrowingCache(SHAPE)
    cache.update(0, *randn(seed, 2, 2, 2, 3, 7, dtype=torch.float64))
    want = generate_without_cache(model, tokens, 6).tolist()
    exactly(impl.generate(model, tokens, 6, cache).tolist(), want, "tokens")
    exactly(cache.keys[0].shape[2], 9, "tokens held by layer 0")


@pytest.mark.task("generate")
def test_gradients_are_as_before_after_an_error_too(impl, seed):
    model, tokens = model_and_tokens(seed, 4)
    model.blocks[0].requires_grad_(False)
    before = [p.requires_grad for p in model.parameters()]
    with torch.no_grad():
        impl.generate(model, tokens, 2, GrowingCache(SHAPE))
        assert not torch.is_grad_enabled(), "gradients were off, and are on afterwards"
    with pytest.raises(ValueError):
        impl.generate(model, tokens, 4, StaticCache(SHAPE, 2, 6, torch.float64))
    assert torch.is_grad_enabled(), "gradients are off after an error"
    exactly([p.requires_grad for p in model.parameters()], before, "which parameters require gradients")
