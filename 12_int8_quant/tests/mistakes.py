"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import torch
import torch.nn.functional as F
from grader import combine, error_of
from int8_quant import NF4_LEVELS

TASKS = [
    "absmax_quantize",
    "zeropoint_quantize",
    "quantize_groups",
    "int8_linear",
    "llm_int8_linear",
    "smooth_fold",
    "fake_quantize",
    "gptq_quantize",
    "nf4_quantize",
    "distillation_loss",
]
GIVEN = ["NF4_LEVELS", "check_finite", "largest_code"]
GATE_SEEDS = 2


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def half_up(x):
    return (x + 0.5).floor()


def half_away(x):
    return x.sign() * (x.abs() + 0.5).floor()


ROUND = [
    "right",
    "that rounds TOWARD ZERO, as a cast to int8 does",
    "that rounds halves UP",
    "that rounds halves AWAY from zero",
    "that rounds everything DOWN",
]
ROUNDING = dict(zip(ROUND, (torch.round, torch.trunc, half_up, half_away, torch.floor), strict=True))
ROUND_HINTS = {
    ROUND[1]: "What becomes of 2.9? Which call rounds before the cast?",
    ROUND[2]: "Where do 0.5, 1.5 and 2.5 go, and −0.5? Read which neighbour the docstring promises.",
    ROUND[3]: "Where do 0.5, 1.5 and 2.5 go? Which neighbour does the docstring promise?",
    ROUND[4]: "What becomes of 2.9, and of −2.1?",
}

# ---------------------------------------------------------------- absmax_quantize

ABS_SCALE = [
    "right",
    "whose scale is max/128 (half of all codes, and not the largest one)",
    "whose scale is max/255 (all steps from end to end)",
    "whose scale is that of the largest POSITIVE number",
    "whose scale is for eight bits, whatever is asked",
    "with a scale for each ROW of the last axis",
    "whose scale is three deviations",
]
ABS_CLAMP = ["right", "that uses the code −128 too", "WITHOUT a clamp, so that 128 wraps to −128 in bfloat16"]
ABS_ZERO = [
    "right",
    "whose scale is NaN or zero where x is all zeros",
    "that takes very SMALL numbers for zeros",
]
ABS_CHECK = ["right", "that gives NaN and infinity a code", "that accepts nine bits"]
ABS_KIND = ["int8", "whose codes are no int8 but floats", "whose scale has an axis of size one"]
ABS_HINTS = {
    **ROUND_HINTS,
    ABS_SCALE[1]: "The largest magnitude must become 127, the largest code. By what is it divided?",
    ABS_SCALE[2]: "From −127 to 127: how many steps are there on ONE side of zero?",
    ABS_SCALE[3]: "What becomes of a tensor whose largest magnitude is negative?",
    ABS_SCALE[4]: "What is the largest code of four bits?",
    ABS_SCALE[5]: "How many scales does one tensor get here?",
    ABS_SCALE[6]: "Which code does the largest number get? Is it clamped?",
    ABS_CLAMP[1]: "Symmetric: which is the smallest code?",
    ABS_CLAMP[2]: "In bfloat16 max/(max/127) may be 127.5 or 128. What does int8 make of 128?",
    ABS_ZERO[1]: "What is 0/0? Which scale does the docstring promise?",
    ABS_ZERO[2]: "The largest magnitude is 1e-12. Is every number zero?",
    ABS_CHECK[1]: "What is the largest of some numbers and NaN? What is the scale then?",
    ABS_CHECK[2]: "Does 255 fit into int8? What does `largest_code` do with nine bits?",
    ABS_KIND[1]: "How many bytes does one of your codes take?",
    ABS_KIND[2]: "What is the shape of the scale of a whole tensor?",
}


def wrong_absmax(scale, rounding, clamp, zero, check, kind):
    def absmax_quantize(x, bits=8):
        if not 2 <= bits <= 8 and not (check == ABS_CHECK[2] and bits == 9):
            raise ValueError("bits")
        if check != ABS_CHECK[1] and not x.isfinite().all():
            raise ValueError("not finite")
        limit = 2 ** (bits - 1) - 1
        largest = x.abs().amax(-1, keepdim=True) if scale == ABS_SCALE[5] and x.ndim > 1 else x.abs().max()
        largest = {ABS_SCALE[3]: x.max(), ABS_SCALE[6]: 3 * x.std()}.get(scale, largest)
        divisor = {ABS_SCALE[1]: limit + 1, ABS_SCALE[2]: 2 * limit + 1, ABS_SCALE[4]: 127}.get(scale, limit)
        s = largest / divisor
        s = s if zero == ABS_ZERO[1] else torch.where(largest > (1e-8 if zero == ABS_ZERO[2] else 0), s, 1)
        codes = ROUNDING[rounding](x / s)
        if clamp != ABS_CLAMP[2]:
            codes = codes.clamp(-limit - (clamp == ABS_CLAMP[1]), limit)
        codes = codes.nan_to_num(0, 0, 0)
        codes = codes if kind == ABS_KIND[1] else codes.to(torch.int64).to(torch.int8)
        return codes, s.view(1) if kind == ABS_KIND[2] and s.numel() == 1 else s

    return absmax_quantize


def named(pair):
    codes, scale = pair
    return {"the codes": codes, "the scale": scale}


def a_matrix(impl, seed):
    return named(impl.absmax_quantize(randn(seed, 5, 7)))


def a_matrix_whose_largest_number_is_negative(impl, seed):
    x = randn(seed + 1, 3, 2, 5, dtype=torch.float64)
    x[1, 0, 3] = -7.3
    return named(impl.absmax_quantize(x))


def four_and_two_bits(impl, seed):
    x = randn(seed + 2, 11)
    return {f"{bits} bits": named(impl.absmax_quantize(x, bits)) for bits in (4, 2)} | {
        "3 bits by keyword": named(impl.absmax_quantize(x, bits=3))
    }


def numbers_halfway_between_two_codes(impl, seed):
    return named(impl.absmax_quantize(torch.tensor([-127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 2.9, -2.9])))


def small_numbers(impl, seed):
    return named(impl.absmax_quantize(0.01 * randn(seed + 3, 9)))


def very_small_numbers(impl, seed):
    return named(impl.absmax_quantize(1e-12 * randn(seed + 4, 9)))


def all_zeros(impl, seed):
    return named(impl.absmax_quantize(torch.zeros(2, 3)))


def numbers_of_bfloat16(impl, seed):
    x = torch.tensor([0.5, 1.328125, -1.328125, 0.0], dtype=torch.bfloat16)
    return named(impl.absmax_quantize(x * 2 ** (seed % 5)))


def numbers_that_are_refused(impl, seed):
    bad = {"NaN": [1.0, float("nan")], "infinity": [1.0, float("inf")], "minus infinity": [-float("inf"), 0.0]}
    found = {name: error_of(lambda x=x: impl.absmax_quantize(torch.tensor(x))) for name, x in bad.items()}
    x = torch.tensor([1.0, -2.0])
    return found | {f"{bits} bits": error_of(lambda bits=bits: impl.absmax_quantize(x, bits)) for bits in (1, 9, 2, 8)}


def the_four_numbers_of_the_workbook(impl, seed):
    return named(impl.absmax_quantize(torch.tensor([0.5, -2.54, 1.28, 0.0])))


# ---------------------------------------------------------------- zeropoint_quantize

ZP_RANGE = [
    "right",
    "whose range need not hold zero, so that zero has no code",
    "whose range is symmetric around zero",
    "whose range holds zero and the maximum, and forgets the minimum",
    "whose range need not hold zero where all numbers are NEGATIVE",
    "whose range need not hold zero where all numbers are POSITIVE",
]
ZP_SCALE = ["right", "whose scale divides by 256, and not by the 255 steps", "whose scale divides by 127"]
ZP_POINT = [
    "right",
    "with the SIGN of the zero point wrong",
    "whose zero point is not rounded before it is added",
    "whose zero point is taken from the minimum before it is divided by the scale",
    "whose codes start at 0 and not at −128",
    "whose zero point is rounded down",
]
ZP_ADD = [
    "right",
    "that forgets to add the zero point to the codes",
    "that SUBTRACTS the zero point from the codes",
    "that rounds AFTER it has added the zero point, so that halves go elsewhere where that is odd",
]
ZP_CLAMP = ["right", "WITHOUT a clamp, so that 128 wraps to −128", "that clamps to −127"]
ZP_ZERO = [
    "right",
    "whose scale is zero where x is all zeros",
    "whose scale is 1 where all numbers are EQUAL, not only where all are zero",
]
ZP_CHECK = ["right", "that gives NaN and infinity a code"]
ZP_KIND = ["right", "whose zero point is a float"]
ZP_HINTS = {
    **ROUND_HINTS,
    ZP_RANGE[1]: "All numbers lie between 3 and 5. Which code stands for 0 exactly?",
    ZP_RANGE[2]: "Which codes does a tensor without negative numbers use?",
    ZP_RANGE[3]: "Which code does the smallest number get?",
    ZP_RANGE[4]: "All numbers lie between −5 and −3. Which code stands for 0 exactly?",
    ZP_RANGE[5]: "All numbers lie between 3 and 5. Which code stands for 0 exactly?",
    ZP_SCALE[1]: "256 codes: how many steps lie between the first and the last?",
    ZP_SCALE[2]: "How many steps lie between −128 and 127?",
    ZP_POINT[1]: "The minimum must get the code −128. Put x = min into your formula.",
    ZP_POINT[2]: "Zero must be exact: can a code be 11.3?",
    ZP_POINT[3]: "The zero point is a code. Which unit does the minimum have?",
    ZP_POINT[4]: "Which is the smallest number that int8 holds?",
    ZP_POINT[5]: "Which whole number is nearest?",
    ZP_ADD[1]: "Which code should x = 0 get?",
    ZP_ADD[2]: "x ≈ scale · (code − zero point). Solve for the code.",
    ZP_ADD[3]: "x / scale = 0.5 and the zero point is 27. What is rounded: 0.5, or 27.5?",
    ZP_CLAMP[1]: "Two roundings add up: min/scale = −153.5, max/scale = 101.5. What is the largest code?",
    ZP_CLAMP[2]: "Here all 256 codes are used. Which is the first?",
    ZP_ZERO[1]: "What is 0/0? Which scale does the docstring promise?",
    ZP_ZERO[2]: "All numbers are 5. What is the range after it was widened?",
    ZP_CHECK[1]: "What is the largest of some numbers and NaN?",
    ZP_KIND[1]: "A code is a whole number, and so is the code of zero. Which dtype is promised?",
}


