"""The classic mistakes of a KV cache as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs: every knob has its right setting first, and whatever differs from it is
one mistake. Two at once then have a sentence of their own, made of the two.
"""
import math
from itertools import product

import torch
from grader import Mistake
from kv_speedrun import GPT, Config, GrowingCache, StaticCache, quantize

TASKS = [
    "attend",
    "StaticCache",
    "forward_with_cache",
    "generate",
    "cache_bytes",
    "decode_flops",
    "quantize",
    "dequantize",
]

SHAPE = Config(vocab_size=53, context=64, layers=3, heads=2, width=14)


def combine(task, noun, knobs, build, hints, most=2, without=()):
    """One Mistake for each setting of the knobs with one to `most` of them wrong."""
    for setting in product(*knobs.values()):
        wrong = [s for s, right in zip(setting, (k[0] for k in knobs.values()), strict=True) if s != right]
        if 1 <= len(wrong) <= most and not any(set(pair) <= set(wrong) for pair in without):
            yield Mistake(task, f"{noun} {' AND '.join(wrong)}", " ".join(hints[w] for w in wrong), len(wrong),
                          build(**dict(zip(knobs, setting, strict=True))))


# ---------------------------------------------------------------- attend

ATTEND = {
    "scale": ["scaled", "WITHOUT the 1/sqrt(D) scale", "scaled by 1/D"],
    "mask": ["bottom right", "with its mask aligned at the TOP LEFT", "with NO causal mask",
             "with a mask that hides a token from itself", "with a mask that shows the NEXT token"],
    "keep": ["kept", "that IGNORES keep, so that padding is attended to"],
    "axis": ["keys", "with its softmax over the QUERIES"],
}
ATTEND_HINTS = {
    ATTEND["scale"][1]: "What is the variance of a dot product of two D-dimensional unit-variance vectors?",
    ATTEND["scale"][2]: "The variance of the scores grows with D; what does their standard deviation grow with?",
    ATTEND["mask"][1]: "With 4 keys in the cache and 1 new query, at which position does that query stand?",
    ATTEND["mask"][2]: "Does the output of the first query change when a later key changes?",
    ATTEND["mask"][3]: "What may the very first token of a text attend to?",
    ATTEND["mask"][4]: "Which keys would not exist yet if you generated this text token by token?",
    ATTEND["keep"][1]: "Change the value of a padding key: whose output moves?",
    ATTEND["axis"][1]: "Whose weights must sum to one, and over what?",
}


def wrong_attend(scale, mask, keep, axis):
    shift = dict(zip(ATTEND["mask"], [0, None, math.inf, -1, 1], strict=True))[mask]

    def attend(q, k, v, keep_=None):
        Tq, Tk, D = q.shape[-2], k.shape[-2], q.shape[-1]
        if Tq > Tk:
            raise ValueError("more queries than keys")
        s = q @ k.transpose(-2, -1) * {"scaled": D**-0.5, ATTEND["scale"][1]: 1.0, ATTEND["scale"][2]: 1 / D}[scale]
        diagonal = 0 if shift is None else Tk if shift == math.inf else Tk - Tq + shift
        seen = torch.ones(Tq, Tk, dtype=torch.bool).tril(diagonal)
        if keep_ is not None and keep == "kept":
            seen = seen & keep_[:, None, None, :]
        w = s.masked_fill(~seen, -math.inf).softmax(-1 if axis == "keys" else -2)
        return w.masked_fill(~seen, 0.0) @ v
    return lambda q, k, v, keep=None: attend(q, k, v, keep)


def qkv(seed, Tq, Tk, scale=1.0):
    g = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(3, 2, T, 11, generator=g) for T in (Tq, Tk, Tk)]


def whole_sequence(impl, seed):
    return impl.attend(*qkv(seed, 7, 7))


def a_chunk_after_cached_keys(impl, seed):
    return impl.attend(*qkv(seed + 1, 3, 8))


def one_query_after_cached_keys(impl, seed):
    return impl.attend(*qkv(seed + 2, 1, 5))


def rows_with_padding(impl, seed):
    keep = torch.arange(8) >= torch.tensor([[0], [2], [5]])
    return impl.attend(*qkv(seed + 3, 3, 8), keep)


def scores_in_the_hundreds(impl, seed):
    return impl.attend(*qkv(seed + 4, 4, 6, scale=12.0))


