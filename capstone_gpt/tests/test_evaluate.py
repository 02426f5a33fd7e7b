"""Evaluation: the mean over targets, in evaluation mode, and training does not notice."""

import math

import pytest
import torch
from given import Drop, generators, integers
from torch import nn
from torch.nn import functional as F

from capstone_gpt import bits_per_byte


def texts(seed, rows=11):
    return integers(seed, 13, rows, 7), integers(seed + 1, 13, rows, 7)


@pytest.mark.task("evaluate")
def test_oracle_one_cross_entropy_over_everything(impl, seed):
    model, (x, y) = Drop(seed).double(), texts(seed)
    with torch.no_grad():
        want = F.cross_entropy(model.eval()(x).flatten(0, 1), y.flatten()).item()
    for batch_size in (1, 3, 4, 11, 32):
        got = impl.evaluate(model, x, y, batch_size)
        assert type(got) is float and got == pytest.approx(want, rel=1e-12)
    assert impl.evaluate(model, x, y) == pytest.approx(want, rel=1e-12)


@pytest.mark.task("evaluate")
@pytest.mark.parametrize("training", [True, False])
def test_the_mode_and_the_generators_are_as_before(impl, seed, training):
    model, (x, y) = Drop(seed).train(training), texts(seed)
    before = generators()
    first = impl.evaluate(model, x, y, 3)
    assert generators() == before
    assert impl.evaluate(model, x, y, 3) == first
    assert model.training is training and model.dropout.training is training


@pytest.mark.task("evaluate")
def test_no_gradients_are_made(impl, seed):
    seen, read = [], []

    class Watches(nn.Module):
        def forward(self, tokens):
            seen.append((torch.is_grad_enabled(), len(tokens), self.training))
            read.append(tokens)
            return F.one_hot(tokens, 13).float()

    x, y = texts(seed)
    impl.evaluate(Watches(), x, y, 4)
    assert torch.equal(torch.cat(read), x)
    assert seen == [(False, 4, False), (False, 4, False), (False, 3, False)] and torch.is_grad_enabled()
    with torch.no_grad():
        impl.evaluate(Watches(), x, y, 4)
        assert not torch.is_grad_enabled()


@pytest.mark.task("evaluate")
def test_a_model_that_is_sure_and_wrong_has_a_finite_loss(impl):
    class Sure(nn.Module):
        def forward(self, tokens):
            return 200.0 * F.one_hot(tokens, 13).float()

    x, _ = texts(0)
    assert impl.evaluate(Sure(), x, (x + 1) % 13, 4) == pytest.approx(200.0)


@pytest.mark.task("evaluate")
def test_the_example_of_the_workbook(impl):
    class Coin(nn.Module):
        def forward(self, tokens):
            return torch.zeros(*tokens.shape, 2)

    assert impl.evaluate(Coin(), torch.zeros(3, 5).long(), torch.ones(3, 5).long(), 2) == pytest.approx(math.log(2))


def test_bits_per_byte():
    assert bits_per_byte(math.log(2), 100, 100) == pytest.approx(1.0)
    assert bits_per_byte(2 * math.log(2), 100, 400) == pytest.approx(0.5)
