"""The classic mistakes of a Transformer block as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs. The first setting of a knob is the right one; every other setting is one
mistake, named by its sentence.
"""

import copy
import math

import torch
import torch.nn.functional as F
from block_builder import ACTIVATIONS, Config, MultiHeadAttention
from grader import Mistake, combine, error_of
from torch import nn

TASKS = ["FeedForward", "residual", "Block", "GPT", "init_weights", "EncoderBlock", "DecoderBlock", "conv2d"]
GIVEN = ["ACTIVATIONS", "Config", "MultiHeadAttention", "causal_mask", "padding_mask"]
GATE_SEEDS = 3

SMALL = Config(vocab_size=11, context_length=7, layers=3, heads=2, width=10, expansion=3)
POST = Config(vocab_size=11, context_length=7, layers=2, heads=5, width=10, expansion=2, norm_first=False)


def like(config, **changes):
    return Config(**{**vars(config), **changes})


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def filled(module, seed):
    """The module in float64, at evaluation, with every parameter drawn in the order of the names."""
    module = module.double().eval()
    generator = torch.Generator().manual_seed(seed)
    drawn = set()
    with torch.no_grad():
        for _, parameter in sorted(module.named_parameters(remove_duplicate=False), key=lambda pair: pair[0]):
            if id(parameter) in drawn:
                continue  # a shared tensor belongs to the first of its names
            drawn.add(id(parameter))
            parameter.copy_(0.6 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def shapes(module):
    found = dict(module.named_parameters(remove_duplicate=False))
    return {name: list(found[name].shape) for name in sorted(found)}


def with_its_input(module, x, *more, **arguments):
    """The output of a module, and whether its input is as it was."""
    before = x.clone()
    out = module(x, *more, **arguments)
    return {"x is as it was": torch.equal(x, before), "the output": out}


def zeroed(module):
    """The module in float64 with every parameter 0 but the weights of the norms."""
    module = module.double().eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(1.0 if name.split(".")[-2].startswith("ln_") and name.endswith("weight") else 0.0)
    return module


# ---------------------------------------------------------------- FeedForward

ACTIVATE = [
    "right",
    "WITHOUT an activation",
    "with its activation AFTER fc_out",
    "that takes GELU whatever config.activation says",
    "with the tanh approximation of GELU",
    "that takes ReLU whatever config.activation says",
    "that takes SiLU whatever config.activation says",
    "with its activation after fc_out TOO",
    "whose ReLU is cut off at 6",
]
HIDDEN = [
    "right",
    "whose hidden layer has `expansion` numbers, and not `expansion * width`",
    "that always expands by 4",
    "that SHRINKS by the expansion",
]
BIAS = ["right", "WITHOUT biases", "whose fc_in has no bias", "whose fc_out has no bias"]
INSIDE = [
    "right",
    "that adds its input to its output itself",
    "that drops its output itself",
    "that normalizes its input itself",
    "that computes in float32 whatever it is given",
    "that changes x IN PLACE",
]
FEED_FORWARD = {"activate": ACTIVATE, "hidden": HIDDEN, "bias": BIAS}
FEED_FORWARD_HINTS = {
    ACTIVATE[1]: "Two linear layers without anything between them: to what do they add up?",
    ACTIVATE[2]: "Can a branch whose last step is an activation subtract from the stream?",
    ACTIVATE[3]: "Which two activations does the table ACTIVATIONS hold, and who chooses?",
    ACTIVATE[4]: "PyTorch knows two GELUs. Which one is the default?",
    ACTIVATE[5]: "Which two activations does the table ACTIVATIONS hold, and who chooses?",
    ACTIVATE[6]: "Which two activations does the table ACTIVATIONS hold? SiLU is none of them.",
    ACTIVATE[7]: "Between which two layers does the activation stand? What may a branch add that is below zero?",
    ACTIVATE[8]: "What does ReLU make of 7? There is another function of a similar name.",
    HIDDEN[1]: "For width 512 and expansion 4, how many numbers does the hidden layer have in GPT-2's style?",
    HIDDEN[2]: "What does config.expansion say?",
    HIDDEN[3]: "Is the hidden layer wider or narrower than the stream?",
    BIAS[1]: "Which tensors does the docstring promise in fc_in and fc_out?",
    BIAS[2]: "Which tensors does the docstring promise in fc_in and fc_out?",
    BIAS[3]: "Which tensors does the docstring promise in fc_in and fc_out?",
    INSIDE[1]: "Who adds the branch to the stream: the feed-forward layer, or the block?",
    INSIDE[2]: "Who drops the output of a branch: the feed-forward layer, or the block?",
    INSIDE[3]: "The formula begins with x. Who normalizes what this layer reads?",
    INSIDE[4]: "A float64 holds 16 digits. How many are left after `.float()`?",
    INSIDE[5]: "The block adds the output to x afterwards. What does it find there?",
}


def wrong_feed_forward(activate=ACTIVATE[0], hidden=HIDDEN[0], bias=BIAS[0], inside=INSIDE[0]):
    class FeedForward(nn.Module):
        def __init__(self, config):
            super().__init__()
            C, E = config.width, config.expansion
            wide = dict(zip(HIDDEN, (E * C, E, 4 * C, max(1, C // E)), strict=True))[hidden]
            self.fc_in = nn.Linear(C, wide, bias=bias in (BIAS[0], BIAS[3]))
            self.fc_out = nn.Linear(wide, C, bias=bias in (BIAS[0], BIAS[2]))
            self.drop = nn.Dropout(config.dropout if inside == INSIDE[2] else 0.0)
            self.activation = ACTIVATIONS[config.activation]
            if activate == ACTIVATE[3]:
                self.activation = F.gelu
            if activate in ACTIVATE[5:7]:
                self.activation = F.relu if activate == ACTIVATE[5] else F.silu
            if activate == ACTIVATE[4] and config.activation == "gelu":
                self.activation = lambda h: F.gelu(h, approximate="tanh")
            if activate == ACTIVATE[8] and config.activation == "relu":
                self.activation = F.relu6

        def forward(self, x):
            given = x
            if inside == INSIDE[4]:
                self.float()
                x = x.float()
            x = F.layer_norm(x, x.shape[-1:]) if inside == INSIDE[3] else x
            if activate == ACTIVATE[1]:
                out = self.fc_out(self.fc_in(x))
            elif activate == ACTIVATE[2]:
                out = self.activation(self.fc_out(self.fc_in(x)))
            else:
                out = self.fc_out(self.activation(self.fc_in(x)))
                out = self.activation(out) if activate == ACTIVATE[7] else out
            if inside == INSIDE[5]:
                with torch.no_grad():
                    x.copy_(out)
            out = self.drop(out).to(given.dtype)
            return x + out if inside == INSIDE[1] else out

    return FeedForward


def shapes_of_the_feed_forward_layer(impl, seed):
    return shapes(impl.FeedForward(SMALL))


def feed_forward_values(impl, seed):
    return with_its_input(filled(impl.FeedForward(SMALL), seed), randn(seed + 1, 3, 5, 10))


def a_feed_forward_layer_in_training_at_dropout_1(impl, seed):
    return filled(impl.FeedForward(like(SMALL, dropout=1.0)), seed).train()(randn(seed + 3, 2, 3, 10))


def the_digits_of_float64(impl, seed):
    """What a change of x by a ten-millionth moves: float32 has not so many digits."""
    layer, x = filled(impl.FeedForward(SMALL), seed), randn(seed + 4, 1, 2, 10)
    moved = (layer(x + 1e-9) - layer(x)) * 1e9
    slope = (layer(x + 1e-3) - layer(x - 1e-3)) / 2e-3
    return {"a small change arrives": torch.allclose(moved, slope, rtol=1e-2, atol=1e-2)}


def feed_forward_with_relu(impl, seed):
    return filled(impl.FeedForward(like(SMALL, activation="relu", expansion=1)), seed)(4 * randn(seed + 2, 2, 4, 10))


def a_feed_forward_layer_on_transposed_vectors(impl, seed):
    layer, x = filled(impl.FeedForward(SMALL), seed), randn(seed + 5, 4, 2, 10).transpose(0, 1)
    with torch.no_grad():
        return with_its_input(layer, x)


def the_dtype_of_a_feed_forward_layer(impl, seed):
    layer, x = filled(impl.FeedForward(SMALL), seed), randn(seed + 6, 1, 2, 10)
    return {str(d): str(layer.to(d)(x.to(d)).dtype) for d in (torch.float64, torch.float32, torch.bfloat16)}


def the_feed_forward_example_of_the_workbook(impl, seed):
    layer = zeroed_plain(impl.FeedForward(like(SMALL, width=2, expansion=1, activation="relu")))
    with torch.no_grad():
        layer.fc_in.weight.copy_(torch.eye(2))
        layer.fc_out.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 2.0]]))
        layer.fc_out.bias.copy_(torch.tensor([1.0, 0.0]))
    return layer(torch.tensor([[[3.0, -2.0]]], dtype=torch.float64))


def zeroed_plain(module):
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return module


# ---------------------------------------------------------------- residual

ORDER = [
    "right",
    "that takes the residual AFTER the norm",
    "that normalizes the BRANCH's output instead of its input in Pre-LN",
    "that normalizes only the branch in Post-LN, and not the sum",
    "WITHOUT the residual",
    "that is Pre-LN whatever norm_first says",
    "that is Post-LN whatever norm_first says",
    "that has norm_first the wrong way round",
    "that normalizes twice, before the sublayer and after the sum",
]
DROP = ["right", "WITHOUT dropout", "with dropout on the STREAM", "with dropout on what the sublayer READS"]
RESIDUAL = {"order": ORDER, "drop": DROP}
IN_PLACE = "that adds to x IN PLACE"
FORM = [
    "right",
    "with dropout on the whole SUM in Post-LN",
    "that drops AFTER the norm in Post-LN",
    "WITHOUT dropout in Post-LN",
    "WITHOUT dropout in Pre-LN",
    "with dropout on what the sublayer READS in Pre-LN",
    "with dropout on what the sublayer READS in Post-LN",
    "that is Post-LN where norm_first is not given",
    "that calls the sublayer TWICE",
    "whose branch gets no gradient, because x is DETACHED",
    "that divides the sum by the square root of two",
]
RESIDUAL_HINTS = {
    ORDER[1]: "Follow x through a Pre-LN block: is there a way on which nothing changes it?",
    ORDER[2]: "Pre-LN: what does the sublayer read, the stream or the normalized stream?",
    ORDER[3]: "Post-LN: of what is the mean zero at the end of the block?",
    ORDER[4]: "With a sublayer that returns zeros, what should come out in Pre-LN?",
    ORDER[5]: "What does norm_first=False ask for?",
    ORDER[6]: "What does norm_first=True ask for?",
    ORDER[7]: "True means that the norm comes first. Before what?",
    ORDER[8]: "How many norms does one sublayer have in each of the two forms?",
    DROP[1]: "Which of the arguments is never called?",
    DROP[2]: "With dropout 1, should the stream be gone, or only the branch?",
    FORM[1]: "With dropout 1, should the stream be gone, or only the branch?",
    FORM[2]: "Dropout is applied to what the sublayer returns. What does yours drop in Post-LN?",
    FORM[3]: "Is dropout called in both forms?",
    FORM[4]: "Is dropout called in both forms?",
    FORM[5]: "Dropout is applied to what the sublayer returns. What does yours drop in Pre-LN?",
    FORM[6]: "Dropout is applied to what the sublayer returns. What does yours drop in Post-LN?",
    FORM[7]: "Which default does the signature of the workbook give to norm_first?",
    FORM[8]: "A sublayer is most of the cost of a block. How often do you call it?",
    FORM[9]: "The gradient goes through the stream and through the branch. Which of the two is cut?",
    FORM[10]: "With a sublayer that returns zeros, what should come out in Pre-LN?",
    DROP[3]: "The paper drops the sublayer's output before it is added. What is dropped here?",
}


def wrong_residual(order, drop):
    def residual(x, sublayer, norm, dropout, norm_first=True):
        def branch(h):
            if drop == DROP[3]:
                return sublayer(dropout(h))
            return dropout(sublayer(h)) if drop == DROP[0] else sublayer(h)

        def added(a, b):
            return dropout(a + b) if drop == DROP[2] else a + b

        first = {ORDER[5]: True, ORDER[6]: False, ORDER[7]: not norm_first}.get(order, norm_first)
        if order == ORDER[8]:
            return norm(added(x, branch(norm(x))))
        if order == ORDER[4]:
            out = branch(norm(x)) if first else norm(branch(x))
            return dropout(out) if drop == DROP[2] else out
        if not first:
            return added(x, norm(branch(x))) if order == ORDER[3] else norm(added(x, branch(x)))
        if order == ORDER[1]:
            h = norm(x)
            return added(h, branch(h))
        if order == ORDER[2]:
            return added(x, norm(branch(x)))
        return added(x, branch(norm(x)))

    return residual


def wrong_form(form):
    def residual(x, sublayer, norm, dropout, norm_first=form != FORM[7]):
        def branch(h):
            h = h.detach() if form == FORM[9] else h
            if form == FORM[8]:
                sublayer(h)
            if form == (FORM[5] if norm_first else FORM[6]):
                return sublayer(dropout(h))
            if form == (FORM[4] if norm_first else FORM[3]) or (form in FORM[1:3] and not norm_first):
                return sublayer(h)
            return dropout(sublayer(h))

        total = x + branch(norm(x.detach() if form == FORM[9] else x) if norm_first else x)
        total = total / math.sqrt(2) if form == FORM[10] else total
        if norm_first:
            return total
        total = dropout(total) if form == FORM[1] else total
        return dropout(norm(total)) if form == FORM[2] else norm(total)

    return residual


def residual_in_place(x, sublayer, norm, dropout, norm_first=True):
    if norm_first:
        x += dropout(sublayer(norm(x)))
        return x
    x += dropout(sublayer(x))
    return norm(x)


def branch_parts(seed, C=5):
    weight, scale, kept = randn(seed, C, C), 1 + randn(seed + 1, C), randn(seed + 2, 2, 3, C) > 0
    return lambda h: torch.tanh(h @ weight) + 0.3, lambda h: F.layer_norm(h, (C,), scale), lambda h: 2 * h * kept


def residual_with_each_norm(impl, seed):
    sublayer, norm, dropout = branch_parts(seed)
    x = randn(seed + 3, 2, 3, 5)
    return {
        "Pre-LN": impl.residual(x, sublayer, norm, dropout, norm_first=True),
        "Post-LN": impl.residual(x, sublayer, norm, dropout, norm_first=False),
        "without norm_first": impl.residual(x, sublayer, norm, dropout),
    }


def when_everything_is_dropped(impl, seed):
    sublayer, norm, _ = branch_parts(seed + 4)
    x = randn(seed + 5, 2, 3, 5)
    gone = torch.zeros_like
    return {"Pre-LN": impl.residual(x, sublayer, norm, gone), "Post-LN": impl.residual(x, sublayer, norm, gone, False)}


def gradients_of_the_residual(impl, seed):
    sublayer, norm, dropout = branch_parts(seed + 6)
    found = {}
    for name, first in (("Pre-LN", True), ("Post-LN", False)):
        x = randn(seed + 7, 2, 3, 5).requires_grad_()
        found[name] = torch.autograd.grad(impl.residual(x, sublayer, norm, dropout, first).square().sum(), x)[0]
    return found


def how_often_each_function_is_called(impl, seed):
    found = {}
    for name, first in (("Pre-LN", True), ("Post-LN", False)):
        calls = dict.fromkeys(("sublayer", "norm", "dropout"), 0)

        def counted(h, key, calls=calls):
            calls[key] += 1
            return h + 1

        parts = [lambda h, key=key: counted(h, key) for key in calls]
        impl.residual(randn(seed, 1, 2, 3), *parts, first)
        found[name] = calls
    return found


def functions_that_return_what_they_are_given(impl, seed):
    """A branch that is x itself: what is added to the branch in place is added to x."""
    found = {}
    for name, first in (("Pre-LN", True), ("Post-LN", False)):
        x = randn(seed + 8, 2, 3, 5)
        before = x.clone()
        found[name] = impl.residual(x, *[lambda h: h] * 3, first).clone()
        found[f"{name}, x is as it was"] = torch.equal(x, before)
    return found


def the_residual_example_of_the_workbook(impl, seed):
    x = torch.tensor([[[1.0, 3.0]]])
    arguments = (lambda h: 2 * h, lambda h: h - h.mean(-1, keepdim=True), lambda h: h)
    return {"Pre-LN": impl.residual(x, *arguments), "Post-LN": impl.residual(x, *arguments, norm_first=False)}


# ---------------------------------------------------------------- Block and EncoderBlock

CAUSAL = [
    "right",
    "WITHOUT a causal mask",
    "whose mask shows only what comes LATER",
    "whose causal mask is INVERTED, so that the last position sees nothing",
]
PADDING = [
    "right",
    "that IGNORES attention_mask",
    "with a CAUSAL mask in the encoder",
    "with attention_mask INVERTED",
    "that masks the QUERIES at padding instead of the keys",
    "that sets padding to zero before the attention, but leaves it its weight",
    "that sets padding to zero at the start, but leaves it its weight",
    "that hides the padding of the FIRST sequence in all of them",
    "whose queries at padding see nothing at all, so that their output is not finite",
    "that COUNTS the real tokens and takes them to be the first",
]
SUBLAYERS = [
    "right",
    "with the feed-forward layer BEFORE the attention",
    "with attention and feed-forward side by side, both reading the same x",
    "WITHOUT the attention",
    "WITHOUT the feed-forward layer",
]
NORMS = [
    "right",
    "with ONE norm shared by both sublayers",
    "that ignores config.norm_first",
    "with norm_first the wrong way round",
    "whose keys and values come from the stream that is NOT normalized",
    "with its two norms EXCHANGED",
    "whose attention reads the stream that is NOT normalized",
    "that uses ln_1 for BOTH sublayers and never ln_2",
    "whose second sublayer is Pre-LN whatever config.norm_first says",
    "whose first sublayer is Pre-LN whatever config.norm_first says",
    "whose norms have an eps of their own",
    "whose norms have no bias",
]
STREAM = [
    "right",
    "WITHOUT a residual around the attention",
    "WITHOUT a residual around the feed-forward layer",
    "that takes its residual AFTER the norm",
    "whose second residual adds to the block's INPUT, so that the attention's output is lost",
    "that changes x IN PLACE",
]
DROPOUT = [
    "right",
    "that IGNORES config.dropout",
    "that drops at EVALUATION too",
    "with dropout on the STREAM",
    "that drops the attention's output only",
    "that drops the feed-forward layer's output only",
]
BLOCK = {"visible": CAUSAL, "sublayers": SUBLAYERS, "norms": NORMS, "stream": STREAM, "drop": DROPOUT}
ENCODER = {"visible": PADDING, "sublayers": SUBLAYERS, "norms": NORMS, "stream": STREAM, "drop": DROPOUT}
BLOCK_HINTS = {
    CAUSAL[1]: "Does the output at the first position change when the last token does?",
    CAUSAL[2]: "May position 0 see position 1, or the other way round?",
    CAUSAL[3]: "causal_mask is True where a position may look, and so is the mask of the attention. Is a `~` needed?",
    PADDING[1]: "Change a padding token: does the output of a real token move?",
    PADDING[2]: "Does the first token of an encoder know the last?",
    PADDING[3]: "Is True a real token, or padding?",
    PADDING[4]: "Who must not be seen: the padding key, or what the padding query writes?",
    PADDING[5]: "A key of zeros has a score of zero, not of minus infinity. What weight does it get?",
    PADDING[6]: "A token of zeros still has a key with a bias. What weight does it get?",
    PADDING[7]: "Each row of attention_mask belongs to one sequence. Which row does the second sequence need?",
    PADDING[8]: "What is the softmax of a row of scores that are all minus infinity?",
    PADDING[9]: "Padding may stand on the left. Which positions are real then?",
    SUBLAYERS[1]: "Which sublayer comes first in the paper's figure 1?",
    SUBLAYERS[2]: "What does the feed-forward layer read: the block's input, or what attention has added to it?",
    SUBLAYERS[3]: "Does one position's output depend on another's input?",
    SUBLAYERS[4]: "How many sublayers does the block have?",
    NORMS[1]: "Each sublayer has its own norm, with its own weights. How many are in your block?",
    NORMS[2]: "Build a block with norm_first=False: what is the mean of each output?",
    NORMS[3]: "True means Pre-LN. Which form does your block take then?",
    NORMS[4]: "In self-attention all three projections read the same vectors. Which ones?",
    NORMS[5]: "Which norm belongs to the first sublayer?",
    NORMS[6]: "Pre-LN: what does the attention read?",
    NORMS[7]: "Which of your norms is never called?",
    NORMS[8]: "Do both sublayers of a Post-LN block end with a norm?",
    NORMS[9]: "Do both sublayers of a Post-LN block end with a norm?",
    NORMS[10]: "Which eps has `nn.LayerNorm(config.width)`?",
    NORMS[11]: "What does `nn.LayerNorm(config.width)` hold besides its weight?",
    STREAM[1]: "With all weights of the attention at zero, what should arrive at the second sublayer?",
    STREAM[2]: "With all weights of the feed-forward layer at zero, what should come out?",
    STREAM[3]: "With all branches at zero, a Pre-LN block is the identity. Is yours?",
    STREAM[4]: "What is x after the attention, and what does the second sublayer add to?",
    STREAM[5]: "The caller still needs x as it was. Which operation makes a new tensor?",
    DROPOUT[1]: "With dropout 1 in training, what should a Pre-LN block return?",
    DROPOUT[2]: "Does your dropout know whether the model is in training or at evaluation?",
    DROPOUT[3]: "With dropout 1, should the stream be gone, or only the branches?",
    DROPOUT[4]: "How many sublayers have an output?",
    DROPOUT[5]: "How many sublayers have an output?",
}


def block_maker(name):
    """The wrong blocks of a task: `visible` is a setting of CAUSAL or PADDING."""

    def make(visible, sublayers, norms, stream, drop):
        class Wrong(nn.Module):
            def __init__(self, config):
                super().__init__()
                feed_forward = wrong_feed_forward()
                self.p = config.dropout
                self.norm_first = {NORMS[2]: True, NORMS[3]: not config.norm_first}.get(norms, config.norm_first)
                eps, bias = 1e-12 if norms == NORMS[10] else 1e-5, norms != NORMS[11]
                self.ln_1 = nn.LayerNorm(config.width, eps, bias=bias)
                self.attn = MultiHeadAttention(config.width, config.heads)
                self.ln_2 = self.ln_1 if norms == NORMS[1] else nn.LayerNorm(config.width, eps, bias=bias)
                self.mlp = feed_forward(config)

            def dropped(self, x, attention=False):
                if drop == DROPOUT[1] or (drop == DROPOUT[4] and not attention) or (drop == DROPOUT[5] and attention):
                    return x
                return F.dropout(x, self.p, self.training or drop == DROPOUT[2])

            def add(self, x, sublayer, norm, with_x, attention):
                on_stream = drop == DROPOUT[3]
                first = self.norm_first or norms == (NORMS[9] if attention else NORMS[8])
                if first:
                    branch = sublayer(norm(x))
                    x = norm(x) if stream == STREAM[3] else x
                else:
                    branch = sublayer(x)
                branch = branch if on_stream else self.dropped(branch, attention)
                if stream == STREAM[5] and attention:
                    with torch.no_grad():
                        x.add_(branch)
                    return x if first else norm(x)
                total = x + branch if with_x else branch
                total = self.dropped(total) if on_stream else total
                return total if first else norm(total)

            def mask(self, T, attention_mask):
                ones = torch.ones(1, 1, T, T, dtype=torch.bool)
                if visible in (CAUSAL[2], PADDING[2]):
                    return ones.triu() if visible == CAUSAL[2] else ones.tril()
                if visible == CAUSAL[3]:
                    return ~ones.tril()
                if name == "Block":
                    return ones if visible == CAUSAL[1] else ones.tril()
                if attention_mask is None or visible in (PADDING[1], *PADDING[5:7]):
                    return ones
                if visible == PADDING[3]:
                    return ~attention_mask[:, None, None, :]
                if visible == PADDING[4]:
                    return attention_mask[:, None, :, None]
                if visible == PADDING[8]:
                    return attention_mask[:, None, :, None] & attention_mask[:, None, None, :]
                if visible == PADDING[9]:
                    attention_mask = attention_mask.sort(1, descending=True).values
                return attention_mask[: 1 if visible == PADDING[7] else None, None, None, :]

            def forward(self, x, attention_mask=None):
                if visible == PADDING[6] and attention_mask is not None:
                    x = x * attention_mask[:, :, None]
                mask, start = self.mask(x.shape[1], attention_mask), x

                def attend(h):
                    if visible == PADDING[5] and attention_mask is not None:
                        h = h * attention_mask[:, :, None]
                    memory = start if norms in (NORMS[4], NORMS[6]) and self.norm_first else h
                    h = start if norms == NORMS[6] and self.norm_first else h
                    return self.attn(h, memory, mask)

                ln_1, ln_2 = (self.ln_2, self.ln_1) if norms == NORMS[5] else (self.ln_1, self.ln_2)
                ln_2 = self.ln_1 if norms == NORMS[7] else ln_2

                def attention(x):
                    return self.add(x, attend, ln_1, stream != STREAM[1], True)

                def feed_forward(x):
                    out = self.add(x, self.mlp, ln_2, stream != STREAM[2], False)
                    return out - x + start if stream == STREAM[4] and self.norm_first else out

                if sublayers == SUBLAYERS[1]:
                    return attention(feed_forward(x))
                if sublayers == SUBLAYERS[2]:
                    return attention(x) + feed_forward(x) - x
                x = x if sublayers == SUBLAYERS[3] else attention(x)
                return x if sublayers == SUBLAYERS[4] else feed_forward(x)

        return Wrong

    return make


def shapes_of_the_block(impl, seed):
    return shapes(impl.Block(SMALL))


def a_pre_ln_block(impl, seed):
    return with_its_input(filled(impl.Block(SMALL), seed), randn(seed + 1, 3, 7, 10))


def a_post_ln_block(impl, seed):
    return with_its_input(filled(impl.Block(POST), seed), randn(seed + 2, 2, 5, 10))


def a_block_on_one_token(impl, seed):
    return filled(impl.Block(SMALL), seed)(randn(seed + 3, 1, 1, 10))


def two_lengths_without_gradients(module, seed, *more):
    """One module called with two lengths. `more` are further arguments."""
    found, kept = {}, True
    for T in (5, 3):
        x = randn(seed + T, 2, T, 10)
        before = x.clone()
        with torch.no_grad():
            found[f"{T} positions"] = module(x, *more).clone()
        kept = kept and torch.equal(x, before)
    return {"x is as it was": kept, **found}


def a_block_on_two_lengths_without_gradients(impl, seed):
    return two_lengths_without_gradients(filled(impl.Block(SMALL), seed), seed)


def a_post_ln_block_on_two_lengths_without_gradients(impl, seed):
    return two_lengths_without_gradients(filled(impl.Block(POST), seed), seed)


def a_block_on_a_small_stream(impl, seed):
    return filled(impl.Block(SMALL), seed)(randn(seed + 6, 1, 3, 10) * 0.003)


def a_block_at_dropout_1(impl, seed):
    block = filled(impl.Block(like(SMALL, dropout=1.0)), seed)
    x = randn(seed + 4, 2, 3, 10)
    return {"in evaluation": block(x), "in training": block.train()(x)}


def a_post_ln_block_at_dropout_1(impl, seed):
    return filled(impl.Block(like(POST, dropout=1.0)), seed).train()(randn(seed + 5, 2, 3, 10))


def the_block_example_of_the_workbook(impl, seed):
    x, config = torch.tensor([[[1.0, 3.0]]], dtype=torch.float64), like(SMALL, width=2, heads=1)
    made = {"Pre-LN": config, "Post-LN": like(config, norm_first=False)}
    return {name: zeroed(impl.Block(c))(x) for name, c in made.items()}


def shapes_of_the_encoder_block(impl, seed):
    return shapes(impl.EncoderBlock(SMALL))


def an_encoder_block_without_mask(impl, seed):
    return with_its_input(filled(impl.EncoderBlock(SMALL), seed), randn(seed + 1, 3, 7, 10))


def a_post_ln_encoder_block(impl, seed):
    return with_its_input(filled(impl.EncoderBlock(POST), seed), randn(seed + 2, 2, 5, 10))


def an_encoder_block_on_a_small_stream(impl, seed):
    return filled(impl.EncoderBlock(SMALL), seed)(randn(seed + 7, 1, 3, 10) * 0.003)


def real_tokens(*lengths):
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def real_tokens_beside_padding(impl, seed):
    seen = real_tokens(4, 7, 1)
    out = with_its_input(filled(impl.EncoderBlock(SMALL), seed), randn(seed + 3, 3, 7, 10), attention_mask=seen)
    kept, out = out["x is as it was"], out["the output"]
    finite = bool(out.isfinite().all())
    return {"x is as it was": kept, "the outputs of real tokens": out[seen], "every output is finite": finite}


def padding_on_the_left(impl, seed):
    seen = real_tokens(4, 6).flip(1)
    return filled(impl.EncoderBlock(SMALL), seed)(randn(seed + 8, 2, 6, 10), seen)[seen]


def an_encoder_block_on_two_lengths_without_gradients(impl, seed):
    return two_lengths_without_gradients(filled(impl.EncoderBlock(SMALL), seed), seed)


def a_post_ln_encoder_block_on_two_lengths_without_gradients(impl, seed):
    return two_lengths_without_gradients(filled(impl.EncoderBlock(POST), seed), seed)


def an_encoder_block_at_dropout_1(impl, seed):
    block = filled(impl.EncoderBlock(like(SMALL, dropout=1.0)), seed)
    x = randn(seed + 4, 2, 3, 10)
    return {"in evaluation": block(x), "in training": block.train()(x)}


def a_post_ln_encoder_block_at_dropout_1(impl, seed):
    return filled(impl.EncoderBlock(like(POST, dropout=1.0)), seed).train()(randn(seed + 5, 2, 3, 10))


def padding_does_not_reach_real_tokens(impl, seed):
    block, seen, x = filled(impl.EncoderBlock(POST), seed), real_tokens(2, 5), randn(seed + 6, 2, 5, 10)
    changed = torch.where(seen[:, :, None], x, x + 3.0)
    return {"how far real outputs move": (block(x, seen) - block(changed, seen))[seen].abs().amax(-1)}


# ---------------------------------------------------------------- GPT

FINAL = ["right", "WITHOUT the final norm", "with a final norm in Post-LN too"]
TIED = ["right", "whose head is a COPY of the token table", "whose head is NOT tied to the token table"]
POSITION = [
    "right",
    "WITHOUT positions",
    "whose positions start at 1",
    "that normalizes the token vectors BEFORE it adds the positions",
    "that gives every token the first position",
    "that looks up the positions by the TOKENS",
]
REPEATED = ["right", "that uses ONE block again and again", "that runs its blocks from the last to the first"]
LOGITS = ["right", "that returns PROBABILITIES", "that returns the logits of the LAST position only"]
EMBEDDED = ["right", "WITHOUT dropout on the embeddings", "that drops at EVALUATION too",
            "with dropout on the token vectors only"]  # fmt: skip
LONG = [
    "right",
    "that takes a text which is too long in SILENCE",
    "that leaves a text which is too long to PyTorch's errors",
    "that refuses the longest text that fits",
]
SCALE = ["right", "that multiplies the token vectors by sqrt(width)", "with a bias in its head"]
MODEL = {"final": FINAL, "tied": TIED, "position": POSITION, "repeated": REPEATED, "logits": LOGITS,
         "embedded": EMBEDDED, "long": LONG, "scale": SCALE}  # fmt: skip
MODEL_HINTS = {
    FINAL[1]: "In Pre-LN nothing normalizes the stream itself. What does the head read after the last block?",
    FINAL[2]: "In Post-LN, what was the last step of the last block?",
    TIED[1]: "Train one step: do the head and the table still hold the same numbers?",
    TIED[2]: "How many matrices of vocab_size x width should the model have?",
    POSITION[1]: "Which table is never read?",
    POSITION[2]: "Which row of wpe belongs to the first token?",
    POSITION[3]: "What does the first block read: the sum, or a norm of one part of it?",
    POSITION[4]: "Two equal tokens at different places: does the model know the difference?",
    POSITION[5]: "Two equal tokens at different places: does the model know the difference?",
    REPEATED[1]: "A list of one object three times: how many sets of weights are there?",
    REPEATED[2]: "In which order do the blocks stand in `blocks`?",
    LOGITS[1]: "Cross-entropy applies a softmax itself. What should it be given?",
    LOGITS[2]: "The loss needs a prediction at every position. How many do you return?",
    EMBEDDED[1]: "With dropout 1 in training, what does the first block read?",
    EMBEDDED[2]: "Does your dropout know whether the model is in training or at evaluation?",
    EMBEDDED[3]: "Dropout acts on the sum. Which part of the sum is left out?",
    LONG[1]: "Should a text of 8 tokens for a context of 7 pass in silence?",
    LONG[2]: "Which kind of error does the docstring promise?",
    LONG[3]: "A context of 7: may a text have 7 tokens?",
    SCALE[1]: "That is in the 2017 paper. Is it in the formula of this task?",
    SCALE[2]: "The head is the token table and nothing else. What else does yours have?",
}


def wrong_gpt(final, tied, position, repeated, logits, embedded, long, scale):
    block = block_maker("Block")(CAUSAL[0], SUBLAYERS[0], NORMS[0], STREAM[0], DROPOUT[0])

    class GPT(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.config = config
            self.wte = nn.Embedding(config.vocab_size, config.width)
            self.wpe = nn.Embedding(config.context_length, config.width)
            made = [block(config)] * config.layers if repeated == REPEATED[1] else None
            self.blocks = nn.ModuleList(made or [block(config) for _ in range(config.layers)])
            normal = {FINAL[1]: False, FINAL[2]: True}.get(final, config.norm_first)
            self.ln_f = nn.LayerNorm(config.width) if normal else nn.Identity()
            self.lm_head = nn.Linear(config.width, config.vocab_size, bias=scale == SCALE[2])
            if tied == TIED[0]:
                self.lm_head.weight = self.wte.weight
            elif tied == TIED[1]:
                self.lm_head.weight = nn.Parameter(self.wte.weight.detach().clone())

        def forward(self, tokens):
            most, C = self.config.context_length, self.config.width
            if tokens.shape[1] > most and long == LONG[0] or tokens.shape[1] >= most and long == LONG[3]:
                raise ValueError("too long")
            if long == LONG[1]:
                tokens = tokens[:, -most:]
            T = tokens.shape[1]
            x = self.wte(tokens) * (math.sqrt(C) if scale == SCALE[1] else 1.0)
            if position == POSITION[3]:
                x = F.layer_norm(x, (C,))
            if embedded == EMBEDDED[3]:
                x = F.dropout(x, self.config.dropout, self.training)
            rows = {POSITION[2]: slice(1, T + 1), POSITION[4]: slice(0, 1)}.get(position, slice(0, T))
            rows = tokens % most if position == POSITION[5] else rows
            x = x if position == POSITION[1] else x + self.wpe.weight[rows]
            if embedded in (EMBEDDED[0], EMBEDDED[2]):
                x = F.dropout(x, self.config.dropout, self.training or embedded == EMBEDDED[2])
            for block_ in reversed(self.blocks) if repeated == REPEATED[2] else self.blocks:
                x = block_(x)
            out = self.lm_head(self.ln_f(x))
            out = out.softmax(-1) if logits == LOGITS[1] else out
            return out[:, -1] if logits == LOGITS[2] else out

    return GPT


def tokens_of(seed, *shape, vocab_size=11):
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def shapes_of_the_model(impl, seed):
    return {"Pre-LN": shapes(impl.GPT(SMALL)), "Post-LN": shapes(impl.GPT(POST))}


def logits_of_a_full_context(impl, seed):
    return filled(impl.GPT(SMALL), seed)(tokens_of(seed + 1, 3, 7))


def logits_of_a_short_text(impl, seed):
    return filled(impl.GPT(SMALL), seed)(tokens_of(seed + 2, 1, 2))


def logits_of_more_texts_than_the_context_has_positions(impl, seed):
    return filled(impl.GPT(SMALL), seed)(tokens_of(seed + 6, 9, 3))


def logits_of_a_post_ln_model(impl, seed):
    return filled(impl.GPT(POST), seed)(tokens_of(seed + 3, 2, 5))


def the_head_and_the_token_table(impl, seed):
    model = impl.GPT(SMALL)
    one = model.lm_head.weight is model.wte.weight
    return {"one and the same": one, "equal at the start": torch.equal(model.lm_head.weight, model.wte.weight)}


def a_model_at_dropout_1(impl, seed):
    model = filled(impl.GPT(like(SMALL, dropout=1.0)), seed)
    tokens = tokens_of(seed + 4, 2, 3)
    return {"in evaluation": model(tokens), "in training": model.train()(tokens)}


def gradient_of_the_token_table(impl, seed):
    model = filled(impl.GPT(SMALL), seed)
    return torch.autograd.grad(model(tokens_of(seed + 5, 2, 4)).square().sum(), model.wte.weight)[0]


def texts_that_are_too_long(impl, seed):
    model = filled(impl.GPT(SMALL), seed)
    return {f"{T} tokens": error_of(lambda T=T: model(tokens_of(seed, 1, T))) for T in (6, 7, 8, 9)}


def the_model_example_of_the_workbook(impl, seed):
    model = zeroed(impl.GPT(like(SMALL, vocab_size=3, width=2, heads=1, layers=1)))
    with torch.no_grad():
        model.wte.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, 0.0]]))
    return model(torch.tensor([[0, 1]]))


