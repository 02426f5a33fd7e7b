"""The numbers of the workbook's worked examples, to the digits that it prints, and its claims about break-it cells."""

import math

import pytest
import torch
from by_hand import float64
from rope_animator import (
    alibi_slopes,
    apply_rope,
    frequencies,
    interpolate,
    rotary_attention,
    rotate,
    sinusoidal_table,
)
from rope_animator.lab import record
from rope_animator.lab.break_it import EXPERIMENTS
from torch.testing import assert_close

WORKBOOK = (record.FOLDER / "starter.ipynb").read_text(encoding="utf-8")


def test_frequencies_by_hand():
    assert_close(frequencies(4), float64([1, 0.01]))
    assert_close(frequencies(8), float64([1, 0.1, 0.01, 0.001]))
    assert [round((2 * math.pi / t).item(), 1) for t in frequencies(4)] == [6.3, 628.3]


def test_the_table_by_hand():
    assert sinusoidal_table(2, 4)[0].tolist() == [0, 1, 0, 1]
    assert [round(v, 3) for v in sinusoidal_table(2, 4)[1].tolist()] == [0.841, 0.540, 0.010, 1.000]


def test_one_pair_by_hand():
    quarter = rotate(float64([[1, 0], [0, 1]]), float64(math.pi / 2))
    assert_close(quarter, float64([[0, 1], [-1, 0]]), rtol=0, atol=1e-15)


def test_a_query_by_hand():
    q = float64([1, 1, 0, 0]).view(1, 1, 1, 4)
    rotated, _ = apply_rope(q, q, torch.tensor([1]))
    assert [round(v, 3) for v in rotated.flatten().tolist()] == [0.540, 1.000, 0.841, 0.010]
    pair = float64([1, 0]).view(1, 1, 1, 2)
    assert_close(apply_rope(pair, pair, torch.tensor([3]))[0].flatten(), float64([math.cos(3), math.sin(3)]))


def test_attention_by_hand():
    q, k, v = torch.randn(3, 1, 1, 1, 4)
    assert torch.equal(rotary_attention(q, k, v, torch.tensor([17])), v)


def test_slopes_by_hand():
    assert alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    assert_close(alibi_slopes(12), 2.0 ** -torch.tensor([1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5]))
    assert alibi_slopes(3).tolist() == [2.0**-4, 2.0**-8, 2.0**-2]


def test_interpolation_by_hand():
    assert interpolate(torch.tensor([4, 31]), 8, 32).tolist() == [1, 7.75]
    assert interpolate(torch.tensor([4]), 8, 5).tolist() == [4]


def test_yarns_attention_factor_by_hand():
    factor = 0.1 * math.log(4) + 1
    assert (round(factor, 3), round(factor**2, 2), round(factor, 2)) == (1.139, 1.30, 1.14)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_break_it_cell_runs_its_experiment_and_states_its_claim(name):
    assert f'break_it.show(\\"{name}\\")' in WORKBOOK
    assert EXPERIMENTS[name].claim in WORKBOOK
