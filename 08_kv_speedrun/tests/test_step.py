"""A step with a cache: any way of cutting a sequence gives the logits of the whole."""

import copy

import pytest
import torch
from grader import exactly
from hypothesis import given, settings
from hypothesis import strategies as st
from kv_speedrun import GPT, Config, GrowingCache, Int8Cache, StaticCache, forward_with_cache

SHAPE = Config(vocab_size=53, context_length=32, layers=3, heads=2, width=14)
CACHES = {
    "growing": lambda rows: GrowingCache(SHAPE),
    "static": lambda rows: StaticCache(SHAPE, rows, SHAPE.context_length, dtype=torch.float64),
}


def model_and_tokens(seed, T, batch=2):
    """Weights ten times larger than at initialisation: positions and attention then matter to the logits."""
    model = GPT(SHAPE, seed=seed).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model.eval(), torch.randint(SHAPE.vocab_size, (batch, T), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def gradients_put_back():
    """An attempt that switches gradients off for good is wrong where that is tested, and not here."""
    with torch.enable_grad():
        yield


def parts_only(model):
    """A copy with its own forward pass switched off: the task is to write one."""

    def refuse(*args, **kwargs):
        raise RuntimeError("this model's own forward is switched off: write the step from the model's parts")

    other = copy.deepcopy(model)
    other.forward = refuse
    return other


@torch.no_grad()
def in_steps(forward, model, tokens, sizes, cache):
    return torch.cat([forward(model, chunk, cache) for chunk in tokens.split(sizes, dim=1)], dim=1)


@pytest.mark.task("forward_with_cache")
@pytest.mark.parametrize("sizes", [[9], [5, 1, 1, 1, 1], [4, 3, 2], [1] * 9], ids=str)
def test_any_split_gives_the_logits_of_the_whole(impl, seed, sizes):
    model, tokens = model_and_tokens(seed, 9)
    got = in_steps(impl.forward_with_cache, parts_only(model), tokens, sizes, CACHES["static"](2))
    torch.testing.assert_close(got, model(tokens), rtol=0, atol=1e-10)  # float64; logits of order ten


@pytest.mark.task("forward_with_cache")
def test_a_later_token_changes_no_earlier_logits(impl, seed):
    model, tokens = model_and_tokens(seed, 6)
    other = tokens.clone()
    other[:, -1] = (other[:, -1] + 1) % SHAPE.vocab_size
    a, b = (
        in_steps(impl.forward_with_cache, parts_only(model), t, [4, 2], CACHES["growing"](2)) for t in (tokens, other)
    )
    torch.testing.assert_close(a[:, :-1], b[:, :-1], rtol=0, atol=0, msg="the last token changes logits before it")
    assert not torch.equal(a[:, -1], b[:, -1])


@pytest.mark.task("forward_with_cache")
def test_all_new_tokens_go_through_a_layer_together(impl, seed):
    model, tokens = model_and_tokens(seed, 6)
    cache, taken = CACHES["growing"](2), []
    update = cache.update
    cache.update = lambda layer, k, v: taken.append((layer, k.shape[2])) or update(layer, k, v)
    in_steps(impl.forward_with_cache, parts_only(model), tokens, [4, 2], cache)
    exactly(taken, [(layer, T) for T in (4, 2) for layer in range(SHAPE.layers)], "(layer, new tokens) of each update")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    kind=st.sampled_from(sorted(CACHES)),
    seed=st.integers(0, 99),
)
def test_the_model_itself_gives_the_same_logits_by_any_split(sizes, kind, seed):
    model, tokens = model_and_tokens(seed, sum(sizes))
    if sum(sizes) > SHAPE.context_length:
        return
    for forward in (forward_with_cache, GPT.forward):
        got = in_steps(forward, model, tokens, sizes, CACHES[kind](2))
        torch.testing.assert_close(got, model(tokens), rtol=0, atol=1e-10)


def test_an_int8_cache_moves_the_logits_a_little_and_only_a_little():
    model, tokens = model_and_tokens(3, 20)
    model = model.float()
    exact = model(tokens)
    rough = in_steps(GPT.forward, model, tokens, [10] + [1] * 10, Int8Cache(SHAPE, 2, 20))
    moved = (rough - exact).abs().max() / exact.abs().max()
    assert 0 < moved < 0.05


@pytest.mark.parametrize("layers", [2, 4])
def test_a_cache_for_another_number_of_layers_is_refused(layers):
    """With more layers than the model, the position would stay 0, and every token after the first would be wrong."""
    model, tokens = model_and_tokens(0, 3)
    other = Config(vocab_size=53, context_length=32, layers=layers, heads=2, width=14)
    for cache in (GrowingCache(other), StaticCache(other, 2, 8, torch.float64)):
        for forward in (forward_with_cache, GPT.forward):
            with pytest.raises(ValueError, match=f"cache.layers={layers}: the model has 3"):
                forward(model, tokens, cache)


def test_no_graph_is_kept_without_no_grad():
    model, tokens = model_and_tokens(0, 6)
    for cache in (GrowingCache(SHAPE), StaticCache(SHAPE, 2, 8, torch.float64), Int8Cache(SHAPE, 2, 8, torch.float64)):
        for chunk in tokens.split([4, 1, 1], dim=1):
            forward_with_cache(model, chunk, cache)
        held = [x for value in vars(cache).values() for x in (value if isinstance(value, list) else [value])]
        assert not any(x.requires_grad for x in held if isinstance(x, torch.Tensor))