def wrong_zeropoint(range_, scale, rounding, point, add, clamp, zero, check, kind):
    def zeropoint_quantize(x):
        if check == "right" and not x.isfinite().all():
            raise ValueError("not finite")
        low, high = x.min(), x.max()
        if range_ == "right":
            low, high = low.clamp(max=0), high.clamp(min=0)
        elif range_ == ZP_RANGE[2]:
            low, high = -x.abs().max(), x.abs().max()
        elif range_ == ZP_RANGE[3]:
            low, high = low.clamp(min=0, max=0), high.clamp(min=0)
        elif range_ == ZP_RANGE[4]:
            low = low.clamp(max=0)
        elif range_ == ZP_RANGE[5]:
            high = high.clamp(min=0)
        width = high - low
        s = width / dict(zip(ZP_SCALE, (255, 256, 127), strict=True))[scale]
        s = s if zero == ZP_ZERO[1] else torch.where(width > 0, s, 1)
        s = torch.where(x.min() == x.max(), 1, s) if zero == ZP_ZERO[2] else s
        first = 0 if point == ZP_POINT[4] else -128
        z = {
            ZP_POINT[1]: first + (low / s).round(),
            ZP_POINT[2]: first - low / s,
            ZP_POINT[3]: first - low.round(),
            ZP_POINT[5]: first - (low / s).ceil(),
        }.get(point, first - (low / s).round())
        steps = ROUNDING[rounding](x / s) if point != ZP_POINT[2] else x / s
        codes = steps + {ZP_ADD[1]: 0, ZP_ADD[2]: -z}.get(add, z)
        codes = (x / s + z).round() if add == ZP_ADD[3] else codes
        codes = codes.round() if point == ZP_POINT[2] else codes
        codes = codes if clamp == ZP_CLAMP[1] else codes.clamp(-127 if clamp == ZP_CLAMP[2] else -128, 127)
        codes = codes.nan_to_num(0, 0, 0).to(torch.int64).to(torch.int8)
        return codes, s, z if kind == ZP_KIND[1] else z.nan_to_num(0, 0, 0).to(torch.int32)

    return zeropoint_quantize


def named_affine(triple):
    codes, scale, zero_point = triple
    return {"the codes": codes, "the scale": scale, "the zero point": zero_point}


def numbers_on_both_sides_of_zero(impl, seed):
    return named_affine(impl.zeropoint_quantize(randn(seed, 5, 7) + 0.7))


def numbers_after_a_relu(impl, seed):
    return named_affine(impl.zeropoint_quantize(randn(seed + 1, 3, 11).relu() + 0.0))


def numbers_far_above_zero(impl, seed):
    return named_affine(impl.zeropoint_quantize(randn(seed + 2, 13, dtype=torch.float64).abs() + 3))


def numbers_far_below_zero(impl, seed):
    return named_affine(impl.zeropoint_quantize(-randn(seed + 3, 13).abs() - 2))


def codes_that_would_pass_the_end(impl, seed):
    return named_affine(impl.zeropoint_quantize(torch.tensor([-153.5, 101.5, 0.0, 0.5, 1.5, -0.5, 33.3])))


def halves_beside_an_odd_zero_point(impl, seed):
    return named_affine(impl.zeropoint_quantize(torch.tensor([-155.0, 100.0, 0.5, 1.5, -0.5, 2.5])))


def affine_small_numbers(impl, seed):
    return {f"{s:g} times": named_affine(impl.zeropoint_quantize(s * randn(seed + 4, 9))) for s in (0.01, 1e-12)}


def affine_equal_numbers(impl, seed):
    return {f"all {v:g}": named_affine(impl.zeropoint_quantize(torch.full((3,), v))) for v in (5.0, -5.0)}


def affine_all_zeros(impl, seed):
    return named_affine(impl.zeropoint_quantize(torch.zeros(2, 3)))


def affine_numbers_that_are_refused(impl, seed):
    bad = {"NaN": [1.0, float("nan")], "infinity": [1.0, float("inf")], "minus infinity": [-float("inf"), 0.0]}
    return {name: error_of(lambda x=x: impl.zeropoint_quantize(torch.tensor(x))) for name, x in bad.items()}


def the_three_numbers_of_the_workbook(impl, seed):
    return named_affine(impl.zeropoint_quantize(torch.tensor([-1.0, 0.0, 4.1])))


# ---------------------------------------------------------------- quantize_groups

GROUP_AXIS = [
    "right",
    "with ONE scale for the whole weight",
    "with one scale for all groups of a row",
    "with the scales of the columns: the groups lie along the wrong axis",
    "whose groups take every G-th column, and not neighbours",
    "whose scale is that of the largest POSITIVE number of a group",
    "whose scale is made of HALF the distance from a group's smallest number to its largest",
]
GROUP_SCALE = ["right", "whose scale is for eight bits, whatever is asked", "whose scale is max/128 (max/8, …)"]
GROUP_CLAMP = ["right", "that uses the code −128 (−8, …) too, and so divides by half a step more"]
GROUP_ZERO = ["right", "whose scale is NaN or zero where a group is all zeros"]
GROUP_CHECK = [
    "right",
    "that lets a group CROSS a row",
    "that gives NaN a code",
    "whose last group of a row may be SHORTER than the others",
]
GROUP_KIND = ["right", "whose codes stay in groups, with three axes", "whose scales have a third axis of size one"]
GROUP_HINTS = {
    **ROUND_HINTS,
    GROUP_AXIS[1]: "Multiply one row by a hundred: do the codes of the others change?",
    GROUP_AXIS[2]: "Multiply one group by a hundred: do the codes of its row's other groups change?",
    GROUP_AXIS[3]: "A row of the weight makes one output. Whose scale can be applied after the sum?",
    GROUP_AXIS[4]: "Which columns are in the first group of four? 0, 1, 2, 3?",
    GROUP_AXIS[5]: "What becomes of a group whose largest magnitude is negative?",
    GROUP_AXIS[6]: "Codes are symmetric. Which code gets the 5 of a group −1, 0, 5?",
    GROUP_SCALE[1]: "What is the largest code of four bits?",
    GROUP_SCALE[2]: "The largest magnitude must become the largest code. By what is it divided?",
    GROUP_CLAMP[1]: "Symmetric: is there a code that has no partner on the other side of zero?",
    GROUP_ZERO[1]: "What is 0/0? Which scale does the docstring promise?",
    GROUP_CHECK[1]: "Ten columns in groups of four: in which row is the third group?",
    GROUP_CHECK[3]: "Ten columns in groups of four: how many scales has a row, and what does the docstring promise?",
    GROUP_CHECK[2]: "What is the largest of some numbers and NaN?",
    GROUP_KIND[1]: "The codes have the shape of the weight.",
    GROUP_KIND[2]: "One scale for each row and group: how many axes?",
}