# ---------------------------------------------------------------- StaticCache

CACHE = {
    "slot": ["after", "that writes every chunk at slot 0", "that writes one slot too far"],
    "view": ["filled", "that returns its EMPTY slots too", "that CONCATENATES instead of writing in place"],
    "layer": ["each", "in which all layers share one buffer, so only the last layer's keys are kept"],
    "row": ["each", "in which every row of the batch gets the first row's keys"],
    "axes": ["B H T D", "with the head and time axes mixed up on store"],
    "value": ["values", "that stores the keys as values too"],
    "position": ["step", "whose position never advances", "whose position counts every LAYER's write"],
    "reset": ["clears", "whose reset leaves the last prompt in place"],
    "full": ["raises", "that DROPS what does not fit, without a word",
             "that leaves overflow to PyTorch, whose error speaks of tensor sizes"],
}
CACHE_HINTS = {
    CACHE["slot"][1]: "Where does the second chunk begin?",
    CACHE["slot"][2]: "After three tokens, which slots are filled, and what is in slot 0?",
    CACHE["view"][1]: "A key of zeros has a score of zero, not of minus infinity: does it take part in the softmax?",
    CACHE["view"][2]: "How many bytes does your thousandth token copy?",
    CACHE["layer"][1]: "Write something through layer 0, then through layer 1, and look at layer 0 again.",
    CACHE["row"][1]: "Two prompts in one batch: do they have the same keys?",
    CACHE["axes"][1]: "view reads memory in order; transpose changes the order. Which one happened to your heads?",
    CACHE["value"][1]: "Is anything of v still there after the call?",
    CACHE["position"][1]: "The next token needs a position embedding: which one will it get?",
    CACHE["position"][2]: "After one token has gone through all layers, how many tokens does the cache hold?",
    CACHE["reset"][1]: "What does the second prompt attend to?",
    CACHE["full"][2]: "Whoever reads the error wants to know how long the cache is: say so in a ValueError.",
    CACHE["full"][1]: "Would the caller rather have an error or a model that has forgotten the newest token?",
}


def wrong_cache(slot, view, layer, row, axes, value, position, reset, full):
    class Cache:
        def __init__(self, config, batch, length, dtype=torch.float32, device="cpu"):
            self.length, self.layers = length, config.layers
            self.keys = torch.zeros(config.layers, batch, config.heads, length, config.head_dim, dtype=dtype)
            self.values = torch.zeros_like(self.keys)
            self.fill = [0] * config.layers

        @property
        def position(self):
            return {"step": min(self.fill), CACHE["position"][1]: 0, CACHE["position"][2]: sum(self.fill)}[position]

        def reset(self):
            if reset == "clears":
                self.fill = [0] * self.layers

        def update(self, i, k, v):
            T, start = k.shape[2], self.position if position == CACHE["position"][2] else self.fill[i]
            if start + T > self.length:
                if full != CACHE["full"][1]:
                    raise (ValueError if full == "raises" else RuntimeError)(f"the cache has length {self.length}")
                k, v, T = k[:, :, : self.length - start], v[:, :, : self.length - start], self.length - start
            where = {"after": start, CACHE["slot"][1]: 0, CACHE["slot"][2]: min(start + 1, self.length - T)}[slot]
            if row != "each":
                k, v = k[:1].expand_as(k), v[:1].expand_as(v)
            if axes != "B H T D":
                k, v = (x.transpose(1, 2).contiguous().view(x.shape) for x in (k, v))
            at = i if layer == "each" else 0
            self.keys[at, :, :, where : where + T] = k
            self.values[at, :, :, where : where + T] = v if value == "values" else k
            self.fill[i] += T
            end = self.length if view == CACHE["view"][1] else start + T
            out = self.keys[at, :, :, :end], self.values[at, :, :, :end]
            return tuple(x.clone() for x in out) if view == CACHE["view"][2] else out
    return Cache


def kv(seed, T):
    g = torch.Generator().manual_seed(seed + 100 * T)
    return [torch.randn(3, SHAPE.heads, T, SHAPE.head_dim, generator=g) for _ in range(2)]


