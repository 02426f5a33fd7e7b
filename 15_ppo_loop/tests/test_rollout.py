"""Sampling: what is kept is what a fresh forward pass says, and the answers are samples of the policy."""

import pytest
import torch
from ppo_loop import EOS, PAD, Config, Decoder, answer_logprobs, sample


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_kept_logprobs_are_those_of_a_forward_pass(temperature):
    model = Decoder(Config(7, 12), seed=1)
    prompts = torch.randint(2, 7, (64, 3), generator=torch.Generator().manual_seed(0))
    rollout = sample(model, prompts, 9, torch.Generator().manual_seed(1), temperature)
    with torch.no_grad():
        fresh = answer_logprobs(model(rollout.tokens), rollout.tokens, 3, temperature)
    torch.testing.assert_close(rollout.logprobs[rollout.mask], fresh[rollout.mask])
    assert (rollout.logprobs[~rollout.mask] == 0).all()


def test_an_answer_ends_with_its_stop_token():
    model = Decoder(Config(5, 12), seed=1)
    rollout = sample(model, torch.full((128, 2), 3), 10, torch.Generator().manual_seed(1))
    assert rollout.tokens.shape == (128, 12) and rollout.ended.any() and not rollout.ended.all()
    for tokens, mask, ended in zip(rollout.tokens[:, 2:], rollout.mask, rollout.ended, strict=True):
        n = int(mask.sum())
        assert mask[:n].all() and (tokens[n:] == PAD).all() and EOS not in tokens[: n - 1]
        assert (tokens[n - 1] == EOS) == ended and (ended or n == 10)
    assert rollout.real[:, :2].all() and torch.equal(rollout.real[:, 2:], rollout.mask)


def test_samples_are_as_frequent_as_they_are_probable():
    model = Decoder(Config(5, 12), seed=4)
    rollout = sample(model, torch.full((4000, 2), 3), 1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        want = model(torch.full((1, 2), 3))[0, -1].softmax(-1)
    got = torch.bincount(rollout.tokens[:, 2], minlength=5) / 4000
    assert (got - want).abs().max() < 4 * 0.5 / 4000**0.5  # four standard errors


def test_the_same_generator_gives_the_same_answers():
    model, prompts = Decoder(Config(7, 12), seed=1), torch.full((4, 2), 3)
    a, b, c = (sample(model, prompts, 6, torch.Generator().manual_seed(s)).tokens for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_cost_one_new_token_a_step():
    class Counting(Decoder):
        seen = ()

        def forward(self, tokens, cache=None):
            self.seen = (*self.seen, tuple(tokens.shape))
            return super().forward(tokens, cache)

    model = Counting(Config(7, 12), seed=1)
    sample(model, torch.full((16, 3), 3), 5, torch.Generator().manual_seed(0))
    assert model.seen == ((16, 3), *[(16, 1)] * 4)


@pytest.mark.parametrize(("temperature", "new"), [(0.0, 3), (-1.0, 3), (1.0, 0)])
def test_bad_input_temperature_and_length(temperature, new):
    with pytest.raises(ValueError):
        sample(Decoder(Config(5, 6)), torch.zeros(1, 2, dtype=torch.long), new, torch.Generator(), temperature)
