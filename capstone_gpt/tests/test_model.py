"""The modern decoder: each switch, the cache, the window, samples; attention plain and fast."""

from dataclasses import replace

import pytest
import torch
from given import integers, randn
from hypothesis import given, settings
from hypothesis import strategies as st

from capstone_gpt import KVCache, ModernConfig, ModernGPT, gallery, generate
from capstone_gpt.model import attend, attend_fast, causal_mask, modernisations
from capstone_gpt.model.rotary import rotate
from capstone_gpt.model.sample import probabilities

TINY = ModernConfig(vocab_size=29, context_length=23, n_layer=2, n_head=3, n_embd=18, compute_dtype="float64")


def built(**changes):
    torch.manual_seed(0)
    model = ModernGPT(replace(TINY, **changes)).double()
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.add_(0.3 * randn(i, *p.shape))  # nothing is zero
    return model


@pytest.mark.parametrize("window, sinks", [(None, 0), (3, 0), (4, 2)])
def test_oracle_attention(window, sinks):
    q, k, v = (x.requires_grad_() for x in randn(0, 3, 2, 3, 11, 5))
    mask = causal_mask(11, 11, window, sinks)
    want = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    for form in (attend, attend_fast):
        torch.testing.assert_close(form(q, k, v, window, sinks), want, rtol=0, atol=1e-12)
    half = attend_fast(*(x.detach().bfloat16() for x in (q, k, v)), window, sinks)
    torch.testing.assert_close(half.double(), want.detach(), rtol=0.05, atol=0.05)  # bfloat16 has eight bits


def test_a_window_with_sinks():
    assert causal_mask(2, 6, window=2, sinks=1).int().tolist() == [[1, 0, 0, 1, 1, 0], [1, 0, 0, 0, 1, 1]]


@pytest.mark.parametrize("name", [*modernisations(), "window"])
def test_property_every_variant_is_causal_and_the_cache_gives_its_logits(name):
    changes = modernisations().get(name, {"window": 4, "sinks": 1})
    model, tokens = built(**changes), integers(1, 29, 2, 12)
    with torch.no_grad():
        whole = model(tokens)
        changed = tokens.clone()
        changed[:, 7] = (changed[:, 7] + 1) % 29
        assert torch.equal(model(changed)[:, :7], whole[:, :7])
        cache = KVCache()
        parts = [model(part, cache) for part in tokens.split([5, 1, 4, 2], dim=1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-10)
    assert cache.position == 12


def test_each_modernisation_changes_the_model():
    tokens = integers(0, 29, 1, 9)
    base = built()
    for name, changes in modernisations().items():
        other = built(**changes)
        same_shapes = [p.shape for p in other.parameters()] == [p.shape for p in base.parameters()]
        assert not same_shapes or not torch.allclose(other(tokens), base(tokens)), name


def test_an_untrained_model_knows_nothing():
    torch.manual_seed(0)
    model = ModernGPT(ModernConfig(vocab_size=29))
    assert torch.equal(model(integers(0, 29, 2, 8)), torch.zeros(2, 8, 29))
    assert ModernGPT(ModernConfig(vocab_size=29, tied_head=True)).lm_head.weight.std() < 0.03


def test_bfloat16_is_near_float32():
    for seed in range(2):
        torch.manual_seed(seed)
        model = ModernGPT(replace(TINY, compute_dtype="float32", zero_init=False))
        half = ModernGPT(replace(TINY, compute_dtype="bfloat16", zero_init=False))
        half.load_state_dict(model.state_dict())
        tokens = integers(seed, 29, 2, 9)
        assert half(tokens).dtype == torch.float32
        torch.testing.assert_close(half(tokens), model(tokens), rtol=0.1, atol=0.05)


def test_rotations_keep_lengths_and_depend_on_distance_only():
    q, k = randn(0, 1, 1, 1, 8), randn(1, 1, 1, 1, 8)
    assert rotate(q, 5).norm().item() == pytest.approx(q.norm().item())
    scores = [(rotate(q, i) * rotate(k, j)).sum().item() for i, j in ((7, 3), (104, 100), (4, 0))]
    assert scores == pytest.approx([scores[0]] * 3)


def test_greedy_generation_is_the_same_with_and_without_cache():
    tokens = integers(0, 29, 2, 4)
    made = generate(built(), tokens, 8, temperature=0)
    model, want = built(), tokens
    for _ in range(8):
        want = torch.cat([want, model(want)[:, -1:].argmax(-1)], 1)
    assert torch.equal(made, want)
    assert generate(built(positions="learned"), tokens, 25, temperature=0).shape == (2, 29)  # past the context
    assert set(gallery(built(), tokens[0], 3)) == {
        "greedy",
        "temperature 0.7",
        "temperature 1",
        "top-k 10",
        "top-p 0.9",
    }


def test_property_probabilities():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 2**20), st.integers(1, 9), st.floats(0.05, 1.0))
    def holds(seed, top_k, top_p):
        logits = randn(seed, 3, 7)
        p = probabilities(logits, 0.8, top_k, top_p)
        assert torch.allclose(p.sum(-1), torch.ones(3).double()) and ((p > 0).sum(-1) <= top_k).all()
        full = (logits / 0.8).softmax(-1)
        nucleus = probabilities(logits, 0.8, top_p=top_p) > 0
        mass = (full * nucleus).sum(-1)
        smallest = full.masked_fill(~nucleus, 2.0).min(-1).values
        assert (mass >= top_p - 1e-9).all() and (mass - smallest < top_p + 1e-9).all()

    holds()


def test_bad_input():
    for wrong in ({"norm": "batch"}, {"ffn": "relu"}, {"positions": "alibi"}, {"n_head": 4}, {"compute_dtype": "int8"}):
        with pytest.raises(ValueError):
            replace(TINY, **wrong)
    with pytest.raises(ValueError):
        built(positions="learned")(integers(0, 29, 1, 24))
    for wrong in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(ValueError):
            probabilities(randn(0, 1, 5), **wrong)
    with pytest.raises(ValueError):
        generate(built(), torch.zeros(1, 0, dtype=torch.long), 3)