def wrong_groups(axis, scale, rounding, clamp, zero, check, kind):
    def quantize_groups(weight, group_size, bits=8):
        if check != GROUP_CHECK[2] and not weight.isfinite().all():
            raise ValueError("not finite")
        if weight.shape[1] % group_size:
            if check == GROUP_CHECK[1] and weight.numel() % group_size == 0:
                flat = weight.reshape(-1, group_size)
                codes, scales = quantize_groups(flat, group_size, bits)
                return codes.view(weight.shape), scales
            if check == GROUP_CHECK[3]:
                made = [quantize_groups(p, p.shape[1], bits) for p in weight.split(group_size, 1)]
                return tuple(torch.cat(parts, 1) for parts in zip(*made, strict=True))
            raise ValueError("groups")
        limit = 2 ** (bits - 1) - 1
        G = weight.shape[1] // group_size
        groups = weight.reshape(len(weight), G, group_size)
        if axis == GROUP_AXIS[4]:
            groups = weight.reshape(len(weight), group_size, G).transpose(1, 2)
        largest = groups.abs().amax(2)
        if axis == GROUP_AXIS[1]:
            largest = weight.abs().max().expand(len(weight), G)
        elif axis == GROUP_AXIS[2]:
            largest = weight.abs().amax(1, keepdim=True).expand(-1, G)
        elif axis == GROUP_AXIS[3]:
            largest = weight.abs().amax(0).reshape(1, G, group_size).expand(len(weight), -1, -1)
        elif axis == GROUP_AXIS[5]:
            largest = groups.amax(2)
        elif axis == GROUP_AXIS[6]:
            largest = (groups.amax(2) - groups.amin(2)) / 2
        divisor = {GROUP_SCALE[1]: 127, GROUP_SCALE[2]: limit + 1}.get(scale, limit)
        divisor = divisor + 0.5 if clamp == GROUP_CLAMP[1] else divisor
        scales = largest / divisor
        scales = scales if zero == GROUP_ZERO[1] else torch.where(largest != 0, scales, 1)
        wide = scales if scales.ndim == 3 else scales[:, :, None]
        codes = ROUNDING[rounding](groups / wide).clamp(-limit - (clamp == GROUP_CLAMP[1]), limit)
        codes = codes.nan_to_num(0, 0, 0).to(torch.int8)
        if axis == GROUP_AXIS[4]:
            codes = codes.transpose(1, 2)
        codes = codes if kind == GROUP_KIND[1] else codes.reshape(weight.shape)
        scales = scales[0].reshape(-1) if scales.ndim == 3 else scales
        return codes, scales[..., None] if kind == GROUP_KIND[2] else scales

    return quantize_groups


def named_groups(pair):
    codes, scales = pair
    return {"the codes": codes, "the scales": scales}


def three_groups_of_five_columns(impl, seed):
    return named_groups(impl.quantize_groups(randn(seed, 7, 15), 5))


def one_group_a_row_is_per_channel(impl, seed):
    rows = torch.tensor([[1.0], [100.0], [0.01]], dtype=torch.float64)
    return named_groups(impl.quantize_groups(randn(seed + 1, 3, 11, dtype=torch.float64) * rows, 11))


def a_square_weight_in_four_bits(impl, seed):
    weight = randn(seed + 2, 6, 6)
    weight[2, 1] = -9.0
    return named_groups(impl.quantize_groups(weight, 3, 4)) | {
        "3 bits by keyword": named_groups(impl.quantize_groups(weight, group_size=2, bits=3))
    }


def groups_of_halves(impl, seed):
    return named_groups(impl.quantize_groups(torch.tensor([[7.0, 0.5, 1.5, -2.5, -14.0, 1.0, -3.0, 5.0]]), 4, 4))


def a_group_of_zeros(impl, seed):
    weight = randn(seed + 3, 2, 6)
    weight[1, :3] = 0
    weight[0, 3:] *= 1e-12
    return named_groups(impl.quantize_groups(weight, 3))


def groups_of_bfloat16(impl, seed):
    x = torch.tensor([[0.5, 1.328125, -1.328125, 0.0]], dtype=torch.bfloat16)
    return named_groups(impl.quantize_groups(x * 2 ** (seed % 5), 2))


def a_strided_weight(impl, seed):
    return named_groups(impl.quantize_groups(randn(seed + 4, 8, 5).T, 4))


def rows_that_their_groups_do_not_fill(impl, seed):
    return named_groups(impl.quantize_groups(randn(seed, 4, 10), 4))


def groups_that_are_refused(impl, seed):
    weight, bad = randn(seed, 4, 10), torch.tensor([[1.0, float("nan")]])
    return {
        "groups of 4 in 10 columns": error_of(lambda: impl.quantize_groups(weight, 4)),
        "groups of 5 in 10 columns": error_of(lambda: impl.quantize_groups(weight, 5)),
        "groups of 20 in 10 columns": error_of(lambda: impl.quantize_groups(weight, 20)),
        "NaN": error_of(lambda: impl.quantize_groups(bad, 2)),
        "infinity": error_of(lambda: impl.quantize_groups(bad.nan_to_num(float("inf")), 2)),
    }


def the_row_of_the_workbook(impl, seed):
    return named_groups(impl.quantize_groups(torch.tensor([[1.27, 0.02, 12.7, 0.2]]), 2))


# ---------------------------------------------------------------- int8_linear

SUMS = [
    "int32",
    "that adds the products up in INT8, and wraps",
    "that adds the products up in INT16, and wraps",
    "that CLAMPS the sums to int8",
    "that adds the products up in BFLOAT16, and rounds the sums",
]
SCALES = [
    "both",
    "that applies the scale of the TOKENS alone",
    "that applies the scale of the CHANNELS alone",
    "that applies no scale",
    "that applies the channel's scale to the token with the same number",
    "that DIVIDES by the scales",
]
TOKENS = [
    "right",
    "with ONE scale for all tokens",
    "with a scale for each input CHANNEL of x",
    "that does not quantize the activations at all",
]
BIAS = [
    "right",
    "that forgets the bias",
    "that adds the bias before the scales are applied",
    "that ROUNDS the bias to whole steps of the sums",
]
LINEAR_HINTS = {
    SUMS[1]: "Two codes of 127: what is their product, and does it fit into int8?",
    SUMS[2]: "How many products of 127 · 127 fit into int16?",
    SUMS[4]: "How many digits has bfloat16, and how many has a sum of products of codes?",
    SUMS[3]: "The sum is not a code. What happens to it before it becomes a float?",
    SCALES[1]: "x ≈ x_codes · s_x, w ≈ codes · s_w. What is x · w?",
    SCALES[2]: "x ≈ x_codes · s_x, w ≈ codes · s_w. What is x · w?",
    SCALES[3]: "The sums are products of codes. What does a code stand for?",
    SCALES[4]: "The sums are (T, O). Which axis belongs to the channels, and what is the shape of `scales`?",
    SCALES[5]: "A number is code · scale. What was divided by the scale before?",
    TOKENS[1]: "Multiply one token by a hundred: do the others' codes change?",
    TOKENS[2]: "A scale for each input channel is inside of the sum. Can it be applied to the sum?",
    TOKENS[3]: "W8A8: which numbers are multiplied?",
    BIAS[1]: "What does a linear layer do last?",
    BIAS[2]: "In which units is the bias: in those of the sums, or in those of the outputs?",
    BIAS[3]: "The sums are whole numbers. Is the bias one?",
}


def wrong_linear(sums, scales_, tokens, rounding, bias_):
    def int8_linear(x, codes, scales, bias=None):
        if not x.isfinite().all():
            raise ValueError("not finite")
        largest = x.abs().amax(1, keepdim=True)
        if tokens == TOKENS[1]:
            largest = x.abs().max().expand(len(x), 1)
        elif tokens == TOKENS[2]:
            largest = x.abs().amax(0, keepdim=True)
        s = torch.where(largest > 0, largest / 127, 1)
        x_codes = ROUNDING[rounding](x / s).to(torch.int64)
        if tokens == TOKENS[3]:
            total, s = x @ codes.to(x.dtype).T, torch.ones(len(x), 1, dtype=x.dtype)
        else:
            total = x_codes @ codes.to(torch.int64).T
            if sums in SUMS[1:3]:
                total = total.to(torch.int8 if sums == SUMS[1] else torch.int16)
            elif sums == SUMS[3]:
                total = total.clamp(-127, 127)
            elif sums == SUMS[4]:
                total = x_codes.bfloat16() @ codes.bfloat16().T
            total = total.to(x.dtype)
        if tokens == TOKENS[2]:
            s = s.mean().expand(len(x), 1)
        if bias_ == BIAS[2] and bias is not None:
            total = total + bias
        if scales_ == SCALES[5]:
            y = total / s / scales.T
        elif scales_ == SCALES[4] and len(x) == len(scales):
            y = total * s * scales
        elif scales_ == SCALES[4]:
            y = total * s * scales.T
        else:
            y = total * (s if scales_ in SCALES[:2] else 1) * (scales.T if scales_ in (SCALES[0], SCALES[2]) else 1)
        if bias is not None and bias_ == BIAS[3]:
            step = s * scales.T
            y = y + (bias / step).round() * step
        return (y + bias if bias is not None and bias_ == "right" else y).to(x.dtype)

    return int8_linear


def int8_case(seed, T, I, O, dtype=torch.float32, bias=True):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(-127, 128, (O, I), generator=generator).to(torch.int8)
    sizes = torch.tensor([1.0, 30.0, 0.2, 4.0, 9.0, 0.03, 2.0, 70.0])[:T, None].to(dtype)
    scales = randn(seed + 2, O, 1, dtype=dtype).abs() / 50 + 0.01
    return randn(seed + 1, T, I, dtype=dtype) * sizes, codes, scales, randn(seed + 3, O, dtype=dtype) if bias else None


def three_tokens_and_seven_channels(impl, seed):
    return impl.int8_linear(*int8_case(seed, 3, 5, 7))


def without_a_bias(impl, seed):
    return impl.int8_linear(*int8_case(seed + 4, 4, 11, 3, bias=False)[:3])


