"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import hashlib
import io
import math
import os
import random
from collections import Counter as Count
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from given import (
    TINY,
    Compiled,
    Counter,
    Draws,
    Drop,
    Unsavable,
    folder,
    generator,
    generators,
    helper_of,
    inode,
    integers,
    plain_newton_schulz,
    randn,
    sizes_on_disk_before_the_move,
    tangled,
    tied_model,
    trained_parts,
)
from grader import combine, error_of
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from capstone_gpt import CausalSelfAttention, Value

TASKS = [
    "backward",
    "kneser_ney",
    "batchnorm_backward",
    "windows",
    "Sampler",
    "GPT",
    "load_gpt2",
    "param_groups",
    "adamw",
    "muon",
    "cosine_lr",
    "train_step",
    "Checkpoint",
    "evaluate",
]
GIVEN = ["Value", "CausalSelfAttention", "GPTConfig"]
INPLACE = ["adamw", "muon"]
GATE_SEEDS = 2
SECONDS = {"kneser_ney": 12.0, "muon": 12.0}

# ---------------------------------------------------------------- backward

ADD = [
    "+=",
    "that sets a gradient with `=`, so that the last path wins",
    "that gives ONE share to a value which is a parent twice",
]
ORDER = [
    "topological",
    "that goes level by level from the output, so that a value passes its gradient on too early",
    "that follows every path at once, so that a gradient is passed on again each time it grows",
    "whose order comes from a RECURSIVE function: a deep graph ends in a RecursionError",
    "that walks depth first and passes a gradient on when a value is FIRST met",
    "that notes a value as seen when it goes onto the list, before its turn: parents can stand after their users",
]
ZERO = [
    "zeroed",
    "that leaves old gradients in place: a second call adds to the first",
    "that zeroes the inputs only: the values in between keep their old gradients",
    "that zeroes only what is made from others: the INPUTS add up from call to call, as PyTorch's leaves do",
]
ENGINE_HINTS = {
    ADD[1]: "A value that is used twice reaches the output on two paths. What does the chain rule do with two paths?",
    ADD[2]: "In x * x, how many parents has the product, and how many of them are x?",
    ORDER[1]: "When may a value pass its gradient on: before or after all that use it have added theirs?",
    ORDER[2]: "How often does each value pass on its gradient, and how complete is it by then?",
    ORDER[3]: "How deep may Python's calls be? How long is a text of ten thousand tokens?",
    ORDER[4]: "A value is used by two others. The first of them has been walked through: is its gradient complete?",
    ORDER[5]: "A value is found twice, the second time deeper. Which of the two finds decides where it stands?",
    ZERO[1]: "What is in `grad` when you call it for the second time?",
    ZERO[2]: "After the first call, what do the values in the MIDDLE of the graph hold?",
    ZERO[3]: "PyTorch adds to old gradients, so that micro-batches can be summed. What is promised here?",
}


def wrong_backward(add, order, zero):
    def put(value, g):
        value.grad = g if add == ADD[1] else value.grad + g

    def levels(output):
        found, todo = [], [output]
        while todo:
            v = todo.pop(0)
            if v not in found:
                found.append(v)
                todo += v.parents
        return found

    def recursive(output, found):
        if output not in found:
            for parent in output.parents:
                recursive(parent, found)
            found[output] = True
        return found

    def topological(output):
        found, done, todo = [], set(), [output]
        while todo:
            v = todo[-1]
            waits = [p for p in v.parents if p not in done]
            todo += waits
            if not waits:
                todo.pop()
                if v not in done:
                    done.add(v)
                    found.append(v)
        return found

    def at_once(output, early):
        """Depth first without recursion. `early`: in the order of the first visits, not of completion."""
        found, seen, todo = [], {output}, [(output, False)]
        if early:
            seen = set()
        while todo:
            v, done = todo.pop()
            if early and v not in seen:
                seen.add(v)
                found.append(v)
                todo += [(p, False) for p in v.parents]
            elif not early and done:
                found.append(v)
            elif not early:
                new = [p for p in dict.fromkeys(v.parents) if p not in seen]
                seen.update(new)
                todo += [(v, True)] + [(p, False) for p in new]
        return found if early else found[::-1]

    def paths(v):
        for parent, local in zip(v.parents, v.local_grads, strict=True):
            put(parent, local * v.grad)
            paths(parent)

    def backward(output):
        everything = topological(output)
        if zero == ZERO[0]:
            for v in everything:
                v.grad = 0.0
        elif zero == ZERO[2]:
            for v in everything:
                v.grad = v.grad if v.parents else 0.0
        elif zero == ZERO[3]:
            for v in everything:
                v.grad = 0.0 if v.parents else v.grad
        output.grad = 1.0
        if order == ORDER[2]:
            paths(output)
            return
        walk = levels(output) if order == ORDER[1] else everything[::-1]
        if order == ORDER[3]:
            walk = list(recursive(output, {}))[::-1]
        if order in ORDER[4:]:
            walk = at_once(output, order == ORDER[4])
        for v in walk:
            shares = list(zip(v.parents, v.local_grads, strict=True))
            for parent, local in dict(shares).items() if add == ADD[2] else shares:
                put(parent, local * v.grad)

    return backward


def grads(values):
    return [v.grad for v in values]


def an_expression_whose_values_are_used_at_several_depths(impl, seed):
    values, output = tangled(seed)
    returned = impl.backward(output)
    return {"the gradients": grads(values), "the output's gradient": output.grad, "returned": returned}


def a_value_used_twice(impl, seed):
    a = Value(1.5 + seed % 5)
    output = a * a + a
    impl.backward(output)
    return {"the gradient": a.grad}


def the_second_call(impl, seed):
    values, output = tangled(seed)
    impl.backward(output)
    impl.backward(output)
    return {"the gradients after two calls": grads(values), "the output's gradient": output.grad}


def a_value_beside_one_that_is_made_from_it(impl, seed):
    a = Value(0.3 + 0.1 * (seed % 5))
    b = a * 3.0
    c = b.tanh()
    found = {}
    for name, output in {"b + c": b + c, "c + b": c + b, "b * c + c": b * c + c}.items():
        impl.backward(output)
        found[f"the gradients of {name}"] = grads([a, b, c])
    return found


def a_smaller_output_after_a_larger_one(impl, seed):
    a, b = Value(2.5), Value(-1.5)
    product = a * b
    impl.backward(product * product + a)
    impl.backward(product)
    return {"the gradients of the smaller output": grads([a, b, product])}


def a_value_alone(impl, seed):
    a = Value(3.0)
    impl.backward(a)
    return {"its gradient": a.grad}


def a_chain_of_two_thousand(impl, seed):
    x = Value(1.0)
    y = x
    for _ in range(2000):
        y = y * 1.001
    return {"the error": error_of(lambda: impl.backward(y)), "the gradient": x.grad}


def the_products_of_the_workbook(impl, seed):
    a, b = Value(2.0), Value(3.0)
    c = a * b
    output = c + a
    impl.backward(output)
    return {"the gradients of a, b, c": grads([a, b, c])}


# ---------------------------------------------------------------- kneser_ney

COUNTS = [
    "right",
    "that uses RAW counts at the lower orders, where the number of different tokens before belongs",
    "that counts the different tokens before at the HIGHEST order too",
    "that counts, at every lower order, the different LONGEST n-grams with this end",
]
DISCOUNT = [
    "three",
    "with ONE discount for all counts",
    "WITHOUT discounts",
    "whose n(4) is 0 where no n-gram has this count, and not 1",
    "whose discounts may be NEGATIVE",
    "that takes 1 for an empty count BELOW the fractions only, and 0 above them",
]
UNSEEN = [
    "backed off",
    "that gives a context which was never seen the UNIFORM distribution",
    "that gives a context which was never seen all ZEROS",
]
MIX = ["interpolated", "that uses the shorter context only for tokens that the longer one has NOT seen"]
END = ["right", "that takes the FIRST tokens of a context that is too long, where the last belong"]
BASE = ["uniform below", "whose unigrams do not rest on the uniform distribution"]
DIGITS = ["float64", "that counts in FLOAT32: seven digits of the sixteen"]
NGRAM_HINTS = {
    DIGITS[1]: "The sum of a row: how far from 1 is it, in float64?",
    COUNTS[1]: "After an unseen word, is `Francisco` as likely as its count says? What does it follow?",
    COUNTS[2]: "The longest n-grams: what are they for, their frequency or their variety?",
    COUNTS[3]: "Order 3, the token w: is `a b w` another token before w than `c b w`?",
    DISCOUNT[1]: "How many discounts are there, and which counts do they belong to?",
    DISCOUNT[3]: "D(3) reads n(3) and n(4). What is promised about a count that no n-gram has?",
    DISCOUNT[5]: "n(c) stands above and below the fractions. Where is it 1, if no n-gram has the count c?",
    DISCOUNT[4]: "D(2) is below 0 when many n-grams have the count 3. What does the formula do then?",
    DISCOUNT[2]: "Where does the mass for unseen tokens come from?",
    UNSEEN[1]: "The longer context says nothing. Who says something about what follows?",
    UNSEEN[2]: "A text with one new context would have probability zero. What is left if a context is unknown?",
    MIX[1]: "In the formula, for which tokens is the shorter context's share added?",
    END[1]: "Which tokens of a long context are nearest to the next one?",
    BASE[1]: "A token that the text does not have: what is its probability?",
}


def wrong_kneser_ney(counts, discount, unseen, mix, end, base, digits):
    def kneser_ney(tokens, contexts, order, vocab_size):
        def grams(n):
            return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

        tables = []
        for n in range(1, order + 1):
            raw = n == order and counts != COUNTS[2] or counts == COUNTS[1]
            c = Count(grams(n)) if raw else Count(g[1:] for g in set(grams(n + 1)))
            if counts == COUNTS[3] and n < order:
                c = Count(g[order - n :] for g in set(grams(order)))
            found = [list(c.values()).count(i) for i in range(5)]
            sizes = [max(1, k) for k in found]
            above = found if discount == DISCOUNT[5] else [*sizes[:4], found[4]] if discount == DISCOUNT[3] else sizes
            y = sizes[1] / (sizes[1] + 2 * above[2])
            least = -math.inf if discount == DISCOUNT[4] else 0.0
            D = [0.0] + [max(least, i - (i + 1) * y * above[i + 1] / sizes[i]) for i in (1, 2, 3)]
            D = {DISCOUNT[1]: [0.0, y, y, y], DISCOUNT[2]: [0.0] * 4}.get(discount, D)
            rows = defaultdict(dict)
            for g, x in c.items():
                rows[g[:-1]][g[-1]] = x
            tables.append((rows, D))
        made = []
        for context in contexts:
            p = torch.full((vocab_size,), 1 / vocab_size if base == BASE[0] else 0.0, dtype=torch.float64)
            for length in range(min(order - 1, len(context)) + 1):
                rows, D = tables[length]
                part = context[:length] if end == END[1] else context[len(context) - length :]
                row = rows.get(tuple(part))
                if row is None:
                    if unseen != UNSEEN[0]:
                        p = torch.full_like(p, 1 / vocab_size if unseen == UNSEEN[1] else 0.0)
                    break
                total = sum(row.values())
                share = sum(D[min(x, 3)] for x in row.values()) / total
                p = share * p
                for w, x in row.items():
                    lower = 0 if mix == MIX[1] else p[w]
                    p[w] = (x - D[min(x, 3)]) / total + lower
            made.append(p.float().double() if digits == DIGITS[1] else p)
        return torch.stack(made)

    return kneser_ney


def text(seed, vocab=6, n=120):
    weights = torch.tensor([8.0, 4, 2, 2, 1, 1][:vocab])
    return torch.multinomial(weights, n, replacement=True, generator=generator(seed)).tolist()


def contexts_of_every_length(impl, seed):
    return impl.kneser_ney(text(seed), [(), (0,), (1, 0), (0, 2)], 3, 7)