# ---------------------------------------------------------------- init_weights

DEPTH = [
    "right",
    "WITHOUT the scale by depth",
    "that divides by the square root of the number of BLOCKS",
    "that divides by the number of branches, and not by its square root",
    "that scales ALL matrices by depth",
    "that scales the FIRST matrix of each branch",
    "that scales the attention's last matrix only",
]
BIASES = ["right", "that draws the biases too", "that sets the biases to one",
          "that draws the biases of o_proj and fc_out", "that leaves the biases as they are"]  # fmt: skip
NORM_WEIGHTS = ["right", "that draws the weights of the norms", "that sets the weights of the norms to zero",
                "that leaves the norms as they are"]  # fmt: skip
STD = [
    "right",
    "that ignores std",
    "that leaves the embeddings at standard deviation 1",
    "that leaves the embeddings as they are",
    "that gives the positions half of std",
]
OBJECTS = ["right", "that puts NEW parameters in the place of the old", "that leaves parameters without gradients",
           "that returns the model"]  # fmt: skip
INIT = {"depth": DEPTH, "biases": BIASES, "norm_weights": NORM_WEIGHTS, "std": STD, "objects": OBJECTS}
INIT_HINTS = {
    DEPTH[1]: "Each branch adds its variance to the stream. How large is the sum after N branches?",
    DEPTH[2]: "How many branches does one block add to the stream?",
    DEPTH[3]: "Variances add up, not standard deviations. What makes the sum of N variances 1?",
    DEPTH[4]: "Which matrices write into the stream, and which only read from it?",
    DEPTH[5]: "Which matrix of a branch makes what is added to the stream?",
    DEPTH[6]: "Attention is one of the two branches. Which matrix ends the other?",
    BIASES[1]: "At which value do biases start?",
    BIASES[2]: "At which value do biases start?",
    BIASES[3]: "`in name` holds for `o_proj.bias` as well. At which value do biases start?",
    NORM_WEIGHTS[1]: "A norm should change nothing but mean and variance at the start. Which weight does that?",
    NORM_WEIGHTS[2]: "What comes out of a norm whose weights are zero?",
    BIASES[4]: "The model may have been trained already. What are its biases then?",
    NORM_WEIGHTS[3]: "The model may have been trained already. What are the weights of its norms then?",
    STD[1]: "The last argument has a default. What if it is given?",
    STD[2]: "Are wte and wpe matrices like the others?",
    STD[3]: "Are wte and wpe matrices like the others?",
    STD[4]: "Are wte and wpe matrices like the others?",
    OBJECTS[1]: "The optimizer and the tied head hold the old objects. What do they see of your new ones?",
    OBJECTS[2]: "What does a parameter need to be trained?",
    OBJECTS[3]: "The model is changed in place. What is promised to come back?",
}


