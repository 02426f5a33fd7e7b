"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import copy
import math

import numpy as np
import torch
from grader import combine, error_of
from scaling_laws import ChinchillaLaw, Shape, next_token_loss
from scipy.optimize import curve_fit
from scipy.stats import norm

TASKS = [
    "training_flops",
    "learning_rate",
    "train_run",
    "fit_power_law",
    "fit_irreducible",
    "bootstrap_interval",
    "huber_log_loss",
    "optimal_allocation",
    "ridgeless_risk",
]
GIVEN = ["Shape", "ChinchillaLaw", "next_token_loss"]
INPLACE = ["train_run"]  # it trains the model
GATE_SEEDS = 2


# ---------------------------------------------------------------- training_flops

RULE = [
    "right",
    "of the FORWARD pass alone (2ND for 6ND)",
    "of the BACKWARD pass alone (4ND for 6ND)",
    "that FORGETS THE TOKENS (6N for 6ND)",
    "that counts a multiplication and its addition as ONE (3ND for 6ND)",
]
HEAD = [
    "right",
    "that leaves out the head, as if it were an embedding",
    "that counts the embedding's look-up as a product, beside the head",
]
ATTENTION = [
    "right",
    "that NEVER counts attention",
    "that ALWAYS counts attention",
    "that counts attention in ONE layer",
    "that counts HALF of attention: one of its two products, or what the causal mask leaves",
    "that counts attention with T² a token, and not T",
    "that counts the FORWARD pass of attention alone",
]
BLOCK = [
    "right",
    "that forgets `o_proj` (3d² for 4d²)",
    "that counts ONE of the two feed-forward matrices",
    "that takes 4d for d_ff, whatever the shape says",
    "that counts the matrices of ONE layer",
    "that counts THREE feed-forward matrices",
]
TOKENS = ["right", "that turns tokens into words (three quarters)", "that counts contexts, and not their tokens"]
FLOPS_HINTS = {
    RULE[1]: "What does training do after the loss is known?",
    RULE[2]: "Where does the loss come from, before anything goes backward?",
    RULE[3]: "Twice the tokens: what does your function return?",
    RULE[4]: "A product and its addition: how many operations are they?",
    HEAD[1]: "The last layer multiplies each token by a matrix of d × V. Which one is it here?",
    HEAD[2]: "How many multiplications does `weight[token]` take?",
    ATTENTION[1]: "Queries times keys, weights times values: are these matrix products?",
    ATTENTION[2]: "What did the caller ask for?",
    ATTENTION[3]: "How many layers have attention?",
    ATTENTION[4]: "Two products have T keys a query. All scores are computed, and half are masked afterwards.",
    ATTENTION[5]: "One token's query meets how many keys?",
    ATTENTION[6]: "Do gradients flow through attention's two products?",
    BLOCK[1]: "q, k, v: and which matrix after them?",
    BLOCK[2]: "Up, and then?",
    BLOCK[3]: "Where does the shape say how wide the feed-forward layer is?",
    BLOCK[4]: "How many blocks are on top of each other?",
    BLOCK[5]: "Up, gate and down are Llama's. Which two does the decoder of this task have?",
    TOKENS[1]: "`tokens` are tokens already. Who counts in words?",
    TOKENS[2]: "Does a run of 10 contexts cost what a run of 10 tokens costs?",
}


