"""The classic mistakes of positional encodings as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs. The first setting of a knob is right, and every other one is a mistake.
Two wrong settings make a mistake of their own, with a sentence made of the two.
"""

import math
from functools import partial
from itertools import combinations

import candidates
import torch
from grader import Mistake, combine, error_of
from rope_animator.rope import LAYOUTS, join_pairs, split_pairs

OWN_RESULTS = True
TASKS = [
    "frequencies",
    "sinusoidal_table",
    "rotate",
    "apply_rope",
    "assert_relative",
    "rotary_attention",
    "alibi_slopes",
    "interpolate",
]


def tensor(**named):
    """Tensors under words that a learner understands, and their dtypes."""
    words = {name.replace("_", " "): value for name, value in named.items()}
    return words | {f"dtype of {name}": str(value.dtype) for name, value in words.items()}


def gradients(output, **inputs):
    """Whether a gradient passes to each input, and which: of the output's numbers, weighted by 0, 1, 2, ..."""
    weights = torch.arange(output.numel()).view(output.shape).to(output)
    total, found = (output * weights).sum(), {}
    for word, x in ((word.replace("_", " "), x) for word, x in inputs.items()):
        args = {"retain_graph": True, "allow_unused": True}
        gradient = torch.autograd.grad(total, x, **args)[0] if output.requires_grad else None
        found[f"a gradient passes to {word}"] = gradient is not None
        found[f"the gradient of {word}"] = torch.zeros_like(x) if gradient is None else gradient
    return found


def generator(seed):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- frequencies

HALVED, DOUBLED = "with the exponent i/d instead of 2i/d", "with the exponent 4i/d instead of 2i/d"
TO_ONE = "whose exponents run to 1, so that the last is exactly 1/base"
FROM_ONE = "that start at i = 1, so that the pair of 1 radian a token is missing"
RISING, REVERSED = "that RISE with i: the wavelengths instead of the frequencies", "in the reverse order, slowest first"
TURNS, CYCLES = "in rotations per token, not radians", "multiplied by 2 pi"
IN_FLOAT32, OTHER_BASE = "in float32", "that IGNORE the base given"
TOO_LATE = "that become float64 too late, after they were float32"
EXPONENTS = "whose exponents 2i/d are divided in float32"
ROUNDED_BASE = "whose base is rounded to float32"

FREQUENCIES = {
    "exponent": ["2i/d", HALVED, DOUBLED, TO_ONE, FROM_ONE],
    "direction": ["falling", RISING, REVERSED],
    "unit": ["radians", TURNS, CYCLES],
    "dtype": ["float64", IN_FLOAT32, TOO_LATE, EXPONENTS],
    "given": ["base", OTHER_BASE, ROUNDED_BASE],
}
FREQUENCY_HINTS = {
    HALVED: "How slow is the last pair of a head of 128? It should be near 1/base.",
    DOUBLED: "How slow is the last pair of a head of 128? It should be near 1/base.",
    TO_ONE: "There are d/2 frequencies, and the last is a little above 1/base: what is 2i/d for the last i?",
    FROM_ONE: "What is base^0, and which pair has it?",
    RISING: "Which pair should be the fast one?",
    REVERSED: "Which pair should be the fast one?",
    TURNS: "cos and sin expect radians: how many are one rotation?",
    CYCLES: "The formula has no pi in it: which unit does it give?",
    IN_FLOAT32: "What is left of a frequency's relative error of 6e-8 at position 100,000, in radians?",
    TOO_LATE: "Which dtype has the tensor that you convert? How many digits does it have?",
    EXPONENTS: "Which dtype has torch.arange(0, 6, 2) / 6? How many digits of 1/3 are left?",
    OTHER_BASE: "Does frequencies(16, base=500.0) differ from frequencies(16)?",
    ROUNDED_BASE: "Which dtype has torch.tensor(142857.3)? How many digits of the base are left?",
}