def wrong_init(depth, biases, norm_weights, std, objects):
    std_setting = std

    @torch.no_grad()
    def init_weights(model, noise, std=0.02):
        if objects == OBJECTS[1]:
            twin = copy.deepcopy(model)
            wrong_init(*(choices[0] for choices in INIT.values()))(twin, noise, std)
            for name, parameter in twin.named_parameters():
                owner, _, leaf = name.rpartition(".")
                setattr(model.get_submodule(owner), leaf, nn.Parameter(parameter.detach().clone()))
            return None
        std = 0.02 if std_setting == STD[1] else std
        ends = {DEPTH[5]: ("q_proj.weight", "fc_in.weight"), DEPTH[6]: ("o_proj.weight",)}
        ends = ends.get(depth, ("o_proj.weight", "fc_out.weight"))
        N = sum(name.endswith(("o_proj.weight", "fc_out.weight")) for name, _ in model.named_parameters())
        factor = {DEPTH[1]: 1.0, DEPTH[2]: math.sqrt(N / 2), DEPTH[3]: N}.get(depth, math.sqrt(N))
        for name, parameter in model.named_parameters():
            kind = "bias" if name.endswith("bias") else "norm" if parameter.ndim == 1 else "matrix"
            drawn = biases == BIASES[1] or (biases == BIASES[3] and name.endswith(("o_proj.bias", "fc_out.bias")))
            if objects == OBJECTS[2]:
                parameter.requires_grad_(False)
            if norm_weights == NORM_WEIGHTS[3] and name.split(".")[-2].startswith("ln_"):
                continue
            if kind == "bias" and biases == BIASES[4]:
                continue
            if kind == "bias" and not drawn:
                parameter.fill_(1.0 if biases == BIASES[2] else 0.0)
            elif kind == "norm" and norm_weights != NORM_WEIGHTS[1]:
                parameter.fill_(0.0 if norm_weights == NORM_WEIGHTS[2] else 1.0)
            else:
                scaled = kind == "bias" and biases == BIASES[3]
                scaled = scaled or kind == "matrix" and (name.endswith(ends) or depth == DEPTH[4])
                own = 1.0 if std_setting == STD[2] and name in ("wte.weight", "wpe.weight") else std
                if std_setting == STD[3] and name in ("wte.weight", "wpe.weight"):
                    continue
                own = std / 2 if std_setting == STD[4] and name == "wpe.weight" else own
                parameter.copy_(noise[name] * own / (factor if scaled else 1.0))
        return model if objects == OBJECTS[3] else None

    return init_weights