def as_many_tokens_as_channels(impl, seed):
    return impl.int8_linear(*int8_case(seed + 8, 5, 6, 5))


def float64_numbers(impl, seed):
    return impl.int8_linear(*int8_case(seed + 12, 2, 7, 3, torch.float64))


def sums_of_three_hundred_large_products(impl, seed):
    x, codes, scales, bias = int8_case(seed + 16, 3, 300, 5)
    return impl.int8_linear(x.abs(), codes.abs(), scales, bias=bias)


def a_token_of_zeros(impl, seed):
    x, codes, scales, bias = int8_case(seed + 20, 3, 5, 2)
    x[1] = 0
    return impl.int8_linear(x, codes, scales, bias)


def a_token_that_is_refused(impl, seed):
    x, *rest = int8_case(seed, 3, 5, 2)
    x[1, 2] = float("nan")
    found = {"NaN": error_of(lambda: impl.int8_linear(x, *rest))}
    for name, bad in (("infinity", float("inf")), ("minus infinity", -float("inf"))):
        loud = x.masked_fill(x.isnan(), bad)
        found[name] = error_of(lambda loud=loud: impl.int8_linear(loud, *rest))
    return found


def scales_and_bias_of_float64(impl, seed):
    x, codes, scales, bias = int8_case(seed + 24, 3, 5, 2)
    return {
        "with a bias": impl.int8_linear(x, codes, scales.double(), bias.double()),
        "without": impl.int8_linear(x, codes, scales.double()),
    }


def the_sum_of_the_workbook(impl, seed):
    codes, scales = torch.tensor([[127, 0], [64, -127]], dtype=torch.int8), torch.tensor([[0.01], [0.1]])
    return impl.int8_linear(torch.tensor([[1.27, -0.64]]), codes, scales, torch.tensor([1.0, 2.0]))


# ---------------------------------------------------------------- llm_int8_linear

WHICH = [
    "right",
    "that takes out TOKENS with an outlier, and not columns",
    "that takes out single ELEMENTS, and not columns",
    "that forgets negative outliers",
    "that takes out a column where ALL its tokens are large",
    "that treats a number EQUAL to the threshold as an outlier",
    "that keeps its threshold at 6, whatever is asked",
    "whose outlier columns are those of the WEIGHT",
    "that quantizes nothing where no column is an outlier",
    "in which the small numbers of an outlier column are in NEITHER part",
    "that takes single ELEMENTS out of x, and leaves whole columns out of the weight's scales alone",
]
PARTS_OF = [
    "right",
    "that counts the outlier columns TWICE",
    "that drops the outlier columns",
    "whose outlier columns still stretch the scales of the weight",
    "whose outlier columns still stretch the scales of the TOKENS",
    "that quantizes the outlier part too",
]
LLM_HINTS = {
    WHICH[1]: "Where are the large values of a trained model: in a few tokens, or in a few channels of all tokens?",
    WHICH[2]: "A column is in one part as a whole. Is the small number above a large one in the same part?",
    WHICH[3]: "Is −60 an outlier?",
    WHICH[4]: "One large value stretches its token's scale. How many does a column need to be taken out?",
    WHICH[5]: 'The docstring says "larger than".',
    WHICH[6]: "Set the threshold to 3: what changes?",
    WHICH[8]: "With a threshold that no number reaches, what is left of the two parts?",
    WHICH[9]: "A column with one large number: which part multiplies its small ones?",
    WHICH[
        10
    ]: "A column is in one part as a whole: in x and in the weight. Where is the small number above a large one?",
    WHICH[7]: "The outliers are in the activations. Whose columns are looked at?",
    PARTS_OF[1]: "Which numbers does the int8 part see in an outlier column?",
    PARTS_OF[2]: "What is the output where all columns are outliers?",
    PARTS_OF[3]: "The int8 part must see zeros there, in x AND in the weight. What stretches the weight's scales?",
    PARTS_OF[4]: "The scales of the tokens are those of the regular columns alone.",
    PARTS_OF[5]: "Why were these columns taken out?",
}


def rounded_rows(x):
    largest = x.abs().amax(1, keepdim=True)
    s = torch.where(largest > 0, largest / 127, 1)
    return (x / s).round() * s


def wrong_llm(which, parts):
    def llm_int8_linear(x, weight, threshold=6.0):
        if which == WHICH[6]:
            threshold = 6.0
        large = x.abs() > threshold
        if which == WHICH[1]:
            rows = large.any(1)
            y = rounded_rows(x) @ rounded_rows(weight).T
            return torch.where(rows[:, None], x @ weight.T, y)
        if which == WHICH[2]:
            return rounded_rows(x.masked_fill(large, 0)) @ rounded_rows(weight).T + (x * large) @ weight.T
        out = {
            WHICH[3]: (x > threshold).any(0),
            WHICH[4]: large.all(0),
            WHICH[5]: (x.abs() >= threshold).any(0),
            WHICH[7]: (weight.abs() > threshold).any(0),
        }.get(which, large.any(0))
        small, fine = x.masked_fill(out, 0), weight.masked_fill(out, 0)
        if which == WHICH[8] and not out.any():
            return x @ weight.T
        if which == WHICH[9]:
            return rounded_rows(x.masked_fill(large, 0)) @ rounded_rows(fine).T + (x * large) @ weight.T
        if which == WHICH[10]:
            s = fine.abs().amax(1, keepdim=True).clamp(min=1e-30) / 127
            return rounded_rows(x.masked_fill(large, 0)) @ ((weight / s).round() * s).T + (x * large) @ weight.T
        if parts == PARTS_OF[1]:
            small, fine = x, weight
        fine = rounded_rows(weight).masked_fill(out, 0) if parts == PARTS_OF[3] else rounded_rows(fine)
        small = rounded_rows(x).masked_fill(out, 0) if parts == PARTS_OF[4] else rounded_rows(small)
        regular = small @ fine.T
        a, b = x[:, out], weight[:, out]
        if parts == PARTS_OF[5]:
            a, b = rounded_rows(x * out)[:, out], rounded_rows(weight * out)[:, out]
        return regular if parts == PARTS_OF[2] else regular + a @ b.T

    return llm_int8_linear


def outlier_case(seed, T=5, I=11, O=7, dtype=torch.float32):
    x, weight = randn(seed, T, I, dtype=dtype).clamp(-2.9, 2.9), randn(seed + 1, O, I, dtype=dtype)
    x[:, 3] *= 20
    x[2] *= 0.1
    x[0, 3], x[1, 8] = 60.0, -41.0
    weight[:, 3] = 5 * weight[:, 3].sign()  # it would stretch the weight's scales
    weight[:, 5] *= 9  # loud in the weight alone: no outlier
    return x, weight


def two_outlier_columns(impl, seed):
    return impl.llm_int8_linear(*outlier_case(seed))


def another_threshold(impl, seed):
    x, weight = outlier_case(seed + 2, 3, 13, 5)
    x[2, 5], x[1, 6] = 3.5, -2.95
    return {
        "threshold 3": impl.llm_int8_linear(x, weight, 3.0),
        "threshold 100 by keyword": impl.llm_int8_linear(x, weight, threshold=100.0),
        "threshold 0": impl.llm_int8_linear(x, weight, 0.0),
    }


def no_outlier_at_all(impl, seed):
    return impl.llm_int8_linear(randn(seed + 4, 3, 5).clamp(-2, 2), randn(seed + 5, 2, 5))


def a_number_at_the_threshold(impl, seed):
    x, weight = randn(seed + 6, 3, 5).clamp(-2, 2), randn(seed + 7, 2, 5)
    x[1, 2], x[0, 4] = 6.0, 7.5
    return impl.llm_int8_linear(x, weight)


def outliers_in_float64(impl, seed):
    return impl.llm_int8_linear(*outlier_case(seed + 8, dtype=torch.float64))


def the_two_columns_of_the_workbook(impl, seed):
    return impl.llm_int8_linear(torch.tensor([[1.27, 100.0]]), torch.tensor([[1.0, 0.5]]))


# ---------------------------------------------------------------- smooth_fold