def wrong_frequencies(exponent, direction, unit, dtype, given):
    def frequencies(dim, base=10_000.0):
        if dim < 2 or dim % 2:
            raise ValueError(f"dim={dim} must be even")
        if not 0 < base < math.inf:
            raise ValueError(f"base={base} must be positive and finite")
        base = 10_000.0 if given == OTHER_BASE else base
        base = torch.tensor(base).double() if given == ROUNDED_BASE else base
        i = torch.arange(dim // 2, dtype=torch.float32 if dtype == TOO_LATE else torch.float64)
        powers = {"2i/d": 2 * i / dim, HALVED: i / dim, DOUBLED: 4 * i / dim, FROM_ONE: 2 * (i + 1) / dim}
        power = powers.get(exponent, i / max(1, dim // 2 - 1))
        power = power.float().double() if dtype == EXPONENTS else power
        theta = base ** (power if direction == RISING else -power)
        theta = theta.flip(0) if direction == REVERSED else theta
        theta = theta * {TURNS: 1 / (2 * math.pi), CYCLES: 2 * math.pi}.get(unit, 1)
        return theta.float() if dtype == IN_FLOAT32 else theta.double()

    return frequencies


def a_head_of_16(impl, seed):
    return tensor(the_frequencies=impl.frequencies(16))


def another_width_and_base(impl, seed):
    return tensor(the_frequencies=impl.frequencies(6 + 2 * (seed % 50), 500.0), small_base=impl.frequencies(6, 0.5))


def a_head_of_128(impl, seed):
    """base^126 is more than a float64 holds."""
    return tensor(the_frequencies=impl.frequencies(128))


def two_bases_and_one_width(impl, seed):
    base = 300.0 + seed % 50  # not the default, which a version that ignores the base has too
    first, other = impl.frequencies(8, base), impl.frequencies(8, 20.7 + seed % 50)
    return tensor(at_first=first, with_another_base=other, with_the_first_base_again=impl.frequencies(8, base))


def one_two_and_four_pairs(impl, seed):
    return tensor(one_pair=impl.frequencies(2), two_pairs=impl.frequencies(4), four_pairs=impl.frequencies(8))


def twelve_digits(impl, seed):
    """Float64 keeps 16 digits, float32 seven."""
    found = {}
    bases = {"the base 10,000": 10_000.0, "a base of many digits": 142_857.3 + seed % 50, "the base 5,000,000": 5e6}
    calls = {f"with {words}": (22, base) for words, base in bases.items()}
    calls |= {"with the base 0.00001": (22, 1e-5), "with a width of 256": (256, 10_000.0)}
    for words, (dim, base) in calls.items():
        theta = impl.frequencies(dim, base)
        right = torch.tensor([base ** (-2 * i / dim) for i in range(dim // 2)], dtype=torch.float64)
        close = theta.shape == right.shape and bool(((theta - right) / right).abs().max() < 1e-12)
        found[f"the frequencies have twelve right digits {words}"] = close
    theta = impl.frequencies(22, 10_000.0)
    found["float32 holds every frequency exactly"] = bool((theta.float().double() == theta).all())
    return found


def a_base_of_one(impl, seed):
    """Every pair rotates by one radian."""
    return tensor(the_frequencies=impl.frequencies(8, 1.0))


def frequencies_asked_for_by_name(impl, seed):
    return tensor(the_frequencies=impl.frequencies(base=500.0, dim=8))


def widths_and_bases_that_are_refused(impl, seed):
    bad = {f"dim {dim}": (dim, 10_000.0) for dim in (0, 1, 7, -1, -2, -3)}
    bad |= {f"base {base}": (8, base) for base in (0.0, -1.0, math.inf, -math.inf, math.nan)}
    return {what: error_of(lambda dim=dim, base=base: impl.frequencies(dim, base)) for what, (dim, base) in bad.items()}


# ---------------------------------------------------------------- sinusoidal_table

SWAPPED, SEPARATE = "with sine and cosine SWAPPED", "with all sines first and all cosines after, not side by side"
EACH_ITS_OWN = "in which every column has a frequency of its own, so that no column pairs with another"
COUNTED_FROM_1, ROUNDED = "with positions counted from 1", "whose positions are rounded to bfloat16"
IN_FLOAT64, TABLE_BASE = "in float64", "that IGNORES the base given"
TABLE_ANGLES, LEARNED = "whose angles are float32", "that asks for a gradient, as if it were learned"
TABLE_THETA = "whose frequencies are float32, though its angles are float64"

SINUSOIDAL = {
    "trig": ["sine first", SWAPPED],
    "columns": ["interleaved", SEPARATE],
    "exponent": ["2i/d", HALVED, EACH_ITS_OWN],
    "start": ["0", COUNTED_FROM_1, ROUNDED],
    "dtype": ["float32", IN_FLOAT64, TABLE_ANGLES, TABLE_THETA, LEARNED],
    "given": ["base", TABLE_BASE],
}
SINUSOIDAL_HINTS = {
    SWAPPED: "At position 0, which columns should be zero?",
    SEPARATE: "The two numbers of one frequency make one pair: which columns hold the first pair?",
    HALVED: "i counts pairs, not columns: what is the last frequency?",
    EACH_ITS_OWN: "A position k further on should be a rotation of each pair: can it be, if sine and cosine have "
    "different frequencies?",
    COUNTED_FROM_1: "What are the sine and the cosine of the first token's angle?",
    ROUNDED: "Which integers above 256 can bfloat16 represent?",
    IN_FLOAT64: "Which dtype do embeddings have? In which dtype does the task want the table?",
    TABLE_ANGLES: "An angle of 3,500 radians in float32: how far away is the next one?",
    TABLE_THETA: "What is a relative error of 6e-8 in a frequency at position 100,000, in radians?",
    LEARNED: "Which numbers of a sinusoidal table does training change?",
    TABLE_BASE: "Does a table with base=500.0 differ from one with the default base?",
}


def wrong_table(trig, columns, exponent, start, dtype, given):
    def sinusoidal_table(max_seq_len, dim, base=10_000.0):
        if max_seq_len < 1:
            raise ValueError(f"max_seq_len={max_seq_len} must be at least 1")
        base = 10_000.0 if given == TABLE_BASE else base
        if dim < 2 or dim % 2 or not 0 < base < math.inf:
            raise ValueError(f"dim={dim}, base={base} must be even and positive")
        pair = torch.arange(dim // 2, dtype=torch.float64).repeat_interleave(2)
        columns_ = torch.arange(dim, dtype=torch.float64)
        power = {"2i/d": 2 * pair, HALVED: pair}.get(exponent, columns_) / dim
        positions = torch.arange(max_seq_len, dtype=torch.float64) + (start == COUNTED_FROM_1)
        positions = positions.bfloat16().double() if start == ROUNDED else positions
        theta = base**-power
        theta = theta.float().double() if dtype == TABLE_THETA else theta
        angle = positions[:, None] * theta
        if dtype == TABLE_ANGLES:
            angle = positions.float()[:, None] * theta.float()
        even = torch.arange(dim) % 2 == 0
        table = torch.where(even == (trig == "sine first"), angle.sin(), angle.cos())
        if columns == SEPARATE:
            table = torch.cat((table[:, ::2], table[:, 1::2]), -1)
        return table if dtype == IN_FLOAT64 else table.float().requires_grad_(dtype == LEARNED)

    return sinusoidal_table


def five_positions(impl, seed):
    return tensor(the_table=impl.sinusoidal_table(5, 6))


def more_positions_and_columns(impl, seed):
    return tensor(the_table=impl.sinusoidal_table(11 + seed % 50, 10, 300.0))


def tables_of_one_and_two_positions(impl, seed):
    return tensor(one_position=impl.sinusoidal_table(1, 4), two_positions=impl.sinusoidal_table(2, 4))


def two_bases_and_one_size(impl, seed):
    first, other = impl.sinusoidal_table(5, 6), impl.sinusoidal_table(5, 6, 20.7 + seed % 50)
    return tensor(at_first=first, with_another_base=other, with_the_first_base_again=impl.sinusoidal_table(5, 6))


def two_widths_and_one_number_of_rows(impl, seed):
    base = 71.7 + seed % 50
    return tensor(six_columns=impl.sinusoidal_table(4, 6, base), two_columns=impl.sinusoidal_table(4, 2, base))


def a_width_of_128(impl, seed):
    return tensor(the_table=impl.sinusoidal_table(3, 128))


def positions_beyond_256(impl, seed):
    return tensor(rows_257_300_and_511=impl.sinusoidal_table(512, 8)[[257, 300, 511]])


def far_rows(impl, seed):
    """Angles in float64 give every row to 3e-8, the rounding of float32; angles in float32 are off by 1e-4 here."""
    table, p = impl.sinusoidal_table(5000, 4, 2.0), torch.arange(4900, 5000).double()
    angle = p * 2.0**-0.5
    columns = {"sines": (table[4900:, 2], angle.sin()), "cosines": (table[4900:, 3], angle.cos())}
    off = {words: (got.double() - want).abs().max() for words, (got, want) in columns.items()}
    right = {f"{w} of rows 4,900 to 4,999 are right to {m}": bool(off[w] < m) for w in off for m in (1e-7, 1e-6, 1e-5)}
    turns = torch.complex(table[4900:, 3], table[4900:, 2]).to(torch.complex128)
    apart = (turns[1:] / turns[:-1] - turns[1] / turns[0]).abs().max()
    return right | {
        "needs a gradient": table.requires_grad,
        "each of these rows is the one before, rotated by one and the same angle, to 1e-5": bool(apart < 1e-5),
    }


def rows_beyond_32_768(impl, seed):
    return tensor(the_last_rows=impl.sinusoidal_table(33_003, 2)[33_000:])


def a_table_of_one_pair(impl, seed):
    return tensor(the_table=impl.sinusoidal_table(4, 2))


def bases_of_one_and_below(impl, seed):
    return tensor(base_1=impl.sinusoidal_table(4, 6, 1.0), base_a_half=impl.sinusoidal_table(4, 6, 0.5))


def a_long_table_and_then_a_short_one(impl, seed):
    return tensor(nine_rows=impl.sinusoidal_table(9, 4, 77.0), three_rows=impl.sinusoidal_table(3, 4, 77.0))


def a_short_table_and_then_a_long_one(impl, seed):
    base = 83.7 + seed % 50  # so that nothing kept from another call fits the first one
    return tensor(three_rows=impl.sinusoidal_table(3, 4, base), nine_rows=impl.sinusoidal_table(9, 4, base))


def a_table_asked_for_by_name(impl, seed):
    return tensor(the_table=impl.sinusoidal_table(base=300.0, dim=4, max_seq_len=3))


def inputs_without_a_table(impl, seed):
    calls = {f"{n} positions": (n, 8) for n in (0, -1)}
    calls |= {f"a width of {d}": (5, d) for d in (0, 1, 7, -2)}
    calls |= {f"a base of {base}": (5, 8, base) for base in (0.0, -1.0, math.inf, -math.inf, math.nan)}
    return {what: error_of(lambda call=call: impl.sinusoidal_table(*call)) for what, call in calls.items()}


# ---------------------------------------------------------------- rotate

CLOCKWISE, OVERWRITTEN = "that rotates CLOCKWISE", "whose second row uses the x that the first row has already changed"
NO_MINUS, REFLECTION = "with BOTH signs positive, which is no rotation", "with a reflection for a rotation"
DEGREES, ANGLES_DTYPE = "with the angle read as degrees", "whose result has the dtype of the angle, not of the pairs"
TRIG = "with sine and cosine SWAPPED"
ROUNDED_ANGLE = "that rounds the angle to the dtype of the pairs before it takes cosine and sine"
DETACHED = "through which no gradient passes"
PAIRS_FLOAT32 = "that calculates in float32, whatever the dtype of the pairs"
ANGLE_FLOAT32 = "that rounds the angle to float32"

ROTATE = {
    "sign": ["counter-clockwise", CLOCKWISE],
    "trig": ["cos, sin", TRIG],
    "order": ["at once", OVERWRITTEN],
    "matrix": ["rotation", NO_MINUS, REFLECTION],
    "unit": ["radians", DEGREES],
    "dtype": ["of the pairs", ANGLES_DTYPE, ROUNDED_ANGLE, PAIRS_FLOAT32, ANGLE_FLOAT32],
    "gradient": ["passes", DETACHED],
}
ROTATE_HINTS = {
    CLOCKWISE: "Where does (1, 0) point after a quarter of a rotation?",
    TRIG: "What should an angle of 0 leave unchanged?",
    OVERWRITTEN: "Is the length of the pair kept? Which x does the matrix multiply?",
    NO_MINUS: "What is the determinant of the matrix?",
    REFLECTION: "Two small rotations should add up: do two of yours?",
    DEGREES: "How much is a quarter of a rotation in the unit of torch.cos?",
    ANGLES_DTYPE: "A float16 query times a float64 cosine: which dtype has the product?",
    ROUNDED_ANGLE: "What is left of an angle of 3,000.4 radians in float16?",
    ANGLE_FLOAT32: "How far apart are neighbouring float32 numbers at 100,000 radians?",
    PAIRS_FLOAT32: "Float64 pairs have 16 digits: how many of them has your result?",
    DETACHED: "How would W_q be trained, if queries are rotated after it?",
}


def wrong_rotate(sign, trig, order, matrix, unit, dtype, gradient):
    def rotate(pairs, angle):
        x, y = (pairs.detach() if gradient == DETACHED else pairs).unbind(-1)
        if dtype == PAIRS_FLOAT32:
            x, y, angle = x.float(), y.float(), angle.float()
        angle = angle.to(pairs.dtype) if dtype == ROUNDED_ANGLE else angle
        angle = angle.float() if dtype == ANGLE_FLOAT32 else angle
        angle = torch.deg2rad(angle) if unit == DEGREES else angle
        cos, sin = angle.cos(), -angle.sin() if sign == CLOCKWISE else angle.sin()
        if dtype != ANGLES_DTYPE:
            cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        if trig == TRIG:
            cos, sin = sin, cos
        s = {"rotation": (-1, 1, 1), NO_MINUS: (1, 1, 1)}.get(matrix, (1, 1, -1))
        first = x * cos + s[0] * y * sin
        new = torch.stack((first, s[1] * (first if order == OVERWRITTEN else x) * sin + s[2] * y * cos), -1)
        return new.to(pairs.dtype) if dtype == PAIRS_FLOAT32 else new

    return rotate


def pairs_and_angles(impl, seed):
    g = generator(seed)
    pairs, angle = torch.randn(3, 5, 2, generator=g).double(), torch.randn(3, 5, generator=g).double()
    return tensor(the_pairs=impl.rotate(pairs, angle))


def one_angle_for_many_pairs(impl, seed):
    pairs = torch.randn(4, 3, 2, generator=generator(seed + 1))
    return tensor(the_pairs=impl.rotate(pairs, torch.tensor([0.0, 0.7, -2.0])))


def many_angles_for_one_pair(impl, seed):
    return tensor(the_pairs=impl.rotate(torch.tensor([0.5, -2.0]), torch.linspace(-7, 7, 11)))


def float16_pairs_and_float64_angles(impl, seed):
    pairs = torch.randn(5, 2, generator=generator(seed + 2)).half()
    angle = torch.linspace(3000, 3001, 5, dtype=torch.float64)
    rotated, exact = impl.rotate(pairs, angle), impl.rotate(pairs.double(), angle)
    near = rotated.shape == exact.shape and bool((rotated.double() - exact).abs().max() < 0.02)
    return {"dtype of the pairs": str(rotated.dtype), "float16 is near float64": near}


def cosines_and_sines_in_float16(impl, seed):
    """(1, 0) becomes (cos, sin), which float16 holds to 0.00025; an angle of 6 it holds to 0.002."""
    angle = torch.linspace(3000, 3006, 64, dtype=torch.float64)
    rotated = impl.rotate(torch.tensor([1.0, 0.0]).half(), angle).double()
    right = torch.stack((angle.cos(), angle.sin()), -1)
    return {"right to 0.001": rotated.shape == right.shape and bool((rotated - right).abs().max() < 1e-3)}


def pairs_of_zeros(impl, seed):
    pairs = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, -2.0]], dtype=torch.float64, requires_grad=True)
    rotated = impl.rotate(pairs, torch.tensor(0.7, dtype=torch.float64))
    if not rotated.requires_grad:
        return tensor(the_pairs=rotated)
    gradient = torch.autograd.grad((rotated * torch.tensor([1.0, 3.0])).sum(), pairs)[0]
    return tensor(the_pairs=rotated, the_gradient=gradient)


def pairs_that_are_a_transposed_view(impl, seed):
    pairs = torch.randn(2, 5, generator=generator(seed + 4)).double().T
    return tensor(the_pairs=impl.rotate(pairs, torch.linspace(0, 2, 5, dtype=torch.float64)))


def twelve_digits_of_a_pair(impl, seed):
    pairs, angle = torch.tensor([[0.6, -1.7]], dtype=torch.float64), torch.tensor([0.7], dtype=torch.float64)
    right = torch.view_as_real(torch.polar(torch.ones_like(angle), angle) * torch.view_as_complex(pairs))
    found, kept = impl.rotate(pairs, angle), impl.rotate(pairs, torch.zeros(1))
    return {
        "float64 pairs have twelve right digits": bool(((found - right) / right).abs().max() < 1e-12),
        "a float32 angle of 0 leaves float64 pairs as they are": kept.dtype == pairs.dtype
        and bool((kept == pairs).all()),
    }


def far_angles_in_float64(impl, seed):
    """Near 100,000 float32 holds an angle to 0.004."""
    angle = torch.linspace(100_000, 100_003, 5, dtype=torch.float64)
    return tensor(float32_pairs=impl.rotate(torch.tensor([1.0, 0.0]), angle))


def half_precision_pairs_and_far_angles(impl, seed):
    """(1, 0) becomes (cos, sin), which bfloat16 holds to 0.002."""
    angle = torch.linspace(1_000_000, 1_000_006, 64, dtype=torch.float64)
    right, found = torch.stack((angle.cos(), angle.sin()), -1), {}
    for dtype in (torch.float16, torch.bfloat16):
        rotated = impl.rotate(torch.tensor([1.0, 0.0]).to(dtype), angle)
        near = rotated.shape == right.shape and bool((rotated.double() - right).abs().max() < 0.005)
        found |= {f"dtype of {dtype} pairs": str(rotated.dtype), f"{dtype} pairs are right to 0.005": near}
    return found


def pairs_and_angles_that_both_broadcast(impl, seed):
    pairs = torch.randn(3, 2, generator=generator(seed + 5))
    angle = torch.tensor([0.3, -1.0, 2.0, 4.0])
    return tensor(
        three_pairs_by_a_row_of_angles=impl.rotate(pairs[:, None], angle[None]),
        three_pairs_by_four_angles=impl.rotate(pairs[:, None], angle),
        a_column_of_angles_by_three_pairs=impl.rotate(pairs, angle[:, None]),
        angles_with_more_axes=impl.rotate(pairs, angle.view(2, 2, 1)),
        as_many_angles_as_pairs_on_another_axis=impl.rotate(pairs, angle[:3, None]),
        pairs_of_many_axes=impl.rotate(pairs.expand(2, 1, 4, 3, 2) + torch.arange(4.0).view(4, 1, 1), angle[:, None]),
        a_row_of_pairs_by_a_column_of_angles=impl.rotate(pairs[None], angle[:3, None]),
    )


def angles_in_half_precision(impl, seed):
    """The cosine of 0.75 in bfloat16 is right to 0.004."""
    found = {}
    for dtype in (torch.float16, torch.bfloat16):
        x, y = impl.rotate(torch.tensor([1.0, 0.0]), torch.tensor([0.75]).to(dtype))[0].double().tolist()
        found[f"an angle in {dtype} is right to 0.01"] = abs(x - math.cos(0.75)) + abs(y - math.sin(0.75)) < 0.01
        found[f"dtype of float32 pairs and {dtype} angles"] = str(
            impl.rotate(torch.ones(3, 2), torch.tensor([0.75]).to(dtype)).dtype
        )
    return found


def pairs_and_angles_in_any_two_dtypes(impl, seed):
    """An angle of 0 changes no pair. bfloat16 holds the cosine of 0.75 to 0.004."""
    kinds, found = (torch.float64, torch.float32, torch.float16, torch.bfloat16), {}
    exact = torch.tensor([[0.6, -1.7], [1.0, 0.0]], dtype=torch.float64)
    right = torch.tensor([math.cos(0.75), math.sin(0.75)], dtype=torch.float64)
    for of_pairs in kinds:
        for of_angle in kinds:
            words, pairs = f"{of_pairs} pairs and {of_angle} angles", exact.to(of_pairs)
            rotated = impl.rotate(pairs, torch.tensor([0.0, 0.75]).to(of_angle))
            found[f"dtype of {words}"] = str(rotated.dtype)
            found[f"{words}: an angle of 0 leaves the pair as it is"] = bool((rotated[0] == pairs[0]).all())
            near = bool((rotated[1].double() - right).abs().max() < 0.01)
            found[f"{words}: an angle of 0.75 is right to 0.01"] = near
    for dtype in (torch.float16, torch.bfloat16):
        angle = torch.tensor(3000.4)
        x, y = impl.rotate(torch.tensor([1.0, 0.0]).to(dtype), angle).double().tolist()
        near = abs(x - math.cos(angle)) < 0.01 and abs(y - math.sin(angle)) < 0.01
        found[f"{dtype} pairs and a float32 angle of 3,000.4 are right to 0.01"] = near
    return found


def one_pair_and_one_angle(impl, seed):
    pair = torch.tensor([3.0, -1.5], dtype=torch.float64)
    angle = torch.tensor(2.5, dtype=torch.float64)
    half = torch.tensor(math.pi, dtype=torch.float64)
    return tensor(
        a_pair=impl.rotate(pair, angle),
        a_pair_by_a_negative_angle=impl.rotate(pair, -angle),
        a_pair_by_half_a_rotation=impl.rotate(pair, half),
        a_float32_pair_by_half_a_rotation=impl.rotate(pair.float(), half.float()),
    )


def slices_and_expanded_views(impl, seed):
    wide, angle = torch.randn(4, 3, generator=generator(seed + 6)).double(), torch.linspace(0, 2, 12).double()
    return tensor(
        a_slice_of_wider_rows=impl.rotate(wide[:, 1:], angle[:4]),
        one_pair_expanded=impl.rotate(wide[:1, :2].expand(4, 2), angle[:4]),
        every_third_angle=impl.rotate(wide[:, :2], angle[::3]),
        one_angle_expanded=impl.rotate(wide[:, :2], angle[5:6].expand(4)),
        transposed_angles=impl.rotate(wide[:, :2], angle.view(4, 3).T),
        a_table_of_pairs_with_its_first_axes_exchanged=impl.rotate(angle.view(2, 3, 2).transpose(0, 1), angle[:2]),
    )


def gradients_in_other_dtypes(impl, seed):
    angle, found = torch.linspace(0, 2, 4, dtype=torch.float64), {}
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        pairs = torch.ones(4, 2, dtype=dtype, requires_grad=True)
        gradient = gradients(impl.rotate(pairs, angle), the_pairs=pairs)["the gradient of the pairs"].double()
        m = torch.arange(8).double().view(4, 2)
        x, y = m[:, 0], m[:, 1]  # rotated back
        right = torch.stack((x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()), -1)
        found[f"the gradient of {dtype} pairs is right to 0.1"] = bool((gradient - right).abs().max() < 0.1)
    return found


def gradients_of_one_pair_and_many_angles(impl, seed):
    pair = torch.tensor([0.5, -2.0], dtype=torch.float64, requires_grad=True)
    return gradients(impl.rotate(pair, torch.linspace(0, 2, 4, dtype=torch.float64)), the_pair=pair)


def a_rotation_asked_for_by_name(impl, seed):
    return tensor(the_pairs=impl.rotate(angle=torch.tensor(0.7), pairs=torch.tensor([[1.0, 2.0], [3.0, -4.0]])))


def gradients_of_the_pairs(impl, seed):
    pairs = torch.randn(5, 2, generator=generator(seed + 3)).double().requires_grad_()
    return gradients(impl.rotate(pairs, torch.linspace(0, 2, 5, dtype=torch.float64)), the_pairs=pairs)


# ---------------------------------------------------------------- apply_rope

NEIGHBOURS, HALVES = "that pairs neighbours (2i, 2i+1) whatever the layout", "that pairs halves whatever the layout"
READ_WRITE = "that takes pairs in one layout and writes them back in the other"
KEYS_BACKWARDS = "with the sign flipped in the keys alone"
QUERIES_BACKWARDS = "with the sign flipped in the queries alone"
MIXED = "whose interleaved layout pairs halves, with each angle at two coordinates side by side"
DEFAULT = "whose DEFAULT layout is the interleaved one"
NO_GRADIENT = "through which no gradient passes"
BOTH_FINER = "that gives queries and keys of two dtypes the finer of the two"
ROPE_FLOAT32 = "that calculates in float32, whatever the dtype of the queries and keys"
KEYS_DTYPE = "that gives the keys the dtype of the queries"
FROM_0, WHOLE = "that IGNORES the positions given and counts from 0", "that rounds positions down to whole numbers"
FROM_FIRST = "that counts on from the first position given instead of using each of them"
KEYS_BASE = "that IGNORES the base given when it rotates the keys"
AS_GIVEN = "whose angles have the dtype of the positions, so that float32 positions give float32 angles"
FIRST_ROW = "that gives every row of the batch the first row's positions"
FLOAT32_ANGLES, FLOAT32_THETA = "whose angles are float32", "whose frequencies are float32"
Q_ANGLES = "whose angles have the dtype of q, so that half precision loses the phase"
NOT_CAST = "that does not cast cosine and sine, so that float16 queries come back as float64"
Q_ONLY, TWICE = "on the queries ONLY", "applied TWICE"
ALL_HEADS = "with one set of frequencies over all heads, as if rotated before the split into heads"
ROPE_BASE, ANY_LENGTH = "that IGNORES the base given", "that rotates keys of another number of tokens than the queries"

ROPE = {
    "pairing": ["as named", NEIGHBOURS, HALVES, READ_WRITE, MIXED],
    "sign": ["forward", CLOCKWISE, KEYS_BACKWARDS, QUERIES_BACKWARDS],
    "exponent": ["2i/d", HALVED],
    "trig": ["cos, sin", TRIG],
    "positions": ["given", FROM_0, FROM_FIRST, WHOLE, FIRST_ROW],
    "precision": [
        "float64",
        FLOAT32_ANGLES,
        FLOAT32_THETA,
        AS_GIVEN,
        Q_ANGLES,
        NOT_CAST,
        KEYS_DTYPE,
        BOTH_FINER,
        ROPE_FLOAT32,
    ],
    "which": ["both", Q_ONLY, TWICE],
    "heads": ["each", ALL_HEADS],
    "given": ["base", ROPE_BASE, KEYS_BASE],
    "lengths": ["equal", ANY_LENGTH],
    "default": ["half", DEFAULT],
    "gradient": ["passes", NO_GRADIENT],
}
ROPE_HINTS = {
    NEIGHBOURS: "In the half layout, which coordinate rotates with coordinate 0?",
    HALVES: "In the interleaved layout, which coordinate rotates with coordinate 0?",
    READ_WRITE: "With all positions 0, is anything moved?",
    CLOCKWISE: "Where does a pair (1, 0) point after a quarter of a rotation?",
    KEYS_BACKWARDS: "Does the score depend on the difference of the two positions, or on their sum?",
    QUERIES_BACKWARDS: "Does the score depend on the difference of the two positions, or on their sum?",
    MIXED: "Do the two coordinates of a pair have the same angle? In the interleaved layout, with which coordinate "
    "does coordinate 0 rotate?",
    HALVED: "How slow is the last pair? It should be near 1/base.",
    TRIG: "What should a token at position 0 look like afterwards?",
    FROM_0: "With 100 tokens in a cache, which position has the next one?",
    FROM_FIRST: "Tokens 0, 10 and 20 of a text: which positions have the second and the third?",
    WHOLE: "What becomes of a position that was squeezed to 2.5?",
    FIRST_ROW: "Two prompts padded on the left by different amounts: do their first words have the same position?",
    FLOAT32_ANGLES: "How far apart are neighbouring float32 numbers at 100,000 radians?",
    FLOAT32_THETA: "What is a relative error of 6e-8 in a frequency at position 100,000, in radians?",
    AS_GIVEN: "A float32 position times a frequency: in which dtype do you multiply?",
    Q_ANGLES: "Which integers above 2,048 can float16 represent?",
    NOT_CAST: "Which dtype has the product of a float16 and a float64 tensor?",
    Q_ONLY: "Shift both tokens by one: does their score stay?",
    TWICE: "At position 1 the first pair rotates by one radian: by how much does yours?",
    ALL_HEADS: "Has every head fast pairs and slow ones, or does the first head have all the fast ones?",
    ROPE_BASE: "Does base=500.0 change your result?",
    KEYS_BASE: "Does base=500.0 change the rotated keys?",
    KEYS_DTYPE: "Queries in float32 and keys in float64: which dtype should the rotated keys have?",
    BOTH_FINER: "Queries in float32 and keys in float64: which dtype should the rotated queries have?",
    ROPE_FLOAT32: "Float64 queries have 16 digits: how many of them has your result?",
    ANY_LENGTH: "One position for a query: which positions do ten keys have?",
    NO_GRADIENT: "How would W_q and W_k be trained, if no gradient reaches them?",
    DEFAULT: "Which layout has a call that names none?",
}
ROPE_ALONE = [*ROPE["precision"][1:], *ROPE["which"][1:], ALL_HEADS, READ_WRITE, MIXED, FROM_FIRST, WHOLE, FIRST_ROW]
ROPE_ALONE += [KEYS_BACKWARDS, QUERIES_BACKWARDS, ROPE_BASE, KEYS_BASE, ANY_LENGTH, DEFAULT, NO_GRADIENT]


def wrong_rope(pairing, sign, exponent, trig, positions, precision, which, heads, given, lengths, default, gradient):
    def rotated(x, at, base, layout, clockwise):
        shape, kept = x.shape, x.dtype
        x = x.float() if precision == ROPE_FLOAT32 else x
        if heads == ALL_HEADS:
            x = x.transpose(1, 2).flatten(2).unsqueeze(1)  # B 1 T HD
        read = {NEIGHBOURS: "interleaved", HALVES: "half", MIXED: "half"}.get(pairing, layout)
        write = LAYOUTS[1 - LAYOUTS.index(read)] if pairing == READ_WRITE else read
        first, second = split_pairs(x, read).unbind(-1)
        i = torch.arange(x.shape[-1] // 2, dtype=torch.float64)
        theta = base ** (-(1 if exponent == HALVED else 2) * i / x.shape[-1])
        theta = theta.float().double() if precision == FLOAT32_THETA else theta
        of_positions = at.dtype if at.is_floating_point() else torch.float64
        kinds = {FLOAT32_ANGLES: torch.float32, Q_ANGLES: x.dtype, AS_GIVEN: of_positions}
        kind = kinds.get(precision, torch.float64)
        angle = (at.to(kind)[..., None] * theta.to(kind)).unsqueeze(-3)
        cos, sin = angle.cos(), (-angle if clockwise else angle).sin()
        if precision != NOT_CAST:
            cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        cos, sin = (sin, cos) if trig == TRIG else (cos, sin)
        if pairing == MIXED and layout == "interleaved":  # cosines of (0, 0, 1, 1, ...), halves of x
            cos, sin = (t.repeat_interleave(2, -1) for t in (cos, sin))
            return x * cos + torch.cat((-second, first), -1) * sin
        y = join_pairs(torch.stack((first * cos - second * sin, first * sin + second * cos), -1), write)
        y = y.to(kept) if precision == ROPE_FLOAT32 else y
        return y.squeeze(1).unflatten(-1, (shape[1], shape[3])).transpose(1, 2) if heads == ALL_HEADS else y

    def apply_rope(q, k, at, base, layout):
        B, T, device = q.shape[0], q.shape[2], q.device
        fits = at.shape in ((T,), (B, T)) and at.dtype not in (torch.float16, torch.bfloat16)
        fits = fits and (k.shape[0], k.shape[3]) == (B, q.shape[3])
        if not fits or (k.shape[2] != T and lengths != ANY_LENGTH):
            raise ValueError("positions must fit the tokens")
        if q.shape[3] % 2 or layout not in LAYOUTS:
            raise ValueError("an odd width or an unknown layout")
        base = 10_000.0 if given == ROPE_BASE else base
        if not 0 < base < math.inf:
            raise ValueError("the base must be positive and finite")
        keys_base = 10_000.0 if given == KEYS_BASE else base
        q, k = (q.detach(), k.detach()) if gradient == NO_GRADIENT else (q, k)
        at = torch.arange(T, device=device) if positions == FROM_0 else at.long() if positions == WHOLE else at
        at = at[..., :1] + torch.arange(T, device=device) if positions == FROM_FIRST else at
        at = at[:1] if positions == FIRST_ROW and at.ndim == 2 else at
        for _ in range(2 if which == TWICE else 1):
            q = rotated(q, at, base, layout, sign in (CLOCKWISE, QUERIES_BACKWARDS))
            k = k if which == Q_ONLY else rotated(k, at, keys_base, layout, sign in (CLOCKWISE, KEYS_BACKWARDS))
        finer = torch.promote_types(q.dtype, k.dtype)
        q = q.to(finer) if precision == BOTH_FINER else q
        return q, k.to({KEYS_DTYPE: q.dtype, BOTH_FINER: finer}.get(precision, k.dtype))

    named = "interleaved" if default == DEFAULT else "half"
    return lambda q, k, positions, base=10_000.0, layout=named: apply_rope(q, k, positions, base, layout)


UNUSABLE_BASES = [0.0, -1.0, math.inf, -math.inf, math.nan]
OTHER_LAYOUTS = ["llama", "Half", "halves", "interleave", "Interleaved", ""]


def queries_and_keys(seed, heads=(3, 3), dtype=torch.float64):
    g = generator(seed)
    return [torch.randn(2, h, 5, 8, generator=g, dtype=torch.float64).to(dtype) for h in heads]


def rotated_pair(impl, *arguments, **options):
    q, k = impl.apply_rope(*arguments, **options)
    return tensor(the_queries=q, the_keys=k)


def half_layout(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed), torch.arange(5))


def interleaved_layout(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 1), torch.arange(5), layout="interleaved")


def tokens_after_a_cache(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 2, heads=(4, 2)), torch.arange(5) + 9 + seed % 90, 500.0, "half")


def positions_of_each_row(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 3), torch.tensor([[2, 3, 4, 5, 6], [0, 0, 0, 1, 2]]))


def positions_between_whole_numbers(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 4), torch.arange(5).double() / 2)


