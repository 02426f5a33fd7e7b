"""The model, against transformers' GPT-2 with the same random weights; and the files and inputs it refuses."""

import inspect
import os

import pytest
import torch
from kv_speedrun import GPT, Config, GrowingCache, Int8Cache, StaticCache, attend_fast, generate
from kv_speedrun.checkpoints import from_hf

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SHAPE = Config(vocab_size=61, context_length=96, layers=3, heads=2, width=22)


@pytest.fixture(scope="module")
def theirs():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=61,
        n_positions=96,
        n_layer=3,
        n_head=2,
        n_embd=22,
        attn_implementation="eager",
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,
    )
    return GPT2LMHeadModel(config).eval()


@pytest.fixture
def tokens(seed):
    return torch.randint(61, (3, 23), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype, atol", [(torch.float64, 1e-10), (torch.float32, 2e-5)])
@torch.no_grad()
def test_logits_equal_gpt2(theirs, tokens, dtype, atol):
    """atol of the project: the fused and the plain sum differ in their last bits; erf-GELU would be off by 8e-4."""
    theirs = theirs.to(dtype)
    want = theirs(tokens).logits
    for attend in (None, attend_fast):
        model = from_hf(theirs, *([attend] if attend else []))
        torch.testing.assert_close(model(tokens), want, rtol=0, atol=atol)
        for cache in (GrowingCache(SHAPE), StaticCache(SHAPE, 3, 30, dtype=dtype)):
            got = torch.cat([model(part, cache) for part in tokens.split([11, 7, 1, 1, 3], dim=1)], dim=1)
            torch.testing.assert_close(got, want, rtol=0, atol=atol)


@torch.no_grad()
def test_sixty_four_greedy_tokens_equal_generate(theirs, tokens):
    theirs.generation_config.eos_token_id = None  # no token ends the text: all 64 are compared
    want = theirs.float().generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=64, do_sample=False, pad_token_id=0
    )
    assert torch.equal(generate(from_hf(theirs), tokens, 64, StaticCache(SHAPE, 3, 96)), want)


@torch.no_grad()
def test_an_int8_cache_stays_near_gpt2(theirs, tokens):
    model = from_hf(theirs.float())
    got = torch.cat([model(part, Int8Cache(SHAPE, 3, 30)) for part in [tokens]], dim=1)
    want = theirs(tokens).logits
    assert (got - want).abs().max() < 0.05 * want.abs().max()


@torch.no_grad()
def test_left_padding_moves_nothing(tokens):
    model, num_pad = GPT(SHAPE, seed=1).double(), torch.tensor([0, 4, 9])
    padded = torch.stack(
        [
            torch.cat([torch.zeros(int(p), dtype=torch.long), row[: 23 - int(p)]])
            for p, row in zip(num_pad, tokens, strict=True)
        ]
    )
    cache = StaticCache(SHAPE, 3, 30, dtype=torch.float64)
    together = torch.cat([model(part, cache, num_pad) for part in padded.split([20, 1, 2], dim=1)], dim=1)
    for i, p in enumerate(num_pad.tolist()):
        torch.testing.assert_close(together[i, p:], model(tokens[i : i + 1, : 23 - p])[0], rtol=0, atol=1e-10)


def test_shape_of_gpt2_small():
    assert sum(p.numel() for p in GPT(Config(50257, 1024, 1, 12, 768)).parameters()) + 11 * 7087872 == 124439808


def test_the_same_seed_is_the_same_model():
    a, b, c = GPT(SHAPE, seed=1), GPT(SHAPE, seed=1), GPT(SHAPE, seed=2)
    assert torch.equal(a.wte.weight, b.wte.weight) and not torch.equal(a.wte.weight, c.wte.weight)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: t[:, :0], "begin-of-text"),
        (lambda t: t[0], r"tokens.shape=\(23,\): must be \(batch, time\).*pass tokens\[None\]"),
        (lambda t: t.float(), r"tokens.dtype=torch.float32: must be int64 or int32; pass tokens.long\(\)"),
        (lambda t: t + 61, "vocab_size=61: tokens run from .* allowed are 0 to 60; use the tokenizer"),
        (lambda t: t - 61, "vocab_size=61"),
        (lambda t: t.repeat(1, 5), "context_length=96: 115 tokens after 0 need 115 positions; shorten"),
    ],
)
def test_tokens_that_are_refused(tokens, change, words):
    """Called without the type checks that the tests put around it, as a user does."""
    with pytest.raises(ValueError, match=words):
        inspect.unwrap(GPT.forward)(GPT(SHAPE), change(tokens))


@pytest.mark.parametrize("num_pad", [[0, 1], [0, -1, 0], [0, 23, 0]])
def test_padding_that_is_refused(tokens, num_pad):
    with pytest.raises(ValueError, match="must hold one count for each of 3 rows, from 0 to 22; use pad_left"):
        GPT(SHAPE)(tokens, num_pad=torch.tensor(num_pad))


def test_positions_go_on_and_run_out(tokens):
    model, cache = GPT(SHAPE), GrowingCache(SHAPE)
    model(tokens.repeat(1, 4), cache)
    with pytest.raises(ValueError, match="context_length=96: 5 tokens after 92 need 97 positions"):
        model(tokens[:, :5], cache)


def test_configurations_that_are_refused():
    with pytest.raises(ValueError, match="width=10: must be divisible by heads=3"):
        Config(5, 5, 1, 3, 10)
    for bad in (0, -3):
        with pytest.raises(ValueError, match=f"context_length={bad}: must be a positive whole number"):
            Config(5, bad, 1, 1, 10)