def write_two_chunks(impl, seed):
    """Every layer writes 4 tokens and then 2 and 1; where each is read back, and whether memory stays in place."""
    cache, seen = impl.StaticCache(SHAPE, 3, 40), []
    first = None
    for n, T in enumerate((4, 2, 1)):
        for layer in range(SHAPE.layers):
            k, v = cache.update(layer, *kv(seed + layer + 10 * n, T))
            seen += [k.clone(), v.clone()]
            first = first or k.data_ptr()
        seen.append(cache.position)
    k, _ = cache.update(0, *kv(seed, 1))
    return {"read back": seen, "still in place": k.data_ptr() == first}


def look_at_an_early_layer_again(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 40)
    k0, v0 = cache.update(0, *kv(seed, 2))
    for layer in range(1, SHAPE.layers):
        cache.update(layer, *kv(seed + layer, 2))
    return [k0.clone(), v0.clone()]


def reset_and_use_again(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 40)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    cache.reset()
    return [cache.position, *(x.clone() for x in cache.update(0, *kv(seed + 1, 2)))]


def fill_it_beyond_its_length(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    return cache.update(0, *kv(seed + 1, 2))[0].clone()


# ---------------------------------------------------------------- forward_with_cache

FORWARD = {
    "position": ["go on", "with NO position offset (every chunk starts at position 0)", "with positions one too far"],
    "mask": ["bottom right", "with the mask aligned at the TOP LEFT", "with NO causal mask"],
    "cache": ["each layer", "that attends to the NEW keys only and forgets what update returns",
              "that writes every layer's keys into layer 0", "with keys and values swapped"],
}
FORWARD_HINTS = {
    FORWARD["position"][1]: "A text of 10 tokens, fed as 6 and 4: which row of the position table does token 7 need?",
    FORWARD["position"][2]: "The cache holds n tokens, at positions 0 to n - 1. Where does the next one stand?",
    FORWARD["mask"][1]: "With 4 keys in the cache and 1 new query, how many keys may that query see?",
    FORWARD["mask"][2]: "Does the first token of a chunk change when the second one does?",
    FORWARD["cache"][1]: "Where would the second chunk learn anything about the first?",
    FORWARD["cache"][2]: "Do the keys of layer 0 and of layer 2 live in the same space?",
    FORWARD["cache"][3]: "Which of the two that update returns is compared with the queries?",
}


def wrong_forward(position, mask, cache):
    def forward_with_cache(model, tokens, store):
        T = tokens.shape[1]
        start = {"go on": store.position, FORWARD["position"][1]: 0}.get(position, store.position + 1)
        x = model.token(tokens) + model.place(torch.arange(start, start + T))
        for layer, block in enumerate(model.blocks):
            q, k, v = block.project(x)
            old = store.update(0 if cache == FORWARD["cache"][2] else layer, k, v)
            k, v = (k, v) if cache == FORWARD["cache"][1] else old[::-1] if cache == FORWARD["cache"][3] else old
            seen = torch.ones(T, k.shape[2], dtype=torch.bool)
            seen = {"bottom right": seen.tril(k.shape[2] - T), FORWARD["mask"][1]: seen.tril()}.get(mask, seen)
            s = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf)
            x = block.finish(x, s.softmax(-1) @ v)
        return model.head(model.norm(x))
    return lambda model, tokens, cache: forward_with_cache(model, tokens, cache)