def positions_in_float32(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 4), torch.tensor([0.0, 0.75, 2.0, 50_003.5, 99_998.0]))


def far_positions_between_whole_numbers(impl, seed):
    """Thirds near 100,000: float32 holds them to 0.004."""
    return rotated_pair(impl, *queries_and_keys(seed + 4), torch.arange(5).double() + 100_000 + 1 / 3)


def one_token_of_each_row(impl, seed):
    q, k = (x[:, :, :1] for x in queries_and_keys(seed + 9))
    found = rotated_pair(impl, q, k, torch.tensor([[7], [2]]))
    q, k = impl.apply_rope(q, k, torch.tensor([[7], [2]]), layout="interleaved")
    return found | {"the queries, interleaved layout": q, "the keys, interleaved layout": k}


def queries_and_keys_that_are_transposed_views(impl, seed):
    """Of tensors B H D T, and of tensors B T H D, which a projection makes."""
    found = {}
    for kept, axes in (("B H D T", (2, 3)), ("B T H D", (1, 2))):
        q, k = (x.transpose(*axes).contiguous().transpose(*axes) for x in queries_and_keys(seed + 10, heads=(4, 2)))
        for layout in LAYOUTS:
            both = impl.apply_rope(q, k, torch.arange(5), layout=layout)
            words = [f"the {what} of views of {kept}, {layout} layout" for what in ("queries", "keys")]
            found |= dict(zip(words, both, strict=True))
    return tensor(**found)


