"""The classic mistakes of norms, activations and their backward passes as running code, and the inputs that show them.

Mistakes that combine are built from knobs. The first setting of a knob is the right one; every other setting is one
mistake, named by its sentence.
"""

import math

import torch
import torch.nn.functional as F
from grader import combine, error_of

TASKS = [
    "layer_norm",
    "layer_norm_backward",
    "rms_norm",
    "rms_norm_backward",
    "batch_norm",
    "gelu",
    "gelu_grad",
    "swiglu_width",
    "swiglu",
    "dropout",
    "numerical_gradient",
    "gradcheck",
]


SECONDS = dict.fromkeys(TASKS, 16)  # hypothesis and gradient checks on a busy machine
GATE_SEEDS = 3


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def alone(knobs, settings):
    """The pairs of each of these settings with any other one: such mistakes are looked for alone."""
    return [(s, other) for s in settings for choices in knobs.values() if s not in choices for other in choices[1:]]


def through_float32(function):
    """The function on inputs rounded to float32, its outputs back in the dtype of the first input."""

    def narrow(x):
        return x.float() if isinstance(x, torch.Tensor) else x

    def call(x, *others, **named_ones):
        y = function(narrow(x), *map(narrow, others), **named_ones)
        return tuple(part.to(x.dtype) for part in y) if isinstance(y, tuple) else y.to(x.dtype)

    return call


def distances(got, wanted):
    """How far each output is from PyTorch's, times a million: float64 leaves a few billionths of that."""
    return {
        f"output {i}, its distance from PyTorch's, times a million": 1e6 * (g - w)
        for i, (g, w) in enumerate(zip(got, wanted, strict=False), 1)
    }


def slopes_by_torch(function, dy, *inputs):
    leaves = [x.clone().requires_grad_() for x in inputs]
    return torch.autograd.grad((function(*leaves) * dy).sum(), leaves)


# ---------------------------------------------------------------- layer_norm

VARIANCE = [
    "biased",
    "that divides the sum of squares by D - 1, the UNBIASED variance",
    "whose variance is E[x²] - E[x]², which loses its digits when x is far from zero",
    "that divides by the VARIANCE, without a root",
]
EPS = [
    "inside",
    "with eps OUTSIDE the root",
    "WITHOUT eps",
    "that ignores the eps it is given",
    "that SQUARES eps before it adds it",
]
LN_EPS = [*EPS, "whose default eps is 1e-6, where 1e-5 is promised"]
OVER = [
    "features",
    "with its statistics over the FIRST axis",
    "with its statistics over ALL axes together",
    "with its statistics over the SECOND axis, which is the last one of a matrix only",
]
CENTER = ["centered", "that does not subtract the mean"]
AFFINE = [
    "weight and bias",
    "that leaves out the weight",
    "that leaves out the bias",
    "that adds the bias BEFORE it multiplies by the weight",
    "that multiplies by 1 + weight",
]
LN_DTYPE = ["of x", "that goes through float32 even where x is float64"]
LN_KNOBS = {
    "variance": VARIANCE,
    "eps": LN_EPS,
    "over": OVER,
    "center": CENTER,
    "affine": AFFINE,
    "dtype": LN_DTYPE,
}
LN_HINTS = {
    VARIANCE[1]: "D - 1 estimates the variance of a larger population. Is there one here, beyond the D features?",
    VARIANCE[2]: "Add 10,000 to every feature: how many digits of two squares near 100,000,000 are left in float32?",
    VARIANCE[3]: "Multiply x by 10. The variance grows 100 times: what happens to the output?",
    EPS[1]: "With eps = 0.25 and a variance of 0: is the denominator 0.25, or the root of it?",
    EPS[2]: "What is 0 / 0, for a token whose features are all equal?",
    EPS[3]: "Call it with eps = 1: does anything change?",
    EPS[4]: "Call it with eps = 4 on a row of variance 5. The root should be 3. What is yours?",
    LN_EPS[5]: "Look at the signature: which eps is promised to who gives none?",
    OVER[1]: "Which numbers belong to one token?",
    OVER[2]: "Does a token's output change when another token does?",
    OVER[3]: "x of shape (2, 3, 5) has five features. Which number of `dim` is their axis, for any number of axes?",
    CENTER[1]: "What is the mean of your output when weight is 1 and bias is 0?",
    AFFINE[1]: "Call it with weight = 2: does the output double?",
    AFFINE[2]: "What should a row of equal numbers give?",
    AFFINE[3]: "What should a row of equal numbers give: the bias, or the bias times the weight?",
    AFFINE[4]: "A weight of 0: what should be left of x?",
    LN_DTYPE[1]: "float64 has sixteen digits. How many are left after a visit to float32?",
}


LN_WITHOUT = alone(LN_KNOBS, [EPS[4], LN_EPS[5], OVER[3], LN_DTYPE[1]])


def mean_over(x, over):
    """The mean that a knob asks for, in a shape that broadcasts."""
    if over.endswith("FIRST axis"):
        return x.mean(0, keepdim=True)
    if over.endswith("ALL axes together"):
        return x.mean()
    if over == OVER[3]:
        return x.mean(min(1, x.ndim - 1), keepdim=True)
    return x.mean(-1, keepdim=True)


def given_eps(eps, eps_, default):
    """The eps that a knob makes of the one that is given; None stands for none given."""
    eps_ = default if eps_ is None else eps_
    return {EPS[2]: 0.0, EPS[3]: default, EPS[4]: eps_**2}.get(eps, eps_)


def wrong_layer_norm(variance, eps, over, center, affine, dtype):
    default = 1e-6 if eps == LN_EPS[5] else 1e-5

    def layer_norm(x, weight, bias, eps_):
        eps_, kept = given_eps(eps, eps_, default), x.dtype
        if dtype == LN_DTYPE[1]:
            x, weight, bias = x.float(), weight.float(), bias.float()
        mean = mean_over(x, over)
        centered = x - mean
        var = mean_over(centered**2, over)
        second = x.shape[min(1, x.ndim - 1)]
        n = {OVER[1]: x.shape[0], OVER[2]: x.numel(), OVER[3]: second}.get(over, x.shape[-1])
        if variance == VARIANCE[1]:
            var = var * n / max(n - 1, 1)
        elif variance == VARIANCE[2]:
            var = mean_over(x**2, over) - mean**2
        std = var.sqrt() + eps_ if eps == EPS[1] else (var + eps_).sqrt()
        x_hat = (x if center == CENTER[1] else centered) / (std**2 if variance == VARIANCE[3] else std)
        return {
            AFFINE[0]: weight * x_hat + bias,
            AFFINE[1]: x_hat + bias,
            AFFINE[2]: weight * x_hat,
            AFFINE[3]: weight * (x_hat + bias),
            AFFINE[4]: (1 + weight) * x_hat + bias,
        }[affine].to(kept)

    return lambda x, weight, bias, eps=None: layer_norm(x, weight, bias, eps)


def affine_of(seed, D):
    return numbers(seed + 10, D), numbers(seed + 11, D)


def rows_of_features(impl, seed):
    return impl.layer_norm(2 * numbers(seed, 5, 7) + 1, *affine_of(seed, 7))


def a_batch_of_sequences(impl, seed):
    return impl.layer_norm(numbers(seed, 2, 3, 5), *affine_of(seed, 5))


def a_single_token(impl, seed):
    return impl.layer_norm(numbers(seed, 11) - 2, *affine_of(seed, 11))


def four_axes(impl, seed):
    return impl.layer_norm(numbers(seed, 2, 1, 3, 5), *affine_of(seed, 5))


def the_example_by_hand(impl, seed):
    one, zero = torch.ones(4), torch.zeros(4)
    return {
        "layer_norm of 1 3 5 7": impl.layer_norm(torch.tensor([1.0, 3.0, 5.0, 7.0]), one, zero, 0.0),
        "layer_norm with eps 4": impl.layer_norm(torch.tensor([1.0, 3.0, 5.0, 7.0]), one, zero, 4.0),
    }


def a_large_eps(impl, seed):
    return impl.layer_norm(numbers(seed, 3, 7), *affine_of(seed, 7), 0.7)


def small_rows_and_the_default_eps(impl, seed):
    return impl.layer_norm(0.003 * numbers(seed, 3, 7), *affine_of(seed, 7))


def equal_numbers(impl, seed):
    return impl.layer_norm(torch.full((2, 5), 3.0, dtype=torch.float64), *affine_of(seed, 5))


def far_from_zero_in_float32(impl, seed):
    steps = torch.tensor([-3.0, -1.0, 1.0, 3.0]) + 30_000  # exact in float32, mean and differences too
    return impl.layer_norm(steps.expand(3, 4), torch.ones(4), torch.zeros(4))


def ninth_digits(seed):
    return numbers(seed + 7, 1).abs() + 1 + 1e-9 * torch.arange(5.0, dtype=torch.float64)


def the_ninth_digit_in_float64(impl, seed):
    y = impl.layer_norm(ninth_digits(seed), torch.ones(5).double(), torch.zeros(5).double())
    return {"differences, times a billion": 1e9 * (y[1:] - y[:-1])}


# ---------------------------------------------------------------- layer_norm_backward

TERMS = [
    "three",
    "WITHOUT the term of the mean, mean(g)",
    "WITHOUT the term of the variance, x̂ · mean(g · x̂)",
    "WITHOUT both mean terms: mean and variance are taken as constants",
    "whose first mean is of dy, where g = dy · weight belongs",
    "whose second mean is of dy · x̂, where g · x̂ belongs",
]
GAIN = ["first", "that multiplies by the weight AFTER the mean terms", "that forgets the weight in dx"]
SCALE = [
    "1/σ",
    "that forgets to divide dx by σ",
    "that MULTIPLIES dx by σ",
    "that divides dx by σ²",
    "that leaves eps out of the σ that divides dx",
]
DWEIGHT = [
    "Σ dy x̂",
    "whose dweight uses x in place of x̂",
    "whose dweight sums dy alone",
    "whose dweight is a MEAN over the rows",
    "whose dweight and dbias sum over the first axis only",
    "whose dweight sums over the features instead of the rows",
    "whose dweight sums g · x̂, where dy · x̂ belongs",
    "whose dweight and dbias sum over the features too where x is a single token",
    "that leaves eps out of the x̂ in dweight",
]
DBIAS = ["Σ dy", "whose dbias is a MEAN over the rows", "whose dbias sums dy · weight"]
BACK_VARIANCE = [VARIANCE[0], VARIANCE[1]]
BACK_EPS = LN_EPS
LNB_KNOBS = {
    "terms": TERMS,
    "gain": GAIN,
    "scale": SCALE,
    "dweight": DWEIGHT,
    "dbias": DBIAS,
    "variance": BACK_VARIANCE,
    "eps": BACK_EPS,
    "dtype": LN_DTYPE,
}
LNB_WITHOUT = [
    (TERMS[3], GAIN[1]),
    (DWEIGHT[4], DBIAS[1]),
    *alone(LNB_KNOBS, [*TERMS[4:], SCALE[4], EPS[4], LN_EPS[5], *DWEIGHT[7:], LN_DTYPE[1]]),
]  # pairs that do the same as one of the two, or make no sense together
LNB_HINTS = {
    TERMS[1]: "Add the same number to every feature. The output stays: what must the sum of dx over a row be?",
    TERMS[2]: "Double x. The output stays: what must the dot product of dx and x̂ be?",
    TERMS[3]: "If x_1 grows, the mean and the variance of its row grow too. Which outputs does that move?",
    TERMS[4]: "Which gradient does x̂ get: dy, or dy times the weight?",
    TERMS[5]: "Which gradient does x̂ get: dy, or dy times the weight?",
    GAIN[1]: "The output is weight · x̂ + bias. What is the gradient with respect to x̂, the numbers that are averaged?",
    GAIN[2]: "With weight = 0 the output does not depend on x at all. What must dx be?",
    SCALE[1]: "x̂ is (x - mean) / σ. If x is measured in millimetres, in what is dx measured?",
    SCALE[2]: "Does a larger x give a larger or a smaller slope of x̂?",
    SCALE[3]: "How many times does σ divide x on its way to x̂?",
    SCALE[4]: "The forward pass divides by sqrt(var + eps). Call yours with eps = 1: is that what divides dx?",
    DWEIGHT[1]: "y = weight · x̂ + bias: what does the weight multiply?",
    DWEIGHT[2]: "That is the gradient of the bias. What does the weight multiply?",
    DWEIGHT[3]: "dy is already the gradient of the loss. Each row adds its share: is there a division anywhere?",
    DWEIGHT[4]: "The weight has one axis. Over which axes was it broadcast?",
    DWEIGHT[5]: "The weight has an entry for each feature. Over what was it broadcast?",
    DWEIGHT[6]: "y = weight · x̂ + bias: does the slope of y in the weight contain the weight?",
    DWEIGHT[7]: "`sum` over an empty list of axes sums over all of them. What are dweight and dbias of one token?",
    DWEIGHT[8]: "dweight takes the x̂ of the forward pass. Call yours with eps = 1: is eps in it?",
    DBIAS[1]: "dy is already the gradient of the loss. Each row adds its share: is there a division anywhere?",
    DBIAS[2]: "y = weight · x̂ + bias: what multiplies the bias?",
    **{k: v for k, v in LN_HINTS.items() if k in (*BACK_VARIANCE, *BACK_EPS, *LN_DTYPE)},
}