def contexts_never_seen(impl, seed):
    return impl.kneser_ney(text(seed), [(6,), (6, 0), (6, 6), (0, 6)], 3, 7)


def contexts_that_are_longer_than_needed(impl, seed):
    return impl.kneser_ney(text(seed), [(1, 0, 2), (0, 0, 1, 1)], 2, 6)


def unigrams_only(impl, seed):
    return impl.kneser_ney(text(seed, n=40), [(), (1,)], 1, 8)


def the_longest_contexts_of_four(impl, seed):
    tokens = text(seed, n=200)
    return impl.kneser_ney(tokens, [tuple(tokens[i : i + 3]) for i in range(9)], 4, 6)


def the_six_tokens_of_the_workbook(impl, seed):
    return impl.kneser_ney([0, 0, 1, 0, 1, 2], [(), (0,)], 2, 3)


def counts_whose_second_discount_is_zero(impl, seed):
    return impl.kneser_ney([0, 1, 2, 2, 3, 3, 3, 4, 4, 4], [()], 1, 6)


def the_digits_of_a_row(impl, seed):
    sums = impl.kneser_ney(text(seed), [(0,), (1,), (2,), (3, 0), (0, 1)], 3, 7).sum(-1)
    return {"each row is 1 to twelve digits": [abs(s - 1) < 1e-12 for s in sums.tolist()]}


def a_text_that_repeats(impl, seed):
    return impl.kneser_ney([0, 1, 2] * 12 + [0, 2], [(0,), (1,), (2, 0)], 3, 4)


# ---------------------------------------------------------------- batchnorm_backward

PATHS = [
    "right",
    "that drops the path through the VARIANCE",
    "that drops the path through the MEAN",
    "with n where n - 1 belongs",
    "whose variance divides by n where n - 1 belongs",
    "whose variance divides by n in x̂, and by n - 1 in the last term",
    "that adds eps to the deviation, where it belongs under the root",
]
PARAMETERS = [
    "right",
    "whose dgamma uses x, where the normalised x belongs",
    "whose dgamma and dbeta are MEANS, where sums belong",
]
GAIN = ["kept", "that forgets gamma in dx"]
NORM_HINTS = {
    PATHS[1]: "Move one x: does the deviation of its channel stay as it was?",
    PATHS[2]: "Move one x: do the other rows' outputs stay as they were?",
    PATHS[3]: "The variance is a sum divided by n - 1. Does its derivative divide by n?",
    PATHS[4]: "The forward pass divides by n - 1. Which deviation is in the output?",
    PATHS[5]: "`var` has an argument. Which divisor has the variance of the forward pass?",
    PATHS[6]: "Is it the root of v plus eps, or the root of v + eps?",
    PARAMETERS[1]: "gamma multiplies something in the forward pass. What?",
    PARAMETERS[2]: "gamma is used once for every row. What does the chain rule do with many uses?",
    GAIN[1]: "What stands between the output and the normalised x?",
}


def wrong_batchnorm(paths, parameters, gain):
    def batchnorm_backward(dy, x, gamma, eps=1e-5):
        n = len(x)
        inverse = (x.var(0, unbiased=paths not in (PATHS[4], PATHS[5])) + eps).rsqrt()
        if paths == PATHS[6]:
            inverse = 1 / (x.std(0) + eps)
        x_hat = (x - x.mean(0)) * inverse
        dbeta, dgamma = dy.sum(0), (dy * x_hat).sum(0)
        divisor = n if paths in (PATHS[3], PATHS[4]) else n - 1
        inner = dy
        if paths != PATHS[2]:
            inner = inner - dbeta / n
        if paths != PATHS[1]:
            inner = inner - x_hat * dgamma / divisor
        dx = inverse * inner * (gamma if gain == GAIN[0] else 1)
        if parameters == PARAMETERS[1]:
            dgamma = (dy * x).sum(0)
        elif parameters == PARAMETERS[2]:
            dgamma, dbeta = dgamma / n, dbeta / n
        return dx, dgamma, dbeta

    return batchnorm_backward


def named_gradients(got):
    dx, dgamma, dbeta = got
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


def five_rows_of_three_channels(impl, seed):
    x, dy, gamma = randn(seed, 5, 3) * 2 + 1, randn(seed + 1, 5, 3), randn(seed + 2, 3)
    return named_gradients(impl.batchnorm_backward(dy, x, gamma))


def a_large_eps_in_float32(impl, seed):
    f = torch.float32
    x, dy, gamma = randn(seed, 7, 2, dtype=f) + 3, randn(seed + 1, 7, 2, dtype=f), randn(seed + 2, 2, dtype=f)
    return named_gradients(impl.batchnorm_backward(dy, x, gamma, 0.5))


def rows_that_hardly_differ(impl, seed):
    x, dy, gamma = 2e-3 * randn(seed, 4, 3), randn(seed + 1, 4, 3), randn(seed + 2, 3)
    return named_gradients(impl.batchnorm_backward(dy, x, gamma))


def two_rows_of_one_channel(impl, seed):
    x, dy = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [0.25 * (seed % 3)]])
    return named_gradients(impl.batchnorm_backward(dy, x, torch.tensor([3.0]), 0.1))


# ---------------------------------------------------------------- windows

SHIFT = [
    "by one",
    "whose targets are the inputs themselves (UNSHIFTED)",
    "whose targets are shifted TWICE",
    "whose targets are shifted inside of each window, so that the last one is the window's first token",
]
COUNT = ["all", "that loses the LAST window", "whose windows OVERLAP: each begins one token after the other"]
SPLIT = [
    "right",
    "whose VALIDATION windows come from the training split",
    "that takes validation from the beginning of the text",
    "whose training windows go over the whole text, validation included",
    "whose boundary is ROUNDED to the nearest token, where int() cuts off",
    "whose validation begins one token early, with the last one of the training",
    "that cuts off the VALIDATION part, so that the training part is rounded up",
    "that takes other names than train and valid, such as val",
]
WINDOW_HINTS = {
    SHIFT[1]: "What would a model have to do to predict y from x here?",
    SHIFT[2]: "The token right after x[0, 0] in the text: is it y[0, 0]?",
    SHIFT[3]: "The target of a window's last input stands in the next window.",
    COUNT[1]: "How many windows of 3 fit into 7 tokens, if every target is there?",
    COUNT[2]: "At which token does the second window begin?",
    SPLIT[1]: "Which part of the text begins at int(n · (1 - fraction))?",
    SPLIT[2]: "Which part of the text is trained on: the first or the last?",
    SPLIT[4]: "71 tokens, a tenth for validation: how much is int(63.9)?",
    SPLIT[5]: "The first token of validation: is it in the training part too?",
    SPLIT[6]: "71 tokens, a tenth for validation: is the part for training int(63.9), or 71 - int(7.1)?",
    SPLIT[7]: "A typing error in the split's name: when should the run find out?",
    SPLIT[3]: "May a model be trained on what it is validated on?",
}


def wrong_windows(shift, count, split_):
    def windows(tokens, seq_len, split="train", valid_fraction=0.1):
        if split_ == SPLIT[7] and split.startswith("val"):
            split = "valid"
        if split not in ("train", "valid"):
            raise ValueError(split)
        n, T = len(tokens), seq_len
        boundary = n - int(n * valid_fraction) if split_ == SPLIT[6] else int(n * (1 - valid_fraction))
        if split_ == SPLIT[4]:
            boundary = round(n * (1 - valid_fraction))
        train, valid = tokens[:boundary], tokens[boundary:]
        if split_ == SPLIT[1]:
            valid = train[len(train) - len(valid) :]
        elif split_ == SPLIT[2]:
            valid, train = tokens[: n - boundary], tokens[n - boundary :]
        elif split_ == SPLIT[3]:
            train = tokens
        elif split_ == SPLIT[5]:
            valid = tokens[boundary - 1 :]
        part = train if split == "train" else valid
        far = 2 if shift == SHIFT[2] else 1
        N = (len(part) - far) // T
        if N < 1:
            raise ValueError("short")
        if count == COUNT[2]:
            first = torch.arange(len(part) - T - far + 1)
        else:
            first = torch.arange(N - (count == COUNT[1])) * T
        x = part[first[:, None] + torch.arange(T)]
        if shift == SHIFT[3]:
            return x, x.roll(-1, 1)
        return x, part[first[:, None] + torch.arange(T) + (0 if shift == SHIFT[1] else far)]

    return windows


def named_windows(got):
    return {"the inputs": got[0], "the targets": got[1]}


def training_windows(impl, seed):
    return named_windows(impl.windows(integers(seed, 50, 83), 7))


def validation_windows(impl, seed):
    return named_windows(impl.windows(integers(seed, 50, 200), 5, "valid", 0.3))


def a_text_that_windows_fill_exactly(impl, seed):
    return named_windows(impl.windows(integers(seed, 50, 40), 4, "train", 0.175))


def a_boundary_between_two_tokens(impl, seed):
    found = {}
    for n in (141, 142, 146):
        for split in ("train", "valid"):
            found[f"{split}, {n} tokens"] = named_windows(impl.windows(integers(seed, 50, n), 7, split))
    return found


def windows_of_one_token(impl, seed):
    return named_windows(impl.windows(integers(seed, 50, 12), 1, "valid", 0.25))


def windows_that_are_refused(impl, seed):
    tokens = integers(seed, 50, 20)
    cases = {
        "a split called test": (3, "test", 0.5),
        "val": (3, "val", 0.5),
        "validation": (3, "validation", 0.5),
        "Train": (3, "Train", 0.5),
        "19 of 18 tokens": (19, "train", 0.1),
        "18 of 18": (18, "train", 0.1),
    }
    cases |= {"17 of 18": (17, "train", 0.1), "2 of 2 for validation": (2, "valid"), "1 of 2": (1, "valid")}
    return {name: error_of(lambda case=case: impl.windows(tokens, *case)) for name, case in cases.items()}


def the_ten_tokens_of_the_workbook(impl, seed):
    return named_windows(impl.windows(torch.arange(10, 20), 3, "train", 0.2))


# ---------------------------------------------------------------- Sampler

STATE = [
    "both",
    "that saves the position only, so that a resumed run repeats the first epoch's order",
    "whose next epoch begins right AFTER the last batch, not when a batch is asked for that does not fit",
    "whose position counts the indices of ONE rank, where those of all ranks together belong",
    "that gives its OWN dict away: a saved state moves on with the sampler",
    "that goes on in the dict which it has loaded, and so changes its caller's",
]
RESTORE = ["right", "that restores the numbers and keeps the ORDER of the epoch it was in"]
SEED = ["moves on", "that shuffles with the same seed in EVERY epoch", "that draws from the global generator"]
RANK = [
    "its part",
    "that gives every rank the SAME slice",
    "that gives rank r every world_size-th index, where a block belongs",
    "whose position moves on by one rank's batch, so that ranks meet the same samples again",
]
TAIL = ["left out", "that gives a shorter batch at the end of an epoch"]
SIZE = [
    "checked",
    "that does not refuse a global batch which is larger than the data",
    "that refuses a global batch which is exactly as LARGE as the data",
]
SAMPLER_HINTS = {
    STATE[1]: "A run is killed in its third epoch. What does the position alone say?",
    STATE[2]: "Seven samples in batches of three, two batches are drawn: how many indices of which epoch are used up?",
    STATE[3]: "Two ranks with batches of two have taken one step. How many indices are used up?",
    STATE[4]: "A state is taken, and three batches are drawn. Which position does the saved state show?",
    STATE[5]: "Two samplers load the same dict and go on. Whose numbers are in it?",
    RESTORE[1]: "After loading the state of epoch 2, whose permutation is in memory?",
    SEED[1]: "Look at the first batch of two epochs.",
    SEED[2]: "Who else draws from the global generator, and how often?",
    RANK[1]: "Two processes with the same batch: what is their mean gradient worth?",
    RANK[2]: "With two ranks and a batch of two: which of the four indices belong to rank 0?",
    RANK[3]: "How many samples do all ranks together use up in one step?",
    TAIL[1]: "Seven samples in batches of three: what is promised about the seventh?",
    SIZE[2]: "Six samples, three ranks of two: is one of them missing?",
    SIZE[1]: "Three ranks of two samples each, and five samples: who goes without?",
}