def two_bases_and_one_shape(impl, seed):
    q, k = queries_and_keys(seed + 11)
    bases = {"at first": 10_000.0, "with another base": 20.7 + seed % 50, "with the first base again": 10_000.0}
    return tensor(**{words: impl.apply_rope(q, k, torch.arange(5), base)[0] for words, base in bases.items()})


def other_positions_in_the_same_shape(impl, seed):
    q, k = queries_and_keys(seed + 21)
    at = {"at first": 3, "at later positions": 9 + seed % 50, "at the first positions again": 3}  # none counts from 0
    base = 83.7 + seed % 50  # so that nothing kept from another call fits the first one
    return tensor(**{words: impl.apply_rope(q, k, torch.arange(5) + n, base)[0] for words, n in at.items()})


def heads_of_128(impl, seed):
    q = torch.randn(1, 1, 2, 128, generator=generator(seed + 12), dtype=torch.float64)
    return rotated_pair(impl, q, 2 * q, torch.tensor([1, 2]))


def as_many_rows_and_heads_as_tokens(impl, seed):
    """Three of each, so that angles on the wrong axis fit too."""
    q, k = (
        x[:, :, :3].expand(-1, 3, -1, -1)[[0, 1, 0]] + torch.arange(3).view(3, 1, 1) for x in queries_and_keys(seed)
    )
    same, own = torch.tensor([1, 5, 6]), torch.tensor([[0, 1, 2], [4, 5, 6], [0, 0, 1]])
    (a, _), (b, c) = impl.apply_rope(q, k, same), impl.apply_rope(q, k, own)
    return tensor(queries_at_the_same_positions=a, queries_at_their_own=b, keys_at_their_own=c)


def queries_and_keys_of_two_dtypes(impl, seed):
    q, k = queries_and_keys(seed + 7)
    return rotated_pair(impl, q.float(), k, torch.arange(5))


def float64_beside_half_precision(impl, seed):
    """The one must not be rounded for the other's sake."""
    x, at, found = queries_and_keys(seed + 7)[0], torch.arange(5), {}
    for layout in LAYOUTS:
        want = impl.apply_rope(x, x, at, layout=layout)[0]
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            low, exact = impl.apply_rope(x.to(dtype), x, at, layout=layout)
            exact_too, low_too = impl.apply_rope(x, x.to(dtype), at, layout=layout)
            words = f"beside {dtype}, {layout} layout"
            found[f"dtypes {words}"] = [str(y.dtype) for y in (low, exact, exact_too, low_too)]
            off = max(float((y.double() - want).abs().max()) for y in (exact, exact_too))
            found[f"float64 {words}, is right to 1e-12"] = off < 1e-12
            off = max(float((y.double() - want).abs().max()) for y in (low, low_too))
            found[f"what is rounded {words}, is right to 0.05"] = off < 0.05
    return found


def gradients_of_queries_and_keys(impl, seed):
    """Of the rotated coordinates, weighted by 0, 1, 2, ..., in float64; whether one passes, in half precision."""
    found = {}
    for layout in LAYOUTS:
        inputs = [x.requires_grad_() for x in queries_and_keys(seed + 8)]
        q, k = impl.apply_rope(*inputs, torch.arange(5), layout=layout)
        got = gradients(torch.cat((q, k)), the_queries=inputs[0], the_keys=inputs[1])
        found |= {f"{words}, {layout} layout": value for words, value in got.items()}
        low = [x.detach().half().requires_grad_() for x in inputs]
        found[f"a gradient passes in float16, {layout} layout"] = [
            x.requires_grad for x in impl.apply_rope(*low, torch.arange(5), layout=layout)
        ]
        zeros = torch.zeros(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
        got = gradients(impl.apply_rope(zeros, zeros, torch.arange(3), layout=layout)[0], zeros=zeros)
        found[f"the gradient of queries of zeros, {layout} layout"] = got["the gradient of zeros"]
    return found


def positions_in_int16_and_int32(impl, seed):
    inputs, at = queries_and_keys(seed + 13), torch.arange(5) * 4001 + 300
    found = {f"{dtype} positions": impl.apply_rope(*inputs, at.to(dtype))[0] for dtype in (torch.int16, torch.int32)}
    return tensor(**found)


def positions_out_of_order(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 14), torch.tensor([9, 4, 4, 0, 7]))


def one_row_of_positions_for_a_batch_of_one(impl, seed):
    q, k = (x[:1] for x in queries_and_keys(seed + 15))
    return rotated_pair(impl, q, k, torch.tensor([[3, 4, 9, 10, 12]]))


def positions_that_are_views(impl, seed):
    inputs = queries_and_keys(seed + 16)
    views = {
        "one row expanded": torch.tensor([3, 4, 9, 10, 12]).expand(2, 5),
        "a transposed table": torch.tensor([[3, 0], [4, 1], [9, 2], [10, 5], [12, 6]]).T,
        "every second number": torch.tensor([3, 0, 4, 0, 9, 0, 10, 0, 12, 0])[::2],
    }
    return tensor(**{words: impl.apply_rope(*inputs, at)[1] for words, at in views.items()})


def fewer_key_heads_and_rows_of_fractions(impl, seed):
    """In both layouts, with another base given by name, and at last with one key head."""
    at, found = torch.tensor([[0.5, 1.25, 7.0, 8.0, 9.75], [3.0, 2.0, 0.5, 0.25, 11.5]]).double(), {}
    for layout in LAYOUTS:
        for heads in (2, 1):
            q, k = queries_and_keys(seed + 17, heads=(4, heads))
            q, k = impl.apply_rope(q, k, at, layout=layout, base=20.7 + seed % 50)
            words = f"with {heads} key heads, {layout} layout"
            found |= {f"the queries {words}": q, f"the keys {words}": k}
    return tensor(**found)


def queries_and_keys_that_are_expanded_views(impl, seed):
    q, k = (x[:1, :1, :1].expand(2, 3, 5, 8) for x in queries_and_keys(seed + 18))
    return rotated_pair(impl, q, k, torch.arange(5))


def heads_of_256_and_a_large_base(impl, seed):
    q = torch.randn(1, 1, 2, 256, generator=generator(seed + 19), dtype=torch.float64)
    return rotated_pair(impl, q, 2 * q, torch.tensor([3, 5000]), 500_000.0)


def a_rotary_embedding_asked_for_by_name(impl, seed):
    q, k = queries_and_keys(seed + 20)
    got = impl.apply_rope(layout="interleaved", base=300.0, positions=torch.arange(5), k=k, q=q)
    pair = {"the result is a pair": isinstance(got, (tuple, list)) and len(got) == 2}
    return pair | tensor(the_queries=got[0], the_keys=got[1])


def one_token_of_one_pair(impl, seed):
    q = torch.tensor([[[[1.0, 0.0]]]], dtype=torch.float64)
    return rotated_pair(impl, q, 2 * q, torch.tensor([3]))


def one_token_of_two_pairs(impl, seed):
    q = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    return rotated_pair(impl, q, q, torch.tensor([1]))


def far_positions_in_float64(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 5), torch.arange(5) + 100_003)


def twelve_digits_of_queries_and_keys(impl, seed):
    """With one pair, the two layouts are the same, and position 2.1 rotates it by 2.1 radians."""
    pair, at = torch.tensor([0.6, -1.7], dtype=torch.float64), torch.tensor([2.1, 1.0], dtype=torch.float64)
    x, y = pair
    right = torch.stack((x * at.cos() - y * at.sin(), x * at.sin() + y * at.cos()), -1)
    q, found = pair.expand(1, 1, 2, 2), {}
    for layout in LAYOUTS:
        both = impl.apply_rope(q, -q, at, layout=layout)
        close = [bool((z[0, 0] - sign * right).abs().max() < 1e-12) for z, sign in zip(both, (1, -1), strict=True)]
        still = impl.apply_rope(q, -q, torch.zeros(2), layout=layout)
        found[f"the queries, {layout} layout"] = both[0]
        found[f"float64 queries and keys have twelve right digits, {layout} layout"] = close
        found[f"position 0 leaves float64 queries and keys as they are, {layout} layout"] = [
            bool((z == sign * q).all()) for z, sign in zip(still, (1, -1), strict=True)
        ]
    return found


