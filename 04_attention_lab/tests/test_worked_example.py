"""The worked example: every number again, by plain Python, and as README and workbook say it."""

import math

import pytest
from attention_lab import worked_example
from attention_lab.worked_example import TOKENS, K, Q, V


def by_hand(causal):
    weights, outputs = [], []
    for i, q in enumerate(Q):
        scores = [sum(a * b for a, b in zip(q, k, strict=True)) / math.sqrt(2) for k in K]
        e = [0.0 if causal and j > i else math.exp(s) for j, s in enumerate(scores)]
        weights.append([x / sum(e) for x in e])
        outputs.append([sum(w * v[c] for w, v in zip(weights[-1], V, strict=True)) for c in range(2)])
    return weights, outputs


@pytest.mark.parametrize("causal", [True, False])
def test_every_number_by_plain_python(causal):
    steps = worked_example(causal)
    weights, outputs = by_hand(causal)
    for got, want in ((steps.weights, weights), (steps.output, outputs)):
        for row, other in zip(got.tolist(), want, strict=True):
            assert row == pytest.approx(other, abs=1e-15)
    scores = [[sum(a * b for a, b in zip(q, k, strict=True)) for k in K] for q in Q]
    assert steps.scores.tolist() == scores


def test_the_numbers_that_are_written():
    """1/√2 = 0.707; e^0.707 = 2.028; the second row is (1, 2.028) / 3.028."""
    steps = worked_example()
    assert len(TOKENS) == 3
    assert [round(w, 3) for w in steps.weights[1].tolist()] == [0.330, 0.670, 0.0]
    assert [round(w, 3) for w in steps.weights[2].tolist()] == [0.248, 0.248, 0.503]
    assert [round(x, 2) for x in steps.output[1].tolist()] == [1.32, 2.68]
    assert steps.output[2].tolist() == pytest.approx([2, 2])
