"""The classic mistakes of attention as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs. The first setting of a knob is the right one; every other setting is one
mistake, named by its sentence.
"""

import math
import weakref

import torch
import torch.nn.functional as F
from attention_lab import Projections
from grader import Mistake, combine, error_of

TASKS = [
    "shape_puzzles",
    "softmax",
    "scaled_dot_product_attention",
    "causal_mask",
    "padding_mask",
    "split_heads",
    "merge_heads",
    "multi_head_attention",
    "online_softmax",
]
GIVEN = ["Projections"]
GATE_SEEDS = 2
INF = math.inf


def normal(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def with_gradient(call, seed, x):
    """The values of call(x), and the gradient of x."""
    y = call(x.requires_grad_())
    passes = bool(y.requires_grad)
    if passes:
        (y * normal(seed, *y.shape, dtype=y.dtype)).sum().backward()
    gradient = torch.zeros_like(x) if x.grad is None else x.grad
    return {"a gradient passes through": passes, "the values": y.detach(), "the gradient of the argument": gradient}


# ---------------------------------------------------------------- shape_puzzles

PUZZLE_MISTAKES = {  # letter: {what the answer takes for true: (the answer, a hint)}
    "A": {
        "takes `view` for a transpose": (
            lambda B, T, H, D: (B, H, T, D),
            "`view` keeps the order of the numbers. Which axis was cut in two?",
        )
    },
    "B": {
        "leaves out the transpose": (lambda B, T, H, D: (B, T, H, D), "Which two axes does `transpose(1, 2)` name?"),
        "exchanges the last two axes": (lambda B, T, H, D: (B, T, D, H), "Axes are counted from 0. Which are 1 and 2?"),
    },
    "C": {
        "sums over the positions": (
            lambda B, T, H, D: (B, H, D, D),
            "(a, b) @ (b, c) is (a, c). What are a and c here?",
        ),
        "takes the product element by element": (lambda B, T, H, D: (B, H, T, D), "What does `@` sum over?"),
    },
    "D": {"forgets keepdim": (lambda B, T, H, D: (B, H, T), "What becomes of the axis that was summed over?")},
    "E": {
        "lines the axes up from the left": (
            lambda B, T, H, D: (B, H, T, D),
            "Write both shapes one under the other, the last axes in line. Is each pair equal, or one of it 1?",
        )
    },
    "F": {"compares element by element": (lambda B, T, H, D: (T,), "What do (T, 1) and (T,) stretch to?")},
    "G": {
        "lets `view` take any order in memory": (
            lambda B, T, H, D: (B, T, H * D),
            "After a transpose, do the numbers of one position stand side by side in memory?",
        )
    },
    "H": {"lets `reshape` refuse too": (lambda B, T, H, D: None, "What does `reshape` do where `view` gives up?")},
    "I": {"takes an index for a slice": (lambda B, T, H, D: (B, 1, H * D), "Is `-1` an index or a slice?")},
    "J": {
        "drops the axes of size 1": (lambda B, T, H, D: (B, T), "How many axes does `[:, None, None, None]` leave?"),
        "puts T before the axes of size 1": (
            lambda B, T, H, D: (B, T, 1, 1),
            "(T,) is written under the last axis of (B, 1, 1, 1).",
        ),
    },
}  # fmt: skip


def right_puzzles(B, T, H, D):
    return {"A": (B, T, H, D), "B": (B, H, T, D), "C": (B, H, T, T), "D": (B, H, T, 1), "E": None, "F": (T, T),
            "G": None, "H": (B, T, H * D), "I": (B, H * D), "J": (B, 1, 1, T)}  # fmt: skip


def puzzle_mistakes():
    for letter, mistakes in PUZZLE_MISTAKES.items():
        for said, (answer, hint) in mistakes.items():

            def wrong(B, T, H, D, letter=letter, answer=answer):
                return {**right_puzzles(B, T, H, D), letter: answer(B, T, H, D)}

            yield Mistake("shape_puzzles", f"an answer to puzzle {letter} that {said}", hint, 1, wrong)


def the_puzzles(impl, seed):
    """Two sets of sizes at once, puzzle by puzzle."""
    few, many = impl.shape_puzzles(2, 5, 3, 7), impl.shape_puzzles(11, 13, 4, 6)
    return {f"puzzle {letter}": [few[letter], many[letter]] for letter in "ABCDEFGHIJ"}


# ---------------------------------------------------------------- softmax

SHIFT = ["safe", "WITHOUT subtracting the largest score", "that subtracts the largest score of ALL rows"]
SUM = ["last", "over the FIRST axis", "over ALL numbers together"]
EMPTY = ["zeros", "that gives NaN to a row of -inf", "that gives equal weights to a row of -inf"]
FORMAT = ["kept", "whose output is always float32"]
SOFTMAX_HINTS = {
    SHIFT[1]: "What is exp(1000) in float32?",
    SHIFT[2]: "One row is 300 lower than another. What is left of it after the subtraction, and after exp?",
    SUM[1]: "Which numbers must sum to one: those of one query, or those of one key?",
    SUM[2]: "Each query has an average of its own. What do the weights of one row sum to?",
    EMPTY[1]: "What is -inf minus -inf? And 0 divided by 0?",
    EMPTY[2]: "This query may see nothing. What should it take from each key?",
    FORMAT[1]: "A model in bfloat16 hands you bfloat16. What does the next matrix product need?",
}


def wrong_softmax(shift=SHIFT[0], summed=SUM[0], empty=EMPTY[0], format_=FORMAT[0]):
    def softmax(scores):
        dim = {SUM[0]: -1, SUM[1]: 0, SUM[2]: tuple(range(scores.dim()))}[summed]
        highest = {SHIFT[0]: scores.amax(dim, keepdim=True), SHIFT[1]: torch.zeros(()), SHIFT[2]: scores.max()}[shift]
        highest = highest.to(scores.dtype)
        if empty != EMPTY[1]:
            highest = highest.clamp(min=torch.finfo(scores.dtype).min)
        weights = (scores - highest).exp()
        total = weights.sum(dim, keepdim=True)
        result = weights / (total if empty == EMPTY[1] else torch.where(total == 0, torch.ones_like(total), total))
        if empty == EMPTY[2]:
            result = torch.where(total == 0, torch.full_like(result, 1 / scores.shape[-1]), result)
        return result.float() if format_ == FORMAT[1] else result

    return softmax


def exps(scores):
    """exp(score - largest) and their sums, safely."""
    lowest = torch.finfo(scores.dtype).min
    weights = (scores - scores.amax(-1, keepdim=True).clamp(min=lowest)).exp()
    return weights, weights.sum(-1, keepdim=True)


def softmax_plus_a_little(scores):
    weights, total = exps(scores)
    return weights / (total + 1e-9)


def softmax_of_powers_of_two(scores):
    weights, total = exps(scores * math.log(2))
    return weights / total.clamp(min=1)


def softmax_in_float32(scores):
    weights, total = exps(scores.float())
    return weights / total.clamp(min=1)


def softmax_with_the_sum_cut_off(scores):
    weights, total = exps(scores)
    return weights / total.clamp(min=1).detach()


def softmax_of_clamped_scores(scores):
    weights = scores.clamp(max=80).exp()
    total = weights.sum(-1, keepdim=True)
    return weights / torch.where(total == 0, torch.ones_like(total), total)


def softmax_mended_afterwards(scores):
    return plain_softmax(scores)


def ordinary_scores(impl, seed):
    return impl.softmax(normal(seed, 3, 5, 7))


def scores_far_from_zero(impl, seed):
    offsets = torch.tensor([0.0, 1500.0, -1500.0, 900.0, -1e4], dtype=torch.float64)
    return impl.softmax(3 * normal(seed, 5, 7, dtype=torch.float64) + offsets[:, None])


def scores_of_minus_infinity(impl, seed):
    scores = normal(seed, 3, 4, 5)
    scores[0, :, 2] = scores[1, 1, 1:] = -INF
    return impl.softmax(scores)


def a_row_of_minus_infinity(impl, seed):
    scores = normal(seed, 4, 5)
    scores[2] = -INF
    weights = impl.softmax(scores)
    return {"the weights": weights, "that row is exactly zero": bool((weights[2] == 0).all())}


def one_row(impl, seed):
    return impl.softmax(normal(seed, 6))


def number_formats(impl, seed):
    formats = {"float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
    outputs = {name: impl.softmax(normal(seed, 3, 4, dtype=dtype)) for name, dtype in formats.items()}
    return {f"zeros like the weights in {name}": torch.zeros_like(x) for name, x in outputs.items()}


def small_weights(impl, seed):
    scores = normal(seed, 4, 5, dtype=torch.float64) - torch.tensor([0.0, 10.0, 30.0, 100.0, 300.0]).double()
    return {"the logarithm of the weights": impl.softmax(scores).log()}


def one_score_alone(impl, seed):
    weight = impl.softmax(normal(seed, 3, 1, dtype=torch.float64))
    return {"the weight": weight, "it is 1 to the fifteenth digit": bool(((weight - 1).abs() < 1e-14).all())}


def gradients_of_scores(impl, seed):
    return with_gradient(impl.softmax, seed, normal(seed + 1, 2, 3, 5, dtype=torch.float64))


def gradients_of_rows_of_minus_infinity(impl, seed):
    scores = normal(seed + 2, 4, 5, dtype=torch.float64)
    scores[1], scores[2, 1:3] = -INF, -INF
    return with_gradient(impl.softmax, seed, scores)


def scores_of_the_workbook(impl, seed):
    return {"of 0 and ln 3": impl.softmax(torch.tensor([0.0, math.log(3)], dtype=torch.float64)),
            "of one score": impl.softmax(torch.tensor([[7.0], [-INF]]))}  # fmt: skip


# ---------------------------------------------------------------- scaled_dot_product_attention

SCALE = ["√d", "WITHOUT the 1/√d scale", "scaled by 1/d", "scaled by 1/√(H·d), the width of the model",
         "scaled by 1/√(number of keys)", "scaled by √d, a product where a quotient belongs",
         "scaled by 1/√(width of a value)"]  # fmt: skip
MASK = ["-inf", "that IGNORES the mask", "with its mask INVERTED", "that applies the mask AFTER the softmax",
        "that puts 0 in place of hidden scores", "that puts -1e9 in place of hidden scores",
        "that ADDS the mask to the scores",
        "that puts the lowest finite number in place of hidden scores"]  # fmt: skip
AXIS = ["keys", "with its softmax over the QUERIES"]
NOTHING = ["zeros", "that gives NaN to a query that may see nothing"]
DROPOUT = ["right", "that drops at evaluation too", "that does not divide by 1 - dropout_p",
           "that drops the weights it should keep", "that never drops",
           "that returns the weights AFTER dropout"]  # fmt: skip
ATTENTION_HINTS = {
    SCALE[1]: "What is the variance of a dot product of two vectors of d unit-variance numbers?",
    SCALE[2]: "The variance of the scores grows with d. What does their standard deviation grow with?",
    SCALE[3]: "How many products does one score of one head add up?",
    SCALE[4]: "Which axis is summed over in q kᵀ?",
    SCALE[5]: "Do the scores of wide heads become larger or smaller by it?",
    SCALE[6]: "Values may be wider or narrower than keys. Which width does a dot product add up?",
    MASK[1]: "Change a key that is hidden. Does the output move?",
    MASK[2]: "What does True mean: this key may be seen, or this key is hidden?",
    MASK[3]: "What do the weights of a query sum to, after the mask?",
    MASK[4]: "A score of 0: what weight does the softmax give it?",
    MASK[5]: "All scores of a row are -1e9. What does the softmax make of them? And what is -1e9 in float16?",
    MASK[7]: "All scores of a row are the lowest number. What does the softmax make of equal scores?",
    MASK[6]: "By how much does the weight of a key fall, when its score falls by 1?",
    AXIS[1]: "Whose weights must sum to one?",
    NOTHING[1]: "Your softmax of a row of -inf: what is it, and what should it be?",
    DROPOUT[1]: "`uniforms` is None: is this training?",
    DROPOUT[2]: "Half of the weights are gone. What has become of the average?",
    DROPOUT[3]: "dropout_p = 0.1: which share of the weights should be left?",
    DROPOUT[4]: "What are `uniforms` for?",
    DROPOUT[5]: "The picture of who looks at whom should not have random holes.",
}


def plain_softmax(x, dim=-1):
    """Zeros for a row of -inf."""
    return torch.nan_to_num(torch.softmax(x, dim))


def wrong_attention(scale=SCALE[0], mask=MASK[0], axis=AXIS[0], nothing=NOTHING[0], dropout=DROPOUT[0]):
    def scaled_dot_product_attention(q, k, v, attention_mask=None, dropout_p=0.0, uniforms=None):
        if attention_mask is not None and attention_mask.dtype != torch.bool:
            raise ValueError("the mask must be boolean")
        d, heads = q.shape[-1], q.shape[-3] if q.dim() > 3 else 1
        by = {SCALE[0]: d, SCALE[1]: 1, SCALE[2]: d * d, SCALE[3]: d * heads, SCALE[4]: k.shape[-2], SCALE[5]: 1 / d,
              SCALE[6]: v.shape[-1]}  # fmt: skip
        scores = q @ k.transpose(-2, -1) / math.sqrt(by[scale])
        after = torch.ones((), dtype=q.dtype)
        if attention_mask is not None and mask != MASK[1]:
            hidden = attention_mask if mask == MASK[2] else ~attention_mask
            if mask == MASK[3]:
                after = attention_mask.to(q.dtype)
            elif mask == MASK[6]:
                scores = scores + attention_mask
            else:
                low = {MASK[4]: 0.0, MASK[5]: -1e9, MASK[7]: torch.finfo(q.dtype).min}
                scores = scores.masked_fill(hidden, low.get(mask, -INF))
        softmax = plain_softmax if nothing == NOTHING[0] else torch.softmax
        weights = softmax(scores, -2 if axis == AXIS[1] else -1) * after
        kept = weights
        if dropout == DROPOUT[1]:
            kept = F.dropout(weights, dropout_p)
        elif uniforms is not None and dropout != DROPOUT[4]:
            kept = weights * ((uniforms < dropout_p) if dropout == DROPOUT[3] else (uniforms >= dropout_p))
            kept = kept if dropout == DROPOUT[2] else kept / (1 - dropout_p)
        return kept @ v, kept if dropout == DROPOUT[5] else weights

    return scaled_dot_product_attention


def attention_with(weigh, any_mask=False, root=math.sqrt, up=None):
    """Attention by `weigh(scores, mask, dropout_p, uniforms)`: the weights, and what is multiplied with v."""

    def scaled_dot_product_attention(q, k, v, attention_mask=None, dropout_p=0.0, uniforms=None):
        if attention_mask is not None and attention_mask.dtype != torch.bool and not any_mask:
            raise ValueError("the mask must be boolean")
        q, k, v = (q, k, v) if up is None else (q.to(up), k.to(up), v.to(up))
        scores = q @ k.transpose(-2, -1) / root(q.shape[-1])
        weights, kept = weigh(scores, attention_mask, dropout_p, uniforms)
        return kept @ v, weights

    return scaled_dot_product_attention


def hidden_at_infinity(scores, mask):
    return scores if mask is None else scores.masked_fill(~mask.bool(), -INF)


def dropped(weights, p, uniforms):
    return weights if uniforms is None else weights * (uniforms >= p) / (1 - p)


def weigh_rightly(scores, mask, p, uniforms):
    weights = plain_softmax(hidden_at_infinity(scores, mask))
    return weights, dropped(weights, p, uniforms)


def weigh_and_mask_again(scores, mask, p, uniforms):
    weights = torch.softmax(scores, -1) * (1 if mask is None else mask)
    left = weights.sum(-1, keepdim=True)
    weights = weights / torch.where(left == 0, torch.ones_like(left), left)
    return weights, dropped(weights, p, uniforms)


def weigh_with_a_fixed_penalty(scores, mask, p, uniforms):
    seen = torch.ones((), dtype=torch.bool) if mask is None else mask
    weights = torch.softmax(scores - 1e4 * (~seen).to(scores.dtype), -1)
    weights = weights if mask is None else weights * mask.any(-1, keepdim=True)
    return weights, dropped(weights, p, uniforms)


def weigh_and_always_divide(scores, mask, p, uniforms):
    weights = plain_softmax(hidden_at_infinity(scores, mask))
    return weights, weights / (1 - p) if uniforms is None else dropped(weights, p, uniforms)


def weigh_and_sum_to_one_again(scores, mask, p, uniforms):
    weights = plain_softmax(hidden_at_infinity(scores, mask))
    kept = dropped(weights, p, uniforms)
    return weights, kept / kept.sum(-1, keepdim=True).clamp(min=1e-30) if uniforms is not None else kept


def weigh_with_dropped_scores(scores, mask, p, uniforms):
    scores = hidden_at_infinity(scores, mask)
    weights = plain_softmax(scores)
    return weights, weights if uniforms is None else plain_softmax(scores.masked_fill(uniforms < p, -INF)) / (1 - p)


def both(pair):
    return {"the output": pair[0], "the weights": pair[1]}


def qkv(seed, *batch, Tq=5, Tk=11, D=7, Dv=4, dtype=torch.float32):
    return [
        normal(seed + i, *batch, T, width, dtype=dtype) for i, (T, width) in enumerate(((Tq, D), (Tk, D), (Tk, Dv)))
    ]


def queries_keys_and_values(impl, seed):
    return both(impl.scaled_dot_product_attention(*qkv(seed, 2, 3)))


def without_batch_or_heads(impl, seed):
    return both(impl.scaled_dot_product_attention(*qkv(seed + 1, Tq=6, Tk=3)))


def a_mask_for_each_query(impl, seed):
    mask = normal(seed + 9, 5, 11) > -0.3
    mask[:, 0] = True
    return both(impl.scaled_dot_product_attention(*qkv(seed + 2, 2, 3), mask))


def a_mask_for_each_sequence(impl, seed):
    mask = torch.tensor([[True] * 8 + [False] * 3, [True] * 11])[:, None, None]
    return both(impl.scaled_dot_product_attention(*qkv(seed + 3, 2, 3), attention_mask=mask))


def a_query_that_may_see_nothing(impl, seed):
    mask = torch.ones(5, 11, dtype=torch.bool)
    mask[1] = False
    output, weights = impl.scaled_dot_product_attention(*qkv(seed + 4, 2, 3), mask)
    zero = bool((output[:, :, 1] == 0).all() and (weights[:, :, 1] == 0).all())
    return {"the output": output, "the weights": weights, "that query gets exactly zero": zero}


def dropout_in_training(impl, seed):
    uniforms = torch.rand(2, 3, 5, 11, generator=torch.Generator().manual_seed(seed))
    uniforms[0, 0, 0, 0] = 0.25
    return both(impl.scaled_dot_product_attention(*qkv(seed + 5, 2, 3), None, 0.25, uniforms))


def dropout_at_evaluation(impl, seed):
    return both(impl.scaled_dot_product_attention(*qkv(seed + 6, 2, 3), dropout_p=0.5))


def a_mask_for_each_weight_and_dropout_for_all_heads(impl, seed):
    mask = normal(seed + 8, 2, 3, 5, 11) > -0.3
    mask[..., 0] = True
    uniforms = torch.rand(5, 11, generator=torch.Generator().manual_seed(seed))
    return both(impl.scaled_dot_product_attention(*qkv(seed + 4, 2, 3), mask, 0.4, uniforms))


def axes_of_one(impl, seed):
    new, old = qkv(seed + 7, 1, 2, Tq=1, Tk=3), qkv(seed + 8, 2, 1, Tq=3, Tk=1)
    return {"one sequence, one query": both(impl.scaled_dot_product_attention(*new)),
            "one head, one key": both(impl.scaled_dot_product_attention(*old))}  # fmt: skip


def dropout_of_zero(impl, seed):
    uniforms = torch.rand(5, 11, generator=torch.Generator().manual_seed(seed))
    return both(impl.scaled_dot_product_attention(*qkv(seed + 6), uniforms=uniforms))


def half_precision(impl, seed):
    mask = torch.ones(5, 11, dtype=torch.bool).tril(2)
    output, weights = impl.scaled_dot_product_attention(*qkv(seed + 7, 2, 3, dtype=torch.float16), mask)
    return {"zeros like the output": torch.zeros_like(output), "zeros like the weights": torch.zeros_like(weights),
            "finite": bool(output.isfinite().all()),
            "hidden weights are zero": bool((weights[..., ~mask] == 0).all())}  # fmt: skip


def a_hidden_key_that_matches_far_better(impl, seed):
    q, k, v = qkv(seed + 10, 2, dtype=torch.float64)
    q, mask = q.abs() + 1, torch.ones(11, dtype=torch.bool)
    k[:, 3], mask[3] = 1e12, False
    return both(impl.scaled_dot_product_attention(q, k, v, mask))


def scores_that_overflow_exp(impl, seed):
    q, k, v = qkv(seed + 8, 2, Dv=3, dtype=torch.float64)
    return both(impl.scaled_dot_product_attention(100 * q, 100 * k, v))


def masks_that_are_refused(impl, seed):
    q, k, v = qkv(seed, Tq=3, Tk=3)
    masks = {"integers": torch.ones(3, 3, dtype=torch.int64), "numbers": torch.zeros(3, 3)}
    return {f"a mask of {name}": error_of(lambda m=m: impl.scaled_dot_product_attention(q, k, v, m))
            for name, m in masks.items()}  # fmt: skip


def three_words_of_the_workbook(impl, seed):
    q = k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    v = torch.tensor([[4.0, 0.0], [0.0, 4.0], [2.0, 2.0]], dtype=torch.float64)
    return both(impl.scaled_dot_product_attention(q, k, v, torch.ones(3, 3, dtype=torch.bool).tril()))


# ---------------------------------------------------------------- causal_mask

REACH = ["itself", "that shows the NEXT token too", "that hides a token from ITSELF"]
ALIGNED = ["bottom right", "aligned at the TOP LEFT", "that IGNORES key_len"]
SENSE = ["True is seen", "that is INVERTED: True where a key is hidden", "that looks into the FUTURE"]
KIND = ["bool", "of 0 and -inf", "of zeros and ones"]
CAUSAL_HINTS = {
    REACH[1]: "Which token does position t have to predict?",
    REACH[2]: "What may the first token of a text see?",
    ALIGNED[1]: "5 keys in a cache and 1 new query: at which position does that query stand?",
    ALIGNED[2]: "How many columns does the mask have, with 1 query and 5 keys?",
    SENSE[1]: "In this folder, what does True mean?",
    SENSE[2]: "Rows are queries and columns are keys. Which triangle holds the past?",
    KIND[1]: "What does `~` do with numbers?",
    KIND[2]: "What is the dtype of a comparison?",
}


def wrong_causal(reach=REACH[0], aligned=ALIGNED[0], sense=SENSE[0], kind=KIND[0]):
    def causal_mask(query_len, key_len=None):
        keys = query_len if key_len is None or aligned == ALIGNED[2] else key_len
        shift = 0 if aligned == ALIGNED[1] else keys - query_len
        rows, columns = torch.arange(query_len)[:, None] + shift, torch.arange(keys)
        rows = rows + {REACH[1]: 1, REACH[2]: -1}.get(reach, 0)
        seen = columns >= rows if sense == SENSE[2] else columns <= rows
        seen = ~seen if sense == SENSE[1] else seen
        if kind == KIND[1]:
            return torch.zeros(seen.shape).masked_fill(~seen, -INF)
        return seen.float() if kind == KIND[2] else seen

    return causal_mask


def causal_with_none_for_left_out(query_len, key_len=None):
    keys = key_len or query_len
    return torch.arange(keys) <= torch.arange(query_len)[:, None] + keys - query_len


def as_many_queries_as_keys(impl, seed):
    return {f"{n} queries": impl.causal_mask(n) for n in (1, 2, 5)}


def new_queries_after_a_cache(impl, seed):
    return {f"{q} queries, {k} keys": impl.causal_mask(q, k) for q, k in ((1, 5), (3, 7), (4, 4))}


def more_queries_than_keys(impl, seed):
    return impl.causal_mask(5, 3)


def no_keys_at_all(impl, seed):
    return impl.causal_mask(3, 0)


# ---------------------------------------------------------------- padding_mask

PAD_SENSE = ["True is seen", "that is INVERTED: True at padding"]
PAD_COUNT = ["exact", "that shows one token too MANY", "that shows one token too FEW"]
PAD_SIDE = ["right", "that hides the BEGINNING: padding on the left"]
PAD_SHAPE = ["B 1 1 Tk", "of shape (B, Tk)", "of shape (B, 1, Tk)", "that hides QUERIES: (B, 1, Tk, 1)"]
PAD_CHECK = [
    "checked",
    "that accepts lengths above seq_len",
    "that accepts negative lengths",
    "that refuses a length of 0",
]
PADDING_HINTS = {
    PAD_SENSE[1]: "In this folder, what does True mean?",
    PAD_COUNT[1]: "A sequence of 3 tokens: which is the index of the last one?",
    PAD_COUNT[2]: "A sequence of 3 tokens: how many Trues?",
    PAD_SIDE[1]: "The tokens come first, then the padding. Which keys are to be hidden?",
    PAD_SHAPE[1]: "The scores are (B, H, Tq, Tk). What would (B, Tk) be lined up with?",
    PAD_SHAPE[2]: "The scores are (B, H, Tq, Tk). With which axis would your B be lined up?",
    PAD_SHAPE[3]: "Must padding not be looked AT, or must it not look?",
    PAD_CHECK[1]: "A length of 6 where 5 positions exist: what would your mask say?",
    PAD_CHECK[2]: "What is a length of -1?",
    PAD_CHECK[3]: "May a sequence be empty? Read the promise once more.",
}


def wrong_padding(sense=PAD_SENSE[0], count=PAD_COUNT[0], side=PAD_SIDE[0], shape=PAD_SHAPE[0], check=PAD_CHECK[0]):
    def padding_mask(lengths, seq_len):
        low, high = check != PAD_CHECK[2] and (lengths < 0).any(), check != PAD_CHECK[1] and (lengths > seq_len).any()
        if low or high or check == PAD_CHECK[3] and (lengths == 0).any():
            raise ValueError("lengths")
        n = lengths[:, None] + {PAD_COUNT[1]: 1, PAD_COUNT[2]: -1}.get(count, 0)
        places = torch.arange(seq_len)
        seen = places >= seq_len - n if side == PAD_SIDE[1] else places < n  # B Tk
        seen = ~seen if sense == PAD_SENSE[1] else seen
        return {PAD_SHAPE[0]: seen[:, None, None], PAD_SHAPE[1]: seen, PAD_SHAPE[2]: seen[:, None],
                PAD_SHAPE[3]: seen[:, None, :, None]}[shape]  # fmt: skip

    return padding_mask


def padding_checked(shape):
    """Padding masks with their checks; `shape(lengths, seq_len)` is the rest."""

    def padding_mask(lengths, seq_len):
        if (lengths < 0).any() or (lengths > seq_len).any():
            raise ValueError("lengths")
        return shape(lengths, seq_len)

    return padding_mask


def as_wide_as_the_longest(lengths, seq_len):
    return torch.arange(int(lengths.max())) < lengths[:, None, None, None]


def of_numbers(lengths, seq_len):
    return (torch.arange(seq_len) < lengths[:, None, None, None]).long()


def for_queries_too(lengths, seq_len):
    seen = torch.arange(seq_len) < lengths[:, None]
    return seen[:, None, :, None] & seen[:, None, None, :]


def padding_for_sorted_lengths(lengths, seq_len):
    if lengths[0] > seq_len or lengths[-1] < 0:
        raise ValueError("lengths")
    return torch.arange(seq_len) < lengths[:, None, None, None]


def lengths_of_a_batch(impl, seed):
    return impl.padding_mask(torch.tensor([3, 5, 1]), 5)


def more_positions_than_the_longest_has(impl, seed):
    return impl.padding_mask(torch.tensor([2, 6]), 8)


def an_empty_and_a_full_sequence(impl, seed):
    return {
        "four positions": impl.padding_mask(torch.tensor([0, 4]), 4),
        "one": impl.padding_mask(torch.tensor([1]), 1),
    }


def lengths_that_are_refused(impl, seed):
    lengths = {"the last too long": [2, 6], "the last negative": [2, -1], "the first too long": [6, 2],
               "the first negative": [-1, 2], "all right": [0, 5]}  # fmt: skip
    return {name: error_of(lambda n=n: impl.padding_mask(torch.tensor(n), 5)) for name, n in lengths.items()}


# ---------------------------------------------------------------- split_heads, merge_heads

SPLIT = ["right", "that uses `view` ALONE, so that heads get other positions", "that leaves the axes at (B, T, H, D)",
         "that deals channels out in turn: 0, H, 2H, … to head 0", "that makes heads of `heads` channels",
         "that gives (B, H, D, T)"]  # fmt: skip
SPLIT_HINTS = {
    SPLIT[1]: "Change one position of x. In how many positions of your output does something change?",
    SPLIT[2]: "Which two axes must be last, so that `q @ kᵀ` runs over positions?",
    SPLIT[3]: "Which channels belong together in `view(B, T, H, D)`?",
    SPLIT[4]: "With d_model = 12 and 3 heads, how wide is a head?",
    SPLIT[5]: "The last axis is the one that a dot product sums over.",
}


def wrong_split(how):
    def split_heads(x, heads):
        B, T, d_model = x.shape
        if d_model % heads:
            raise ValueError("heads")
        D = d_model // heads
        return {
            SPLIT[1]: lambda: x.reshape(B, heads, T, D),
            SPLIT[2]: lambda: x.reshape(B, T, heads, D),
            SPLIT[3]: lambda: x.reshape(B, T, D, heads).permute(0, 3, 1, 2),
            SPLIT[4]: lambda: x.reshape(B, T, D, heads).transpose(1, 2),
            SPLIT[5]: lambda: x.reshape(B, T, heads, D).permute(0, 2, 3, 1),
        }[how]()

    return split_heads


def split_right(x, heads):
    if x.shape[-1] % heads:
        raise ValueError("heads")
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def numbered_channels(impl, seed):
    return impl.split_heads(torch.arange(2 * 5 * 12.0).view(2, 5, 12), 3)


def one_head_and_heads_of_one_channel(impl, seed):
    x = normal(seed, 2, 3, 4)
    return {"one head": impl.split_heads(x, 1), "four heads": impl.split_heads(x, 4)}


def one_sequence_or_one_position_to_split(impl, seed):
    return {"one sequence": impl.split_heads(normal(seed, 1, 3, 4), 2),
            "one position": impl.split_heads(normal(seed, 2, 1, 4), 2)}  # fmt: skip


def head_counts_that_do_not_divide(impl, seed):
    return {
        f"{h} heads of 12 channels": error_of(lambda h=h: impl.split_heads(normal(seed, 1, 2, 12), h))
        for h in (5, 8, 4)
    }


def float64_and_a_gradient_to_split(impl, seed):
    return with_gradient(lambda x: impl.split_heads(x, 3), seed, normal(seed + 1, 2, 5, 12, dtype=torch.float64))


MERGE = ["right", "that uses `reshape` ALONE, so that positions are mixed", "that leaves the axes at (B, T, H, D)",
         "that puts channel 0 of all heads first, then channel 1, …", "that AVERAGES the heads",
         "that ADDS the heads", "that joins the POSITIONS of each head"]  # fmt: skip
MERGE_HINTS = {
    MERGE[1]: "Which axis stands before D in memory: the heads of a position, or the positions of a head?",
    MERGE[2]: "d_model is one axis: how many axes shall be left?",
    MERGE[3]: "merge_heads(split_heads(x)) must be x again.",
    MERGE[4]: "How wide is the output? Each head keeps what it has found.",
    MERGE[5]: "How wide is the output? Each head keeps what it has found.",
    MERGE[6]: "What must stand side by side in a row of the output: heads, or positions?",
}


def wrong_merge(how):
    def merge_heads(x):
        B, H, T, D = x.shape
        return {
            MERGE[1]: lambda: x.reshape(B, T, H * D),
            MERGE[2]: lambda: x.transpose(1, 2),
            MERGE[3]: lambda: x.permute(0, 2, 3, 1).reshape(B, T, H * D),
            MERGE[4]: lambda: x.mean(1),
            MERGE[5]: lambda: x.sum(1),
            MERGE[6]: lambda: x.flatten(2),
        }[how]()

    return merge_heads


def numbered_heads(impl, seed):
    return impl.merge_heads(torch.arange(2 * 3 * 5 * 4.0).view(2, 3, 5, 4))


def heads_that_are_a_view(impl, seed):
    return impl.merge_heads(normal(seed, 2, 5, 3, 4).transpose(1, 2))


def one_head(impl, seed):
    return impl.merge_heads(normal(seed, 2, 1, 5, 4))


def one_sequence_or_one_position_to_merge(impl, seed):
    return {"one sequence": impl.merge_heads(normal(seed, 1, 3, 5, 4)),
            "one position": impl.merge_heads(normal(seed, 2, 3, 1, 4))}  # fmt: skip


def float64_and_a_gradient_to_merge(impl, seed):
    return with_gradient(impl.merge_heads, seed, normal(seed + 1, 2, 3, 5, 4, dtype=torch.float64))


# ---------------------------------------------------------------- multi_head_attention

SOURCE = ["context", "whose keys and values are made of x, not of the context", "whose QUERIES are made of the context",
          "whose values are made of x"]  # fmt: skip
LEFT_OUT = ["nothing", "without o_proj", "without v_proj", "that uses k_proj for the queries too",
            "that uses v_proj for the keys too"]  # fmt: skip
HEADS = ["right", "that splits heads with `view` alone", "that merges heads with `reshape` alone", "with ONE head"]
WIDTH = ["of a head", "scaled by 1/√d_model"]
PASSED = ["used", "that IGNORES the mask", "with its mask INVERTED",
          "that gives an average to a query that may see nothing", "that gives NaN to a query that may see nothing",
          "that multiplies the weights by the mask AFTER the softmax"]  # fmt: skip
SHOWN = ["each head", "whose weights are averaged over the heads"]
MULTI_HINTS = {
    SOURCE[1]: "In translation, x is the French sentence so far. Where are the English words?",
    SOURCE[2]: "Who asks: x or the context?",
    SOURCE[3]: "A key and its value belong to the same token.",
    LEFT_OUT[1]: "The heads stand side by side. Which matrix lets them speak together?",
    LEFT_OUT[2]: "What a token gives is not the token itself.",
    LEFT_OUT[3]: "Asking and being found are two things: how many matrices are there?",
    LEFT_OUT[4]: "Being found and giving are two things: how many matrices are there?",
    HEADS[1]: "Change one position of x. In how many positions of q does something change?",
    HEADS[2]: "Which heads belong to the first position?",
    HEADS[3]: "What shape do the weights have?",
    WIDTH[1]: "How many products does one score of one head add up?",
    PASSED[1]: "Change a key that is hidden. Does the output move?",
    PASSED[2]: "What does True mean here? nn.MultiheadAttention means the opposite.",
    PASSED[3]: "All scores of a row are -1e9. What does the softmax make of them?",
    PASSED[4]: "What is the softmax of a row of -inf?",
    PASSED[5]: "What do the weights of a query sum to, after the mask?",
    SHOWN[1]: "(B, H, Tq, Tk): each head has a picture of its own.",
}


def wrong_multi(
    source=SOURCE[0], left_out=LEFT_OUT[0], heads_=HEADS[0], width=WIDTH[0], passed=PASSED[0], shown=SHOWN[0]
):
    def multi_head_attention(projections, x, context, heads, attention_mask=None):
        p, d_model, H = projections, x.shape[-1], 1 if heads_ == HEADS[3] else heads
        of_query = {LEFT_OUT[3]: p.k_proj}.get(left_out, p.q_proj)
        of_key = {LEFT_OUT[4]: p.v_proj}.get(left_out, p.k_proj)
        of_value = {LEFT_OUT[2]: torch.nn.Identity()}.get(left_out, p.v_proj)

        def split(y):
            if heads_ == HEADS[1]:
                return y.reshape(len(y), H, -1, d_model // H)
            return y.reshape(*y.shape[:2], H, d_model // H).transpose(1, 2)

        q = split(of_query(context if source == SOURCE[2] else x))
        k = split(of_key(x if source == SOURCE[1] else context))
        v = split(of_value(x if source in (SOURCE[1], SOURCE[3]) else context))
        scores = q @ k.transpose(-2, -1) / math.sqrt(d_model if width == WIDTH[1] else d_model // H)
        after = 1
        if attention_mask is not None and passed == PASSED[5]:
            after = attention_mask
        elif attention_mask is not None and passed != PASSED[1]:
            hidden = attention_mask if passed == PASSED[2] else ~attention_mask
            scores = scores.masked_fill(hidden, -1e9 if passed == PASSED[3] else -INF)
        weights = (torch.softmax(scores, -1) if passed == PASSED[4] else plain_softmax(scores)) * after
        found = weights @ v
        found = found.reshape(*x.shape) if heads_ == HEADS[2] else found.transpose(1, 2).flatten(2)
        output = found if left_out == LEFT_OUT[1] else p.o_proj(found)
        return output, weights.mean(1) if shown == SHOWN[1] else weights

    return multi_head_attention


def layer_with(
    weigh=plain_softmax, q_of="q_proj", k_of="k_proj", split=split_right, merge=lambda y: y.transpose(1, 2).flatten(2),
    residual=False, causal=False, cut=False, first=False,
):  # fmt: skip
    def multi_head_attention(projections, x, context, heads, attention_mask=None):
        q, k = split(getattr(projections, q_of)(x), heads), split(getattr(projections, k_of)(context), heads)
        v = split(projections.v_proj(context), heads)
        scores = q @ k.transpose(-2, -1) / math.sqrt(x.shape[-1] // heads)
        if causal and attention_mask is None:
            attention_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(k.shape[-2] - q.shape[-2])
        if first and attention_mask is not None and attention_mask.dim() == 4:
            attention_mask = attention_mask[:, :1]
        weights = weigh(hidden_at_infinity(scores, attention_mask))
        weights = weights.detach() if cut else weights
        output = projections.o_proj(merge(weights @ v))
        return output + x if residual else output, weights.expand(-1, heads, -1, -1)

    return multi_head_attention


def dealt_in_turn(x, heads):
    return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)


def not_split(x, heads):
    return x[:, None]


def projections(seed, d_model=12, bias=True, dtype=torch.float64):
    torch.default_generator.manual_seed(seed)
    return Projections(d_model, bias).to(dtype).requires_grad_(False)


def multi(impl, seed, x, context, heads, *mask, **keywords):
    return both(impl.multi_head_attention(projections(seed), x, context, heads, *mask, **keywords))


def self_attention(impl, seed):
    x = normal(seed, 2, 5, 12, dtype=torch.float64)
    return multi(impl, seed, x, x, 3)


def self_attention_with_a_causal_mask(impl, seed):
    x = normal(seed + 1, 2, 5, 12, dtype=torch.float64)
    return multi(impl, seed, x, x, 3, torch.ones(5, 5, dtype=torch.bool).tril())


def cross_attention(impl, seed):
    x, context = normal(seed + 2, 2, 5, 12, dtype=torch.float64), normal(seed + 3, 2, 7, 12, dtype=torch.float64)
    return multi(impl, seed, x, context, 4)


def cross_attention_over_as_many_tokens(impl, seed):
    x, context = normal(seed + 4, 3, 5, 12, dtype=torch.float64), normal(seed + 5, 3, 5, 12, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [False] * 5])[:, None, None]
    return multi(impl, seed, x, context, 2, attention_mask=mask)


def a_mask_for_each_head(impl, seed):
    x, mask = normal(seed + 7, 2, 5, 12, dtype=torch.float64), normal(seed + 8, 2, 3, 5, 5) > -0.3
    mask[..., 0] = True
    return multi(impl, seed, x, x, 3, mask)


def one_query(impl, seed):
    x, context = normal(seed + 9, 2, 1, 12, dtype=torch.float64), normal(seed + 3, 2, 4, 12, dtype=torch.float64)
    return multi(impl, seed, x, context, 3)


def float32_without_bias(impl, seed):
    x = normal(seed + 6, 1, 3, 6)
    return both(impl.multi_head_attention(projections(seed, 6, False, torch.float32), x, x, 2))


def a_gradient_through_the_layer(impl, seed):
    def call(x):
        return impl.multi_head_attention(projections(seed), x, x, 3)[0]

    return with_gradient(call, seed, normal(seed + 1, 2, 5, 12, dtype=torch.float64))


# ---------------------------------------------------------------- online_softmax

TOTAL = ["corrected", "that does not correct the SUM when a larger score appears"]
OUTPUT = ["corrected", "that does not correct the OUTPUT when a larger score appears",
          "that divides each block's output by the block's own sum"]  # fmt: skip
FACTOR = [
    "old - new",
    "that corrects with exp(new - old)",
    "that corrects with exp(block - all so far), always below 1",
    "that does not bring a new block to the largest score so far",
]
LARGEST = ["so far", "that uses each block's own largest score", "that subtracts nothing"]
BLIND = ["zeros", "that gives NaN to a query that sees nothing in a block"]
LOG = ["right", "that returns the log of the sum WITHOUT the largest score", "that returns the sum, not its logarithm"]
KEEPS = ["one block", "that KEEPS all blocks"]
ONLINE_HINTS = {
    TOTAL[1]: "The sum so far was made with the old largest score. What is it with the new one?",
    OUTPUT[1]: "The output so far was made with the old largest score. What is it with the new one?",
    OUTPUT[2]: "When is it known what the weights must be divided by?",
    FACTOR[1]: "The new largest score is higher: are the old weights larger or smaller by it?",
    FACTOR[2]: "What is to be corrected: what is summed so far, or the block that has just come?",
    FACTOR[3]: "The old sum is made with the largest score of all. With which one is the new block's?",
    LARGEST[1]: "A later block has lower scores. Do you compare its weights with those of the first?",
    LARGEST[2]: "What is exp(1000)?",
    BLIND[1]: "What is -inf minus -inf?",
    LOG[1]: "Σ exp(s) = exp(m) Σ exp(s - m). What is its logarithm?",
    LOG[2]: "The backward pass needs log Σ exp(s).",
    KEEPS[1]: "The blocks are handed over one at a time, because all of them do not fit. How many do you hold?",
}


def wrong_online(total=TOTAL[0], output=OUTPUT[0], factor=FACTOR[0], largest=LARGEST[0], blind=BLIND[0], log=LOG[0],
                 keeps=KEEPS[0]):  # fmt: skip
    def online_softmax(blocks):
        if keeps == KEEPS[1]:
            blocks = list(blocks)
        highest, sums, made = torch.tensor(-INF), 0.0, 0.0
        for scores, values in blocks:
            own = scores.amax(-1, keepdim=True)
            new = {LARGEST[1]: own, LARGEST[2]: torch.zeros_like(own)}.get(largest, torch.maximum(highest, own))
            if blind == BLIND[0]:
                new = new.clamp(min=torch.finfo(scores.dtype).min)
            correction = (highest - new).exp()
            weights, fix_total, fix_output = (scores - new).exp(), correction, correction
            if factor == FACTOR[1]:
                fix_total = fix_output = (new - highest).nan_to_num(posinf=0.0).exp()
            elif factor == FACTOR[2]:
                fix_total = fix_output = 1.0
                weights = weights * (own - new).exp()
            elif factor == FACTOR[3]:
                weights = (scores - own.clamp(min=torch.finfo(scores.dtype).min)).exp()
            elif largest != LARGEST[0]:
                fix_total = fix_output = 1.0
            fix_total = 1.0 if total == TOTAL[1] else fix_total
            fix_output = 1.0 if output == OUTPUT[1] else fix_output
            sums = sums * fix_total + weights.sum(-1, keepdim=True)
            own_sum = weights.sum(-1, keepdim=True).clamp(min=1e-30) if output == OUTPUT[2] else 1.0
            made = made * fix_output + weights / own_sum @ values
            highest = new
        answer = made / sums if blind == BLIND[1] else torch.where(sums == 0, 0.0 * made, made / sums)
        return answer, {LOG[1]: sums.log(), LOG[2]: sums * highest.exp()}.get(log, highest + sums.log())

    return online_softmax


def online_from(start, largest=lambda scores: scores.amax(-1, keepdim=True)):
    """An online softmax with another first largest score, or another largest score of a block."""

    def online_softmax(blocks):
        highest, total, output = torch.tensor(start), 0.0, 0.0
        for scores, values in blocks:
            new = torch.maximum(highest, largest(scores)).clamp(min=torch.finfo(scores.dtype).min)
            weights, correction = (scores - new).exp(), (highest - new).exp()
            total = total * correction + weights.sum(-1, keepdim=True)
            output = output * correction + weights @ values
            highest = new
        return torch.where(total == 0, 0.0 * output, output / total), highest + total.log()

    return online_softmax


def online_mean_of_blocks(blocks):
    outputs, sums = [], []
    for scores, values in blocks:
        outputs.append(plain_softmax(scores) @ values)
        sums.append(torch.logsumexp(scores, -1, keepdim=True))
    return torch.stack(outputs).mean(0), torch.logsumexp(torch.cat(sums, -1), -1, keepdim=True)


def handed_over(scores, values, sizes, alive=None):
    """Blocks of these sizes, one at a time. `alive` notes how many are still held when the next one is made."""
    start, made = 0, []
    for size in sizes:
        block = scores[..., start : start + size].clone()
        made.append(weakref.ref(block))
        if alive is not None:
            alive.append(sum(reference() is not None for reference in made))
        yield block, values[..., start : start + size, :].clone()
        start += size


def online(impl, scores, values, sizes):
    output, log_sum = impl.online_softmax(handed_over(scores, values, sizes))
    return {"the output": output, "log Σ exp": log_sum}


def three_blocks(impl, seed):
    scores, values = normal(seed, 2, 3, 12, dtype=torch.float64), normal(seed + 1, 2, 12, 5, dtype=torch.float64)
    return online(impl, 3 * scores, values, (4, 4, 4))


def blocks_of_unequal_size(impl, seed):
    scores, values = normal(seed + 2, 3, 11, dtype=torch.float64), normal(seed + 3, 11, 2, dtype=torch.float64)
    return online(impl, 3 * scores, values, (5, 1, 3, 2))


def a_single_block(impl, seed):
    return online(impl, normal(seed + 4, 2, 7), normal(seed + 5, 7, 3), (7,))


def scores_in_the_thousands(impl, seed):
    scores = normal(seed + 6, 3, 9, dtype=torch.float64) + torch.tensor([0.0] * 3 + [2000.0] * 3 + [-2000.0] * 3)
    return online(impl, scores, normal(seed + 7, 9, 4, dtype=torch.float64), (3, 3, 3))


def queries_that_see_nothing(impl, seed):
    scores = normal(seed + 8, 3, 6, dtype=torch.float64)
    scores[0, :3] = scores[1] = scores[2, 3:] = -INF
    return online(impl, scores, normal(seed + 9, 6, 4, dtype=torch.float64), (3, 3))


def blocks_held_at_once(impl, seed):
    alive = []
    impl.online_softmax(handed_over(normal(seed, 2, 20), normal(seed, 20, 3), [4] * 5, alive))
    return {"at most two": max(alive) <= 2, "all were read": len(alive) == 5}


def number_formats_of_blocks(impl, seed):
    found = {}
    for name, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16), ("float32", torch.float32)):
        scores, values = normal(seed, 2, 6, dtype=dtype), normal(seed, 6, 3, dtype=dtype)
        output, log_sum = impl.online_softmax(handed_over(scores, values, (3, 3)))
        found |= {
            f"zeros like the output in {name}": torch.zeros_like(output),
            f"zeros like log Σ exp in {name}": torch.zeros_like(log_sum),
            f"finite in {name}": bool(output.isfinite().all()),
        }
    return found


def queries_far_apart(impl, seed):
    scores = normal(seed + 8, 3, 9, dtype=torch.float64) + torch.tensor([[0.0], [-3000.0], [3000.0]])
    return online(impl, scores, normal(seed + 9, 9, 4, dtype=torch.float64), (3, 3, 3))


def a_gradient_through_blocks(impl, seed):
    values = normal(seed + 1, 6, 3, dtype=torch.float64)

    def call(scores):
        return impl.online_softmax(handed_over(scores, values, (2, 4)))[0]

    return with_gradient(call, seed, normal(seed + 2, 5, 6, dtype=torch.float64))


def two_scores_of_the_workbook(impl, seed):
    scores, values = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64), torch.tensor([[8.0], [4.0]]).double()
    return online(impl, scores, values, (1, 1))


# ---------------------------------------------------------------- all of them

PROBES = {
    "shape_puzzles": [the_puzzles],
    "softmax": [ordinary_scores, scores_far_from_zero, scores_of_minus_infinity, a_row_of_minus_infinity, one_row,
                number_formats, small_weights, one_score_alone, gradients_of_scores,
                gradients_of_rows_of_minus_infinity, scores_of_the_workbook],
    "scaled_dot_product_attention": [queries_keys_and_values, without_batch_or_heads, a_mask_for_each_query,
                                     a_mask_for_each_sequence, a_query_that_may_see_nothing, dropout_in_training,
                                     dropout_at_evaluation, dropout_of_zero, half_precision, scores_that_overflow_exp,
                                     a_hidden_key_that_matches_far_better, masks_that_are_refused,
                                     a_mask_for_each_weight_and_dropout_for_all_heads, axes_of_one,
                                     three_words_of_the_workbook],
    "causal_mask": [as_many_queries_as_keys, new_queries_after_a_cache, more_queries_than_keys,
                    no_keys_at_all],
    "padding_mask": [lengths_of_a_batch, more_positions_than_the_longest_has, an_empty_and_a_full_sequence,
                     lengths_that_are_refused],
    "split_heads": [numbered_channels, one_head_and_heads_of_one_channel, head_counts_that_do_not_divide,
                    one_sequence_or_one_position_to_split, float64_and_a_gradient_to_split],
    "merge_heads": [numbered_heads, heads_that_are_a_view, one_head, one_sequence_or_one_position_to_merge,
                    float64_and_a_gradient_to_merge],
    "multi_head_attention": [self_attention, self_attention_with_a_causal_mask, cross_attention,
                             cross_attention_over_as_many_tokens, a_mask_for_each_head, one_query,
                             float32_without_bias,
                             a_gradient_through_the_layer],
    "online_softmax": [three_blocks, blocks_of_unequal_size, a_single_block, scores_in_the_thousands,
                       queries_far_apart, queries_that_see_nothing, a_gradient_through_blocks, blocks_held_at_once,
                       number_formats_of_blocks,
                       two_scores_of_the_workbook],
}  # fmt: skip


ALONE = {  # what does not combine: {task: {sentence: (hint, implementation)}}
    "softmax": {
        "a softmax that adds a small number to its sum": (
            "The sum is at least 1, because the largest exponential is 1. What is there to be afraid of?",
            softmax_plus_a_little),
        "a softmax with powers of 2 in place of powers of e": (
            "The scores 0 and ln 3 should give 0.25 and 0.75.", softmax_of_powers_of_two),
        "a softmax that computes in float32, whatever the format is": (
            "float64 comes in: how many digits are left after `float()`?", softmax_in_float32),
        "a softmax whose sum passes no gradient": (
            "When one score grows, the other weights shrink. Through which line does the gradient learn of it?",
            softmax_with_the_sum_cut_off),
        "a softmax that clamps the scores in place of subtracting the largest": (
            "The scores 90 and 100 are both clamped to 80. Which weights should they have?",
            softmax_of_clamped_scores),
        "a softmax that mends NaN afterwards: the weights are right, the gradient is still NaN": (
            "What does the backward pass multiply with: the mended weight, or the NaN before it?",
            softmax_mended_afterwards),
    },
    "scaled_dot_product_attention": {
        "an attention that masks AFTER the softmax and divides by what is left": (
            "A hidden score is 1000 above the others. What has the softmax left of them?",
            attention_with(weigh_and_mask_again)),
        "an attention that takes a FIXED number off hidden scores": (
            "A hidden score is far larger than that number. What is left above the others?",
            attention_with(weigh_with_a_fixed_penalty)),
        "an attention that divides by 1 - dropout_p at evaluation too": (
            "Nothing is dropped at evaluation. What is there to make up for?", attention_with(weigh_and_always_divide)),
        "an attention that makes the kept weights sum to one again": (
            "By which number are the kept weights divided: by one that you choose, or by their sum?",
            attention_with(weigh_and_sum_to_one_again)),
        "an attention that drops scores BEFORE the softmax": (
            "Weights are dropped. Do the other weights of the row change before they are divided by 1 - dropout_p?",
            attention_with(weigh_with_dropped_scores)),
        "an attention whose √d is cut to a whole number": (
            "What is the root of 7?", attention_with(weigh_rightly, root=math.isqrt)),
        "an attention that takes a mask of any dtype": (
            "A mask of 0 and -inf comes from another library: which of the two is True?",
            attention_with(weigh_rightly, any_mask=True)),
        "an attention that computes in float32 and returns float32": (
            "float16 comes in. What does the next layer need?", attention_with(weigh_rightly, up=torch.float32)),
    },
    "causal_mask": {
        "a mask that takes `key_len` = 0 for left out": (
            "What is `0 or 3` in Python?", causal_with_none_for_left_out),
    },
    "padding_mask": {
        "a mask as wide as the longest sequence": (
            "All sequences are shorter than the batch is wide. How many columns has the mask?",
            padding_checked(as_wide_as_the_longest)),
        "a mask that takes the lengths for sorted, and checks the first and the last alone": (
            "Which of the lengths is the longest: always the first?", padding_for_sorted_lengths),
        "a mask of zeros and ones": ("What is the dtype of a comparison?", padding_checked(of_numbers)),
        "a mask that hides padding from looking, too: (B, 1, Tk, Tk)": (
            "Must padding not be looked AT, or must it not look?", padding_checked(for_queries_too)),
    },
    "split_heads": {
        "a split that passes no gradient": (
            "How would q_proj learn?", lambda x, heads: split_right(x, heads).detach()),
        "a split whose output is always float32": (
            "`torch.zeros` makes float32. What is x?", lambda x, heads: split_right(x, heads).float()),
        "a split that drops the batch's axis where it is 1": (
            "One sequence is a batch, too. How many axes has x?", lambda x, heads: split_right(x, heads).squeeze(0)),
    },
    "merge_heads": {
        "a merge that passes no gradient": (
            "How would the layers before it learn?", lambda x: x.transpose(1, 2).flatten(2).detach()),
        "a merge whose output is always float32": (
            "`torch.empty` makes float32. What is x?", lambda x: x.transpose(1, 2).flatten(2).float()),
        "a merge that drops the batch's axis where it is 1": (
            "One sequence is a batch, too. How many axes shall the output have?",
            lambda x: x.transpose(1, 2).flatten(2).squeeze(0)),
        "a merge with its heads in reverse": (
            "Which channels of a position belong to head 0?", lambda x: x.flip(1).transpose(1, 2).flatten(2)),
    },
    "multi_head_attention": {
        "a layer that deals channels out in turn: 0, H, 2H, … to head 0": (
            "The first D channels of every position belong to head 0.",
            layer_with(split=dealt_in_turn, merge=lambda y: y.permute(0, 2, 3, 1).flatten(2))),
        "a layer whose softmax runs over the HEADS": (
            "Whose weights must sum to one?", layer_with(weigh=lambda scores: plain_softmax(scores, 1))),
        "a layer that adds x to its output": (
            "The sum with x is made in the block around this layer. Is it in the equation?", layer_with(residual=True)),
        "a layer that attends with all channels at once, and shows that for each head": (
            "How many channels does one head multiply?", layer_with(split=not_split, merge=lambda y: y[:, 0])),
        "a layer that exchanges q_proj and k_proj": (
            "Which of the two layers makes what x asks?", layer_with(q_of="k_proj", k_of="q_proj")),
        "a layer that is causal without a mask": (
            "`attention_mask` is None: which keys are hidden?", layer_with(causal=True)),
        "a layer that hides for every head what the mask hides for head 0": (
            "(B, H, Tq, Tk): may each head have a mask of its own?", layer_with(first=True)),
        "a layer whose weights pass no gradient": (
            "How would q_proj and k_proj learn?", layer_with(cut=True)),
    },
    "online_softmax": {
        "an online softmax whose largest score starts at 0": (
            "All scores of a query are near -3000. What is exp(score - 0)?", online_from(0.0)),
        "an online softmax with one largest score for ALL queries": (
            "One query's scores are 3000 below another's. What is left of them after exp?",
            online_from(-INF, lambda scores: scores.amax())),
        "an online softmax that averages the blocks' outputs": (
            "One block may hold nearly all of the weight. How much of the output should it make?",
            online_mean_of_blocks),
    },
}  # fmt: skip


def of(task):
    """Every known mistake of a task."""
    for sentence, (hint, implementation) in ALONE.get(task, {}).items():
        yield Mistake(task, sentence, hint, 1, implementation)
    yield from {
        "shape_puzzles": puzzle_mistakes,
        "softmax": lambda: combine(
            task, "a softmax", {"shift": SHIFT, "summed": SUM, "empty": EMPTY, "format_": FORMAT},
            wrong_softmax, SOFTMAX_HINTS,
            without=[(s, x) for s in SUM[1:] for x in (*EMPTY[1:], SHIFT[2])]),
        "scaled_dot_product_attention": lambda: combine(
            task, "an attention",
            {"scale": SCALE, "mask": MASK, "axis": AXIS, "nothing": NOTHING, "dropout": DROPOUT},
            wrong_attention, ATTENTION_HINTS, without=[(m, NOTHING[1]) for m in MASK[1:]]
            + [(d, x) for d in DROPOUT[1:] for x in (*SCALE[1:], *MASK[1:], *AXIS[1:], *NOTHING[1:])]),
        "causal_mask": lambda: combine(
            task, "a mask", {"reach": REACH, "aligned": ALIGNED, "sense": SENSE, "kind": KIND},
            wrong_causal, CAUSAL_HINTS,
            without=[(reach, sense) for reach in REACH[1:] for sense in SENSE[1:]]),
        "padding_mask": lambda: combine(
            task, "a mask",
            {"sense": PAD_SENSE, "count": PAD_COUNT, "side": PAD_SIDE, "shape": PAD_SHAPE, "check": PAD_CHECK},
            wrong_padding, PADDING_HINTS),
        "split_heads": lambda: combine(task, "a split", {"how": SPLIT}, wrong_split, SPLIT_HINTS),
        "merge_heads": lambda: combine(task, "a merge", {"how": MERGE}, wrong_merge, MERGE_HINTS),
        "multi_head_attention": lambda: combine(
            task, "a layer",
            {"source": SOURCE, "left_out": LEFT_OUT, "heads_": HEADS, "width": WIDTH, "passed": PASSED, "shown": SHOWN},
            wrong_multi, MULTI_HINTS, most=1),
        "online_softmax": lambda: combine(
            task, "an online softmax",
            {"total": TOTAL, "output": OUTPUT, "factor": FACTOR, "largest": LARGEST, "blind": BLIND, "log": LOG,
             "keeps": KEEPS},
            wrong_online, ONLINE_HINTS,
            without=[(f, x) for f in FACTOR[1:] for x in (TOTAL[1], *OUTPUT[1:], *LARGEST[1:])]
            + [(x, y) for x in LARGEST[1:] for y in (TOTAL[1], *OUTPUT[1:])] + [(LARGEST[2], LOG[1])]),
    }[task]()  # fmt: skip