def given_model(config):
    """A GPT that is handed out with its noise."""
    return wrong_gpt(*(choices[0] for choices in MODEL.values()))(config)


def weights_of(impl, config, seed, **arguments):
    model = given_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.25)  # as if it had been trained
    generator = torch.Generator().manual_seed(seed)
    noise = {name: torch.randn(p.shape, generator=generator) for name, p in model.named_parameters()}
    impl.init_weights(model, noise, **arguments)
    return {f"the weights {name}": p.detach().clone() for name, p in model.named_parameters()}


def weights_of_three_blocks(impl, seed):
    return weights_of(impl, SMALL, seed)


def weights_of_one_block_with_std_1(impl, seed):
    return weights_of(impl, like(SMALL, layers=1), seed + 1, std=1.0)


def weights_of_a_post_ln_model(impl, seed):
    return weights_of(impl, POST, seed + 2, std=0.1)


def can_still_be_trained(impl, seed):
    model = given_model(SMALL)
    before = dict(model.named_parameters())
    returned = impl.init_weights(model, {name: torch.zeros_like(p) for name, p in before.items()})
    after = dict(model.named_parameters())
    return {
        "what is returned": None if returned is None else f"a {type(returned).__name__}",
        "the parameters are the same objects": all(after[name] is p for name, p in before.items()),
        "all need gradients": all(p.requires_grad and p.is_leaf for p in after.values()),
        "the head is still the token table": model.lm_head.weight is model.wte.weight,
    }


