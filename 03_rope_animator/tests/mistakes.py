"""The classic mistakes of positional encodings as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs: every knob has its right setting first, and whatever differs from it is
one mistake. Two at once then have a sentence of their own, made of the two.
"""

import math
from itertools import product

import candidates
import torch
from grader import Mistake
from rope_animator.rope import LAYOUTS, join_pairs, split_pairs

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


# pairs of which one hides the other
HIDDEN = [
    {"without any rotation", "that counts positions from 0 instead of using those given"},
    {"that CLAMPS positions at the end of training", "that rescales texts SHORTER than the trained length too"},
    {"that starts again at 0 after the trained length", "that rescales texts SHORTER than the trained length too"},
]


def combine(task, noun, knobs, build, alone=(), most=2):
    """A Mistake for each setting of the knobs with one to `most` of them wrong; those in `alone` are not combined.

    knobs: {name: {setting: hint}}, the right setting first, its hint empty.
    """
    hints = {setting: hint for settings in knobs.values() for setting, hint in settings.items()}
    for setting in product(*knobs.values()):
        wrong = [s for s, right in zip(setting, (next(iter(k)) for k in knobs.values()), strict=True) if s != right]
        together = 2 <= len(wrong) <= most and not set(wrong) & set(alone) and set(wrong) not in HIDDEN
        if len(wrong) == 1 or together:
            yield Mistake(
                task,
                f"{noun} {' AND '.join(wrong)}",
                " ".join(hints[w] for w in wrong),
                len(wrong),
                build(**dict(zip(knobs, setting, strict=True))),
            )


# ---------------------------------------------------------------- frequencies

FREQUENCIES = {
    "exponent": {
        "2i/d": "",
        "with the exponent i/d instead of 2i/d": "How slow is the last pair of a head of 128? It should be near 1/base.",
        "whose exponents run to 1, so that the last is exactly 1/base": "The ladder has d/2 rungs and stops one short of 1/base: what is 2i/d for the last i?",
    },
    "direction": {
        "falling": "",
        "that RISE with i: the wavelengths instead of the frequencies": "Which pair should be the fast one?",
        "in the reverse order, slowest first": "Which pair should be the fast one?",
    },
    "unit": {"radians": "", "in turns per token, not radians": "cos and sin expect radians: how many are one turn?"},
    "dtype": {
        "float64": "",
        "in float32": "What is left of a frequency's relative error of 6e-8 at position 100,000, in radians?",
    },
}


