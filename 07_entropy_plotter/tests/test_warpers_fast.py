"""The fast forms keep exactly what the plain ones and `transformers` keep, on GPT-2's vocabulary and on nasty rows."""

import pytest
import torch
from entropy_plotter import top_p_fast, warp_fast, warpers, warpers_fast
from transformers.generation import logits_process as hf

V = 50_257


def rows(seed, scale, count=3, V=V):
    return scale * torch.randn(count, V, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [0.1, 3.0, 6.0])
@pytest.mark.parametrize("p", [0.3, 0.9, 1.0])
def test_top_p_is_the_plain_one_and_that_of_transformers(scale, p, seed):
    logits = rows(seed, scale)
    want = hf.TopPLogitsWarper(p)(None, logits.clone())
    assert torch.equal(warpers.top_p(logits, p), want)
    assert torch.equal(top_p_fast(logits, p), want)


@pytest.mark.parametrize("scale, k", [(0.1, 50), (3.0, 50), (6.0, 1), (3.0, 40), (3.0, V)])
def test_the_fused_form_is_the_chain(scale, k, seed):
    logits = rows(seed, scale)
    want = logits / 0.7
    for step in (hf.TopKLogitsWarper(k), hf.TopPLogitsWarper(0.95)):
        want = step(None, want)
    torch.testing.assert_close(warp_fast(logits, 0.7, k, 0.95), want, rtol=1e-6, atol=0)


def test_ties_and_small_rows_go_the_plain_way(seed):
    for logits in (rows(seed, 2.0, 4).round(), rows(seed, 2.0, 4, V=7), torch.zeros(2, V), rows(seed, 3.0, 2).round()):
        for p in (0.2, 0.5, 0.9):
            assert torch.equal(top_p_fast(logits, p), warpers.top_p(logits, p))
            want = warpers.top_p(warpers.top_k(logits / 1.0, 20), p)
            assert torch.equal(warp_fast(logits, 1.0, 20, p), want)


def test_a_row_that_hides_its_large_logits_from_the_sample_is_still_right():
    logits = torch.zeros(1, V)
    logits[0, 1::16] = 9.0  # no large logit at the sampled places
    assert torch.equal(top_p_fast(logits, 0.9), warpers.top_p(logits, 0.9))


def test_other_formats_and_gradients_go_the_plain_way():
    logits = rows(0, 3.0, 2, V=997)
    for other in (logits.bfloat16(), logits.double(), logits.clone().requires_grad_()):
        assert torch.equal(top_p_fast(other, 0.8), warpers.top_p(other, 0.8))


def test_cost_the_fast_way_is_taken_nearly_always(monkeypatch):
    """Counted: of 200 peaked rows, at most two fall back to the sort."""
    calls, plain = [], warpers.top_p
    monkeypatch.setattr(warpers_fast.warpers, "top_p", lambda *a: calls.append(1) or plain(*a))
    top_p_fast(rows(1, 5.0, 200, V=5_003), 0.9)
    assert len(calls) <= 2


def refused():
    yield lambda x: top_p_fast(x, 0.0)
    yield lambda x: warp_fast(x, 0.0, 5, 0.9)
    yield lambda x: warp_fast(x, 1.0, 0, 0.9)
    yield lambda x: warp_fast(x, 1.0, 5, 2.0)


@pytest.mark.parametrize("call", list(refused()))
def test_bad_input(call):
    with pytest.raises(ValueError):
        call(torch.zeros(1, 5))