SIDE = [
    "right",
    "folded into the WRONG side: the norm is multiplied and the weights are divided",
    "that multiplies the weights and leaves the norm alone",
    "that divides the norm once for EVERY weight that reads it",
    "that divides the norm and leaves the weights alone",
]
POWER = [
    "right",
    "WITHOUT the power of 1 − α on the weights",
    "WITHOUT the power of α on the activations",
    "with α and 1 − α exchanged",
    "that MULTIPLIES by the weights' part",
    "that keeps α at 0.5, whatever is asked",
]
OF = [
    "right",
    "whose factors look at the FIRST weight only",
    "whose factors look at the last weight only",
    "whose factors are made of the MEAN magnitudes of the weights' columns",
    "whose factors are those of the largest SIGNED weights",
    "whose factors are made of the weights' ROWS",
    "with factors of its own for EACH weight; the norm is divided by the last one's",
]
SMOOTH_ZERO = [
    "right",
    "whose factors are zero or infinite where a channel is always zero",
    "whose factor is 1 where ANY of the weights is zero in a channel, and not all",
]
SMOOTH_HINTS = {
    SIDE[1]: "The activations are to become smaller. What does the norm's gain do to them?",
    SIDE[2]: "(x / s) · (W · s)ᵀ: who divides x?",
    SIDE[3]: "q, k and v read the same activations. How often are these divided?",
    SIDE[4]: "The function must not change. Who multiplies by s again?",
    POWER[1]: "max |W| has a power of its own. Which one, at α = 0.8?",
    POWER[2]: "At α = 0, which of the two sides decides?",
    POWER[3]: "α = 1 moves all of the difficulty into the weights: then s = max |X|.",
    POWER[4]: "A large weight leaves less room: does s grow or shrink with it?",
    POWER[5]: "What is s for α = 1?",
    OF[1]: "All weights that read the norm share one s. Which of them has the largest column?",
    OF[2]: "All weights that read the norm share one s. Which of them has the largest column?",
    OF[3]: "What stretches a scale: the mean of a column, or its largest?",
    OF[4]: "Is −3 a large weight?",
    OF[5]: "s has an entry for each INPUT channel. Which axis of a weight is that?",
    OF[6]: "q, k and v read the same activations. By how many different s can these be divided?",
    SMOOTH_ZERO[1]: "What is 0 to the power of α, and what does the norm divide by then?",
    SMOOTH_ZERO[2]: "q does not read a channel, and k does. What is the largest magnitude over both?",
}


def wrong_smooth(side, power, of, zero):
    def smooth_fold(norm_weight, weights, act_absmax, alpha=0.5):
        if power == POWER[5]:
            alpha = 0.5
        if of == OF[6]:
            made = [wrong_smooth(side, power, "right", zero)(norm_weight, [v], act_absmax, alpha) for v in weights]
            return made[-1][0], [folded for _, (folded,) in made]
        w = {OF[1]: weights[:1], OF[2]: weights[-1:]}.get(of, weights)
        if of == OF[5] and all(len(v) == len(norm_weight) for v in weights):
            w = [v.T for v in weights]
        w = torch.cat(list(w))
        w = w.abs().mean(0) if of == OF[3] else w.amax(0).clamp(min=0) if of == OF[4] else w.abs().amax(0)
        a, b = (1 - alpha, alpha) if power == POWER[3] else (alpha, 1 - alpha)
        a, b = 1 if power == POWER[2] else a, 1 if power == POWER[1] else b
        s = act_absmax**a * w**b if power == POWER[4] else act_absmax**a / w**b
        if zero == "right":
            s = torch.where((act_absmax > 0) & (w > 0), s, 1)
        elif zero == SMOOTH_ZERO[2]:
            all_read = torch.stack([v.abs().amax(0) for v in weights]).amin(0) > 0
            s = torch.where((act_absmax > 0) & (w > 0) & all_read, s, 1)
        times = {SIDE[1]: -1, SIDE[2]: 0, SIDE[3]: len(weights)}.get(side, 1)
        more = {SIDE[1]: -1, SIDE[4]: 0}.get(side, 1)
        return norm_weight / s**times, [v * s**more for v in weights]

    return smooth_fold


def named_fold(pair):
    norm, weights = pair
    return {"the norm's gain": norm} | {f"weight {i}": w for i, w in enumerate(weights)}


def smooth_case(seed, I=7, rows=(5, 3, 3), dtype=torch.float32):
    loud = torch.tensor([1.0, 80.0, 0.3, 7.0, 19.0, 2.0, 0.9, 4.0, 11.0, 5.0, 3.0][:I], dtype=dtype)
    weights = [randn(seed + i, O, I, dtype=dtype) * (1 + i) for i, O in enumerate(rows)]
    weights[0][0, 2] = -31.0
    return randn(seed + 9, I, dtype=dtype) + 3, weights, loud


def three_weights_that_read_one_norm(impl, seed):
    return named_fold(impl.smooth_fold(*smooth_case(seed)))


def alpha_of_eight_tenths(impl, seed):
    return named_fold(impl.smooth_fold(*smooth_case(seed + 20), 0.8)) | {
        "alpha 0.3 by keyword": named_fold(impl.smooth_fold(*smooth_case(seed + 30), alpha=0.3)),
    }


def alpha_of_zero_and_one(impl, seed):
    return {f"alpha {a}": named_fold(impl.smooth_fold(*smooth_case(seed + 40, 5, (4,)), a)) for a in (0.0, 1.0)}


def square_weights(impl, seed):
    return named_fold(impl.smooth_fold(*smooth_case(seed + 50, 5, (5, 5), torch.float64)))


def channels_of_zeros(impl, seed):
    norm, weights, loud = smooth_case(seed + 60)
    loud[3] = 0
    weights = [torch.cat((w[:, :5], torch.zeros(len(w), 1), w[:, 6:]), 1) for w in weights]
    return {f"alpha {a}": named_fold(impl.smooth_fold(norm, weights, loud, a)) for a in (0.5, 0.0, 1.0)}


def a_channel_that_one_weight_does_not_read(impl, seed):
    norm, weights, loud = smooth_case(seed + 65)
    weights[1][:, 1] = 0
    return named_fold(impl.smooth_fold(norm, weights, loud))


def the_outputs_stay_the_same(impl, seed):
    norm, weights, loud = smooth_case(seed + 70, dtype=torch.float64)
    x = randn(seed + 80, 4, 7, dtype=torch.float64)
    new, folded = impl.smooth_fold(norm, weights, loud, 0.6)
    return {f"output {i}": (x * new) @ w.T for i, w in enumerate(folded)}


def the_channels_of_the_workbook(impl, seed):
    found = impl.smooth_fold(
        torch.tensor([2.0, 2.0]), [torch.tensor([[1.0, 1.0], [-0.5, 0.25]])], torch.tensor([1.0, 100.0])
    )
    return named_fold(found)


# ---------------------------------------------------------------- fake_quantize

FORWARD = [
    "right",
    "that returns the CODES, and not the numbers they stand for",
    "WITHOUT the clamp",
    "that uses one more code below zero (−128)",
    "that does not round at all",
    "that clamps for eight bits, whatever is asked",
]
BACKWARD = [
    "right",
    "that DIFFERENTIATES the rounding: the gradient is zero",
    "whose gradient passes everywhere, WITHOUT the clamp's mask",
    "whose gradient is multiplied by the scale",
    "whose gradient is divided by the scale",
    "whose gradient passes only OUTSIDE of the range",
    "whose gradient stops at the last code itself, half a step too early",
    "whose gradient passes at EXACTLY half a step beyond the last code, too",
]
FAKE_HINTS = {
    **ROUND_HINTS,
    FORWARD[1]: "Fake: in which units is the output?",
    FORWARD[2]: "What becomes of a number beyond the last code?",
    FORWARD[3]: "Symmetric: which is the smallest code?",
    FORWARD[4]: "How many different values may the output have?",
    FORWARD[5]: "What is the largest code of three bits?",
    BACKWARD[1]: "What is the derivative of a staircase? Which function's derivative is taken instead?",
    BACKWARD[2]: "A number far beyond the last code: does it help to push it further?",
    BACKWARD[3]: "x is divided by the scale, and the codes are multiplied by it. What is left?",
    BACKWARD[4]: "x is divided by the scale, and the codes are multiplied by it. What is left?",
    BACKWARD[5]: "Which numbers can still change their code: those inside, or those that were clamped?",
    BACKWARD[6]: "x / scale = 127.3 rounds to a code that exists. Is it clamped?",
    BACKWARD[7]: "To which whole number is 7.5 rounded, and is it one of four bits' codes?",
}


class Fake(torch.autograd.Function):
    """A forward and a gradient of one's own choice."""

    @staticmethod
    def forward(ctx, x, out, slope):
        ctx.save_for_backward(slope)
        return out.clone()

    @staticmethod
    def backward(ctx, upstream):
        return upstream * ctx.saved_tensors[0], None, None


def wrong_fake(forward, rounding, backward):
    def fake_quantize(x, scale, bits=8):
        limit = 2 ** ((8 if forward == FORWARD[5] else bits) - 1) - 1
        low = -limit - (forward == FORWARD[3])
        steps = (x / scale).detach()
        codes = steps if forward == FORWARD[4] else ROUNDING[rounding](steps)
        out = codes if forward == FORWARD[2] else codes.clamp(low, limit)
        out = out if forward == FORWARD[1] else out * scale
        inside = ((codes >= low) & (codes <= limit)).to(x.dtype)
        slope = {
            BACKWARD[1]: torch.zeros_like(inside),
            BACKWARD[2]: torch.ones_like(inside),
            BACKWARD[3]: inside * scale,
            BACKWARD[4]: inside / scale,
            BACKWARD[5]: 1 - inside,
            BACKWARD[6]: (steps.abs() <= limit).to(x.dtype),
            BACKWARD[7]: (steps.abs() <= limit + 0.5).to(x.dtype),
        }.get(backward, inside)
        return Fake.apply(x, out.to(x.dtype), slope.to(x.dtype).expand_as(x))

    return fake_quantize


def output_and_gradient(function, x, *args, **more):
    x = x.clone().requires_grad_()
    out = function(x, *args, **more)
    upstream = torch.arange(1, out.numel() + 1, dtype=out.dtype).view_as(out)
    if not out.requires_grad:
        return {"the output": out, "the gradient": None}
    return {
        "the output": out.detach(),
        "the gradient": torch.autograd.grad((out * upstream).sum(), x, allow_unused=True)[0],
    }


