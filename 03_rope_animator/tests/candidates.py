"""Encodings to try a test on. `assert_relative` must accept those in RELATIVE and reject those in NOT_RELATIVE.

Each is called as `rotary(q, k, positions)`, with q and k of shape (B, H, T, D), D a multiple of 4. All compute in
float64 and take positions of up to tens of thousands.
"""

import torch
from rope_animator import apply_rope, sinusoidal_table
from rope_animator.extend import yarn
from rope_animator.rope import angles, rotate_heads
from rope_animator.sinusoidal import frequencies


def rotated(x, positions, sign=1, layout="half"):
    return rotate_heads(x, sign * angles(positions, frequencies(x.shape[-1])), layout)


# ---------------------------------------------------------------- relative


def half_layout(q, k, positions):
    return apply_rope(q, k, positions)


def interleaved_layout(q, k, positions):
    return apply_rope(q, k, positions, layout="interleaved")


def another_base(q, k, positions):
    return apply_rope(q, k, positions, base=500.0)


def clockwise(q, k, positions):
    return rotated(q, positions, -1), rotated(k, positions, -1)


def half_of_the_coordinates(q, k, positions):
    middle = q.shape[-1] // 2
    return tuple(torch.cat((rotated(x[..., :middle], positions), x[..., middle:]), -1) for x in (q, k))


def yarn_with_its_attention_factor(q, k, positions):
    scaling = yarn(q.shape[-1], 10_000.0, 4.0, 64)
    angle = angles(positions, scaling.frequencies)
    return tuple(scaling.attention_factor * rotate_heads(x, angle, "half") for x in (q, k))


# ---------------------------------------------------------------- not relative


def opposite_directions(q, k, positions):
    return rotated(q, positions), rotated(k, positions, -1)


def queries_only(q, k, positions):
    return rotated(q, positions), k


def two_layouts(q, k, positions):
    return rotated(q, positions), rotated(k, positions, layout="interleaved")


def positions_ignored(q, k, positions):
    return q, k


def counted_from_zero(q, k, positions):
    return apply_rope(q, k, torch.arange(q.shape[2]))


def all_at_the_first_position(q, k, positions):
    return apply_rope(q, k, positions[:1].expand(len(positions)))


def added_instead_of_rotated(q, k, positions):
    table = sinusoidal_table(int(positions.max()) + 1, q.shape[-1])[positions].double()
    return q + table, k + table


def table_that_ends(q, k, positions):
    return apply_rope(q, k, positions.clamp(max=989))


def angles_in(dtype, q, k, positions):
    angle = (positions.to(dtype)[:, None] * frequencies(q.shape[-1]).to(dtype)).double()
    return rotate_heads(q, angle, "half"), rotate_heads(k, angle, "half")


def half_precision_angles(q, k, positions):
    return angles_in(torch.float16, q, k, positions)


def single_precision_angles(q, k, positions):
    return angles_in(torch.float32, q, k, positions)


RELATIVE = [
    half_layout,
    interleaved_layout,
    another_base,
    clockwise,
    half_of_the_coordinates,
    yarn_with_its_attention_factor,
]
NOT_RELATIVE = [
    opposite_directions,
    queries_only,
    two_layouts,
    added_instead_of_rotated,
    positions_ignored,
    counted_from_zero,
    all_at_the_first_position,
    table_that_ends,
    half_precision_angles,
    single_precision_angles,
]


def name(encoding):
    """How an encoding is called in a sentence."""
    return encoding.__name__.replace("_", " ")