def wrong_sampler(state, restore, seed_, rank_, tail, size_):
    class Sampler:
        def __init__(self, size, batch_size, seed=0, rank=0, world_size=1):
            most = {SIZE[1]: math.inf, SIZE[2]: size - 1}.get(size_, size)
            if batch_size * world_size > most:
                raise ValueError("size")
            self.size, self.batch_size, self.seed, self.rank, self.world = size, batch_size, seed, rank, world_size
            self.at = {"epoch": 0, "position": 0}
            self.shuffle()

        epoch = property(lambda self: self.at["epoch"])
        position = property(lambda self: self.at["position"])

        def shuffle(self):
            own = self.seed + (self.epoch if seed_ == SEED[0] else 0)
            g = None if seed_ == SEED[2] else torch.Generator().manual_seed(own)
            self.order = torch.randperm(self.size, generator=g)

        def __iter__(self):
            return self

        def __next__(self):
            B, W, r = self.batch_size, self.world, self.rank
            end = self.size if tail == TAIL[1] else self.size - B * W + 1
            if self.position >= max(end, 1):
                self.at.update(epoch=self.epoch + 1, position=0)
                self.shuffle()
            block = self.order[self.position : self.position + B * W]
            self.at["position"] += B if rank_ == RANK[3] else B * W
            if rank_ == RANK[2]:
                return block[r::W]
            return block[:B] if rank_ == RANK[1] else block[r * B : r * B + B]

        def state_dict(self):
            both = self.at if state == STATE[4] else dict(self.at)
            if state == STATE[2] and self.position > self.size - self.batch_size * self.world:
                return {"epoch": self.epoch + 1, "position": 0}
            if state == STATE[3]:
                return both | {"position": self.position // self.world}
            return {"position": self.position} if state == STATE[1] else both

        def load_state_dict(self, found):
            self.at = found if state == STATE[5] else {"epoch": found.get("epoch", 0), "position": found["position"]}
            self.at["position"] *= self.world if state == STATE[3] else 1
            if restore == RESTORE[0]:
                self.shuffle()

    return Sampler


def drawn(sampler, n):
    return [next(sampler) for _ in range(n)]


def three_epochs_of_one_rank(impl, seed):
    return {"the batches": drawn(impl.Sampler(11, 3, seed), 9)}


def each_of_three_ranks(impl, seed):
    return {f"rank {r}": drawn(impl.Sampler(14, 2, seed, r, 3), 5) for r in range(3)}


def after_a_resume(impl, seed):
    sampler = impl.Sampler(10, 3, seed=seed)
    drawn(sampler, 7)
    state = sampler.state_dict()
    resumed = impl.Sampler(10, 3, seed=seed)
    drawn(resumed, 4)
    resumed.load_state_dict(dict(state))
    return {"the state": state, "the batches that follow": drawn(resumed, 5), "and of the first": drawn(sampler, 5)}


def the_state_after_each_step(impl, seed):
    found = {}
    for name, case in {"one rank": (7, 3), "the second of two ranks": (9, 2, seed, 1, 2)}.items():
        sampler = impl.Sampler(*case)
        states = [sampler.state_dict()]
        for _ in range(4):
            next(sampler)
            states.append(dict(sampler.state_dict()))
        found[name] = states
    return found


def a_resume_on_another_rank(impl, seed):
    sampler = impl.Sampler(13, 2, seed=seed, rank=1, world_size=2)
    drawn(sampler, 4)
    resumed = impl.Sampler(13, 2, seed=seed, rank=0, world_size=2)
    resumed.load_state_dict(sampler.state_dict())
    return {"the batches of rank 0": drawn(resumed, 4)}


def the_dict_that_was_loaded(impl, seed):
    state = {"epoch": 1, "position": 3}
    first, second = impl.Sampler(10, 3, seed=seed), impl.Sampler(10, 3, seed=seed)
    first.load_state_dict(state)
    batches = drawn(first, 2)
    second.load_state_dict(state)
    return {"the dict afterwards": state, "the batches": batches, "and of a second sampler": drawn(second, 2)}


def sizes_of_data(impl, seed):
    cases = {"5 samples for 3 ranks of 2": (5, 2, 0, 0, 3), "6 samples": (6, 2, 0, 0, 3), "one": (1, 1)}
    cases["2 samples, batch of 3"] = (2, 3)
    return {name: error_of(lambda case=case: impl.Sampler(*case)) for name, case in cases.items()}


def the_global_generator_afterwards(impl, seed):
    before = generators()
    sampler = impl.Sampler(6, 3, seed=seed)
    drawn(sampler, 3)
    return {"the generators are as before": generators() == before, "its own iterator": iter(sampler) is sampler}


def the_defaults(impl, seed):
    return {"the batches": drawn(impl.Sampler(4, 2), 4), "the state": impl.Sampler(4, 2).state_dict()}


# ---------------------------------------------------------------- GPT

FINAL = ["normalised", "WITHOUT the final norm"]
HEAD = ["tied", "whose head is a COPY of the embedding: two tensors"]
GELU = ["tanh", "with the exact GELU (erf), where GPT-2 has its tanh approximation"]
INIT = [
    "right",
    "whose residual branches start as large as everything else",
    "with PyTorch's own initialisation",
    "whose biases are random",
    "whose residual branches are divided by the root of n_layer, where that of 2 n_layer belongs",
    "whose POSITIONS start smaller than the other matrices",
    "whose matrices are UNIFORM with the right deviation, where they should be normal",
    "whose ATTENTION outputs start as large as everything else, although they add to the stream too",
]
PLACE = ["before", "that normalises AFTER each addition (post-norm)"]
POSITIONS = ["added", "WITHOUT position embeddings"]
LENGTH = [
    "checked",
    "that does not refuse more tokens than context_length",
    "that refuses exactly context_length tokens, which still fit",
]
GPT_HINTS = {
    FINAL[1]: "The residual stream grows with every layer. What stands before the head?",
    HEAD[1]: "How many parameters has the model? Does the embedding feel the head's gradient?",
    GELU[1]: "`F.gelu` has an argument. Which form was GPT-2 trained with?",
    INIT[1]: "Each of 2 n_layer branches adds its variance to the stream. What keeps the sum at one?",
    INIT[2]: "Look at the deviation of `wte.weight`. What is promised?",
    INIT[3]: "What is promised about biases?",
    INIT[4]: "How many branches add to the stream in each layer?",
    INIT[5]: "Which matrices have a deviation other than 0.02? Is `wpe` among them?",
    INIT[6]: "Of a normal matrix, how much lies beyond two deviations? And of a uniform one?",
    INIT[7]: "Which two matrices of a block write into the residual stream? What are they called here?",
    PLACE[1]: "In GPT-2, does the residual stream itself ever go through a norm inside a block?",
    POSITIONS[1]: "Exchange two tokens of the prompt: which logits should change?",
    LENGTH[2]: "A table of 1024 positions: how many tokens may a window have?",
    LENGTH[1]: "What is row 1024 of a table with 1024 rows?",
}


def wrong_gpt(final, head, gelu, init, place, positions, length):
    class MLP(nn.Module):
        def __init__(self, C):
            super().__init__()
            self.c_fc, self.c_proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

        def forward(self, x):
            return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh" if gelu == GELU[0] else "none"))

    class Block(nn.Module):
        def __init__(self, C, H):
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(C), CausalSelfAttention(C, H)
            self.ln_2, self.mlp = nn.LayerNorm(C), MLP(C)

        def forward(self, x):
            if place == PLACE[1]:
                x = self.ln_1(x + self.attn(x))
                return self.ln_2(x + self.mlp(x))
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self, config):
            super().__init__()
            c = self.config = config
            self.wte, self.wpe = nn.Embedding(c.vocab_size, c.n_embd), nn.Embedding(c.context_length, c.n_embd)
            self.blocks = nn.ModuleList(Block(c.n_embd, c.n_head) for _ in range(c.n_layer))
            self.ln_f, self.lm_head = nn.LayerNorm(c.n_embd), nn.Linear(c.n_embd, c.vocab_size, bias=False)
            if head == HEAD[0]:
                self.lm_head.weight = self.wte.weight
            for name, p in self.named_parameters():
                if p.ndim == 2 and init != INIT[2]:
                    ends = ("c_proj.weight",) if init == INIT[7] else ("o_proj.weight", "c_proj.weight")
                    last = name.endswith(ends) and init != INIT[1]
                    branches = c.n_layer if init == INIT[4] else 2 * c.n_layer
                    small = init == INIT[5] and name == "wpe.weight"
                    std = 0.02 / math.sqrt(branches) if last else 0.01 if small else 0.02
                    nn.init.normal_(p, std=std)
                    if init == INIT[6]:
                        nn.init.uniform_(p, -std * math.sqrt(3), std * math.sqrt(3))
                elif name.endswith("bias") and init not in (INIT[2], INIT[3]):
                    nn.init.zeros_(p)
            if head == HEAD[1]:
                self.lm_head.weight.data.copy_(self.wte.weight.data)

        def forward(self, tokens):
            T = tokens.shape[1]
            if T > self.config.context_length - (length == LENGTH[2]):
                if length == LENGTH[1]:
                    tokens = tokens[:, -self.config.context_length :]
                    T = tokens.shape[1]
                else:
                    raise ValueError("T")
            x = self.wte(tokens)
            if positions == POSITIONS[0]:
                x = x + self.wpe.weight[:T]
            for block in self.blocks:
                x = block(x)
            return self.lm_head(self.ln_f(x) if final == FINAL[0] else x)

    return GPT


def built(impl, seed):
    """The learner's model with promised weights: random ones, by name."""
    model = impl.GPT(TINY)
    with torch.no_grad():
        for i, (_, p) in enumerate(sorted(model.state_dict().items())):
            p.copy_(0.4 * randn(seed + i, *p.shape, dtype=torch.float32) + (p.ndim == 1))
    return model


def logits_of_a_batch(impl, seed):
    with torch.no_grad():
        return {"the logits": built(impl, seed)(integers(seed, 29, 3, 11))}


def one_token(impl, seed):
    with torch.no_grad():
        return {"the logits": built(impl, seed)(integers(seed, 29, 2, 1))}


def the_parameters(impl, seed):
    model = impl.GPT(TINY)
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters(remove_duplicate=False)}
    keys = sorted(model.state_dict())
    return {"their names and shapes": shapes, "head and embedding are one": model.lm_head.weight is model.wte.weight,
            "the names of the state dict": keys, "its config": model.config is TINY}  # fmt: skip


def the_initial_weights(impl, seed):
    from capstone_gpt import GPTConfig

    model = impl.GPT(GPTConfig(vocab_size=101, context_length=53, n_layer=3, n_head=2, n_embd=48))
    found = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        if p.ndim == 1:
            found[name] = sorted(set(p.tolist()))[:2]
        else:
            small, middle = (abs(p.std().item() / want - 1) < 0.12 for want in (0.02 / math.sqrt(6), 0.02))
            found[name] = "0.02 / sqrt(6)" if small else "0.02" if middle else f"about {p.std().item():.1g}"
            if (p.abs() > 2 * p.std()).float().mean() < 0.01:  # a twentieth of a normal matrix
                found[name] += ", but not normal"
    return {"the deviation of each matrix, the values of each vector": found}


def gradients_reach_the_embedding_from_both_ends(impl, seed):
    model, tokens = built(impl, seed), integers(seed, 29, 2, 7)
    F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten().roll(3)).backward()
    return {"the embedding's gradient": model.wte.weight.grad, "of the positions": model.wpe.weight.grad}


