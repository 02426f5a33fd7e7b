"""Generation as it is served: ragged batches, sampling, stop tokens, one step at a time."""

import inspect

import pytest
import torch
from kv_speedrun import GPT, Config, GrowingCache, SamplingParams, StaticCache, complete, generate, pad_left, stream
from kv_speedrun.checkpoints import from_hf

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
        assert row == generate(model, torch.tensor([prompt]), 12, GrowingCache(SHAPE))[0, len(prompt) :].tolist()


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
    tokens, num_pad = pad_left(prompts(seed))
    mask = (torch.arange(tokens.shape[1]) >= num_pad[:, None]).long()
    want = theirs.generate(tokens, attention_mask=mask, max_new_tokens=64, do_sample=False, pad_token_id=0)
    ours = from_hf(theirs)
    got = complete(ours, prompts(seed), 64, StaticCache(ours.config, 3, 96))
    assert got == want[:, tokens.shape[1] :].tolist()


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


@pytest.mark.parametrize("kind", [list, tuple, set, torch.tensor], ids=lambda kind: kind.__name__)
def test_stop_tokens_come_in_any_container(model, kind):
    free = complete(model, prompts(1), 12, cache())
    stop = [free[0][2], free[1][3]]
    want = complete(model, prompts(1), 12, cache(), stop_token_ids=stop)
    assert want != free
    assert complete(model, prompts(1), 12, cache(), stop_token_ids=kind(stop)) == want


def test_prompts_may_be_tensors(model):
    want = complete(model, [[1, 2, 3], [4, 5, 6]], 3, cache(2))
    assert complete(model, torch.tensor([[1, 2, 3], [4, 5, 6]]), 3, cache(2)) == want


def test_sampling_repeats_with_its_seed(model, seed):
    def draw(n, sampling_params):
        generator = torch.Generator().manual_seed(n)
        return complete(model, prompts(seed), 10, cache(), sampling_params, generator=generator)

    assert draw(1, SamplingParams(1.0)) == draw(1, SamplingParams(1.0)) != draw(2, SamplingParams(1.0))
    greedy = complete(model, prompts(seed), 10, cache())
    assert draw(1, SamplingParams(1e-40)) == greedy == draw(3, SamplingParams(2.0, top_k=1))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda m: stream(m, [], 3, cache()), "at least one prompt"),
        (lambda m: stream(m, [[1], []], 3, cache(2)), "with one token each"),
        (lambda m: stream(m, [[1] * 30], 20, cache(1)), "context_length=40: .*; shorten"),
        (lambda m: stream(m, [[1] * 10], 20, StaticCache(SHAPE, 1, 20)), "max_seq_len=20: the cache is too short"),
        (lambda m: stream(m, [[1]], -1, cache(1)), "max_new_tokens=-1: must be at least 0"),
        (
            lambda m: stream(m, [[1]], 3, cache(1), stop_token_ids=[53]),
            r"stop_token_ids=\[53\]: must be tokens from 0 to 52",
        ),
    ],
)
def test_bad_requests_are_refused_before_any_work(model, call, words):
    with pytest.raises(ValueError, match=words):
        call(model)


def test_text_and_flat_lists_are_no_prompts():
    """Called without the type checks that the tests put around it, as a user does."""
    for bad in ("hello", ["hello"], [1, 2, 3], [b"ab"]):
        with pytest.raises(ValueError, match="must be a list of token ids; pass a list of such lists"):
            inspect.unwrap(pad_left)(bad)