def row_sum(x):
    return x.reshape(-1, x.shape[-1]).sum(0)


def scaled(d, x, rstd, scale):
    if scale == SCALE[4]:
        return d * x.square().mean(-1, keepdim=True).rsqrt()
    power = dict(zip(SCALE, (1, 0, -1, 2), strict=False))[scale]
    return d * rstd**power


def rstd_of(x, eps_, eps, unbiased=False):
    D = x.shape[-1]
    var = (x**2).sum(-1, keepdim=True) / (D - 1 if unbiased else D)
    return 1 / (var.sqrt() + eps_) if eps == EPS[1] else (var + eps_).rsqrt()


def gain_of(dweight, dy, x, x_hat, weight):
    if dweight == DWEIGHT[6]:
        return row_sum(dy * weight * x_hat)
    if dweight == DWEIGHT[8]:
        x_hat = x * x.square().mean(-1, keepdim=True).rsqrt()
    product = dy * (x if dweight.endswith("x in place of x̂") else x_hat)
    if dweight.endswith("sums dy alone"):
        product = dy
    if dweight.endswith("first axis only"):
        return product.sum(0)
    if dweight.endswith("a single token"):
        return product.sum(tuple(range(x.ndim - 1)))
    if dweight.endswith("instead of the rows"):
        return product.sum(-1)
    rows = dy.numel() // dy.shape[-1]
    return row_sum(product) / (rows if "MEAN" in dweight else 1)


def wrong_layer_norm_backward(terms, gain, scale, dweight, dbias, variance, eps, dtype):
    default = 1e-6 if eps == LN_EPS[5] else 1e-5

    def backward(dy, x, weight, eps_):
        eps_ = given_eps(eps, eps_, default)
        centered = x - x.mean(-1, keepdim=True)
        rstd = rstd_of(centered, eps_, eps, variance != BACK_VARIANCE[0])
        x_hat = centered * rstd
        g = dy * weight if gain == GAIN[0] else dy
        dx = g
        if terms not in (TERMS[1], TERMS[3]):
            dx = dx - (dy if terms == TERMS[4] else g).mean(-1, keepdim=True)
        if terms not in (TERMS[2], TERMS[3]):
            dx = dx - x_hat * ((dy if terms == TERMS[5] else g) * x_hat).mean(-1, keepdim=True)
        if gain == GAIN[1]:
            dx = dx * weight
        d = dy * weight if dbias == DBIAS[2] else dy
        rows = dy.numel() // dy.shape[-1]
        db = d.sum(0) if dweight == DWEIGHT[4] else row_sum(d) / (rows if dbias == DBIAS[1] else 1)
        db = d.sum(tuple(range(d.ndim - 1))) if dweight == DWEIGHT[7] else db
        seen = centered if dweight == DWEIGHT[8] else x
        return scaled(dx, centered, rstd, scale), gain_of(dweight, dy, seen, x_hat, weight), db

    backward_ = through_float32(backward) if dtype == LN_DTYPE[1] else backward
    return lambda dy, x, weight, eps=None: backward_(dy, x, weight, eps)


def named(gradients):
    """Gradients by name, so that a verdict can say which one differs."""
    return dict(zip(("dx", "dweight", "dbias"), gradients, strict=False)) | {"how many": len(gradients)}


def backward_inputs(seed, *shape, dtype=torch.float64):
    return (
        numbers(seed, *shape, dtype=dtype),
        2 * numbers(seed + 1, *shape, dtype=dtype) + 1,
        numbers(seed + 2, shape[-1], dtype=dtype),
    )


def gradients_of_rows(impl, seed):
    return named(impl.layer_norm_backward(*backward_inputs(seed, 5, 7)))


def gradients_of_a_batch_of_sequences(impl, seed):
    return named(impl.layer_norm_backward(*backward_inputs(seed + 3, 2, 3, 5)))


def gradients_of_a_single_token(impl, seed):
    return named(impl.layer_norm_backward(*backward_inputs(seed + 6, 11)))


def gradients_of_four_axes(impl, seed):
    return named(impl.layer_norm_backward(*backward_inputs(seed + 7, 2, 1, 3, 5)))


def all_digits_of_the_gradients(impl, seed):
    dy, x, weight = backward_inputs(seed + 8, 3, 7)
    wanted = slopes_by_torch(lambda x, w, b: F.layer_norm(x, (7,), w, b, 1e-3), dy, x, weight, 0 * weight)
    return distances(impl.layer_norm_backward(dy, x, weight, 1e-3), wanted)


def gradients_with_a_large_eps(impl, seed):
    return named(impl.layer_norm_backward(*backward_inputs(seed + 9, 3, 7), 0.9))


def gradients_of_small_rows_and_the_default_eps(impl, seed):
    dy, x, weight = backward_inputs(seed + 12, 3, 7)
    return named(impl.layer_norm_backward(dy, 0.003 * x, weight))


def gradients_by_hand(impl, seed):
    dy = torch.tensor([1.0, 0.0, 0.0, 0.0])
    return named(impl.layer_norm_backward(dy, torch.tensor([1.0, 3.0, 5.0, 7.0]), torch.ones(4), 0.0))


# ---------------------------------------------------------------- rms_norm

RMS_MEAN = ["not subtracted", "that subtracts the mean first, as LayerNorm does"]
RMS_SUM = ["mean", "that divides by the SUM of squares' root, the length of x", "that divides by D - 1"]
RMS_SUM += ["that divides by the MEAN of squares, without a root"]
RMS_WEIGHT = ["weight", "that leaves out the weight", "that multiplies by 1 + weight"]
RMS_DTYPE = [
    "float32",
    "whose statistics are in the dtype of x, so bfloat16 rounds every square",
    "that returns float32 whatever the dtype of x",
    "that multiplies by the weight in float32, and only then goes back to the dtype of x",
    "that goes through float32 even where x is float64",
    "that rounds 1 / r to the dtype of x before it multiplies",
    "that squares in the dtype of x, so float32 comes too late",
]
RMS_OVER = OVER
RMS_EPS = [*EPS, "whose default eps is 1e-5, where 1e-6 is promised"]
RMS_FLOOR = [*RMS_EPS, "that takes eps as a FLOOR of the mean square instead of adding it"]
RMS_KNOBS = {
    "center": RMS_MEAN,
    "total": RMS_SUM,
    "eps": RMS_FLOOR,
    "over": RMS_OVER,
    "affine": RMS_WEIGHT,
    "dtype": RMS_DTYPE,
}
RMS_HINTS = {
    **LN_HINTS,
    RMS_MEAN[1]: "RMSNorm leaves one step of LayerNorm out. Which?",
    RMS_SUM[1]: "Repeat every feature twice. Should the normalized numbers shrink?",
    RMS_SUM[2]: "No mean was estimated from the data. What would the - 1 correct?",
    RMS_SUM[3]: "Multiply x by 10. The mean square grows 100 times: what happens to the output?",
    RMS_WEIGHT[1]: "Call it with weight = 2: does the output double?",
    RMS_WEIGHT[2]: "A weight of 0: what should be left of x?",
    RMS_DTYPE[1]: "bfloat16 has 8 bits of precision. How exact is a mean of a hundred squares in it?",
    RMS_EPS[5]: "Look at the signature: which eps is promised to who gives none?",
    RMS_FLOOR[6]: "1, 3, 5, 7 with eps 4: what is the root of 21 + 4, and what is yours?",
    RMS_DTYPE[5]: "x / r is to be computed in float32. In which dtype is your product?",
    RMS_DTYPE[6]: "bfloat16 rounds a square to one part in 256, and float16 overflows at 300². Where do you leave it?",
    RMS_DTYPE[2]: "The next layer's weights are bfloat16. What does it say to a float32 input?",
    RMS_DTYPE[4]: "float64 has sixteen digits. How many are left after a visit to float32?",
    RMS_DTYPE[3]: "Llama rounds x̂ to the dtype of x. Does your product see the rounded or the exact x̂?",
}


def wrong_rms_norm(center, total, eps, over, affine, dtype):
    default = 1e-5 if eps == RMS_EPS[5] else 1e-6

    def rms_norm(x, weight, eps_):
        eps_ = given_eps(eps, eps_, default)
        wide = x if dtype == RMS_DTYPE[1] else x.to(torch.promote_types(x.dtype, torch.float32))
        wide = x.float() if dtype == RMS_DTYPE[4] else wide
        if center == RMS_MEAN[1]:
            wide = wide - mean_over(wide, over)
        n = {OVER[1]: x.shape[0], OVER[2]: x.numel()}.get(over, x.shape[-1])
        squares = x.square().to(wide.dtype) if dtype == RMS_DTYPE[6] else wide.square()
        square = mean_over(squares, over) * {RMS_SUM[1]: n, RMS_SUM[2]: n / max(n - 1, 1)}.get(total, 1)
        rms = square.sqrt() + eps_ if eps == EPS[1] else (square + eps_).sqrt()
        if eps == RMS_FLOOR[6]:
            rms = square.clamp(min=eps_).sqrt()
        x_hat = wide / (rms**2 if total == RMS_SUM[3] else rms)
        if dtype == RMS_DTYPE[5]:
            x_hat = x * rms.reciprocal().to(x.dtype)
        gain = {RMS_WEIGHT[1]: torch.ones_like(weight), RMS_WEIGHT[2]: 1 + weight}.get(affine, weight)
        if dtype == RMS_DTYPE[2]:
            return gain * x_hat
        if dtype == RMS_DTYPE[3]:
            return (gain.to(x_hat.dtype) * x_hat).to(x.dtype)
        return gain * x_hat.to(x.dtype)

    return lambda x, weight, eps=None: rms_norm(x, weight, eps)


