"""Initialisation and what it does to signal and gradient at 24 layers: the papers' effects, with margins."""

import math
from itertools import pairwise

import pytest
import torch
from norm_activation import Network, Plain, dead_units, examine, init_std
from norm_activation.dynamics import histogram, update_ratios


def health(seed=0, N=256, **settings):
    generator = torch.Generator().manual_seed(seed)
    network = Network(Plain(**settings), 64, 10, generator)
    x = torch.randn(N, 64, generator=generator)
    classes = torch.randint(10, (N,), generator=generator)
    return examine(network, x, lambda logits: torch.nn.functional.cross_entropy(logits, classes))


def test_init_std_is_torchs():
    for name, call in (("xavier", torch.nn.init.xavier_normal_), ("he", torch.nn.init.kaiming_normal_)):
        weight = call(torch.empty(700, 500))
        assert float(weight.std()) == pytest.approx(init_std(name, 500, 700), rel=0.01)
    assert init_std("depth-scaled", 1, 1, 12) == 0.02 / math.sqrt(24)
    with pytest.raises(ValueError, match="scheme='glorot'"):
        init_std("glorot", 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_effect_he_keeps_relu_and_xavier_loses_it(seed):
    he, xavier = (health(seed, activation="relu", init=i).signal for i in ("he", "xavier"))
    assert 0.2 < he[-1] / he[0] < 5
    assert xavier[-1] / xavier[0] < 1e-2  # theory: 2^(-23/2), 3e-4


@pytest.mark.parametrize("seed", range(3))
def test_effect_the_gradient_vanishes_with_sigmoid_and_explodes_with_large_weights(seed):
    sigmoid = health(seed, activation="sigmoid", init="xavier").gradient
    assert sigmoid[0] / sigmoid[-1] < 1e-9
    large = health(seed, activation="relu", init="normal 1").gradient
    assert large[0] / large[-1] > 1e9


@pytest.mark.parametrize("norm", ["layer", "rms", "batch"])
def test_effect_a_norm_makes_the_init_irrelevant(norm):
    for init in ("normal 0.02", "normal 1"):
        signal = health(activation="relu", init=init, norm=norm).signal
        assert max(signal) / min(signal) < 3


def test_effect_a_very_negative_bias_kills_relu_but_not_gelu():
    assert health(layers=2, bias=-5.0).dead[0] > 0.9
    assert health(layers=2, bias=0.0).dead[0] < 0.05
    assert health(layers=2, bias=-5.0, norm="layer").dead[0] < 0.05, "a norm after the bias brings the units back"


def test_a_norm_keeps_gradient_ratios_between_layers_moderate():
    gradient = health(activation="relu", init="he", norm="layer").gradient
    assert all(0.2 < a / b < 5 for a, b in pairwise(gradient))


def test_dead_units_updates_and_histograms_are_counted():
    assert dead_units(torch.tensor([[0.0, 1.0, -1.0], [0.0, -1.0, -2.0]])) == pytest.approx(2 / 3)
    assert update_ratios([torch.ones(4)], [torch.full((4,), 1.001)]) == pytest.approx([0.001], rel=1e-3)
    shares = histogram(torch.tensor([-0.9, 0.1, 0.2, 5.0]), -1, 1, 2)
    assert shares == [0.25, 0.5]