def too_many_tokens(impl, seed):
    model = impl.GPT(TINY)
    return {f"{T} of 11 tokens": error_of(lambda T=T: model(torch.zeros(1, T).long())) for T in (11, 12, 13)}


# ---------------------------------------------------------------- load_gpt2

TRANSPOSE = [
    "right",
    "that leaves every Conv1D matrix as it is (in, out)",
    "that transposes only matrices which would not fit, and leaves the square ones",
    "that transposes the embeddings too",
]
PACKED = ["q, k, v", "that puts k before q", "that takes the packed columns for q, k, v of each head in turn"]
LM_HEAD = [
    "tied",
    "that leaves the head out",
    "whose head is a copy of the embedding",
    "whose head is the FILE's tensor where the file has one, and so not the embedding's",
]
MASKS = ["left out", "that keeps the causal masks of old files",
         "that drops c_attn.bias with the masks: its name ends with attn.bias too"]  # fmt: skip
PREFIX = ["either", 'that reads only names which begin with "transformer."']
UNKNOWN = ["refused", "that passes names over which GPT-2 does not have"]
WEIGHTS_HINTS = {
    TRANSPOSE[1]: "In which order does `nn.Linear` keep (in, out)?",
    TRANSPOSE[2]: "A square matrix fits both ways. Is it right both ways?",
    TRANSPOSE[3]: "Which of the matrices are Conv1D, and which are tables of rows?",
    PACKED[1]: "c_attn makes three blocks of columns. Which one is first in `attend(q, k, v)`?",
    PACKED[2]: "Are the columns of c_attn sorted by head, or by q, k and v?",
    LM_HEAD[1]: "`load_state_dict` is strict. Which name of ours has no line of its own in the file?",
    LM_HEAD[2]: "Is it one tensor or two?",
    LM_HEAD[3]: "The file has two tensors with the same numbers. How many has our model?",
    MASKS[2]: 'Does `h.0.attn.c_attn.bias` end with "attn.bias"?',
    MASKS[1]: "Which of the names are no parameters at all?",
    PREFIX[1]: "OpenAI's own conversion has names without a prefix.",
    UNKNOWN[1]: "A file of another model: what should happen, and when?",
}
NAMES = {"attn.c_attn": "attn.qkv_proj", "attn.c_proj": "attn.o_proj", "mlp.c_fc": "mlp.c_fc",
         "mlp.c_proj": "mlp.c_proj", "ln_1": "ln_1", "ln_2": "ln_2"}  # fmt: skip
TOP = {"wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias", "lm_head.weight"}


def wrong_load(transpose, packed, head, masks, prefix, unknown):
    def repack(t):
        if packed == PACKED[1]:
            q, k, v = t.chunk(3)
            return torch.cat([k, q, v])
        if packed == PACKED[2]:
            return t.unflatten(0, (3, 3, -1)).transpose(0, 1).flatten(0, 2)
        return t

    def load_gpt2(state):
        ours = {}
        for name, t in state.items():
            short = name.removeprefix("transformer.")
            if prefix == PREFIX[1] and short == name and name != "lm_head.weight":
                raise ValueError(name)
            name = short
            if masks == MASKS[2] and name.endswith("attn.bias"):
                continue
            if name.endswith((".attn.bias", ".attn.masked_bias")):
                if masks == MASKS[1]:
                    ours["blocks." + name[2:]] = t
                continue
            layer, _, rest = name.removeprefix("h.").partition(".")
            part, _, kind = rest.rpartition(".")
            known = name in TOP or (name.startswith("h.") and part in NAMES and kind in ("weight", "bias"))
            if not known:
                if unknown == UNKNOWN[1]:
                    continue
                raise ValueError(name)
            conv = kind == "weight" and part[:4] in ("attn", "mlp.")
            square = t.ndim == 2 and t.shape[0] == t.shape[1]
            if conv and transpose != TRANSPOSE[1] and not (transpose == TRANSPOSE[2] and square):
                t = t.T.contiguous()
            if transpose == TRANSPOSE[3] and name in ("wte.weight", "wpe.weight"):
                t = t.T.contiguous()
            if part == "attn.c_attn":
                t = repack(t) if transpose != TRANSPOSE[1] or t.ndim == 1 else t
            ours[name if name in TOP else f"blocks.{layer}.{NAMES[part]}.{kind}"] = t.contiguous()
        if head == LM_HEAD[1]:
            ours.pop("lm_head.weight", None)
        elif head == LM_HEAD[3]:
            ours.setdefault("lm_head.weight", ours["wte.weight"])
        else:
            ours["lm_head.weight"] = ours["wte.weight"].clone() if head == LM_HEAD[2] else ours["wte.weight"]
        return ours

    return load_gpt2


def gpt2_state(seed, prefix="transformer.", layers=2, C=6):
    shapes = {"wte.weight": (11, C), "wpe.weight": (5, C), "ln_f.weight": (C,), "ln_f.bias": (C,)}
    for i in range(layers):
        sizes = {"attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C), "mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}
        for part, size in sizes.items():
            shapes |= {f"h.{i}.{part}.weight": size, f"h.{i}.{part}.bias": size[1:]}
        for part in ("ln_1", "ln_2"):
            shapes |= {f"h.{i}.{part}.weight": (C,), f"h.{i}.{part}.bias": (C,)}
    return {f"{prefix}{n}": randn(seed + i, *s, dtype=torch.float32) for i, (n, s) in enumerate(shapes.items())}


def a_file_with_a_prefix_and_a_head(impl, seed):
    state = gpt2_state(seed)
    state["lm_head.weight"] = state["transformer.wte.weight"]
    ours = impl.load_gpt2(state)
    contiguous = all(t.is_contiguous() for t in ours.values())
    return {"the state dict": ours, "every tensor is contiguous": contiguous}


def a_file_whose_matrices_are_views(impl, seed):
    state = {n: t.mT.contiguous().mT if t.ndim == 2 else t for n, t in gpt2_state(seed).items()}
    ours = impl.load_gpt2(state)
    return {"not contiguous": [n for n, t in ours.items() if not t.is_contiguous()]}


def a_head_of_its_own_tensor(impl, seed):
    state = gpt2_state(seed, "")
    state["lm_head.weight"] = state["wte.weight"].clone()
    ours = impl.load_gpt2(state)
    return {"the head is the embedding": ours["lm_head.weight"] is ours["wte.weight"]}


def a_file_without_prefix_and_with_old_masks(impl, seed):
    state = gpt2_state(seed, "")
    state |= {"h.0.attn.bias": torch.ones(1, 1, 5, 5), "h.1.attn.masked_bias": torch.tensor(-1e4)}
    return {"the state dict": impl.load_gpt2(state)}


def twelve_layers(impl, seed):
    ours = impl.load_gpt2(gpt2_state(seed, layers=12, C=3))
    return {"the names": sorted(ours), "layer 11": ours.get("blocks.11.mlp.c_fc.weight")}


def the_head_of_the_file(impl, seed):
    state = gpt2_state(seed)
    ours = impl.load_gpt2(state)
    return {"the head is the embedding": ours["lm_head.weight"] is ours["wte.weight"]}


def names_that_are_refused(impl, seed):
    wrong = ["transformer.h.0.attn.rotary.weight", "model.embed_tokens.weight", "h.0.ln_1.scale", "h.x.ln_1.weight"]
    state = gpt2_state(seed)
    return {n: error_of(lambda n=n: impl.load_gpt2({**state, n: torch.zeros(2)})) for n in wrong}


# ---------------------------------------------------------------- param_groups

DECAYED = [
    "matrices",
    "in which EVERYTHING decays, norms and biases too",
    "in which norms decay: only biases are left out",
    "in which embeddings do not decay: only `nn.Linear` matrices do",
    "in which nothing decays",
]
TIED = ["once", "in which a tied weight stands TWICE"]
ALL = ["all", "that FORGETS parameters which are called neither weight nor bias"]
FROZEN = ["left out", "with frozen parameters in it"]
EMPTY = ["kept", "that leaves a group OUT when it has no parameters"]
GROUP_HINTS = {
    DECAYED[1]: "What does a norm's gain do when it is pulled towards zero?",
    DECAYED[2]: "How many axes has the gain of a norm?",
    DECAYED[3]: "How many axes has an embedding?",
    DECAYED[4]: "What is `weight_decay` for?",
    TIED[1]: "Head and embedding are one tensor. How often would it be updated?",
    ALL[1]: "Every trainable parameter is in one group. What are yours called?",
    FROZEN[1]: "A frozen weight has no gradient, but it has a decay.",
    EMPTY[1]: "Someone writes `decay, rest = param_groups(model, 0.1)`, and every matrix is frozen. What happens?",
}


def wrong_groups(decayed, tied, all_, frozen, empty):
    def param_groups(model, weight_decay):
        named = list(model.named_parameters(remove_duplicate=tied == TIED[0]))
        if frozen == FROZEN[0]:
            named = [(n, p) for n, p in named if p.requires_grad]
        if all_ == ALL[1]:
            named = [(n, p) for n, p in named if n.split(".")[-1] in ("weight", "bias")]

        def decays(n, p):
            if decayed == DECAYED[1]:
                return True
            if decayed == DECAYED[2]:
                return not n.endswith("bias")
            if decayed == DECAYED[3]:
                return p.ndim >= 2 and "wte" not in n
            return p.ndim >= 2 and decayed != DECAYED[4]

        first = [p for n, p in named if decays(n, p)]
        second = [p for n, p in named if not decays(n, p)]
        groups = [{"params": first, "weight_decay": weight_decay}, {"params": second, "weight_decay": 0.0}]
        return [g for g in groups if g["params"] or empty == EMPTY[0]]

    return param_groups


def named_groups(impl, model, weight_decay):
    names = {id(p): n for n, p in model.named_parameters()}
    groups = impl.param_groups(model, weight_decay)
    lists = [g["params"][:] for g in groups]  # a generator has no slices
    decays = [g["weight_decay"] for g in groups]
    found = [{"parameters": [names[id(p)] for p in ps], "decay": d} for ps, d in zip(lists, decays, strict=True)]
    keys = [sorted(g) for g in groups]
    return {"the groups": found, "their keys": keys}


def a_model_with_everything(impl, seed):
    return named_groups(impl, tied_model(seed), 0.3)


def one_layer(impl, seed):
    return named_groups(impl, nn.Linear(3, 3), 1)


def a_convolution_and_a_number(impl, seed):
    model = nn.Sequential(nn.Conv1d(2, 3, 4), nn.BatchNorm1d(3))
    model.gain = nn.Parameter(torch.tensor(1.0))
    return named_groups(impl, model, 0.01)


def models_with_one_kind_only(impl, seed):
    frozen = nn.Linear(2, 3).requires_grad_(False)
    models = {"vectors": nn.LayerNorm(4), "a matrix": nn.Linear(2, 3, bias=False), "frozen ones": frozen}
    return {name: named_groups(impl, model, 0.2) for name, model in models.items()}


# ---------------------------------------------------------------- adamw

FIRST_STEP = ["1", "that counts steps from 0, so that the first correction divides by zero",
              "WITHOUT bias correction", "whose correction is always that of the first step"]  # fmt: skip
DECAY = ["decoupled", "with the decay in the GRADIENT (L2), where it passes through Adam",
         "that decays by weight_decay, whatever the learning rate",
         "that decays AFTER the step, so that what was just added decays too"]  # fmt: skip