def rms_of_rows(impl, seed):
    return impl.rms_norm(2 * numbers(seed, 5, 7) + 1, numbers(seed + 10, 7))


def rms_of_a_batch_of_sequences(impl, seed):
    return impl.rms_norm(numbers(seed + 1, 2, 3, 5), numbers(seed + 10, 5))


def rms_of_a_single_token(impl, seed):
    return impl.rms_norm(numbers(seed + 2, 11), numbers(seed + 10, 11))


def rms_of_four_axes(impl, seed):
    return impl.rms_norm(numbers(seed + 1, 2, 1, 3, 5), numbers(seed + 10, 5))


def rms_by_hand(impl, seed):
    x = torch.tensor([1.0, 3.0, 5.0, 7.0])
    return {"weight 1, eps 0": impl.rms_norm(x, torch.ones(4), 0.0), "eps 4": impl.rms_norm(x, torch.ones(4), 4.0)}


def rms_with_a_large_eps(impl, seed):
    return impl.rms_norm(numbers(seed + 3, 3, 7), numbers(seed + 10, 7), 0.7)


def rms_of_small_rows_and_the_default_eps(impl, seed):
    return impl.rms_norm(0.001 * numbers(seed + 4, 3, 7), numbers(seed + 10, 7))


def rms_of_zeros(impl, seed):
    return impl.rms_norm(torch.zeros(2, 5, dtype=torch.float64), numbers(seed + 10, 5))


def rms_in_bfloat16(impl, seed):
    x = (3 * numbers(seed + 5, 7, 301)).to(torch.bfloat16)
    return impl.rms_norm(x, numbers(seed + 10, 301).to(torch.bfloat16))


def rms_in_float16(impl, seed):
    x = (300 * numbers(seed + 6, 3, 31)).to(torch.float16)  # squares are beyond 65,504, the largest float16
    return impl.rms_norm(x, numbers(seed + 10, 31).to(torch.float16))


def the_ninth_digit_of_float64(impl, seed):
    y = impl.rms_norm(ninth_digits(seed), torch.ones(5, dtype=torch.float64))
    return {"differences, times a billion": 1e9 * (y[1:] - y[:-1])}


# ---------------------------------------------------------------- rms_norm_backward

RMS_TERMS = [
    "both",
    "WITHOUT the term x̂ · mean(g · x̂): the size of x is taken as a constant",
    "that also subtracts mean(g), as LayerNorm does",
    "whose second term takes the SUM of g · x̂ instead of the mean",
    "whose second term uses x in place of x̂",
    "that also subtracts the mean of g over ALL numbers",
    "whose second mean is of dy · x̂, where g · x̂ belongs",
    "whose second term is not divided by r",
]
RMSB_EPS = RMS_EPS
RMSB_DWEIGHT = [
    DWEIGHT[0],
    DWEIGHT[1],
    DWEIGHT[2],
    DWEIGHT[3],
    "whose dweight sums over the first axis only",
    DWEIGHT[5],
    DWEIGHT[6],
    "whose dweight sums over the features too where x is a single token",
    DWEIGHT[8],
]
RMSB_KNOBS = {
    "terms": RMS_TERMS,
    "gain": GAIN,
    "scale": SCALE,
    "dweight": RMSB_DWEIGHT,
    "eps": RMSB_EPS,
    "dtype": LN_DTYPE,
}
RMSB_WITHOUT = [
    (RMS_TERMS[1], GAIN[1]),
    *alone(RMSB_KNOBS, [*RMS_TERMS[5:], SCALE[4], EPS[4], RMS_EPS[5], *RMSB_DWEIGHT[7:], LN_DTYPE[1]]),
]
RMSB_HINTS = {
    **LNB_HINTS,
    GAIN[1]: "The output is weight · x̂. What is the gradient with respect to x̂, the numbers that are averaged?",
    RMS_TERMS[1]: "Double x. The output stays: what must the dot product of dx and x be?",
    RMS_TERMS[2]: "Add the same number to every feature. Does RMSNorm's output stay?",
    RMS_TERMS[3]: "Take dy = x̂ with weight 1: dx must be zero. What is mean(x̂ · x̂), and what is its sum?",
    RMS_TERMS[4]: "The term must not grow when x is multiplied by 10, beside dy. Does yours?",
    RMS_TERMS[5]: "Does the gradient of a token depend on what other tokens are beside it?",
    RMS_TERMS[6]: "Which gradient does x̂ get: dy, or dy times the weight?",
    RMS_TERMS[7]: "Both terms stand over r. If x is measured in millimetres, in what is each of yours measured?",
    RMSB_EPS[5]: RMS_HINTS[RMS_EPS[5]],
    RMSB_DWEIGHT[4]: "The weight has one axis. Over which axes was it broadcast?",
    RMSB_DWEIGHT[7]: "`sum` over an empty list of axes sums over all of them. What is the dweight of one token?",
}


def wrong_rms_norm_backward(terms, gain, scale, dweight, eps, dtype):
    default = 1e-5 if eps == RMS_EPS[5] else 1e-6

    def backward(dy, x, weight, eps_):
        rstd = rstd_of(x, given_eps(eps, eps_, default), eps)
        x_hat = x * rstd
        g = dy * weight if gain == GAIN[0] else dy
        total = (g * x_hat).sum(-1, keepdim=True)
        u = x if terms in (RMS_TERMS[4], RMS_TERMS[7]) else x_hat
        mean = (g * u).mean(-1, keepdim=True) if terms == RMS_TERMS[4] else total / x.shape[-1]
        if terms == RMS_TERMS[6]:
            mean = (dy * x_hat).mean(-1, keepdim=True)
        dx = g - {RMS_TERMS[1]: 0.0, RMS_TERMS[3]: x_hat * total}.get(terms, u * mean)
        if terms == RMS_TERMS[2]:
            dx = dx - g.mean(-1, keepdim=True)
        if terms == RMS_TERMS[5]:
            dx = dx - g.mean()
        if gain == GAIN[1]:
            dx = dx * weight
        return scaled(dx, x, rstd, scale), gain_of(dweight, dy, x, x_hat, weight)

    backward_ = through_float32(backward) if dtype == LN_DTYPE[1] else backward
    return lambda dy, x, weight, eps=None: backward_(dy, x, weight, eps)


def rms_gradients_of_rows(impl, seed):
    return named(impl.rms_norm_backward(*backward_inputs(seed, 5, 7)))


def rms_gradients_of_a_batch_of_sequences(impl, seed):
    return named(impl.rms_norm_backward(*backward_inputs(seed + 3, 2, 3, 5)))


def rms_gradients_of_a_single_token(impl, seed):
    return named(impl.rms_norm_backward(*backward_inputs(seed + 6, 11)))


def rms_gradients_with_a_large_eps(impl, seed):
    return named(impl.rms_norm_backward(*backward_inputs(seed + 9, 3, 7), 0.9))


def rms_gradients_of_four_axes(impl, seed):
    return named(impl.rms_norm_backward(*backward_inputs(seed + 7, 2, 1, 3, 5)))


def all_digits_of_the_rms_gradients(impl, seed):
    dy, x, weight = backward_inputs(seed + 8, 3, 7)
    wanted = slopes_by_torch(lambda x, w: F.rms_norm(x, (7,), w, 1e-3), dy, x, weight)
    return distances(impl.rms_norm_backward(dy, x, weight, 1e-3), wanted)


def rms_gradients_of_small_rows_and_the_default_eps(impl, seed):
    dy, x, weight = backward_inputs(seed + 12, 3, 7)
    return named(impl.rms_norm_backward(dy, 0.001 * x, weight))


def rms_gradients_by_hand(impl, seed):
    return named(impl.rms_norm_backward(torch.tensor([1.0, 0.0]), torch.tensor([3.0, 4.0]), torch.ones(2), 0.0))


# ---------------------------------------------------------------- batch_norm

BN_OVER = [
    "batch and space",
    "with its statistics over the batch only, one for each place",
    "with its statistics over the features of each example, as LayerNorm",
    "whose statistics end at the fourth axis, so x of five axes has one for each place of the fifth",
]
BN_VAR = [
    "biased",
    "that divides the batch by the UNBIASED variance",
    "whose running variance takes the BIASED variance",
    "whose unbiased variance counts the EXAMPLES, where all values of a channel count",
]
BN_MOMENTUM = [
    "momentum of the new",
    "with the momentum REVERSED: it keeps a tenth of the old and takes nine tenths of the new",
    "that REPLACES the running averages by the batch's",
    "that never updates its running averages",
    "that ignores the momentum it is given",
]
BN_EVAL = [
    "running",
    "that uses the BATCH's statistics at evaluation too",
    "that updates its running averages at evaluation",
    "that uses the running averages at training too",
    "that ignores `training` and always evaluates",
    "that normalizes by the NEW running averages at training",
]
BN_ONE = [
    "refused",
    "that accepts one value a channel at training",
    "that refuses a single EXAMPLE at training, however many values a channel has",
    "that refuses one value a channel at evaluation too",
]
BN_EPS = [EPS[0], EPS[1], EPS[3], EPS[4]]
BN_STD = ["weight and bias", "that leaves out the weight", "that leaves out the bias"]
BN_KNOBS = {
    "over": BN_OVER,
    "var_": BN_VAR,
    "momentum_": BN_MOMENTUM,
    "evaluation": BN_EVAL,
    "one": BN_ONE,
    "eps_": BN_EPS,
    "affine": BN_STD,
    "dtype": LN_DTYPE,
}
BN_HINTS = {
    **LN_HINTS,
    BN_OVER[1]: "An image channel has one gain for all its pixels. Over which axes is its mean?",
    BN_OVER[2]: "Does your output depend on the other examples at all?",
    BN_OVER[3]: "A video is (N, C, time, height, width). Which axes come after the channel, for any number of them?",
    BN_VAR[1]: "Which of the two variances makes the mean square of this batch's output exactly 1?",
    BN_VAR[2]: "The running average estimates the variance of all data from a sample. Which divisor is that?",
    BN_MOMENTUM[1]: "With momentum 0.1, how many batches should the average remember: one, or about ten?",
    BN_MOMENTUM[2]: "One odd batch: how long should evaluation suffer from it?",
    BN_MOMENTUM[3]: "At evaluation, where would the mean of the training data come from?",
    BN_MOMENTUM[4]: "Call it with momentum = 0.5: does the update change?",
    BN_EVAL[1]: "One example at a time: may its class depend on which others are in the batch?",
    BN_EVAL[2]: "You evaluate a model twice on the same data. Should the second result differ?",
    BN_EVAL[3]: "At the first step the running mean is 0 and the variance 1. What would be normalized then?",
    BN_EVAL[4]: "What is `training` for?",
    BN_VAR[3]: "Three images of ten pixels: how many values of a channel are there, and what is n - 1?",
    BN_EVAL[5]: "What is the mean of your output at training, with weight 1 and bias 0? It should be 0.",
    BN_ONE[2]: "One image of ten pixels: how many values are there for the mean of a channel?",
    BN_ONE[3]: "At evaluation nothing is estimated from x. How many examples does it need?",
    BN_ONE[1]: "One value is its own mean. What is left of it after the subtraction?",
}


