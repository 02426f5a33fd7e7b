"""Sharing a prefix changes no logits, and its hits are counted."""
import pytest
import torch
from kv_speedrun import GPT, Config, StaticCache
from kv_speedrun.prefix import PrefixStore, prefill_shared

SHAPE = Config(vocab_size=53, context_length=64, layers=2, heads=2, width=14)


def model_and_prompts(seed):
    g = torch.Generator().manual_seed(seed)
    system = torch.randint(53, (21,), generator=g).tolist()
    return GPT(SHAPE, seed=seed).double(), [system + torch.randint(53, (n,), generator=g).tolist() for n in (5, 9, 1)]


def test_logits_are_those_of_a_full_prefill_and_hits_are_counted(seed):
    model, prompts = model_and_prompts(seed)
    store, cache = PrefixStore(block=8), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    fed = []
    model.wte.register_forward_hook(lambda m, args, out: fed.append(args[0].shape[1]))
    for prompt in prompts:
        got = prefill_shared(model, prompt, cache, store)
        torch.testing.assert_close(got, model(torch.tensor([prompt]))[:, -1], rtol=0, atol=1e-10)
    assert fed[::2] == [26, 30 - 16, 22 - 16]                  # 21 shared tokens hold two whole blocks of 8
    assert (store.hits, store.misses) == (32, 26 + 14 + 6)


def test_the_same_block_after_another_beginning_is_another_block(seed):
    model, (prompt, *_) = model_and_prompts(seed)
    store, cache = PrefixStore(block=4), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    prefill_shared(model, prompt, cache, store)
    other = [(prompt[0] + 1) % 53, *prompt[1:]]
    got = prefill_shared(model, other, cache, store)
    torch.testing.assert_close(got, model(torch.tensor([other]))[:, -1], rtol=0, atol=1e-10)
    assert store.hits == 0


def test_the_last_token_is_always_run(seed):
    model, (prompt, *_) = model_and_prompts(seed)
    store, cache = PrefixStore(block=2), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    first = prefill_shared(model, prompt, cache, store)
    torch.testing.assert_close(prefill_shared(model, prompt, cache, store), first, rtol=0, atol=1e-10)
    assert store.hits == len(prompt) - 2


def test_a_full_store_drops_the_least_recently_used(seed):
    model, prompts = model_and_prompts(seed)
    store, cache = PrefixStore(block=4, capacity=5), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    for prompt in prompts:
        prefill_shared(model, prompt, cache, store)
    assert len(store.blocks) == 5 and store.match(prompts[-1] + [0])
    assert store.nbytes == 5 * 4 * 2 * SHAPE.layers * SHAPE.heads * SHAPE.head_dim * 8


def test_bad_input():
    model, (prompt, *_) = model_and_prompts(0)
    with pytest.raises(ValueError, match="empty"):
        prefill_shared(model, [], StaticCache(SHAPE, 1, 64, dtype=torch.float64), PrefixStore())
    with pytest.raises(ValueError, match="batch 1"):
        prefill_shared(model, prompt, StaticCache(SHAPE, 2, 64, dtype=torch.float64), PrefixStore())
    with pytest.raises(ValueError, match="at least 1"):
        PrefixStore(block=0)
