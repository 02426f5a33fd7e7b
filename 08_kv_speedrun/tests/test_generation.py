"""Generation with a cache: the tokens of generation without, and counted work."""

import inspect

import pytest
import torch
from grader import exactly
from kv_speedrun import (
    GPT,
    Config,
    GrowingCache,
    Int8Cache,
    StaticCache,
    generate,
    generate_without_cache,
    matmul_tokens,
)

SHAPE = Config(vocab_size=53, context_length=32, layers=2, heads=2, width=14)


def model_and_tokens(seed, T, batch=2):
    model = GPT(SHAPE, seed=seed)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model.eval(), torch.randint(SHAPE.vocab_size, (batch, T), generator=torch.Generator().manual_seed(seed))


def fed_to(model):
    fed = []
    return fed, model.blocks[0].ln_1.register_forward_hook(lambda module, args, out: fed.append(args[0].shape[1]))


@pytest.fixture(autouse=True)
def gradients_put_back():
    """An attempt that switches gradients off for good is wrong here, and not in the tests that follow."""
    with torch.enable_grad():
        yield


@pytest.mark.task("generate")
def test_gives_the_tokens_of_generation_without_a_cache(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    got = impl.generate(model, tokens, 9, StaticCache(SHAPE, 2, 32))
    exactly(got.tolist(), generate_without_cache(model, tokens, 9).tolist(), "tokens")
    assert got.dtype == tokens.dtype, f"the tokens are {got.dtype}, the prompt is {tokens.dtype}"


@pytest.mark.task("generate")
def test_every_token_goes_through_the_model_once(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    fed, hook = fed_to(model)
    impl.generate(model, tokens, 6, GrowingCache(SHAPE))
    hook.remove()
    exactly(fed, [7, 1, 1, 1, 1, 1], "tokens fed to the model at each step")


@pytest.mark.task("generate")
def test_a_second_prompt_does_not_see_the_first(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    cache = GrowingCache(SHAPE)
    impl.generate(model, tokens[:, :4], 5, cache)
    exactly(
        impl.generate(model, tokens, 5, cache).tolist(),
        generate_without_cache(model, tokens, 5).tolist(),
        "tokens of the second prompt",
    )


@pytest.mark.task("generate")
def test_no_new_tokens_is_the_prompt(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    exactly(impl.generate(model, tokens, 0, GrowingCache(SHAPE)).tolist(), tokens.tolist(), "tokens")


def test_the_work_is_what_the_formula_says():
    model, tokens = model_and_tokens(0, 5)
    for function, args, which in ((generate_without_cache, (), 0), (generate, (GrowingCache(SHAPE),), 1)):
        fed, hook = fed_to(model)
        function(model, tokens, 8, *args)
        hook.remove()
        assert sum(fed) == matmul_tokens(5, 8)[which]


def test_work_avoided_at_the_lengths_that_are_quoted():
    for new, times in ((32, 24.1), (64, 42.8), (256, 142.0)):
        without, with_ = matmul_tokens(32, new)
        assert without / with_ == pytest.approx(times, abs=0.5), (new, without / with_)


@pytest.mark.task("generate")
def test_a_cache_that_holds_another_prompt_is_reset_first(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    cache = GrowingCache(SHAPE)
    with torch.no_grad():
        model(tokens[:, :3], cache)
    got = impl.generate(model, tokens, 5, cache)
    exactly(got.tolist(), generate_without_cache(model, tokens, 5).tolist(), "tokens")
    exactly(cache.position, 11, "tokens in the cache afterwards")


@pytest.mark.task("generate")
def test_no_gradients_are_recorded(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    recorded = []
    note = lambda module, args, out: recorded.append(torch.is_grad_enabled())  # noqa: E731
    hook = model.blocks[0].ln_1.register_forward_hook(note)
    impl.generate(model, tokens, 3, GrowingCache(SHAPE))
    hook.remove()
    assert not any(recorded), "gradients are recorded, though nobody calls backward"


@pytest.mark.task("generate")
def test_leaves_gradients_and_the_model_as_they_were(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    impl.generate(model, tokens, 3, GrowingCache(SHAPE))
    assert torch.is_grad_enabled(), "gradients are off for the rest of the program"
    assert all(p.requires_grad for p in model.parameters()), "the model cannot be trained any more"


@pytest.mark.task("generate")
def test_the_tokens_have_the_dtype_of_the_prompt(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    got = impl.generate(model, tokens.int(), 3, GrowingCache(SHAPE))
    assert got.dtype == torch.int32, f"the tokens are {got.dtype}, the prompt is torch.int32"
    exactly(got.tolist(), generate_without_cache(model, tokens, 3).tolist(), "tokens")


@pytest.mark.task("generate")
def test_what_has_no_room_is_an_error(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    for max_new_tokens, cache, error in (
        (6, StaticCache(SHAPE, 2, 8), ValueError),
        (29, GrowingCache(SHAPE), (ValueError, IndexError)),
    ):
        with pytest.raises(error):
            impl.generate(model, tokens, max_new_tokens, cache)


@pytest.mark.task("generate")
@pytest.mark.parametrize("max_new_tokens", [0, 1, 6])
def test_the_last_token_needs_no_room(impl, seed, max_new_tokens):
    model, tokens = model_and_tokens(seed, 5)
    cache = StaticCache(SHAPE, 2, 4 + max(1, max_new_tokens))
    want = generate_without_cache(model, tokens, max_new_tokens).tolist()
    exactly(impl.generate(model, tokens, max_new_tokens, cache).tolist(), want, "tokens")


@pytest.mark.parametrize("function", [lambda *a: generate(*a, GrowingCache(SHAPE)), generate_without_cache])
def test_bad_requests_are_refused_before_any_work(function):
    model, tokens = model_and_tokens(0, 5)
    fed, hook = fed_to(model)
    for args, words in (
        ((tokens, 40), "context_length=32: 5 prompt tokens and max_new_tokens=40 need 44 positions; shorten"),
        ((tokens, -1), "max_new_tokens=-1: must be at least 0"),
        ((tokens[:, :0], 3), "begin-of-text"),
        ((tokens + 53, 3), "vocab_size=53: tokens run from"),
    ):
        with pytest.raises(ValueError, match=words):
            function(model, *args)
    hook.remove()
    assert fed == []


def test_a_prompt_of_one_dimension_is_refused():
    """Called without the type checks that the tests put around it, as a user does."""
    model, tokens = model_and_tokens(0, 5)
    for function, cache in ((generate, (GrowingCache(SHAPE),)), (generate_without_cache, ())):
        with pytest.raises(ValueError, match=r"tokens.shape=\(5,\): must be \(batch, time\).*; pass tokens\[None\]"):
            inspect.unwrap(function)(model, tokens[0], 3, *cache)


@pytest.mark.parametrize("kind", [StaticCache, Int8Cache])
def test_a_cache_that_is_too_short_is_refused_at_once(kind):
    model, tokens = model_and_tokens(0, 5)
    fed, hook = fed_to(model)
    with pytest.raises(ValueError, match="max_seq_len=8: the cache is too short for 10 tokens; make one with"):
        generate(model, tokens, 6, kind(SHAPE, 2, 8))
    hook.remove()
    assert fed == []
    assert generate(model, tokens, 6, kind(SHAPE, 2, 10)).shape == (2, 11)  # the last token is never fed


@pytest.mark.task("generate")
def test_token_0_is_a_token_like_any_other(impl, seed):
    model, tokens = model_and_tokens(seed, 4)
    with torch.no_grad():  # logits that are largest for token 0, whatever the text
        model.ln_f.weight.zero_()
        model.ln_f.bias.zero_()[0] = 1.0
        model.wte.weight[:, 0] = torch.linspace(1.0, 0.0, SHAPE.vocab_size)
    out = impl.generate(model, tokens, 3, GrowingCache(SHAPE))
    assert out.tolist() == torch.cat([tokens, torch.zeros_like(tokens[:, :3])], dim=1).tolist()