def wrong_batch_norm(over, var_, momentum_, evaluation, one, eps_, affine, dtype):
    def batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps):
        momentum = 0.1 if momentum_ == BN_MOMENTUM[4] else momentum
        eps = {EPS[3]: 1e-5, EPS[4]: eps**2}.get(eps_, eps)
        shape = (1, -1, *[1] * (x.ndim - 2))
        axes = [a for a in range(x.ndim) if a != 1]
        n = x.numel() // x.shape[1]
        training = training and evaluation != BN_EVAL[4]
        few = x.shape[0] == 1 if one == BN_ONE[2] else n == 1
        if (training or one == BN_ONE[3]) and few and one != BN_ONE[1]:
            raise ValueError("one value")
        mean = x.mean(axes, keepdim=True)
        var = (x - mean).square().mean(axes, keepdim=True)
        batch_mean, batch_var = mean, var
        if over == BN_OVER[1]:
            mean = x.mean(0, keepdim=True)
            var = (x - mean).square().mean(0, keepdim=True)
        elif over == BN_OVER[2]:
            inner = list(range(1, x.ndim))
            mean = x.mean(inner, keepdim=True)
            var = (x - mean).square().mean(inner, keepdim=True)
        elif over == BN_OVER[3] and x.ndim > 4:
            mean = x.mean((0, 2, 3), keepdim=True)
            var = (x - mean).square().mean((0, 2, 3), keepdim=True)
            batch_var = var.mean(axes, keepdim=True)
        if var_ == BN_VAR[1] and n > 1:
            var = var * n / (n - 1)
        if training or evaluation == BN_EVAL[2]:
            N = x.shape[0] if var_ == BN_VAR[3] else n
            unbiased = batch_var.flatten() * (1 if var_ == BN_VAR[2] or n == 1 else N / max(N - 1, 1))
            share = {BN_MOMENTUM[1]: 1 - momentum, BN_MOMENTUM[2]: 1.0, BN_MOMENTUM[3]: 0.0}.get(momentum_, momentum)
            new_mean = (1 - share) * running_mean + share * batch_mean.flatten()
            new_var = (1 - share) * running_var + share * unbiased
        else:
            new_mean, new_var = running_mean, running_var
        use_batch = evaluation == BN_EVAL[1] or (training and evaluation != BN_EVAL[3])
        if not use_batch:
            mean, var = running_mean.view(shape), running_var.view(shape)
        if training and evaluation == BN_EVAL[5]:
            mean, var = new_mean.view(shape), new_var.view(shape)
        std = var.sqrt() + eps if eps_ == EPS[1] else (var + eps).sqrt()
        gain = torch.ones_like(weight) if affine == BN_STD[1] else weight
        shift = torch.zeros_like(bias) if affine == BN_STD[2] else bias
        y = (x - mean) / std * gain.view(shape) + shift.view(shape)
        return y, new_mean, new_var

    batch_norm_ = through_float32(batch_norm) if dtype == LN_DTYPE[1] else batch_norm

    def call(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
        return batch_norm_(x, weight, bias, running_mean, running_var, training, momentum, eps)

    return call


def channels(seed, C):
    return numbers(seed + 1, C), numbers(seed + 2, C), numbers(seed + 3, C), numbers(seed + 4, C).square() + 0.5


def three(result):
    names = ("y", "the running mean", "the running variance")
    return dict(zip(names, result, strict=False)) | {"how many": len(result)}


def a_batch_at_training(impl, seed):
    return three(impl.batch_norm(2 * numbers(seed, 5, 3) + 1, *channels(seed, 3), True))


def a_batch_at_evaluation(impl, seed):
    return three(impl.batch_norm(numbers(seed, 5, 3), *channels(seed, 3), False))


def images_at_training(impl, seed):
    return three(impl.batch_norm(numbers(seed, 3, 4, 2, 5) - 1, *channels(seed, 4), True))


def images_at_evaluation(impl, seed):
    return three(impl.batch_norm(numbers(seed, 3, 4, 2, 5), *channels(seed, 4), False))


def videos_at_training(impl, seed):
    return three(impl.batch_norm(numbers(seed, 2, 3, 2, 1, 3) + 1, *channels(seed, 3), True))


def videos_at_evaluation(impl, seed):
    return three(impl.batch_norm(numbers(seed, 2, 3, 2, 1, 3), *channels(seed, 3), False))


def all_digits_of_a_batch(impl, seed):
    x, (weight, bias, mean, var) = numbers(seed, 5, 3), channels(seed, 3)
    theirs = mean.clone(), var.clone()
    y = F.batch_norm(x, *theirs, weight, bias, True)
    return distances(impl.batch_norm(x, weight, bias, mean, var, True), (y, *theirs))


def momentum_and_eps_are_given(impl, seed):
    return three(impl.batch_norm(numbers(seed, 5, 3), *channels(seed, 3), True, 0.35, 0.7))


def small_values_and_the_default_eps(impl, seed):
    weight, bias, mean, _ = channels(seed, 3)
    tiny = torch.full((3,), 1e-6, dtype=torch.float64)
    return {
        "at training": three(impl.batch_norm(0.003 * numbers(seed, 5, 3), weight, bias, mean, tiny, True)),
        "at evaluation": three(impl.batch_norm(0.003 * numbers(seed, 5, 3), weight, bias, 0 * mean, tiny, False)),
    }


def one_or_two_values_a_channel(impl, seed):
    def error(shape, training):
        return error_of(lambda: impl.batch_norm(numbers(seed, *shape), *channels(seed, 3), training))

    return {
        "one example, training": error((1, 3), True),
        "one example of one pixel, training": error((1, 3, 1, 1), True),
        "one example, evaluation": error((1, 3), False),
        "two examples, training": error((2, 3), True),
        "one example of two pixels, training": error((1, 3, 2), True),
    }


def the_batch_by_hand(impl, seed):
    x = torch.tensor([[1.0], [3.0], [5.0], [7.0]])
    return three(impl.batch_norm(x, torch.ones(1), torch.zeros(1), torch.zeros(1), torch.ones(1), True, 0.1, 0.0))


# ---------------------------------------------------------------- gelu

FORM = [
    "as asked",
    "that gives the TANH form where erf is asked for",
    "that gives the ERF form where tanh is asked for",
    "that is the sigmoid form x · σ(1.702 x)",
    "whose tanh form is the sigmoid form x · σ(1.702 x)",
]
ROOT = ["x/√2", "whose erf takes x instead of x/√2", "whose erf takes x · √2", "whose 1/√2 is cut to 0.7071"]
HALF = ["half", "without the factor ½", "that returns Φ(x) without multiplying by x"]
CUBE = ["cubic", "whose tanh lacks the cubic term", "whose cubic factor is 0.44715", "whose tanh has √(2π) for √(2/π)"]
CUBE += ["whose tanh has √2/π for √(2/π)", "whose √(2/π) is cut to 0.7979"]
REFUSED = [
    "refused",
    "that takes any other `approximate` for erf",
    "that takes parts of the two names too, the empty text among them",
    "that takes the two names in capitals too",
]
RANGE = ["any", "that limits x before it computes, so large x are cut"]
CONSTANTS = ["float64", "whose roots are rounded to float32"]
GELU_KNOBS = {
    "form": FORM,
    "root": ROOT,
    "half": HALF,
    "cube": CUBE,
    "refused": REFUSED,
    "limit": RANGE,
    "constants": CONSTANTS,
    "dtype": LN_DTYPE,
}
GELU_HINTS = {
    FORM[1]: 'GPT-2 was trained with one form and BERT with the other. Which one is `approximate="none"`?',
    FORM[2]: 'Is `approximate="tanh"` different from the default?',
    FORM[3]: "x σ(1.702 x) is a third form, further away. Which two are asked for?",
    FORM[4]: "x σ(1.702 x) is a third form, further away. What does the equation with tanh say?",
    CUBE[4]: "Is π under the root, or beside it?",
    CUBE[5]: "Compare with PyTorch in float64: from which digit on do you differ? `math.sqrt` has sixteen.",
    ROOT[3]: "Compare with PyTorch in float64: from which digit on do you differ? `math.sqrt` has sixteen.",
    CONSTANTS[1]: "Which dtype has `torch.tensor(2.0)`? `math.sqrt` has sixteen digits.",
    LN_DTYPE[1]: LN_HINTS[LN_DTYPE[1]],
    REFUSED[3]: 'Only "none" and "tanh" are promised. What does yours say to "TANH"?',
    REFUSED[2]: '"a" in "abc" is a question about parts of a text. Which question is yours?',
    RANGE[1]: "For large x, GELU is x. What is yours at 300?",
    ROOT[1]: "Φ(1) is 0.8413. What does your erf give it?",
    ROOT[2]: "Φ(1) is 0.8413. What does your erf give it?",
    HALF[1]: "For large x, GELU is x. What is yours?",
    HALF[2]: "For large x, GELU is x. What is yours?",
    CUBE[1]: "tanh(√(2/π) x) follows Φ near zero only. What bends it towards Φ further out?",
    CUBE[2]: "Count the zeros behind the point.",
    CUBE[3]: "The slope of Φ at 0 is 1/√(2π), and ½ tanh(c x) has the slope c/2. So what is c?",
    REFUSED[1]: 'What happens to a typing error such as "tahn"?',
}


def form_of(approximate, refused):
    """Which form a name is taken for."""
    approximate = approximate.lower() if refused == REFUSED[3] else approximate
    part = refused == REFUSED[2] and any(approximate in name for name in ("none", "tanh"))
    if approximate not in ("none", "tanh") and refused != REFUSED[1] and not part:
        raise ValueError("approximate")
    return approximate if approximate == "tanh" else "none"


def root_of(number, constants):
    return float(torch.tensor(number).sqrt()) if constants == CONSTANTS[1] else math.sqrt(number)


def wrong_gelu(form, root, half, cube, refused, limit, constants, dtype):
    def gelu(x, approximate="none"):
        approximate = form_of(approximate, refused)
        x = x.clamp(-10, 10) if limit == RANGE[1] else x
        approximate = {FORM[1]: "tanh", FORM[2]: "none"}.get(form, approximate)
        factor = dict(zip(ROOT, (1 / root_of(2.0, constants), 1.0, 2**0.5, 0.7071), strict=True))[root]
        cubic = {CUBE[1]: 0.0, CUBE[2]: 0.44715}.get(cube, 0.044715)
        c = {CUBE[3]: math.sqrt(2 * math.pi), CUBE[4]: math.sqrt(2) / math.pi, CUBE[5]: 0.7979}
        c = c.get(cube, root_of(2 / math.pi, constants))
        cdf = 1 + (torch.erf(factor * x) if approximate == "none" else torch.tanh(c * (x + cubic * x**3)))
        if form == FORM[3] or (form == FORM[4] and approximate == "tanh"):
            cdf = 2 * torch.sigmoid(1.702 * x)
        return {HALF[1]: x * cdf, HALF[2]: 0.5 * cdf}.get(half, 0.5 * x * cdf)

    return through_float32(gelu) if dtype == LN_DTYPE[1] else gelu


def points(seed):
    return 2 * numbers(seed, 3, 13)


def the_default_form(impl, seed):
    return impl.gelu(points(seed))


def both_forms_by_name(impl, seed):
    return {"none": impl.gelu(points(seed), "none"), "tanh": impl.gelu(points(seed), "tanh")}


def gelu_by_hand(impl, seed):
    x = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    return {"none": impl.gelu(x), "tanh": impl.gelu(x, approximate="tanh")}


def far_out(impl, seed):
    x = torch.tensor([-300.0, -20.0, 20.0, 300.0])
    return {"none": impl.gelu(x), "tanh": impl.gelu(x, "tanh")}


def where_the_forms_differ_most(impl, seed):
    x = torch.tensor([-2.3, -2.1, 2.1, 2.3], dtype=torch.float64) + 0.01 * numbers(seed, 4)
    return {"none, less its limit": impl.gelu(x) - x.relu(), "tanh, less its limit": impl.gelu(x, "tanh") - x.relu()}


def all_digits_of_gelu(impl, seed):
    forms, x = ("none", "tanh"), points(seed)
    return distances([impl.gelu(x, form) for form in forms], [F.gelu(x, approximate=form) for form in forms])


def forms_that_are_refused(impl, seed):
    return {
        repr(name): error_of(lambda name=name: impl.gelu(points(seed), name))
        for name in ("erf", "", "TANH", "tanh2", "none")
    }


# ---------------------------------------------------------------- gelu_grad

AT = ["input", "taken at the OUTPUT gelu(x) instead of the input"]
RULE = ["both", "that leaves out the second term, x times the slope of Φ", "that leaves out the first term, Φ itself"]
GRAD_FORM = ["as asked", "of the TANH form where erf is asked for", "of the ERF form where tanh is asked for"]
DENSITY = [
    "normal",
    "whose density lacks 1/√(2π)",
    "whose density is exp(-x²) instead of exp(-x²/2)",
    "whose density is exp(-x²)/√π, that of a variance of 1/2",
    "whose density is √2 too large",
]
INNER = [
    "inner",
    "whose tanh form lacks the inner derivative",
    "whose tanh form has 1 - t where 1 - t² belongs",
    "whose inner derivative lacks the 3 of 3 x²",
]
GRAD_KNOBS = {
    "at": AT,
    "rule": RULE,
    "form": GRAD_FORM,
    "density_": DENSITY,
    "inner_": INNER,
    "refused": REFUSED,
    "constants": CONSTANTS,
    "dtype": LN_DTYPE,
}
GRAD_HINTS = {
    AT[1]: "Two inputs have the same GELU but other slopes. So can the slope be a function of the output?",
    RULE[1]: "x Φ(x) is a product. What does the product rule say?",
    RULE[2]: "For large x, GELU is x. What is its slope there?",
    GRAD_FORM[1]: 'Whose derivative is wanted when `approximate` is "none"?',
    GRAD_FORM[2]: 'Whose derivative is wanted when `approximate` is "tanh"?',
    DENSITY[1]: "A density has the integral 1. What is that of exp(-x²/2)?",
    DENSITY[2]: "The exponent of the standard normal density has a factor. Which?",
    DENSITY[3]: "Φ belongs to a normal number of variance 1. What is the exponent of its density?",
    DENSITY[4]: "erf(x/√2): the chain rule asks for the slope of x/√2 too.",
    INNER[1]: "tanh(u(x)): the chain rule asks for u'(x) too.",
    INNER[2]: "What is the derivative of tanh, in terms of tanh?",
    INNER[3]: "What is the derivative of x³?",
    REFUSED[1]: GELU_HINTS[REFUSED[1]],
    **{k: GELU_HINTS[k] for k in (*REFUSED[2:], CONSTANTS[1], LN_DTYPE[1])},
}
GRAD_WITHOUT = [
    *alone(GRAD_KNOBS, [REFUSED[3], CONSTANTS[1], LN_DTYPE[1]]),
    *((RULE[1], other) for other in (*DENSITY[1:], *INNER[1:])),
    *((GRAD_FORM[1], density) for density in DENSITY[1:]),
    *((GRAD_FORM[2], inner) for inner in INNER[1:]),
]  # one of the two is never reached


def wrong_gelu_grad(at, rule, form, density_, inner_, refused, constants, dtype):
    right_gelu = wrong_gelu(*(choices[0] for choices in GELU_KNOBS.values()))

    def gelu_grad(x, approximate="none"):
        approximate = form_of(approximate, refused)
        approximate = {GRAD_FORM[1]: "tanh", GRAD_FORM[2]: "none"}.get(form, approximate)
        x = right_gelu(x, approximate) if at == AT[1] else x
        if approximate == "none":
            cdf = 0.5 * (1 + torch.erf(x / root_of(2.0, constants)))
            slope = torch.exp(-x * x * (1.0 if density_ in DENSITY[2:4] else 0.5))
            root = {DENSITY[1]: 1.0, DENSITY[3]: math.sqrt(math.pi), DENSITY[4]: math.sqrt(math.pi)}
            slope = slope / root.get(density_, root_of(2 * math.pi, constants))
        else:
            c = root_of(2 / math.pi, constants)
            t = torch.tanh(c * (x + 0.044715 * x**3))
            cdf = 0.5 * (1 + t)
            inner = c * (1 + (1 if inner_ == INNER[3] else 3) * 0.044715 * x * x)
            slope = 0.5 * (1 - (t if inner_ == INNER[2] else t * t)) * (1 if inner_ == INNER[1] else inner)
        return {RULE[1]: cdf, RULE[2]: x * slope}.get(rule, cdf + x * slope)

    return through_float32(gelu_grad) if dtype == LN_DTYPE[1] else gelu_grad


def slopes_of_the_default_form(impl, seed):
    return impl.gelu_grad(points(seed))


def slopes_of_both_forms_by_name(impl, seed):
    return {"none": impl.gelu_grad(points(seed), "none"), "tanh": impl.gelu_grad(points(seed), "tanh")}


def slopes_by_hand(impl, seed):
    x = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    return {"none": impl.gelu_grad(x), "tanh": impl.gelu_grad(x, approximate="tanh")}


def slopes_far_out(impl, seed):
    x = torch.tensor([-300.0, -20.0, 20.0, 300.0])
    return {"none": impl.gelu_grad(x), "tanh": impl.gelu_grad(x, "tanh")}


def all_digits_of_the_slopes(impl, seed):
    forms, x = ("none", "tanh"), points(seed)
    wanted = [slopes_by_torch(lambda x, f=f: F.gelu(x, approximate=f), torch.ones_like(x), x)[0] for f in forms]
    return distances([impl.gelu_grad(x, form) for form in forms], wanted)


def slopes_of_forms_that_are_refused(impl, seed):
    names = ("erf", "", "TANH", "tanh2", "none")
    return {repr(name): error_of(lambda name=name: impl.gelu_grad(points(seed), name)) for name in names}


# ---------------------------------------------------------------- swiglu_width

WIDTH = [
    "8/3",
    "with 4 · d_model, the width of an ordinary layer",
    "with 2/3 of d_model, where 2/3 of 4 · d_model belongs",
    "with 2 · d_model",
    "with 3/2 of 4 · d_model",
]
MULTIPLE = [
    "up",
    "that rounds DOWN to a multiple",
    "that ignores multiple_of",
    "that adds one more block even where the width is a multiple already",
    "that rounds to the NEAREST multiple",
    "that adds one more block even where the width is a multiple already, unless multiple_of is 1",
]
WHOLE = ["cut", "that rounds 8/3 · d_model UP before it looks for a multiple"]
WIDTH_REFUSED = ["refused", "that accepts widths below 1"]
WIDTH_KNOBS = {"width_": WIDTH, "multiple": MULTIPLE, "whole": WHOLE, "refused": WIDTH_REFUSED}
WIDTH_HINTS = {
    WIDTH[1]: "Three matrices of that width have 12 · d_model² weights. How many have two?",
    WIDTH[2]: "The ordinary layer is 4 · d_model wide. Two thirds of what?",
    WIDTH[3]: "3 · d_model · H must equal 2 · d_model · 4 · d_model.",
    WIDTH[4]: "Three matrices instead of two: must each be wider or narrower?",
    MULTIPLE[1]: "Llama 7B: 8/3 · 4096 is 10922, and its width is 11008, with multiple_of = 256.",
    MULTIPLE[2]: "Is your result for multiple_of = 256 divisible by 256?",
    MULTIPLE[3]: "What if 8/3 · d_model is already a multiple?",
    MULTIPLE[4]: "Can a layer lose weights by the rounding? Llama's rule says: never.",
    MULTIPLE[5]: "What if 8/3 · d_model is already a multiple?",
    WHOLE[1]: "int(8 * 4 / 3) is 10. Which way does it cut?",
    WIDTH_REFUSED[1]: "What is a layer of width 0?",
}


def wrong_swiglu_width(width_, multiple, whole, refused):
    def swiglu_width(d_model, multiple_of=1):
        if refused == WIDTH_REFUSED[0] and (d_model < 1 or multiple_of < 1):
            raise ValueError("width")
        top, bottom = dict(zip(WIDTH, ((8, 3), (4, 1), (2, 3), (2, 1), (6, 1)), strict=True))[width_]
        width = -(-top * d_model // bottom) if whole == WHOLE[1] else top * d_model // bottom
        if multiple == MULTIPLE[2] or multiple_of < 1:
            return width
        blocks = {
            MULTIPLE[0]: -(-width // multiple_of),
            MULTIPLE[1]: width // multiple_of,
            MULTIPLE[3]: width // multiple_of + 1,
            MULTIPLE[4]: (2 * width + multiple_of) // (2 * multiple_of),
            MULTIPLE[5]: width // multiple_of + (multiple_of > 1),
        }[multiple]
        return blocks * multiple_of

    return swiglu_width


def widths_without_a_multiple(impl, seed):
    return {f"d_model {d}": impl.swiglu_width(d) for d in (1, 2, 3, 4, 5, 96, 576, 4097, 700 + seed)}


def widths_with_a_multiple(impl, seed):
    pairs = (
        (4096, 256),
        (5120, 256),
        (96, 256),
        (96, 64),
        (96, 128),
        (10, 13),
        (5, 13),
        (7, 18),
        (1, 1),
        (50 + seed, 7),
    )
    return {f"d_model {d}, multiple_of {m}": impl.swiglu_width(d, multiple_of=m) for d, m in pairs}


def widths_that_are_refused(impl, seed):
    calls = ((0, 1), (-1, 1), (1, 0), (1, -1), (0, 0), (1, 1), (2, 2))
    return {f"{d} and {m}": error_of(lambda d=d, m=m: impl.swiglu_width(d, m)) for d, m in calls}


# ---------------------------------------------------------------- swiglu

BRANCH = [
    "gate",
    "with SiLU on the UP branch",
    "with SiLU on both branches",
    "with SiLU on the product",
    "without any activation",
]
ACT = [
    "silu",
    "with GELU in place of SiLU (GEGLU)",
    "with the sigmoid in place of SiLU (GLU)",
    "with ReLU in place of SiLU",
    "whose SiLU overflows where the gate is large: exp is infinite there",
]
JOIN = ["product", "that ADDS the two branches", "that leaves out the up branch", "that leaves out the down projection"]
SWIGLU_KNOBS = {"branch": BRANCH, "act": ACT, "join": JOIN, "dtype": LN_DTYPE}
SWIGLU_HINTS = {
    BRANCH[1]: "Which of the two is called the gate, and which passes as it is?",
    BRANCH[2]: "Only one branch decides. What does the other carry?",
    BRANCH[3]: "SiLU stands before the product. On which factor?",
    BRANCH[4]: "Where did the nonlinearity go?",
    ACT[1]: "The S in SwiGLU is Swish. Which function is that?",
    ACT[2]: "Swish is x σ(x), not σ(x).",
    ACT[3]: "The S in SwiGLU is Swish. Which function is that?",
    ACT[4]: "What is exp(100) in float32, and what is infinity divided by infinity?",
    LN_DTYPE[1]: LN_HINTS[LN_DTYPE[1]],
    JOIN[1]: "A gate that is closed lets nothing through. What does 0 + up let through?",
    JOIN[2]: "How many projections of x are there?",
    JOIN[3]: "The output must have the width of x.",
}


def wrong_swiglu(branch, act, join, dtype):
    def overflows(x):
        return x * torch.exp(x) / (1 + torch.exp(x))

    activation = dict(zip(ACT, (F.silu, F.gelu, torch.sigmoid, F.relu, overflows), strict=True))[act]

    def swiglu(x, gate_proj, up_proj, down_proj):
        gate, up = x @ gate_proj.T, x @ up_proj.T
        if branch in (BRANCH[0], BRANCH[2]):
            gate = activation(gate)
        if branch in (BRANCH[1], BRANCH[2]):
            up = activation(up)
        hidden = {JOIN[1]: gate + up, JOIN[2]: gate}.get(join, gate * up)
        if branch == BRANCH[3]:
            hidden = activation(hidden)
        return hidden if join == JOIN[3] else hidden @ down_proj.T

    return through_float32(swiglu) if dtype == LN_DTYPE[1] else swiglu


def mlp(seed, D, H, dtype=torch.float64):
    return [numbers(seed + i, *s, dtype=dtype) for i, s in enumerate(((H, D), (H, D), (D, H)), 20)]


def tokens_through_the_layer(impl, seed):
    return impl.swiglu(numbers(seed, 3, 5), *mlp(seed, 5, 7))


def sequences_through_a_narrow_layer(impl, seed):
    return impl.swiglu(numbers(seed, 2, 3, 7), *mlp(seed, 7, 4))


def four_axes_through_the_layer(impl, seed):
    return impl.swiglu(numbers(seed, 2, 1, 3, 5), *mlp(seed, 5, 7))


def all_digits_of_the_layer(impl, seed):
    x, (gate, up, down) = numbers(seed, 3, 5), mlp(seed, 5, 7)
    wanted = F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)
    return distances([impl.swiglu(x, gate, up, down)], [wanted])


def one_token_in_float32(impl, seed):
    return impl.swiglu(numbers(seed, 5, dtype=torch.float32), *mlp(seed, 5, 5, torch.float32))


def swiglu_by_hand(impl, seed):
    eye = torch.eye(2)
    return impl.swiglu(torch.tensor([[1.0, -2.0]]), eye, 3 * eye, torch.tensor([[1.0, 0.0], [1.0, 1.0]]))


def large_gates(impl, seed):
    return impl.swiglu(200 * numbers(seed, 3, 5, dtype=torch.float32), *mlp(seed, 5, 7, torch.float32))


# ---------------------------------------------------------------- dropout

RESCALE = [
    "1/(1-p)",
    "that does NOT rescale what it keeps",
    "that multiplies by 1 - p at training",
    "that divides by p",
    "that divides by the share that happened to be kept, where 1 - p belongs",
    "that multiplies by 1 - p at evaluation, instead of enlarging at training",
]
ACTIVE = [
    "training",
    "that is ACTIVE at evaluation too",
    "that is active at evaluation INSTEAD of training",
    "that also rescales at evaluation",
]
KEEP = [
    "drops below p",
    "that KEEPS what it should drop: p is the share that goes",
    "that drops uniforms equal to p too",
]
P_REFUSED = [
    "refused",
    "that accepts p = 1",
    "that accepts a negative p",
    "that refuses a bad p at training only",
    "that accepts every p of 1 and more",
]
NAN = ["chosen", "that MULTIPLIES by a mask, so a dropped NaN stays NaN", "that turns every NaN into 0, kept ones too"]
DROPOUT_KNOBS = {"rescale": RESCALE, "active": ACTIVE, "keep": KEEP, "refused": P_REFUSED, "nan": NAN}
DROPOUT_WITHOUT = [
    (RESCALE[1], ACTIVE[3]),
    (ACTIVE[2], KEEP[2]),
    *alone(DROPOUT_KNOBS, [*RESCALE[4:], *P_REFUSED[3:], *NAN[1:]]),
]  # pairs that do the same as one of the two, or make no sense together
DROPOUT_HINTS = {
    RESCALE[1]: "Half of the numbers are zero at training, none at evaluation. What happens to the mean?",
    RESCALE[2]: "A smaller share is left. Must what is left become smaller or larger?",
    RESCALE[3]: "With p = 0 nothing is dropped. What do you divide by?",
    RESCALE[4]: "May one entry's output depend on how many OTHER entries were dropped?",
    RESCALE[5]: "At evaluation nothing is done. Who must keep the mean, then?",
    P_REFUSED[4]: "With p = 2, what share is kept?",
    P_REFUSED[3]: "p = 2 at evaluation: who notices?",
    NAN[1]: "What is NaN times 0?",
    NAN[2]: "A kept NaN shows that something went wrong before. Who should hide it?",
    ACTIVE[1]: "Ask the model twice at evaluation: should it answer alike?",
    ACTIVE[2]: "When should a unit be unable to rely on the others?",
    ACTIVE[3]: "The mean was kept at training already. What is left to do at evaluation?",
    KEEP[1]: "With p = 0.1, how many of ten should be zero?",
    KEEP[2]: "Uniforms may be exactly 0. With p = 0, may anything be dropped?",
    P_REFUSED[1]: "With p = 1, what do you divide by?",
    P_REFUSED[2]: "What would a share of -0.1 mean?",
}


def wrong_dropout(rescale, active, keep, refused, nan):
    def dropout(x, p, uniforms, training):
        high = {P_REFUSED[1]: p > 1, P_REFUSED[4]: False}.get(refused, p >= 1)
        bad = high or (p < 0 and refused != P_REFUSED[2])
        if bad and (training or refused != P_REFUSED[3]):
            raise ValueError("p")
        share = max(float((uniforms >= p).double().mean()), 1e-9)
        factors = (1 / (1 - p) if p != 1 else 0.0, 1.0, 1 - p, 1 / p if p else 0.0, 1 / share, 1.0)
        factor = dict(zip(RESCALE, factors, strict=True))[rescale]
        dropped = {KEEP[1]: uniforms >= p, KEEP[2]: uniforms <= p}.get(keep, uniforms < p)
        on = {ACTIVE[1]: True, ACTIVE[2]: not training}.get(active, training)
        if on:
            if nan == NAN[1]:
                return x * factor * ~dropped
            y = torch.where(dropped, 0.0, x * factor)
            return y.nan_to_num() if nan == NAN[2] else y
        if rescale == RESCALE[5]:
            return x * (1 - p)
        return x * factor if active == ACTIVE[3] else x

    return dropout


def draws(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def at_training(impl, seed):
    return {f"p = {p}": impl.dropout(1 + draws(seed, 5, 7), p, draws(seed + 1, 5, 7), True) for p in (0.3, 0.5, 0.9)}


def at_evaluation(impl, seed):
    return {f"p = {p}": impl.dropout(1 + draws(seed, 5, 7), p, draws(seed + 1, 5, 7), False) for p in (0.3, 0.9)}


def uniforms_on_the_edge(impl, seed):
    edge = torch.tensor([0.0, 0.25, 0.5, 0.75])
    return {f"p = {p}": impl.dropout(1 + draws(seed, 4), p, edge, True) for p in (0.0, 0.25, 0.5)}


def dropout_by_hand(impl, seed):
    x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    return impl.dropout(x, 0.5, torch.tensor([0.1, 0.6, 0.9, 0.3], dtype=torch.float64), True)


def nan_in_what_is_dropped(impl, seed):
    return impl.dropout(torch.tensor([torch.nan, 1.0, 2.0, 3.0]), 0.5, torch.tensor([0.0, 0.9, 0.9, 0.1]), True)


def nan_in_what_is_kept(impl, seed):
    return impl.dropout(torch.tensor([1.0, torch.nan, 2.0, 3.0]), 0.5, torch.tensor([0.0, 0.9, 0.9, 0.1]), True)


def all_digits_of_what_is_kept(impl, seed):
    x, uniforms = numbers(seed, 3, 7), draws(seed, 3, 7).double()
    return distances([impl.dropout(x, 0.3, uniforms, True)], [torch.where(uniforms < 0.3, 0.0, x / 0.7)])


def shares_that_are_refused(impl, seed):
    def error(p, training):
        return error_of(lambda: impl.dropout(torch.ones(3), p, torch.full((3,), 0.5), training))

    shares = (-0.5, -0.001, 0.0, 0.999, 1.0, 1.001, 2.0)
    return {f"p = {p}, training {t}": error(p, t) for p in shares for t in (True, False)}


# ---------------------------------------------------------------- numerical_gradient

DIFFERENCE = [
    "central",
    "by ONE-SIDED differences, (f(x + h) - f(x)) / h",
    "by backward differences, (f(x) - f(x - h)) / h",
    "that divides by h instead of 2h",
    "that forgets to divide",
    "with the sign reversed",
    "that goes h / 2 to each side, where h belongs",
]
STEP = [
    "one entry",
    "that moves ALL entries at once",
    "that scales its step by the entry",
    "whose step is h times the entry where the entry is beyond 1",
    "that looks at two axes only: of three, a whole row moves at once",
]
NG_DTYPE = ["refused", "that accepts float32", "that returns float32"]
NG_PLACE = ["stays", "that moves x itself and puts it back by a sum, a rounding away from where it was"]
NG_H = ["given", "that ignores the h it is given"]
NG_SHAPE = ["of x", "that returns a flat gradient"]
NG_KNOBS = {
    "difference": DIFFERENCE,
    "step_": STEP,
    "dtype": NG_DTYPE,
    "h_": NG_H,
    "shape": NG_SHAPE,
    "place": NG_PLACE,
}
NG_HINTS = {
    DIFFERENCE[1]: "For f = x² the one-sided difference is 2x + h. What is the two-sided one?",
    DIFFERENCE[2]: "For f = x² the one-sided difference is 2x - h. What is the two-sided one?",
    DIFFERENCE[3]: "How far apart are x + h and x - h?",
    DIFFERENCE[4]: "A slope is a difference of what, divided by what?",
    DIFFERENCE[6]: "x³ at 2 with h = 1 is (27 - 1) / 2 = 13. Which two points do you use?",
    DIFFERENCE[5]: "For f = x, what is the slope?",
    STEP[1]: "The gradient has one number for each entry. What do you learn when all of them move?",
    STEP[2]: "What is the step of an entry that is 0?",
    STEP[3]: "x³ at 2 with h = 1 is (27 - 1) / 2 = 13. Which two points do you use?",
    STEP[4]: "x of shape (2, 3, 4) has 24 entries. How many calls of the function do you make?",
    NG_DTYPE[2]: "Which dtype has torch.zeros(3), and which has x?",
    NG_PLACE[1]: "0.1 + 1e-6 - 2e-6 + 1e-6: is that 0.1 to the last digit?",
    NG_DTYPE[1]: "f = 1 in float32: what is the smallest change that it can show, and how large is yours?",
    NG_H[1]: "Call it with h = 0.5 on x³: the result should be off by h². Is it?",
    NG_SHAPE[1]: "A weight's gradient is subtracted from the weight. Which shape must it have?",
}


def wrong_numerical_gradient(difference, step_, dtype, h_, shape, place):
    def numerical_gradient(function, x, h=1e-6):
        if x.dtype != torch.float64 and dtype != NG_DTYPE[1]:
            raise ValueError("float64")
        if place == NG_PLACE[1]:
            x += h
            x -= 2 * h
            x += h
        h = 1e-6 if h_ == NG_H[1] else h
        found = []
        for i in range(x.numel()):
            step = torch.zeros_like(x).reshape(-1)
            step[i] = h * (float(x.reshape(-1)[i]) if step_ == STEP[2] else 1)
            if step_ == STEP[3]:
                step[i] = h * max(1.0, abs(float(x.reshape(-1)[i])))
            size = float(step[i])
            if step_ == STEP[4] and x.ndim > 2:
                rows = torch.arange(x.numel()) // x[0, 0].numel()
                step[rows == rows[i]] = h
            if step_ == STEP[1]:
                step[:] = h
            step = step.view(x.shape)
            up, here, down = function(x + step), function(x), function(x - step)
            size = size or 1.0
            found.append(
                {
                    DIFFERENCE[1]: (up - here) / size,
                    DIFFERENCE[2]: (here - down) / size,
                    DIFFERENCE[3]: (up - down) / size,
                    DIFFERENCE[4]: up - down,
                    DIFFERENCE[5]: (down - up) / (2 * size),
                    DIFFERENCE[6]: (function(x + step / 2) - function(x - step / 2)) / size,
                }.get(difference, (up - down) / (2 * size))
            )
        gradient = torch.stack(found)
        gradient = gradient.float() if dtype == NG_DTYPE[2] else gradient
        return gradient if shape == NG_SHAPE[1] else gradient.view(x.shape)

    return numerical_gradient


def sum_of_cubes(x):
    return (x**3).sum()


def a_cube_with_a_large_step(impl, seed):
    return impl.numerical_gradient(sum_of_cubes, numbers(seed, 2, 3), 0.5)


def a_function_of_many_entries(impl, seed):
    w = numbers(seed + 1, 3, 5)
    return impl.numerical_gradient(lambda x: (torch.sin(x) * w).sum() ** 2, numbers(seed, 3, 5))


def three_axes(impl, seed):
    w = numbers(seed + 1, 2, 3, 4)
    return impl.numerical_gradient(lambda x: (torch.sin(x) * w).sum() ** 2, numbers(seed, 2, 3, 4))


def a_derivative_of_four_axes(impl, seed):
    return impl.numerical_gradient(sum_of_cubes, numbers(seed, 2, 1, 3, 2), 0.5)


def x_to_its_last_digit(impl, seed):
    x = numbers(seed, 23)
    before = x.clone()
    impl.numerical_gradient(sum_of_cubes, x)
    return {"x is as it was, to the last digit": bool((x == before).all())}


def a_single_number(impl, seed):
    return impl.numerical_gradient(lambda x: x.sum() ** 2 + x.sum(), numbers(seed, 1), 0.25)


def the_cube_by_hand(impl, seed):
    two = torch.tensor([2.0], dtype=torch.float64)
    return {
        "h = 1": impl.numerical_gradient(sum_of_cubes, two, 1.0),
        "h = 0.1": impl.numerical_gradient(sum_of_cubes, two, 0.1),
    }


def a_wave_as_short_as_the_default_step(impl, seed):
    return impl.numerical_gradient(lambda x: torch.sin(1e6 * x).sum(), 0.1 * numbers(seed, 4))


def an_entry_that_is_zero(impl, seed):
    return impl.numerical_gradient(lambda x: (x + 1).square().sum(), torch.zeros(2, 2, dtype=torch.float64), 0.5)


def a_view_in_another_order(impl, seed):
    return impl.numerical_gradient(sum_of_cubes, numbers(seed, 3, 2).T, 0.5)


def formats_that_are_refused(impl, seed):
    formats = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
    return {
        str(t): error_of(lambda t=t: impl.numerical_gradient(sum_of_cubes, torch.ones(2, dtype=t))) for t in formats
    }


# ---------------------------------------------------------------- gradcheck

GC_DY = ["weighted", "that ignores dy, as if it were one everywhere"]
GC_WHICH = [
    "all inputs",
    "that looks at the first input only",
    "that looks at the last input only",
    "that accepts if ANY input is right",
]
GC_SHAPE = ["shape", "that compares without a look at the shape, so a gradient of ones broadcasts"]
GC_NAN = ["refused", "that lets NaN pass"]
GC_SIZE = [
    "absolute",
    "that compares the SIZE of the error only as a mean, so one wrong entry of many passes",
    "that compares sums, so errors cancel",
    "that compares absolute values, so a wrong sign passes",
    "that compares the largest error with the largest tolerance, so a large entry hides the error of a small one",
]
GC_TOLERANCE = [
    "both",
    "that ignores rtol",
    "that ignores atol",
    "that ignores both tolerances it is given",
    "that accepts whatever is given",
    "that takes rtol of the gradient it checks, where rtol of the numerical one belongs",
]
GC_COUNT = ["raises", "that does not notice a missing gradient", "that does not notice a gradient too many"]
GC_LIMIT = ["at most", "that asks for LESS than the tolerance, where just as much is right too"]
GC_INPUTS = ["tuple or list", "that fails where `inputs` is a list: it adds a tuple to a part of it"]
GC_KNOBS = {
    "dy_": GC_DY,
    "which": GC_WHICH,
    "shape": GC_SHAPE,
    "nan": GC_NAN,
    "size": GC_SIZE,
    "tolerance": GC_TOLERANCE,
    "count": GC_COUNT,
    "limit": GC_LIMIT,
    "inputs_": GC_INPUTS,
}
GC_HINTS = {
    GC_DY[1]: "backward gets dy. Which scalar function has the gradient that it returns?",
    GC_WHICH[1]: "A norm's dx is right and its dweight is not. What do you say?",
    GC_WHICH[2]: "A norm's dweight is right and its dx is not. What do you say?",
    GC_WHICH[3]: "One of two gradients is wrong. Is the backward pass right?",
    GC_SHAPE[1]: "A gradient of shape (1, 5) is compared with one of shape (3, 5). What does broadcasting do?",
    GC_NAN[1]: "Is NaN > 1e-7? Is NaN <= 1e-7?",
    GC_SIZE[1]: "One of a thousand entries is wrong. How large is the mean error?",
    GC_SIZE[2]: "One entry is too large by 1 and another too small by 1. What is the sum of the errors?",
    GC_SIZE[3]: "Is -3 a right gradient where 3 is?",
    GC_SIZE[4]: "One entry is 1000 and exact, another is 1 and 5 % off. Which tolerance belongs to the second?",
    GC_TOLERANCE[5]: "A gradient that is far too large would widen its own tolerance. Whose size is |numerical|?",
    GC_TOLERANCE[1]: "A gradient of 1e6 has a rounding error of about 1e-3. Is it wrong?",
    GC_TOLERANCE[2]: "A gradient of exactly 0 is compared with a difference of 1e-10. Is it wrong?",
    GC_TOLERANCE[3]: "Call it with rtol = 0.5: does anything change?",
    GC_TOLERANCE[4]: "Give it a backward pass that returns zeros. What does it say?",
    GC_COUNT[1]: "forward has two inputs and backward returns one gradient. Who notices?",
    GC_COUNT[2]: "forward has two inputs and backward returns three gradients. Who notices?",
    GC_LIMIT[1]: "The gradient is exact, and both tolerances are 0. Is it right?",
    GC_INPUTS[1]: "`inputs` is a tuple or a list. What is [1, 2] + (3,)?",
}


def wrong_gradcheck(dy_, which, shape, nan, size, tolerance, count, limit, inputs_):
    differences = wrong_numerical_gradient(*(choices[0] for choices in NG_KNOBS.values()))

    def gradcheck(forward, backward, inputs, dy, h=1e-6, rtol=1e-4, atol=1e-7):
        gradients = backward(dy, *inputs)
        if count == GC_COUNT[0] and len(gradients) != len(inputs):
            raise ValueError("gradients")
        if count == GC_COUNT[2] and len(gradients) < len(inputs):
            raise ValueError("gradients")
        if inputs_ == GC_INPUTS[1]:
            inputs = inputs[:0] + (*inputs,)
        if tolerance in GC_TOLERANCE[1:4]:
            rtol = {GC_TOLERANCE[1]: 0.0, GC_TOLERANCE[3]: 1e-4}.get(tolerance, rtol)
            atol = {GC_TOLERANCE[2]: 0.0, GC_TOLERANCE[3]: 1e-7}.get(tolerance, atol)
        verdicts = []
        for i in range(min(len(gradients), len(inputs))):
            upstream = torch.ones_like(dy) if dy_ == GC_DY[1] else dy

            def loss(x, i=i, upstream=upstream):
                return (upstream * forward(*inputs[:i], x, *inputs[i + 1 :])).sum()

            wanted, got = differences(loss, inputs[i], h), gradients[i]
            if got.shape != wanted.shape and shape == GC_SHAPE[0]:
                verdicts.append(False)
                continue
            if size == GC_SIZE[3]:
                got, wanted = got.abs(), wanted.abs()
            judge = got if tolerance == GC_TOLERANCE[5] else wanted
            error, bound = (got - wanted).abs(), atol + rtol * judge.abs()
            if size == GC_SIZE[1]:
                error, bound = error.mean(), bound.mean()
            elif size == GC_SIZE[2]:
                error, bound = (got - wanted).sum().abs(), bound.sum()
            elif size == GC_SIZE[4]:
                error, bound = error.max(), bound.max()
            inside = error < bound if limit == GC_LIMIT[1] else error <= bound
            verdicts.append(not bool((error > bound).any()) if nan == GC_NAN[1] else bool(inside.all()))
        if tolerance == GC_TOLERANCE[4]:
            return True
        pick = {GC_WHICH[1]: verdicts[:1], GC_WHICH[2]: verdicts[-1:]}.get(which, verdicts)
        return any(pick) if which == GC_WHICH[3] else all(pick)

    return gradcheck


def product(x, w):
    return x**2 * w


def right_gradients(dy, x, w):
    return dy * 2 * x * w, (dy * x**2).sum(0)


def changed_gradients(change):
    return lambda dy, x, w: change(*right_gradients(dy, x, w))


def one_entry_off(g, by):
    other = g.clone()
    other.view(-1)[-1] += by
    return other


def verdicts_of(impl, seed, backwards, **settings):
    inputs, dy = (numbers(seed, 3, 5), numbers(seed + 1, 5)), numbers(seed + 2, 3, 5)
    return {name: impl.gradcheck(product, b, inputs, dy, **settings) for name, b in backwards.items()}


def right_and_wrong_backward_passes(impl, seed):
    backwards = {
        "right": right_gradients,
        "right, as a list": lambda *a: list(right_gradients(*a)),
        "the first one wrong": changed_gradients(lambda x, w: (2 * x, w)),
        "the second one wrong": changed_gradients(lambda x, w: (x, 0.5 * w)),
        "both wrong": changed_gradients(lambda x, w: (x + 1, w - 1)),
        "the sign wrong": changed_gradients(lambda x, w: (-x, w)),
        "zeros": changed_gradients(lambda x, w: (0 * x, 0 * w)),
        "dy forgotten": lambda dy, x, w: right_gradients(torch.ones_like(dy), x, w),
    }
    return verdicts_of(impl, seed, backwards)


def single_entries_that_are_wrong(impl, seed):
    backwards = {
        "one entry off a little": changed_gradients(lambda x, w: (one_entry_off(x, 4e-4 * (1 + x.abs().mean())), w)),
        "two that cancel": changed_gradients(lambda x, w: (x, w + torch.tensor([1.0, -1, 0, 0, 0]).double())),
        "NaN": changed_gradients(lambda x, w: (one_entry_off(x, torch.nan), w)),
        "NaN everywhere": changed_gradients(lambda x, w: (x, w * torch.nan)),
    }
    return verdicts_of(impl, seed, backwards)


def a_small_entry_beside_a_large_one(impl, seed):
    def verdict(slopes, wrong):
        x, dy = numbers(seed, len(slopes)), torch.ones(len(slopes), dtype=torch.float64)
        given = slopes.clone()
        given[1] += wrong
        return impl.gradcheck(lambda x: slopes * x, lambda dy, x: (given * dy,), (x,), dy)

    large, equal = torch.tensor([1000.0, 1.0, 1.0, 1.0, 1.0]).double(), torch.ones(16).double()
    return {
        "all right": verdict(large, 0.0),
        "the small one 5 % off": verdict(large, 0.05),
        "one of sixteen equal ones 0.08 % off": verdict(equal, 8e-4),
    }


def gradients_of_another_shape(impl, seed):
    def flat(x, w):
        return x.sum() * w

    inputs, dy = (numbers(seed, 3, 5), numbers(seed + 1, 5)), numbers(seed + 2, 5)
    right = (dy * inputs[1]).sum()
    return {
        "broadcast": impl.gradcheck(flat, lambda dy, x, w: (right.expand(3, 5), dy * x.sum()), inputs, dy),
        "a row for a matrix": impl.gradcheck(flat, lambda dy, x, w: (right.expand(1, 5), dy * x.sum()), inputs, dy),
        "one axis too many": impl.gradcheck(flat, lambda dy, x, w: (right.expand(4, 3, 5), dy * x.sum()), inputs, dy),
        "a scalar": impl.gradcheck(flat, lambda dy, x, w: (right, dy * x.sum()), inputs, dy),
    }


def errors_near_the_tolerances(impl, seed):
    def line(x):
        return 50 * x

    x, dy = numbers(seed, 4), torch.ones(4, dtype=torch.float64)
    zero = torch.zeros(4, dtype=torch.float64)

    def off(relative, absolute, forward=line, slope=50.0, at=x, **settings):
        return impl.gradcheck(forward, lambda dy, x: (slope * (1 + relative) * dy + absolute,), (at,), dy, **settings)

    def square(x):
        return x**2

    return {
        "7e-5 relative": off(7e-5, 0.0),
        "1.5e-4 relative": off(1.5e-4, 0.0),
        "1.5e-4 relative, rtol 2e-4": off(1.5e-4, 0.0, rtol=2e-4),
        "7e-8 absolute at zero": off(0.0, 7e-8, square, 0.0, zero),
        "1.5e-7 absolute at zero": off(0.0, 1.5e-7, square, 0.0, zero),
        "1.5e-7 absolute at zero, atol 2e-7": off(0.0, 1.5e-7, square, 0.0, zero, atol=2e-7),
        "1.5 times the numerical one, rtol 0.4": off(0.5, 0.0, rtol=0.4),
        "half the numerical one, rtol 0.6": off(-0.5, 0.0, rtol=0.6),
        "7e-5 relative, rtol 1e-5": off(7e-5, 0.0, rtol=1e-5),
        "7e-8 absolute at zero, atol 1e-8": off(0.0, 7e-8, square, 0.0, zero, atol=1e-8),
    }


def the_step_is_used(impl, seed):
    x, dy = numbers(seed, 3), torch.ones(3, dtype=torch.float64)

    def cube(x):
        return x**3

    def wave(x):
        return torch.sin(1e6 * x)

    def wave_slope(dy, x):
        return (1e6 * math.sin(1.0) * torch.cos(1e6 * x) * dy,)

    return {
        "a cube's slope, with h = 0.5": impl.gradcheck(cube, lambda dy, x: (3 * x**2 * dy,), (x,), dy, 0.5),
        "off by h², with h = 0.5": impl.gradcheck(cube, lambda dy, x: ((3 * x**2 + 0.25) * dy,), (x,), dy, 0.5),
        "a wave as short as the default step": impl.gradcheck(wave, wave_slope, (0.1 * x,), dy),
        "of another sign": impl.gradcheck(cube, lambda dy, x: (-3 * x**2 * dy,), (x,), dy),
    }


def inputs_in_a_list(impl, seed):
    inputs, dy = [numbers(seed, 3, 5), numbers(seed + 1, 5)], numbers(seed + 2, 3, 5)
    return {"a list of two": error_of(lambda: impl.gradcheck(product, right_gradients, inputs, dy))}


def errors_just_at_the_tolerance(impl, seed):
    x = numbers(seed, 4)

    def verdict(error, atol):
        return impl.gradcheck(
            lambda x: 0 * x, lambda dy, x: (0 * x + error,), (x,), torch.ones_like(x), 1e-6, 0.0, atol
        )

    return {
        "exact, both tolerances 0": verdict(0.0, 0.0),
        "0.25 off, atol 0.25": verdict(0.25, 0.25),
        "0.25 off, atol 0.24": verdict(0.25, 0.24),
    }


def three_inputs_and_missing_gradients(impl, seed):
    a, b, c = numbers(seed, 3), numbers(seed + 1, 3), numbers(seed + 2, 3)

    def forward(a, b, c):
        return a * b - c

    def error(backward, inputs=(a, b, c)):
        return error_of(lambda: impl.gradcheck(forward, backward, inputs, torch.ones_like(a)))

    return {
        "all three right": impl.gradcheck(forward, lambda dy, a, b, c: (dy * b, dy * a, -dy), (a, b, c), a),
        "the middle one wrong": impl.gradcheck(forward, lambda dy, a, b, c: (dy * b, dy * c, -dy), (a, b, c), a),
        "one missing": error(lambda dy, a, b, c: (dy * b, dy * a)),
        "one too many": error(lambda dy, a, b, c: (dy * b, dy * a, -dy, dy)),
        "none": error(lambda dy, a, b, c: ()),
        "three": error(lambda dy, a, b, c: (dy * b, dy * a, -dy)),
    }


# ---------------------------------------------------------------- all of them

PROBES = {
    "layer_norm": [
        rows_of_features,
        a_batch_of_sequences,
        a_single_token,
        four_axes,
        the_example_by_hand,
        a_large_eps,
        small_rows_and_the_default_eps,
        equal_numbers,
        far_from_zero_in_float32,
        the_ninth_digit_in_float64,
    ],
    "layer_norm_backward": [
        gradients_of_rows,
        gradients_of_a_batch_of_sequences,
        gradients_of_a_single_token,
        gradients_of_four_axes,
        gradients_with_a_large_eps,
        gradients_of_small_rows_and_the_default_eps,
        gradients_by_hand,
        all_digits_of_the_gradients,
    ],
    "rms_norm": [
        rms_of_rows,
        rms_of_a_batch_of_sequences,
        rms_of_a_single_token,
        rms_of_four_axes,
        rms_by_hand,
        rms_with_a_large_eps,
        rms_of_small_rows_and_the_default_eps,
        rms_of_zeros,
        rms_in_bfloat16,
        rms_in_float16,
        the_ninth_digit_of_float64,
    ],
    "rms_norm_backward": [
        rms_gradients_of_rows,
        rms_gradients_of_a_batch_of_sequences,
        rms_gradients_of_a_single_token,
        rms_gradients_of_four_axes,
        rms_gradients_with_a_large_eps,
        rms_gradients_of_small_rows_and_the_default_eps,
        rms_gradients_by_hand,
        all_digits_of_the_rms_gradients,
    ],
    "batch_norm": [
        a_batch_at_training,
        a_batch_at_evaluation,
        images_at_training,
        images_at_evaluation,
        videos_at_training,
        videos_at_evaluation,
        momentum_and_eps_are_given,
        small_values_and_the_default_eps,
        one_or_two_values_a_channel,
        the_batch_by_hand,
        all_digits_of_a_batch,
    ],
    "gelu": [
        the_default_form,
        both_forms_by_name,
        gelu_by_hand,
        far_out,
        where_the_forms_differ_most,
        all_digits_of_gelu,
        forms_that_are_refused,
    ],
    "gelu_grad": [
        slopes_of_the_default_form,
        slopes_of_both_forms_by_name,
        slopes_by_hand,
        slopes_far_out,
        all_digits_of_the_slopes,
        slopes_of_forms_that_are_refused,
    ],
    "swiglu_width": [widths_without_a_multiple, widths_with_a_multiple, widths_that_are_refused],
    "swiglu": [
        tokens_through_the_layer,
        sequences_through_a_narrow_layer,
        four_axes_through_the_layer,
        one_token_in_float32,
        swiglu_by_hand,
        large_gates,
        all_digits_of_the_layer,
    ],
    "dropout": [
        at_training,
        at_evaluation,
        uniforms_on_the_edge,
        dropout_by_hand,
        nan_in_what_is_dropped,
        nan_in_what_is_kept,
        all_digits_of_what_is_kept,
        shares_that_are_refused,
    ],
    "numerical_gradient": [
        a_cube_with_a_large_step,
        a_function_of_many_entries,
        three_axes,
        a_derivative_of_four_axes,
        x_to_its_last_digit,
        a_single_number,
        the_cube_by_hand,
        a_wave_as_short_as_the_default_step,
        an_entry_that_is_zero,
        a_view_in_another_order,
        formats_that_are_refused,
    ],
    "gradcheck": [
        right_and_wrong_backward_passes,
        single_entries_that_are_wrong,
        a_small_entry_beside_a_large_one,
        gradients_of_another_shape,
        errors_near_the_tolerances,
        the_step_is_used,
        inputs_in_a_list,
        errors_just_at_the_tolerance,
        three_inputs_and_missing_gradients,
    ],
}


def of(task):
    """Every known mistake of a task, single ones and, where they can be told apart, pairs."""
    return {
        "layer_norm": lambda: combine(task, "a layer_norm", LN_KNOBS, wrong_layer_norm, LN_HINTS, 2, LN_WITHOUT),
        "layer_norm_backward": lambda: combine(
            task, "a layer_norm_backward", LNB_KNOBS, wrong_layer_norm_backward, LNB_HINTS, 2, LNB_WITHOUT
        ),
        "rms_norm": lambda: combine(task, "an rms_norm", RMS_KNOBS, wrong_rms_norm, RMS_HINTS, 1),
        "rms_norm_backward": lambda: combine(
            task, "an rms_norm_backward", RMSB_KNOBS, wrong_rms_norm_backward, RMSB_HINTS, 2, RMSB_WITHOUT
        ),
        "batch_norm": lambda: combine(task, "a batch_norm", BN_KNOBS, wrong_batch_norm, BN_HINTS, 1),
        "gelu": lambda: combine(task, "a gelu", GELU_KNOBS, wrong_gelu, GELU_HINTS, 1),
        "gelu_grad": lambda: combine(task, "a gelu_grad", GRAD_KNOBS, wrong_gelu_grad, GRAD_HINTS, 2, GRAD_WITHOUT),
        "swiglu_width": lambda: combine(task, "a swiglu_width", WIDTH_KNOBS, wrong_swiglu_width, WIDTH_HINTS, 1),
        "swiglu": lambda: combine(task, "a swiglu", SWIGLU_KNOBS, wrong_swiglu, SWIGLU_HINTS, 1),
        "dropout": lambda: combine(task, "a dropout", DROPOUT_KNOBS, wrong_dropout, DROPOUT_HINTS, 2, DROPOUT_WITHOUT),
        "numerical_gradient": lambda: combine(
            task, "a numerical_gradient", NG_KNOBS, wrong_numerical_gradient, NG_HINTS, 1
        ),
        "gradcheck": lambda: combine(task, "a gradcheck", GC_KNOBS, wrong_gradcheck, GC_HINTS, 1),
    }[task]()
