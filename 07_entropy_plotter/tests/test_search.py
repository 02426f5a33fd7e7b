"""Beam search against every text there is; its two relatives against their definitions."""

import itertools
import math

import pytest
import torch
from entropy_plotter import Config, NGram, Transformer, beam_search, contrastive_search, diverse_beam_search, generate


def model(seed=0, V=5):
    return NGram(torch.randint(V, (90,), generator=torch.Generator().manual_seed(seed)).tolist(), V, 3)


@torch.no_grad()
def log_prob(lm, prompt, new):
    row = torch.tensor([[*prompt, *new]])
    logs = lm(row)[0].log_softmax(-1).double()
    return sum(float(logs[len(prompt) - 1 + i, token]) for i, token in enumerate(new))


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_oracle_a_wide_beam_is_exhaustive_search(alpha, seed):
    """Every text of up to 3 tokens that ends with token 0, or has 3 tokens."""
    lm, prompt = model(seed), [1, 2]
    texts = [t for n in (1, 2, 3) for t in itertools.product(range(5), repeat=n)]
    texts = [t for t in texts if 0 not in t[:-1] and (t[-1] == 0 or len(t) == 3)]
    want = sorted((log_prob(lm, prompt, t) / len(t) ** alpha for t in texts), reverse=True)[:7]
    got = beam_search(lm, torch.tensor(prompt), 3, num_beams=125, alpha=alpha, stop_token=0)[:7]
    assert [b.score for b in got] == pytest.approx(want, abs=1e-5)
    assert all(b.log_prob == pytest.approx(log_prob(lm, prompt, b.tokens), abs=1e-5) for b in got)


def test_one_beam_is_greedy_and_more_beams_find_no_worse():
    lm, prompt = (
        Transformer(
            Config(
                5,
                8,
                layers=1,
                heads=1,
                width=8,
            ),
            seed=3,
        ).eval(),
        torch.tensor([1, 4]),
    )
    one = beam_search(lm, prompt, 6, 1)[0]
    assert one.tokens == generate(lm, prompt[None], 6)[0, 2:].tolist()
    best = beam_search(lm, prompt, 6, 5**4)[0]
    assert best.log_prob >= one.log_prob - 1e-9
    assert math.isclose(best.log_prob, log_prob(lm, [1, 4], best.tokens), abs_tol=1e-5)


def test_a_length_penalty_finds_longer_texts():
    lm, prompt = model(1), torch.tensor([2])
    short = beam_search(lm, prompt, 8, 200, alpha=0.0, stop_token=0)[0]
    long = beam_search(lm, prompt, 8, 200, alpha=1.0, stop_token=0)[0]
    assert len(long.tokens) >= len(short.tokens) and long.log_prob <= short.log_prob


def test_diverse_groups_avoid_each_others_tokens():
    lm, prompt = model(2), torch.tensor([1, 2])
    alike = diverse_beam_search(lm, prompt, 5, groups=3, diversity=0.0)
    apart = diverse_beam_search(lm, prompt, 5, groups=3, diversity=100.0)
    assert len({tuple(b.tokens) for b in alike}) == 1
    for step in zip(*(b.tokens for b in apart), strict=True):
        assert len(set(step)) == 3
    assert apart[0].tokens == alike[0].tokens and apart[1].log_prob < apart[0].log_prob
    assert apart[1].log_prob == pytest.approx(log_prob(lm, [1, 2], apart[1].tokens), abs=1e-5)


def test_contrastive_search_is_greedy_at_alpha_0_and_avoids_what_it_has_said():
    lm = Transformer(Config(11, 40, layers=1, heads=1, width=8), seed=4).eval()
    prompt = torch.tensor([3, 5, 7])
    greedy = generate(lm, prompt[None], 12)[0]
    assert torch.equal(contrastive_search(lm, prompt, 12, alpha=0.0), greedy)
    other = contrastive_search(lm, prompt, 12, k=6, alpha=0.9)
    assert len(set(other.tolist())) > len(set(greedy.tolist()))


def refused():
    yield lambda p: beam_search(model(), p, 0, 2)
    yield lambda p: beam_search(model(), p[:0], 2, 2)
    yield lambda p: diverse_beam_search(model(), p, 3, 0)
    yield lambda p: contrastive_search(model(), p, 3, alpha=1.5)


@pytest.mark.parametrize("call", list(refused()))
def test_bad_input(call):
    with pytest.raises(ValueError, match="at least 1|alpha from 0 to 1"):
        call(torch.tensor([1, 2]))