def the_initialization_example_of_the_workbook(impl, seed):
    model = given_model(like(SMALL, layers=2))
    impl.init_weights(model, {name: torch.ones_like(p) for name, p in model.named_parameters()})
    shown = ("wte.weight", "blocks.0.attn.q_proj.weight", "blocks.0.attn.o_proj.weight", "blocks.1.mlp.fc_out.weight",
             "blocks.1.ln_2.weight", "blocks.1.mlp.fc_in.bias")  # fmt: skip
    found = dict(model.named_parameters())
    return {name: float(found[name].flatten()[0].detach()) for name in shown}


# ---------------------------------------------------------------- DecoderBlock

CROSS = [
    "right",
    "whose cross-attention asks with the MEMORY and looks at the text",
    "whose cross-attention looks at the text itself",
    "with the CAUSAL mask on the cross-attention",
    "that IGNORES memory_mask",
    "with memory_mask INVERTED",
    "WITHOUT the cross-attention",
    "whose cross-attention has no residual",
    "that normalizes the memory with ln_2",
    "that gives memory_mask to the queries",
    "whose cross-attention looks at the text itself, with the causal mask",
    "that COUNTS the real tokens of the memory and takes them to be the first",
    "that cuts the memory out of the graph, so that it gets no gradient",
]
SELF = ["right", "whose self-attention is NOT causal", "WITHOUT the self-attention",
        "that hides its own positions with memory_mask"]  # fmt: skip