EPS = [
    "outside",
    "with eps INSIDE the root",
    "that adds eps BEFORE the root is corrected for beginning at zero",
]
MEANS = [
    "right",
    "whose second average is of the gradient, not of its square",
    "that exchanges the two betas",
    "whose two averages are ONE tensor: what is written into the second changes the first",
]
ADAM_HINTS = {
    FIRST_STEP[1]: "beta to the power of 0 is 1. What is 1 - 1?",
    FIRST_STEP[2]: "After one step, how large is the average of one gradient and a zero?",
    FIRST_STEP[3]: "The correction fades as the averages fill. What counts the steps?",
    DECAY[1]: "What does Adam do with the size of a gradient? And so with the size of a decay in it?",
    DECAY[2]: "A schedule brings the learning rate to zero. Does the decay go on?",
    DECAY[3]: "In the formula, which p decays: the one from before the step, or the one after it?",
    EPS[1]: "eps is added to a root, or under it?",
    EPS[2]: "eps is added to a root. To the root of v, or to that of v / (1 - beta**t)?",
    MEANS[1]: "What is divided by: a mean, or a size?",
    MEANS[2]: "Which of the two averages is the slower one?",
    MEANS[3]: "`state` holds two averages. How many tensors are made?",
}


def wrong_adamw(first_step, decay, eps_, means):
    def adamw(p, grad, state, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0):
        with torch.no_grad():
            if not state:
                state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
                if means == MEANS[3]:
                    state["exp_avg_sq"] = state["exp_avg"]
            b1, b2 = betas[::-1] if means == MEANS[2] else betas
            t = state["step"] + (first_step != FIRST_STEP[1])
            state["step"] += 1
            if decay == DECAY[1]:
                grad = grad + weight_decay * p
            state["exp_avg"].mul_(b1).add_((1 - b1) * grad)
            state["exp_avg_sq"].mul_(b2).add_((1 - b2) * (grad.abs() if means == MEANS[1] else grad * grad))
            t = 1 if first_step == FIRST_STEP[3] else t
            one = first_step == FIRST_STEP[2]
            m = state["exp_avg"] / (1 if one else 1 - b1**t)
            v = state["exp_avg_sq"] / (1 if one else 1 - b2**t)
            if decay not in (DECAY[1], DECAY[3]):
                p.mul_(1 - weight_decay * (lr if decay == DECAY[0] else 1))
            size = (v + eps).sqrt() if eps_ == EPS[1] else v.sqrt() + eps
            if eps_ == EPS[2]:
                size = (state["exp_avg_sq"].sqrt() + eps) * v.sqrt() / state["exp_avg_sq"].sqrt()
            p.sub_(lr * m / size)
            if decay == DECAY[3]:
                p.mul_(1 - lr * weight_decay)

    return adamw


def stepped(impl, seed, shape, steps, dtype=torch.float64, **options):
    p, state = randn(seed, *shape, dtype=dtype), {}
    returned = None
    for i in range(steps):
        returned = impl.adamw(p, randn(seed + i + 1, *shape, dtype=dtype), state, **options)
    return {"the parameter": p, "the state": state, "returned": returned}


def the_first_step(impl, seed):
    return stepped(impl, seed, (3,), 1, lr=0.1)


def seven_steps_with_decay(impl, seed):
    return stepped(impl, seed, (5, 3), 7, lr=0.05, betas=(0.4, 0.45), eps=0.02, weight_decay=0.3)


def five_steps_in_float32(impl, seed):
    return stepped(impl, seed, (2, 1, 3), 5, torch.float32, lr=0.01, weight_decay=0.5)


def gradients_as_small_as_eps(impl, seed):
    p, state = randn(seed, 4), {}
    for i in range(3):
        impl.adamw(p, 2e-8 * randn(seed + i + 1, 4), state, 0.5)
    return {"the parameter": p}


def a_learning_rate_of_zero(impl, seed):
    return stepped(impl, seed, (4,), 2, lr=0, weight_decay=0.3)


def a_parameter_that_needs_gradients(impl, seed):
    p = nn.Parameter(randn(seed, 4))
    before = p.data_ptr()
    impl.adamw(p, randn(seed + 1, 4), {}, 0.1)
    return {"the parameter": p.detach(), "it is the same tensor": p.data_ptr() == before and p.is_leaf}


def the_gradient_and_the_betas_afterwards(impl, seed):
    grad = randn(seed, 3)
    impl.adamw(randn(seed + 1, 3), grad, {}, 0.1, weight_decay=0.5)
    return {"the gradient": grad}


# ---------------------------------------------------------------- muon

WHO = [
    "hidden matrices",
    "that includes the HEAD and the embedding",
    "that includes vectors, as matrices of one row",
    "that takes every name with `blocks.` anywhere in it, where it should begin with that",
]
FACTOR = ["right", "WITHOUT the factor for tall matrices", "whose factor also makes wide matrices' steps smaller"]
TALL = ["transposed", "that does not TRANSPOSE tall matrices: the products are as large as rows x rows"]
WHEN = ["before", "whose momentum averages the ORTHOGONAL matrices, not the gradients", "WITHOUT Nesterov's look ahead",
        "WITHOUT momentum"]  # fmt: skip
NORMED = [
    "normalised",
    "that does not bring the largest singular value below 1 first",
    "that ADDS 1e-7 to the norm, where the larger of the two is meant",
]
MUON_DECAY = ["decoupled", "that forgets the weight decay"]
MUON_GRADS = ["kept", "that writes into p.grad"]
MUON_HINTS = {
    MUON_GRADS[1]: "Whose tensor does a function with an underscore at its end change?",
    WHO[1]: "A row of the embedding is one token. What does it mean to make the rows of a table orthogonal?",
    WHO[2]: "A gain has no singular vectors. Which optimizer is it left to?",
    WHO[3]: "Does the name of a head's block begin with `blocks.`?",
    FACTOR[1]: "An orthogonal step of a tall matrix: how large is each of its entries?",
    FACTOR[2]: "max(1, rows / columns): what is it for a wide matrix?",
    TALL[1]: "X Xᵀ and XᵀX have the same singular values. Which one is smaller?",
    WHEN[1]: "In which order: average, then orthogonalise, or the other way round?",
    WHEN[2]: "Which vector is orthogonalised: the average, or the gradient moved towards it?",
    WHEN[3]: "What is `state` for?",
    NORMED[1]: "The polynomial converges for singular values below about 1.3. What if the gradient is large?",
    NORMED[2]: "A gradient of norm 5e-8: what is it divided by?",
    MUON_DECAY[1]: "What happens to p before the step, if weight_decay is not 0?",
}


def wrong_muon(who, factor, tall, when, size, decay, grads):
    def polynomial(G):
        turn = G.shape[0] > G.shape[1] and tall == TALL[0]
        X = G.T if turn else G
        norms = {NORMED[1]: 1.0, NORMED[2]: X.norm() + 1e-7}
        X = X / norms.get(size, X.norm().clamp(min=1e-7))
        for _ in range(5):
            A = X @ X.T
            X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
        return X.T if turn else X

    def muon(named_parameters, state, lr=0.02, momentum=0.95, weight_decay=0.0):
        done = []
        with torch.no_grad():
            for name, p in named_parameters.items():
                inside = name.startswith("blocks.") or who == WHO[1] or who == WHO[3] and "blocks." in name
                if not inside or (p.ndim != 2 and not (who == WHO[2] and p.ndim == 1)):
                    continue
                G = p.grad if p.ndim == 2 else p.grad[None]
                if when == WHEN[1]:
                    G = polynomial(G).reshape(p.shape)
                else:
                    G = p.grad
                m = state.setdefault(name, torch.zeros_like(p))
                m.lerp_(G, 1 - momentum)
                u = {WHEN[2]: m, WHEN[3]: G}.get(when, G.lerp(m, momentum))
                if grads == MUON_GRADS[1]:
                    p.grad.copy_(u)
                u = u if p.ndim == 2 else u[None]
                u = (u if when == WHEN[1] else polynomial(u)).reshape(p.shape)
                rows, columns = (p.shape[0], p.shape[1]) if p.ndim == 2 else (1, len(p))
                scale = {FACTOR[1]: 1.0, FACTOR[2]: (rows / columns) ** 0.5}.get(factor, max(1, rows / columns) ** 0.5)
                p.mul_(1 - (lr * weight_decay if decay == MUON_DECAY[0] else 0)).sub_(lr * scale * u)
                done.append(name)
        return done

    return muon


def muon_model(seed, dtype=torch.float64, size=1.0):
    shapes = {"wte.weight": (7, 4), "blocks.0.wide": (3, 8), "blocks.0.gain": (4,), "blocks.1.tall": (9, 4)}
    shapes |= {"blocks.1.cube": (2, 2, 2), "head.blocks.0": (3, 5), "lm_head.weight": (7, 4)}
    named = {n: nn.Parameter(randn(seed + i, *s, dtype=dtype)) for i, (n, s) in enumerate(shapes.items())}
    for i, p in enumerate(named.values()):
        p.grad = size * randn(seed + 50 + i, *p.shape, dtype=dtype)
    return named


def muon_steps(impl, named, steps, **options):
    state, returned, given = {}, None, [p.grad for p in named.values()]
    for i in range(steps):
        for k, p in enumerate(named.values()):
            p.grad = given[k] + 0.5 * i * randn(1000 * i + k, *p.shape, dtype=p.dtype)
        returned = impl.muon(named, state, **options)
    return {"the parameters": {n: p.detach() for n, p in named.items()}, "the state": state, "returned": returned}


def three_steps_of_a_model(impl, seed):
    return muon_steps(impl, muon_model(seed), 3, lr=0.3, momentum=0.7, weight_decay=0.25)


def the_default_options(impl, seed):
    return muon_steps(impl, muon_model(seed), 2)


def large_gradients_in_float32(impl, seed):
    return muon_steps(impl, muon_model(seed, torch.float32, 900.0), 1, lr=0.1, momentum=0.5)


def a_gradient_of_zero(impl, seed):
    p = nn.Parameter(randn(seed, 3, 4))
    p.grad = torch.zeros(3, 4, dtype=torch.float64)
    impl.muon({"blocks.0.w": p}, {}, 0.1)
    return {"the parameter": p.detach()}


def a_tiny_gradient(impl, seed):
    p = nn.Parameter(randn(seed, 3, 4))
    p.grad = randn(seed + 1, 3, 4)
    p.grad *= 5e-8 / p.grad.norm()
    impl.muon({"blocks.0.w": p}, {}, 0.5, 0.0)
    return {"the parameter": p.detach()}


def other_numbers_of_steps(impl, seed):
    polynomial = helper_of(impl.muon, "newton_schulz") or plain_newton_schulz
    shapes = {"wide": (3, 5), "tall": (7, 2)}
    found = {f"{n} steps, a {s} matrix": polynomial(randn(seed, *shapes[s]), n) for n in (0, 1, 3) for s in shapes}
    return found | {"float32": polynomial(randn(seed, 4, 4, dtype=torch.float32), steps=2)}


def a_matrix_that_comes_later(impl, seed):
    named = muon_model(seed)
    named["wte.weight"].grad = None
    state = {}
    impl.muon({"blocks.0.wide": named["blocks.0.wide"]}, state, 0.1)
    returned = impl.muon(named, state, 0.1)
    return {"the parameters": {n: p.detach() for n, p in named.items()}, "the state": state, "returned": returned}


def the_cost_of_a_tall_matrix(impl, seed):
    p = nn.Parameter(randn(seed, 64, 4))
    p.grad = randn(seed + 1, 64, 4)
    with FlopCounterMode(display=False) as counter:
        impl.muon({"blocks.0.w": p}, {}, 0.1)
    return {"fewer than 50,000 operations": counter.get_total_flops() < 50_000}


def the_gradients_afterwards(impl, seed):
    named = muon_model(seed)
    impl.muon(named, {})
    return {"the gradients": {n: p.grad for n, p in named.items()}}


# ---------------------------------------------------------------- cosine_lr