def numbers_in_and_beyond_the_range(impl, seed):
    return output_and_gradient(impl.fake_quantize, 3 * randn(seed, 5, 7), torch.tensor(0.013))


def three_bits(impl, seed):
    return output_and_gradient(impl.fake_quantize, randn(seed + 1, 3, 11), torch.tensor(0.37), 3) | {
        "2 bits by keyword": output_and_gradient(impl.fake_quantize, randn(seed + 2, 13), torch.tensor(0.61), bits=2)
    }


def a_scale_for_each_row(impl, seed):
    scale = torch.tensor([[0.3], [0.05], [2.0]], dtype=torch.float64)
    return output_and_gradient(impl.fake_quantize, randn(seed + 3, 3, 7, dtype=torch.float64), scale, 4)


def a_float64_scale_for_each_row_of_float32(impl, seed):
    scale = torch.tensor([[0.3], [0.05], [2.0]], dtype=torch.float64)
    return output_and_gradient(impl.fake_quantize, randn(seed + 5, 3, 7), scale, 4)


def halves_and_the_last_half_step(impl, seed):
    x = torch.tensor([0.25, 0.75, 1.25, -0.25, -0.75, 3.6, 3.75, 3.8, -3.6, -3.75, -3.8, -4.0])
    return output_and_gradient(impl.fake_quantize, x, torch.tensor(0.5), 4)


def a_tensor_without_gradient(impl, seed):
    return impl.fake_quantize(randn(seed + 4, 4), torch.tensor(0.2), 4)


def the_steps_of_the_workbook(impl, seed):
    return output_and_gradient(impl.fake_quantize, torch.tensor([0.26, -0.9, 2.0]), torch.tensor(0.5), 3)


# ---------------------------------------------------------------- gptq_quantize

HESSIAN = [
    "right",
    "WITHOUT damping",
    "whose damping is added as it is, and not as a share of the mean diagonal",
    "with the CHOLESKY factor of H, and not of its inverse",
    "with the rows of H⁻¹ itself, and not of its Cholesky factor",
    "that ignores `damping` and always takes 0.01",
    "whose mean of the diagonal leaves out the channels that are always zero",
]
ERROR = [
    "right",
    "whose error is not DIVIDED by the diagonal",
    "whose error is ADDED to the columns to come, and not taken off",
    "that repairs nothing: rounding to nearest",
    "whose error is that of the first weight, and not of the repaired one",
    "that repairs the next column only",
    "whose error is taken BEFORE the code is clamped",
]
RESCALE = [
    "right",
    "whose scales are taken anew from the repaired weights",
    "with ONE scale for the whole weight",
    "whose scale is max/8 (max/4, …)",
]
GPTQ_CLAMP = ["right", "WITHOUT a clamp: repaired weights pass the last code", "that uses the code −8 (−4, …) too"]
GPTQ_HINTS = {
    **ROUND_HINTS,
    HESSIAN[1]: "An input channel is always zero. Is H invertible?",
    HESSIAN[2]: "Multiply all inputs by ten: should the codes change?",
    HESSIAN[3]: "UᵀU must be the INVERSE. What did you factor?",
    HESSIAN[4]: "After a column is done, it must leave H⁻¹. Which factor holds all these smaller inverses at once?",
    HESSIAN[5]: "What does `damping=1.0` change?",
    HESSIAN[6]: "How many entries has H's diagonal, zeros counted?",
    ERROR[1]: "How far must column k move for an error of one in column j? U_jk alone, or U_jk / U_jj?",
    ERROR[2]: "If column j was rounded up, in which direction must its neighbour go?",
    ERROR[3]: "Where does the error of a column go?",
    ERROR[4]: "The column has moved since the start. What was rounded?",
    ERROR[5]: "Which columns of U's row are not zero?",
    ERROR[6]: "Which code is stored, and how far is the weight from that one?",
    RESCALE[1]: "The codes of the first columns use the first scales. What happens to them when the scales change?",
    RESCALE[2]: "Multiply one row by a hundred: do the codes of the others change?",
    RESCALE[3]: "The largest magnitude must become the largest code. By what is it divided?",
    GPTQ_CLAMP[1]: "A repaired weight may be larger than the row's largest was. Does its code exist?",
    GPTQ_CLAMP[2]: "Symmetric: which is the smallest code?",
}


def wrong_gptq(hessian, error_, rescale, clamp, rounding):
    def gptq_quantize(weight, inputs, bits=4, damping=0.01):
        limit = 2 ** (bits - 1) - 1
        H = inputs.T @ inputs
        share = 0.01 if hessian == HESSIAN[5] else damping
        d = H.diagonal()
        add = {HESSIAN[1]: 0.0, HESSIAN[2]: share, HESSIAN[6]: share * d[d > 0].mean()}.get(hessian, share * d.mean())
        H = H + add * torch.eye(len(H), dtype=H.dtype)
        inverse = torch.linalg.inv(H)
        if hessian == HESSIAN[3]:
            U = torch.linalg.cholesky(H, upper=True)
        elif hessian == HESSIAN[4]:
            U = inverse
        else:
            U = torch.linalg.cholesky(inverse, upper=True)
        rest, codes = weight.clone(), torch.zeros(weight.shape, dtype=torch.int8)
        first = weight.abs().amax(1) if rescale != RESCALE[2] else weight.abs().max().expand(len(weight))
        for j in range(weight.shape[1]):
            largest = rest.abs().amax(1) if rescale == RESCALE[1] else first
            s = largest / (limit + (rescale == RESCALE[3]))
            s = torch.where(largest > 0, s, 1)
            c = whole = ROUNDING[rounding](rest[:, j] / s)
            c = c if clamp == GPTQ_CLAMP[1] else c.clamp(-limit - (clamp == GPTQ_CLAMP[2]), limit)
            codes[:, j] = c.to(torch.int8)
            e = (weight if error_ == ERROR[4] else rest)[:, j] - (whole if error_ == ERROR[6] else c) * s
            if error_ != ERROR[1]:
                e = e / U[j, j]
            move = e[:, None] * U[j, j + 1 :]
            if error_ == ERROR[5]:
                move[:, 1:] = 0
            if error_ != ERROR[3]:
                rest[:, j + 1 :] += move if error_ == ERROR[2] else -move
        return codes, s[:, None]

    return gptq_quantize


def gptq_case(seed, O=5, I=7, N=23, dtype=torch.float64):
    mix = torch.eye(I, dtype=dtype) + 0.7 * randn(seed + 2, I, I, dtype=dtype)
    weight = randn(seed, O, I, dtype=dtype)
    weight[0] *= 40
    return weight, randn(seed + 1, N, I, dtype=dtype) @ mix


def inputs_that_go_together(impl, seed):
    return named_groups(impl.gptq_quantize(*gptq_case(seed)))


def three_and_two_bits(impl, seed):
    case = gptq_case(seed + 10, 61, 24, 30)
    return {"3 bits": named_groups(impl.gptq_quantize(*case, 3))} | {
        "2 bits by keyword": named_groups(impl.gptq_quantize(*case, bits=2))
    }


def a_channel_that_is_always_zero(impl, seed):
    weight, inputs = gptq_case(seed + 20)
    inputs[:, 2] = 0
    weight[3] = 0
    weight[4] *= 1e-12
    return named_groups(impl.gptq_quantize(weight, inputs))


def half_of_the_channels_always_zero(impl, seed):
    weight, inputs = gptq_case(seed + 50, 61, 8, 31)
    inputs[:, ::2] = 0
    return named_groups(impl.gptq_quantize(weight, inputs, damping=1.0))


def much_damping_and_large_inputs(impl, seed):
    weight, inputs = gptq_case(seed + 30, 9, 6, 40)
    return {"damping 1": named_groups(impl.gptq_quantize(weight, 30 * inputs, 4, 1.0))} | {
        "damping 0.3 by keyword": named_groups(impl.gptq_quantize(weight, inputs, damping=0.3))
    }


def gptq_in_float32(impl, seed):
    weight, inputs = gptq_case(seed + 40, 6, 5, 29, torch.float32)
    codes, scales = impl.gptq_quantize(weight, inputs)
    return {"the shape of the codes": list(codes.shape), "the scales": scales, "int8": codes.dtype == torch.int8}


def the_three_columns_of_the_workbook(impl, seed):
    weight = torch.tensor([[7.0, 0.4, 2.3]], dtype=torch.float64)
    inputs = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.1]], dtype=torch.float64)
    return named_groups(impl.gptq_quantize(weight, inputs, 4, 1e-6))


# ---------------------------------------------------------------- nf4_quantize