def bases_of_one_and_of_a_half(impl, seed):
    q, k = queries_and_keys(seed + 22)
    return tensor(
        base_1=impl.apply_rope(q, k, torch.arange(5), 1.0)[1],
        base_a_half=impl.apply_rope(q, k, torch.arange(5), 0.5, "interleaved")[0],
    )


def cosines_and_sines_of_queries_in_half_precision(impl, seed):
    """(1, 0) becomes (cos, sin), which bfloat16 holds to 0.002; an angle of 6 it holds to 0.016."""
    x, at, found = torch.zeros(1, 1, 64, 8, dtype=torch.float64), torch.arange(64), {}
    x[..., 0] = 1
    for layout in LAYOUTS:
        exact = impl.apply_rope(x, x, at, layout=layout)[0]
        for dtype, most in ((torch.float16, 1e-3), (torch.bfloat16, 8e-3)):
            both = impl.apply_rope(x.to(dtype), x.to(dtype), at, layout=layout)
            near = [bool((got.double() - exact).abs().max() < most) for got in both]
            found[f"queries and keys in {dtype} are right to {most}, {layout} layout"] = near
    return found


def far_positions_and_float32_queries(impl, seed):
    return rotated_pair(impl, *queries_and_keys(seed + 5, dtype=torch.float32), torch.arange(5) + 100_003)


def far_positions_in_half_precision(impl, seed):
    """Whether queries in float16 and bfloat16 keep the phase where float32 does not resolve it."""
    q, k = queries_and_keys(seed + 6)
    found = {}
    for layout in LAYOUTS:
        exact = impl.apply_rope(q, k, torch.arange(5) + 1_000_003, layout=layout)
        for dtype, most in ((torch.float16, 0.02), (torch.bfloat16, 0.1)):
            coarse = impl.apply_rope(q.to(dtype), k.to(dtype), torch.arange(5) + 1_000_003, layout=layout)
            near = [bool((a - b.double()).abs().max() < most) for a, b in zip(exact, coarse, strict=True)]
            found[f"{dtype} is near float64, {layout} layout"] = near
            found[f"dtypes of {dtype} queries and keys, {layout} layout"] = [str(x.dtype) for x in coarse]
    return found


def far_positions_in_float16(impl, seed):
    """Whether float16 keeps the phase that float64 gives (at positions that float32 still resolves)."""
    q, k = queries_and_keys(seed + 6)
    exact = impl.apply_rope(q, k, torch.arange(5) + 3001)
    coarse = impl.apply_rope(q.half(), k.half(), torch.arange(5) + 3001)
    near = [bool((a - b.double()).abs().max() < 0.05) for a, b in zip(exact, coarse, strict=True)]
    return {"float16 is near float64": near, "dtypes of queries and keys": [str(x.dtype) for x in coarse]}


def inputs_that_do_not_fit(impl, seed):
    q, ten_keys = torch.zeros(2, 3, 5, 4), torch.zeros(2, 3, 10, 4)
    calls = {
        "four positions for five tokens": (q, q, torch.arange(4)),
        "six positions for five tokens": (q, q, torch.arange(6)),
        "one position for five tokens": (q, q, torch.zeros(1)),
        "three rows of positions for a batch of two": (q, q, torch.zeros(3, 5)),
        "one row of positions for a batch of two": (q, q, torch.zeros(1, 5)),
        "positions of shape (T, B)": (q, q, torch.zeros(5, 2)),
        "positions of shape (B, 1)": (q, q, torch.zeros(2, 1)),
        "positions of shape (B, 1, T)": (q, q, torch.zeros(2, 1, 5)),
        "positions of shape (1, 1, T) for a batch of one": (q[:1], q[:1], torch.zeros(1, 1, 5)),
        "positions of shape (B) for one token each": (q[:, :, :1], q[:, :, :1], torch.zeros(2)),
        "a position without dimension for five tokens": (q, q, torch.tensor(3)),
        "a position without dimension for one token": (q[:, :, :1], q[:, :, :1], torch.tensor(3)),
        "no positions": (q, q, torch.zeros(0)),
        "one query, ten keys and one position": (q[:, :, :1], ten_keys, torch.tensor([9])),
        "one query, ten keys and ten positions": (q[:, :, :1], ten_keys, torch.arange(10)),
        "five queries, one key and five positions": (q, q[:, :, :1], torch.arange(5)),
        "a batch of two queries and one of one key": (q, q[:1], torch.arange(5)),
        "a batch of one query and of two keys": (q[:1], q, torch.arange(5)),
        "rows of positions, a batch of two queries and one of one key": (q, q[:1], torch.zeros(2, 5)),
        "rows of positions, five queries and one key": (q, q[:, :, :1], torch.zeros(2, 5)),
        "five queries and one key, interleaved": (q, q[:, :, :1], torch.arange(5), 10_000.0, "interleaved"),
        "a batch of two queries and one of one key, interleaved": (q, q[:1], torch.arange(5), 10_000.0, "interleaved"),
        "two rows of five queries and one row of ten keys": (q, ten_keys[:1], torch.arange(5)),
        "two rows of positions for a batch of one": (q[:1], q[:1], torch.zeros(2, 5)),
        "five positions for one token": (q[:, :, :1], q[:, :, :1], torch.arange(5)),
        "keys of half the width": (q, q[..., :2], torch.arange(5)),
        "keys of twice the width": (q[..., :2], q, torch.arange(5)),
        "an odd width": (q[..., :3], q[..., :3], torch.arange(5)),
        "an odd width, interleaved": (q[..., :3], q[..., :3], torch.arange(5), 10_000.0, "interleaved"),
        "a width of one": (q[..., :1], q[..., :1], torch.arange(5)),
        "positions in bfloat16": (q, q, torch.arange(5).bfloat16()),
        "positions in float16": (q, q, torch.arange(5).half()),
        "rows of positions in float16": (q, q, torch.zeros(2, 5).half()),
        "rows of positions in bfloat16": (q, q, torch.zeros(2, 5).bfloat16()),
        "positions in bfloat16, interleaved": (q, q, torch.arange(5).bfloat16(), 10_000.0, "interleaved"),
        "one position for five tokens, interleaved": (q, q, torch.zeros(1), 10_000.0, "interleaved"),
        "a row of positions for a batch of two, interleaved": (q, q, torch.zeros(1, 5), 10_000.0, "interleaved"),
        "the base 0, interleaved": (q, q, torch.arange(5), 0.0, "interleaved"),
    }
    calls |= {f"the base {base}": (q, q, torch.arange(5), base) for base in UNUSABLE_BASES}
    calls |= {f"the layout {named!r}": (q, q, torch.arange(5), 10_000.0, named) for named in OTHER_LAYOUTS}
    return {what: error_of(lambda call=call: impl.apply_rope(*call)) for what, call in calls.items()}


# ---------------------------------------------------------------- assert_relative

NO_SHIFT = "that never SHIFTS the positions, or lets every change of the scores pass"
NO_FAR = "that never asserts that a shift FAR away, beyond the end of a table, leaves the scores as they are"
VECTORS = "that wants the rotated VECTORS to stay, not their scores"
NO_APART = "that never asserts that scores change when tokens move APART, so that an encoding without positions passes"
WIDE = "that lets angles in SINGLE PRECISION pass, as one with a wide tolerance does"
LENGTHS = "that rejects an encoding which changes the LENGTH of the vectors"
REJECTS, ACCEPTS = "that REJECTS every encoding, the relative ones too", "that ACCEPTS every encoding"

RELATIVE = {
    "shift": ["tried", NO_SHIFT],
    "far": ["tried", NO_FAR],
    "apart": ["tried", NO_APART],
    "tolerance": ["1e-9", WIDE],
    "wants": ["scores", LENGTHS],
}
RELATIVE_HINTS = {
    NO_SHIFT: "Relative means that something may change and the score not: what?",
    NO_FAR: "A table of 990 rows, clamped: when would you notice?",
    NO_APART: "Which property does an encoding that does nothing at all lack?",
    WIDE: "In float64, how much may a score change by rounding alone?",
    LENGTHS: "YaRN multiplies q and k by a factor. Do scores then depend on anything but the distance?",
    VECTORS: "A shift rotates every vector. Which numbers does it leave as they are?",
    REJECTS: "Is each comparison true of a right encoding? Some scores stay even when tokens move apart: which? "
    "Positions of up to tens of thousands, float64 and a tolerance near 1e-9?",
    ACCEPTS: "Which of the wrong encodings does it reject?",
}


def wrong_check(shift, far, apart, tolerance, wants):
    def assert_relative(rotary):
        g = generator(0)
        q, k = (torch.randn(1, 2, 6, 16, generator=g, dtype=torch.float64) for _ in range(2))
        at = torch.tensor([0, 1, 2, 5, 11, 23])

        def scores(positions):
            a, b = rotary(q, k, positions)
            return a @ b.transpose(-1, -2)

        for s in [] if shift == NO_SHIFT else [1, 7] if far == NO_FAR else [1, 7, 4000]:
            change = (scores(at + s) - scores(at)).abs().max()
            assert change < (1e-3 if tolerance == WIDE else 1e-9), "a shift changed a score"
        if apart != NO_APART:
            assert (scores(3 * at) - scores(at)).abs().max() > 1e-3, "positions are ignored"
        if wants == LENGTHS:
            for a, b in zip(rotary(q, k, at), (q, k), strict=True):
                assert (a.norm(dim=-1) - b.norm(dim=-1)).abs().max() < 1e-9, "a length changed"

    return assert_relative


def rejects_everything(rotary):
    raise AssertionError("no")


def wants_the_vectors_to_stay(rotary):
    q, k = (torch.randn(1, 2, 6, 16, generator=generator(i), dtype=torch.float64) for i in range(2))
    at = torch.tensor([0, 1, 2, 5, 11, 23])
    assert (rotary(q, k, at + 100)[0] - rotary(q, k, at)[0]).abs().max() < 1e-9, "a vector changed"


def verdicts(impl, encodings):
    found = {}
    for rotary in encodings:
        try:
            impl.assert_relative(rotary)
            found[candidates.name(rotary)] = "accepted"
        except AssertionError:
            found[candidates.name(rotary)] = "rejected"
    return found


def encodings_that_are_relative(impl, seed):
    return verdicts(impl, candidates.RELATIVE)


def encodings_that_are_not_relative(impl, seed):
    return verdicts(impl, candidates.NOT_RELATIVE)


def what_it_returns(impl, seed):
    return {"the returned value": impl.assert_relative(candidates.half_layout)}


def what_it_calls(impl, seed):
    """The workbook promises what an encoding is called with, and nothing more."""
    whole, inside, shapes, alike = [], [], [], []

    def rotary(q, k, positions):
        whole.append(positions.dtype in (torch.int16, torch.int32, torch.int64))
        inside.append(0 <= int(positions.min()) and int(positions.max()) <= 50_000)
        shapes.append(q.ndim == k.ndim == 4 and q.shape[-1] % 4 == 0 and positions.shape == q.shape[2:3])
        alike.append(q.shape == k.shape)
        return candidates.half_layout(q, k, positions)

    try:
        impl.assert_relative(rotary)
    except AssertionError:
        pass
    return {
        "all positions are integers": all(whole),
        "all positions are from 0 to 50,000": all(inside),
        "all shapes are B H T D and (T), D a multiple of 4": all(shapes),
        "q and k have one shape": all(alike),
    }


def an_encoding_without_a_name(impl, seed):
    """Not every callable is a function."""
    return {"the returned value": impl.assert_relative(partial(candidates.half_layout))}


# ---------------------------------------------------------------- rotary_attention

