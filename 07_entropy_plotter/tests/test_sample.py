"""Sampling: the distribution by chi-square, the inverse CDF by hand, and texts that do not depend on the batch."""

import math

import pytest
import torch
from entropy_plotter import NGram, SamplingParams, generate, greedy
from entropy_plotter.sample import draw, streams
from scipy.special import chdtrc


@pytest.mark.task("sample")
def test_oracle_chi_square_on_a_hundred_thousand_draws(impl, seed):
    logits = 1.5 * torch.randn(1, 13, generator=torch.Generator().manual_seed(seed))
    uniforms = torch.rand(100_000, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    counts = torch.bincount(impl.sample(logits.expand(100_000, -1), uniforms), minlength=13)
    want = logits.double().softmax(-1)[0] * 100_000
    assert chdtrc(12, float(((counts - want) ** 2 / want).sum())) > 1e-4


@pytest.mark.task("sample")
def test_the_inverse_cdf_by_hand(impl):
    logits = torch.tensor([0.5, 0.25, 0.25]).log().expand(6, -1)
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.74, 0.76, 0.99])
    assert impl.sample(logits, uniforms).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.task("sample")
def test_edges_never_draw_what_is_cut(impl):
    inf = math.inf
    logits = torch.tensor([[-inf, 0.0, 1.0, -inf], [0.0, -inf, -inf, -inf]]).repeat_interleave(2, 0)
    uniforms = torch.tensor([0.0, 1 - 2**-53, 0.0, 1 - 2**-53], dtype=torch.float64)
    assert impl.sample(logits, uniforms).tolist() == [1, 2, 0, 0]


@pytest.mark.task("sample")
def test_a_cumulative_sum_that_ends_below_one_draws_no_token_that_is_cut(impl, seed):
    logits = torch.randn(40, 1009, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    logits[:, -3:] = -math.inf
    uniforms = torch.full((40,), 1 - 2**-53, dtype=torch.float64)
    assert (impl.sample(logits, uniforms) < 1006).all()


@pytest.mark.task("sample")
def test_rare_tokens_have_uniforms_of_their_own(impl):
    logits = torch.tensor([[0.0, -21.0, -21.0], [0.0, -21.0, -21.0], [-21.0, 0.0, -21.0]])  # 7.6e-10 each
    uniforms = 1 - torch.tensor([1.1e-9, 0.4e-9, 1.1e-9], dtype=torch.float64)
    drawn = impl.sample(logits, uniforms)
    assert drawn.tolist() == [1, 2, 1] and drawn.dtype == torch.int64


def small_model():
    tokens = torch.randint(29, (600,), generator=torch.Generator().manual_seed(0)).tolist()
    return NGram(tokens, 29, 2)


def test_a_rows_text_is_the_same_in_any_batch():
    model, prompts = small_model(), torch.randint(29, (5, 3), generator=torch.Generator().manual_seed(1))
    params = SamplingParams(temperature=1.2, top_p=0.95)
    whole = generate(model, prompts, 12, params, seed=4)
    assert torch.equal(generate(model, prompts[:2], 12, params, seed=4), whole[:2])
    assert torch.equal(generate(model, prompts, 12, params, seed=4), whole)
    assert not torch.equal(generate(model, prompts, 12, params, seed=5), whole)


def test_rows_have_streams_of_their_own():
    numbers = torch.stack([draw(streams(0, 4)), draw(streams(1, 4))])
    assert len(set(numbers.flatten().tolist())) == 8


def test_greedy_takes_the_largest_and_zero_new_tokens_are_the_prompt():
    model, prompts = small_model(), torch.tensor([[3, 4]])
    out = generate(model, prompts, 3)
    assert out[0, 2] == greedy(model(prompts)[0, -1]) and generate(model, prompts, 0).tolist() == [[3, 4]]


@pytest.mark.parametrize("prompt, count", [(torch.empty(1, 0, dtype=torch.long), 2), (torch.tensor([[1]]), -1)])
def test_bad_input(prompt, count):
    with pytest.raises(ValueError, match="need a prompt, and 0 or more"):
        generate(small_model(), prompt, count)
