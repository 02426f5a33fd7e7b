"""Generation with a cache: the tokens of generation without, and counted work."""
import pytest
import torch
from grader import exactly
from kv_speedrun import GPT, Config, GrowingCache, StaticCache, generate, generate_without_cache, matmul_tokens

SHAPE = Config(vocab_size=53, context_length=32, layers=2, heads=2, width=14)


def model_and_tokens(seed, T, batch=2):
    model = GPT(SHAPE, seed=seed)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model.eval(), torch.randint(SHAPE.vocab_size, (batch, T), generator=torch.Generator().manual_seed(seed))


def fed_to(model):
    fed = []
    return fed, model.wte.register_forward_hook(lambda module, args, out: fed.append(args[0].shape[1]))


@pytest.mark.task("generate")
def test_gives_the_tokens_of_generation_without_a_cache(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    got = impl.generate(model, tokens, 9, StaticCache(SHAPE, 2, 32))
    exactly(got.tolist(), generate_without_cache(model, tokens, 9).tolist(), "tokens")


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
    exactly(impl.generate(model, tokens, 5, cache).tolist(), generate_without_cache(model, tokens, 5).tolist(),
            "tokens of the second prompt")


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


@pytest.mark.parametrize("function", [lambda *a: generate(*a, GrowingCache(2)), generate_without_cache])
def test_bad_requests_are_refused_before_any_work(function):
    model, tokens = model_and_tokens(0, 5)
    with pytest.raises(ValueError, match="32; shorten the prompt or ask for fewer"):
        function(model, tokens, 40)
    with pytest.raises(ValueError, match="cannot be negative"):
        function(model, tokens, -1)
    with pytest.raises(ValueError, match="begin-of-text"):
        function(model, tokens[:, :0], 3)


def test_a_cache_that_is_too_short_is_an_overflow():
    model, tokens = model_and_tokens(0, 5)
    with pytest.raises(ValueError, match="length 8"):
        generate(model, tokens, 6, StaticCache(SHAPE, 2, 8))
