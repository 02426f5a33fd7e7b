"""Which logit belongs to which token. The oracle is PyTorch's cross-entropy."""

import pytest
import torch
import torch.nn.functional as F
from mistakes import logits_and_tokens, randn
from ppo_loop import answer_logprobs, masked_mean


def by_cross_entropy(logits, tokens, prompt_len, temperature=1.0):
    rows = [
        [-F.cross_entropy(logits[b, t - 1] / temperature, tokens[b, t]) for t in range(prompt_len, tokens.shape[1])]
        for b in range(len(tokens))
    ]
    return torch.stack([torch.stack(row) for row in rows])


@pytest.mark.task("answer_logprobs")
@pytest.mark.parametrize(("B", "T", "V", "prompt_len", "temperature"), [(3, 7, 5, 3, 1.0), (2, 5, 3, 1, 0.7)])
def test_oracle_cross_entropy_values_and_gradients(impl, seed, B, T, V, prompt_len, temperature):
    logits, tokens = logits_and_tokens(seed, B, T, V, torch.float64)
    logits.requires_grad_()
    got = impl.answer_logprobs(logits, tokens, prompt_len, temperature)
    want = by_cross_entropy(logits, tokens, prompt_len, temperature)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)  # the temperature may be a float32
    upstream = randn(seed, *want.shape, dtype=torch.float64)
    grads = [torch.autograd.grad((out * upstream).sum(), logits)[0] for out in (got, want)]
    torch.testing.assert_close(*grads, rtol=0, atol=1e-6)


@pytest.mark.task("answer_logprobs")
def test_improbable_tokens_stay_finite(impl, seed):
    logits, tokens = logits_and_tokens(seed, 2, 5, 3)
    got = impl.answer_logprobs(300 * logits, tokens, 2)
    torch.testing.assert_close(got, by_cross_entropy(300 * logits, tokens, 2))


@pytest.mark.task("answer_logprobs")
def test_property_all_tokens_of_a_place_sum_to_one(impl, seed):
    logits, tokens = logits_and_tokens(seed, 1, 4, 5)
    total = 0.0
    for token in range(5):
        tokens[0, 3] = token
        total = total + impl.answer_logprobs(logits, tokens, 3, 0.6).exp()
    torch.testing.assert_close(total, torch.ones(1, 1))


@pytest.mark.task("answer_logprobs")
@pytest.mark.parametrize("prompt_len", [-1, 0, 5, 6])
def test_bad_input_no_prompt_or_no_answer(impl, seed, prompt_len):
    with pytest.raises(ValueError):
        impl.answer_logprobs(*logits_and_tokens(seed, 2, 5, 3), prompt_len)


def test_a_masked_mean_is_over_all_real_tokens():
    x, mask = torch.tensor([[1.0, 2.0], [6.0, 100.0]]), torch.tensor([[True, True], [True, False]])
    assert masked_mean(x, mask) == 3


def test_the_prompts_last_logits_guess_the_first_answer_token():
    logits = torch.full((1, 3, 4), -30.0)
    logits[0, 1, 2] = 30.0  # after the second of two prompt tokens, token 2 is certain
    assert answer_logprobs(logits, torch.tensor([[0, 1, 2]]), 2).item() == pytest.approx(0, abs=1e-6)
