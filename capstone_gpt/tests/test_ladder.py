"""The rungs: each against an oracle, and the effects that the lectures are about."""

import math

import numpy as np
import pytest
import torch
from given import integers

from capstone_gpt import Value, kneser_ney
from capstone_gpt.ladder import FastKneserNey, MLPModel, Names, WaveNetModel, backprop, drawn
from capstone_gpt.ladder.climb import climb, counted, crossings, rungs
from capstone_gpt.ladder.initialisation import he, signals, unscaled, xavier

WORDS = ["anna", "hannah", "nana", "otto", "ana", "tanno", "hanno", "atto", "toto", "nora"] * 3


@pytest.mark.parametrize("order", [1, 2, 4])
def test_fast_counts_equal_plain_counts(order):
    tokens = integers(0, 5, 300)
    x, y = integers(1, 6, 20, 6), integers(2, 6, 20, 6)
    y[:, :-1] = x[:, 1:]
    fast = FastKneserNey(tokens.numpy(), order, 6).probabilities(x.numpy(), y.numpy())
    for row in range(20):
        contexts = [tuple(x[row, : j + 1].tolist()) for j in range(6)]
        plain = kneser_ney(tokens.tolist(), contexts, order, 6)
        assert fast[row] == pytest.approx(plain[range(6), y[row]].numpy(), rel=1e-12)
    with pytest.raises(ValueError):
        FastKneserNey(tokens.numpy(), 30, 6)


def test_oracle_every_gradient_of_the_mlp_by_hand():
    p = {n: t.requires_grad_() for n, t in backprop.parameters(7, 3, 4, 11, seed=0).items()}
    x, y = integers(1, 7, 13, 3), integers(2, 7, 13)
    loss, kept = backprop.forward(p, x, y)
    want = dict(zip(p, torch.autograd.grad(loss, list(p.values())), strict=True))
    with torch.no_grad():
        got = backprop.gradients(p, x, y, {n: t.detach() for n, t in kept.items()})
    for name in p:
        torch.testing.assert_close(got[name], want[name], rtol=0, atol=1e-14)


def test_names_as_contexts_and_as_sequences_hold_the_same_targets():
    names = Names(WORDS)
    x, y = names.contexts("train", 4)
    sx, sy = names.sequences("train", 8)
    assert y.tolist() == sy[sy != -100].tolist() and len(sx) == 27
    first = names.splits["train"][0]
    assert x[0].tolist() == [0, 0, 0, 0] and y[len(first)] == 0
    assert torch.equal(sx[:, 1:][sy[:, 1:] != -100], sy[:, :-1][sy[:, 1:] != -100])


def test_effect_initialisation_keeps_or_loses_the_signal_in_depth():
    good, bad = signals(he, "relu"), signals(unscaled, "relu")
    assert 0.3 < good["output"][-1] / good["output"][0] < 3 and bad["output"][-1] > 1e6
    tanh, flat = signals(xavier, "tanh"), signals(unscaled, "tanh")
    assert max(tanh["saturated"]) < 0.35 and min(flat["saturated"]) > 0.7
    assert 0.2 < tanh["gradient"][0] / tanh["gradient"][-1] < 5
    linear = signals(xavier, "linear", depth=2)
    assert linear["output"][0] == pytest.approx(1.0, abs=0.1)


def test_models_begin_at_the_uniform_loss():
    torch.manual_seed(0)
    x, y = integers(0, 27, 400, 8), integers(1, 27, 400)
    for model in (MLPModel(27, 8), MLPModel(27, 8, depth=2, batch_norm=True), WaveNetModel(27)):
        loss = torch.nn.functional.cross_entropy(model(x), y).item()
        assert loss == pytest.approx(math.log(27), abs=0.15)
    with pytest.raises(ValueError):
        WaveNetModel(27, context=6)


def test_a_wavenet_sees_every_character():
    torch.manual_seed(0)
    model, x = WaveNetModel(9, context=8).eval(), integers(0, 9, 1, 8)
    for place in range(8):
        other = x.clone()
        other[0, place] = (other[0, place] + 1) % 9
        assert not torch.equal(model(other), model(x))


def test_every_rung_learns_something():
    names = Names(WORDS)
    for rung in rungs(names.vocab_size):
        loss, size = climb(names, rung, 0.3, 0)
        assert loss < 0.9 * math.log(names.vocab_size) and size > 1000, rung
    assert counted(names, 3)[0] < counted(names, 1)[0] - 0.5


def test_crossings():
    ((seconds, loss),) = crossings([1, 10, 100], [2.0, 2.0, 2.0], [3.0, 2.5, 1.5])
    assert seconds == pytest.approx(math.sqrt(1000)) and loss == pytest.approx(2.0)
    assert crossings([1, 10], [2.0, 2.0], [2.5, 2.4]) == []


def test_a_graph_as_text():
    a = Value(2.0)
    output = (a * 3.0 + a).tanh()
    output.backward()
    lines = drawn(output).split("\n")
    assert lines[0].startswith("v0 = tanh  data 1, grad 1") and lines[-1] == "    v3  (see above)"
    assert np.isfinite(a.grad)