VALUES_TOO, OUTPUT = "that rotates the VALUES too", "that rotates the OUTPUT instead of queries and keys"
NOTHING, COUNTED = "without any rotation", "that counts positions from 0 instead of using those given"
QUERIES, INTERLEAVED = "that rotates the queries ONLY", "that rotates in the interleaved layout, not in the half one"
UNSCALED, NO_MASK = "WITHOUT the 1/sqrt(d) scale", "WITHOUT the causal mask"
BY_WIDTH, PAST_MASK = "with the scale 1/d instead of 1/sqrt(d)", "whose mask hides the past, not the future"
BY_TOKENS = "with the scale 1/sqrt(T) instead of 1/sqrt(d)"
SELF_ZEROS = "whose mask hides the token itself, so that the first output is zero"
ZERO_HIDES = "that hides every score of exactly 0, and not only the future"
AFTERWARDS = "that hides the future AFTER the softmax, so that the weights do not sum to 1"
ZERO_MASK = "that sets the scores of the future to 0 instead of minus infinity"
SMALL_MASK = "that sets the scores of the future to a finite number instead of minus infinity"
SELF_MASK, POSITION_MASK = "whose mask hides the token itself", "whose mask compares positions, not the order of tokens"
OVER_QUERIES, ATTENTION_BASE = "with the softmax over the queries", "that IGNORES the base given"
PROMOTED = "whose output is float64 whatever the dtype of the inputs"
ATTENTION_FLOAT32 = "in which something is calculated in float32, whatever the dtype of the inputs"

ATTENTION = {
    "rotated": ["q, k", VALUES_TOO, OUTPUT, NOTHING, QUERIES, INTERLEAVED],
    "positions": ["given", COUNTED],
    "scale": ["1/sqrt(d)", UNSCALED, BY_WIDTH, BY_TOKENS],
    "mask": [
        "causal",
        NO_MASK,
        PAST_MASK,
        ZERO_MASK,
        SMALL_MASK,
        SELF_MASK,
        SELF_ZEROS,
        POSITION_MASK,
        ZERO_HIDES,
        AFTERWARDS,
    ],
    "axis": ["keys", OVER_QUERIES],
    "given": ["base", ATTENTION_BASE],
    "dtype": ["of the inputs", ATTENTION_FLOAT32, PROMOTED],
    "gradient": ["passes", NO_GRADIENT],
}
ATTENTION_HINTS = {
    VALUES_TOO: "A weighted sum of values rotated by different angles: who rotates it back?",
    OUTPUT: "Do the weights know the positions of the tokens?",
    NOTHING: "Do the weights know the positions of the tokens?",
    COUNTED: "Tokens 0, 10 and 20 of a text: are they neighbours?",
    UNSCALED: "What is the variance of a dot product of two d-dimensional vectors of unit variance?",
    BY_WIDTH: "What is the standard deviation of a dot product of two d-dimensional vectors of unit variance?",
    QUERIES: "Does the score of a query and a key depend on the key's position?",
    INTERLEAVED: "Which coordinate rotates with coordinate 0?",
    BY_TOKENS: "Does the variance of a dot product depend on the number of tokens?",
    PAST_MASK: "Which of `triu` and `tril` marks the keys after the query?",
    NO_MASK: "Does the first output change when the last value does?",
    ZERO_MASK: "What does softmax make of a score of 0?",
    SMALL_MASK: "What does softmax make of a score of -10,000 when the others are -1,000,000?",
    SELF_MASK: "What may the first token attend to?",
    SELF_ZEROS: "What may the first token attend to?",
    ZERO_HIDES: "A query of zeros: which tokens does it attend to?",
    AFTERWARDS: "Without the future, do the weights of one query still sum to 1?",
    POSITION_MASK: "Two tokens with the same position: may the earlier one see the later one?",
    OVER_QUERIES: "The weights of which tokens add up to 1: those of one query, or those of one key?",
    ATTENTION_BASE: "Does base=300.0 change your result?",
    PROMOTED: "Which dtype has the sum of a float32 tensor and a float64 one?",
    NO_GRADIENT: "How would W_q, W_k and W_v be trained, if no gradient reaches them?",
    ATTENTION_FLOAT32: "Float64 inputs have 16 digits: which step leaves seven of them?",
}


def wrong_attention(rotated, positions, scale, mask, axis, given, dtype, gradient):
    def attention(q, k, v, at, base):
        if not q.shape[2] == k.shape[2] == v.shape[2]:
            raise ValueError("q, k and v must have one length")
        T = q.shape[2]
        q, k, v = (x.detach() if gradient == NO_GRADIENT else x for x in (q, k, v))
        at = torch.arange(T) if positions == COUNTED else at
        base = 10_000.0 if given == ATTENTION_BASE else base
        if rotated == QUERIES:
            q = candidates.apply_rope(q, q, at, base)[0]
        if rotated in ("q, k", VALUES_TOO, INTERLEAVED):
            layout = "interleaved" if rotated == INTERLEAVED else "half"
            q, k = (candidates.apply_rope(x, x, at, base, layout)[0] for x in (q, k))
        v = candidates.apply_rope(v, v, at, base)[0] if rotated == VALUES_TOO else v
        s = q @ k.transpose(-1, -2) * {UNSCALED: 1, BY_WIDTH: 1 / q.shape[-1]}.get(scale, q.shape[-1] ** -0.5)
        s = s * (q.shape[-1] / T) ** 0.5 if scale == BY_TOKENS else s
        future = torch.ones(T, T, dtype=torch.bool).triu(0 if mask in (SELF_MASK, SELF_ZEROS) else 1)
        if mask == PAST_MASK:
            future = future.mT
        if mask == POSITION_MASK:
            future = (at[..., None, :] > at[..., :, None]).unsqueeze(-3)
        if mask == ZERO_HIDES:
            future = s.tril() == 0
        hidden = {ZERO_MASK: 0.0, SMALL_MASK: -100.0}.get(mask, -math.inf)
        s = s if mask in (NO_MASK, AFTERWARDS) else s.masked_fill(future, hidden)
        kind = torch.float32 if dtype == ATTENTION_FLOAT32 else s.dtype
        weights = s.softmax(-2 if axis == OVER_QUERIES else -1, dtype=kind).to(s.dtype)
        weights = weights.nan_to_num() if mask == SELF_ZEROS else weights.tril() if mask == AFTERWARDS else weights
        y = weights @ v
        y = y.double() if dtype == PROMOTED else y
        return candidates.apply_rope(y, y, at, base)[0] if rotated == OUTPUT else y

    return lambda q, k, v, positions, base=10_000.0: attention(q, k, v, positions, base)


def qkv(seed):
    g = generator(seed)
    return [torch.randn(2, 3, 5, 8, generator=g, dtype=torch.float64) for _ in range(3)]


def five_tokens(impl, seed):
    return tensor(the_output=impl.rotary_attention(*qkv(seed), torch.arange(5)))


def one_token(impl, seed):
    q, k, v = (x[:, :, :1] for x in qkv(seed + 1))
    return tensor(
        the_output=impl.rotary_attention(q, k, v, torch.tensor([7])),
        with_a_position_for_each_row=impl.rotary_attention(q, k, v, torch.tensor([[7], [2]])),
    )


def tokens_far_apart(impl, seed):
    return tensor(the_output=impl.rotary_attention(*qkv(seed + 2), torch.tensor([0, 3, 4, 10, 11]), 300.0))


def scores_far_below_zero(impl, seed):
    q, _, v = qkv(seed + 3)
    q, k = 1e5 * q, -1e5 * q
    return tensor(
        the_output=impl.rotary_attention(q, k, v, torch.arange(5)),
        of_float32_inputs=impl.rotary_attention(q.float(), k.float(), v.float(), torch.arange(5)),
    )


def scores_near_the_end_of_float64(impl, seed):
    """Minus infinity is below -1e300, and -1e30 is not."""
    q, _, v = qkv(seed + 3)
    return tensor(the_output=impl.rotary_attention(1e150 * q, -1e150 * q, v, torch.arange(5)))


def inputs_in_float32(impl, seed):
    """At positions where float32 does not resolve the phase."""
    at = torch.tensor([0.0, 1, 2, 3, 5], dtype=torch.float64) * 1.7 + 100_000
    return tensor(the_output=impl.rotary_attention(*(x.float() for x in qkv(seed + 8)), at))


def inputs_in_half_precision(impl, seed):
    inputs, found = qkv(seed + 9), {}
    exact = impl.rotary_attention(*inputs, torch.arange(5))
    for dtype in (torch.float16, torch.bfloat16):
        got = impl.rotary_attention(*(x.to(dtype) for x in inputs), torch.arange(5))
        found[f"dtype of the output of {dtype} inputs"] = str(got.dtype)
        found[f"{dtype} is near float64"] = bool((got.double() - exact).abs().max() < 0.2)
    return found


def a_hundred_and_thirty_tokens(impl, seed):
    g = generator(seed + 10)
    q, k, v = (torch.randn(1, 1, 130, 6, generator=g, dtype=torch.float64) for _ in range(3))
    return tensor(the_output=impl.rotary_attention(q, k, v, torch.arange(130)))


def positions_in_int32_out_of_order(impl, seed):
    at = torch.tensor([9, 4, 4, 0, 7], dtype=torch.int32)
    return tensor(the_output=impl.rotary_attention(*qkv(seed + 11), at))


def rows_of_positions_and_another_base(impl, seed):
    at = torch.tensor([[0, 1, 3, 6, 10], [5, 6, 7, 9, 8]])
    return tensor(the_output=impl.rotary_attention(*qkv(seed + 12), at, 20.7 + seed % 50))


def inputs_that_are_expanded_views(impl, seed):
    q, k, v = (x[:1, :1, :1].expand(2, 3, 5, 8) for x in qkv(seed + 13))
    v = torch.arange(40.0, dtype=torch.float64).view(1, 1, 5, 8).expand(2, 3, 5, 8)
    return tensor(the_output=impl.rotary_attention(q, k, v, torch.arange(5) * 3))


def gradients_of_queries_keys_and_values(impl, seed):
    inputs = [x.requires_grad_() for x in qkv(seed + 14)]
    output = impl.rotary_attention(*inputs, torch.arange(5))
    return gradients(output, the_queries=inputs[0], the_keys=inputs[1], the_values=inputs[2])


def attention_asked_for_by_name(impl, seed):
    q, k, v = qkv(seed + 15)
    return tensor(the_output=impl.rotary_attention(base=300.0, positions=torch.arange(5), v=v, k=k, q=q))


def twelve_digits_of_an_output(impl, seed):
    """Tokens 0 and 1 alone, so that the two weights are known."""
    v = torch.tensor([1.0, 0.1, 0.3], dtype=torch.float64).view(1, 1, 3, 1).expand(1, 1, 3, 4)
    q = torch.tensor([1.0, 0.5, 0.0, 0.0], dtype=torch.float64).expand(1, 1, 3, 4)
    angle = torch.tensor([1.0, 0.01], dtype=torch.float64)
    apart = 1 / (1 + math.exp(((angle.cos() - 1) * q[0, 0, 0, :2] ** 2).sum().item() / 2))  # the token itself
    found = impl.rotary_attention(q, q, v, torch.arange(3))[0, 0, 1, 0].item()
    return {"the second output has twelve right digits": abs(found - (1 - 0.9 * apart)) < 1e-12}


def far_positions_with_fractions(impl, seed):
    at = torch.tensor([0.0, 1, 2, 3, 5], dtype=torch.float64) * 1.7 + 100_000
    return tensor(
        the_output=impl.rotary_attention(*qkv(seed + 5), at),
        with_float32_positions=impl.rotary_attention(*qkv(seed + 5), at.float()),
    )


def two_bases_and_the_same_tokens(impl, seed):
    inputs, at = qkv(seed + 6), torch.arange(5)
    bases = {"at first": 10_000.0, "with another base": 20.7 + seed % 50, "with the first base again": 10_000.0}
    return tensor(**{words: impl.rotary_attention(*inputs, at, base) for words, base in bases.items()})


def other_positions_of_the_same_tokens(impl, seed):
    inputs, at = qkv(seed + 17), torch.tensor([0, 1, 3, 6, 10])
    steps = {"at first": 1, "at positions twice as far apart": 2, "at the first positions again": 1}
    return tensor(**{words: impl.rotary_attention(*inputs, at * n, 83.7 + seed % 50) for words, n in steps.items()})


