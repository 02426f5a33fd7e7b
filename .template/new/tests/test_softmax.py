"""Softmax: the oracle is torch's own, in values and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.task("softmax")
@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_oracle_values_and_gradients(impl, seed, temperature):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, 5, 7, dtype=torch.float64, generator=generator, requires_grad=True)
    upstream = torch.randn(3, 5, 7, dtype=torch.float64, generator=generator)
    got, want = impl.softmax(scores, temperature), torch.softmax(scores / temperature, -1)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)  # float64 has sixteen digits
    gradients = [torch.autograd.grad((p * upstream).sum(), scores)[0] for p in (got, want)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-13)


@pytest.mark.task("softmax")
def test_oracle_rows_of_very_different_size(impl):
    scores = torch.tensor([[0.0, 1.0, 300.0], [-600.0, -602.0, -601.0]])
    torch.testing.assert_close(impl.softmax(scores), torch.softmax(scores, -1))


@pytest.mark.task("softmax")
def test_property_rows_sum_to_one_and_a_constant_changes_nothing(impl):
    @settings(deadline=None, max_examples=30)  # quick, and a busy machine is no failure
    @given(st.integers(1, 11), st.floats(-1e4, 1e4), st.integers(0, 2**20))
    def holds(tokens, constant, seed):
        scores = torch.randn(2, tokens, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        probabilities = impl.softmax(scores)
        torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, dtype=torch.float64))
        torch.testing.assert_close(impl.softmax(scores + constant), probabilities, rtol=1e-9, atol=1e-9)

    holds()


@pytest.mark.task("softmax")
def test_effect_a_higher_temperature_is_flatter(impl, seed):
    scores = torch.randn(64, 31, generator=torch.Generator().manual_seed(seed))
    entropy = [float(torch.special.entr(impl.softmax(scores, t)).sum(-1).mean()) for t in (0.2, 1.0, 5.0)]
    assert entropy[0] + 0.5 < entropy[1] < entropy[2] - 0.2


@pytest.mark.task("softmax")
@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_bad_input_a_temperature_that_is_not_positive(impl, temperature):
    with pytest.raises(ValueError):
        impl.softmax(torch.zeros(2, 3), temperature)
