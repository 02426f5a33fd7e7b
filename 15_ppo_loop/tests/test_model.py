"""The decoder: transformers' GPT-2 with copied weights, and the cache."""

import pytest
import torch
from ppo_loop import Config, Decoder, ScalarModel
from ppo_loop.lab.bench import gpt2_like


def test_oracle_gpt2_of_transformers_values_and_gradients():
    pytest.importorskip("transformers")
    model = Decoder(Config(vocab_size=23, max_len=13, d_model=30, layers=3, heads=5), seed=1)
    peer = gpt2_like(model).double()
    model.double()
    tokens = torch.randint(23, (3, 11), generator=torch.Generator().manual_seed(0))
    logits, theirs = model(tokens), peer(tokens).logits
    torch.testing.assert_close(logits, theirs, rtol=0, atol=1e-12)  # float64
    for out, weight in ((logits, model.wte.weight), (theirs, peer.transformer.wte.weight)):
        out.square().sum().backward()
        assert weight.grad is not None
    torch.testing.assert_close(model.wte.weight.grad, peer.transformer.wte.weight.grad, rtol=0, atol=1e-9)


@pytest.mark.parametrize("cut", [1, 4, 6])
def test_a_cache_changes_nothing(cut):
    model = Decoder(Config(11, 8), seed=2)
    tokens = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(0))
    cache = model.new_cache(3)
    with torch.no_grad():
        parts = [model(tokens[:, :cut], cache), model(tokens[:, cut:], cache)]
        torch.testing.assert_close(torch.cat(parts, 1), model(tokens))
    assert cache.length == 7


def test_a_scalar_model_starts_from_the_policy_with_a_head_of_zero():
    policy = Decoder(Config(11, 8), seed=3)
    model = ScalarModel.from_policy(policy)
    tokens = torch.ones(2, 5, dtype=torch.long)
    assert torch.equal(model.trunk.hidden(tokens), policy.hidden(tokens))
    assert model(tokens).abs().max() == 0 and model(tokens).shape == (2, 5)
    model.trunk.wte.weight.data.zero_()
    assert policy.wte.weight.abs().sum() > 0  # a copy


def test_bad_input_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="heads=3: must divide d_model=32"):
        Config(11, 8, heads=3)
    with pytest.raises(ValueError, match="tokens=9: the model has 8 positions"):
        Decoder(Config(11, 8))(torch.zeros(1, 9, dtype=torch.long))
