"""The classic mistakes of decoding as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import math
import re

import torch
from entropy_plotter import SamplingParams
from grader import combine, error_of

TASKS = ["entropy", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "warp", "sample"]
TASKS += ["speculative_accept", "majority_vote"]
GIVEN = ["SamplingParams", "frequency_penalty", "presence_penalty", "typical", "eta"]
GATE_SEEDS = 3
INF = math.inf


def rows(seed, *shape, scale=2.5, dtype=torch.float64):
    """Float64: rounding can then not decide what is cut, in whatever order a solution adds up."""
    return (scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))).to(dtype)


def outcome(call):
    """What a call returns, or the name of its error."""
    return error_of(call) or call()


def kept(logits):
    """How many tokens of each row are left."""
    return (logits > -INF).sum(-1).tolist()


# ---------------------------------------------------------------- entropy

UNIT = ["bits", "in NATS", "in decimal digits", "divided by its maximum, so that every uniform row has 1"]
ZERO = [
    "right",
    "that gives NaN where a probability is zero",
    "that adds 1e-4 to every probability before its logarithm",
    "that adds 1e-9 to every probability before its logarithm",
    "that leaves out the probabilities below a millionth",
]
AXIS = ["last", "with its softmax over the FIRST axis", "with its softmax over ALL numbers"]
SIGN = ["right", "WITHOUT the minus sign"]
SUM = ["sum", "that takes the MEAN over the vocabulary", "that gives one number, the mean of all rows"]
WHAT = ["entropy", "of the LOGITS instead of the probabilities", "raised to a perplexity, 2^H"]
WHAT += ["that is the surprisal of the likeliest token alone", "without the weights: the mean surprisal of all tokens"]
ENTROPY = {"unit": UNIT, "zero": ZERO, "axis": AXIS, "sign": SIGN, "total": SUM, "what": WHAT}
ENTROPY_HINTS = {
    UNIT[1]: "A fair coin has one bit. What does your function give for two equal logits?",
    UNIT[2]: "Which logarithm of 2 is 1?",
    UNIT[3]: "A uniform row of 4 tokens has 2 bits, one of 8 has 3.",
    ZERO[1]: "What is 0 · log 0 for a computer, and what is the limit of p · log p at 0?",
    ZERO[2]: "A certain row has an entropy of exactly zero, and small probabilities are small for a reason.",
    ZERO[3]: "Thirty thousand small errors are not small. Only a probability of exactly zero needs help.",
    ZERO[4]: "One unlikely token adds nearly nothing. What do thirty thousand of them add?",
    AXIS[1]: "Which numbers of a (B, V) tensor must sum to one?",
    AXIS[2]: "Two rows are two distributions. Does each sum to one?",
    SIGN[1]: "The logarithm of a probability is never positive. Can an entropy be negative?",
    SUM[1]: "Four equal logits have two bits. What did you divide by?",
    SUM[2]: "Every row has an entropy of its own. What shape is promised?",
    WHAT[1]: "A logit may be negative. What must happen before its logarithm is taken?",
    WHAT[2]: "2^H is the perplexity. How many bits is it?",
    WHAT[3]: "The likeliest token is not the only one that may come.",
    WHAT[4]: "A token that never comes should not count as much as one that always comes.",
}


def wrong_entropy(unit, zero, axis, sign, total, what):
    def entropy(logits):
        dim = 0 if axis == AXIS[1] else -1
        probs = logits.softmax(dim)
        if axis == AXIS[2]:
            probs = logits.flatten().softmax(0).view_as(logits)
        logs = logits.log() if what == WHAT[1] else (probs + {ZERO[2]: 1e-4, ZERO[3]: 1e-9}.get(zero, 0.0)).log()
        if zero == "right" and what != WHAT[1]:
            logs = logs.masked_fill(probs == 0, 0.0)
        if zero == ZERO[4] and what != WHAT[1]:
            logs = logs.masked_fill(probs < 1e-6, 0.0)
        terms = (logits if what == WHAT[1] else 1.0 if what == WHAT[4] else probs) * logs
        if what == WHAT[3]:
            found = -logs.amax(-1)
        else:
            found = -(terms.mean(-1) if total == SUM[1] or what == WHAT[4] else terms.sum(-1))
        found = found / {UNIT[1]: 1.0, UNIT[2]: math.log(10), UNIT[3]: math.log(logits.shape[-1])}.get(
            unit, math.log(2)
        )
        found = 2**found if what == WHAT[2] else found
        found = -found if sign == SIGN[1] else found
        return found.mean() if total == SUM[2] else found

    return entropy


def rows_of_seven_tokens(impl, seed):
    return impl.entropy(rows(seed, 3, 7))


def three_axes(impl, seed):
    return impl.entropy(rows(seed + 1, 2, 5, 11))


def tokens_that_are_cut(impl, seed):
    logits = rows(seed + 2, 4, 7)
    logits[:, 2:5] = -INF
    return {"the entropy": impl.entropy(logits), "one row": impl.entropy(logits[0])}


def a_long_tail(impl, seed):
    logits = rows(seed + 3, 30_001, scale=0.1) - 15
    logits[seed % 997] = 0.0
    return impl.entropy(logits)


def worked_example_of_entropy(impl, seed):
    half = torch.tensor([[0.0, 0.0, -INF, -INF], [0.0, 0.0, 0.0, 0.0], [math.log(2), 0.0, 0.0, -INF]])
    return {"coin, four, half and two quarters": impl.entropy(half)}


def formats_of_entropy(impl, seed):
    return {f"dtype of {t}": str(impl.entropy(rows(seed, 2, 5, dtype=t)).dtype) for t in (torch.float32, torch.float64)}


# ---------------------------------------------------------------- temperature

SCALE = ["divided", "that MULTIPLIES by the temperature", "that IGNORES the temperature"]
SCALE += ["that divides by the SQUARE ROOT of the temperature", "that subtracts the temperature"]
RESULT = ["logits", "that returns PROBABILITIES", "that divides the probabilities instead of the logits"]
RESULT += ["that returns log-probabilities", "that shifts the logits of each row, so that the largest is 0"]
COLD = ["refused", "that accepts a temperature of 0, and divides by zero", "that takes 0 as greedy"]
COLD += ["that accepts negative temperatures", "that raises every temperature below 0.05 to 0.05"]
TEMPERATURE = {"scale": SCALE, "result": RESULT, "cold": COLD}
TEMPERATURE_HINTS = {
    SCALE[1]: "A high temperature should make the distribution flatter. Does multiplying do that?",
    SCALE[2]: "Compare 0.5 with 2. Does anything change?",
    SCALE[3]: "At temperature 4, how many times smaller should a logit be?",
    SCALE[4]: "Subtracting a constant from all logits changes no probability.",
    RESULT[1]: "Every rule here goes from logits to logits, so that rules can follow each other.",
    RESULT[2]: "Dividing all probabilities by one number, and making them sum to one again: what has changed?",
    RESULT[3]: "The worked example shows logits. What did you subtract?",
    RESULT[4]: "The probabilities stay, but these are not the logits of the worked example.",
    COLD[1]: "x / 0 is infinite, and 0 / 0 is NaN. What is promised for 0?",
    COLD[2]: "The limit at 0 is greedy, but this function promises an error.",
    COLD[3]: "What does a negative temperature do to the order of the tokens?",
    COLD[4]: "Every temperature above 0 is allowed. What is 1 / 0.01?",
}


def wrong_temperature(scale, result, cold):
    def temperature(logits, value):
        if cold == COLD[2] and value == 0:
            return logits.masked_fill(logits < logits.amax(-1, keepdim=True), -INF)
        if value < 0 and cold != COLD[3] or value == 0 and cold in (COLD[0], COLD[3], COLD[4]):
            raise ValueError("temperature")
        value = max(value, 0.05) if cold == COLD[4] else value
        x = logits.softmax(-1) if result == RESULT[2] else logits
        x = x - x.amax(-1, keepdim=True) if result == RESULT[4] else x
        out = {SCALE[1]: x * value, SCALE[2]: x * 1.0, SCALE[4]: x - value}.get(scale)
        if out is None:
            out = x / (abs(value) ** 0.5 if scale == SCALE[3] else value)
        if result == RESULT[3]:
            return out.log_softmax(-1)
        return out.softmax(-1) if result == RESULT[1] else out

    return temperature


def cold_and_hot(impl, seed):
    return {f"temperature {t}": impl.temperature(rows(seed, 3, 7), t) for t in (0.25, 1.0, 4.0)}


def worked_example_of_temperature(impl, seed):
    return {f"temperature {t}": impl.temperature(torch.tensor([2.0, 1.0, -INF]), t) for t in (0.5, 2, 1)}


def temperatures_that_are_refused(impl, seed):
    logits = rows(seed, 2, 3)
    found = {f"temperature {t}": error_of(lambda t=t: impl.temperature(logits, t)) for t in (0.0, -1.0, 0.01)}
    found["temperature 0, a whole number"] = outcome(lambda: impl.temperature(logits, 0))
    cold = impl.temperature(rows(seed, 2, 2, 5, dtype=torch.float32), 1e-3)
    return {**found, "three axes, and float32": cold}


# ---------------------------------------------------------------- top_k

COUNT = ["k", "that keeps k + 1 tokens", "that keeps k - 1 tokens", "that keeps the k SMALLEST logits"]
TIES = [
    "kept",
    "that DROPS tokens tied with the k-th, and keeps exactly k",
    "that drops the k-th itself and all tied with it",
    "that takes NEARLY equal logits for ties",
    "that compares PROBABILITIES, of which many round to 0",
    "that counts equal logits ONCE, and keeps the k largest different values",
]
FILL = ["-inf", "that cuts with 0 instead of -inf", "that cuts with -1e4 instead of -inf"]
FILL += ["that cuts with the smallest finite number instead of -inf"]
ROWS = ["each", "with one threshold for ALL rows, that of the first", "with the threshold of the whole batch"]
ROWS += ["with one threshold for ALL rows, the smallest of theirs"]
LARGE = ["all", "that fails where k is above the vocabulary", "that accepts k = 0"]
GIVES = ["logits", "that returns only the k values, sorted", "that returns probabilities"]
TOP_K = {"count": COUNT, "ties": TIES, "fill": FILL, "batch": ROWS, "large": LARGE, "gives": GIVES}
TOP_K_HINTS = {
    COUNT[1]: "Count what is left of ten different logits at k = 1.",
    COUNT[2]: "Count what is left of ten different logits at k = 2.",
    COUNT[3]: "Which tokens does a model find likely?",
    TIES[1]: "k = 2 on the probabilities .4, .2, .2, .2: why should one of the equal tokens stay, and the others go?",
    TIES[2]: "Is the k-th token among the k largest?",
    TIES[3]: "Logits of 1 and 0.999999 are near, but which one is larger?",
    TIES[4]: "Two logits of -900 and -901 have the same probability for a computer. Which one is larger?",
    TIES[5]: "Probabilities .4, .4, .2 and k = 2: the second largest is .4. Is .2 needed?",
    FILL[1]: "A logit of 0 has the weight e⁰ = 1. Which logit has no weight?",
    FILL[2]: "Other rules must see what has been cut. Which logit has no weight at all?",
    FILL[3]: "Other rules must see what has been cut. Which logit has no weight at all?",
    ROWS[1]: "Each row is a text of its own. Whose k-th logit is compared?",
    ROWS[2]: "Each row is a text of its own. Over which axis is the k-th largest?",
    ROWS[3]: "Each row is a text of its own. Whose k-th logit is compared?",
    LARGE[1]: "A vocabulary of 5 and k = 50: nothing has to be cut.",
    LARGE[2]: "With no token left there is nothing to sample. What is promised?",
    GIVES[1]: "The token ids are the positions. What happens to them when the values are sorted?",
    GIVES[2]: "Every rule here goes from logits to logits.",
}


def filler(fill, logits):
    return {FILL[1]: 0.0, FILL[2]: -1e4, FILL[3]: torch.finfo(logits.dtype).min}.get(fill, -INF)


def kth_different(x, k):
    edges = [values[-min(k, len(values))] for values in map(torch.unique, x.reshape(-1, x.shape[-1]))]
    return torch.stack(edges).view(*x.shape[:-1], 1)


def wrong_top_k(count, ties, fill, batch, large, gives):
    def top_k(logits, k):
        if k < (0 if large == LARGE[2] else 1):
            raise ValueError("k")
        V = logits.shape[-1]
        if large == LARGE[1] and k > V:
            raise RuntimeError("selected index k out of range")
        if k == 0:
            return torch.full_like(logits, -INF)
        x = -logits if count == COUNT[3] else logits
        k = min(k, V) + {COUNT[1]: 1, COUNT[2]: -1}.get(count, 0)
        k = min(k, V)
        if gives == GIVES[1]:
            return logits.topk(k).values
        order = x.sort(-1, descending=True)
        if k == 0:
            keep = torch.zeros_like(logits, dtype=torch.bool)
        elif ties == TIES[1]:
            keep = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order.indices[..., :k], True)
        else:
            kth = order.values[..., k - 1 : k]
            if batch == ROWS[1]:
                kth = kth.flatten()[0]
            elif batch == ROWS[2]:
                kth = x.flatten().sort(descending=True).values[k - 1]
            elif batch == ROWS[3]:
                kth = kth.min()
            kth = kth_different(x, k) if ties == TIES[5] else kth
            kth = kth - 1e-4 if ties == TIES[3] else kth
            x, kth = (x.softmax(-1), x.softmax(-1).sort().values[..., -k, None]) if ties == TIES[4] else (x, kth)
            keep = x > kth if ties == TIES[2] else x >= kth
        out = logits.masked_fill(~keep, filler(fill, logits))
        return out.softmax(-1) if gives == GIVES[2] else out

    return top_k


def three_of_eleven(impl, seed):
    return impl.top_k(rows(seed, 4, 11), 3)


def one_token(impl, seed):
    return impl.top_k(rows(seed + 1, 2, 3, 7), 1)


def logits_with_ties(impl, seed):
    logits = torch.tensor([[0.4, 0.2, 0.2, 0.2], [0.1, 0.4, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25]]).log()
    return {f"k = {k}": impl.top_k(logits, k) for k in (1, 2, 3)}


def logits_that_are_near_or_far_apart(impl, seed):
    near = torch.tensor([0.999999, 1.0, 0.999998, -2.0], dtype=torch.float64)
    far = torch.tensor([[-901.0, 0.0, -900.0, -902.0]])
    return {"a millionth apart, k = 1": impl.top_k(near, 1), "hundreds apart, k = 2": impl.top_k(far, 2)}


def k_at_its_limits(impl, seed):
    logits = rows(seed + 2, 2, 5)
    errors = {f"k = {k}": error_of(lambda k=k: impl.top_k(logits, k)) for k in (0, -1, 1)}
    return {**errors, "k = 5 of 5": impl.top_k(logits, 5), "k = 50 of 5": impl.top_k(logits, 50)}


def after_another_cut(impl, seed):
    logits = rows(seed + 3, 3, 7, dtype=torch.float32)
    logits[:, :3] = -INF
    return {"k = 2": impl.top_k(logits, 2), "k = 6": impl.top_k(logits, 6), "one row": impl.top_k(logits[0], 3)}


# ---------------------------------------------------------------- top_p

ORDER = ["likeliest first", "that adds up from the UNLIKELY end, and keeps the tail"]
ORDER += ["that adds up in the order of the vocabulary, without sorting"]
EDGE = ["crossing kept", "WITHOUT the token that crosses p", "without the token that crosses p, but never empty"]
EDGE += [
    "with > for >=, so that one more token stays where the sum is exactly p",
    "that keeps one token after the crossing one",
    "that also keeps every token that is as likely as the crossing one",
    "that keeps no token at all where p is so small that 1 - p rounds to 1",
    "that stops a thousandth before p",
]
SCATTER = [
    "scattered",
    "whose mask is NOT scattered back to the order of the vocabulary",
    "that returns the SORTED logits",
]
SCATTER += ["whose mask is scattered with the inverse order (gather for scatter)"]
MASS = [
    "probabilities",
    "that adds up the LOGITS",
    "with its cumulative sum in bfloat16",
    "that multiplies p by the largest probability",
]
SHARE = ["checked", "that accepts p = 0", "that refuses p = 1", "that accepts p above 1"]
SHARE += ["that refuses a p of 1 which is a whole number, and not 1.0"]
TOP_P = {"order": ORDER, "edge": EDGE, "scatter": SCATTER, "mass": MASS, "fill": FILL, "share": SHARE}
TOP_P_HINTS = {
    ORDER[1]: "Which end of the distribution is unreliable?",
    ORDER[2]: "Token 0 comes first in the vocabulary. Is it the likeliest?",
    EDGE[1]: "The set must reach p. Probabilities .5, .3, .15, .05 and p = .6: does .5 alone reach it?",
    EDGE[2]: "The set must reach p. Probabilities .5, .3, .15, .05 and p = .6: does .5 alone reach it?",
    EDGE[3]: "Four tokens of .25 and p = .5: how many reach it?",
    EDGE[4]: "Probabilities .5, .3, .15, .05 and p = .6: is the third one needed?",
    EDGE[5]: "Four tokens of .25 and p = .5: how many reach it? The smallest set is asked for.",
    EDGE[6]: "In float32, 1 - 1e-9 is 1. Which token stays at every p?",
    EDGE[7]: "Four tokens of .25 and p = .5001: do two of them reach it?",
    SCATTER[1]: "The mask says that sorted place 3 is cut. Which token stood there?",
    SCATTER[2]: "The token ids are the positions. What happens to them when the values are sorted?",
    SCATTER[3]: "order[i] is the token at sorted place i. Does the mask go from places to tokens, or back?",
    MASS[1]: "p is a share of the probability. What must be added up?",
    MASS[2]: "bfloat16 has three digits. What is 0.996 + 0.001 there?",
    MASS[3]: "That is the threshold of min-p.",
    FILL[1]: "A logit of 0 has the weight e⁰ = 1. Which logit has no weight?",
    FILL[2]: "Other rules must see what has been cut. Which logit has no weight at all?",
    FILL[3]: "Other rules must see what has been cut. Which logit has no weight at all?",
    SHARE[1]: "Nothing reaches p = 0 first. What is promised?",
    SHARE[2]: "p = 1 keeps everything. Is that an error?",
    SHARE[3]: "Can probabilities reach 1.2?",
    SHARE[4]: "The signature says that p is an int or a float.",
}  # fmt: skip


def is_refused(p, share):
    if p == 1:
        return share == SHARE[2] or share == SHARE[4] and isinstance(p, int)
    return p < 0 or (p == 0 and share != SHARE[1]) or (p > 1 and share != SHARE[3])


def wrong_top_p(order, edge, scatter, mass, fill, share):
    def top_p(logits, p):
        if is_refused(p, share):
            raise ValueError("p")
        values, ids = logits.sort(-1, descending=order != ORDER[1])
        if order == ORDER[2]:
            values, ids = logits, torch.arange(logits.shape[-1]).expand_as(logits)
        probs = values if mass == MASS[1] else values.softmax(-1)
        reached = (probs.bfloat16() if mass == MASS[2] else probs).cumsum(-1)
        goal = p * probs.amax(-1, keepdim=True) if mass == MASS[3] else p
        before = reached - probs.to(reached.dtype)
        keep = before <= goal if edge == EDGE[3] else before < goal - 1e-3 if edge == EDGE[7] else before < goal
        if edge in EDGE[1:3]:
            keep = reached <= goal
        if edge == EDGE[4]:
            keep = torch.cat((torch.ones_like(keep[..., :1]), keep[..., :-1]), -1)
        if edge != EDGE[1]:
            keep[..., 0] = edge != EDGE[6] or bool(torch.tensor(1 - p).to(logits) < 1)
        if edge == EDGE[5]:
            keep = keep | (values == values.gather(-1, keep.sum(-1, keepdim=True) - 1))
        if scatter == SCATTER[1]:
            back, values = keep, logits
        elif scatter == SCATTER[2]:
            back = keep
        else:
            back = keep.gather(-1, ids) if scatter == SCATTER[3] else torch.zeros_like(keep).scatter(-1, ids, keep)
            values = logits
        return values.masked_fill(~back, filler(fill, logits))

    return top_p


def nuclei_of_seventeen_tokens(impl, seed):
    return {f"p = {p}": impl.top_p(rows(seed, 5, 17), p) for p in (0.3, 0.7, 0.95)}


def three_axes_and_small_p(impl, seed):
    return impl.top_p(rows(seed + 1, 2, 3, 11), 0.1)


def sums_that_are_exactly_p(impl, seed):
    equal = torch.zeros(1, 4, dtype=torch.float64)  # four times 0.25, without rounding
    return {f"tokens kept at p = {p}": kept(impl.top_p(equal, p)) for p in (0.25, 0.5, 0.75, 0.6, 0.5001)}


def a_thousand_tokens(impl, seed):
    return {f"p = {p}": impl.top_p(rows(seed + 2, 2, 1009, scale=1.0), p) for p in (0.5, 0.9, 0.997)}


def worked_example_of_top_p(impl, seed):
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log()
    return {f"p = {p}": impl.top_p(logits, p) for p in (0.4, 0.6, 0.81, 0.96)}


def p_at_its_limits(impl, seed):
    logits = rows(seed + 3, 2, 5, dtype=torch.float32)
    errors = {f"p = {p}": error_of(lambda p=p: impl.top_p(logits, p)) for p in (0.0, -0.5, 1.2, 1.0, 1e-9)}
    whole = outcome(lambda: impl.top_p(logits, 1))
    found = {"p = 1": impl.top_p(logits, 1.0), "p = 1e-9": impl.top_p(logits, 1e-9)}
    return {**errors, **found, "p = 1, a whole number": whole}


def top_p_after_another_cut(impl, seed):
    logits = rows(seed + 4, 3, 7)
    logits[:, 2:5] = -INF
    return {f"p = {p}": impl.top_p(logits, p) for p in (0.5, 0.9)}


# ---------------------------------------------------------------- min_p

RELATIVE = ["maximum", "relative to 1 instead of the largest probability", "relative to the largest LOGIT"]
RELATIVE += ["relative to the largest probability of the whole BATCH", "relative to the MEAN probability"]
LOG = [
    "right",
    "in log space that subtracts p instead of adding log p",
    "in log space with log2 for the natural logarithm",
]
STRICT = [">=", "with > for >=, so that p = 1 cuts everything"]
STRICT += ["with > for >=, and the likeliest token looked after on its own"]
SIDE = ["above", "that keeps the tokens BELOW the threshold"]
MIN_P = {"relative": RELATIVE, "log": LOG, "strict": STRICT, "side": SIDE, "fill": FILL, "share": SHARE}
MIN_P_HINTS = {
    RELATIVE[1]: "Where every probability is small, what does an absolute threshold leave?",
    RELATIVE[2]: "Add 5 to every logit. The probabilities stay. Does your threshold?",
    RELATIVE[3]: "Each row has its own likeliest token.",
    RELATIVE[4]: "How many times as likely as what?",
    LOG[1]: "prob >= p · max. What is the logarithm of a product?",
    LOG[2]: "Logits are natural logarithms.",
    STRICT[1]: "At p = 1, the likeliest token is exactly as likely as the likeliest token.",
    STRICT[2]: "Probabilities .5, .25, .25 and p = .5: are the last two at least half as likely?",
    SIDE[1]: "Which tokens are unreliable?",
    FILL[1]: "A logit of 0 has the weight e⁰ = 1. Which logit has no weight?",
    FILL[2]: "Other rules must see what has been cut. Which logit has no weight at all?",
    FILL[3]: "Other rules must see what has been cut. Which logit has no weight at all?",
    SHARE[1]: "p = 0 cuts nothing. What is promised?",
    SHARE[2]: "p = 1 keeps the likeliest token. Is that an error?",
    SHARE[3]: "Can a token be 1.2 times as likely as the likeliest?",
    SHARE[4]: "The signature says that p is an int or a float.",
}  # fmt: skip


def wrong_min_p(relative, log, strict, side, fill, share):
    def min_p(logits, p):
        if is_refused(p, share):
            raise ValueError("p")
        x = logits if relative == RELATIVE[2] else logits.softmax(-1)
        most = {RELATIVE[1]: 1.0, RELATIVE[3]: x.max(), RELATIVE[4]: x.mean(-1, keepdim=True)}.get(relative)
        threshold = p * (x.amax(-1, keepdim=True) if most is None else most)
        if log != "right":
            top = logits.amax(-1, keepdim=True)
            x, threshold = logits, top - p if log == LOG[1] else top + math.log2(p or 1e-300)
        keep = x >= threshold if strict == ">=" else x > threshold
        keep = keep | (x == x.amax(-1, keepdim=True)) if strict == STRICT[2] else keep
        keep = ~keep if side == SIDE[1] else keep
        return logits.masked_fill(~keep, filler(fill, logits))

    return min_p


def thresholds_of_seventeen_tokens(impl, seed):
    return {f"p = {p}": impl.min_p(rows(seed, 5, 17), p) for p in (0.02, 0.1, 0.6)}


def flat_and_peaked_rows(impl, seed):
    logits = torch.stack((rows(seed + 1, 23, scale=0.3), rows(seed + 2, 23, scale=5.0)))
    return {f"p = {p}": impl.min_p(logits[None], p) for p in (0.05, 0.4)}


def logits_that_are_all_negative(impl, seed):
    return impl.min_p(rows(seed + 3, 2, 11) - 20, 0.1)


def worked_example_of_min_p(impl, seed):
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]]).log()
    return {f"p = {p}": impl.min_p(logits, p) for p in (0.2, 0.5)}


def tokens_at_the_threshold(impl, seed):
    half = torch.tensor(0.5, dtype=torch.float64).log()
    logits = torch.stack((half * 0, half, half, half - INF, half - 1))  # half as likely as the first: exactly
    return {"p = 0.5": impl.min_p(logits, 0.5), "two rows": impl.min_p(torch.stack((logits, logits.flip(0))), 0.5)}


def min_p_at_its_limits(impl, seed):
    logits = rows(seed + 4, 2, 5, dtype=torch.float32)
    errors = {f"p = {p}": error_of(lambda p=p: impl.min_p(logits, p)) for p in (0.0, -0.5, 1.2, 1.0)}
    equal = torch.zeros(2, 3)
    found = {"p = 1": impl.min_p(logits, 1.0), "three equal tokens, p = 1": impl.min_p(equal, 1.0)}
    return {**errors, **found, "p = 1, a whole number": outcome(lambda: impl.min_p(logits, 1))}


# ---------------------------------------------------------------- repetition_penalty

NEGATIVE = ["multiplied", "that DIVIDES negative logits too, which makes them likelier"]
NEGATIVE += ["that multiplies POSITIVE logits too", "that divides negative logits and multiplies positive ones"]
OFTEN = ["once", "applied once for EACH time that a token has occurred"]
KIND = ["ratio", "that SUBTRACTS the penalty", "that works on the probabilities instead of the logits"]
KIND += ["that works on the LOG-PROBABILITIES instead of the logits"]
SEEN = ["seen", "applied to the tokens that have NOT occurred", "applied to the LAST token alone"]
SEEN += [
    "applied to every token",
    "that takes the first row's tokens for ALL rows",
    "that pools the tokens of all rows",
]
CHECKED = ["checked", "that accepts a penalty of 0", "that refuses a penalty below 1"]
REPETITION = {"negative": NEGATIVE, "often": OFTEN, "kind": KIND, "seen": SEEN, "checked": CHECKED}
REPETITION_HINTS = {
    NEGATIVE[1]: "What is -2 / 1.5? Is that more likely or less?",
    NEGATIVE[2]: "What is 2 · 1.5? Is that more likely or less?",
    NEGATIVE[3]: "Check 2 and -2 with a penalty of 1.5: both must become smaller.",
    OFTEN[1]: "A token that has occurred ten times is penalised as much as one that has occurred once.",
    KIND[1]: "That is the presence penalty. This one is a ratio.",
    KIND[2]: "The rule is about logits, and gives logits.",
    KIND[3]: "A log-probability is never positive. Is a logit?",
    SEEN[1]: "Which tokens should become less likely?",
    SEEN[2]: "The rule looks at the whole text so far.",
    SEEN[3]: "A penalty on every token: what does it change?",
    SEEN[4]: "Each row has a text of its own.",
    SEEN[5]: "Each row has a text of its own.",
    CHECKED[1]: "x / 0 is infinite. What is promised?",
    CHECKED[2]: "A penalty of 0.8 rewards repetition. That is allowed.",
}  # fmt: skip


def wrong_repetition(negative, often, kind, seen, checked):
    def repetition_penalty(logits, tokens, penalty):
        if penalty < 0 or penalty == 0 and checked != CHECKED[1] or penalty < 1 and checked == CHECKED[2]:
            raise ValueError("penalty")
        V = logits.shape[-1]
        if seen == SEEN[4]:
            tokens = tokens[:1].expand_as(tokens)
        elif seen == SEEN[5]:
            tokens = tokens.flatten().expand(len(tokens), -1)
        elif seen == SEEN[2]:
            tokens = tokens[:, -1:]
        count = torch.nn.functional.one_hot(tokens, V).sum(1)
        if often == "once":
            count = count.clamp(max=1)
        if seen == SEEN[1]:
            count = (count == 0).long()
        elif seen == SEEN[3]:
            count = torch.ones_like(count)
        if kind == KIND[1]:
            return logits - count * penalty
        x = logits.softmax(-1) if kind == KIND[2] else logits.log_softmax(-1) if kind == KIND[3] else logits
        factor = torch.as_tensor(float(penalty)).to(logits) ** count
        below, above = x * factor, x / factor
        if negative in (NEGATIVE[1], NEGATIVE[3]):
            below = x / factor
        if negative in (NEGATIVE[2], NEGATIVE[3]):
            above = x * factor
        out = torch.where(x < 0, below, above)
        return out.log() if kind == KIND[2] else out

    return repetition_penalty


def texts_with_repeated_tokens(impl, seed):
    tokens = torch.randint(6, (3, 9), generator=torch.Generator().manual_seed(seed))
    return {f"penalty {p}": impl.repetition_penalty(rows(seed, 3, 11), tokens, p) for p in (1.3, 2, 0.8)}


def worked_example_of_repetition(impl, seed):
    logits = torch.tensor([[2.0, -2.0, 1.0, 0.0]])
    return impl.repetition_penalty(logits, torch.tensor([[0, 1, 0, 3]]), 2.0)


def one_token_so_far(impl, seed):
    return impl.repetition_penalty(rows(seed + 1, 2, 7, dtype=torch.float32), torch.tensor([[6], [0]]), 1.5)


def tokens_that_are_cut_already(impl, seed):
    logits = rows(seed + 2, 2, 5)
    logits[:, 1] = -INF
    return impl.repetition_penalty(logits, torch.tensor([[1, 2, 2], [3, 1, 1]]), 1.7)


def penalties_that_are_refused(impl, seed):
    logits, tokens = rows(seed, 1, 3), torch.tensor([[1]])
    call = impl.repetition_penalty
    return {f"penalty {p}": error_of(lambda p=p: call(logits, tokens, p)) for p in (0.0, -1.0, 0.5, 1.0)}


# ---------------------------------------------------------------- warp

RIGHT_ORDER = ["repetition_penalty", "frequency_penalty", "presence_penalty", "temperature", "top_k", "top_p", "min_p"]
RIGHT_ORDER += ["typical", "eta"]
SEQUENCE = ["right", "with the temperature AFTER the cuts", "with the temperature before the penalties"]
SEQUENCE += ["with top-p BEFORE top-k", "with min-p before top-p", "with the cuts before the penalties"]
SEQUENCE += ["with typical and eta exchanged"]
FROM = ["each other", "whose cuts all look at the SAME logits, not at what the one before has left"]
LEFT_OUT = ["none", "that leaves out the penalties", "that leaves out min-p", "that leaves out the temperature"]
LEFT_OUT += ["that leaves out typical and eta", "that stops after the first rule", "that applies only the last rule"]
LEFT_OUT += ["that takes a setting of 0 for None, and leaves out its rule"]
WARP = {"sequence": SEQUENCE, "source": FROM, "left_out": LEFT_OUT}
WARP_HINTS = {
    SEQUENCE[1]: "The nucleus at temperature 3 is another one than at temperature 1. Which one is cut?",
    SEQUENCE[2]: "A penalty that is subtracted after the division by 2 is twice as strong.",
    SEQUENCE[3]: "The nucleus is a share of what is left. Which rule comes first in the list?",
    SEQUENCE[4]: "Cuts change what the others see. Which rule comes first in the list?",
    SEQUENCE[5]: "A penalty should decide about the cuts too.",
    SEQUENCE[6]: "Which of the two comes first in the list?",
    FROM[1]: "Each rule gets the logits that the one before has returned.",
    LEFT_OUT[1]: "Three of the rules need the tokens so far.",
    LEFT_OUT[2]: "Go through the list of rules. Is each one there?",
    LEFT_OUT[3]: "Go through the list of rules. Is each one there?",
    LEFT_OUT[4]: "Go through the list of rules. Is each one there?",
    LEFT_OUT[5]: "What happens after the first value that is not None?",
    LEFT_OUT[6]: "What becomes of the result of the first rule?",
    LEFT_OUT[7]: "A temperature of 0 is an error of `temperature`. Who calls it?",
}  # fmt: skip


def rule(name, logits, tokens, value):
    """A right rule, written out: mistakes of `warp` are about order."""
    if value == 0 and name not in ("frequency_penalty", "presence_penalty"):
        raise ValueError(name)
    one = torch.nn.functional.one_hot(tokens, logits.shape[-1]).sum(1).to(logits)
    if name == "repetition_penalty":
        return torch.where(one > 0, torch.where(logits < 0, logits * value, logits / value), logits)
    if name.endswith("penalty"):
        return logits - value * (one if name == "frequency_penalty" else one.clamp(max=1))
    if name == "temperature":
        return logits / value
    logs = logits.log_softmax(-1)
    probs = logs.exp()
    h = torch.special.entr(probs).sum(-1, keepdim=True)
    if name == "top_k":
        keep = logits >= logits.topk(min(value, logits.shape[-1])).values[..., -1:]
    elif name == "min_p":
        keep = probs >= value * probs.amax(-1, keepdim=True)
    elif name == "eta":
        keep = probs >= (value**0.5 * (-h).exp()).clamp(max=value)
    else:
        near = -probs if name == "top_p" else (-logs - h).abs()
        order = near.sort(-1).indices
        sums = probs.gather(-1, order).cumsum(-1)
        keep = torch.zeros_like(probs, dtype=torch.bool).scatter(-1, order, sums - probs.gather(-1, order) < value)
    return logits.masked_fill(~(keep | (probs == probs.amax(-1, keepdim=True)) & (name != "typical")), -INF)


def wrong_warp(sequence, source, left_out):
    order = [*RIGHT_ORDER]
    if sequence == SEQUENCE[1]:
        order.remove("temperature")
        order.append("temperature")
    elif sequence == SEQUENCE[2]:
        order.remove("temperature")
        order.insert(0, "temperature")
    elif sequence == SEQUENCE[5]:
        order = order[3:] + order[:3]
    elif sequence != "right":
        a, b = {SEQUENCE[3]: ("top_k", "top_p"), SEQUENCE[4]: ("top_p", "min_p")}.get(sequence, ("typical", "eta"))
        i, j = order.index(a), order.index(b)
        order[i], order[j] = b, a
    gone = {LEFT_OUT[1]: RIGHT_ORDER[:3], LEFT_OUT[2]: ["min_p"], LEFT_OUT[3]: ["temperature"]}.get(left_out, [])
    gone = RIGHT_ORDER[-2:] if left_out == LEFT_OUT[4] else gone

    def warp(logits, tokens, params):
        used = [name for name in order if getattr(params, name) is not None and name not in gone]
        used = [name for name in used if left_out != LEFT_OUT[7] or getattr(params, name)]
        used = used[:1] if left_out == LEFT_OUT[5] else used[-1:] if left_out == LEFT_OUT[6] else used
        if source == FROM[1]:
            cuts = [name for name in used if name in RIGHT_ORDER[4:]]
            for name in [name for name in used if name not in cuts]:
                logits = rule(name, logits, tokens, getattr(params, name))
            left = [rule(name, logits, tokens, getattr(params, name)) > -INF for name in cuts]
            return logits.masked_fill(~torch.stack(left).all(0), -INF) if left else logits
        for name in used:
            logits = rule(name, logits, tokens, getattr(params, name))
        return logits

    return warp


def warped(impl, seed, B=6, V=23, scale=2.5, **params):
    tokens = torch.randint(V, (B, 5), generator=torch.Generator().manual_seed(seed))
    return impl.warp(rows(seed, B, V, scale=scale), tokens, SamplingParams(**params))


def no_rule(impl, seed):
    return warped(impl, seed)


def one_rule_at_a_time(impl, seed):
    values = {"repetition_penalty": 1.5, "frequency_penalty": 0.4, "presence_penalty": 0.7, "temperature": 0.6}
    values |= {"top_k": 4, "top_p": 0.7, "min_p": 0.2, "typical": 0.6, "eta": 0.1}
    return {name: warped(impl, seed + 1, **{name: value}) for name, value in values.items()}


def temperature_and_cuts(impl, seed):
    cuts = {"top_p": 0.7, "min_p": 0.2, "typical": 0.6, "eta": 0.1}
    return {name: warped(impl, seed + 2, B=12, temperature=2.0, **{name: value}) for name, value in cuts.items()}


def several_cuts(impl, seed):
    pairs = [("top_k", 5, "top_p", 0.8), ("top_p", 0.8, "min_p", 0.12), ("typical", 0.7, "eta", 0.15)]
    pairs += [("top_p", 0.6, "typical", 0.6), ("top_k", 6, "eta", 0.3)]
    return {f"{a} and {b}": warped(impl, seed + 3, B=40, scale=1.2, **{a: x, b: y}) for a, x, b, y in pairs}


def penalties_and_the_rest(impl, seed):
    found = {"frequency, temperature": warped(impl, seed + 4, frequency_penalty=1.0, temperature=2.0)}
    found["repetition, presence"] = warped(impl, seed + 4, repetition_penalty=1.5, presence_penalty=1.0)
    found["presence, top_p"] = warped(impl, seed + 4, B=20, presence_penalty=2.0, top_p=0.7)
    found["repetition, frequency"] = warped(impl, seed + 4, repetition_penalty=1.5, frequency_penalty=0.9)
    return found


def settings_of_zero(impl, seed):
    refused = ("repetition_penalty", "temperature", "top_k", "top_p", "min_p", "typical", "eta")
    found = {name: error_of(lambda name=name: warped(impl, seed, **{name: 0})) for name in refused}
    return {**found, "penalties of 0": warped(impl, seed + 5, frequency_penalty=0.0, presence_penalty=0.0)}


# ---------------------------------------------------------------- sample

DRAW = ["own", "with ONE draw shared by the batch", "that takes the ARGMAX instead of sampling"]
DRAW += ["that draws anew and ignores the uniforms", "that keeps the uniforms a ten-millionth below 1"]
DRAW += ["that rounds the uniforms to float32"]
PLACE = ["first above", "whose inverse CDF is off by ONE", "whose inverse CDF starts from the wrong END"]
PLACE += [
    "that draws a token of probability zero for a uniform of 0",
    "that adds up the tokens in the order of their probability",
]
SUMS = ["probabilities", "that adds up exp(logits) WITHOUT normalising", "with its softmax over the FIRST axis"]
SUMS += ["that applies softmax twice", "with its cumulative sum in bfloat16"]
SUMS += ["that does not multiply the uniform by the last cumulative number", "with its cumulative sum in float32"]
SAMPLE = {"draw": DRAW, "place": PLACE, "sums": SUMS}
SAMPLE_HINTS = {
    DRAW[1]: "Two rows with the same logits and different uniforms: should they draw the same token?",
    DRAW[2]: "A token of probability .4 should be drawn in 4 of 10 cases, also where another has .6.",
    DRAW[3]: "Randomness is an argument here. The same uniforms must give the same tokens.",
    DRAW[4]: "A token of probability 1e-9 may stand at the end. Which uniforms are to find it?",
    DRAW[5]: "float32 has no number between 1 - 6e-8 and 1. Which uniforms find a token of probability 1e-9?",
    PLACE[1]: "Probabilities .5, .25, .25: which token belongs to the uniform 0.1?",
    PLACE[2]: "Probabilities .5, .25, .25: which token belongs to the uniform 0.1?",
    PLACE[3]: "The first token is cut. May a uniform of 0 draw it?",
    PLACE[4]: "The cumulative sum runs in the order of the vocabulary.",
    SUMS[1]: "A uniform number is below 1. Where does your cumulative sum end?",
    SUMS[2]: "Which numbers of a (B, V) tensor must sum to one?",
    SUMS[3]: "Are your logits still logits when the second softmax sees them?",
    SUMS[5]: "Rounding may end the cumulative sum below 1, and a uniform lies above it. Which token is then drawn?",
    SUMS[4]: "bfloat16 has three digits. Which tokens does the cumulative sum lose?",
    SUMS[6]: "1 - 1e-9 is 1 in float32. Which tokens does the cumulative sum lose?",
}  # fmt: skip


def wrong_sample(draw, place, sums):
    def sample(logits, uniforms):
        V = logits.shape[-1]
        if draw == DRAW[2]:
            return logits.argmax(-1)
        probs = logits.double().softmax(0 if sums == SUMS[2] else -1)
        probs = logits.double().exp() if sums == SUMS[1] else probs.softmax(-1) if sums == SUMS[3] else probs
        ids = torch.arange(V).expand_as(logits)
        if place == PLACE[4]:
            probs, ids = probs.sort(-1, descending=True)
        u = torch.rand(len(logits)).double() if draw == DRAW[3] else uniforms.double()
        u = u[:1].expand_as(u) if draw == DRAW[1] else u
        u = u.clamp(max=1 - 1e-7) if draw == DRAW[4] else u.float().double() if draw == DRAW[5] else u
        u = 1 - u if place == PLACE[2] else u
        rounded = {SUMS[4]: probs.bfloat16(), SUMS[6]: probs.float()}
        cumulative = rounded.get(sums, probs).cumsum(-1).double()
        if sums in (SUMS[0], SUMS[6]):
            u = u * cumulative[:, -1]
        at = (cumulative < u[:, None] if place == PLACE[3] else cumulative <= u[:, None]).sum(-1)
        at = (at + (place == PLACE[1])).clamp(max=V - 1)
        return ids.gather(-1, at[:, None])[:, 0]

    return sample


def many_draws_from_seven_tokens(impl, seed):
    uniforms = torch.rand(40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return {"one row, forty times": impl.sample(rows(seed, 1, 7, scale=1.5).expand(40, -1), uniforms)}


def rows_of_their_own(impl, seed):
    uniforms = torch.rand(30, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    return impl.sample(rows(seed + 1, 30, 11), uniforms)


def worked_example_of_sample(impl, seed):
    logits = torch.tensor([0.5, 0.25, 0.25]).log().expand(4, -1)
    return impl.sample(logits, torch.tensor([0.1, 0.49, 0.6, 0.9]))


def uniforms_at_their_limits(impl, seed):
    logits = torch.tensor([[-INF, 0.0, 1.0, -INF], [0.0, -INF, -INF, -INF]]).repeat_interleave(2, 0)
    uniforms = torch.tensor([0.0, 1 - 2**-53, 0.0, 1 - 2**-53], dtype=torch.float64)
    rare = torch.tensor([[0.0, -21.0]])  # float32 has no number between 1 and 1 minus this probability
    return {
        "uniforms 0 and 1 - 2^-53 beside cut tokens": impl.sample(logits, uniforms),
        "a token of probability 7.6e-10, float32": impl.sample(rare, uniforms[1:2]),
    }


def rare_tokens(impl, seed):
    logits = torch.tensor([[0.0, -21.0, -21.0]]).repeat(4, 1)  # 7.6e-10 each; the uniforms are float64
    logits[2] = logits[2, [1, 0, 2]]
    logits[3, 1] = -16.2  # 9.2e-8
    uniforms = 1 - torch.tensor([1.1e-9, 0.4e-9, 1.1e-9, 8e-8], dtype=torch.float64)
    return impl.sample(logits, uniforms)


def a_vocabulary_of_five_thousand(impl, seed):
    uniforms = torch.rand(16, generator=torch.Generator().manual_seed(seed + 2), dtype=torch.float64)
    uniforms[0] = 1 - 2**-53
    return impl.sample(rows(seed + 2, 16, 5003, scale=1.0, dtype=torch.float32), uniforms)


def the_last_tokens_are_cut(impl, seed):
    logits = rows(seed + 3, 40, 1009, scale=1.0)
    logits[:, -3:] = -INF
    return impl.sample(logits, torch.full((40,), 1 - 2**-53, dtype=torch.float64))


# ---------------------------------------------------------------- speculative_accept

RATIO = ["p / q", "whose ratio is INVERTED, q / p", "that keeps a token only if p >= q, without chance"]
RATIO += ["that keeps a token if the uniform is ABOVE p / q", "that keeps a token with probability p, not p / q"]
RATIO += ["that keeps every drafted token", "that also keeps a token whose uniform is equal to p / q"]
RESIDUAL = ["max(p - q, 0)", "that draws the replacement from p itself", "whose residual is NOT clipped at 0"]
RESIDUAL += [
    "whose residual is not renormalised",
    "whose residual is q - p",
    "that draws the replacement from the draft",
    "whose residual is |p - q|",
    "whose residual has a small weight where it should be 0",
]
BONUS = ["drawn", "that FORGETS the bonus token", "that draws the bonus token from the last row but one"]
AFTER = [
    "stops",
    "that goes on after a rejection",
    "that keeps the rejected token too",
    "that adds no token after a rejection",
    "that goes on after a rejection, and draws the replacement at the end",
]
WHICH = ["last", "that draws the one more token with the FIRST uniform"]
WHICH += ["that draws the replacement with the uniform that has rejected the token"]
SPECULATIVE = {"ratio": RATIO, "residual": RESIDUAL, "bonus": BONUS, "after": AFTER, "which": WHICH}
SPECULATIVE_HINTS = {
    RATIO[1]: "The target finds the token twice as likely as the draft did. Should it be rejected?",
    RATIO[2]: "p = .4 and q = .5: the token must survive in 4 of 5 cases.",
    RATIO[3]: "The target never says this token, so p / q is 0. Is it kept?",
    RATIO[4]: "A draft that is the target should never be rejected.",
    RATIO[5]: "Then the text is the draft's. What is the target for?",
    RATIO[6]: "p / q is .5 and so is the uniform. Is it below? And is 0 below 0?",
    RESIDUAL[1]: "Tokens that the draft says too often have been kept already. Draw from what is missing.",
    RESIDUAL[2]: "p - q is negative where the draft says a token too often. Is that a probability?",
    RESIDUAL[3]: "The residual sums to less than 1. Where does a uniform of 0.9 end?",
    RESIDUAL[4]: "Of which tokens does the draft say too few?",
    RESIDUAL[5]: "The replacement has to make up for what the draft lacks.",
    RESIDUAL[6]: "A token that the draft says too often has been kept often enough. Is its weight |p - q|?",
    RESIDUAL[7]: "A token of weight 0 must not come. Which token does a uniform of 0 draw?",
    BONUS[1]: "All drafted tokens are kept, and the target has computed one more distribution.",
    BONUS[2]: "`target_probs` has one row more than there are drafted tokens. Which text does it follow?",
    AFTER[1]: "The tokens after a rejected one were drafted for a text that does not exist.",
    AFTER[2]: "The rejected token is replaced.",
    AFTER[3]: "A round always adds at least one token.",
    AFTER[4]: "The tokens after a rejected one were drafted for a text that does not exist.",
    WHICH[1]: "A uniform that has decided already is no longer uniform.",
    WHICH[2]: "A uniform that has decided already is no longer uniform.",
}  # fmt: skip


def wrong_speculative(ratio, residual, bonus, after, which):
    def pick(weights, u, normalised=True):
        cumulative = weights.double().cumsum(-1)
        goal = u.double() * cumulative[-1] if normalised else u.double()
        return min(int((cumulative <= goal).sum()), len(weights) - 1)

    def is_kept(p, q, u):
        if ratio == RATIO[5]:
            return True
        if ratio == RATIO[2]:
            return bool(p >= q)
        a, b = (q, p) if ratio == RATIO[1] else (p, torch.ones_like(q) if ratio == RATIO[4] else q)
        return bool(u * b >= a if ratio == RATIO[3] else u * b <= a if ratio == RATIO[6] else u * b < a)

    def speculative_accept(target_probs, draft_probs, drafted, uniforms):
        u_more, out, late = uniforms[0 if which == WHICH[1] else -1], [], None
        for i, token in enumerate(drafted.tolist()):
            p, q = target_probs[i], draft_probs[i]
            if is_kept(p[token], q[token], uniforms[i]):
                out.append(token)
                continue
            if after == AFTER[2]:
                out.append(token)
            rest = {RESIDUAL[1]: p, RESIDUAL[2]: p - q, RESIDUAL[4]: (q - p).clamp(min=0), RESIDUAL[5]: q}
            rest |= {RESIDUAL[6]: (p - q).abs(), RESIDUAL[7]: (p - q).clamp(min=1e-8)}
            weights = rest.get(residual, (p - q).clamp(min=0))
            if after == AFTER[4]:
                late = weights
                continue
            if after != AFTER[3]:
                out.append(pick(weights, uniforms[i] if which == WHICH[2] else u_more, residual != RESIDUAL[3]))
            if after != AFTER[1]:
                return out
        if late is not None:
            return [*out, pick(late, u_more)]
        if bonus != BONUS[1] and not (after == AFTER[1] and len(out) > len(drafted)):
            out.append(pick(target_probs[-2 if bonus == BONUS[2] else -1], u_more))
        return out

    return speculative_accept


def speculative_round(impl, seed, G, V=7, same=False, scale=1.2):
    p, q = rows(seed, G + 1, V, scale=scale).softmax(-1), rows(seed + 50, G, V, scale=scale).softmax(-1)
    q = p[:G] if same else q
    generator = torch.Generator().manual_seed(seed)
    drafted = torch.multinomial(q, 1, generator=generator)[:, 0]
    uniforms = torch.rand(G + 1, generator=generator, dtype=torch.float64)
    return impl.speculative_accept(p, q, drafted, uniforms)


def forty_rounds_of_one_draft(impl, seed):
    return {f"round {i}": speculative_round(impl, 100 * seed + i, 1) for i in range(40)}


def forty_rounds_of_four_drafts(impl, seed):
    return {f"round {i}": speculative_round(impl, 1000 + 100 * seed + i, 4, scale=0.6) for i in range(40)}


def a_draft_that_is_the_target(impl, seed):
    return {f"round {i}": speculative_round(impl, 2000 + 100 * seed + i, 3, same=True) for i in range(8)}


def worked_example_of_speculation(impl, seed):
    p, q = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), torch.tensor([[0.8, 0.0, 0.2]])
    cases = {"kept": (0, 0.6, 0.9), "rejected": (0, 0.7, 0.9), "never said by the target": (2, 0.0, 0.1)}
    call = impl.speculative_accept
    return {name: call(p, q, torch.tensor([token]), torch.tensor([u, v])) for name, (token, u, v) in cases.items()}


def uniforms_at_the_edges(impl, seed):
    p = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    q = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    last = 1 - 2**-53
    cases = {"equal to p / q": (0.5, 0.3), "residual, last 0": (0.9, 0.0), "residual, last below 1": (0.9, last)}
    cases |= {"all kept, last 0": (0.4, 0.0), "all kept, last below 1": (0.4, last)}
    call = impl.speculative_accept
    return {
        name: call(p, q, torch.tensor([0]), torch.tensor(both, dtype=torch.float64)) for name, both in cases.items()
    }


# ---------------------------------------------------------------- majority_vote

VOTERS = ["answers", "that counts whole CHAINS instead of their answers", "that takes what follows the FIRST marker"]
VOTERS += ["that takes what stands BEFORE the marker", "that counts the characters of the answers"]
SPACE = ["stripped", "that does not remove white space around the answer"]
SPACE += ["that removes spaces alone, not tabs and line ends"]
EMPTY = ["no vote", "in which an EMPTY answer votes", "in which a chain without a marker votes with all its text"]
EMPTY += ["in which a chain that ends at its marker votes with what stands before that marker"]
MARKER = ["text", "that takes the marker for a regular expression", "that always looks for ="]
EQUALS = ["first", "in which the LAST of equally frequent answers wins", "in which the alphabet decides between equals"]
EQUALS += ["in which that of the equals wins which reached its count first"]
RULE = ["most", "that wants more than HALF of the votes", "that returns the first answer, without a vote"]
RULE += ["that returns the RAREST answer", "that averages the answers"]
NONE = ["None", "that returns an empty text where nobody votes", "that raises an error where nobody votes"]
VOTE = {"voters": VOTERS, "space": SPACE, "empty": EMPTY, "equals": EQUALS, "rule_": RULE, "none": NONE, "sign": MARKER}
VOTE_HINTS = {
    VOTERS[1]: "Two different ways to the same answer should vote together.",
    VOTERS[2]: "A chain may hold steps like 3+4=7 before it ends.",
    VOTERS[3]: "Which side of the marker is the answer?",
    VOTERS[4]: "Is the answer 12 one vote, or two?",
    SPACE[1]: "Are ' 4' and '4 ' two answers?",
    SPACE[2]: "Which characters are white space? A chain may end with a line end.",
    EMPTY[1]: "A chain that ends at its marker has given no answer.",
    EMPTY[2]: "A chain that never reached an answer has no vote.",
    EMPTY[3]: "Nothing follows the last marker. Does the chain have an answer?",
    MARKER[1]: "The marker may be a full stop. What does that mean in a regular expression?",
    MARKER[2]: "The marker is an argument.",
    EQUALS[1]: "Two answers have two votes each. Which one is promised?",
    EQUALS[2]: "Two answers have two votes each. Which one is promised?",
    EQUALS[3]: "Two answers have two votes each. Which one was given first, not which one was complete first?",
    RULE[1]: "Three votes of seven can be the most.",
    RULE[2]: "What are the other chains for?",
    RULE[3]: "Which end of the count did you take?",
    RULE[4]: "Is the mean of 3 and 9 an answer that anyone gave?",
    NONE[1]: "What is promised where nobody votes?",
    NONE[2]: "What is promised where nobody votes?",
}  # fmt: skip


def wrong_vote(voters, space, empty, equals, rule_, none, sign):
    def majority_vote(chains, marker="="):
        answers, marker = [], "=" if sign == MARKER[2] else marker
        for chain in chains:
            if marker not in chain:
                answers += [chain] if empty == EMPTY[2] else []
                continue
            parts = re.split(marker, chain) if sign == MARKER[1] else chain.split(marker)
            parts = [p for p in parts[1:] if p.strip()] or [""] if empty == EMPTY[3] else parts
            answer = parts[-1]
            if voters == VOTERS[2]:
                answer = chain.partition(marker)[2]
            elif voters == VOTERS[3]:
                answer = chain.rpartition(marker)[0]
            answer = answer if space == SPACE[1] else answer.strip(" ") if space == SPACE[2] else answer.strip()
            if answer.strip(" " if space == SPACE[2] else None) or empty == EMPTY[1]:
                answers += [chain] if voters == VOTERS[1] else list(answer) if voters == VOTERS[4] else [answer]
        if not answers:
            if none == NONE[2]:
                raise ValueError("no votes")
            return "" if none == NONE[1] else None
        if rule_ == RULE[4]:
            numbers = [int(a) for a in answers if a.strip().isdigit()]
            return str(round(sum(numbers) / max(1, len(numbers))))
        if rule_ == RULE[2]:
            return answers[0]
        different = list(dict.fromkeys(answers))
        different = different[::-1] if equals == EQUALS[1] else sorted(different) if equals == EQUALS[2] else different
        if equals == EQUALS[3]:  # by the place of the vote that made the count complete
            different.sort(key=lambda a: max(i for i, b in enumerate(answers) if a == b))
        best = (min if rule_ == RULE[3] else max)(different, key=answers.count)
        return None if rule_ == RULE[1] and 2 * answers.count(best) <= len(answers) else best

    return majority_vote


def chains_of_sums(impl, seed):
    g = torch.Generator().manual_seed(seed)
    found = {}
    for i in range(12):
        digits = torch.randint(4, (9, 2), generator=g).tolist()
        chains = [f"{'1+2=3 ' * (a % 2)}{a}{' ' * (b % 2)}={' ' * (a % 3)}{b + 8}{' ' * (a % 2)}" for a, b in digits]
        found[f"nine chains, {i + 1}"] = impl.majority_vote(chains)
    return found


def chains_without_an_answer(impl, seed):
    lists = {"three of six": ["no", "no", "no", "a =", "a = ", "=5"], "all": ["nothing", "="], "no chain": []}
    lists["nothing after the last marker"] = ["1+2=3 =", "2+1=3 =\n", "4=4"]
    return {name: impl.majority_vote(chains) for name, chains in lists.items()}


def tabs_and_line_ends(impl, seed):
    lists = [["=8\n", "=\t8", "=9", "= 9", "7\t=\r\n8 "], ["=1\n2", "=1\n2\n", "=1", "=2"]]
    return {f"list {i + 1}": impl.majority_vote(chains) for i, chains in enumerate(lists)}


def equally_frequent_answers(impl, seed):
    lists = [["x=b", "x=a", "y=a", "y=b"], ["=7", "=12", "=3"], ["=9", "=2", "=2", "=9", "=1"]]
    return {" ".join(chains): impl.majority_vote(chains) for chains in lists}


def another_marker(impl, seed):
    chains = ["3+4=7 #### 7", "2+5=8 ####8", "so #### 8", "1=1"]
    found = {"by position": impl.majority_vote(chains, "####"), "by name": impl.majority_vote(chains, marker="####")}
    return {**found, "a full stop": impl.majority_vote(["so. 8", "1=9 so. 9", "3.1. 9"], marker=".")}


def worked_example_of_the_vote(impl, seed):
    return impl.majority_vote(["3 8 =8", "2 8= 8", "9 =9", "9 =9", "1 =8", "5 6"])


PROBES = {
    "entropy": [
        rows_of_seven_tokens,
        three_axes,
        tokens_that_are_cut,
        a_long_tail,
        worked_example_of_entropy,
        formats_of_entropy,
    ],
    "temperature": [cold_and_hot, worked_example_of_temperature, temperatures_that_are_refused],
    "top_k": [
        three_of_eleven,
        one_token,
        logits_with_ties,
        logits_that_are_near_or_far_apart,
        k_at_its_limits,
        after_another_cut,
    ],
    "top_p": [
        nuclei_of_seventeen_tokens,
        three_axes_and_small_p,
        sums_that_are_exactly_p,
        a_thousand_tokens,
        worked_example_of_top_p,
        p_at_its_limits,
        top_p_after_another_cut,
    ],
    "min_p": [
        thresholds_of_seventeen_tokens,
        flat_and_peaked_rows,
        logits_that_are_all_negative,
        worked_example_of_min_p,
        tokens_at_the_threshold,
        min_p_at_its_limits,
    ],
    "repetition_penalty": [
        texts_with_repeated_tokens,
        worked_example_of_repetition,
        one_token_so_far,
        tokens_that_are_cut_already,
        penalties_that_are_refused,
    ],
    "warp": [no_rule, one_rule_at_a_time, temperature_and_cuts, several_cuts, penalties_and_the_rest, settings_of_zero],
    "sample": [
        many_draws_from_seven_tokens,
        rows_of_their_own,
        worked_example_of_sample,
        uniforms_at_their_limits,
        rare_tokens,
        a_vocabulary_of_five_thousand,
        the_last_tokens_are_cut,
    ],
    "speculative_accept": [
        forty_rounds_of_one_draft,
        forty_rounds_of_four_drafts,
        a_draft_that_is_the_target,
        worked_example_of_speculation,
        uniforms_at_the_edges,
    ],
    "majority_vote": [
        chains_of_sums,
        chains_without_an_answer,
        tabs_and_line_ends,
        equally_frequent_answers,
        another_marker,
        worked_example_of_the_vote,
    ],
}


def of(task):
    """Every known mistake of a task."""
    known = {
        "entropy": ("an entropy", ENTROPY, wrong_entropy, ENTROPY_HINTS),
        "temperature": ("a temperature", TEMPERATURE, wrong_temperature, TEMPERATURE_HINTS),
        "top_k": ("a top-k", TOP_K, wrong_top_k, TOP_K_HINTS),
        "top_p": ("a top-p", TOP_P, wrong_top_p, TOP_P_HINTS),
        "min_p": ("a min-p", MIN_P, wrong_min_p, MIN_P_HINTS),
        "repetition_penalty": ("a repetition penalty", REPETITION, wrong_repetition, REPETITION_HINTS),
        "warp": ("a chain of rules", WARP, wrong_warp, WARP_HINTS),
        "sample": ("a sampler", SAMPLE, wrong_sample, SAMPLE_HINTS),
        "speculative_accept": ("an acceptance rule", SPECULATIVE, wrong_speculative, SPECULATIVE_HINTS),
        "majority_vote": ("a vote", VOTE, wrong_vote, VOTE_HINTS),
    }
    noun, knobs, build, hints = known[task]
    yield from combine(task, noun, knobs, build, hints, most=1)
    for knob_a, knob_b in PAIRS.get(task, ()):
        rights = {name: choices[:1] for name, choices in knobs.items()}
        both = {**rights, knob_a: knobs[knob_a], knob_b: knobs[knob_b]}
        made = combine(task, noun, both, build, hints, without=tuple(APART))
        yield from (mistake for mistake in made if mistake.knobs == 2)


# Knobs whose wrong settings are also combined, two at a time.
PAIRS = {
    "entropy": [("unit", "zero"), ("unit", "sign"), ("axis", "unit")],
    "top_k": [("count", "fill"), ("ties", "fill")],
    "top_p": [("order", "edge"), ("order", "scatter"), ("edge", "scatter"), ("edge", "fill")],
    "min_p": [("relative", "fill"), ("relative", "strict"), ("strict", "fill")],
    "repetition_penalty": [("negative", "often"), ("often", "seen")],
    "speculative_accept": [("ratio", "bonus"), ("residual", "bonus"), ("ratio", "residual")],
    "majority_vote": [("voters", "space"), ("space", "equals"), ("voters", "equals")],
}

TOLD = {VOTERS[4], SPACE[1]}

# Pairs that mean nothing together, or that are another mistake.
APART = [
    *({ORDER[2], wrong} for wrong in SCATTER[1:]),
    *({edge, wrong} for edge in (EDGE[3], EDGE[5], EDGE[7]) for wrong in FILL[1:]),
    *({EDGE[5], wrong} for wrong in (*ORDER[1:], *SCATTER[1:])),
    *({OFTEN[1], wrong} for wrong in SEEN[1:4]),
    *({STRICT[2], wrong} for wrong in (*RELATIVE[1:], *FILL[1:])),
    *({RATIO[5], wrong} for wrong in RESIDUAL[1:]),
    *({RATIO[6], wrong} for wrong in (*RESIDUAL[1:], *BONUS[1:])),
    *({RESIDUAL[7], wrong} for wrong in (*RATIO[1:], *BONUS[1:])),
    *({EQUALS[3], voters} for voters in VOTERS[3:]),
    *({voters, space} for voters in (VOTERS[1], VOTERS[4]) for space in SPACE[1:] if {voters, space} != TOLD),
]
