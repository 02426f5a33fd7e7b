"""Entropy and its relatives: the oracle is torch.distributions, and SciPy where PyTorch has none."""

import math

import pytest
import torch
from entropy_plotter.entropy import by_token, cross_entropy, kl_divergence, perplexity, surprisal, varentropy
from hypothesis import given, settings
from hypothesis import strategies as st


def rows(seed, *shape, scale=3.0):
    return scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.task("entropy")
def test_oracle_values_and_gradients(impl, seed):
    logits, upstream = rows(seed, 3, 5, 11).requires_grad_(), rows(seed + 1, 3, 5)
    got, want = impl.entropy(logits), torch.distributions.Categorical(logits=logits).entropy() / math.log(2)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)  # float64: another order of the same sum
    gradients = [torch.autograd.grad((h * upstream).sum(), logits)[0] for h in (got, want)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


@pytest.mark.task("entropy")
def test_known_values_in_bits(impl):
    inf = math.inf
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, -inf, -inf], [7.0, -inf, -inf, -inf]])
    torch.testing.assert_close(impl.entropy(logits), torch.tensor([2.0, 1.0, 0.0]))


@pytest.mark.task("entropy")
def test_a_long_tail_of_unlikely_tokens_counts(impl):
    logits = torch.full((30_001,), -15.0, dtype=torch.float64)
    logits[0] = 0
    p, rest = (math.exp(x) / (1 + 30_000 * math.exp(-15)) for x in (0, -15))
    want = -p * math.log2(p) - 30_000 * rest * math.log2(rest)
    assert float(impl.entropy(logits)) == pytest.approx(want, rel=1e-9)


@pytest.mark.task("entropy")
def test_property_a_constant_changes_nothing_and_the_uniform_row_is_the_maximum(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 13), st.floats(-50, 50), st.integers(0, 2**20))
    def holds(tokens, constant, seed):
        logits = rows(seed, 2, tokens)
        found = impl.entropy(logits)
        torch.testing.assert_close(impl.entropy(logits + constant), found, rtol=0, atol=1e-9)
        assert (found >= -1e-12).all() and (found <= math.log2(tokens) + 1e-9).all()

    holds()


@pytest.mark.task("entropy")
def test_effect_a_higher_temperature_leaves_more_open(impl, seed):
    logits = rows(seed, 64, 31)
    cold, mild, hot = (float(impl.entropy(logits / t).mean()) for t in (0.3, 1.0, 3.0))
    assert cold + 0.8 < mild < hot - 0.8


def test_surprisal_is_the_log_of_the_probability_and_its_mean_the_entropy(seed):
    logits, probs = rows(seed, 7, 5), rows(seed, 7, 5).softmax(-1)
    every = torch.arange(5).expand(7, 5)
    bits = torch.stack([surprisal(logits, every[:, i]) for i in range(5)], dim=-1)
    torch.testing.assert_close(bits, -probs.log2(), rtol=0, atol=1e-12)
    own = torch.distributions.Categorical(logits=logits).entropy() / math.log(2)
    torch.testing.assert_close((probs * bits).sum(-1), own, rtol=0, atol=1e-12)
    spread = (probs * (bits - own[:, None]) ** 2).sum(-1)
    torch.testing.assert_close(varentropy(logits), spread, rtol=0, atol=1e-11)


def test_varentropy_is_zero_for_uniform_and_certain_rows():
    logits = torch.tensor([[1.0, 1.0, 1.0], [0.0, -math.inf, -math.inf]])
    torch.testing.assert_close(varentropy(logits), torch.zeros(2))


def test_divergence_is_scipys_and_infinite_where_the_model_misses_a_token(seed):
    from scipy.stats import entropy as scipy_entropy  # imported here: it takes a second, in every graded run

    logits, probs = rows(seed, 6), rows(seed + 1, 6).softmax(-1)
    want = scipy_entropy(probs.numpy(), logits.softmax(-1).numpy(), base=2)
    assert float(kl_divergence(logits, probs)) == pytest.approx(want, abs=1e-12)
    own = scipy_entropy(probs.numpy(), base=2)
    assert float(cross_entropy(logits, probs)) == pytest.approx(want + own, abs=1e-12)
    holed = logits.clone()
    holed[2] = -math.inf
    assert float(kl_divergence(holed, probs)) == math.inf
    missing = probs.clone()
    missing[2] = 0
    assert math.isfinite(float(kl_divergence(holed, missing / missing.sum())))


def test_perplexity_of_a_uniform_model_is_the_number_of_tokens():
    assert perplexity(torch.zeros(9, 17), torch.arange(9)) == pytest.approx(17, rel=1e-6)


def test_by_token_looks_at_the_logits_before_each_token(seed):
    logits, tokens = rows(seed, 5, 7), torch.tensor([3, 1, 6, 0, 2])
    surprisals, entropies = by_token(logits, tokens)
    want = [-float(logits[t].softmax(-1)[tokens[t + 1]].log2()) for t in range(4)]
    assert surprisals.tolist() == pytest.approx(want, abs=1e-12) and len(entropies) == 4
    with pytest.raises(ValueError, match="tokens=1: a text of at least two"):
        by_token(logits[:1], tokens[:1])
