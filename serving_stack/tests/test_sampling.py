"""Sampling: probabilities by transformers' warpers and by frequency, randomness by generator."""

import pytest
import torch

from serving_stack import SamplingParams


def generators(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def logits_of(seed, rows, vocab=13):
    return 2 * torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed))


def distribution(logits, temperature, top_p):
    """The probabilities of one row: the likeliest tokens that reach `top_p` together, scaled to a sum of one."""
    p = (logits / temperature).softmax(-1)
    likeliest, order = p.sort(descending=True)
    p[order[likeliest.cumsum(-1) - likeliest >= top_p]] = 0  # those before reach it without this one
    return p / p.sum()


SETTINGS = [(1.0, 1.0), (0.5, 1.0), (1.7, 0.7), (1.0, 0.3)]


@pytest.mark.parametrize("temperature, top_p", SETTINGS)
def test_oracle_the_distribution_is_that_of_transformers(seed, temperature, top_p):
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    for logits in logits_of(seed, 50):
        warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(temperature)(None, logits[None]))
        torch.testing.assert_close(distribution(logits, temperature, top_p), warped.softmax(-1)[0])


@pytest.mark.task("sample")
@pytest.mark.parametrize("temperature, top_p", SETTINGS)
def test_property_frequencies_are_the_probabilities(impl, seed, temperature, top_p):
    """1,000 draws: four standard deviations of a frequency are at most 0.064."""
    logits = logits_of(seed, 1)
    want = distribution(logits[0], temperature, top_p)
    g = torch.Generator().manual_seed(seed)
    n = 1000
    tokens, _ = impl.sample(logits.expand(n, -1), [SamplingParams(temperature, top_p)] * n, [g] * n)
    found = torch.bincount(torch.tensor(tokens), minlength=13) / n
    assert (found - want).abs().max() < 0.065
    assert not found[want == 0].any(), "a token that was cut away is never drawn"


@pytest.mark.task("sample")
def test_property_a_request_does_not_notice_its_neighbours(impl, seed):
    """vllm 51226: the same seed, alone, in front and behind, gives the same tokens, and so do greedy rows."""
    logits = logits_of(seed, 6)
    params = [SamplingParams(t) for t in (0.0, 1.0, 2.0, 0.0, 0.7, 1.3)]
    together, logprobs = impl.sample(logits, params, generators(*range(6)))
    for i in range(6):
        alone, logprob = impl.sample(logits[i : i + 1], params[i : i + 1], generators(i))
        assert list(alone) == [together[i]]
        assert float(logprob[0]) == pytest.approx(float(logprobs[i]), abs=1e-6)
    backwards, _ = impl.sample(logits.flip(0), params[::-1], generators(*range(6))[::-1])
    assert list(backwards) == list(together)[::-1]
    assert together[0] == int(logits[0].argmax()) and together[3] == int(logits[3].argmax())


@pytest.mark.task("sample")
def test_oracle_the_inverse_of_the_distribution_function(impl, seed):
    logits = logits_of(seed, 1).expand(50, -1)
    tokens, logprobs = impl.sample(logits, [SamplingParams(0.8)] * 50, generators(*range(50)))
    running = torch.softmax(logits[0].double() / 0.8, -1).cumsum(-1)
    for token, g in zip(tokens, generators(*range(50)), strict=True):
        u = torch.rand(1, generator=g, dtype=torch.float64)
        assert running[token] > u and (token == 0 or running[token - 1] <= u)
    torch.testing.assert_close(logprobs, logits.log_softmax(-1)[0, tokens], rtol=0, atol=1e-5)


@pytest.mark.task("sample")
def test_property_one_number_a_draw_and_none_when_greedy(impl):
    g = generators(3, 4)
    impl.sample(torch.zeros(2, 5), [SamplingParams(0.0), SamplingParams(1.0)], g)
    fresh = generators(3, 4)
    torch.rand(1, generator=fresh[1], dtype=torch.float64)
    for mine, theirs in zip(g, fresh, strict=True):
        assert torch.equal(torch.rand(3, generator=mine), torch.rand(3, generator=theirs))


@pytest.mark.task("sample")
def test_property_top_p_is_reached_by_the_fewest_tokens(impl):
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log().expand(400, 3)
    for top_p, allowed in ((0.4, {1}), (0.6, {1, 2}), (0.9, {0, 1, 2})):
        tokens, _ = impl.sample(logits, [SamplingParams(1.0, top_p)] * 400, generators(*range(400)))
        assert set(tokens) == allowed


@pytest.mark.task("sample")
def test_effect_the_temperature(impl, seed):
    """A high temperature finds many tokens, a low one few."""
    logits = logits_of(seed, 1).expand(300, -1)
    distinct = [
        len(set(impl.sample(logits, [SamplingParams(t)] * 300, generators(*range(300)))[0])) for t in (0.1, 2.0)
    ]
    assert distinct[0] <= 4 and distinct[1] >= 8
