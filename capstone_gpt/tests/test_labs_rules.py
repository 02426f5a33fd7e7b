"""The labs' optimizers, fifty steps beside an oracle, on shapes of prime sizes."""

import warnings

import pytest
import torch
from given import randn

from capstone_gpt.labs.update_rules import SGD, Adafactor, Adam, Lion, state_bytes

SHAPES = [(7, 13), (13, 5), (11,)]


def distance(ours, theirs, dtype: torch.dtype, steps: int = 50) -> float:
    """The largest distance of two trajectories on one noisy problem with a fourth power."""
    first = [torch.nn.Parameter(randn(i, *shape).to(dtype)) for i, shape in enumerate(SHAPES)]
    second = [torch.nn.Parameter(p.detach().clone()) for p in first]
    goals = [randn(10 + i, *shape).to(dtype) for i, shape in enumerate(SHAPES)]
    a, b, worst = ours(first), theirs(second), 0.0
    for step in range(steps):
        for parameters in (first, second):
            for i, (p, goal) in enumerate(zip(parameters, goals, strict=True)):
                p.grad = 4 * (p.detach() - goal) ** 3 + 0.3 * randn(1000 + 10 * step + i, *p.shape).to(dtype)
        a.step()
        b.step()
        worst = max(worst, *(float((p - q).detach().abs().max()) for p, q in zip(first, second, strict=True)))
    assert float((first[0] - randn(0, 7, 13)).detach().abs().max()) > 0.01  # they moved
    return worst


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_oracle_sgd(momentum):
    def torchs(p):
        return torch.optim.SGD(p, 1e-3, momentum, weight_decay=0.01)

    assert distance(lambda p: SGD(p, 1e-3, momentum, 0.01), torchs, torch.float64) < 1e-12


def test_oracle_adam_with_l2():
    def torchs(p):
        return torch.optim.Adam(p, 1e-2, (0.9, 0.95), weight_decay=0.1)

    assert distance(lambda p: Adam(p, 1e-2, weight_decay=0.1), torchs, torch.float64) < 1e-12


@pytest.mark.parametrize("lr", [1e-2, None])
def test_oracle_adafactor_is_that_of_transformers(lr):
    from transformers.optimization import Adafactor as Theirs

    def theirs(p):
        return Theirs(p, lr, relative_step=lr is None, scale_parameter=True, weight_decay=0.1)

    assert distance(lambda p: Adafactor(p, lr, weight_decay=0.1), theirs, torch.float64) < 1e-10


def test_oracle_lion_is_its_formula():
    """Algorithm 2 of the paper, one number at a time."""

    class ByHand:
        def __init__(self, parameters):
            self.parameters = list(parameters)
            self.momenta = [[0.0] * p.numel() for p in self.parameters]

        def step(self):
            for p, m in zip(self.parameters, self.momenta, strict=True):
                weights, grads = p.data.view(-1), p.grad.reshape(-1).tolist()
                for i, g in enumerate(grads):
                    c = 0.9 * m[i] + 0.1 * g
                    w = weights[i].item()
                    weights[i] = w - 1e-2 * ((c > 0) - (c < 0) + 0.1 * w)
                    m[i] = 0.99 * m[i] + 0.01 * g

    assert distance(lambda p: Lion(p, 1e-2, weight_decay=0.1), ByHand, torch.float64) < 1e-12


def test_oracle_lion_is_that_of_bitsandbytes():
    """In float32: a sign can differ where the mixture is at the end of float32's digits, so only most weights agree."""
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="the extra `peers` has bitsandbytes")

    def theirs(p):
        return bitsandbytes.optim.Lion(p, 1e-2, weight_decay=0.1, optim_bits=32)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        assert distance(lambda p: Lion(p, 1e-2, weight_decay=0.1), theirs, torch.float32) < 1e-5


def test_bytes_of_state_are_those_of_the_papers():
    p = torch.nn.Parameter(torch.randn(40, 30))
    found = {}
    for name, rule in (("SGD", SGD), ("Adam", Adam), ("Lion", Lion), ("Adafactor", Adafactor)):
        p.grad = torch.randn(40, 30)
        optimizer = rule([p])
        optimizer.step()
        found[name] = state_bytes(optimizer)
    assert found == {"SGD": 0, "Adam": 8, "Lion": 4, "Adafactor": pytest.approx(4 * (40 + 30) / (40 * 30))}


def test_a_rule_is_needed():
    from capstone_gpt.labs.update_rules import Rule

    p = torch.nn.Parameter(torch.zeros(1))
    p.grad = torch.ones(1)
    with pytest.raises(NotImplementedError):
        Rule([p]).step()
