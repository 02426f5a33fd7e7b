"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake. One half of the tasks stands here, the
other half in `mistakes_training.py`.
"""

import math
from collections import Counter as Count
from collections import defaultdict

import mistakes_training as training
import torch
import torch.nn.functional as F
from given import TINY, generator, integers, randn, tangled
from grader import combine, error_of
from torch import nn

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

# ---------------------------------------------------------------- backward

ADD = ["+=", "that sets a gradient with `=`, so that the last path wins"]
ORDER = [
    "topological",
    "that goes level by level from the output, so that a value passes its gradient on too early",
    "that follows every path at once, so that a gradient is passed on again each time it grows",
    "whose order comes from a RECURSIVE function: a deep graph ends in a RecursionError",
]
ZERO = ["zeroed", "that leaves old gradients in place: a second call adds to the first"]
ENGINE_HINTS = {
    ADD[1]: "A value that is used twice reaches the output on two paths. What does the chain rule do with two paths?",
    ORDER[1]: "When may a value pass its gradient on: before or after all that use it have added theirs?",
    ORDER[2]: "How often does each value pass on its gradient, and how complete is it by then?",
    ORDER[3]: "How deep may Python's calls be? How long is a text of ten thousand tokens?",
    ZERO[1]: "What is in `grad` when you call it for the second time?",
}


def wrong_backward(add, order, zero):
    def put(value, g):
        value.grad = value.grad + g if add == ADD[0] else g

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

    def paths(v):
        for parent, local in zip(v.parents, v.local_grads, strict=True):
            put(parent, local * v.grad)
            paths(parent)

    def backward(output):
        everything = topological(output)
        if zero == ZERO[0]:
            for v in everything:
                v.grad = 0.0
        output.grad = 1.0
        if order == ORDER[2]:
            paths(output)
            return
        walk = levels(output) if order == ORDER[1] else everything[::-1]
        if order == ORDER[3]:
            walk = list(recursive(output, {}))[::-1]
        for v in walk:
            for parent, local in zip(v.parents, v.local_grads, strict=True):
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
]
DISCOUNT = ["three", "with ONE discount for all counts", "WITHOUT discounts"]
UNSEEN = [
    "backed off",
    "that gives a context which was never seen the UNIFORM distribution",
    "that gives a context which was never seen all ZEROS",
]
MIX = ["interpolated", "that uses the shorter context only for tokens that the longer one has NOT seen"]
END = ["right", "that takes the FIRST tokens of a context that is too long, where the last belong"]
BASE = ["uniform below", "whose unigrams do not rest on the uniform distribution"]
NGRAM_HINTS = {
    COUNTS[1]: "After an unseen word, is `Francisco` as likely as its count says? What does it follow?",
    COUNTS[2]: "The longest n-grams: what are they for, their frequency or their variety?",
    DISCOUNT[1]: "How many discounts are there, and which counts do they belong to?",
    DISCOUNT[2]: "Where does the mass for unseen tokens come from?",
    UNSEEN[1]: "The longer context says nothing. Who says something about what follows?",
    UNSEEN[2]: "A text with one new context would have probability zero. What is left if a context is unknown?",
    MIX[1]: "In the formula, for which tokens is the shorter context's share added?",
    END[1]: "Which tokens of a long context are nearest to the next one?",
    BASE[1]: "A token that the text does not have: what is its probability?",
}


def wrong_kneser_ney(counts, discount, unseen, mix, end, base):
    def kneser_ney(tokens, contexts, order, vocab_size):
        def grams(n):
            return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

        tables = []
        for n in range(1, order + 1):
            raw = n == order and counts != COUNTS[2] or counts == COUNTS[1]
            c = Count(grams(n)) if raw else Count(g[1:] for g in set(grams(n + 1)))
            sizes = [max(1, list(c.values()).count(i)) for i in range(5)]
            y = sizes[1] / (sizes[1] + 2 * sizes[2])
            D = [0.0] + [max(0.0, i - (i + 1) * y * sizes[i + 1] / sizes[i]) for i in (1, 2, 3)]
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
            made.append(p)
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


def a_text_that_repeats(impl, seed):
    return impl.kneser_ney([0, 1, 2] * 12 + [0, 2], [(0,), (1,), (2, 0)], 3, 4)


# ---------------------------------------------------------------- batchnorm_backward

PATHS = [
    "right",
    "that drops the path through the VARIANCE",
    "that drops the path through the MEAN",
    "with n where n - 1 belongs",
    "whose variance divides by n where n - 1 belongs",
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
    PARAMETERS[1]: "gamma multiplies something in the forward pass. What?",
    PARAMETERS[2]: "gamma is used once for every row. What does the chain rule do with many uses?",
    GAIN[1]: "What stands between the output and the normalised x?",
}


def wrong_batchnorm(paths, parameters, gain):
    def batchnorm_backward(dy, x, gamma, eps=1e-5):
        n = len(x)
        inverse = (x.var(0, unbiased=paths != PATHS[4]) + eps).rsqrt()
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
]
WINDOW_HINTS = {
    SHIFT[1]: "What would a model have to do to predict y from x here?",
    SHIFT[2]: "The token right after x[0, 0] in the text: is it y[0, 0]?",
    SHIFT[3]: "The target of a window's last input stands in the next window.",
    COUNT[1]: "How many windows of 3 fit into 7 tokens, if every target is there?",
    COUNT[2]: "At which token does the second window begin?",
    SPLIT[1]: "Which part of the text begins at int(n · (1 - fraction))?",
    SPLIT[2]: "Which part of the text is trained on: the first or the last?",
    SPLIT[3]: "May a model be trained on what it is validated on?",
}


def wrong_windows(shift, count, split_):
    def windows(tokens, seq_len, split="train", valid_fraction=0.1):
        if split not in ("train", "valid"):
            raise ValueError(split)
        n, T = len(tokens), seq_len
        boundary = int(n * (1 - valid_fraction))
        train, valid = tokens[:boundary], tokens[boundary:]
        if split_ == SPLIT[1]:
            valid = train[len(train) - len(valid) :]
        elif split_ == SPLIT[2]:
            valid, train = tokens[: n - boundary], tokens[n - boundary :]
        elif split_ == SPLIT[3]:
            train = tokens
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


def windows_of_one_token(impl, seed):
    return named_windows(impl.windows(integers(seed, 50, 12), 1, "valid", 0.25))


def windows_that_are_refused(impl, seed):
    tokens = integers(seed, 50, 20)
    cases = {"a split called test": (3, "test"), "19 of 18 tokens": (19, "train", 0.1), "18 of 18": (18, "train", 0.1)}
    cases |= {"17 of 18": (17, "train", 0.1), "2 of 2 for validation": (2, "valid"), "1 of 2": (1, "valid")}
    return {name: error_of(lambda case=case: impl.windows(tokens, *case)) for name, case in cases.items()}


def the_ten_tokens_of_the_workbook(impl, seed):
    return named_windows(impl.windows(torch.arange(10, 20), 3, "train", 0.2))


# ---------------------------------------------------------------- Sampler

STATE = ["both", "that saves the position only, so that a resumed run repeats the first epoch's order"]
RESTORE = ["right", "that restores the numbers and keeps the ORDER of the epoch it was in"]
SEED = ["moves on", "that shuffles with the same seed in EVERY epoch", "that draws from the global generator"]
RANK = [
    "its part",
    "that gives every rank the SAME slice",
    "that gives rank r every world_size-th index, where a block belongs",
    "whose position moves on by one rank's batch, so that ranks meet the same samples again",
]
TAIL = ["left out", "that gives a shorter batch at the end of an epoch"]
SIZE = ["checked", "that does not refuse a global batch which is larger than the data"]
SAMPLER_HINTS = {
    STATE[1]: "A run is killed in its third epoch. What does the position alone say?",
    RESTORE[1]: "After loading the state of epoch 2, whose permutation is in memory?",
    SEED[1]: "Look at the first batch of two epochs.",
    SEED[2]: "Who else draws from the global generator, and how often?",
    RANK[1]: "Two processes with the same batch: what is their mean gradient worth?",
    RANK[2]: "With two ranks and a batch of two: which of the four indices belong to rank 0?",
    RANK[3]: "How many samples do all ranks together use up in one step?",
    TAIL[1]: "Seven samples in batches of three: what is promised about the seventh?",
    SIZE[1]: "Three ranks of two samples each, and five samples: who goes without?",
}


def wrong_sampler(state, restore, seed_, rank_, tail, size_):
    class Sampler:
        def __init__(self, size, batch_size, seed=0, rank=0, world_size=1):
            if batch_size * world_size > size and size_ == SIZE[0]:
                raise ValueError("size")
            self.size, self.batch_size, self.seed, self.rank, self.world = size, batch_size, seed, rank, world_size
            self.epoch = self.position = 0
            self.shuffle()

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
                self.epoch, self.position = self.epoch + 1, 0
                self.shuffle()
            block = self.order[self.position : self.position + B * W]
            self.position += B if rank_ == RANK[3] else B * W
            if rank_ == RANK[2]:
                return block[r::W]
            return block[:B] if rank_ == RANK[1] else block[r * B : r * B + B]

        def state_dict(self):
            both = {"epoch": self.epoch, "position": self.position}
            return {"position": self.position} if state == STATE[1] else both

        def load_state_dict(self, found):
            self.epoch, self.position = found.get("epoch", 0), found["position"]
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


def a_resume_on_another_rank(impl, seed):
    sampler = impl.Sampler(13, 2, seed=seed, rank=1, world_size=2)
    drawn(sampler, 4)
    resumed = impl.Sampler(13, 2, seed=seed, rank=0, world_size=2)
    resumed.load_state_dict(sampler.state_dict())
    return {"the batches of rank 0": drawn(resumed, 4)}


def sizes_of_data(impl, seed):
    cases = {"5 samples for 3 ranks of 2": (5, 2, 0, 0, 3), "6 samples": (6, 2, 0, 0, 3), "one": (1, 1)}
    cases["2 samples, batch of 3"] = (2, 3)
    return {name: error_of(lambda case=case: impl.Sampler(*case)) for name, case in cases.items()}


def the_global_generator_afterwards(impl, seed):
    sampler = impl.Sampler(6, 3, seed=seed)
    drawn(sampler, 3)
    return {"the next random number": torch.rand(1), "its own iterator": iter(sampler) is sampler}


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
]
PLACE = ["before", "that normalises AFTER each addition (post-norm)"]
POSITIONS = ["added", "WITHOUT position embeddings"]
LENGTH = ["checked", "that does not refuse more tokens than context_length"]
GPT_HINTS = {
    FINAL[1]: "The residual stream grows with every layer. What stands before the head?",
    HEAD[1]: "How many parameters has the model? Does the embedding feel the head's gradient?",
    GELU[1]: "`F.gelu` has an argument. Which form was GPT-2 trained with?",
    INIT[1]: "Each of 2 n_layer branches adds its variance to the stream. What keeps the sum at one?",
    INIT[2]: "Look at the deviation of `wte.weight`. What is promised?",
    INIT[3]: "What is promised about biases?",
    PLACE[1]: "In GPT-2, does the residual stream itself ever go through a norm inside a block?",
    POSITIONS[1]: "Exchange two tokens of the prompt: which logits should change?",
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
                    last = name.endswith(("o_proj.weight", "c_proj.weight")) and init != INIT[1]
                    nn.init.normal_(p, std=0.02 / math.sqrt(2 * c.n_layer) if last else 0.02)
                elif name.endswith("bias") and init not in (INIT[2], INIT[3]):
                    nn.init.zeros_(p)
            if head == HEAD[1]:
                self.lm_head.weight.data.copy_(self.wte.weight.data)

        def forward(self, tokens):
            T = tokens.shape[1]
            if T > self.config.context_length:
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
        for i, (_, p) in enumerate(sorted(model.named_parameters())):
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
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters()}
    keys = sorted(model.state_dict())
    return {"their names and shapes": shapes, "head and embedding are one": model.lm_head.weight is model.wte.weight,
            "the names of the state dict": keys, "its config": model.config is TINY}  # fmt: skip


def the_initial_weights(impl, seed):
    from capstone_gpt import GPTConfig

    model = impl.GPT(GPTConfig(vocab_size=101, context_length=53, n_layer=3, n_head=2, n_embd=48))
    found = {}
    for name, p in model.named_parameters():
        if p.ndim == 1:
            found[name] = sorted(set(p.tolist()))[:2]
        else:
            small, middle = (abs(p.std().item() / want - 1) < 0.12 for want in (0.02 / math.sqrt(6), 0.02))
            found[name] = "0.02 / sqrt(6)" if small else "0.02" if middle else "another deviation"
    return {"the deviation of each matrix, the values of each vector": found}


def gradients_reach_the_embedding_from_both_ends(impl, seed):
    model, tokens = built(impl, seed), integers(seed, 29, 2, 7)
    F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten().roll(3)).backward()
    return {"the embedding's gradient": model.wte.weight.grad, "of the positions": model.wpe.weight.grad}


def too_many_tokens(impl, seed):
    model = impl.GPT(TINY)
    return {f"{T} of 11 tokens": error_of(lambda T=T: model(torch.zeros(1, T).long())) for T in (11, 12, 13)}


# ---------------------------------------------------------------- all of them

KNOBS = {
    "backward": ("a backward pass", {"add": ADD, "order": ORDER, "zero": ZERO}, wrong_backward, ENGINE_HINTS),
    "kneser_ney": (
        "counts",
        {"counts": COUNTS, "discount": DISCOUNT, "unseen": UNSEEN, "mix": MIX, "end": END, "base": BASE},
        wrong_kneser_ney,
        NGRAM_HINTS,
    ),
    "batchnorm_backward": (
        "a backward pass",
        {"paths": PATHS, "parameters": PARAMETERS, "gain": GAIN},
        wrong_batchnorm,
        NORM_HINTS,
    ),
    "windows": ("windows", {"shift": SHIFT, "count": COUNT, "split_": SPLIT}, wrong_windows, WINDOW_HINTS),
    "Sampler": (
        "a sampler",
        {"state": STATE, "restore": RESTORE, "seed_": SEED, "rank_": RANK, "tail": TAIL, "size_": SIZE},
        wrong_sampler,
        SAMPLER_HINTS,
    ),
    "GPT": (
        "a model",
        {"final": FINAL, "head": HEAD, "gelu": GELU, "init": INIT, "place": PLACE, "positions": POSITIONS,
         "length": LENGTH},
        wrong_gpt,
        GPT_HINTS,
    ),
} | training.KNOBS  # fmt: skip
TWO = {"batchnorm_backward", "windows"}  # tasks whose mistakes are also shown in pairs


def of(task):
    noun, knobs, build, hints = KNOBS[task]
    yield from combine(task, noun, knobs, build, hints, most=2 if task in TWO else 1)


PROBES = {
    "backward": [
        an_expression_whose_values_are_used_at_several_depths,
        a_value_used_twice,
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
    ],
    "batchnorm_backward": [five_rows_of_three_channels, a_large_eps_in_float32, two_rows_of_one_channel],
    "windows": [
        training_windows,
        validation_windows,
        a_text_that_windows_fill_exactly,
        windows_of_one_token,
        windows_that_are_refused,
        the_ten_tokens_of_the_workbook,
    ],
    "Sampler": [
        three_epochs_of_one_rank,
        each_of_three_ranks,
        after_a_resume,
        a_resume_on_another_rank,
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
} | training.PROBES