START = ["above 0", "that is 0 at step 0"]
WARM = [
    "not counted",
    "whose cosine COUNTS the warm-up: it has fallen already when it begins",
    "that is at its peak in the LAST step of the warm-up, where the first step after it belongs",
]
MICRO = ["steps", "that moves on with every MICRO-batch"]
AFTER = ["stays", "that rises again after the last step", "whose cosine ends one step too EARLY, at total_steps - 1"]
LEAST = [
    "min_lr",
    "that ignores min_lr",
    "that falls by a cosine of the peak and then cuts at min_lr",
    "whose warm-up rises from MIN_LR, where it belongs to the fall alone",
    "whose warm-up is never BELOW min_lr",
]
SHAPE = ["cosine", "that falls in a straight line"]
TOTAL = ["refused", "that does not refuse a warm-up which is longer than the run"]
COSINE_HINTS = {
    START[1]: "What does the first batch teach at a learning rate of 0?",
    WARM[1]: "At step `warmup_steps`, how much of the cosine has passed?",
    WARM[2]: "With three steps of warm-up: which part of the peak has step 0?",
    MICRO[1]: "Four micro-batches make one step. How many rates may they have?",
    AFTER[1]: "A cosine has a period. What is promised after the last step?",
    AFTER[2]: "At which step is q equal to 1?",
    LEAST[1]: "Where does the cosine end?",
    LEAST[2]: "Between which two values does the cosine fall?",
    LEAST[3]: "In the formula, which of the two lines has min_lr in it?",
    LEAST[4]: "Peak 1, three steps of warm-up, min_lr 0.4: which rate does the first line give for step 0?",
    SHAPE[1]: "What is the rate at a quarter of the way?",
    TOTAL[1]: "What is the denominator of the progress if total and warm-up are equal?",
}


def wrong_cosine(zero, warm, micro, after, least, shape, total):
    def cosine_lr(micro_step, peak_lr, warmup_steps, total_steps, min_lr=0.0, accumulation=1):
        if total_steps <= warmup_steps:
            if total == TOTAL[0]:
                raise ValueError("total")
            return peak_lr
        step = micro_step if micro == MICRO[1] else micro_step // accumulation
        if step < warmup_steps:
            parts = warmup_steps if warm == WARM[2] else warmup_steps + 1
            if least == LEAST[3]:
                return min_lr + (peak_lr - min_lr) * (step + 1) / parts
            rise = peak_lr * step / warmup_steps if zero == START[1] else peak_lr * (step + 1) / parts
            return max(rise, min_lr) if least == LEAST[4] else rise
        first = 0 if warm == WARM[1] else warmup_steps
        progress = (step - first) / (total_steps - first)
        if after == AFTER[2]:
            progress = (step - first) / max(1, total_steps - first - 1)
        progress = progress if after == AFTER[1] else min(progress, 1.0)
        share = 1 - progress if shape == SHAPE[1] else (1 + math.cos(math.pi * progress)) / 2
        if least == LEAST[2]:
            return max(min_lr, peak_lr * share)
        low = 0.0 if least == LEAST[1] else min_lr
        return low + (peak_lr - low) * share

    return cosine_lr


def every_step_with_warm_up(impl, seed):
    return {f"step {s}": impl.cosine_lr(s, 0.3, 4, 17) for s in (0, 1, 3, 4, 5, 8, 16, 17, 18, 40)}


def without_warm_up_to_a_least_rate(impl, seed):
    return {f"step {s}": impl.cosine_lr(s, 2, 0, 9, 0.5) for s in (0, 1, 4, 7, 9, 12)}


def micro_batches(impl, seed):
    return {f"micro-batch {s}": impl.cosine_lr(s, 1.0, 3, 11, 0.1, 4) for s in (0, 1, 3, 4, 11, 12, 13, 30, 44, 60)}


def a_least_rate_above_the_first(impl, seed):
    return {f"step {s}": impl.cosine_lr(s, 1.0, 3, 11, 0.4) for s in (0, 1, 2, 3, 9, 11)}


def the_rates_of_the_workbook(impl, seed):
    return {f"step {s}": impl.cosine_lr(s, 1.0, 3, 11) for s in (0, 3, 7, 11, 20)}


def totals_that_are_refused(impl, seed):
    cases = {"warm-up 5 of 5": (2, 1.0, 5, 5), "6 of 5": (2, 1.0, 6, 5), "4 of 5": (2, 1.0, 4, 5), "late": (9, 1, 5, 5)}
    return {name: error_of(lambda case=case: impl.cosine_lr(*case)) for name, case in cases.items()}


# ---------------------------------------------------------------- train_step

DIVIDE = [
    "by all targets",
    "that does not DIVIDE: the losses are added up",
    "that takes the MEAN OF MEANS, so that a short micro-batch counts as much as a long one",
    "that counts ignored targets too",
    "that leaves every NEGATIVE target out of the count, where only -100 is ignored",
]
CLIP = [
    "once, unscaled",
    "that clips BEFORE it unscales",
    "that clips after EACH micro-batch",
    "that clips each parameter alone",
    "that never clips",
    "that clips each GROUP of the optimizer alone",
]
GRADS = ["zeroed first", "that zeroes the gradients between micro-batches, so that only the last one counts",
         "that never zeroes old gradients",
         "that zeroes the gradients at its END, so that those from before it still count"]  # fmt: skip
STEPS = ["once", "that steps after EVERY micro-batch", "that steps although a gradient overflowed"]
REPORT = ["right", "that reports the loss of the last micro-batch only", "that reports the norm after clipping"]
STEP_HINTS = {
    DIVIDE[1]: "Four micro-batches, one large batch: which gradient is four times the other?",
    DIVIDE[2]: "One micro-batch has 3 targets, the other 300. Whose targets weigh more?",
    DIVIDE[3]: "A target of -100 adds nothing to the sum. May it add to the count?",
    DIVIDE[4]: "A regression has targets below 0. Which single number means that a target is ignored?",
    CLIP[1]: "The gradients are 65,536 times too large until they are unscaled. What does a clip at 1 leave of them?",
    CLIP[2]: "The norm of what is limited: of a part of the gradient, or of the whole?",
    CLIP[3]: "Does the direction of the step change, if each parameter is clipped on its own?",
    CLIP[4]: "What is `max_norm` for?",
    CLIP[
        5
    ]: "An optimizer may have several groups. Whose norm is limited: each one's, or that of all gradients together?",
    GRADS[1]: "What is left of the first micro-batch when the second one's gradient arrives?",
    GRADS[2]: "What is in `p.grad` when the step begins?",
    GRADS[3]: "Someone has called backward before your first step. Whose gradients are in `p.grad` then?",
    STEPS[1]: "How many optimizer steps does one large batch take?",
    STEPS[2]: "Who decides whether a step is left out: optimizer or scaler?",
    REPORT[1]: "The loss of the step is a mean over which targets?",
    REPORT[2]: "If the norm is always at most max_norm, what does the curve show?",
}


def wrong_step(divide, clip, grads, steps, report):
    def train_step(loss_sum, optimizer, micro_batches, max_norm=float("inf"), scaler=None):
        scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
        if divide == DIVIDE[3]:
            targets = sum(y.numel() for _, y in micro_batches)
        elif divide == DIVIDE[4]:
            targets = sum(int((y >= 0).sum()) for _, y in micro_batches)
        else:
            targets = sum(int((y != -100).sum()) for _, y in micro_batches)
        parameters = [p for g in optimizer.param_groups for p in g["params"]]

        def clipped():
            if clip == CLIP[3]:
                norm = nn.utils.get_total_norm([p.grad for p in parameters])
                for p in parameters:
                    nn.utils.clip_grad_norm_([p], max_norm)
                return norm
            if clip == CLIP[5]:
                return torch.stack(
                    [nn.utils.clip_grad_norm_(g["params"], max_norm) for g in optimizer.param_groups]
                ).norm()
            return nn.utils.clip_grad_norm_(parameters, float("inf") if clip == CLIP[4] else max_norm)

        def finish():
            early = clipped() if clip == CLIP[1] else None
            scaler.unscale_(optimizer)
            norm = clipped() if early is None else early
            if steps == STEPS[2]:
                optimizer.step()
            else:
                scaler.step(optimizer)
            scaler.update()
            return norm

        if grads not in GRADS[2:]:
            optimizer.zero_grad()
        loss, norm = 0.0, None
        for x, y in micro_batches:
            if grads == GRADS[1] or steps == STEPS[1]:
                optimizer.zero_grad()
            part = loss_sum(x, y)
            if divide == DIVIDE[2]:
                part = part / int((y != -100).sum()) / len(micro_batches)
            elif divide != DIVIDE[1]:
                part = part / targets
            scaler.scale(part).backward()
            loss = part.item() if report == REPORT[1] else loss + part.item()
            if clip == CLIP[2]:
                clipped()
            if steps == STEPS[1]:
                norm = finish()
        norm = norm if steps == STEPS[1] else finish()
        if report == REPORT[2]:
            norm = nn.utils.get_total_norm([p.grad for p in parameters])
        if grads == GRADS[3]:
            optimizer.zero_grad()
        return loss, norm.item()

    return train_step


def step_batches(seed, sizes, ignored=0):
    made = [(integers(seed + i, 13, rows, 4), integers(seed + 9 + i, 13, rows, 4)) for i, rows in enumerate(sizes)]
    made[0][1][:, :ignored] = -100
    return made


def one_step(
    impl, seed, sizes, ignored=0, max_norm=float("inf"), scaler=None, before=0.0, factor=1.0, steps=1, groups=1
):
    model = Drop(seed).eval()
    parts = list(model.parameters())
    optimizer = torch.optim.SGD([{"params": parts[i::groups]} for i in range(groups)], lr=0.5)
    for p in model.parameters():
        p.grad = torch.full_like(p, before) if before else None

    def loss_sum(x, y):
        return factor * F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum", ignore_index=-100)

    for i in range(steps):
        loss, norm = impl.train_step(loss_sum, optimizer, step_batches(seed + i, sizes, ignored), max_norm, scaler)
    return {"the loss": loss, "the norm": norm, "the parameters": [p.detach() for p in model.parameters()]}


def unequal_micro_batches(impl, seed):
    return one_step(impl, seed, (1, 5, 2), ignored=2)


def a_micro_batch_without_targets(impl, seed):
    return one_step(impl, seed, (2, 3), ignored=4)


def clipped_to_a_small_norm(impl, seed):
    return one_step(impl, seed, (3, 2), max_norm=0.05)


def an_optimizer_of_two_groups(impl, seed):
    return one_step(impl, seed, (3, 2), max_norm=0.05, groups=2)


def gradients_left_from_before(impl, seed):
    return one_step(impl, seed, (2, 1), before=3.0, steps=2)


def a_scaler_and_a_clip(impl, seed):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**11)
    return one_step(impl, seed, (2, 3), max_norm=0.3, scaler=scaler) | {"the scale": scaler.get_scale()}


def a_scaler_that_grows(impl, seed):
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
    return one_step(impl, seed, (2, 1), max_norm=0.5, scaler=scaler, steps=2) | {"the scale": scaler.get_scale()}


def a_gradient_that_overflows(impl, seed):
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    found = one_step(impl, seed, (2,), max_norm=1.0, scaler=scaler, factor=3e38)
    return {"the parameters": found["the parameters"], "the scale": scaler.get_scale()}


def a_single_micro_batch(impl, seed):
    return one_step(impl, seed, (4,))


def targets_below_those_that_are_ignored(impl, seed):
    w = nn.Parameter(torch.tensor([1.0 + seed % 3]))
    parts = [(torch.tensor([2.0, 5.0, 1.0, 1.0]), torch.tensor([-150.0, -100.0, 3.0, -2.0]))]

    def squares(x, y):
        kept = y != -100
        return ((w * x)[kept] - y[kept]).square().sum()

    loss, norm = impl.train_step(squares, torch.optim.SGD([w], lr=0.1), parts)
    return {"the loss": loss, "the norm": norm, "w": w.detach()}