def inputs_that_are_transposed_views(impl, seed):
    """Of tensors B H D T, and of tensors B T H D, which a projection makes."""
    found = {}
    for kept, axes in (("B H D T", (2, 3)), ("B T H D", (1, 2))):
        inputs = (x.transpose(*axes).contiguous().transpose(*axes) for x in qkv(seed + 7))
        found[f"the output of views of {kept}"] = impl.rotary_attention(*inputs, torch.arange(5))
    return tensor(**found)


def queries_of_zeros(impl, seed):
    """Every score is 0, so that each output is the mean of the values so far."""
    q, k, v = qkv(seed + 16)
    return tensor(
        queries_of_zeros=impl.rotary_attention(0 * q, k, v, torch.arange(5)),
        keys_of_zeros=impl.rotary_attention(q, 0 * k, v, torch.arange(5)),
    )


def rows_with_positions_of_their_own(impl, seed):
    at = torch.tensor([[0, 0, 0, 1, 2], [4, 3, 2, 1, 0]])  # padded on the left; backwards
    return tensor(the_output=impl.rotary_attention(*qkv(seed + 4), at))


def shapes_that_differ(impl, seed):
    q, k, v = qkv(0)
    calls = {
        "fewer values than keys": (q, k, v[:, :, :4], torch.arange(5)),
        "more values than keys": (q[:, :, :4], k[:, :, :4], v, torch.arange(4)),
        "fewer keys than queries": (q, k[:, :, :4], v[:, :, :4], torch.arange(5)),
        "fewer keys than queries and values": (q, k[:, :, :4], v, torch.arange(5)),
        "fewer queries than keys": (q[:, :, :4], k, v, torch.arange(4)),
        "fewer queries than keys and a position for each key": (q[:, :, :4], k, v, torch.arange(5)),
        "one query, five keys and one position": (q[:, :, :1], k, v, torch.arange(1)),
        "one value for five keys": (q, k, v[:, :, :1], torch.arange(5)),
        "one position for five tokens": (q, k, v, torch.arange(1)),
        "one row of positions for a batch of two": (q, k, v, torch.zeros(1, 5)),
        "six positions for five tokens": (q, k, v, torch.arange(6)),
        "positions of shape (T, B)": (q, k, v, torch.zeros(5, 2)),
        "positions of shape (B, 1)": (q, k, v, torch.zeros(2, 1)),
        "positions of shape (B, 1, T)": (q, k, v, torch.zeros(2, 1, 5)),
        "a position without dimension": (q, k, v, torch.tensor(3)),
        "positions in bfloat16": (q, k, v, torch.arange(5).bfloat16()),
        "positions in float16": (q, k, v, torch.arange(5).half()),
        "an odd width": (q[..., :3], k[..., :3], v[..., :3], torch.arange(5)),
    }
    calls |= {f"the base {base}": (q, k, v, torch.arange(5), base) for base in UNUSABLE_BASES}
    return {what: error_of(lambda call=call: impl.rotary_attention(*call)) for what, call in calls.items()}


# ---------------------------------------------------------------- alibi_slopes

GENTLEST, SORTED = "in the reverse order, gentlest first", "sorted by size, not in the order of the paper's code"
NEGATIVE, EARLY = "that are NEGATIVE", "that begin at 1, one step too early"
ALWAYS_HALVED = "that are halved from head to head whatever their number"
ONE_SERIES = "of one geometric series even when the number of heads is no power of two"
FIRST_SLOPES = "whose additional heads take the FIRST slopes of the finer series, not every second one"
SECOND_SLOPES = "whose additional heads repeat slopes that are there already"
ABOVE, NEAREST = "of the power of two ABOVE the number of heads", "of the power of two NEAREST to the number of heads"
SLOPES_FLOAT64 = "in float64"

SLOPES = {
    "order": ["of the paper's code", GENTLEST, SORTED],
    "sign": ["positive", NEGATIVE],
    "series": ["-8/H", EARLY, ALWAYS_HALVED],
    "extra": ["every second", ONE_SERIES, FIRST_SLOPES, SECOND_SLOPES, ABOVE, NEAREST],
    "dtype": ["float32", SLOPES_FLOAT64],
}
SLOPE_HINTS = {
    GENTLEST: "Which slope has the first head of eight?",
    SORTED: "With 12 heads, is the ninth slope still the first of the additional ones?",
    NEGATIVE: "The bias is minus slope times distance: where does the minus belong?",
    EARLY: "Eight heads: 1/2, 1/4, ..., 1/256. What is the first exponent?",
    ALWAYS_HALVED: "With 16 heads, is the last slope still 2^-8?",
    ONE_SERIES: "The paper's code keeps the slopes of the power of two below, and adds some. Are your first ones "
    "still those?",
    FIRST_SLOPES: "Every second slope of the finer series is there already: which ones are new?",
    SECOND_SLOPES: "With 12 heads, how many different slopes have you? From which one on is every second taken?",
    ABOVE: "With 12 heads, are the first eight slopes those of 8 heads?",
    NEAREST: "With 12 heads, are the first eight slopes those of 8 heads?",
    SLOPES_FLOAT64: "Which dtype do scores have? In which dtype does the task want the slopes?",
}


def wrong_slopes(order, sign, series, extra, dtype):
    def geometric(n):
        step = 1.0 if series == ALWAYS_HALVED else 8 / n
        return [2.0 ** (-step * (i + (series != EARLY))) for i in range(n)]

    def alibi_slopes(num_heads):
        if num_heads < 1:
            raise ValueError(f"num_heads={num_heads} must be at least 1")
        power = 1 << (num_heads.bit_length() - 1)
        finer = geometric(2 * power)
        if extra in (ABOVE, NEAREST) and num_heads != power:
            power = 2 * power if extra == ABOVE else 2 ** round(math.log2(num_heads))
            finer = geometric(2 * power)
        added = {FIRST_SLOPES: finer, SECOND_SLOPES: finer[1::2]}.get(extra, finer[::2])
        slopes = geometric(num_heads) if extra == ONE_SERIES else (geometric(power) + added)[:num_heads]
        slopes = {GENTLEST: slopes[::-1], SORTED: sorted(slopes, reverse=True)}.get(order, slopes)
        slopes = torch.tensor(slopes, dtype=torch.float64 if dtype == SLOPES_FLOAT64 else torch.float32)
        return -slopes if sign == NEGATIVE else slopes

    return alibi_slopes


def eight_heads(impl, seed):
    return tensor(the_slopes=impl.alibi_slopes(8))


def other_powers_of_two(impl, seed):
    return tensor(one_head=impl.alibi_slopes(1), two_heads=impl.alibi_slopes(2), sixteen_heads=impl.alibi_slopes(16))


def other_numbers_of_heads(impl, seed):
    return tensor(
        three_heads=impl.alibi_slopes(3),
        twelve_heads=impl.alibi_slopes(12),
        seventeen_heads=impl.alibi_slopes(17),
        many_heads=impl.alibi_slopes(17 + seed % 15),
    )


def five_to_seven_heads(impl, seed):
    words = {5: "five heads", 6: "six heads", 7: "seven heads"}
    return tensor(**{words[n]: impl.alibi_slopes(n) for n in words})


def a_hundred_heads_and_more(impl, seed):
    return tensor(**{f"{n} heads": impl.alibi_slopes(n) for n in (32, 63, 64, 100, 128, 200)})


def slopes_asked_for_by_name(impl, seed):
    return tensor(the_slopes=impl.alibi_slopes(num_heads=4))


def no_heads(impl, seed):
    return {f"{n} heads": error_of(lambda n=n: impl.alibi_slopes(n)) for n in (0, -1, -2, -3, -8)}


# ---------------------------------------------------------------- interpolate

STRETCHED, CLAMPED = "that STRETCHES positions instead of squeezing them", "that CLAMPS positions at the trained length"
WRAPPED = "that starts again at 0 after the trained length"
END_POINTS = "that lets the end points meet, (L - 1) / (L' - 1)"
SHORT_TOO = "that rescales texts SHORTER than the trained length too"
FLOORED = "that rounds to whole positions, so that neighbours collide"
SQUEEZED_FLOAT32, PRODUCT = "in float32", "that becomes float64 only after a multiplication in float32"
ROUNDED_FIRST = "that rounds the positions to float32 before it multiplies"
LAST_GIVEN = "whose ratio comes from the largest position given, not from the length of the text"
RATIO = "whose ratio is rounded to float32"

SQUEEZE = {
    "way": ["squeezed", STRETCHED, CLAMPED, WRAPPED, END_POINTS, LAST_GIVEN],
    "short": ["left alone", SHORT_TOO],
    "whole": ["real", FLOORED],
    "dtype": ["float64", SQUEEZED_FLOAT32, PRODUCT, ROUNDED_FIRST, RATIO],
}
SQUEEZE_HINTS = {
    STRETCHED: "Is the last position inside the trained range?",
    CLAMPED: "Do the last two tokens still have different positions?",
    WRAPPED: "Do tokens 0 and L have the same position?",
    END_POINTS: "What is the ratio in the paper: of lengths, or of last positions?",
    LAST_GIVEN: "Token 4 alone, of a text of 32: by how much is it squeezed?",
    SHORT_TOO: "A text of the trained length needs no help: what does yours do to one of half that?",
    FLOORED: "Four tokens squeezed into one position: in which order were they?",
    PRODUCT: "An integer tensor times a Python float: which dtype has the product?",
    ROUNDED_FIRST: "Which dtype has positions.float()? How many digits of 1,000,000.333 are left?",
    RATIO: "Which dtype has torch.tensor(1 / 3)? How many digits of the ratio are left?",
    SQUEEZED_FLOAT32: "Positions become angles in float64: what does rounding them before cost?",
}


SQUEEZE_ALONE = [SQUEEZED_FLOAT32, PRODUCT, ROUNDED_FIRST, RATIO, LAST_GIVEN]


def wrong_interpolate(way, short, whole, dtype):
    def interpolate(positions, trained_len, seq_len):
        if trained_len < 1 or seq_len < 1 or positions.dtype in (torch.float16, torch.bfloat16):
            raise ValueError(f"trained_len={trained_len}, seq_len={seq_len} must be at least 1")
        if dtype == PRODUCT:
            return (positions * min(1.0, trained_len / seq_len)).double()
        p = positions.float().double() if dtype == ROUNDED_FIRST else positions.double()
        if way == LAST_GIVEN:
            return p * min(1.0, trained_len / (1 + p.max().item())) if p.numel() else p
        if seq_len > trained_len or short == SHORT_TOO:
            p = {
                "squeezed": p * (torch.tensor(trained_len / seq_len) if dtype == RATIO else trained_len / seq_len),
                STRETCHED: p * seq_len / trained_len,
                CLAMPED: p.clamp(max=trained_len - 1),
                WRAPPED: p % trained_len,
            }.get(way, p * (trained_len - 1) / max(1, seq_len - 1))
        p = p.floor() if whole == FLOORED else p
        return p.float() if dtype == SQUEEZED_FLOAT32 else p

    return interpolate


def four_times_as_long(impl, seed):
    n = seed % 50
    return tensor(the_positions=impl.interpolate(torch.arange(32 + 4 * n), 8 + n, 32 + 4 * n))


def as_long_as_in_training(impl, seed):
    return tensor(the_positions=impl.interpolate(torch.arange(8), 8, 8))


def shorter_than_in_training(impl, seed):
    return tensor(the_positions=impl.interpolate(torch.arange(5), 8, 5))


def positions_that_are_not_whole(impl, seed):
    return tensor(the_positions=impl.interpolate(torch.tensor([0.5, 3.25, 17.0], dtype=torch.float64), 8, 20))


def some_tokens_of_a_long_text(impl, seed):
    return tensor(
        tokens_4_and_31=impl.interpolate(torch.tensor([4, 31]), 8, 32),
        token_4=impl.interpolate(torch.tensor([4]), 8, 32),
    )