STEPS = [
    "right",
    "with the cross-attention BEFORE the self-attention",
    "that uses ONE attention for both",
    "with the feed-forward layer between the two attentions",
]
DECODER_NORMS = [
    "right",
    "that ignores config.norm_first",
    "with ONE norm for all three sublayers",
    "that uses ln_2 in place of ln_3",
    "that uses ln_1 in place of ln_2",
    "whose feed-forward layer is Pre-LN whatever config.norm_first says",
    "whose cross-attention is Pre-LN whatever config.norm_first says",
]
DECODER_DROP = [
    "right",
    "that IGNORES config.dropout",
    "that drops at EVALUATION too",
    "with dropout on the STREAM",
    "that does not drop the self-attention's output",
    "that does not drop the cross-attention's output",
    "that does not drop the feed-forward layer's output",
]
INPUT = ["right", "that changes x IN PLACE"]
DECODER = {"cross": CROSS, "self_": SELF, "steps": STEPS, "norms": DECODER_NORMS, "drop": DECODER_DROP,
           "input_": INPUT}  # fmt: skip
DECODER_HINTS = {
    CROSS[1]: "Who asks, and who is asked? The output has one vector for each position of which text?",
    CROSS[2]: "Change the memory: does the output change?",
    CROSS[3]: "Does the first target word know the last source word?",
    CROSS[4]: "Change a padding position of the memory: does the output change?",
    CROSS[5]: "Is True a real token of the memory, or padding?",
    CROSS[6]: "How many sublayers does a decoder block have?",
    CROSS[7]: "With the cross-attention's weights at zero, what should arrive at the third sublayer?",
    CROSS[8]: "The memory is normalized where it was made. What does ln_2 normalize?",
    CROSS[9]: "Which axis of the scores belongs to the memory?",
    CROSS[10]: "Change the memory: does the output change?",
    CROSS[11]: "Padding may stand on the left. Which positions of the memory are real then?",
    CROSS[12]: "The encoder made the memory. From where does it get its gradient?",
    SELF[1]: "The decoder writes from left to right. What may its first position see?",
    SELF[2]: "How many sublayers does a decoder block have?",
    SELF[3]: "Which text does memory_mask belong to?",
    STEPS[1]: "In which order do the three sublayers stand in figure 1 of the paper?",
    STEPS[2]: "Are the projections of the two attentions the same weights?",
    STEPS[3]: "In which order do the three sublayers stand in figure 1 of the paper?",
    DECODER_NORMS[1]: "Build a block with norm_first=False: what is the mean of each output?",
    DECODER_NORMS[2]: "Each sublayer has its own norm, with its own weights. How many are in your block?",
    DECODER_NORMS[3]: "Each sublayer has its own norm. Which one belongs to the third?",
    DECODER_NORMS[4]: "Each sublayer has its own norm. Which one belongs to the second?",
    DECODER_NORMS[5]: "Do all three sublayers of a Post-LN block end with a norm?",
    DECODER_NORMS[6]: "Do all three sublayers of a Post-LN block end with a norm?",
    DECODER_DROP[1]: "With dropout 1 in training, what should a Pre-LN block return?",
    DECODER_DROP[2]: "Does your dropout know whether the model is in training or at evaluation?",
    DECODER_DROP[3]: "With dropout 1, should the stream be gone, or only the branches?",
    DECODER_DROP[4]: "How many sublayers have an output?",
    DECODER_DROP[5]: "How many sublayers have an output?",
    DECODER_DROP[6]: "How many sublayers have an output?",
    INPUT[1]: "The caller still needs x as it was. Which operation makes a new tensor?",
}