def the_numbers_of_the_workbook(impl, seed):
    w = nn.Parameter(torch.tensor([1.0]))
    parts = [(torch.tensor([2.0]), torch.tensor([0.0])), (torch.tensor([1.0, 3.0]), torch.tensor([0.0, -100.0]))]

    def squares(x, y):
        kept = y != -100
        return ((w * x)[kept] - y[kept]).square().sum()

    loss, norm = impl.train_step(squares, torch.optim.SGD([w], lr=0.1), parts)
    return {"the loss": loss, "the norm": norm, "w": w.detach()}


# ---------------------------------------------------------------- Checkpoint

ATOMIC = [
    "replaced",
    "that writes INTO the file: a kill in the middle leaves neither the old one nor the new",
    "that moves the name before the content is on the DISK: a machine that loses its power may keep an empty file",
    "that leaves its new file behind when a save breaks off",
]
RANDOM = ["all three", "WITHOUT any random state", "that forgets NumPy's generator", "that forgets Python's generator",
          "that forgets torch's generator",
          "that restores the generators BEFORE the parts, which may draw while they are loaded"]  # fmt: skip
KEPT = ["all", "that leaves the OPTIMIZER out"]
WRAPPED = [
    "unwrapped",
    'whose names keep the prefix "_orig_mod." of a compiled model',
    "that unwraps a compiled model when it saves, but not when it LOADS",
]
HASH = ["checked", "that does not notice a damaged file"]
SET = [
    "compared",
    "that loads what it finds, although parts are missing or new",
    "that does not notice a part which is in the file and is not ASKED for",
]
CHECKPOINT_HINTS = {
    ATOMIC[1]: "The process is killed after half of the bytes. What does the name point to?",
    ATOMIC[2]: "`write` hands the bytes to the system. Which call of `os` returns only when the disk has them?",
    ATOMIC[3]: "A state cannot be written. What is in the folder afterwards?",
    RANDOM[1]: "Dropout draws random numbers. Which ones does a resumed run draw?",
    RANDOM[2]: "There are three generators. Which one does data augmentation in NumPy use?",
    RANDOM[3]: "There are three generators. Which one does `random.random()` use?",
    RANDOM[4]: "There are three generators. Which one does dropout use?",
    RANDOM[5]: "A part draws a random number while it is loaded. Which number does the run draw next?",
    KEPT[1]: "Adam's averages are twice as large as the model. What is a resumed step without them?",
    WRAPPED[1]: "A compiled model's state dict has other names. Who should be able to read the file?",
    WRAPPED[2]: "The file has names without a prefix. Can the wrapped model load them?",
    HASH[1]: "One bit has flipped. When do you find out: now, or after a week of training?",
    SET[2]: "The file holds an optimizer, and the run that loads it has none. Is it the same run?",
    SET[1]: "The scaler's state is missing in the file. Should the run go on as if nothing were?",
}


def wrong_checkpoint(atomic, random_, parts_, wrapped, hash_, set_):
    def unwrapped(part):
        return getattr(part, "_orig_mod", part) if wrapped != WRAPPED[1] else part

    def kept_generators():
        version, words, gauss = random.getstate()
        name, keys, *rest = np.random.get_state()
        return {"torch": torch.get_rng_state(), "numpy": [name, torch.tensor(keys.astype(np.int64)), *rest],
                "python": [version, list(words), gauss]}  # fmt: skip

    class Checkpoint:
        def __init__(self, path):
            self.path = str(path)

        def kept(self, parts):
            return {n: p for n, p in parts.items() if parts_ == KEPT[0] or n != "optimizer"}

        def save(self, step, parts):
            states = {n: unwrapped(p).state_dict() for n, p in self.kept(parts).items()}
            content = {"step": step, "states": states, "generators": kept_generators()}
            if atomic == ATOMIC[1]:
                with open(self.path, "wb") as file:
                    file.write(b"0" * 64)
                    torch.save(content, file)
                data = open(self.path, "rb").read()[64:]
                with open(self.path, "r+b") as file:
                    file.write(hashlib.sha256(data).hexdigest().encode())
                return
            buffer = io.BytesIO()
            if atomic == ATOMIC[3]:
                open(self.path + ".new", "wb").close()
            torch.save(content, buffer)
            data = buffer.getvalue()
            with open(self.path + ".new", "wb") as file:
                file.write(hashlib.sha256(data).hexdigest().encode() + data)
                if atomic != ATOMIC[2]:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(self.path + ".new", self.path)

        def load(self, parts):
            content = open(self.path, "rb").read()
            digest, data = content[:64], content[64:]
            if hash_ == HASH[0] and hashlib.sha256(data).hexdigest().encode() != digest:
                raise ValueError("damaged")
            found = torch.load(io.BytesIO(data), weights_only=False)
            parts = self.kept(parts)
            saved, asked = set(found["states"]), set(parts)
            if set_ == SET[0] and saved != asked or set_ == SET[2] and asked - saved:
                raise ValueError("parts")
            if random_ != RANDOM[5]:
                self.fill(parts, found["states"])
            self.restore(found["generators"])
            if random_ == RANDOM[5]:
                self.fill(parts, found["states"])
            return found["step"]

        def fill(self, parts, states):
            for name in set(parts) & set(states):
                part = parts[name] if wrapped == WRAPPED[2] else unwrapped(parts[name])
                part.load_state_dict(states[name])

        def restore(self, g):
            if random_ not in (RANDOM[1], RANDOM[4]):
                torch.set_rng_state(g["torch"])
            if random_ not in (RANDOM[1], RANDOM[2]):
                name, keys, *rest = g["numpy"]
                np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
            if random_ not in (RANDOM[1], RANDOM[3]):
                version, words, gauss = g["python"]
                random.setstate((version, tuple(words), gauss))

    return Checkpoint


def saved_and_loaded(impl, seed):
    hold, where = folder()
    with hold:
        parts, fresh = trained_parts(seed), trained_parts(seed + 1)
        returned = impl.Checkpoint(where / "c.pt").save(11, parts)
        step = impl.Checkpoint(where / "c.pt").load(fresh)
        moments = [fresh["optimizer"].state[p].get("exp_avg") for p in fresh["model"].parameters()]
        return {"the step": step, "the model": fresh["model"].state_dict(), "the optimizer's averages": moments,
                "the sampler": fresh["sampler"].position, "what save returns": returned}  # fmt: skip


def the_random_numbers_after_loading(impl, seed):
    hold, where = folder()
    with hold:
        torch.rand(3), np.random.randn(), random.gauss(0, 1)
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(1, {})
        first = torch.rand(2), np.random.randn(), np.random.rand(), random.gauss(0, 1), random.random()
        checkpoint.load({})
        second = torch.rand(2), np.random.randn(), np.random.rand(), random.gauss(0, 1), random.random()
        return {"torch's, NumPy's and Python's": list(second), "and those of the first time": list(first)}


def the_random_numbers_of_a_fresh_generator(impl, seed):
    hold, where = folder()
    with hold:
        np.random.seed(seed)
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(1, {})
        np.random.rand()
        checkpoint.load({})
        return {"NumPy's normal numbers": [np.random.randn() for _ in range(3)]}


def next_numbers():
    return [torch.rand(1).item(), np.random.rand(), random.random()]


def a_part_that_draws_while_it_is_loaded(impl, seed):
    hold, where = folder()
    with hold:
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(1, {"part": Draws(3)})
        first, part = next_numbers(), Draws()
        checkpoint.load({"part": part})
        return {"the next numbers": next_numbers(), "and those of the first time": first, "the part": part.position}


def a_save_that_breaks_off(impl, seed):
    hold, where = folder()
    with hold:
        checkpoint, counter = impl.Checkpoint(where / "c.pt"), Counter(5)
        checkpoint.save(3, {"sampler": counter})
        error = error_of(lambda: checkpoint.save(4, {"sampler": Unsavable()}))
        counter.position = 0
        return {"the error": error, "the step": checkpoint.load({"sampler": counter}), "the part": counter.position,
                "the files": sorted(os.listdir(where))}  # fmt: skip


def the_disk_before_the_name_moves(impl, seed):
    hold, where = folder()
    with hold:
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(3, {"sampler": Counter(5)})
        written = sizes_on_disk_before_the_move(lambda: checkpoint.save(4, {"sampler": Counter(6)}), where)
        return {"the whole content is on the disk first": (where / "c.pt").stat().st_size in written}


def the_file_that_was_there_before(impl, seed):
    hold, where = folder()
    with hold:
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(3, {"sampler": Counter(5)})
        os.link(where / "c.pt", where / "old")
        before = (where / "old").read_bytes()
        checkpoint.save(4, {"sampler": Counter(6)})
        kept = (where / "old").read_bytes() == before and inode(where / "old") != inode(where / "c.pt")
        return {"it is as it was": kept, "the files": sorted(os.listdir(where))}