def model_and_tokens(seed, T, batch=2):
    """A random model whose weights are large enough for positions and attention to matter, and a text for it."""
    model = GPT(SHAPE, seed=seed)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model, torch.randint(SHAPE.vocab_size, (batch, T), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def in_steps(impl, seed, sizes):
    model, tokens = model_and_tokens(seed, sum(sizes))
    cache, out = GrowingCache(SHAPE.layers), []
    for chunk in tokens.split(list(sizes), dim=1):
        out.append(impl.forward_with_cache(model, chunk, cache))
    return out


def a_prompt_at_once(impl, seed):
    return in_steps(impl, seed, [9])


def a_prompt_and_then_single_tokens(impl, seed):
    return in_steps(impl, seed, [5, 1, 1])


def a_prompt_in_chunks(impl, seed):
    return in_steps(impl, seed, [4, 3, 2])


# ---------------------------------------------------------------- generate

GENERATE = {
    "feed": ["new", "that RECOMPUTES the whole sequence at every step, without the cache",
             "that feeds the whole sequence AGAIN into the cache at every step",
             "that feeds the prompt's last token a second time",
             "that also feeds the last new token, for logits nobody reads"],
    "reset": ["clears", "that leaves the LAST PROMPT in the cache"],
    "pick": ["last", "that reads the logits after the FIRST token fed"],
    "length": ["new", "that returns only the new tokens, without the prompt"],
}
GENERATE_HINTS = {
    GENERATE["feed"][1]: "Right, and quadratic: how many tokens go through the model for 64 new ones?",
    GENERATE["feed"][2]: "How many tokens does the cache hold after the second step, and how many are there?",
    GENERATE["feed"][3]: "Which token is new to the cache when decoding starts?",
    GENERATE["feed"][4]: "To make n new tokens from a prompt of T, how many tokens must pass through the model?",
    GENERATE["reset"][1]: "Call it twice with the same cache: does the second answer depend on the first prompt?",
    GENERATE["pick"][1]: "The logits at position t are about token t + 1. Which t do you want?",
    GENERATE["length"][1]: "What does the caller have to glue together to go on?",
}


def wrong_generate(feed, reset, pick, length):
    @torch.no_grad()
    def generate(model, tokens, new, cache):
        if reset == "clears":
            cache.reset()
        out, T, fresh = tokens, tokens.shape[1], tokens
        for n in range(new):
            logits = model(out) if feed == GENERATE["feed"][1] else model(fresh, cache)
            nxt = logits[:, 0 if pick != "last" else -1].argmax(-1, keepdim=True)
            out = torch.cat([out, nxt], 1)
            fresh = {GENERATE["feed"][2]: out, GENERATE["feed"][3]: out[:, -2:] if n == 0 else nxt}.get(feed, nxt)
        if feed == GENERATE["feed"][4]:
            model(fresh, cache)
        return out if length == "new" else out[:, T:]
    return generate


def counting(model, fed):
    """Note how many tokens enter the embedding at each step: the work, counted and not timed."""
    return model.token.register_forward_hook(lambda module, args, out: fed.append(args[0].shape[1]))


def text_and_work(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    fed, cache = [], StaticCache(SHAPE, 2, 64)
    hook = counting(model, fed)
    out = impl.generate(model, tokens, 5, cache)
    hook.remove()
    return {"tokens": out, "tokens fed at each step": fed}


def two_prompts_through_one_cache(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    cache = GrowingCache(SHAPE.layers)
    return [impl.generate(model, tokens[:, :T], 3, cache) for T in (4, 7)]


# ---------------------------------------------------------------- cache_bytes and decode_flops

BYTES = {"pair": ["two", "WITHOUT the factor 2 (keys AND values)"], "layers": ["all", "of ONE layer"],
         "batch": ["all", "of ONE row of the batch"], "unit": ["bytes", "in BITS", "in ELEMENTS, not bytes"],
         "heads": ["once", "that multiplies the whole width by the heads again"]}
BYTES_HINTS = {BYTES["pair"][1]: "What does the cache keep for a token, apart from its key?",
               BYTES["layers"][1]: "Does layer 1 use the keys of layer 0?",
               BYTES["batch"][1]: "Do two prompts in one batch share their keys?",
               BYTES["unit"][1]: "itemsize already is in bytes.",
               BYTES["unit"][2]: "How many bytes is one float32?",
               BYTES["heads"][1]: "heads times head_dim is already the width."}


def wrong_bytes(pair, layers, batch, unit, heads):
    def cache_bytes(config, rows, length, itemsize):
        n = (2 if pair == "two" else 1) * (config.layers if layers == "all" else 1) * (rows if batch == "all" else 1)
        n *= length * config.width * (config.heads if heads != "once" else 1)
        return n * {"bytes": itemsize, BYTES["unit"][1]: 8 * itemsize}.get(unit, 1)
    return cache_bytes


FLOPS = {"add": ["two", "that counts a multiply-add as ONE operation"], "head": ["in", "WITHOUT the head"],
         "keys": ["and itself", "in which the new token does not meet ITSELF (position keys, not position + 1)",
                  "in which the whole SQUARE is computed again"],
         "values": ["both", "WITHOUT the product of weights and values"], "mlp": ["in", "WITHOUT the MLP"],
         "batch": ["all", "of ONE row of the batch"]}
FLOPS_HINTS = {FLOPS["add"][1]: "One multiplication and one addition.",
               FLOPS["head"][1]: "In GPT-2 small the head holds 38.6 of 124 million weights.",
               FLOPS["keys"][1]: "How many keys are there after the new one has been cached?",
               FLOPS["keys"][2]: "How many queries are there in a decode step?",
               FLOPS["values"][1]: "Attention has two products: with the keys, and with what?",
               FLOPS["mlp"][1]: "Which part of a block holds two thirds of its weights?",
               FLOPS["batch"][1]: "Does the second row of a batch come for free?"}


def wrong_flops(add, head, keys, values, mlp, batch):
    def decode_flops(config, position, rows=1):
        C, n = config.width, position + (keys != FLOPS["keys"][1])
        met = n * n if keys == FLOPS["keys"][2] else n
        layer = (12 if mlp == "in" else 4) * C * C + (2 if values == "both" else 1) * C * met
        total = config.layers * layer + (C * config.vocab_size if head == "in" else 0)
        return (2 if add == "two" else 1) * (rows if batch == "all" else 1) * total
    return lambda config, position, batch=1: decode_flops(config, position, batch)


def a_batch_in_float32(impl, seed):
    return [impl.cache_bytes(SHAPE, 3, 17 + seed, 4), impl.cache_bytes(Config.gpt2(), 1, 1024, 4)]


def other_item_sizes(impl, seed):
    return [impl.cache_bytes(SHAPE, 2, 5, size) for size in (1, 2, 8)]


def one_row(impl, seed):
    return [impl.decode_flops(SHAPE, p) for p in (1, 30 + seed)]


def a_batch_at_several_positions(impl, seed):
    return [impl.decode_flops(SHAPE, p, 3) for p in (0, 1, 11 + seed)]


# ---------------------------------------------------------------- quantize and dequantize

QUANT = {
    "scope": ["token", "with ONE scale for the whole tensor", "with a scale per CHANNEL, shared by all tokens"],
    "round": ["even", "that cuts off towards zero instead of rounding"],
    "range": [
        "127",
        "that uses -128, which a symmetric scale cannot give back",
        "that divides by 255 as if there were no sign",
    ],
    "abs": ["abs", "that takes the largest value, not the largest MAGNITUDE"],
    "zero": ["safe", "that divides by zero on a row of zeros"],
    "scale": ["step", "that returns the inverse of the scale"],
}
QUANT_HINTS = {
    QUANT["scope"][1]: "One token is a hundred times louder than the rest: how many codes do the others use?",
    QUANT["scope"][2]: "When the next token arrives, do the tokens already stored have to be quantized again?",
    QUANT["round"][1]: "What is the mean of x - dequantize(quantize(x)) over positive x?",
    QUANT["range"][1]: "Quantize x and -x: are the codes each other's negatives?",
    QUANT["range"][2]: "How many codes lie on each side of zero in an int8?",
    QUANT["abs"][1]: "What happens to a row whose values are all negative?",
    QUANT["zero"][1]: "A row of zeros is a perfectly good row.",
    QUANT["scale"][1]: "codes times scale should be x again.",
}


def dims(x):
    return range(x.dim() - 1)


def wrong_quantize(scope, round, range, abs, zero, scale):
    def quantize(x):
        size = x.abs() if abs == "abs" else x
        top = size.amax(-1, keepdim=True) if scope == "token" else size.amax().expand(*x.shape[:-1], 1) \
            if scope == QUANT["scope"][1] else size.amax(tuple(dims(x)), keepdim=True) \
            .expand_as(x)
        step = top / {"127": 127, QUANT["range"][1]: 128}.get(range, 255)
        if zero == "safe":
            step = torch.where(top == 0, torch.ones_like(step), step)
        codes = (x / step).trunc() if round != "even" else (x / step).round()
        codes = codes.clamp(-128 if range == QUANT["range"][1] else -127, 127)
        return codes.nan_to_num(0).to(torch.int8), 1 / step if scale != "step" else step
    return quantize


def values(seed, shape=(3, 2, 5, 16)):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x * torch.linspace(0.1, 4, shape[-2])[:, None]


def some_tokens(impl, seed):
    return impl.quantize(values(seed))


def one_loud_token(impl, seed):
    x = values(seed)
    x[0, 0, 0] *= 300
    return impl.quantize(x)


def all_negative_rows(impl, seed):
    return impl.quantize(-values(seed).abs() - 0.1)


def a_row_of_zeros(impl, seed):
    x = values(seed)
    x[1, 0, 2] = 0
    return impl.quantize(x)


DEQUANT = [
    (
        "a dequantize that DIVIDES by the scale",
        "If code 127 stands for 3.2, what is the scale?",
        lambda c, s: c.float() / s,
    ),
    ("a dequantize that forgets the scale", "Are codes in the unit of x?", lambda c, s: c.float()),
    ("a dequantize that rounds to whole numbers", "The codes are whole numbers; is x?", lambda c, s: (c * s).round()),
    (
        "a dequantize with an offset of 128",
        "Which code stands for zero in a symmetric scheme?",
        lambda c, s: (c.float() + 128) * s,
    ),
    (
        "a dequantize with the largest scale for every token",
        "Why did quantize return one scale per token?",
        lambda c, s: c.float() * s.amax(),
    ),
]


def what_quantize_returned(impl, seed):
    return impl.dequantize(*quantize(values(seed)))


def every_code(impl, seed):
    codes = torch.arange(-127, 128, dtype=torch.int8).repeat(2, 1)
    return impl.dequantize(codes, torch.tensor([[0.5], [0.01 * (seed + 1)]]))


# ---------------------------------------------------------------- the catalogue

PROBES = {
    "attend": [whole_sequence, a_chunk_after_cached_keys, one_query_after_cached_keys, rows_with_padding,
               scores_in_the_hundreds],
    "StaticCache": [write_two_chunks, look_at_an_early_layer_again, reset_and_use_again, fill_it_beyond_its_length],
    "forward_with_cache": [a_prompt_at_once, a_prompt_and_then_single_tokens, a_prompt_in_chunks],
    "generate": [text_and_work, two_prompts_through_one_cache],
    "cache_bytes": [a_batch_in_float32, other_item_sizes],
    "decode_flops": [one_row, a_batch_at_several_positions],
    "quantize": [some_tokens, one_loud_token, all_negative_rows, a_row_of_zeros],
    "dequantize": [what_quantize_returned, every_code],
}


def of(task):
    """Every known mistake of a task."""
    if task == "attend":
        yield from combine(task, "attend", ATTEND, wrong_attend, ATTEND_HINTS)
    elif task == "StaticCache":
        singles = combine(task, "a cache", CACHE, wrong_cache, CACHE_HINTS, most=1)
        pairs = {k: CACHE[k] for k in ("slot", "value", "row", "position", "reset", "full")}
        rest = {k: CACHE[k][0] for k in CACHE if k not in pairs}
        yield from singles
        yield from (
            m
            for m in combine(task, "a cache", pairs, lambda **s: wrong_cache(**s, **rest), CACHE_HINTS)
            if m.knobs == 2
        )
    elif task == "forward_with_cache":
        same_square = [(FORWARD["mask"][1], FORWARD["cache"][1]), (FORWARD["position"][1], FORWARD["cache"][2])]
        yield from combine(task, "a step", FORWARD, wrong_forward, FORWARD_HINTS, without=same_square)
    elif task == "generate":
        uncached = [(GENERATE["feed"][1], GENERATE["reset"][1])]                     # what is not used is not left over
        short = [(GENERATE["length"][1], wrong) for k in ("feed", "reset", "pick") for wrong in GENERATE[k][1:]]
        yield from combine(task, "a loop", GENERATE, wrong_generate, GENERATE_HINTS, without=uncached + short)
    elif task == "cache_bytes":
        yield from combine(task, "the cache's size", BYTES, wrong_bytes, BYTES_HINTS)
    elif task == "decode_flops":
        yield from combine(task, "the cost of a step", FLOPS, wrong_flops, FLOPS_HINTS)
    elif task == "quantize":
        never_zero = [(scope, QUANT["zero"][1]) for scope in QUANT["scope"][1:]]  # such a scale is not zero for one row
        yield from combine(task, "a quantizer", QUANT, wrong_quantize, QUANT_HINTS, without=never_zero)
    elif task == "dequantize":
        yield from (Mistake(task, sentence, hint, 1, wrong) for sentence, hint, wrong in DEQUANT)