def wrong_frequencies(exponent, direction, unit, dtype):
    def frequencies(dim, base=10_000.0):
        if dim < 2 or dim % 2:
            raise ValueError(f"dim = {dim} must be even")
        i = torch.arange(dim // 2, dtype=torch.float64)
        power = {"2i/d": 2 * i / dim, "with the exponent i/d instead of 2i/d": i / dim}.get(
            exponent, i / max(1, dim // 2 - 1)
        )
        theta = base ** (power if "RISE" in direction else -power)
        theta = theta.flip(0) if "reverse" in direction else theta
        theta = theta / (2 * math.pi) if unit != "radians" else theta
        return theta.float() if dtype != "float64" else theta

    return frequencies


def a_head_of_16(impl, seed):
    theta = impl.frequencies(16)
    return theta, str(theta.dtype)


def another_width_and_base(impl, seed):
    return impl.frequencies(6 + 2 * seed, 500.0)


def a_single_pair(impl, seed):
    return impl.frequencies(2)


# ---------------------------------------------------------------- sinusoidal_table

SINUSOIDAL = {
    "trig": {"sine first": "", "with sine and cosine SWAPPED": "At position 0, which columns should be zero?"},
    "columns": {
        "interleaved": "",
        "with all sines first and all cosines after, not side by side": "The two numbers of one frequency make one pair: which columns hold the first pair?",
    },
    "exponent": {
        "2i/d": "",
        "with the exponent i/d instead of 2i/d": "i counts pairs, not columns: what is the last frequency?",
        "in which every column has a frequency of its own, so that no column pairs with another": "A position k further on should be a rotation of each pair: can it be, if sine and cosine differ in speed?",
    },
    "start": {"0": "", "with positions counted from 1": "What are the sine and the cosine of the first token's angle?"},
}


def wrong_table(trig, columns, exponent, start):
    def sinusoidal_table(length, dim, base=10_000.0):
        if length < 1:
            raise ValueError(f"length = {length} must be at least 1")
        pair = torch.arange(dim // 2, dtype=torch.float64).repeat_interleave(2)
        power = {"2i/d": 2 * pair, "with the exponent i/d instead of 2i/d": pair}.get(
            exponent, torch.arange(dim, dtype=torch.float64)
        ) / dim
        angle = (torch.arange(length, dtype=torch.float64)[:, None] + (start != "0")) * base**-power
        even = torch.arange(dim) % 2 == 0
        table = torch.where(even == (trig == "sine first"), angle.sin(), angle.cos())
        if columns != "interleaved":
            table = torch.cat((table[:, ::2], table[:, 1::2]), -1)
        return table.float()

    return sinusoidal_table


def five_positions(impl, seed):
    return impl.sinusoidal_table(5, 6)


def more_positions_and_columns(impl, seed):
    return impl.sinusoidal_table(11 + seed, 10, 300.0)


# ---------------------------------------------------------------- rotate

ROTATE = {
    "sign": {"counter-clockwise": "", "that turns CLOCKWISE": "Where does (1, 0) point after a quarter turn?"},
    "trig": {"cos, sin": "", "with sine and cosine SWAPPED": "What should an angle of 0 leave unchanged?"},
    "order": {
        "at once": "",
        "whose second row uses the x that the first row has already changed": "Is the length of the pair kept? Which x does the matrix multiply?",
    },
    "matrix": {
        "rotation": "",
        "with BOTH signs positive, which is no rotation": "What is the determinant of the matrix?",
        "with a reflection for a rotation": "Two small turns should add up: do two of yours?",
    },
    "unit": {"radians": "", "with the angle read as degrees": "How much is a quarter turn in the unit of torch.cos?"},
}


def wrong_rotate(sign, trig, order, matrix, unit):
    def rotate(pairs, angle):
        x, y = pairs.unbind(-1)
        angle = torch.deg2rad(angle) if unit != "radians" else angle
        cos, sin = angle.cos(), angle.sin() if sign == "counter-clockwise" else -angle.sin()
        if trig != "cos, sin":
            cos, sin = sin, cos
        s = {"rotation": (-1, 1, 1), "with BOTH signs positive, which is no rotation": (1, 1, 1)}.get(
            matrix, (1, 1, -1)
        )
        first = x * cos + s[0] * y * sin
        return torch.stack((first, s[1] * (x if order == "at once" else first) * sin + s[2] * y * cos), -1)

    return rotate


def pairs_and_angles(impl, seed):
    g = torch.Generator().manual_seed(seed)
    return impl.rotate(
        torch.randn(3, 5, 2, generator=g, dtype=torch.float64), torch.randn(3, 5, generator=g, dtype=torch.float64)
    )


def one_angle_for_many_pairs(impl, seed):
    g = torch.Generator().manual_seed(seed + 1)
    return impl.rotate(torch.randn(4, 3, 2, generator=g), torch.tensor([0.0, 0.7, -2.0]))


# ---------------------------------------------------------------- apply_rope

ROPE = {
    "pairing": {
        "as named": "",
        "that pairs neighbours (2i, 2i+1) whatever the layout": "In the half layout, which coordinate turns with coordinate 0?",
        "that pairs halves (i, i + d/2) whatever the layout": "In the interleaved layout, which coordinate turns with coordinate 0?",
        "that takes pairs in one layout and writes them back in the other": "With all positions 0, is anything moved?",
    },
    "sign": {
        "forward": "",
        "that turns CLOCKWISE": "Where does a pair (1, 0) point after a quarter turn?",
        "with the sign flipped in the keys alone": "The score depends on the angle between q and k: is that the difference of the positions, or the sum?",
    },
    "exponent": {
        "2i/d": "",
        "with the exponent i/d instead of 2i/d": "How slow is the last pair? It should be near 1/base.",
    },
    "trig": {"cos, sin": "", "with sine and cosine SWAPPED": "What should a token at position 0 look like afterwards?"},
    "positions": {
        "given": "",
        "that IGNORES the positions given and counts from 0": "With 100 tokens in a cache, where does the next one stand?",
        "that rounds positions down to whole numbers": "Where does a position that was squeezed to 2.5 go?",
        "that gives every row of the batch the first row's positions": "Two prompts padded on the left by different amounts: does their first word stand at the same position?",
    },
    "precision": {
        "float64": "",
        "whose angles are float32": "How far apart are neighbouring float32 numbers at 100,000 radians?",
        "whose angles have the dtype of q, so that half precision loses the phase": "Which integers above 2,048 can float16 represent?",
    },
    "which": {
        "both": "",
        "on the queries ONLY": "Shift both tokens by one: does their score stay?",
        "applied TWICE": "At position 1 the first pair turns by one radian: by how much does yours?",
    },
    "heads": {
        "each": "",
        "with one ladder of frequencies over all heads, as if turned before the split into heads": "Does every head have fast pairs and slow ones, or does the first head keep all the fast ones?",
    },
}
ROPE_ALONE = [s for name in ("precision", "which", "heads") for s in ROPE[name]] + [
    *list(ROPE["pairing"])[3:],
    *list(ROPE["sign"])[2:],
    *list(ROPE["positions"])[2:],
]


def wrong_rope(pairing, sign, exponent, trig, positions, precision, which, heads):
    def turn(x, at, base, layout, clockwise):
        shape = x.shape
        if heads != "each":
            x = x.transpose(1, 2).flatten(2).unsqueeze(1)  # B 1 T HD
        read = "interleaved" if "neighbours" in pairing else "half" if "pairs halves" in pairing else layout
        write = LAYOUTS[1 - LAYOUTS.index(read)] if "writes them back" in pairing else read
        first, second = split_pairs(x, read).unbind(-1)
        i = torch.arange(x.shape[-1] // 2, dtype=torch.float64)
        theta = base ** (-(2 if exponent == "2i/d" else 1) * i / x.shape[-1])
        kind = {"float64": torch.float64, "whose angles are float32": torch.float32}.get(precision, x.dtype)
        angle = (at.to(kind)[..., None] * theta.to(kind)).unsqueeze(-3)
        cos, sin = angle.cos().to(x.dtype), (-angle if clockwise else angle).sin().to(x.dtype)
        cos, sin = (sin, cos) if trig != "cos, sin" else (cos, sin)
        y = join_pairs(torch.stack((first * cos - second * sin, first * sin + second * cos), -1), write)
        return y if heads == "each" else y.squeeze(1).unflatten(-1, (shape[1], shape[3])).transpose(1, 2)

    def apply_rope(q, k, at, base=10_000.0, layout="half"):
        if at.shape[-1] != q.shape[2]:
            raise ValueError("positions must fit the tokens")
        at = torch.arange(q.shape[2]) if "IGNORES" in positions else at.long() if "rounds" in positions else at
        at = at[:1] if "first row" in positions and at.ndim == 2 else at
        for _ in range(2 if which == "applied TWICE" else 1):
            q = turn(q, at, base, layout, sign == "that turns CLOCKWISE")
            k = k if which == "on the queries ONLY" else turn(k, at, base, layout, sign != "forward")
        return q, k

    return lambda q, k, positions, base=10_000.0, layout="half": apply_rope(q, k, positions, base, layout)


def queries_and_keys(seed, heads=(3, 3), dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(2, h, 5, 8, generator=g, dtype=torch.float64).to(dtype) for h in heads]


def half_layout(impl, seed):
    return impl.apply_rope(*queries_and_keys(seed), torch.arange(5))


def interleaved_layout(impl, seed):
    return impl.apply_rope(*queries_and_keys(seed + 1), torch.arange(5), layout="interleaved")


def tokens_after_a_cache(impl, seed):
    return impl.apply_rope(*queries_and_keys(seed + 2, heads=(4, 2)), torch.arange(5) + 9 + seed, 500.0)


def positions_of_each_row(impl, seed):
    return impl.apply_rope(*queries_and_keys(seed + 3), torch.tensor([[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]))


def positions_between_whole_numbers(impl, seed):
    return impl.apply_rope(*queries_and_keys(seed + 4), torch.arange(5).double() / 2)


def far_positions_in_float64(impl, seed):
    return impl.apply_rope(*queries_and_keys(seed + 5), torch.arange(5) + 100_003)


def far_positions_in_float16(impl, seed):
    """Whether float16 keeps the phase that float64 gives (at positions that float32 still resolves)."""
    q, k = queries_and_keys(seed + 6)
    exact = impl.apply_rope(q, k, torch.arange(5) + 3001)
    coarse = impl.apply_rope(q.half(), k.half(), torch.arange(5) + 3001)
    return [bool((a - b.double()).abs().max() < 0.05) for a, b in zip(exact, coarse, strict=True)]


# ---------------------------------------------------------------- assert_relative

RELATIVE = {
    "shift": {
        "tried": "",
        "that never SHIFTS the positions": "Relative means that something may change and the score not: what?",
    },
    "far": {"tried": "", "that shifts by a few tokens only": "A table of 512 rows, clamped: when would you notice?"},
    "apart": {
        "tried": "",
        "that never moves tokens APART, so that an encoding without positions passes": "Which property does an encoding that does nothing at all fail?",
    },
    "tolerance": {
        "1e-9": "",
        "with a tolerance so wide that angles in single precision pass": "In float64, how much may a score change by rounding alone?",
    },
    "asks": {
        "scores": "",
        "that compares the turned VECTORS, which do change with position": "Which quantity is said to depend on the distance only: q, k, or their dot product?",
        "that asks for the length of the vectors to be kept": "Is YaRN's temperature, a factor on q and k, absolute?",
    },
}
RELATIVE_ALONE = [*RELATIVE["asks"], *RELATIVE["shift"]]


def wrong_check(shift, far, apart, tolerance, asks):
    def assert_relative(rotary):
        g = torch.Generator().manual_seed(0)
        q, k = (torch.randn(1, 2, 6, 16, generator=g, dtype=torch.float64) for _ in range(2))
        at = torch.tensor([0, 1, 2, 5, 11, 23])

        def seen(positions):
            a, b = rotary(q, k, positions)
            return torch.cat((a, b)) if "VECTORS" in asks else a @ b.transpose(-1, -2)

        shifts = [] if shift != "tried" else [1, 7] if far != "tried" else [1, 7, 4000]
        for s in shifts:
            changed = (seen(at + s) - seen(at)).abs().max()
            assert changed < (1e-9 if tolerance == "1e-9" else 1e-3), "a shift changed a score"
        if apart == "tried":
            assert (seen(3 * at) - seen(at)).abs().max() > 1e-3, "positions are ignored"
        if "length" in asks:
            assert all(
                (a.norm(dim=-1) - b.norm(dim=-1)).abs().max() < 1e-9
                for a, b in zip(rotary(q, k, at), (q, k), strict=True)
            ), "a length changed"

    return assert_relative


def verdicts(impl, encodings):
    found = []
    for rotary in encodings:
        try:
            impl.assert_relative(rotary)
            found.append(f"passes {rotary.__name__}")
        except AssertionError:
            found.append(f"rejects {rotary.__name__}")
    return found


def relative_encodings(impl, seed):
    return verdicts(impl, candidates.RELATIVE)


def encodings_that_are_not_relative(impl, seed):
    return verdicts(impl, candidates.NOT_RELATIVE)


# ---------------------------------------------------------------- rotary_attention

ATTENTION = {
    "turned": {
        "q, k": "",
        "that turns the VALUES too": "A weighted sum of values turned by different angles: who turns it back?",
        "that turns the OUTPUT instead of queries and keys": "Do the weights know where the tokens stand?",
        "without any rotation": "Do the weights know where the tokens stand?",
    },
    "positions": {
        "given": "",
        "that counts positions from 0 instead of using those given": "Tokens 0, 10 and 20 of a text: are they neighbours?",
    },
    "scale": {
        "1/sqrt(d)": "",
        "WITHOUT the 1/sqrt(d) scale": "What is the variance of a dot product of two d-dimensional unit-variance vectors?",
    },
    "mask": {
        "causal": "",
        "WITHOUT the causal mask": "Does the first output change when the last value does?",
        "with the mask applied to positive scores as a factor": "What does softmax make of a score of 0?",
    },
}


def wrong_attention(turned, positions, scale, mask):
    def attention(q, k, v, at, base=10_000.0):
        at = torch.arange(q.shape[2]) if positions != "given" else at
        if turned in ("q, k", "that turns the VALUES too"):
            q, k = (candidates.apply_rope(x, x, at, base)[0] for x in (q, k))
        v = candidates.apply_rope(v, v, at, base)[0] if "VALUES" in turned else v
        s = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if "WITHOUT" not in scale else 1.0)
        seen = torch.ones(s.shape[-2:], dtype=torch.bool).tril()
        s = {"causal": s.masked_fill(~seen, -math.inf), "WITHOUT the causal mask": s}.get(mask, s * seen)
        y = s.softmax(-1) @ v
        return candidates.apply_rope(y, y, at, base)[0] if "OUTPUT" in turned else y

    return lambda q, k, v, positions, base=10_000.0: attention(q, k, v, positions, base)


def qkv(seed):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, 5, 8, generator=g, dtype=torch.float64) for _ in range(3)]


def five_tokens(impl, seed):
    return impl.rotary_attention(*qkv(seed), torch.arange(5))


def tokens_far_apart(impl, seed):
    return impl.rotary_attention(*qkv(seed + 1), torch.tensor([0, 3, 4, 10, 11]), 300.0)


# ---------------------------------------------------------------- alibi_slopes

SLOPES = {
    "order": {"falling": "", "in the reverse order, gentlest first": "Which slope has the first head of eight?"},
    "sign": {
        "positive": "",
        "that are NEGATIVE": "The bias is minus slope times distance: where does the minus belong?",
    },
    "ladder": {
        "-8/H": "",
        "that begin at 1, one step too early": "Eight heads: 1/2, 1/4, ..., 1/256. What is the first exponent?",
        "that are halved from head to head whatever their number": "With 16 heads, does the last slope still end at 2^-8?",
    },
    "extra": {
        "every second": "",
        "of one geometric ladder even when the number of heads is no power of two": (
            "The paper's code keeps the slopes of the power of two below, and adds some. Are your first ones still "
            "those?"
        ),
        "whose additional heads take the FIRST slopes of the finer ladder, not every second one": "Of the finer ladder, every second slope is there already: which ones are new?",
    },
}


def wrong_slopes(order, sign, ladder, extra):
    def geometric(n):
        step = 1.0 if "halved" in ladder else 8 / n
        return [2.0 ** (-step * (i + ("begin" not in ladder))) for i in range(n)]

    def alibi_slopes(heads):
        if heads < 1:
            raise ValueError(f"heads = {heads} must be at least 1")
        power = 1 << (heads.bit_length() - 1)
        finer = geometric(2 * power)
        slopes = (
            geometric(heads)
            if "one geometric" in extra
            else geometric(power) + (finer[::2] if extra == "every second" else finer)[: heads - power]
        )
        slopes = torch.tensor(slopes if order == "falling" else slopes[::-1])
        return slopes if sign == "positive" else -slopes

    return alibi_slopes


def eight_heads(impl, seed):
    return impl.alibi_slopes(8)


def other_powers_of_two(impl, seed):
    return [impl.alibi_slopes(n) for n in (2, 16, 32)]


def other_numbers_of_heads(impl, seed):
    return [impl.alibi_slopes(n) for n in (3, 12, 21 + seed)]


# ---------------------------------------------------------------- interpolate

SQUEEZE = {
    "way": {
        "squeezed": "",
        "that STRETCHES positions instead of squeezing them": "Is the last position inside the trained range?",
        "that CLAMPS positions at the end of training": "Do the last two tokens still stand at different positions?",
        "that starts again at 0 after the trained length": "Do tokens 0 and L stand at the same position?",
        "that lets the end points meet, (L - 1) / (L' - 1)": "What is the ratio in the paper: of lengths, or of last positions?",
    },
    "short": {
        "left alone": "",
        "that rescales texts SHORTER than the trained length too": "A text of the trained length needs no help: what does yours do to one of half that?",
    },
    "whole": {
        "real": "",
        "that rounds to whole positions, so that neighbours collide": "Four tokens squeezed into one position: in which order were they?",
    },
}


def wrong_interpolate(way, short, whole):
    def interpolate(positions, trained, length):
        if trained < 1 or length < 1:
            raise ValueError(f"trained = {trained}, length = {length} must be at least 1")
        p = positions.double()
        if length > trained or short != "left alone":
            p = {
                "squeezed": p * trained / length,
                "that STRETCHES positions instead of squeezing them": p * length / trained,
                "that CLAMPS positions at the end of training": p.clamp(max=trained - 1),
                "that starts again at 0 after the trained length": p % trained,
            }.get(way, p * (trained - 1) / max(1, length - 1))
        return p.floor() if whole != "real" else p

    return interpolate


def four_times_as_long(impl, seed):
    return impl.interpolate(torch.arange(32 + 4 * seed), 8 + seed, 32 + 4 * seed)


def as_long_as_in_training(impl, seed):
    return impl.interpolate(torch.arange(8), 8, 8)


def shorter_than_in_training(impl, seed):
    return impl.interpolate(torch.arange(5), 8, 5)


def positions_that_are_not_whole(impl, seed):
    return impl.interpolate(torch.tensor([0.5, 3.25, 17.0]), 8, 20)


# ---------------------------------------------------------------- the contract with the grader

KNOBS = {
    "frequencies": ("frequencies", FREQUENCIES, wrong_frequencies, list(FREQUENCIES["dtype"])),
    "sinusoidal_table": ("a table", SINUSOIDAL, wrong_table, []),
    "rotate": ("a rotation", ROTATE, wrong_rotate, [*list(ROTATE["matrix"])[1:], *ROTATE["order"]]),
    "apply_rope": ("a rotary embedding", ROPE, wrong_rope, ROPE_ALONE),
    "assert_relative": ("a test", RELATIVE, wrong_check, RELATIVE_ALONE),
    "rotary_attention": ("attention", ATTENTION, wrong_attention, []),
    "alibi_slopes": ("slopes", SLOPES, wrong_slopes, []),
    "interpolate": ("an interpolation", SQUEEZE, wrong_interpolate, []),
}
PROBES = {
    "frequencies": [a_head_of_16, another_width_and_base, a_single_pair],
    "sinusoidal_table": [five_positions, more_positions_and_columns],
    "rotate": [pairs_and_angles, one_angle_for_many_pairs],
    "apply_rope": [
        half_layout,
        interleaved_layout,
        tokens_after_a_cache,
        positions_of_each_row,
        positions_between_whole_numbers,
        far_positions_in_float64,
        far_positions_in_float16,
    ],
    "assert_relative": [relative_encodings, encodings_that_are_not_relative],
    "rotary_attention": [five_tokens, tokens_far_apart],
    "alibi_slopes": [eight_heads, other_powers_of_two, other_numbers_of_heads],
    "interpolate": [four_times_as_long, as_long_as_in_training, shorter_than_in_training, positions_that_are_not_whole],
}
INPLACE = set()


def of(task):
    noun, knobs, build, alone = KNOBS[task]
    yield from combine(task, noun, knobs, build, alone, most=3 if task == "assert_relative" else 2)
    if task == "assert_relative":
        yield Mistake(task, "a test that cannot fail", "Which wrong encodings does it reject?", 1, lambda rotary: None)