LEVEL = [
    "nearest",
    "that takes the next LOWER level, and not the nearest",
    "that takes the next HIGHER level, and not the nearest",
    "whose sixteen levels are equally far apart",
    "whose border between two levels is not their middle but its third",
    "whose borders have two decimals only",
]
NF4_SCALE = [
    "block",
    "with ONE absmax for the whole tensor",
    "with the absmax of signed numbers: the largest, and not the largest magnitude",
    "whose blocks take every K-th number, and not neighbours",
]
NIBBLE = [
    "right",
    "with the FIRST of two neighbours in the low four bits",
    "that packs a code with the one half a tensor on",
]
NF4_ZERO = ["right", "whose block of zeros is NaN, and so gets another code than that of zero"]
NF4_CHECK = [
    "right",
    "that cuts off the numbers that do not fill a block",
    "that asks for an even number of numbers, and not for an even BLOCK",
]
NF4_HINTS = {
    LEVEL[1]: "0.07 lies between 0 and 0.0796. Which is nearer?",
    LEVEL[2]: "0.01 lies between 0 and 0.0796. Which is nearer?",
    LEVEL[3]: "The levels are given. Are they equally far apart?",
    LEVEL[4]: "From where on is the upper of two levels nearer?",
    LEVEL[5]: "The middle of 0 and 0.0796 is 0.0398. Is 0.0399 nearer to 0?",
    NF4_SCALE[1]: "How many numbers share an absmax?",
    NF4_SCALE[2]: "What is the absmax of −3 and 1?",
    NF4_SCALE[3]: "Which numbers are in the first block?",
    NIBBLE[1]: "Which of two neighbours is multiplied by 16?",
    NIBBLE[2]: "Which two codes share a byte?",
    NF4_ZERO[1]: "What is 0/0? Which level is 0?",
    NF4_CHECK[1]: "What does the docstring promise for ten numbers in blocks of four?",
    NF4_CHECK[2]: "Six numbers in blocks of three: in which block does the second byte lie?",
}


def wrong_nf4(level, scale, nibble, zero, check):
    def nf4_quantize(x, block_size=64):
        odd = x.numel() % 2 if check == NF4_CHECK[2] else block_size % 2
        if odd or (x.numel() % block_size and check != NF4_CHECK[1]):
            raise ValueError("blocks")
        flat = x.reshape(-1)[: x.numel() // block_size * block_size]
        blocks = flat.view(-1, block_size)
        if scale == NF4_SCALE[3]:
            blocks = flat.view(block_size, -1).T
        absmax = blocks.amax(1).clamp(min=1e-3) if scale == NF4_SCALE[2] else blocks.abs().amax(1)
        if scale == NF4_SCALE[1]:
            absmax = absmax.max().expand_as(absmax).clone()
        scaled = blocks / (absmax if zero == NF4_ZERO[1] else torch.where(absmax > 0, absmax, 1))[:, None]
        levels = NF4_LEVELS.to(x.dtype) if level != LEVEL[3] else torch.linspace(-1, 1, 16, dtype=x.dtype)
        low, high = levels[:-1], levels[1:]
        middle = (low + high) / 2
        middle = (100 * middle).round() / 100 if level == LEVEL[5] else middle
        borders = {LEVEL[1]: high, LEVEL[2]: low, LEVEL[4]: low + (high - low) / 3}.get(level, middle)
        codes = (scaled[..., None] > borders).sum(-1) if level != LEVEL[1] else (scaled[..., None] >= borders).sum(-1)
        codes = torch.where(scaled.isnan(), 0, codes)
        codes = codes.T.reshape(-1) if scale == NF4_SCALE[3] else codes.reshape(-1)
        a, b = (
            (codes[: len(codes) // 2], codes[len(codes) // 2 :]) if nibble == NIBBLE[2] else (codes[::2], codes[1::2])
        )
        packed = b * 16 + a if nibble == NIBBLE[1] else a * 16 + b
        return packed.to(torch.uint8), absmax

    return nf4_quantize


def named_nf4(pair):
    packed, absmax = pair
    return {"the bytes": packed, "the absmax": absmax}


def blocks_of_six(impl, seed):
    sizes = torch.tensor([1.0, 30.0, 0.2, 5.0, 11.0]).repeat_interleave(6)
    return named_nf4(impl.nf4_quantize(randn(seed, 30) * sizes, 6))


def a_matrix_in_blocks_of_sixty_four(impl, seed):
    return named_nf4(impl.nf4_quantize(randn(seed + 1, 12, 32)))


def a_transposed_matrix_in_float64(impl, seed):
    return named_nf4(impl.nf4_quantize(randn(seed + 2, 14, 10, dtype=torch.float64).T, block_size=28))


def a_block_of_zeros(impl, seed):
    return named_nf4(impl.nf4_quantize(torch.cat((randn(seed + 3, 4), torch.zeros(4), 1e-12 * randn(seed + 4, 4))), 4))


def blocks_that_are_refused(impl, seed):
    cases = {
        "10 numbers in blocks of 4": (10, 4),
        "15 numbers in blocks of 5": (15, 5),
        "6 numbers in blocks of 3": (6, 3),
        "12 numbers in blocks of 4": (12, 4),
    }
    return {name: error_of(lambda c=c: impl.nf4_quantize(torch.ones(c[0]), c[1])) for name, c in cases.items()}


def the_four_weights_of_the_workbook(impl, seed):
    return named_nf4(impl.nf4_quantize(torch.tensor([0.0, 2.0, -1.0, 0.5]), 4))


# ---------------------------------------------------------------- distillation_loss

FACTOR = ["right", "WITHOUT T²", "with T in place of T²", "with T² on the label's part too", "DIVIDED by T²"]
DIVERGENCE = [
    "right",
    "with the KL divergence REVERSED: KL(student ∥ teacher)",
    "whose teacher is not softened by the temperature",
    "whose student is not softened by the temperature",
    "that multiplies by the temperature where it should divide",
    "whose probabilities are taken over the ROWS of the batch",
    "that takes the teacher's cross-entropy, and so keeps the teacher's own entropy in the loss",
]
MEAN = ["rows", "that averages over the CLASSES too", "that SUMS over the rows"]
HARD = ["right", "whose label's part is softened by the temperature too", "whose labels are the teacher's best guesses"]
WEIGHT = [
    "right",
    "with α and 1 − α exchanged",
    "that keeps α at 0.5, whatever is asked",
    "that adds the label's part whole",
]
TEACHER = [
    "detached",
    "whose TEACHER gets a gradient",
    "that switches the gradient of the caller's teacher OFF (`detach_`)",
]
DISTILL_HINTS = {
    FACTOR[1]: "The gradient of the softened part shrinks by 1/T². What keeps the two parts in proportion?",
    FACTOR[2]: "One 1/T comes from the softmax's argument. Where does the second come from?",
    FACTOR[3]: "Which of the two parts depends on the temperature?",
    FACTOR[4]: "Is the softened gradient too small or too large?",
    DIVERGENCE[1]: "Whose probabilities weigh the logarithms? The teacher knows what matters.",
    DIVERGENCE[2]: "Both distributions are softened. Which one is not?",
    DIVERGENCE[3]: "Both distributions are softened. Which one is not?",
    DIVERGENCE[4]: "A high temperature makes probabilities flatter. What does it do to the logits?",
    DIVERGENCE[5]: "Whose probabilities sum to one: those of a row, or those of a class?",
    DIVERGENCE[6]: "What is the loss of a student that equals its teacher, at α = 1?",
    MEAN[1]: "A divergence is a SUM over the classes. Over what is the mean?",
    MEAN[2]: "Does the loss grow with the batch?",
    HARD[1]: "Labels are compared with the student's own probabilities, at T = 1.",
    HARD[2]: "Where do the labels come from?",
    WEIGHT[1]: "At α = 1, what is left: the teacher or the labels?",
    WEIGHT[2]: "At α = 1, what is left of the label's part?",
    WEIGHT[3]: "At α = 1, what is left of the label's part?",
    TEACHER[1]: "Who learns here? What does `backward` do to the teacher's weights?",
    TEACHER[2]: "The teacher belongs to the caller. What does `requires_grad` say of it after your call?",
}


def wrong_distillation(factor, divergence, mean, hard, weight, teacher_):
    def distillation_loss(student, teacher, labels, temperature=2.0, alpha=0.5):
        T = temperature
        fixed = teacher if teacher_ == TEACHER[1] else teacher.detach()
        if teacher_ == TEACHER[2]:
            fixed = teacher.detach_()
        axis = 0 if divergence == DIVERGENCE[5] else 1
        s, t = ((v * T if divergence == DIVERGENCE[4] else v / T) for v in (student, fixed))
        s = student if divergence == DIVERGENCE[3] else s
        t = fixed if divergence == DIVERGENCE[2] else t
        s, t = s.log_softmax(axis), t.log_softmax(axis)
        terms = s.exp() * (s - t) if divergence == DIVERGENCE[1] else t.exp() * (t - s)
        terms = -t.exp() * s if divergence == DIVERGENCE[6] else terms
        kl = {MEAN[1]: terms.mean(), MEAN[2]: terms.sum()}.get(mean, terms.sum(1).mean())
        targets = fixed.argmax(1) if hard == HARD[2] else labels
        ce = F.cross_entropy(student / T if hard == HARD[1] else student, targets)
        ce = ce * len(labels) if mean == MEAN[2] else ce
        a, b = {WEIGHT[1]: (1 - alpha, alpha), WEIGHT[2]: (0.5, 0.5), WEIGHT[3]: (alpha, 1)}.get(
            weight, (alpha, 1 - alpha)
        )
        power = {FACTOR[1]: 1, FACTOR[2]: T, FACTOR[4]: 1 / T**2}.get(factor, T**2)
        return a * power * kl + b * ce * (T**2 if factor == FACTOR[3] else 1)

    return distillation_loss


def logits(seed, B=5, C=7, dtype=torch.float32):
    labels = torch.randint(C, (B,), generator=torch.Generator().manual_seed(seed + 2))
    return 2 * randn(seed, B, C, dtype=dtype), 2 * randn(seed + 1, B, C, dtype=dtype), labels


def loss_and_gradients(impl, student, teacher, labels, *args, **more):
    student, teacher = student.requires_grad_(), teacher.requires_grad_()
    loss = impl.distillation_loss(student, teacher, labels, *args, **more)
    kept = teacher.requires_grad
    mine, theirs = torch.autograd.grad(loss, (student, teacher.requires_grad_()), allow_unused=True)
    return {
        "the teacher requires a gradient after the call": kept,
        "the loss": loss.detach(),
        "the student's gradient": mine,
        "the teacher's gradient": theirs,
    }


def five_rows_of_seven_classes(impl, seed):
    return loss_and_gradients(impl, *logits(seed))


def a_temperature_of_five(impl, seed):
    return loss_and_gradients(impl, *logits(seed + 3, 3, 4, torch.float64), 5.0, 0.8) | {
        "T = 1, by keyword": loss_and_gradients(impl, *logits(seed + 6), temperature=1.0, alpha=0.3)
    }


def teacher_alone_and_labels_alone(impl, seed):
    return {f"alpha {a}": loss_and_gradients(impl, *logits(seed + 9), 3.0, a) for a in (0.0, 1.0)}


def a_student_that_equals_its_teacher(impl, seed):
    student, _, labels = logits(seed + 12, dtype=torch.float64)  # the right loss is 0: float32 would show its rounding
    return {"the loss of the teacher's part": impl.distillation_loss(student, student.clone(), labels, 4.0, 1.0)}


def large_logits(impl, seed):
    student, teacher, labels = logits(seed + 15)
    return loss_and_gradients(impl, student * 200, teacher * 200, labels, 2.0, 0.7)


def the_two_classes_of_the_workbook(impl, seed):
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 0.0]])
    return {"the loss": impl.distillation_loss(student, teacher, torch.tensor([0]), 2.0, 0.5)}


