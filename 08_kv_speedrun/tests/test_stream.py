"""Generation as it is served: ragged batches, sampling, stop tokens, one step at a time."""
import pytest
import torch
from kv_speedrun import GPT, Config, GrowingCache, StaticCache, generate
from kv_speedrun.stream import Sampling, complete, pad_left, pick, stream

SHAPE = Config(vocab_size=53, context_length=40, layers=2, heads=2, width=14)


@pytest.fixture(scope="module")
def model():
    model = GPT(SHAPE, seed=5)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model.eval()


def prompts(seed, lengths=(9, 4, 1)):
    g = torch.Generator().manual_seed(seed)
    return [torch.randint(SHAPE.vocab_size, (n,), generator=g).tolist() for n in lengths]


def cache(rows=3):
    return StaticCache(SHAPE, rows, SHAPE.context_length)


def test_a_ragged_batch_gives_each_row_what_it_gets_alone(model, seed):
    together = complete(model, prompts(seed), 12, cache())
    for prompt, row in zip(prompts(seed), together, strict=True):
        assert row == generate(model, torch.tensor([prompt]), 12, GrowingCache(2))[0, len(prompt):].tolist()


def test_sixty_four_tokens_of_a_padded_batch_equal_transformers(seed):
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(seed)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=53,
            n_positions=96,
            n_layer=2,
            n_head=2,
            n_embd=14,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()
    tokens, pad = pad_left(prompts(seed))
    mask = (torch.arange(tokens.shape[1]) >= pad[:, None]).long()
    want = theirs.generate(tokens, attention_mask=mask, max_new_tokens=64, do_sample=False, pad_token_id=0)
    ours = from_hf(theirs)
    got = complete(ours, prompts(seed), 64, StaticCache(ours.config, 3, 96))
    assert got == want[:, tokens.shape[1]:].tolist()


def test_tokens_arrive_one_step_at_a_time(model, seed):
    fed = []
    hook = model.wte.register_forward_hook(lambda m, args, out: fed.append(args[0].shape[1]))
    steps = stream(model, prompts(seed), 3, cache())
    assert fed == []
    next(steps)
    assert fed == [9]
    rest = list(steps)
    hook.remove()
    assert fed == [9, 1, 1] and len(rest) == 2


def test_a_row_ends_at_its_stop_token_and_the_loop_when_all_have(model, seed):
    free = complete(model, prompts(seed), 12, cache())
    stop = free[0][2]
    rows = complete(model, prompts(seed), 12, cache(), stop_token_ids=[stop])
    for row, whole in zip(rows, free, strict=True):
        end = whole.index(stop) + 1 if stop in whole else 12
        assert row == whole[:end]
    only = complete(model, prompts(seed)[:1], 12, cache(1), stop_token_ids=[stop])
    assert len(list(stream(model, prompts(seed)[:1], 12, cache(1), stop_token_ids=[stop]))) == len(only[0]) <= 3


def test_sampling_repeats_with_its_seed_and_follows_the_distribution(model, seed):
    def draw(n, how=None):
        generator = torch.Generator().manual_seed(n)
        return complete(model, prompts(seed), 10, cache(), how or SamplingParams(1.0), generator=generator)
    assert draw(1) == draw(1) != draw(2)
    assert draw(1, SamplingParams(1e-40)) == complete(model, prompts(seed), 10, cache()) == draw(3, SamplingParams(2.0, top_k=1))
    logits = torch.tensor([[1.0, 2.0, 0.0, -1.0]]).repeat(20000, 1)
    drawn = pick(logits, SamplingParams(0.7, top_k=3), torch.Generator().manual_seed(seed)).bincount(minlength=4) / 20000
    want = (logits[0] / 0.7).masked_fill(torch.tensor([False, False, False, True]), -torch.inf).softmax(0)
    torch.testing.assert_close(drawn, want, rtol=0, atol=0.02)         # six standard errors of 20,000 draws


@pytest.mark.parametrize("call, words", [
    (lambda m: stream(m, [], 3, cache()), "at least one prompt"),
    (lambda m: stream(m, [[1], []], 3, cache(2)), "one token in each"),
    (lambda m: stream(m, [[1] * 30], 20, cache(1)), "context_length=40; shorten"),
    (lambda m: stream(m, [[1]], -1, cache(1)), "cannot be negative"),
    (lambda m: SamplingParams(-1.0), "must be finite and >= 0"),
    (lambda m: SamplingParams(1.0, 0), "at least 1"),
])
def test_bad_requests_are_refused_before_any_work(model, call, words):
    with pytest.raises(ValueError, match=words):
        call(model)
