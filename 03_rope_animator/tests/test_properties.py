"""What must hold for all inputs: the relative-position property, kept lengths, fast forms equal to plain ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rope_animator import apply_rope, frequencies, interpolate, sinusoidal_table
from rope_animator.decay import aligned_score, decay_bound
from rope_animator.extend import linear
from rope_animator.lab.model import SCHEMES, Config, TinyLM
from rope_animator.rope import (
    LAYOUTS,
    angles,
    apply_rope_complex,
    half_from_interleaved,
    join_pairs,
    rotate,
    rotate_complex,
    rotate_heads,
    split_pairs,
)
from rope_animator.rope_fast import RotaryEmbedding
from torch.testing import assert_close


def unit(seed, *shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True)


@settings(max_examples=200, deadline=None)
@given(
    m=st.integers(0, 4096),
    n=st.integers(0, 4096),
    shift=st.integers(0, 4096),
    half=st.integers(1, 64),
    layout=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 10**6),
    base=st.sampled_from([10.0, 1e4, 1e6]),
)
def test_scores_depend_on_the_distance_alone(m, n, shift, half, layout, seed, base):
    """To 1e-12 for vectors of length 1: positions up to 8,192 times the rounding of float64 are 9e-13."""
    q, k = unit(seed, 1, 1, 1, 2 * half), unit(seed + 1, 1, 1, 1, 2 * half)

    def score(at_q, at_k):
        rotated_q, _ = apply_rope(q, q, torch.tensor([at_q]), base, layout)
        _, rotated_k = apply_rope(k, k, torch.tensor([at_k]), base, layout)
        return (rotated_q * rotated_k).sum().item()

    assert abs(score(m, n) - score(m + shift, n + shift)) < 1e-12


@settings(max_examples=50, deadline=None)
@given(at=st.floats(0, 1e6), half=st.integers(1, 40), layout=st.sampled_from(LAYOUTS), seed=st.integers(0, 10**6))
def test_lengths_are_kept(at, half, layout, seed):
    q = unit(seed, 1, 2, 3, 2 * half)
    rotated, _ = apply_rope(q, q, torch.full((3,), at, dtype=torch.float64), layout=layout)
    assert_close(rotated.norm(dim=-1), q.norm(dim=-1), rtol=1e-12, atol=0)


@settings(max_examples=50, deadline=None)
@given(shift=st.integers(0, 500), p=st.integers(0, 500), half=st.integers(1, 20))
def test_the_sinusoidal_table_rotates_by_the_rotary_angles(shift, p, half):
    """PE(p + k) from PE(p): (sin, cos) rotate backwards by k theta. The two schemes share one rotation."""
    table = sinusoidal_table(p + shift + 1, 2 * half).double()
    moved = rotate(table[p].unflatten(0, (-1, 2)), -shift * frequencies(2 * half)).flatten()
    assert_close(moved, table[p + shift], rtol=0, atol=1e-6)  # a float32 table


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_round_trip_and_the_permutation_joins_the_layouts(layout):
    x = torch.arange(10.0).expand(3, 10)
    assert torch.equal(join_pairs(split_pairs(x, layout), layout), x)
    assert torch.equal(split_pairs(x[..., half_from_interleaved(10)], "half"), split_pairs(x, "interleaved"))


def test_the_real_form_is_the_complex_form():
    q, k = unit(0, 2, 3, 7, 10), unit(1, 2, 3, 7, 10)
    at = torch.arange(7) + 100
    for a, b in zip(apply_rope_complex(q, k, at), apply_rope(q, k, at, layout="interleaved"), strict=True):
        assert_close(a, b, rtol=0, atol=1e-14)
    pairs, angle = unit(2, 5, 3, 2), unit(3, 5, 3)
    assert_close(rotate(pairs, angle), rotate_complex(pairs, angle), rtol=0, atol=1e-15)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("start", [0, 17])
def test_the_fast_form_is_the_plain_form(layout, start):
    """Both round the same float64 cosines to float32; the products may differ in the last place."""
    x = unit(4, 2, 3, 13, 16).float()
    rotary = RotaryEmbedding(16, 40, 500.0, layout)
    want, _ = apply_rope(x, x, torch.arange(13) + start, 500.0, layout)
    assert_close(rotary(x, start), want, rtol=0, atol=2e-7)
    out = torch.full_like(x, torch.nan)
    assert rotary(x, start, out) is out
    assert_close(out, want, rtol=0, atol=2e-7)


def test_the_interleaved_form_may_overwrite_its_input():
    x = unit(5, 1, 2, 5, 8).float()
    want = RotaryEmbedding(8, 5, layout="interleaved")(x)
    assert_close(RotaryEmbedding(8, 5, layout="interleaved")(x, out=x), want, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (1, 3, 1, 4), (2, 1, 5, 2)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_smallest_shapes(shape, layout):
    x = torch.ones(shape)
    assert_close(
        RotaryEmbedding(shape[-1], 8, layout=layout)(x, 2),
        apply_rope(x, x, torch.arange(shape[2]) + 2, layout=layout)[0],
        rtol=0,
        atol=2e-7,
    )


def test_squeezed_positions_are_slowed_frequencies():
    x, at = unit(6, 1, 1, 32, 8), torch.arange(32)
    by_position = apply_rope(x, x, interpolate(at, 8, 32))[0]
    assert_close(
        by_position, rotate_heads(x, angles(at, linear(8, 10_000.0, 4.0).frequencies), "half"), rtol=0, atol=1e-14
    )


def test_the_decay_bound_is_the_one_that_abel_summation_gives():
    """|score| <= P times the mean |S_j| times the largest step between neighbouring products q_i conj(k_i)."""
    dim, distance = 32, torch.tensor([1, 5, 20, 100])
    bound = decay_bound(distance, dim)
    for seed in range(20):
        q, k = (unit(seed + 100 * i, dim) for i in range(2))
        products = (
            torch.view_as_complex(q.unflatten(0, (-1, 2))) * torch.view_as_complex(k.unflatten(0, (-1, 2))).conj()
        )
        steps = torch.cat((products[1:], torch.zeros(1, dtype=products.dtype))) - products
        angle = distance.double()[:, None] * frequencies(dim)
        score = (products * torch.polar(torch.ones_like(angle), angle)).sum(1).real.abs()
        assert (score <= bound * (dim // 2) * steps.abs().max() + 1e-12).all()


def test_the_decay_curve_is_the_papers():
    """Su et al. 2021, figure 2: head of 128, base 10,000. At distance 0 every S_j is j: a mean of 32.5."""
    got = decay_bound(torch.tensor([0, 10, 50, 100, 256]), 128)
    assert_close(got, torch.tensor([32.5, 17.95, 12.63, 10.23, 6.54], dtype=torch.float64), rtol=0, atol=0.01)
    assert aligned_score(torch.tensor([0]), 128).item() == 1.0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_models_are_causal_and_differ_in_positions_only(scheme):
    torch.manual_seed(0)
    model = TinyLM(Config(11, scheme, trained_len=12, dim=16, num_heads=2))
    x = torch.randint(11, (2, 12))
    later = x.clone()
    later[:, 8:] = (x[:, 8:] + 1) % 11
    assert_close(model(x)[:, :8], model(later)[:, :8], rtol=0, atol=1e-5)
    extra = {"learned": 12 * 16, "t5": 32 * 2}.get(scheme, 0)
    base = TinyLM(Config(11, "none", trained_len=12, dim=16, num_heads=2))
    assert sum(map(torch.numel, model.parameters())) == sum(map(torch.numel, base.parameters())) + extra