PROBES = {
    "absmax_quantize": [
        a_matrix,
        a_matrix_whose_largest_number_is_negative,
        four_and_two_bits,
        numbers_halfway_between_two_codes,
        small_numbers,
        very_small_numbers,
        all_zeros,
        numbers_of_bfloat16,
        numbers_that_are_refused,
        the_four_numbers_of_the_workbook,
    ],
    "zeropoint_quantize": [
        numbers_on_both_sides_of_zero,
        numbers_after_a_relu,
        numbers_far_above_zero,
        numbers_far_below_zero,
        codes_that_would_pass_the_end,
        halves_beside_an_odd_zero_point,
        affine_small_numbers,
        affine_equal_numbers,
        affine_all_zeros,
        affine_numbers_that_are_refused,
        the_three_numbers_of_the_workbook,
    ],
    "quantize_groups": [
        three_groups_of_five_columns,
        one_group_a_row_is_per_channel,
        a_square_weight_in_four_bits,
        groups_of_halves,
        a_group_of_zeros,
        groups_of_bfloat16,
        a_strided_weight,
        rows_that_their_groups_do_not_fill,
        groups_that_are_refused,
        the_row_of_the_workbook,
    ],
    "int8_linear": [
        three_tokens_and_seven_channels,
        without_a_bias,
        as_many_tokens_as_channels,
        float64_numbers,
        sums_of_three_hundred_large_products,
        a_token_of_zeros,
        a_token_that_is_refused,
        scales_and_bias_of_float64,
        the_sum_of_the_workbook,
    ],
    "llm_int8_linear": [
        two_outlier_columns,
        another_threshold,
        no_outlier_at_all,
        a_number_at_the_threshold,
        outliers_in_float64,
        the_two_columns_of_the_workbook,
    ],
    "smooth_fold": [
        three_weights_that_read_one_norm,
        alpha_of_eight_tenths,
        alpha_of_zero_and_one,
        square_weights,
        channels_of_zeros,
        a_channel_that_one_weight_does_not_read,
        the_outputs_stay_the_same,
        the_channels_of_the_workbook,
    ],
    "fake_quantize": [
        numbers_in_and_beyond_the_range,
        three_bits,
        a_scale_for_each_row,
        a_float64_scale_for_each_row_of_float32,
        halves_and_the_last_half_step,
        a_tensor_without_gradient,
        the_steps_of_the_workbook,
    ],
    "gptq_quantize": [
        inputs_that_go_together,
        three_and_two_bits,
        a_channel_that_is_always_zero,
        half_of_the_channels_always_zero,
        much_damping_and_large_inputs,
        gptq_in_float32,
        the_three_columns_of_the_workbook,
    ],
    "nf4_quantize": [
        blocks_of_six,
        a_matrix_in_blocks_of_sixty_four,
        a_transposed_matrix_in_float64,
        a_block_of_zeros,
        blocks_that_are_refused,
        the_four_weights_of_the_workbook,
    ],
    "distillation_loss": [
        five_rows_of_seven_classes,
        a_temperature_of_five,
        teacher_alone_and_labels_alone,
        a_student_that_equals_its_teacher,
        large_logits,
        the_two_classes_of_the_workbook,
    ],
}

KNOBS = {
    "absmax_quantize": (
        "a symmetric quantization",
        {
            "scale": ABS_SCALE,
            "rounding": ROUND,
            "clamp": ABS_CLAMP,
            "zero": ABS_ZERO,
            "check": ABS_CHECK,
            "kind": ABS_KIND,
        },
        wrong_absmax,
        ABS_HINTS,
    ),
    "zeropoint_quantize": (
        "an asymmetric quantization",
        {
            "range_": ZP_RANGE,
            "scale": ZP_SCALE,
            "rounding": ROUND,
            "point": ZP_POINT,
            "add": ZP_ADD,
            "clamp": ZP_CLAMP,
            "zero": ZP_ZERO,
            "check": ZP_CHECK,
            "kind": ZP_KIND,
        },
        wrong_zeropoint,
        ZP_HINTS,
    ),
    "quantize_groups": (
        "a quantization by groups",
        {
            "axis": GROUP_AXIS,
            "scale": GROUP_SCALE,
            "rounding": ROUND,
            "clamp": GROUP_CLAMP,
            "zero": GROUP_ZERO,
            "check": GROUP_CHECK,
            "kind": GROUP_KIND,
        },
        wrong_groups,
        GROUP_HINTS,
    ),
    "int8_linear": (
        "a W8A8 layer",
        {"sums": SUMS, "scales_": SCALES, "tokens": TOKENS, "rounding": ROUND[:2], "bias_": BIAS},
        wrong_linear,
        LINEAR_HINTS | ROUND_HINTS,
    ),
    "llm_int8_linear": ("an LLM.int8 layer", {"which": WHICH, "parts": PARTS_OF}, wrong_llm, LLM_HINTS),
    "smooth_fold": (
        "a smoothing",
        {"side": SIDE, "power": POWER, "of": OF, "zero": SMOOTH_ZERO},
        wrong_smooth,
        SMOOTH_HINTS,
    ),
    "fake_quantize": (
        "a fake quantization",
        {"forward": FORWARD, "rounding": ROUND, "backward": BACKWARD},
        wrong_fake,
        FAKE_HINTS,
    ),
    "gptq_quantize": (
        "a GPTQ",
        {"hessian": HESSIAN, "error_": ERROR, "rescale": RESCALE, "clamp": GPTQ_CLAMP, "rounding": ROUND[:2]},
        wrong_gptq,
        GPTQ_HINTS,
    ),
    "nf4_quantize": (
        "an NF4 quantization",
        {"level": LEVEL, "scale": NF4_SCALE, "nibble": NIBBLE, "zero": NF4_ZERO, "check": NF4_CHECK},
        wrong_nf4,
        NF4_HINTS,
    ),
    "distillation_loss": (
        "a distillation loss",
        {"factor": FACTOR, "divergence": DIVERGENCE, "mean": MEAN, "hard": HARD, "weight": WEIGHT, "teacher_": TEACHER},
        wrong_distillation,
        DISTILL_HINTS,
    ),
}
MOST = {"int8_linear": 2, "llm_int8_linear": 1}
WITHOUT = {
    "int8_linear": [
        *({s, TOKENS[3]} for s in (*SUMS[1:], ROUND[1], *SCALES[2:4])),
        {ROUND[1], TOKENS[2]},
        *({s, other} for s in (SCALES[3], SCALES[5]) for other in (*BIAS[1:], *SUMS[1:], *TOKENS[1:], ROUND[1])),
        *({s, ROUND[1]} for s in SUMS[1:]),
    ],
}


def of(task):
    noun, knobs, build, hints = KNOBS[task]
    return combine(task, noun, knobs, build, hints, most=MOST.get(task, 1), without=tuple(WITHOUT.get(task, ())))
