"""Sampling: what is drawn follows the distribution that the parameters describe."""

import pytest
import torch
from kv_speedrun import SamplingParams, sample


def frequencies(logits, sampling_params, seed, draws=20000):
    rows = torch.tensor([logits]).repeat(draws, 1)
    drawn = sample(rows, sampling_params, torch.Generator().manual_seed(seed))
    return drawn.bincount(minlength=len(logits)) / draws


def test_draws_follow_temperature_and_top_k(seed):
    got = frequencies([1.0, 2.0, 0.0, -1.0], SamplingParams(0.7, top_k=3), seed)
    want = (torch.tensor([1.0, 2.0, 0.0, -torch.inf]) / 0.7).softmax(0)
    torch.testing.assert_close(got, want, rtol=0, atol=0.02)  # six standard errors of 20,000 draws


@pytest.mark.parametrize("top_k, want", [(1, [1, 0, 0, 0]), (2, [0.5, 0.5, 0, 0]), (9, [1 / 3, 1 / 3, 1 / 3, 0])])
def test_of_equal_logits_exactly_top_k_are_kept(top_k, want, seed):
    got = frequencies([3.0, 3.0, 3.0, -50.0], SamplingParams(1.0, top_k=top_k), seed)
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float32), rtol=0, atol=0.02)


def test_temperature_zero_is_greedy_and_a_tiny_one_does_not_overflow():
    logits = torch.tensor([[1.0, 5.0, 5.0], [9.0, 0.0, 1.0]])
    for sampling_params in (SamplingParams(), SamplingParams(0.0, top_k=2), SamplingParams(1e-40, top_k=1)):
        assert sample(logits, sampling_params).tolist() == [1, 0]


@pytest.mark.parametrize(
    "args, words",
    [
        ((-1.0,), "temperature=-1.0: must be finite and at least 0"),
        ((float("inf"),), "temperature=inf: must be finite"),
        ((float("nan"),), "temperature=nan: must be finite"),
        ((1.0, 0), "top_k=0: must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(args, words):
    with pytest.raises(ValueError, match=words):
        SamplingParams(*args)
