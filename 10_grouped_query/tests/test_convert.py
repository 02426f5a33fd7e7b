"""Pooled heads, and what a few steps of training give back."""

import copy

import pytest
import torch
from grouped_query import Config, Decoder, convert, evaluate, first_heads, rotate, train, uptrain, windows
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import randn

CONFIG = Config(vocab_size=31, d_model=24, layers=2, heads=6, kv_heads=6, ffn=20)
TEXT = torch.arange(2_000) * 7 % 31


@pytest.mark.task("mean_pool_heads")
@pytest.mark.parametrize(("G", "g"), [(6, 2), (12, 3), (5, 1), (4, 4)])
def test_each_new_head_is_the_mean_of_its_neighbours(impl, seed, G, g):
    k, v = randn(seed, G * 3, 7), randn(seed + 1, G * 3, 7)
    for new, old in zip(impl.mean_pool_heads(k, v, G, g), (k, v), strict=True):
        assert new.shape == (g * 3, 7)
        for i in range(g):
            mean = sum(old[3 * h : 3 * h + 3] for h in range(i * G // g, (i + 1) * G // g)) * g / G
            torch.testing.assert_close(new[3 * i : 3 * i + 3], mean)


@pytest.mark.task("mean_pool_heads")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_pooled_weights_keep_their_dtype(impl, dtype):
    k = torch.tensor([[1.0], [3.0], [5.0], [9.0]], dtype=dtype)
    for new, factor in zip(impl.mean_pool_heads(k, 10 * k, 4, 2), (1, 10), strict=True):
        torch.testing.assert_close(new, factor * torch.tensor([[2.0], [7.0]], dtype=dtype), rtol=1e-2, atol=0)


@pytest.mark.task("mean_pool_heads")
def test_property_equal_heads_stay_as_they_are(impl):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
    def holds(g, size, D):
        k, v = torch.randn(g, 1, D, 3, dtype=torch.float64), torch.randn(g, 1, D, 3, dtype=torch.float64)
        same = [x.expand(g, size, D, 3).reshape(-1, 3) for x in (k, v)]
        for new, old in zip(impl.mean_pool_heads(*same, g * size, g), (k, v), strict=True):
            torch.testing.assert_close(new, old.reshape(-1, 3), rtol=1e-12, atol=1e-12)

    holds()


@pytest.mark.task("mean_pool_heads")
@pytest.mark.parametrize(("G", "g"), [(6, 4), (2, 4), (5, 2)])
def test_bad_input_heads_that_cannot_be_pooled(impl, G, g):
    with pytest.raises(ValueError):
        impl.mean_pool_heads(torch.zeros(G * 4, 3), torch.zeros(G * 4, 3), G, g)


def test_property_pooling_commutes_with_rotation():
    """Every head rotates by the same angle, so it makes no difference on which side of RoPE the mean is taken."""
    k = randn(0, 2, 6, 5, 8, dtype=torch.float64)
    before = rotate(k.unflatten(1, (2, 3)).mean(2), torch.arange(5))
    after = rotate(k, torch.arange(5)).unflatten(1, (2, 3)).mean(2)
    torch.testing.assert_close(before, after, rtol=0, atol=1e-14)


@pytest.mark.parametrize("rule", ["mean", "first", "random"])
def test_a_converted_model_has_fewer_heads_and_the_rest_of_its_weights(rule):
    model = Decoder(CONFIG)
    made = convert(model, 2, rule)
    assert made.config.kv_heads == made.blocks[0].attn.config.kv_heads == 2
    assert model.blocks[0].attn.k_proj.weight.shape == (24, 24)
    assert made.blocks[0].attn.k_proj.weight.shape == (8, 24)
    assert torch.equal(made.blocks[1].attn.q_proj.weight, model.blocks[1].attn.q_proj.weight)
    assert made(torch.zeros(1, 3, dtype=torch.long)).shape == (1, 3, 31)
    assert made.new_cache(1, 5).nbytes * 3 == model.new_cache(1, 5).nbytes


@pytest.mark.parametrize("rule", ["mean", "first"])
def test_as_many_heads_as_before_change_nothing(rule):
    tokens = torch.arange(10)[None]
    model = Decoder(CONFIG)
    torch.testing.assert_close(convert(model, 6, rule)(tokens), model(tokens))


def test_the_first_heads_are_kept_whole():
    k = randn(0, 12, 5)
    new, _ = first_heads(k, k, 4, 2)
    assert torch.equal(new, torch.cat((k[:3], k[6:9])))


def test_random_heads_are_as_large_as_the_old_ones_and_follow_the_seed():
    model = Decoder(CONFIG)
    one, again, other = (convert(model, 2, "random", seed).blocks[0].attn.k_proj.weight for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert 0.8 < one.std() / model.blocks[0].attn.k_proj.weight.std() < 1.25


@pytest.mark.parametrize(("kv_heads", "rule", "word"), [(4, "mean", "kv_heads=4"), (2, "median", "rule='median'")])
def test_bad_input_a_conversion(kv_heads, rule, word):
    with pytest.raises(ValueError, match=word):
        convert(Decoder(CONFIG), kv_heads, rule)


def test_effect_uptraining_gives_back_most_of_what_pooling_takes():
    text, model = TEXT, Decoder(CONFIG)
    train(model, text, 120, lr=1e-2, length=16)
    base = evaluate(model, text, 16, 16)
    pooled = convert(model, 1)
    before, after = evaluate(pooled, text, 16, 16), evaluate(uptrain(pooled, text, 120, 0.2, lr=1e-2), text, 16, 16)
    assert base < 0.3 and before > base + 0.5
    assert after - base < (before - base) / 2


def test_uptraining_leaves_its_argument_alone():
    model = Decoder(CONFIG)
    state = copy.deepcopy(model.state_dict())
    made = uptrain(model, TEXT, 20, 0.1)
    assert all(torch.equal(state[name], weight) for name, weight in model.state_dict().items())
    assert not torch.equal(made.wte.weight, model.wte.weight)


def test_only_the_chosen_parameters_are_trained():
    model = Decoder(CONFIG)
    before = copy.deepcopy(model.state_dict())
    train(model, TEXT, 2, parameters=[model.blocks[0].attn.k_proj.weight])
    changed = [name for name, weight in model.state_dict().items() if not torch.equal(before[name], weight)]
    assert changed == ["blocks.0.attn.k_proj.weight"]


def test_bad_input_training():
    with pytest.raises(ValueError, match="length=65: the text has only 9 tokens; give more text"):
        train(Decoder(CONFIG), TEXT[:9], 1)
    with pytest.raises(ValueError, match="lr=.*train with a smaller lr"):
        train(Decoder(CONFIG), TEXT, 30, lr=1e30, length=16)
    assert windows(TEXT, 3, 5, torch.Generator().manual_seed(0)).shape == (3, 5)