def damaged_files(impl, seed):
    hold, where = folder()
    with hold:
        model, found = nn.Linear(30, 20), {}
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(1, {"model": model})
        content = (where / "c.pt").read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 4
        cases = {"a flipped bit": bytes(flipped), "half of it": content[: len(content) // 2]}
        for name, damaged in {**cases, "five bytes": content[:5], "empty": b"", "whole": content}.items():
            (where / "c.pt").write_bytes(damaged)
            with torch.no_grad():
                model.weight.fill_(3.0)
            error = error_of(lambda: checkpoint.load({"model": model}))
            found[name] = {"the error": error, "the model is unchanged": bool((model.weight == 3).all())}
        return found


def parts_that_do_not_fit(impl, seed):
    hold, where = folder()
    with hold:
        checkpoint = impl.Checkpoint(where / "c.pt")
        checkpoint.save(1, {"a": Counter(1), "b": Counter(2)})
        cases = {"one missing": {"a": Counter()}, "one more": {"a": Counter(), "b": Counter(), "c": Counter()}}
        cases["another"] = {"a": Counter(), "c": Counter()}
        torch.rand(1), np.random.rand(), random.random()
        errors = {name: error_of(lambda parts=parts: checkpoint.load(parts)) for name, parts in cases.items()}
        positions = [[c.position for c in parts.values()] for parts in cases.values()]
        return errors | {"their positions": positions, "the next random numbers": next_numbers()}


def a_compiled_model(impl, seed):
    hold, where = folder()
    with hold:
        model, plain = nn.Linear(3, 2), nn.Linear(3, 2)
        with torch.no_grad():
            model.weight.copy_(randn(seed, 2, 3))
        checkpoint = impl.Checkpoint(str(where / "c.pt"))
        checkpoint.save(1, {"model": Compiled(model)})
        first = error_of(lambda: checkpoint.load({"model": plain}))
        again = Compiled(nn.Linear(3, 2))
        checkpoint.save(2, {"model": model})
        second = error_of(lambda: checkpoint.load({"model": again}))
        same = torch.equal(plain.weight, model.weight), torch.equal(again._orig_mod.weight, model.weight)
        return {"into a plain model": first, "from a plain model": second, "the weights are equal": list(same)}


# ---------------------------------------------------------------- evaluate

MODE = ["evaluation", "in TRAINING mode: dropout is on", "that leaves the model in evaluation mode",
        "that leaves the model in training mode, whatever it was in"]  # fmt: skip
WINDOWS = ["all", "on random windows, which MOVES the random numbers of the training",
           "that drops the last, smaller batch",
           "that DRAWS from torch's generator, as a DataLoader does when it is walked through"]  # fmt: skip
MEAN = [
    "over targets",
    "that takes the MEAN OF BATCH MEANS",
    "that returns the sum",
    "that counts the last, smaller batch as a FULL one",
]
GRAPH = [
    "none",
    "that builds a graph for gradients nobody takes",
    "that switches gradients ON at its end, although they were off before",
]
LOG = ["of the softmax", "that takes the log of a softmax which has become 0: a sure model's loss is infinite"]
EVALUATE_HINTS = {
    MODE[1]: "Evaluate twice: is it the same number?",
    MODE[2]: "What does the next training step do without dropout?",
    MODE[3]: "A model that was in evaluation mode when you got it: in which mode is it now?",
    WINDOWS[1]: "Does a run with evaluation end with the same weights as one without?",
    WINDOWS[2]: "Eleven windows in batches of four: how many are counted?",
    WINDOWS[3]: "Save `torch.get_rng_state()`, evaluate, compare. Who has drawn?",
    MEAN[3]: "Eleven windows in batches of four: for how many windows does the third call count?",
    MEAN[1]: "Does the number change with the batch size?",
    MEAN[2]: "In which unit is the result?",
    GRAPH[2]: "Someone calls you inside of `torch.no_grad()`. What do they find afterwards?",
    LOG[1]: "exp(-200) in float32 is 0. What is its log? Which function takes both at once?",
    GRAPH[1]: "Who keeps the activations of a forward pass, and what for?",
}


def wrong_evaluate(mode, windows, mean, graph, log):
    def evaluate(model, x, y, batch_size=32):
        before = model.training
        if mode != MODE[1]:
            model.eval()
        if windows == WINDOWS[1]:
            chosen = torch.randint(len(x), (len(x),))
            x, y = x[chosen], y[chosen]
        if windows == WINDOWS[2]:
            whole = max(1, len(x) // batch_size) * batch_size
            x, y = x[:whole], y[:whole]
        if windows == WINDOWS[3]:
            torch.empty((), dtype=torch.int64).random_()
        total, means = 0.0, []
        with torch.set_grad_enabled(graph == GRAPH[1]):
            for i in range(0, len(x), batch_size):
                part = y[i : i + batch_size]
                logits = model(x[i : i + batch_size])
                logp = logits.softmax(-1).log() if log == LOG[1] else logits.log_softmax(-1)
                loss = -logp.gather(-1, part[..., None]).sum().item()
                total, means = total + loss, [*means, loss / part.numel()]
        if graph == GRAPH[2]:
            torch.set_grad_enabled(True)
        if mode in (MODE[0], MODE[1]):
            model.train(before)
        elif mode == MODE[3]:
            model.train()
        if mean == MEAN[1]:
            return sum(means) / len(means)
        if mean == MEAN[3]:
            return sum(means) * batch_size / len(x)
        return total if mean == MEAN[2] else total / y.numel()

    return evaluate


class Watching(Drop):
    """Notes how it is called, and with what."""

    def forward(self, tokens):
        self.__dict__.setdefault("read", []).append(tokens)
        self.__dict__.setdefault("seen", []).append([torch.is_grad_enabled(), len(tokens), self.training])
        return super().forward(tokens)


def evaluated(impl, seed, *batch_size, training=True, rows=11):
    model = Watching(seed).train(training)
    x, before = integers(seed, 13, rows, 6), generators()
    loss = impl.evaluate(model, x, integers(seed + 1, 13, rows, 6), *batch_size)
    return {"the loss": loss, "each call: gradients, rows, training": model.seen,
            "the windows came in order": torch.equal(torch.cat(model.read), x),
            "the model is in training mode": model.training and model.dropout.training,
            "the generators are as before": generators() == before}  # fmt: skip


def eleven_windows_in_batches_of_four(impl, seed):
    return evaluated(impl, seed, 4)


def a_model_in_evaluation_mode(impl, seed):
    return evaluated(impl, seed, 3, training=False)


def the_default_batch_size(impl, seed):
    return evaluated(impl, seed, rows=37)


def one_window(impl, seed):
    return evaluated(impl, seed, 5, rows=1)


def called_without_gradients(impl, seed):
    model = Drop(seed)
    with torch.no_grad():
        impl.evaluate(model, integers(seed, 13, 3, 6), integers(seed + 1, 13, 3, 6), 2)
        off = torch.is_grad_enabled()
    return {"gradients are on afterwards": off}


def a_model_that_is_sure(impl, seed):
    class Sure(nn.Module):
        def forward(self, tokens):
            return 200.0 * F.one_hot(tokens, 13).float()

    x = integers(seed, 13, 5, 6)
    return {"the loss": impl.evaluate(Sure(), x, (x + 1) % 13, 2)}


def the_coin_of_the_workbook(impl, seed):
    class Coin(nn.Module):
        def forward(self, tokens):
            return torch.zeros(*tokens.shape, 2)

    return {"the loss": impl.evaluate(Coin(), torch.zeros(3, 5).long(), torch.ones(3, 5).long(), 2)}


# ---------------------------------------------------------------- all of them

KNOBS = {
    "backward": ("a backward pass", {"add": ADD, "order": ORDER, "zero": ZERO}, wrong_backward, ENGINE_HINTS),
    "kneser_ney": (
        "a counting",
        {
            "counts": COUNTS,
            "discount": DISCOUNT,
            "unseen": UNSEEN,
            "mix": MIX,
            "end": END,
            "base": BASE,
            "digits": DIGITS,
        },
        wrong_kneser_ney,
        NGRAM_HINTS,
    ),
    "batchnorm_backward": (
        "a backward pass",
        {"paths": PATHS, "parameters": PARAMETERS, "gain": GAIN},
        wrong_batchnorm,
        NORM_HINTS,
    ),
    "windows": ("a cut into windows", {"shift": SHIFT, "count": COUNT, "split_": SPLIT}, wrong_windows, WINDOW_HINTS),
    "Sampler": (
        "a sampler",
        {"state": STATE, "restore": RESTORE, "seed_": SEED, "rank_": RANK, "tail": TAIL, "size_": SIZE},
        wrong_sampler,
        SAMPLER_HINTS,
    ),
    "GPT": (
        "a model",
        {
            "final": FINAL,
            "head": HEAD,
            "gelu": GELU,
            "init": INIT,
            "place": PLACE,
            "positions": POSITIONS,
            "length": LENGTH,
        },
        wrong_gpt,
        GPT_HINTS,
    ),
    "load_gpt2": (
        "a conversion",
        {
            "transpose": TRANSPOSE,
            "packed": PACKED,
            "head": LM_HEAD,
            "masks": MASKS,
            "prefix": PREFIX,
            "unknown": UNKNOWN,
        },
        wrong_load,
        WEIGHTS_HINTS,
    ),
    "param_groups": (
        "a grouping",
        {"decayed": DECAYED, "tied": TIED, "all_": ALL, "frozen": FROZEN, "empty": EMPTY},
        wrong_groups,
        GROUP_HINTS,
    ),
    "adamw": (
        "a step",
        {"first_step": FIRST_STEP, "decay": DECAY, "eps_": EPS, "means": MEANS},
        wrong_adamw,
        ADAM_HINTS,
    ),
    "muon": (
        "a step",
        {
            "who": WHO,
            "factor": FACTOR,
            "tall": TALL,
            "when": WHEN,
            "size": NORMED,
            "decay": MUON_DECAY,
            "grads": MUON_GRADS,
        },
        wrong_muon,
        MUON_HINTS,
    ),
    "cosine_lr": (
        "a rate",
        {"zero": START, "warm": WARM, "micro": MICRO, "after": AFTER, "least": LEAST, "shape": SHAPE, "total": TOTAL},
        wrong_cosine,
        COSINE_HINTS,
    ),
    "train_step": (
        "a step",
        {"divide": DIVIDE, "clip": CLIP, "grads": GRADS, "steps": STEPS, "report": REPORT},
        wrong_step,
        STEP_HINTS,
    ),
    "Checkpoint": (
        "a checkpoint",
        {"atomic": ATOMIC, "random_": RANDOM, "parts_": KEPT, "wrapped": WRAPPED, "hash_": HASH, "set_": SET},
        wrong_checkpoint,
        CHECKPOINT_HINTS,
    ),
    "evaluate": (
        "an evaluation",
        {"mode": MODE, "windows": WINDOWS, "mean": MEAN, "graph": GRAPH, "log": LOG},
        wrong_evaluate,
        EVALUATE_HINTS,
    ),
}
TWO = {"batchnorm_backward", "windows"}  # tasks whose mistakes are also shown in pairs


def of(task):
    noun, knobs, build, hints = KNOBS[task]
    yield from combine(task, noun, knobs, build, hints, most=2 if task in TWO else 1)


PROBES = {
    "backward": [
        an_expression_whose_values_are_used_at_several_depths,
        a_value_used_twice,
        a_value_beside_one_that_is_made_from_it,
        the_second_call,
        a_smaller_output_after_a_larger_one,
        a_value_alone,
        a_chain_of_two_thousand,
        the_products_of_the_workbook,
    ],
    "kneser_ney": [
        contexts_of_every_length,
        contexts_never_seen,
        contexts_that_are_longer_than_needed,
        unigrams_only,
        the_longest_contexts_of_four,
        the_six_tokens_of_the_workbook,
        a_text_that_repeats,
        the_digits_of_a_row,
        counts_whose_second_discount_is_zero,
    ],
    "batchnorm_backward": [
        five_rows_of_three_channels,
        a_large_eps_in_float32,
        rows_that_hardly_differ,
        two_rows_of_one_channel,
    ],
    "windows": [
        training_windows,
        validation_windows,
        a_text_that_windows_fill_exactly,
        a_boundary_between_two_tokens,
        windows_of_one_token,
        windows_that_are_refused,
        the_ten_tokens_of_the_workbook,
    ],
    "Sampler": [
        three_epochs_of_one_rank,
        each_of_three_ranks,
        after_a_resume,
        the_state_after_each_step,
        a_resume_on_another_rank,
        the_dict_that_was_loaded,
        sizes_of_data,
        the_global_generator_afterwards,
        the_defaults,
    ],
    "GPT": [
        logits_of_a_batch,
        one_token,
        the_parameters,
        the_initial_weights,
        gradients_reach_the_embedding_from_both_ends,
        too_many_tokens,
    ],
    "load_gpt2": [
        a_file_with_a_prefix_and_a_head,
        a_file_without_prefix_and_with_old_masks,
        a_file_whose_matrices_are_views,
        a_head_of_its_own_tensor,
        twelve_layers,
        the_head_of_the_file,
        names_that_are_refused,
    ],
    "param_groups": [a_model_with_everything, one_layer, a_convolution_and_a_number, models_with_one_kind_only],
    "adamw": [
        the_first_step,
        seven_steps_with_decay,
        five_steps_in_float32,
        a_learning_rate_of_zero,
        gradients_as_small_as_eps,
        a_parameter_that_needs_gradients,
        the_gradient_and_the_betas_afterwards,
    ],
    "muon": [
        three_steps_of_a_model,
        the_default_options,
        large_gradients_in_float32,
        a_gradient_of_zero,
        a_tiny_gradient,
        a_matrix_that_comes_later,
        other_numbers_of_steps,
        the_cost_of_a_tall_matrix,
        the_gradients_afterwards,
    ],
    "cosine_lr": [
        every_step_with_warm_up,
        without_warm_up_to_a_least_rate,
        micro_batches,
        a_least_rate_above_the_first,
        the_rates_of_the_workbook,
        totals_that_are_refused,
    ],
    "train_step": [
        unequal_micro_batches,
        a_micro_batch_without_targets,
        clipped_to_a_small_norm,
        an_optimizer_of_two_groups,
        gradients_left_from_before,
        a_scaler_and_a_clip,
        a_scaler_that_grows,
        a_gradient_that_overflows,
        a_single_micro_batch,
        targets_below_those_that_are_ignored,
        the_numbers_of_the_workbook,
    ],
    "Checkpoint": [
        saved_and_loaded,
        the_random_numbers_after_loading,
        the_random_numbers_of_a_fresh_generator,
        a_part_that_draws_while_it_is_loaded,
        a_save_that_breaks_off,
        the_disk_before_the_name_moves,
        the_file_that_was_there_before,
        damaged_files,
        parts_that_do_not_fit,
        a_compiled_model,
    ],
    "evaluate": [
        eleven_windows_in_batches_of_four,
        a_model_in_evaluation_mode,
        the_default_batch_size,
        one_window,
        called_without_gradients,
        a_model_that_is_sure,
        the_coin_of_the_workbook,
    ],
}
