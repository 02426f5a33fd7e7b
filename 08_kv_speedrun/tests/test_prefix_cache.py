"""Sharing a prefix changes no logits, and its hits are counted."""

import pytest
import torch
from kv_speedrun import GPT, Config, Int8Cache, StaticCache
from kv_speedrun.prefix_cache import PrefixCache

SHAPE = Config(vocab_size=53, context_length=64, layers=2, heads=2, width=14)


def model_and_prompts(seed):
    g = torch.Generator().manual_seed(seed)
    system = torch.randint(53, (21,), generator=g).tolist()
    return GPT(SHAPE, seed=seed).double(), [system + torch.randint(53, (n,), generator=g).tolist() for n in (5, 9, 1)]


def test_logits_are_those_of_a_full_prefill_and_hits_are_counted(seed):
    model, prompts = model_and_prompts(seed)
    prefixes, cache = PrefixCache(model, block_size=8), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    fed = []
    model.wte.register_forward_hook(lambda m, args, out: fed.append(args[0].shape[1]))
    for prompt in prompts:
        got = prefixes.prefill(prompt, cache)
        torch.testing.assert_close(got, model(torch.tensor([prompt]))[:, -1], rtol=0, atol=1e-10)
    assert fed[::2] == [26, 30 - 16, 22 - 16]  # 21 shared tokens hold two whole blocks of 8
    assert (prefixes.hit_tokens, prefixes.miss_tokens) == (32, 26 + 14 + 6)


def test_the_same_block_after_another_beginning_is_another_block(seed):
    model, (prompt, *_) = model_and_prompts(seed)
    prefixes, cache = PrefixCache(model, block_size=4), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    prefixes.prefill(prompt, cache)
    other = [(prompt[0] + 1) % 53, *prompt[1:]]
    got = prefixes.prefill(other, cache)
    torch.testing.assert_close(got, model(torch.tensor([other]))[:, -1], rtol=0, atol=1e-10)
    assert prefixes.hit_tokens == 0


def test_the_last_token_is_always_run(seed):
    model, (prompt, *_) = model_and_prompts(seed)
    prefixes, cache = PrefixCache(model, block_size=2), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    first = prefixes.prefill(prompt, cache)
    torch.testing.assert_close(prefixes.prefill(prompt, cache), first, rtol=0, atol=1e-10)
    assert prefixes.hit_tokens == len(prompt) - 2


def test_a_full_store_drops_the_least_recently_used(seed):
    model, prompts = model_and_prompts(seed)
    prefixes, cache = PrefixCache(model, block_size=4, capacity=5), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    for prompt in prompts:
        prefixes.prefill(prompt, cache)
    assert len(prefixes.blocks) == 5 and prefixes.lookup((*prompts[-1], 0))
    assert prefixes.nbytes == 5 * 4 * 2 * SHAPE.layers * SHAPE.heads * SHAPE.head_dim * 8


def test_a_prompt_that_is_a_tensor_is_found_again(seed):
    model, (prompt, *_) = model_and_prompts(seed)
    prefixes, cache = PrefixCache(model, block_size=4), StaticCache(SHAPE, 1, 64, dtype=torch.float64)
    for _ in range(2):
        prefixes.prefill(torch.tensor(prompt), cache)
    assert prefixes.hit_tokens == len(prompt) - len(prompt) % 4 and len(prefixes.blocks) == len(prompt) // 4


def test_bad_input():
    model, (prompt, *_) = model_and_prompts(0)
    with pytest.raises(ValueError, match="must hold at least one token"):
        PrefixCache(model).prefill([], StaticCache(SHAPE, 1, 64, dtype=torch.float64))
    for cache in (StaticCache(SHAPE, 2, 64, dtype=torch.float64), Int8Cache(SHAPE, 1, 64, dtype=torch.float64)):
        with pytest.raises(ValueError, match="must be a StaticCache with batch_size=1"):
            PrefixCache(model).prefill(prompt, cache)
    for block_size, capacity in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="both must be at least 1"):
            PrefixCache(model, block_size, capacity)
