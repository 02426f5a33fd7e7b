"""Encodings to try a test on: each is called as `rotary(q, k, positions)`. RELATIVE ones must pass, the rest must not.

All compute in float64 and take positions of up to tens of thousands; q and k are (B, H, T, D) with D a multiple of 4.
"""

import torch
from rope_animator import apply_rope, sinusoidal_table
from rope_animator.extend import yarn
from rope_animator.rope import angles, turn
from rope_animator.sinusoidal import frequencies


def turned(x, positions, sign=1, layout="half", scaled=None):
    theta = frequencies(x.shape[-1]) if scaled is None else scaled.frequencies
    return turn(x, sign * angles(positions, theta), layout)


def half(q, k, positions):
    return apply_rope(q, k, positions)


def interleaved(q, k, positions):
    return apply_rope(q, k, positions, layout="interleaved")


def another_base(q, k, positions):
    return apply_rope(q, k, positions, base=500.0)


def clockwise(q, k, positions):
    return turned(q, positions, -1), turned(k, positions, -1)


def half_of_the_coordinates(q, k, positions):
    middle = q.shape[-1] // 2
    return tuple(torch.cat((turned(x[..., :middle], positions), x[..., middle:]), -1) for x in (q, k))


def with_yarns_temperature(q, k, positions):
    scaled = yarn(q.shape[-1], 10_000.0, 4.0, 64)
    return tuple(scaled.temperature * turned(x, positions, scaled=scaled) for x in (q, k))


def opposite_signs(q, k, positions):
    return turned(q, positions), turned(k, positions, -1)


def queries_only(q, k, positions):
    return turned(q, positions), k


def two_layouts(q, k, positions):
    return turned(q, positions), turned(k, positions, layout="interleaved")


def positions_ignored(q, k, positions):
    return q, k


def counted_from_zero(q, k, positions):
    return apply_rope(q, k, torch.arange(q.shape[2]))


def added_not_turned(q, k, positions):
    table = sinusoidal_table(int(positions.max()) + 1, q.shape[-1])[positions].double()
    return q + table, k + table


def table_that_ends(q, k, positions):
    return apply_rope(q, k, positions.clamp(max=511))


def angles_in(dtype, q, k, positions):
    angle = (positions.to(dtype)[:, None] * frequencies(q.shape[-1]).to(dtype)).double()
    return turn(q, angle, "half"), turn(k, angle, "half")


def half_precision_angles(q, k, positions):
    return angles_in(torch.float16, q, k, positions)


def single_precision_angles(q, k, positions):
    return angles_in(torch.float32, q, k, positions)


RELATIVE = [half, interleaved, another_base, clockwise, half_of_the_coordinates, with_yarns_temperature]
NOT_RELATIVE = [
    opposite_signs,
    queries_only,
    two_layouts,
    added_not_turned,
    positions_ignored,
    counted_from_zero,
    table_that_ends,
    half_precision_angles,
    single_precision_angles,
]