def far_positions(impl, seed):
    """Thirds of large numbers: float32 has seven digits."""
    at = torch.arange(5) + 1_000_000 + seed % 90
    parts = impl.interpolate(at, 1000, 1_024_000)  # a ratio that float32 holds, and a few decimals do not
    off = (impl.interpolate(at, 700_000, 2_100_000) - at.double() / 3).abs().max()
    found = {f"thirds are right to {most}": bool(off < most) for most in (1e-6, 0.1)}
    found["1,024ths are right to 1e-6"] = bool((parts - at.double() / 1024).abs().max() < 1e-6)
    for dtype in (torch.int64, torch.int32):
        got = impl.interpolate(torch.tensor([30_000_001], dtype=dtype), 10_000_000, 40_000_000)
        found[f"quarters of {dtype} positions are right to 1e-6"] = bool((got - 7_500_000.25).abs().max() < 1e-6)
    return found


def far_positions_with_fractions_to_squeeze(impl, seed):
    at = torch.arange(3).double() + 1_000_000 + 1 / 3
    off = (impl.interpolate(at, 1_000_000, 2_000_000) - at / 2).abs().max()
    return {"halves are right to 1e-6": bool(off < 1e-6)}


def fractions_of_a_short_text(impl, seed):
    at = torch.arange(3).double() + 1000.4
    got = impl.interpolate(at, 2000, 1500)
    return {"float64 positions are not rounded to float32": bool((got.double() != at.float().double()).all())}


def positions_of_any_shape(impl, seed):
    at = torch.arange(6)
    return tensor(
        two_rows=impl.interpolate(at.view(2, 3), 8, 32),
        two_rows_of_a_short_text=impl.interpolate(at.view(2, 3), 8, 6),
        two_rows_in_float64=impl.interpolate(at.view(2, 3).double(), 8, 32),
        six_rows_of_a_text_of_two=impl.interpolate(at[:2].expand(6, 2), 8, 2),
        one_number=impl.interpolate(torch.tensor(4), 8, 32),
        no_positions=impl.interpolate(at[:0], 8, 32),
    )


def trained_on_one_token(impl, seed):
    return tensor(
        a_text_of_three=impl.interpolate(torch.arange(3), 1, 3), a_text_of_one=impl.interpolate(torch.arange(1), 1, 1)
    )


def positions_in_every_dtype(impl, seed):
    """Products that int16 and int32 cannot hold."""
    at, found = torch.tensor([3, 20_001, 30_000]), {}
    for dtype in (torch.int16, torch.int32, torch.float32):
        found[f"{dtype} of a long text"] = impl.interpolate(at.to(dtype), 300_000, 900_000)
        found[f"{dtype} of a short text"] = impl.interpolate(at.to(dtype), 40_000, 35_000)
    return tensor(**found)


def texts_one_token_longer(impl, seed):
    return tensor(
        nine_tokens=impl.interpolate(torch.arange(9), 8, 9),
        thirty_one_tokens=impl.interpolate(torch.arange(31), 30, 31),
    )


def positions_that_are_a_transposed_view(impl, seed):
    return tensor(three_rows=impl.interpolate(torch.arange(6).view(2, 3).T, 8, 32))


def an_interpolation_asked_for_by_name(impl, seed):
    return tensor(the_positions=impl.interpolate(seq_len=32, trained_len=8, positions=torch.arange(5)))


PAIRS_OF_LENGTHS = [(0, 8), (8, 0), (-1, 8), (8, -1), (0, 0), (-8, -16)]  # trained, of the text


def inputs_that_are_refused(impl, seed):
    calls = {f"trained on {a}, a text of {b}": (torch.arange(4), a, b) for a, b in PAIRS_OF_LENGTHS}
    calls |= {f"positions in {t}": (torch.arange(4).to(t), 8, 16) for t in (torch.bfloat16, torch.float16)}
    calls |= {
        f"positions in {t}, of a short text": (torch.arange(4).to(t), 8, 4) for t in (torch.bfloat16, torch.float16)
    }
    return {what: error_of(lambda call=call: impl.interpolate(*call)) for what, call in calls.items()}


# ---------------------------------------------------------------- what the grader needs

KNOBS = {  # task: (noun, knobs, how to build it, hints, settings that are not combined)
    "frequencies": (
        "frequencies",
        FREQUENCIES,
        wrong_frequencies,
        FREQUENCY_HINTS,
        [IN_FLOAT32, TOO_LATE, EXPONENTS, FROM_ONE, DOUBLED, CYCLES, OTHER_BASE, ROUNDED_BASE],
    ),
    "sinusoidal_table": (
        "a table",
        SINUSOIDAL,
        wrong_table,
        SINUSOIDAL_HINTS,
        [ROUNDED, IN_FLOAT64, TABLE_ANGLES, TABLE_THETA, LEARNED, TABLE_BASE],
    ),
    "rotate": (
        "a rotation",
        ROTATE,
        wrong_rotate,
        ROTATE_HINTS,
        [NO_MINUS, REFLECTION, OVERWRITTEN, *ROTATE["dtype"][1:], DETACHED],
    ),
    "apply_rope": ("a rotary embedding", ROPE, wrong_rope, ROPE_HINTS, ROPE_ALONE),
    "assert_relative": ("a test", RELATIVE, wrong_check, RELATIVE_HINTS, [LENGTHS, NO_SHIFT]),
    "rotary_attention": (
        "attention",
        ATTENTION,
        wrong_attention,
        ATTENTION_HINTS,
        [
            *(QUERIES, INTERLEAVED, BY_TOKENS, SMALL_MASK, SELF_MASK, SELF_ZEROS, POSITION_MASK),
            *(ZERO_HIDES, AFTERWARDS, OVER_QUERIES, ATTENTION_BASE, ATTENTION_FLOAT32, PROMOTED, NO_GRADIENT),
        ],
    ),
    "alibi_slopes": ("slopes", SLOPES, wrong_slopes, SLOPE_HINTS, [SORTED, SLOPES_FLOAT64, ABOVE, NEAREST]),
    "interpolate": ("an interpolation", SQUEEZE, wrong_interpolate, SQUEEZE_HINTS, SQUEEZE_ALONE),
}
WITHOUT = {  # pairs in which one mistake hides the other, or makes its sentence untrue
    "rotary_attention": [(NOTHING, COUNTED)],
    "alibi_slopes": [(EARLY, SECOND_SLOPES)],
    "interpolate": [(CLAMPED, SHORT_TOO), (WRAPPED, SHORT_TOO)],
}
PROBES = {
    "frequencies": [
        a_head_of_16,
        another_width_and_base,
        a_head_of_128,
        two_bases_and_one_width,
        one_two_and_four_pairs,
        twelve_digits,
        a_base_of_one,
        frequencies_asked_for_by_name,
        widths_and_bases_that_are_refused,
    ],
    "sinusoidal_table": [
        five_positions,
        more_positions_and_columns,
        tables_of_one_and_two_positions,
        two_bases_and_one_size,
        two_widths_and_one_number_of_rows,
        a_width_of_128,
        positions_beyond_256,
        far_rows,
        rows_beyond_32_768,
        a_table_of_one_pair,
        bases_of_one_and_below,
        a_long_table_and_then_a_short_one,
        a_short_table_and_then_a_long_one,
        a_table_asked_for_by_name,
        inputs_without_a_table,
    ],
    "rotate": [
        pairs_and_angles,
        one_angle_for_many_pairs,
        many_angles_for_one_pair,
        one_pair_and_one_angle,
        float16_pairs_and_float64_angles,
        cosines_and_sines_in_float16,
        gradients_of_the_pairs,
        pairs_of_zeros,
        pairs_that_are_a_transposed_view,
        twelve_digits_of_a_pair,
        far_angles_in_float64,
        half_precision_pairs_and_far_angles,
        pairs_and_angles_that_both_broadcast,
        angles_in_half_precision,
        slices_and_expanded_views,
        gradients_in_other_dtypes,
        gradients_of_one_pair_and_many_angles,
        a_rotation_asked_for_by_name,
        pairs_and_angles_in_any_two_dtypes,
    ],
    "apply_rope": [
        half_layout,
        interleaved_layout,
        other_positions_in_the_same_shape,
        tokens_after_a_cache,
        positions_of_each_row,
        positions_between_whole_numbers,
        positions_in_float32,
        far_positions_between_whole_numbers,
        one_token_of_each_row,
        queries_and_keys_that_are_transposed_views,
        two_bases_and_one_shape,
        heads_of_128,
        as_many_rows_and_heads_as_tokens,
        queries_and_keys_of_two_dtypes,
        gradients_of_queries_and_keys,
        one_token_of_one_pair,
        one_token_of_two_pairs,
        twelve_digits_of_queries_and_keys,
        far_positions_in_float64,
        far_positions_in_float16,
        cosines_and_sines_of_queries_in_half_precision,
        far_positions_and_float32_queries,
        far_positions_in_half_precision,
        float64_beside_half_precision,
        positions_in_int16_and_int32,
        positions_out_of_order,
        one_row_of_positions_for_a_batch_of_one,
        positions_that_are_views,
        fewer_key_heads_and_rows_of_fractions,
        queries_and_keys_that_are_expanded_views,
        heads_of_256_and_a_large_base,
        a_rotary_embedding_asked_for_by_name,
        bases_of_one_and_of_a_half,
        inputs_that_do_not_fit,
    ],
    "assert_relative": [
        encodings_that_are_relative,
        encodings_that_are_not_relative,
        what_it_returns,
        what_it_calls,
        an_encoding_without_a_name,
    ],
    "rotary_attention": [
        five_tokens,
        one_token,
        other_positions_of_the_same_tokens,
        tokens_far_apart,
        scores_far_below_zero,
        rows_with_positions_of_their_own,
        twelve_digits_of_an_output,
        far_positions_with_fractions,
        two_bases_and_the_same_tokens,
        inputs_that_are_transposed_views,
        inputs_that_are_expanded_views,
        queries_of_zeros,
        inputs_in_float32,
        inputs_in_half_precision,
        scores_near_the_end_of_float64,
        a_hundred_and_thirty_tokens,
        positions_in_int32_out_of_order,
        rows_of_positions_and_another_base,
        gradients_of_queries_keys_and_values,
        attention_asked_for_by_name,
        shapes_that_differ,
    ],
    "alibi_slopes": [
        eight_heads,
        other_powers_of_two,
        other_numbers_of_heads,
        five_to_seven_heads,
        a_hundred_heads_and_more,
        slopes_asked_for_by_name,
        no_heads,
    ],
    "interpolate": [
        four_times_as_long,
        as_long_as_in_training,
        shorter_than_in_training,
        positions_that_are_not_whole,
        some_tokens_of_a_long_text,
        far_positions,
        far_positions_with_fractions_to_squeeze,
        fractions_of_a_short_text,
        positions_of_any_shape,
        trained_on_one_token,
        positions_in_every_dtype,
        texts_one_token_longer,
        positions_that_are_a_transposed_view,
        an_interpolation_asked_for_by_name,
        inputs_that_are_refused,
    ],
}
INPLACE = set()
GATE_SEEDS = 3


def without(task):
    """Pairs of wrong settings that are not combined."""
    _, knobs, _, _, alone = KNOBS[task]
    wrong = [setting for choices in knobs.values() for setting in choices[1:]]
    return [*WITHOUT.get(task, []), *(pair for pair in combinations(wrong, 2) if set(pair) & set(alone))]


def of(task):
    """The classic mistakes of a task."""
    noun, knobs, build, hints, _ = KNOBS[task]
    most = 3 if task == "assert_relative" else 2
    yield from combine(task, noun, knobs, build, hints, most, without(task))
    if task == "assert_relative":
        yield Mistake(task, f"a test {REJECTS}", RELATIVE_HINTS[REJECTS], 1, rejects_everything)
        yield Mistake(task, f"a test {VECTORS}", RELATIVE_HINTS[VECTORS], 1, wants_the_vectors_to_stay)
        yield Mistake(task, f"a test {ACCEPTS}", RELATIVE_HINTS[ACCEPTS], 1, lambda rotary: None)