def wrong_flops(rule, head, attention, block, tokens):
    def training_flops(shape, tokens_, with_attention=True):
        d, L, T, f, V = shape.d_model, shape.layers, shape.context, shape.d_ff, shape.vocab_size
        each = {
            BLOCK[1]: 3 * d * d + 2 * d * f,
            BLOCK[2]: 4 * d * d + d * f,
            BLOCK[3]: 12 * d * d,
            BLOCK[5]: 4 * d * d + 3 * d * f,
        }
        blocks = each.get(block, 4 * d * d + 2 * d * f) * (1 if block == BLOCK[4] else L)
        matrices = blocks + {HEAD[0]: 1, HEAD[1]: 0, HEAD[2]: 2}[head] * d * V
        pairs = {
            ATTENTION[3]: 2 * T * d,
            ATTENTION[4]: L * T * d,
            ATTENTION[5]: 2 * L * T * T * d,
        }
        pairs = pairs.get(attention, 2 * L * T * d)
        if attention == ATTENTION[1] or not (with_attention or attention == ATTENTION[2]):
            pairs = 0
        times = {RULE[1]: 2, RULE[2]: 4, RULE[4]: 3}.get(rule, 6)
        count = {TOKENS[0]: tokens_, TOKENS[1]: tokens_ * 3 // 4, TOKENS[2]: tokens_ // T}[tokens]
        flops = times * matrices + (2 if attention == ATTENTION[6] else times) * pairs
        return flops * (1 if rule == RULE[3] else count)

    return lambda shape, tokens, attention=True: training_flops(shape, tokens, attention)


def a_small_decoder(impl, seed):
    shape = Shape(3, 7 + seed % 5, 17, 23, 11)
    return {"FLOPs": impl.training_flops(shape, 1_300), "FLOPs of twice the tokens": impl.training_flops(shape, 2_600)}


def without_attention(impl, seed):
    shape = Shape(5, 13, 29 + seed % 7, 31, 19)
    return {"FLOPs without attention": impl.training_flops(shape, 940, attention=False)}


def a_large_decoder(impl, seed):
    return {"FLOPs": impl.training_flops(Shape(80, 8192, 32768, 32000, 2048), 1_400_000_000_000)}


def fewer_tokens_than_a_context(impl, seed):
    return {"FLOPs": impl.training_flops(Shape(3, 7 + seed % 5, 17, 23, 11), 5)}


def the_decoder_of_the_workbook(impl, seed):
    shape = Shape(2, 3, 5, 7, 4)
    found = {f"attention={a}": impl.training_flops(shape, 10, a) for a in (True, False)}
    return {**found, "no attention named": impl.training_flops(shape, 10)}


# ---------------------------------------------------------------- learning_rate

PEAK = [
    "right",
    "that is the SAME for every width",
    "that RISES with the width, so that the smallest models get the lowest rate",
    "that falls with the ROOT of the width, and not with the width",
    "whose peak never exceeds 0.01: models narrower than 32 get no larger rate",
]
HORIZON = [
    "right",
    "whose cosine ends after 1,000 steps, however long the run is",
    "whose cosine is half way down when the run ends",
    "that stays CONSTANT after the warm-up",
    "that falls on a straight line",
    "whose cosine begins after the warm-up",
    "whose cosine is at its end in the last step, at steps - 1",
    "whose cosine counts its steps from 1",
]
LOWEST = ["right", "that falls to ZERO", "that adds a tenth on top of the cosine: the peak is too high"]
WARM = [
    "right",
    "WITHOUT warm-up",
    "whose first step has the rate zero",
    "whose warm-up is a tenth of the run",
    "that takes the lower of warm-up and cosine, and not their product",
]
RATE_HINTS = {
    PEAK[1]: "What is the rate at width 8, and what at width 128?",
    PEAK[2]: "Which model can bear the larger step: the narrow or the wide one?",
    PEAK[3]: "Four times the width: half the rate, or a quarter?",
    PEAK[4]: "Which rate does a model of width 8 get at its peak?",
    HORIZON[1]: "A run of 50 steps: how far has the rate come down at its end?",
    HORIZON[2]: "What is cos at the end of your run: 0 or -1?",
    HORIZON[3]: "Which factor of the formula depends on `steps`?",
    HORIZON[4]: "Is the rate half way down at a quarter of the run, or still near its peak?",
    HORIZON[5]: "In the formula, which step does the cosine count from?",
    HORIZON[6]: "In the formula, s / S never reaches one. By what do you divide?",
    HORIZON[7]: "What is the cosine's argument in step 0?",
    LOWEST[1]: "Where is the cosine at the end: 0 or 0.1?",
    LOWEST[2]: "The factor goes from 1 down to 0.1. What is it at step 0 in your version?",
    WARM[1]: "Adam's first steps are of full size. What should the first ten be?",
    WARM[2]: "A step of size zero is lost. Which number does step 0 get?",
    WARM[3]: "How long is the warm-up of a run of 1,000 steps?",
    WARM[4]: "Warm-up and cosine are factors. What is done with factors?",
}


def wrong_rate(peak, horizon, lowest, warm):
    def learning_rate(step, steps, d_model):
        ratio = 32 / d_model
        top = (
            0.01
            * {PEAK[0]: ratio, PEAK[1]: 1.0, PEAK[2]: 1 / ratio, PEAK[3]: math.sqrt(ratio), PEAK[4]: min(1, ratio)}[
                peak
            ]
        )
        ends = {HORIZON[1]: 1000, HORIZON[2]: 2 * steps, HORIZON[6]: max(1, steps - 1)}
        progress = (step + (horizon == HORIZON[7])) / ends.get(horizon, steps)
        if horizon == HORIZON[5]:
            progress = max(0, step - 10) / max(1, steps - 10)
        wave = {HORIZON[3]: 1.0, HORIZON[4]: 1 - progress}.get(horizon, 0.5 + 0.5 * math.cos(math.pi * progress))
        factor = {LOWEST[0]: 0.1 + 0.9 * wave, LOWEST[1]: wave, LOWEST[2]: 0.1 + wave}[lowest]
        length = max(1, steps // 10) if warm == WARM[3] else 10
        rise = min(1.0, (step if warm == WARM[2] else step + 1) / length)
        if warm == WARM[4]:
            return top * min(rise, factor)
        return top * factor * (1.0 if warm == WARM[1] else rise)

    return learning_rate


def a_whole_run(impl, seed):
    steps = 61 + seed % 13
    return {"the rates, times 1,000": 1000 * np.array([impl.learning_rate(s, steps, 48) for s in range(steps)])}


def a_run_of_another_length(impl, seed):
    steps = 307 + seed % 13
    return {
        "every tenth rate, times 1,000": 1000
        * np.array([impl.learning_rate(s, steps, 20) for s in range(0, steps, 10)])
    }


def a_run_shorter_than_the_warm_up(impl, seed):
    return {"the rates, times 1,000": 1000 * np.array([impl.learning_rate(s, 7, 8) for s in range(7)])}


def the_rates_of_the_workbook(impl, seed):
    asked = {"step 0": (0, 100, 32), "step 9": (9, 100, 32), "step 50": (50, 100, 32), "width 128": (50, 100, 128)}
    return {name: impl.learning_rate(*arguments) for name, arguments in asked.items()}


# ---------------------------------------------------------------- train_run

RATE = [
    "right",
    "that IGNORES the schedule",
    "whose schedule ends after 100 steps, however many batches there are",
    "that sets the rate after the step, one step late",
    "that gives every width the rate of width 32",
    "whose first step has Adam's default rate, 0.001",
]
GRADIENTS = ["right", "that ADDS UP gradients over steps"]
MEASURE = [
    "right",
    "that returns the loss of the last TRAINING batch",
    "that measures before the last step",
    "that measures before the training",
    "that returns the MEAN of the training losses",
    "that returns the LOWEST validation loss of the run, and not the last",
]
OPTIMIZER = [
    "right",
    "with plain SGD",
    "with a new optimizer at every step, so that Adam forgets",
    "with AdamW, which also shrinks the weights",
    "that trains a COPY of the model, so that the caller's stays as it was",
]
DATA = [
    "right",
    "that leaves out the last batch",
    "that trains on the first batch again and again",
    "that trains on the VALIDATION batch",
    "that goes through the batches TWICE",
]
TRAIN_HINTS = {
    RATE[1]: "Which rate does the optimizer use in step 3?",
    RATE[2]: "Who knows how long the run is?",
    RATE[3]: "The rate of step 0 must be there before step 0.",
    RATE[4]: "`learning_rate` has three arguments. Which one is the third?",
    RATE[5]: "Which rate is in `param_groups` when step 0 is taken?",
    GRADIENTS[1]: "What is in `.grad` when the second batch comes?",
    MEASURE[1]: "A training batch is small, and the model has just learned it. Whose loss is comparable between runs?",
    MEASURE[2]: "Which parameters did you measure: those before, or after the last step?",
    MEASURE[3]: "When is the loss of a run its final loss?",
    MEASURE[4]: "What does the loss of the first step say about the trained model?",
    MEASURE[5]: "The loss rose in the last steps. What is the loss of the model that the caller gets?",
    OPTIMIZER[1]: "Which optimizer does the docstring name?",
    OPTIMIZER[2]: "What does Adam remember from step to step?",
    OPTIMIZER[4]: "The model is trained in place. Which model does the caller use afterwards?",
    OPTIMIZER[3]: "Which optimizer does the docstring name? What is AdamW's default weight decay?",
    DATA[1]: "How many steps do 7 batches make?",
    DATA[2]: "Does your loop use its variables?",
    DATA[4]: "The docstring says how often each batch is seen.",
    DATA[3]: "What is a validation loss worth when the model has seen the answers?",
}


def wrong_train(rate, gradients, measure, optimizer, data):
    def train_run(model, batches, validation, d_model):
        import scaling_laws

        model = copy.deepcopy(model) if optimizer == OPTIMIZER[4] else model

        def made():
            kind = {OPTIMIZER[1]: torch.optim.SGD, OPTIMIZER[3]: torch.optim.AdamW}.get(optimizer, torch.optim.Adam)
            return kind(model.parameters(), lr=1e-3)

        def validated():
            with torch.no_grad():
                return next_token_loss(model, *validation).item()

        before, losses, lowest, opt = validated(), [], math.inf, made()
        count, width = len(batches), 32 if rate == RATE[4] else d_model
        seen = {DATA[1]: batches[:-1], DATA[4]: [*batches, *batches]}.get(data, batches)
        for step, (x, y) in enumerate(seen):
            step = step % count
            if data == DATA[2]:
                x, y = batches[0]
            elif data == DATA[3]:
                x, y = validation
            if optimizer == OPTIMIZER[2]:
                opt = made()
            late = {RATE[3]: step - 1, RATE[5]: step}
            at = None if rate == RATE[1] or rate in late and not step else late.get(rate, step)
            for group in opt.param_groups:
                if at is not None:
                    group["lr"] = scaling_laws.learning_rate(at, 100 if rate == RATE[2] else count, width)
            if gradients == "right":
                opt.zero_grad()
            loss = next_token_loss(model, x, y)
            loss.backward()
            losses.append(loss.item())
            if step == count - 1 and measure == MEASURE[2]:
                before = validated()
            opt.step()
            lowest = min(lowest, validated()) if measure == MEASURE[5] else lowest
        found = {MEASURE[1]: losses[-1], MEASURE[2]: before, MEASURE[3]: before, MEASURE[4]: sum(losses) / len(losses)}
        found[MEASURE[5]] = lowest
        return found[measure] if measure in found else validated()

    return train_run


class Bigram(torch.nn.Module):
    """The smallest language model: a vector for each token, and a head."""

    def __init__(self, seed, vocab=11, width=5):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.nn.Parameter(torch.randn(vocab, width, generator=generator))
        self.head = torch.nn.Parameter(torch.randn(vocab, width, generator=generator))

    def forward(self, tokens):
        return self.table[tokens] @ self.head.T


def tokens_of(seed, rows, length, vocab=11):
    drawn = torch.randint(vocab, (rows, length + 1), generator=torch.Generator().manual_seed(seed))
    return drawn[:, :-1], (2 * drawn[:, :-1] + 1) % vocab


def trained(impl, seed, steps, width, dtype=torch.float32, rises=False):
    """Where the validation batch asks for what the model believes before its training, the loss rises."""
    model = Bigram(seed).to(dtype)
    batches = [tokens_of(seed + 100 * i + 1, 2, 7) for i in range(steps)]
    x, y = tokens_of(seed + 99, 3, 5)
    y = model(x).argmax(-1) if rises else y
    loss = impl.train_run(model, batches, (x, y), width)
    return {"the loss": loss, "the trained vectors": model.table.detach(), "the trained head": model.head.detach()}


def thirteen_batches(impl, seed):
    return trained(impl, seed, 13, 20)


def one_batch(impl, seed):
    return trained(impl, seed + 1, 1, 50)


def forty_batches_of_a_wide_model(impl, seed):
    return trained(impl, seed + 2, 40, 500)


def a_model_of_float64(impl, seed):
    return trained(impl, seed + 3, 5, 20, torch.float64)


def a_validation_loss_that_rises(impl, seed):
    return trained(impl, seed + 4, 20, 8, rises=True)


# ---------------------------------------------------------------- fit_power_law

SPACE = [
    "right",
    "fitted in RAW space: the largest losses decide alone",
    "with log y against x itself",
    "with y itself against log x",
    "that regresses log x on log y",
    "through the first and the last point alone",
    "with decimal logarithms whose intercept is raised with e",
    "with log(1 + x) for log x",
]
SIGN = ["right", "whose exponent has the slope's SIGN"]
COEFFICIENT = ["right", "that returns log c for c", "that takes the mean of y for c"]
ORDER = ["right", "that returns the exponent FIRST"]
POSITIVE = ["right", "that takes numbers that are not positive, or drops them"]
EQUAL = [
    "right",
    "that does not refuse points of one x",
    "that refuses points whose FIRST and LAST x are equal, whatever is between",
]
POWER_HINTS = {
    SPACE[1]: "An error of 1 % at a small loss and one at a large loss: which weighs more in your fit?",
    SPACE[2]: "On which paper is a power law straight: with one logarithmic axis, or with two?",
    SPACE[3]: "On which paper is a power law straight: with one logarithmic axis, or with two?",
    SPACE[4]: "Which of the two has the noise?",
    SPACE[5]: "What do the points between do in your fit?",
    SPACE[6]: "Which base belongs to your logarithm?",
    SPACE[7]: "log(1 + x) is near log x for large x only. Is a law straight in it?",
    SIGN[1]: "The loss falls, so the slope is negative. What does x^-alpha say about alpha?",
    COEFFICIENT[1]: "The line crosses log x = 0 at log c. What is c?",
    COEFFICIENT[2]: "c is the law's value at x = 1. Is the mean of y taken there?",
    ORDER[1]: "What does the docstring return first?",
    POSITIVE[
        1
    ]: "What is the logarithm of zero, and what of a negative number? And who is told that a point is missing?",
    EQUAL[1]: "Which slope has a line through points above each other?",
    EQUAL[2]: "Points come in any order. What do the first and the last say about the others?",
}


def wrong_power(space, sign, coefficient, order, positive, equal):
    def fit_power_law(x, y):
        good = (x > 0) & (y > 0)
        if positive == "right" and not good.all() or equal != EQUAL[1] and np.ptp(x) == 0:
            raise ValueError("points")
        if equal == EQUAL[2] and x[0] == x[-1]:
            raise ValueError("points")
        with np.errstate(all="ignore"):
            log_x, log_y = np.log1p(x) if space == SPACE[7] else np.log(x), np.log(y)
            if space == SPACE[5]:
                slope = (log_y[-1] - log_y[0]) / (log_x[-1] - log_x[0])
                at = log_y[0] - slope * log_x[0]
            elif space == SPACE[4]:
                slope = 1 / line(log_y, log_x)[0]
                at = log_y.mean() - slope * log_x.mean()
            elif space == SPACE[6]:
                slope, at = line(np.log10(x), np.log10(y))
            else:
                slope, at = line(x if space == SPACE[2] else log_x, y if space == SPACE[3] else log_y)
            if space == SPACE[1]:
                start = (np.exp(at), slope)
                (c, slope), _ = curve_fit(lambda v, c, s: c * v**s, x, y, start, maxfev=10_000)
                at = np.log(c)
            c = {COEFFICIENT[0]: np.exp(at), COEFFICIENT[1]: at, COEFFICIENT[2]: y.mean()}[coefficient]
        alpha = -slope if sign == "right" else slope
        return (float(c), float(alpha)) if order == "right" else (float(alpha), float(c))

    return fit_power_law


def line(x, y):
    """(slope, intercept) of the line of least squares."""
    centred = x - x.mean()
    slope = (centred * y).sum() / (centred * centred).sum()
    return slope, y.mean() - slope * x.mean()


def law_points(seed, n, alpha, c, noise, floor=0.0, dtype=np.float64):
    """Points of a law with noise, in no order."""
    generator = np.random.default_rng(seed)
    x = np.exp(generator.uniform(2, 9, n))
    y = floor + c * x**-alpha * np.exp(noise * generator.standard_normal(n))
    return x.astype(dtype), y.astype(dtype)


def law(found):
    return {"c": found[0], "alpha": found[1]}


def points_with_noise(impl, seed):
    return law(impl.fit_power_law(*law_points(seed, 17, 0.37, 5.3, 0.2)))


def points_of_a_steep_law(impl, seed):
    return law(impl.fit_power_law(*law_points(seed + 1, 11, 1.3, 290.0, 0.6)))


def a_law_that_rises(impl, seed):
    return law(impl.fit_power_law(*law_points(seed + 2, 13, -0.7, 0.02, 0.1)))


def two_points(impl, seed):
    return law(impl.fit_power_law(np.array([3.0, 700.0]), np.array([9.0, 2.0])))


def points_of_which_some_share_an_x(impl, seed):
    x, y = law_points(seed + 3, 11, 0.5, 4.0, 0.2)
    x[[2, 5, -1]] = x[0]
    return law(impl.fit_power_law(x, y))


def points_of_tiny_x(impl, seed):
    x, y = law_points(seed + 4, 9, 0.5, 4.0, 0.2)
    return law(impl.fit_power_law(1e-15 * x, y))


def points_that_are_refused(impl, seed):
    x, y = law_points(seed, 7, 0.5, 2.0, 0.1)
    cases = {"a loss of zero": (x, y * (y != y[3])), "a negative loss": (x, y - 2 * y[2] * (y == y[2]))}
    cases |= {"a size of zero": (x * (x != x[4]), y), "a negative size": (x - 2 * x[1] * (x == x[1]), y)}
    cases |= {"one size only": (0 * x + 5.0, y), "good points": (x, y)}
    return {name: error_of(lambda c=case: impl.fit_power_law(*c)) for name, case in cases.items()}


def the_points_of_the_workbook(impl, seed):
    return law(impl.fit_power_law(np.array([1.0, 100.0, 10_000.0]), np.array([8.0, 4.0, 2.0])))


# ---------------------------------------------------------------- fit_irreducible

FLOOR = [
    "right",
    "WITHOUT an irreducible loss",
    "that takes the FIRST floor for a known constant",
    "that takes the largest floor below the losses",
]
ERROR = [
    "right",
    "that compares the LOSSES, and not their logarithms",
    "that compares log(loss - E) with the fitted line",
    "that takes the floor of the LARGEST error",
    "that compares the sum of the differences, so that signs cancel",
    "that compares absolute differences, and not squares",
    "that takes the floor of the STRAIGHTEST line: the largest correlation",
]
FLOOR_ORDER = ["right", "that returns E LAST"]
FLOOR_CHECK = [
    "right",
    "that refuses ANY floor above a loss, where the others would do",
    "that raises nothing where no floor lies below every loss",
    "that compares the floors with the mean loss",
]
FLOOR_HINTS = {
    FLOOR[1]: "Draw the points on log paper. Do they bend?",
    FLOOR[2]: "Who knows the constant before the fit?",
    FLOOR[3]: "A floor just under the smallest loss makes its logarithm huge. Is the error small there?",
    ERROR[1]: "The docstring compares logarithms. Of what?",
    ERROR[2]: "log(loss - E) is another scale for every E. Which quantity is the same for all of them?",
    ERROR[3]: "Which floor fits best?",
    ERROR[4]: "One point above and one below the law: is their error nothing?",
    ERROR[5]: "What is done with each difference before it is summed?",
    ERROR[6]: "A line can be straight although its points are far from the losses. Which error is asked for?",
    FLOOR_ORDER[1]: "In which order does the docstring name the three?",
    FLOOR_CHECK[1]: "Some candidates are too high. What is done with the rest?",
    FLOOR_CHECK[2]: "What does the docstring promise where no floor is usable?",
    FLOOR_CHECK[3]: "One loss below the floor: what is the logarithm of loss - E there?",
}


def wrong_floor(floor, error, order, check):
    def fit_irreducible(x, loss, floors):
        if check == FLOOR_CHECK[1] and (floors >= loss.min()).any():
            raise ValueError("floors")
        usable = floors[floors < (loss.mean() if check == FLOOR_CHECK[3] else loss.min())]
        if not len(usable):
            if check == FLOOR_CHECK[2]:
                return None
            raise ValueError("floors")
        usable = {FLOOR[1]: np.zeros(1), FLOOR[2]: usable[:1], FLOOR[3]: usable.max(keepdims=True)}.get(floor, usable)
        found = []
        for E in usable:
            with np.errstate(all="ignore"):
                slope, at = line(np.log(x), np.log(loss - E))
                fitted = np.exp(at + slope * np.log(x))
                difference = np.log(E + fitted) - np.log(loss)
                if error == ERROR[1]:
                    difference = E + fitted - loss
                elif error == ERROR[2]:
                    difference = np.log(loss - E) - np.log(fitted)
                straight = np.corrcoef(np.log(x), np.log(loss - E))[0, 1] * np.sign(slope)
            size = {
                ERROR[6]: -straight,
                ERROR[3]: -(difference**2).sum(),
                ERROR[4]: abs(difference.sum()),
                ERROR[5]: abs(difference).sum(),
            }
            size = size.get(error, (difference**2).sum())
            found.append((size, float(E), float(np.exp(at)), float(-slope)))
        _, E, c, alpha = min(found)
        return (c, alpha, E) if order == FLOOR_ORDER[1] else (E, c, alpha)

    return fit_irreducible


def bent(found):
    return {"E": found[0], "c": found[1], "alpha": found[2]}


def bent_points_with_noise(impl, seed):
    x, loss = law_points(seed, 23, 0.6, 9.0, 0.02, floor=1.7)
    return bent(impl.fit_irreducible(x, loss, np.linspace(0.1, 2.4, 47)))


def points_with_much_noise(impl, seed):
    x, loss = law_points(seed + 1, 19, 0.35, 20.0, 0.1, floor=1.0)
    return bent(impl.fit_irreducible(x, loss, loss.min() * np.linspace(0.02, 0.999, 80)))


def few_floors_in_no_order(impl, seed):
    x, loss = law_points(seed + 2, 13, 0.5, 6.0, 0.1, floor=1.1)
    return bent(impl.fit_irreducible(x, loss, np.array([1.0, 5.0, 0.2, 1.1, 0.6, 9.0])))


def points_without_a_floor(impl, seed):
    x, loss = law_points(seed + 3, 13, 0.5, 6.0, 0.0)
    return bent(impl.fit_irreducible(x, loss, np.array([0.0, 0.01, 0.02])))


def points_in_no_order_of_which_few_are_far_off(impl, seed):
    x, loss = law_points(seed + 4, 29, 0.35, 20.0, 0.03, floor=1.0)
    loss[[3, 11, 17]] *= [1.5, 0.9, 1.3]
    return bent(impl.fit_irreducible(x, loss, loss.min() * np.linspace(0.02, 0.999, 80)))


def a_floor_below_zero(impl, seed):
    x, loss = np.array([1.0, 100.0, 10_000.0]), np.array([7.0, 3.0, 1.0])
    return bent(impl.fit_irreducible(x, loss, np.array([-1.0, 0.0, 0.5])))


def floors_that_are_refused(impl, seed):
    x, loss = law_points(seed + 5, 7, 0.5, 6.0, 0.1, floor=1.5)
    low, cases = loss.min(), {}
    cases = {"all above": np.array([9.0, low + 1]), "one equal to the smallest loss": np.array([low])}
    cases |= {"one of two above": np.array([0.3, low + 1]), "one of two equal to it": np.array([0.3, low])}
    return {name: error_of(lambda f=floors: impl.fit_irreducible(x, loss, f)) for name, floors in cases.items()}


def the_bent_points_of_the_workbook(impl, seed):
    x, loss = np.array([1.0, 100.0, 10_000.0]), np.array([10.0, 6.0, 4.0])
    return bent(impl.fit_irreducible(x, loss, np.array([0.0, 1.0, 2.0, 3.0])))


# ---------------------------------------------------------------- bootstrap_interval

RESAMPLE = [
    "right",
    "that resamples the RESIDUALS, and leaves every point at its x",
    "that resamples y alone, so that x and y belong to different points",
    "that takes each resample's points apart, and fits all resamples as one",
    "in which a point that is drawn TWICE counts once",
]
INTERVAL = [
    "right",
    "from the STANDARD ERROR of one fit",
    "of the mean and the deviation of the predictions",
    "with the quantiles 1 - level and level",
    "whose level stands on EACH side",
    "from the smallest to the largest prediction",
    "made of the quantiles of c and of alpha, each on its own",
    "from the quantiles of the predictions' LOGARITHMS",
    "whose ends are the NEAREST predictions: `np.quantile` as it is goes between two",
]
BAND = ["right", "that extends the band of the known points LINEARLY", "that gives the places back SORTED"]
BAND_ORDER = ["right", "that returns the upper end first"]
LEVEL = ["right", "of 0.8, whatever level is asked"]
BOOTSTRAP_HINTS = {
    RESAMPLE[1]: "A row of `indices` names points. Which parts has a point?",
    RESAMPLE[2]: "Which y belongs to x[rows]?",
    RESAMPLE[3]: "How many fits do R resamples make?",
    RESAMPLE[4]: "With replacement: what is the weight of a point that is drawn three times?",
    INTERVAL[1]: "The formula believes in one kind of noise. What do the resamples say?",
    INTERVAL[2]: "Are the predictions normal? The percentiles need no such belief.",
    INTERVAL[3]: "Level 0.8: how much of the predictions lies below your lower end?",
    INTERVAL[4]: "How much is outside of the interval in all?",
    INTERVAL[5]: "What would a thousand more resamples do to your interval?",
    INTERVAL[6]: "A fit with a large c has a large alpha too. Which fit has your pair of quantiles?",
    INTERVAL[7]: "Between two predictions, `np.quantile` draws a straight line. Is its middle theirs in logarithms?",
    INTERVAL[8]: "Which method has `np.quantile` when none is named?",
    BAND[1]: "Each resample has a law. What does it predict at the new x itself?",
    BAND[2]: "Which place does the first number of your band belong to?",
    BAND_ORDER[1]: "Which of the two does the docstring return first?",
    LEVEL[1]: "Ask for 0.5. Is the interval narrower?",
}


def wrong_bootstrap(resample, interval, band, order, level_):
    def bootstrap_interval(x, y, indices, x_new, level=0.8):
        level = 0.8 if level_ == LEVEL[1] else level
        log_x, log_y = np.log(x), np.log(y)
        slope, at = line(log_x, log_y)
        residual = log_y - at - slope * log_x
        places = {BAND[1]: np.array([x.min(), x.max()]), BAND[2]: np.sort(x_new)}.get(band, x_new)
        laws = []
        for rows in indices:
            rows = np.unique(rows) if resample == RESAMPLE[4] else rows
            if resample == RESAMPLE[1]:
                laws.append(line(log_x, at + slope * log_x + residual[rows]))
            elif resample == RESAMPLE[2]:
                laws.append(line(log_x, log_y[rows]))
            elif resample == RESAMPLE[3]:
                laws.append(line(log_x[indices.ravel()], log_y[indices.ravel()]))
            else:
                laws.append(line(log_x[rows], log_y[rows]))
        predictions = np.array([np.exp(a + s * np.log(places)) for s, a in laws])
        tail = {INTERVAL[3]: 1 - level, INTERVAL[4]: 1 - level, INTERVAL[5]: 0.0}.get(interval, (1 - level) / 2)
        if interval == INTERVAL[1]:
            centred = log_x - log_x.mean()
            variance = (residual**2).sum() / (len(x) - 2)
            away = np.log(places) - log_x.mean()
            error = np.sqrt(variance * (1 / len(x) + away**2 / (centred**2).sum()))
            middle, z = np.exp(at + slope * np.log(places)), norm.ppf(1 - tail)
            low, high = middle * np.exp(-z * error), middle * np.exp(z * error)
        elif interval == INTERVAL[2]:
            z = norm.ppf(1 - tail)
            low, high = (predictions.mean(0) + sign * z * predictions.std(0) for sign in (-1, 1))
        elif interval == INTERVAL[6]:
            slopes, starts = np.array(laws).T
            ends = zip(*(np.quantile(v, [tail, 1 - tail]) for v in (slopes, np.exp(starts))), strict=True)
            low, high = (c * places**s for s, c in ends)
        elif interval == INTERVAL[3]:
            low, high = np.quantile(predictions, [min(1 - level, level), max(1 - level, level)], axis=0)
        else:
            upper = level if interval == INTERVAL[4] else 1 - tail
            lower = 0.0 if interval == INTERVAL[4] else tail
            if interval == INTERVAL[7]:
                low, high = np.exp(np.quantile(np.log(predictions), [lower, upper], axis=0))
            else:
                method = "nearest" if interval == INTERVAL[8] else "linear"
                low, high = np.quantile(predictions, [lower, upper], axis=0, method=method)
        if band == BAND[1]:
            share = (x_new - places[0]) / (places[1] - places[0])
            low, high = (end[0] + share * (end[1] - end[0]) for end in (low, high))
        return (high, low) if order == BAND_ORDER[1] else (low, high)

    return bootstrap_interval


def ends(found):
    return {"the lower ends": found[0], "the upper ends": found[1]}


def rows_of(seed, n, count):
    return np.random.default_rng(seed + 77).integers(n, size=(count, n))


def places_inside_and_far_outside(impl, seed):
    x, y = law_points(seed, 13, 0.4, 6.0, 0.2)
    return ends(impl.bootstrap_interval(x, y, rows_of(seed, 13, 61), np.array([5.0, 700.0, 1e7])))


def an_interval_of_one_half(impl, seed):
    x, y = law_points(seed + 1, 11, 0.7, 60.0, 0.4)
    return ends(impl.bootstrap_interval(x, y, rows_of(seed + 1, 11, 43), np.array([20.0, 3e4]), 0.5))


def an_interval_of_95_per_cent(impl, seed):
    x, y = law_points(seed + 2, 17, 0.3, 4.0, 0.1)
    return ends(impl.bootstrap_interval(x, y, rows_of(seed + 2, 17, 101), np.array([1e5]), level=0.95))


def three_resamples(impl, seed):
    x, y = law_points(seed + 3, 7, 0.5, 4.0, 0.3)
    return ends(impl.bootstrap_interval(x, y, rows_of(seed + 3, 7, 3), np.array([50.0, 2.0, 9.0])))


def the_resamples_of_the_workbook(impl, seed):
    x, y = np.array([1.0, 10.0, 100.0]), np.array([8.0, 4.0, 1.0])
    indices = np.array([[0, 1, 1], [1, 2, 2], [0, 2, 2]])
    return ends(impl.bootstrap_interval(x, y, indices, np.array([1000.0]), level=0.5))


# ---------------------------------------------------------------- huber_log_loss

REDUCE = ["right", "that takes the MEAN over runs for their sum"]
RESIDUAL = ["right", "of the LOSSES, and not of their logarithms"]
HUBER = [
    "right",
    "that SQUARES every difference",
    "that takes the absolute difference, without the square near zero",
    "that jumps at delta: without the -delta/2 of the linear part",
    "that IGNORES delta",
]
TERMS = [
    "right",
    "WITHOUT the irreducible loss",
    "with A and B exchanged",
    "with alpha and beta exchanged",
    "whose exponents have the WRONG SIGN",
    "that reads theta as (log E, log A, log B, alpha, beta)",
    "that takes theta's first three for A, B and E themselves",
    "whose terms OVERFLOW: exp before the logarithm",
    "with DECIMAL logarithms of N and D",
    "that takes ONE maximum out of all runs, so that the terms of others UNDERFLOW",
]
GRADIENT = [
    "right",
    "whose gradient by the exponents lacks the MINUS",
    "whose gradient by the exponents lacks log N and log D",
    "whose gradient is that of the squares: not clipped",
    "whose gradient is of the opposite sign throughout",
    "whose gradient is by A, B and E, and not by their logarithms",
    "whose gradient lacks the share of each term",
]
HUBER_HINTS = {
    REDUCE[1]: "The mean is 240 times smaller. What does an optimizer with a fixed tolerance do then?",
    RESIDUAL[1]: "Which is worse: a miss of 0.1 at a loss of 2, or at a loss of 5?",
    HUBER[1]: "What does one outlier of 0.3 do to your sum, when the others are 0.03?",
    HUBER[2]: "What is the slope just left and just right of zero?",
    HUBER[3]: "At |r| = delta both forms must meet. Do yours?",
    HUBER[4]: "Change delta. Does your value change?",
    TERMS[1]: "A very large model on very much data: which loss do you predict?",
    TERMS[2]: "Which coefficient belongs to the size?",
    TERMS[3]: "Which exponent belongs to the size?",
    TERMS[4]: "Does a larger model have a larger loss?",
    TERMS[5]: "In which order are the five?",
    TERMS[6]: "theta[0] is the LOGARITHM of A. What is the logarithm of A N^-alpha?",
    TERMS[7]: "exp(1000) is infinite. Which number may be taken out of a LogSumExp?",
    TERMS[9]: "exp(-1000) is zero. Whose maximum must come out of a run's LogSumExp?",
    TERMS[8]: "Which base has the exponential that undoes your logarithm?",
    GRADIENT[1]: "The term is a - alpha log N. What is its derivative by alpha?",
    GRADIENT[2]: "The term is a - alpha log N. What is its derivative by alpha?",
    GRADIENT[3]: "Far from zero, Huber is a straight line. What is its slope?",
    GRADIENT[4]: "Predicted minus observed, or observed minus predicted?",
    GRADIENT[5]: "By what does the docstring differentiate?",
    GRADIENT[6]: "A LogSumExp's derivative by a term is that term's softmax. What do the three add up to?",
}


def wrong_huber(reduce, residual, huber, terms, gradient):
    def huber_log_loss(theta, n, tokens, loss, delta=1e-3):
        a, b, e, alpha, beta = np.roll(theta[:3], -1).tolist() + theta[3:].tolist() if terms == TERMS[5] else theta
        if terms == TERMS[2]:
            a, b = b, a
        elif terms == TERMS[3]:
            alpha, beta = beta, alpha
        elif terms == TERMS[6]:
            a, b, e = (math.log(abs(v) + 1e-9) for v in (a, b, e))
        sign = 1 if terms == TERMS[4] else -1
        log_n, log_t, log_loss = np.log(n), np.log(tokens), np.log(loss)
        if terms == TERMS[8]:
            log_n, log_t = np.log10(n), np.log10(tokens)
        z = np.stack([a + sign * alpha * log_n, b + sign * beta * log_t, np.full(len(n), e)])
        if terms == TERMS[1]:
            z = z[:2]
        with np.errstate(all="ignore"):
            taken = {TERMS[7]: 0.0, TERMS[9]: z.max()}.get(terms)
            top = np.logaddexp.reduce(z) if taken is None else np.log(np.exp(z - taken).sum(0)) + taken
            share = np.exp(z - top)
            r = np.exp(top) - loss if residual == RESIDUAL[1] else top - log_loss
            inner = np.exp(top) if residual == RESIDUAL[1] else 1.0
            limit = 1e-3 if huber == HUBER[4] else delta
            small = np.abs(r) <= limit
            value = np.where(small, r * r / 2, limit * (np.abs(r) - limit / 2))
            slope = np.clip(r, -limit, limit)
            if huber == HUBER[1]:
                value, slope = r * r / 2, r
            elif huber == HUBER[2]:
                value, slope = limit * np.abs(r), limit * np.sign(r)
            elif huber == HUBER[3]:
                value = np.where(small, r * r / 2, limit * np.abs(r))
            slope = (r if gradient == GRADIENT[3] else slope) * inner
            by = slope * (1.0 if gradient == GRADIENT[6] else share)
        scale = {GRADIENT[1]: -1, GRADIENT[2]: 1}.get(gradient, 1) * sign
        weights = (1, 1) if gradient == GRADIENT[2] else (log_n, log_t)
        by_e = by[2].sum() if len(z) == 3 or gradient == GRADIENT[6] and len(by) == 3 else 0.0
        found = np.array(
            [by[0].sum(), by[1].sum(), by_e, scale * (by[0] * weights[0]).sum(), scale * (by[1] * weights[1]).sum()]
        )
        if gradient == GRADIENT[4]:
            found = -found
        elif gradient == GRADIENT[5]:
            found[:3] /= np.exp(theta[:3])
        value = value.sum()
        if reduce == REDUCE[1]:
            value, found = value / len(n), found / len(n)
        return float(value), found

    return huber_log_loss


TRUE = ChinchillaLaw(1.7, 420.0, 900.0, 0.35, 0.31)
THETA = np.array([6.3, 6.9, 0.5, 0.34, 0.33])


def runs_of(seed, count, noise=0.03):
    generator = np.random.default_rng(seed)
    n, tokens = np.exp(generator.uniform(17, 23, count)), np.exp(generator.uniform(20, 26, count))
    return n, tokens, TRUE.loss(n, tokens) * np.exp(noise * generator.standard_normal(count))


def valued(found):
    return {"the value": 1e3 * found[0], "the gradient": 1e3 * found[1]}


def runs_with_noise(impl, seed):
    return valued(impl.huber_log_loss(THETA, *runs_of(seed, 29)))


def a_wide_delta(impl, seed):
    return valued(impl.huber_log_loss(THETA + 0.02, *runs_of(seed + 1, 23), delta=0.04))


def a_delta_above_every_difference(impl, seed):
    return valued(impl.huber_log_loss(THETA - 0.01, *runs_of(seed + 2, 13), 3.0))


def one_run(impl, seed):
    return valued(impl.huber_log_loss(THETA, *runs_of(seed + 3, 1, 0.3), 0.01))


def terms_of_a_thousand(impl, seed):
    return valued(impl.huber_log_loss(np.array([900.0 + seed, 1100.0, 800.0, 0.4, 0.3]), *runs_of(seed + 4, 11), 0.5))


def terms_of_a_thousand_in_one_run_alone(impl, seed):
    theta, n = np.array([1000.0, 900.0, -300.0 - seed, 100.0, 80.0]), np.array([2.0, 1e5, 30.0])
    return valued(impl.huber_log_loss(theta, n, np.array([3.0, 1e6, 40.0]), np.array([2.5, 3.5, 3.0]), 0.5))


def the_run_of_the_workbook(impl, seed):
    theta, one = np.array([math.log(4), math.log(9), math.log(2), 0.5, 0.5]), np.ones(1)
    value, gradient = impl.huber_log_loss(theta, 16 * one, 9 * one, 3 * one, delta=0.5)
    return {"the value": value, "the gradient": gradient}


# ---------------------------------------------------------------- optimal_allocation

SPLIT = [
    "right",
    "with the exponents a and b EXCHANGED",
    "of 20 tokens a parameter, REGARDLESS of the law",
    "with one half for both exponents",
]
SCALE = [
    "right",
    "with the ratio of A and B UPSIDE DOWN",
    "that forgets alpha and beta in the ratio",
    "without the ratio of A and B",
    "whose ratio is not raised to a power",
    "whose ratio is raised to 1/alpha, and not to 1/(alpha + beta)",
]
BUDGET = ["right", "that takes C for C/6 in N", "whose D is C/N: the 6 is forgotten"]
ROUNDING = ["right", "that ROUNDS alpha and beta to two digits"]
PAIR = ["right", "that returns D first"]
BUDGET_CHECK = [
    "right",
    "that does not refuse a budget of zero",
    "that does not refuse a negative budget",
    "that refuses a budget below ONE",
]
OPTIMAL_HINTS = {
    SPLIT[1]: "If beta is small, data helps slowly. Where should the budget go: to data or to size?",
    SPLIT[2]: "20 is right for one law at one budget. Where does yours come in?",
    SPLIT[3]: "When are both exponents one half?",
    SCALE[1]: "A large A means that size matters much. Should N then be larger, or smaller?",
    SCALE[2]: "Set the derivative of A N^-alpha to that of the other term. What comes down in front?",
    SCALE[3]: "Does a law with a large A want the same model as one with a large B?",
    SCALE[4]: "G to which power?",
    SCALE[5]: "The budget ties N and D together. Which exponents add up?",
    BUDGET[1]: "6ND = C. What is N D?",
    BUDGET[2]: "6ND = C. What is D?",
    ROUNDING[1]: "Rounding moved Hoffmann's own 59 tokens a parameter to 93. Which digits may be dropped?",
    PAIR[1]: "Which of the two does the docstring return first?",
    BUDGET_CHECK[1]: "What is bought for nothing?",
    BUDGET_CHECK[3]: "Which numbers are not positive?",
    BUDGET_CHECK[2]: "What is a negative number to a power of 0.5?",
}


def wrong_optimal(split, scale, budget, rounding, pair, check):
    def optimal_allocation(law, flops):
        if flops < 0 and check != BUDGET_CHECK[2] or flops == 0 and check != BUDGET_CHECK[1]:
            raise ValueError("flops")
        if check == BUDGET_CHECK[3] and flops < 1:
            raise ValueError("flops")
        E, A, B, alpha, beta = law
        if rounding == ROUNDING[1]:
            alpha, beta = round(alpha, 2), round(beta, 2)
        both = alpha + beta
        power = {SPLIT[0]: beta / both, SPLIT[1]: alpha / both, SPLIT[3]: 0.5}.get(split, 0.5)
        ratio = {SCALE[1]: beta * B / (alpha * A), SCALE[2]: A / B, SCALE[3]: 1.0}.get(scale, alpha * A / (beta * B))
        product = flops if budget == BUDGET[1] else flops / 6
        n = ratio ** {SCALE[4]: 1.0, SCALE[5]: 1 / alpha}.get(scale, 1 / both) * product**power
        if split == SPLIT[2]:
            n = (product / 20) ** 0.5
        d = flops / n if budget == BUDGET[2] else flops / (6 * n) if n else 0.0
        return (d, n) if pair == PAIR[1] else (n, d)

    return optimal_allocation


def shared_out(found):
    return {"log N": math.log(found[0]), "log D": math.log(found[1])}


def some_law(seed):
    u = np.random.default_rng(seed).uniform(0.2, 1.0, 4)
    return ChinchillaLaw(1.5, 300 * float(u[0]), 5000 * float(u[1]), 0.5 * float(u[2]), 0.6 * float(u[3]))


def a_small_budget(impl, seed):
    return shared_out(impl.optimal_allocation(some_law(seed), 3e15))


def a_large_budget(impl, seed):
    return shared_out(impl.optimal_allocation(some_law(seed + 1), 7.1e24))


def the_budget_of_gopher(impl, seed):
    return shared_out(impl.optimal_allocation(ChinchillaLaw(1.69, 406.4, 410.7, 0.3392, 0.2849), 5.76e23))


def a_budget_of_a_few_parameters(impl, seed):
    n, d = impl.optimal_allocation(ChinchillaLaw(2.0, 32.0, 2.0, 0.5, 0.5), 43.0 + seed % 5)
    return {"N": n, "D": d}


def budgets_that_are_refused(impl, seed):
    budgets = (0.0, -3e20, 0.06)
    return {f"a budget of {c:g}": error_of(lambda c=c: impl.optimal_allocation(TRUE, c)) for c in budgets}


def the_law_of_the_workbook(impl, seed):
    n, d = impl.optimal_allocation(ChinchillaLaw(2.0, 32.0, 2.0, 0.5, 0.5), 600.0)
    return {"N": n, "D": d}


# ---------------------------------------------------------------- ridgeless_risk

THRESHOLD = [
    "right",
    "whose threshold is at the samples alone: the OUTPUTS are missed",
    "with samples a parameter for parameters a sample",
    "with a threshold of samples / outputs",
]
UNDER = ["right", "whose variance below the threshold is gamma alone", "with 1 / (1 - gamma) below the threshold"]
OVER = [
    "right",
    "WITHOUT the bias above the threshold",
    "whose bias does not shrink with the signal that is caught: signal² alone",
    "WITHOUT the variance above the threshold",
    "with the formula from below the threshold above it too",
    "with gamma / (gamma - 1) above the threshold",
]
UNITS = ["right", "that takes the noise itself, and not its square", "that takes the signal itself, and not its square",
         "that adds the noise of the test labels", "that adds up the risks of all outputs"]  # fmt: skip
PEAK_AT = ["right", "that divides by zero at the threshold", "that is zero at the threshold"]
RISK_HINTS = {
    THRESHOLD[1]: "Ten outputs have ten times the parameters and ten times the numbers to fit. Where do they meet?",
    THRESHOLD[2]: "More parameters: does gamma grow?",
    THRESHOLD[3]: "Ten outputs have ten times the numbers to fit. Does the threshold come earlier?",
    UNDER[1]: "What happens to the variance as gamma comes near one?",
    UNDER[2]: "No parameters at all: what is the variance?",
    OVER[1]: "More features than samples: can every direction of the truth be seen?",
    OVER[2]: "Which share of the truth do n of d directions catch?",
    OVER[3]: "Are the labels without noise above the threshold?",
    OVER[4]: "What is the sign of gamma / (1 - gamma) above one?",
    OVER[5]: "Far above the threshold, what is left of the noise?",
    UNITS[1]: "`noise` is a deviation. In which unit is a risk?",
    UNITS[2]: "`signal` is a length. In which unit is a risk?",
    UNITS[4]: "The docstring says of how many outputs the risk is.",
    UNITS[3]: "Excess risk: what would the true coefficients have?",
    PEAK_AT[1]: "Which value does the docstring promise at the threshold?",
    PEAK_AT[2]: "From both sides the risk rises without end. What is it between?",
}


def wrong_risk(threshold, under, over, units, peak):
    def ridgeless_risk(parameters, samples, outputs=1, signal=1.0, noise=1.0):
        gamma = parameters / {THRESHOLD[1]: samples, THRESHOLD[3]: samples / outputs}.get(threshold, samples * outputs)
        gamma = 1 / gamma if threshold == THRESHOLD[2] else gamma
        s, v = (x if units == UNITS[i] else x * x for i, x in ((2, signal), (1, noise)))
        extra = v if units == UNITS[3] else 0.0
        times = outputs if units == UNITS[4] else 1
        if gamma == 1:
            return {PEAK_AT[0]: math.inf, PEAK_AT[1]: None, PEAK_AT[2]: 0.0}[peak] if peak != PEAK_AT[1] else 1 / 0
        if gamma < 1:
            made = {UNDER[0]: gamma / (1 - gamma), UNDER[1]: gamma, UNDER[2]: 1 / (1 - gamma)}
            return times * v * made[under] + extra
        bias, variance = s * (1 - 1 / gamma), v / (gamma - 1)
        made = {OVER[1]: variance, OVER[2]: s + variance, OVER[3]: bias, OVER[4]: v * gamma / (1 - gamma)}
        made |= {OVER[5]: bias + v * gamma / (gamma - 1)}
        return times * made.get(over, bias + variance) + extra

    return lambda parameters, samples, outputs=1, signal=1.0, noise=1.0: ridgeless_risk(
        parameters, samples, outputs, signal, noise
    )


def fewer_parameters_than_samples(impl, seed):
    return {f"{p} parameters": impl.ridgeless_risk(p, 211, signal=1.7, noise=0.6) for p in (3 + seed, 101, 199)}


def more_parameters_than_samples(impl, seed):
    return {f"{p} parameters": impl.ridgeless_risk(p, 97, signal=1.7, noise=0.6) for p in (101 + seed, 211, 9973)}


def three_outputs(impl, seed):
    sizes = (60 + 3 * seed, 291, 600)
    return {f"{p} parameters": impl.ridgeless_risk(p, 101, 3, 0.8, 1.9) for p in sizes}


def the_threshold_itself(impl, seed):
    found = {"one output": impl.ridgeless_risk(89, 89), "five outputs": impl.ridgeless_risk(445, 89, outputs=5)}
    return found | {"labels without noise": impl.ridgeless_risk(89, 89, noise=0.0)}


def near_the_threshold(impl, seed):
    return {f"{p} parameters for 997 samples": impl.ridgeless_risk(p, 997) for p in (996, 998)}


def nothing_but_the_sizes(impl, seed):
    return {f"{p} parameters": impl.ridgeless_risk(p, 50) for p in (13, 131)}


def the_sizes_of_the_workbook(impl, seed):
    return {f"{p} parameters": impl.ridgeless_risk(p, 100) for p in (50, 100, 200)}


# ---------------------------------------------------------------- all of them

PROBES = {
    "training_flops": [
        a_small_decoder,
        without_attention,
        a_large_decoder,
        fewer_tokens_than_a_context,
        the_decoder_of_the_workbook,
    ],
    "learning_rate": [a_whole_run, a_run_of_another_length, a_run_shorter_than_the_warm_up, the_rates_of_the_workbook],
    "train_run": [
        thirteen_batches,
        one_batch,
        forty_batches_of_a_wide_model,
        a_model_of_float64,
        a_validation_loss_that_rises,
    ],
    "fit_power_law": [
        points_with_noise,
        points_of_a_steep_law,
        a_law_that_rises,
        two_points,
        points_of_which_some_share_an_x,
        points_of_tiny_x,
        points_that_are_refused,
        the_points_of_the_workbook,
    ],
    "fit_irreducible": [
        bent_points_with_noise,
        points_with_much_noise,
        few_floors_in_no_order,
        points_without_a_floor,
        points_in_no_order_of_which_few_are_far_off,
        a_floor_below_zero,
        floors_that_are_refused,
        the_bent_points_of_the_workbook,
    ],
    "bootstrap_interval": [
        places_inside_and_far_outside,
        an_interval_of_one_half,
        an_interval_of_95_per_cent,
        three_resamples,
        the_resamples_of_the_workbook,
    ],
    "huber_log_loss": [
        runs_with_noise,
        a_wide_delta,
        a_delta_above_every_difference,
        one_run,
        terms_of_a_thousand,
        terms_of_a_thousand_in_one_run_alone,
        the_run_of_the_workbook,
    ],
    "optimal_allocation": [
        a_small_budget,
        a_large_budget,
        the_budget_of_gopher,
        a_budget_of_a_few_parameters,
        budgets_that_are_refused,
        the_law_of_the_workbook,
    ],
    "ridgeless_risk": [
        fewer_parameters_than_samples,
        more_parameters_than_samples,
        three_outputs,
        the_threshold_itself,
        near_the_threshold,
        nothing_but_the_sizes,
        the_sizes_of_the_workbook,
    ],
}

KNOBS = {
    "training_flops": (
        "a count",
        {"rule": RULE, "head": HEAD, "attention": ATTENTION, "block": BLOCK, "tokens": TOKENS},
        wrong_flops,
        FLOPS_HINTS,
        [*((RULE[3], t) for t in TOKENS[1:]), (RULE[1], ATTENTION[6]), (RULE[2], ATTENTION[6])],
    ),
    "learning_rate": (
        "a schedule",
        {"peak": PEAK, "horizon": HORIZON, "lowest": LOWEST, "warm": WARM},
        wrong_rate,
        RATE_HINTS,
        [(HORIZON[3], LOWEST[1]), *((h, WARM[4]) for h in HORIZON[1:])],
    ),
    "train_run": (
        "a run",
        {"rate": RATE, "gradients": GRADIENTS, "measure": MEASURE, "optimizer": OPTIMIZER, "data": DATA},
        wrong_train,
        TRAIN_HINTS,
        [],
    ),
    "fit_power_law": (
        "a fit",
        {
            "space": SPACE,
            "sign": SIGN,
            "coefficient": COEFFICIENT,
            "order": ORDER,
            "positive": POSITIVE,
            "equal": EQUAL,
        },
        wrong_power,
        POWER_HINTS,
        [],
    ),
    "fit_irreducible": (
        "a fit",
        {"floor": FLOOR, "error": ERROR, "order": FLOOR_ORDER, "check": FLOOR_CHECK},
        wrong_floor,
        FLOOR_HINTS,
        [],
    ),
    "bootstrap_interval": (
        "an interval",
        {"resample": RESAMPLE, "interval": INTERVAL, "band": BAND, "order": BAND_ORDER, "level_": LEVEL},
        wrong_bootstrap,
        BOOTSTRAP_HINTS,
        [],
    ),
    "huber_log_loss": (
        "an objective",
        {"reduce": REDUCE, "residual": RESIDUAL, "huber": HUBER, "terms": TERMS, "gradient": GRADIENT},
        wrong_huber,
        HUBER_HINTS,
        [],
    ),
    "optimal_allocation": (
        "an allocation",
        {"split": SPLIT, "scale": SCALE, "budget": BUDGET, "rounding": ROUNDING, "pair": PAIR, "check": BUDGET_CHECK},
        wrong_optimal,
        OPTIMAL_HINTS,
        [
            *((SPLIT[2], s) for s in (*SCALE[1:], ROUNDING[1])),
            *((SCALE[1], s) for s in (SPLIT[1], SPLIT[3], PAIR[1])),
            (SPLIT[1], PAIR[1]),
            (SPLIT[1], SCALE[3]),
        ],
    ),
    "ridgeless_risk": (
        "a risk",
        {"threshold": THRESHOLD, "under": UNDER, "over": OVER, "units": UNITS, "peak": PEAK_AT},
        wrong_risk,
        RISK_HINTS,
        [(OVER[1], UNITS[2]), (OVER[4], UNITS[2]), (THRESHOLD[2], OVER[1]), (UNDER[2], OVER[5])],
    ),
}
PAIRS = {"training_flops", "learning_rate", "optimal_allocation", "ridgeless_risk"}  # with two mistakes at a time


def of(task):
    """Every known mistake of a task."""
    noun, knobs, build, hints, without = KNOBS[task]
    yield from combine(task, noun, knobs, build, hints, most=2 if task in PAIRS else 1, without=tuple(without))
