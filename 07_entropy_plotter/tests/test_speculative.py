"""Speculative sampling: the target's distribution by chi-square, whatever the draft; and the count of target passes."""

import math

import pytest
import torch
from entropy_plotter import NGram, SamplingParams, sample, speculative_generate
from entropy_plotter.speculative import expected_tokens
from scipy.special import chdtrc


def distributions(seed, *shape):
    return (1.5 * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))).softmax(-1)


@pytest.mark.task("speculative_accept")
def test_by_hand(impl):
    p, q = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), torch.tensor([[0.8, 0.0, 0.2]])
    accept = impl.speculative_accept
    assert accept(p, q, torch.tensor([0]), torch.tensor([0.6, 0.9])) == [0, 2]  # 0.6 < 0.5 / 0.8, then a bonus token
    assert accept(p, q, torch.tensor([0]), torch.tensor([0.1, 0.9])) == [0, 2]  # the last uniform draws it
    assert accept(p, q, torch.tensor([0]), torch.tensor([0.7, 0.9])) == [1]  # the residual holds token 1 alone
    assert accept(p, q, torch.tensor([2]), torch.tensor([0.0, 0.1])) == [1]  # the target never says token 2


@pytest.mark.task("speculative_accept")
def test_a_rejection_ends_the_round_and_the_last_uniform_draws_from_the_residual(impl):
    p = torch.tensor([[0.1, 0.3, 0.6], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    q = torch.tensor([[0.8, 0.1, 0.1], [1.0, 0.0, 0.0]], dtype=torch.float64)  # the residual at 0: (0, .2, .5)
    for first, last, token in ((0.9, 0.1, 1), (0.2, 0.9, 2), (0.9, 0.2, 1)):
        uniforms = torch.tensor([first, 0.5, last], dtype=torch.float64)
        assert impl.speculative_accept(p, q, torch.tensor([0, 0]), uniforms) == [token]


@pytest.mark.task("speculative_accept")
@pytest.mark.parametrize("last", [0.0, 0.3, 1 - 2**-53])
def test_a_uniform_of_exactly_the_ratio_rejects_and_a_weight_of_zero_is_never_drawn(impl, last):
    p = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    q = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    for uniform, tokens in ((0.5, [1]), (0.9, [1]), (0.4, [0, 1])):
        uniforms = torch.tensor([uniform, last], dtype=torch.float64)
        assert impl.speculative_accept(p, q, torch.tensor([0]), uniforms) == tokens


@pytest.mark.task("speculative_accept")
def test_a_draft_that_is_the_target_is_never_rejected(impl, seed):
    p = distributions(seed, 5, 7)
    uniforms = torch.rand(5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    drafted = torch.tensor([1, 4, 0, 6])
    out = impl.speculative_accept(p, p[:4], drafted, uniforms)
    assert out[:4] == drafted.tolist() and len(out) == 5


def test_oracle_the_first_token_has_the_targets_distribution(impl, seed):
    p, q = distributions(seed, 3, 7), distributions(seed + 1, 2, 7)
    draws = 2_000
    uniforms = torch.rand(draws, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    drafted = torch.stack([sample(q.log()[i].expand(draws, -1), uniforms[:, 3 + i]) for i in range(2)], dim=1)
    first, second = torch.zeros(7), torch.zeros(7)
    for d, u in zip(drafted, uniforms[:, :3], strict=True):
        out = impl.speculative_accept(p, q, d, u)
        first[out[0]] += 1
        if len(out) > 1:
            second[out[1]] += 1
    for seen, want in ((first, p[0] * first.sum()), (second, p[1] * second.sum())):
        assert chdtrc(6, float(((seen - want) ** 2 / want).sum())) > 1e-4


def models():
    tokens = torch.randint(7, (900,), generator=torch.Generator().manual_seed(0)).tolist()
    return NGram(tokens, 7, 3), NGram(tokens, 7, 1)


def test_the_loop_draws_from_the_target(seed):
    from scipy.stats import chisquare  # imported here: it takes a second, in every graded run

    target, draft = models()
    prompt, params = torch.tensor([3, 1]), SamplingParams(temperature=0.8, top_k=5)
    counts = torch.zeros(7, 7, dtype=torch.float64)
    runs = 500
    for i in range(runs):
        out = speculative_generate(target, draft, prompt, 2, gamma=2, params=params, seed=1000 * seed + i).tokens
        counts[out[2], out[3]] += 1
    from entropy_plotter import warp

    want = torch.zeros(7, 7, dtype=torch.float64)
    first = warp(target(prompt[None])[0, -1:].double(), prompt[None], params).softmax(-1)[0]
    for a in range(7):
        text = torch.tensor([[3, 1, a]])
        want[a] = first[a] * warp(target(text)[0, -1:].double(), text, params).softmax(-1)[0]
    assert counts[want == 0].sum() == 0
    big = want * runs >= 5
    observed, expected = counts[big].tolist(), (runs * want[big]).tolist()
    if float(want[~big].sum()) > 0:
        observed, expected = [*observed, float(counts[~big].sum())], [*expected, runs * float(want[~big].sum())]
    scale = sum(observed) / sum(expected)  # rounding
    assert chisquare(observed, [scale * e for e in expected]).pvalue > 1e-4


def test_cost_the_target_runs_once_a_round_and_a_perfect_draft_adds_gamma_plus_one():
    target, draft = models()
    calls = []

    class Counted(NGram):
        def __call__(self, tokens, cache=None):
            calls.append(tokens.shape[1])
            return super().__call__(tokens, cache)

    counted = Counted.__new__(Counted)
    vars(counted).update(vars(target))
    run = speculative_generate(counted, target, torch.tensor([1, 2]), 10, gamma=4)
    assert run.added == [5, 5] and run.acceptance == 1 and calls == [6, 5] and run.tokens_per_pass == 5
    calls.clear()
    run = speculative_generate(counted, draft, torch.tensor([1, 2]), 20, gamma=3)
    assert len(calls) == len(run.added) and sum(run.added) == len(run.tokens) - 2 >= 20


def test_expected_tokens_is_the_geometric_sum():
    assert expected_tokens(0.6, 3) == pytest.approx(1 + 0.6 + 0.36 + 0.216) and expected_tokens(1.0, 4) == 5
    assert math.isclose(expected_tokens(0.0, 4), 1.0)


@pytest.mark.parametrize("prompt, gamma", [(torch.tensor([1]), 0), (torch.tensor([], dtype=torch.long), 2)])
def test_bad_input(prompt, gamma):
    target, draft = models()
    with pytest.raises(ValueError, match="need a prompt, gamma of 1 or more"):
        speculative_generate(target, draft, prompt, 3, gamma=gamma)