def wrong_decoder(cross, self_, steps, norms, drop, input_):
    class DecoderBlock(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.p, self.norm_first = config.dropout, config.norm_first or norms == DECODER_NORMS[1]
            self.ln_1 = nn.LayerNorm(config.width)
            self.self_attn = MultiHeadAttention(config.width, config.heads)
            self.ln_2 = self.ln_1 if norms == DECODER_NORMS[2] else nn.LayerNorm(config.width)
            new = MultiHeadAttention(config.width, config.heads)
            self.cross_attn = self.self_attn if steps == STEPS[2] else new
            self.ln_3 = self.ln_1 if norms == DECODER_NORMS[2] else nn.LayerNorm(config.width)
            self.mlp = wrong_feed_forward()(config)

        def dropped(self, x, step):
            if drop in (DECODER_DROP[1], DECODER_DROP[4 + step]):
                return x
            return F.dropout(x, self.p, self.training or drop == DECODER_DROP[2])

        def add(self, x, sublayer, norm, step, with_x=True):
            first = self.norm_first or norms == {1: DECODER_NORMS[6], 2: DECODER_NORMS[5]}.get(step)
            branch = sublayer(norm(x) if first else x)
            if drop != DECODER_DROP[3]:
                branch = self.dropped(branch, step)
            if input_ == INPUT[1] and step == 0:
                with torch.no_grad():
                    x.add_(branch)
                return x if first else norm(x)
            total = x + branch if with_x else branch
            total = self.dropped(total, step) if drop == DECODER_DROP[3] else total
            return total if first else norm(total)

        def read(self, h, memory, memory_mask):
            T, S = h.shape[1], memory.shape[1]
            if cross == CROSS[1]:
                return self.cross_attn(memory, h, None)
            if cross == CROSS[2]:
                return self.cross_attn(h, h, None)
            if cross == CROSS[10]:
                return self.cross_attn(h, h, torch.ones(1, 1, T, T, dtype=torch.bool).tril())
            mask = None if memory_mask is None or cross == CROSS[4] else memory_mask[:, None, None, :]
            if cross == CROSS[3]:
                causal = torch.ones(1, 1, T, S, dtype=torch.bool).tril()
                mask = causal if mask is None else causal & mask
            if cross == CROSS[5] and mask is not None:
                mask = ~mask
            if cross == CROSS[9] and mask is not None:
                mask = memory_mask[:, None, :, None]
            if cross == CROSS[11] and mask is not None:
                mask = memory_mask.sort(1, descending=True).values[:, None, None, :]
            if cross == CROSS[8]:
                memory = self.ln_2(memory)
            memory = memory.detach() if cross == CROSS[12] else memory
            return self.cross_attn(h, memory, mask)

        def forward(self, x, memory, memory_mask=None):
            T = x.shape[1]
            causal = torch.ones(1, 1, T, T, dtype=torch.bool)
            causal = causal if self_ == SELF[1] else causal.tril()
            if self_ == SELF[3] and memory_mask is not None and memory_mask.shape[1] >= T:
                causal = causal & memory_mask[:, None, None, :T]

            def look(x):
                return x if self_ == SELF[2] else self.add(x, lambda h: self.self_attn(h, h, causal), self.ln_1, 0)

            def ask(x):
                if cross == CROSS[6]:
                    return x
                norm = self.ln_1 if norms == DECODER_NORMS[4] else self.ln_2
                return self.add(x, lambda h: self.read(h, memory, memory_mask), norm, 1, cross != CROSS[7])

            def think(x):
                return self.add(x, self.mlp, self.ln_2 if norms == DECODER_NORMS[3] else self.ln_3, 2)

            order = {STEPS[1]: (ask, look, think), STEPS[3]: (look, think, ask)}.get(steps, (look, ask, think))
            for step in order:
                x = step(x)
            return x

    return DecoderBlock


def shapes_of_the_decoder_block(impl, seed):
    return shapes(impl.DecoderBlock(SMALL))


def a_text_and_a_longer_memory(impl, seed):
    return with_its_input(filled(impl.DecoderBlock(SMALL), seed), randn(seed + 1, 3, 4, 10), randn(seed + 2, 3, 7, 10))


def a_text_and_a_memory_of_its_length(impl, seed):
    return filled(impl.DecoderBlock(SMALL), seed)(randn(seed + 3, 2, 5, 10), randn(seed + 4, 2, 5, 10))


def a_memory_with_padding(impl, seed):
    block = filled(impl.DecoderBlock(SMALL), seed)
    return block(randn(seed + 5, 2, 5, 10), randn(seed + 6, 2, 5, 10), memory_mask=real_tokens(5, 2))


def a_memory_with_padding_on_the_left(impl, seed):
    block, memory = filled(impl.DecoderBlock(SMALL), seed), randn(seed + 14, 2, 6, 10)
    before = memory.clone()
    out = block(randn(seed + 13, 2, 4, 10), memory, real_tokens(3, 6).flip(1))
    return {"the memory is as it was": torch.equal(memory, before), "the output": out}


def the_gradient_of_the_memory(impl, seed):
    block, memory = filled(impl.DecoderBlock(SMALL), seed), randn(seed + 16, 2, 3, 10).requires_grad_()
    out = block(randn(seed + 15, 2, 4, 10), memory)
    gradient = torch.autograd.grad(out.square().sum(), memory, allow_unused=True)[0]
    return {"of the memory": "no gradient arrives" if gradient is None else gradient}


def a_decoder_block_on_two_lengths_without_gradients(impl, seed):
    block = filled(impl.DecoderBlock(SMALL), seed)
    return two_lengths_without_gradients(block, seed, randn(seed + 17, 2, 4, 10))


def a_post_ln_decoder_block_on_two_lengths_without_gradients(impl, seed):
    block = filled(impl.DecoderBlock(POST), seed)
    return two_lengths_without_gradients(block, seed, randn(seed + 18, 2, 4, 10))


def a_post_ln_decoder_block(impl, seed):
    block = filled(impl.DecoderBlock(POST), seed)
    return block(randn(seed + 7, 2, 6, 10), randn(seed + 8, 2, 3, 10), real_tokens(3, 1))


def a_decoder_block_at_dropout_1(impl, seed):
    block = filled(impl.DecoderBlock(like(SMALL, dropout=1.0)), seed)
    x, memory = randn(seed + 9, 2, 3, 10), randn(seed + 10, 2, 4, 10)
    return {"in evaluation": block(x, memory), "in training": block.train()(x, memory)}


def a_post_ln_decoder_block_at_dropout_1(impl, seed):
    block = filled(impl.DecoderBlock(like(POST, dropout=1.0)), seed).train()
    return block(randn(seed + 11, 2, 3, 10), randn(seed + 12, 2, 4, 10))


def the_decoder_example_of_the_workbook(impl, seed):
    block = zeroed(impl.DecoderBlock(like(SMALL, width=2, heads=1)))
    with torch.no_grad():
        block.cross_attn.v_proj.weight.copy_(torch.eye(2))
        block.cross_attn.o_proj.weight.copy_(torch.eye(2))
    x, memory = torch.tensor([[[[1.0, 3.0]]], [[[5.0, 7.0]]]], dtype=torch.float64)
    return block(x, memory)


# ---------------------------------------------------------------- conv2d

KERNEL = [
    "right",
    "that FLIPS the kernel",
    "that flips the kernel in one axis",
    "that exchanges the rows and the columns of the kernel",
]
PAD = [
    "right",
    "that pads at the top and left only",
    "that IGNORES padding",
    "that pads with the edge's values instead of zeros",
    "that pads the height only",
    "that puts all its padding at the top and the left",
]
STEP = ["right", "that IGNORES stride", "that applies the stride to the KERNEL", "whose stride moves the rows only",
        "that starts one stride late"]  # fmt: skip
GAPS = ["right", "that IGNORES dilation", "that takes dilation as the number of pixels left out",
        "that counts its outputs without the dilation"]  # fmt: skip
ADDED = ["right", "that IGNORES the bias", "that adds the bias at every position of the kernel"]
CHANNELS = ["right", "that takes the MEAN over the input channels", "that reads the first input channel only"]
REFUSE = [
    "right",
    "that returns something empty where the kernel does not fit",
    "that refuses a kernel as large as the image",
    "that returns something empty where only the DILATED kernel does not fit",
]
GRAPH = ["right", "that cuts the kernels out of the graph, so that they get no gradient",
         "that cuts the image out of the graph, so that it gets no gradient",
         "that leaves out a bias of zeros, so that it gets no gradient"]  # fmt: skip
DTYPE = ["right", "that adds its products to float32 zeros"]
CONV = {"kernel": KERNEL, "pad": PAD, "step": STEP, "gaps": GAPS, "added": ADDED, "channels": CHANNELS,
        "refuse": REFUSE, "graph": GRAPH, "dtype": DTYPE}  # fmt: skip
CONV_HINTS = {
    KERNEL[1]: "What networks call convolution is correlation. Is the kernel turned over?",
    KERNEL[2]: "Compare weight[0, 0] with the pixels under it, one by one. Which row meets which?",
    KERNEL[3]: "Is axis 2 of the weights the height or the width?",
    PAD[1]: "How many sides does an image have?",
    PAD[2]: "Which argument is never read?",
    PAD[3]: "What stands outside of the image: its edge, or zeros?",
    PAD[4]: "With padding 1, how many columns does an image of 5 columns get?",
    PAD[5]: "`padding` counts the rows at each of the four sides. How many are at the bottom?",
    STEP[1]: "With stride 2, how many outputs does a row of 7 pixels give to a kernel of 3?",
    STEP[2]: "Does the stride move the kernel, or does it stretch it?",
    STEP[3]: "How many axes does the kernel move along?",
    STEP[4]: "Where does the kernel stand at first?",
    GAPS[1]: "Which argument is never read?",
    GAPS[2]: "With dilation 1 the pixels are neighbours. What is their distance with dilation 2?",
    GAPS[3]: "A kernel of 3 with dilation 2: over how many rows does it reach, and how often does that fit?",
    ADDED[1]: "Which argument is never read?",
    ADDED[2]: "How many times is the bias of an output channel added?",
    CHANNELS[1]: "An output adds up C·K·J products. By what do you divide?",
    CHANNELS[2]: "How many input channels does each output look at?",
    REFUSE[1]: "What does the docstring promise where the kernel reaches over the image?",
    REFUSE[2]: "A kernel of 4 rows on an image of 4 rows: how many times does it fit?",
    REFUSE[3]: "A kernel of 2 with dilation 3: over how many rows does it reach?",
    GRAPH[1]: "Which operation makes a copy that autograd does not know?",
    GRAPH[2]: "Which operation makes a copy that autograd does not know?",
    GRAPH[3]: "A bias that starts at zero must still learn. What is its gradient?",
    DTYPE[1]: "Which dtype does the sum of float32 and float16 have? `x.new_zeros` has that of x.",
}


def wrong_conv2d(kernel, pad, step, gaps, added, channels, refuse, graph, dtype):
    def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
        x, weight = x.detach() if graph == GRAPH[2] else x, weight.detach() if graph == GRAPH[1] else weight
        w = {KERNEL[1]: lambda w: w.flip(2, 3), KERNEL[2]: lambda w: w.flip(2), KERNEL[3]: lambda w: w.mT}
        w = w.get(kernel, lambda w: w)(weight)
        P = 0 if pad == PAD[2] else padding
        sides = {PAD[1]: (P, 0, P, 0), PAD[4]: (0, 0, P, P), PAD[5]: (2 * P, 0, 2 * P, 0)}.get(pad, (P, P, P, P))
        x = F.pad(x, sides, mode="replicate" if pad == PAD[3] and P else "constant")
        D = {GAPS[1]: 1, GAPS[2]: dilation + 1}.get(gaps, dilation)
        if step == STEP[2]:
            D, moved = D * stride, (1, 1)
        else:
            moved = {STEP[1]: (1, 1), STEP[3]: (stride, 1)}.get(step, (stride, stride))
        if channels == CHANNELS[1]:
            w = w / w.shape[1]
        elif channels == CHANNELS[2]:
            x, w = x[:, :1], w[:, :1]
        if step == STEP[4]:
            x = x[:, :, stride - 1 :, stride - 1 :]
        reach = [D * (k - 1) + 1 for k in w.shape[2:]]
        if gaps == GAPS[3]:
            x = F.pad(x, [0, reach[1] - w.shape[3], 0, reach[0] - w.shape[2]])
        if refuse == REFUSE[2] and any(r == s for r, s in zip(reach, x.shape[2:], strict=True)):
            raise ValueError("too large")
        if any(r > s for r, s in zip(reach, x.shape[2:], strict=True)):
            too_large = any(k > s for k, s in zip(w.shape[2:], x.shape[2:], strict=True))
            if refuse == REFUSE[1] or refuse == REFUSE[3] and not too_large:
                return x.new_zeros(x.shape[0], w.shape[0], 0, 0)
            raise ValueError("too large")
        out = F.conv2d(x, w, None, moved, 0, D)
        out = out + torch.zeros(()).expand_as(out[:1]) if dtype == DTYPE[1] else out
        if bias is None or added == ADDED[1] or graph == GRAPH[3] and not bias.any():
            return out
        times = w[0, 0].numel() if added == ADDED[2] else 1
        return out + times * bias[:, None, None]

    return conv2d


def a_plain_convolution(impl, seed):
    return impl.conv2d(randn(seed, 2, 3, 6, 7), randn(seed + 1, 5, 3, 2, 3))


def a_square_kernel_with_bias_and_padding(impl, seed):
    return impl.conv2d(randn(seed + 2, 2, 2, 5, 6), randn(seed + 3, 3, 2, 3, 3), randn(seed + 4, 3), padding=1)


def stride_two(impl, seed):
    return impl.conv2d(randn(seed + 5, 1, 2, 8, 9), randn(seed + 6, 3, 2, 3, 2), stride=2)


def stride_and_dilation_together(impl, seed):
    x, weight, bias = randn(seed + 7, 2, 2, 9, 11), randn(seed + 8, 3, 2, 3, 2), randn(seed + 9, 3)
    return impl.conv2d(x, weight, bias, stride=3, padding=2, dilation=2)


def a_kernel_as_large_as_the_image(impl, seed):
    return impl.conv2d(randn(seed + 10, 3, 2, 4, 5), randn(seed + 11, 2, 2, 4, 5))


def images_in_float32(impl, seed):
    return impl.conv2d(randn(seed + 12, 1, 1, 3, 3).float(), randn(seed + 13, 4, 1, 1, 1).float())


def whole_numbers_in_float16(impl, seed):
    x, weight = tokens_of(seed, 1, 2, 4, 4, vocab_size=4), tokens_of(seed + 1, 3, 2, 2, 2, vocab_size=3)
    return impl.conv2d(x.half(), weight.half())


def kernels_that_do_not_fit(impl, seed):
    x = randn(seed, 1, 1, 4, 3)
    tried = {"height 5": (5, 1, 0, 1), "width 4": (1, 4, 0, 1), "width 4, padding 1": (1, 4, 1, 1),
             "width 2, dilation 3": (1, 2, 0, 3), "width 2, dilation 2": (1, 2, 0, 2)}  # fmt: skip
    return {
        name: error_of(lambda K=K, J=J, P=P, D=D: impl.conv2d(x, randn(seed, 1, 1, K, J), padding=P, dilation=D))
        for name, (K, J, P, D) in tried.items()
    }


def gradients_of_the_convolution(impl, seed):
    x, weight, bias = randn(seed + 14, 2, 2, 5, 5), randn(seed + 15, 3, 2, 2, 2), randn(seed + 16, 3)
    inputs = [t.requires_grad_() for t in (x, weight, bias)]
    out = impl.conv2d(*inputs, stride=2, padding=1)
    gradients = torch.autograd.grad(out.square().sum(), inputs, allow_unused=True)
    zeros = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    out = impl.conv2d(x, weight, zeros, stride=2, padding=1)
    gradients += torch.autograd.grad(out.square().sum(), zeros, allow_unused=True)
    found = ["no gradient arrives" if g is None else g for g in gradients]
    return dict(zip(("of the image", "of the kernels", "of the bias", "of a bias of zeros"), found, strict=True))


def the_convolution_example_of_the_workbook(impl, seed):
    image = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    kernel = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    return {"without padding": impl.conv2d(image, kernel), "with padding": impl.conv2d(image, kernel, padding=1)}


# ---------------------------------------------------------------- all

PROBES = {
    "FeedForward": [
        shapes_of_the_feed_forward_layer,
        feed_forward_values,
        a_feed_forward_layer_in_training_at_dropout_1,
        the_digits_of_float64,
        feed_forward_with_relu,
        a_feed_forward_layer_on_transposed_vectors,
        the_dtype_of_a_feed_forward_layer,
        the_feed_forward_example_of_the_workbook,
    ],
    "residual": [
        residual_with_each_norm,
        when_everything_is_dropped,
        gradients_of_the_residual,
        how_often_each_function_is_called,
        functions_that_return_what_they_are_given,
        the_residual_example_of_the_workbook,
    ],
    "Block": [
        shapes_of_the_block,
        a_pre_ln_block,
        a_post_ln_block,
        a_block_on_one_token,
        a_block_on_a_small_stream,
        a_block_on_two_lengths_without_gradients,
        a_post_ln_block_on_two_lengths_without_gradients,
        a_block_at_dropout_1,
        a_post_ln_block_at_dropout_1,
        the_block_example_of_the_workbook,
    ],
    "GPT": [
        shapes_of_the_model,
        logits_of_a_full_context,
        logits_of_a_short_text,
        logits_of_more_texts_than_the_context_has_positions,
        logits_of_a_post_ln_model,
        the_head_and_the_token_table,
        a_model_at_dropout_1,
        gradient_of_the_token_table,
        texts_that_are_too_long,
        the_model_example_of_the_workbook,
    ],
    "init_weights": [
        weights_of_three_blocks,
        weights_of_one_block_with_std_1,
        weights_of_a_post_ln_model,
        can_still_be_trained,
        the_initialization_example_of_the_workbook,
    ],
    "EncoderBlock": [
        shapes_of_the_encoder_block,
        an_encoder_block_without_mask,
        a_post_ln_encoder_block,
        an_encoder_block_on_a_small_stream,
        real_tokens_beside_padding,
        padding_on_the_left,
        an_encoder_block_on_two_lengths_without_gradients,
        a_post_ln_encoder_block_on_two_lengths_without_gradients,
        an_encoder_block_at_dropout_1,
        a_post_ln_encoder_block_at_dropout_1,
        padding_does_not_reach_real_tokens,
    ],
    "DecoderBlock": [
        shapes_of_the_decoder_block,
        a_text_and_a_longer_memory,
        a_text_and_a_memory_of_its_length,
        a_memory_with_padding,
        a_memory_with_padding_on_the_left,
        the_gradient_of_the_memory,
        a_decoder_block_on_two_lengths_without_gradients,
        a_post_ln_decoder_block_on_two_lengths_without_gradients,
        a_post_ln_decoder_block,
        a_decoder_block_at_dropout_1,
        a_post_ln_decoder_block_at_dropout_1,
        the_decoder_example_of_the_workbook,
    ],
    "conv2d": [
        a_plain_convolution,
        a_square_kernel_with_bias_and_padding,
        stride_two,
        stride_and_dilation_together,
        a_kernel_as_large_as_the_image,
        images_in_float32,
        whole_numbers_in_float16,
        kernels_that_do_not_fit,
        gradients_of_the_convolution,
        the_convolution_example_of_the_workbook,
    ],
}


def of(task):
    """Every known mistake of a task."""
    if task == "FeedForward":
        yield from combine(task, "a feed-forward layer", FEED_FORWARD, wrong_feed_forward, FEED_FORWARD_HINTS)
        inside = {"inside": INSIDE}
        yield from combine(task, "a feed-forward layer", inside, wrong_feed_forward, FEED_FORWARD_HINTS)
    elif task == "residual":
        yield from combine(task, "a residual", RESIDUAL, wrong_residual, RESIDUAL_HINTS)
        hint = "The caller still needs x as it was, and so does autograd. Which operation makes a new tensor?"
        yield from combine(task, "a residual", {"form": FORM}, wrong_form, RESIDUAL_HINTS)
        yield Mistake(task, f"a residual {IN_PLACE}", hint, 1, residual_in_place)
    elif task == "Block":
        yield from combine(task, "a block", BLOCK, block_maker(task), BLOCK_HINTS, most=1)
    elif task == "GPT":
        yield from combine(task, "a model", MODEL, wrong_gpt, MODEL_HINTS, most=1)
    elif task == "init_weights":
        yield from combine(task, "an initialization", INIT, wrong_init, INIT_HINTS, most=1)
    elif task == "EncoderBlock":
        yield from combine(task, "an encoder block", ENCODER, block_maker(task), BLOCK_HINTS, most=1)
    elif task == "DecoderBlock":
        yield from combine(task, "a decoder block", DECODER, wrong_decoder, DECODER_HINTS, most=1)
    elif task == "conv2d":
        yield from combine(task, "a convolution", CONV, wrong_conv2d, CONV_HINTS, most=1)
