"""The classic mistakes of a KV cache as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs. The first setting of a knob is the right one; every other setting is one
mistake, named by its sentence.
"""

import math

import torch
from grader import Mistake, combine, error_of
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

GIVEN = ["GPT", "Config", "GrowingCache"]
GATE_SEEDS = 3
PARTS = {"StaticCache": ["__init__", "position", "update", "reset"]}

SHAPE = Config(vocab_size=53, context_length=64, layers=3, heads=2, width=14)


# ---------------------------------------------------------------- attend

SCALE = [
    "scaled",
    "WITHOUT the 1/sqrt(D) scale",
    "scaled by 1/D",
    "scaled by 1/sqrt(H·D), the width of the model",
]
MASK = [
    "bottom right",
    "with its mask aligned at the TOP LEFT",
    "with NO causal mask",
    "with a mask that hides a token from itself",
    "with a mask that shows the NEXT token",
    "with its causal mask INVERTED",
    "with its mask aligned at the top left, and none for a single query",
]
PADDING = [
    "hidden",
    "that IGNORES attention_mask, so that padding is attended to",
    "that ignores attention_mask when there is ONE query",
    "that masks the QUERIES at padding instead of the keys",
    "that sets v to zero at padding, but leaves it its weight",
]
AXIS = ["keys", "with its softmax over the QUERIES"]
HIDING = [
    "-inf",
    "that MULTIPLIES the scores by the mask",
    "that fills with -1e9, so that a query without any key gets an average",
    "that gives NaN to a query without any key",
]
ATTEND_HINTS = {
    SCALE[1]: "What is the variance of a dot product of two D-dimensional unit-variance vectors?",
    SCALE[2]: "The variance of the scores grows with D; what does their standard deviation grow with?",
    SCALE[3]: "How many numbers does the dot product of one head add up?",
    MASK[1]: "With 4 keys in the cache and 1 new query, at which position does that query stand?",
    MASK[2]: "Does the output of the first query change when a later key changes?",
    MASK[3]: "What may the very first token of a text attend to?",
    MASK[4]: "Which keys would not exist yet if you generated this text token by token?",
    MASK[5]: "Is True a key that may be seen, or one that is hidden?",
    MASK[6]: "Three new queries after five cached keys: which keys does the first of them see?",
    PADDING[1]: "Change the value of a padding key: whose output moves?",
    PADDING[2]: "A decode step of a padded batch has one query: may it see the padding?",
    PADDING[3]: "Who must not be seen: the padding key, or what the padding query writes?",
    PADDING[4]: "The weights of a row add up to one: how much of it goes to padding?",
    AXIS[1]: "Whose weights must sum to one, and over what?",
    HIDING[1]: "A score of zero: what weight does the softmax give it?",
    HIDING[2]: "All scores of a row are -1e9: what does the softmax make of them?",
    HIDING[3]: "What is the softmax of a row of -inf, and what should the row be?",
}


def wrong_attend(scale=SCALE[0], mask=MASK[0], padding=PADDING[0], axis=AXIS[0], hiding=HIDING[0]):
    def causal(Tq, Tk):
        ones = torch.ones(Tq, Tk, dtype=torch.bool)
        if mask == MASK[2]:
            return ones
        if mask == MASK[6] and Tq == 1:
            return ones
        if mask == MASK[5]:
            return ~ones.tril(Tk - Tq)
        return ones.tril(0 if mask in (MASK[1], MASK[6]) else Tk - Tq + {MASK[3]: -1, MASK[4]: 1}.get(mask, 0))

    def attend(q, k, v, attention_mask=None):
        B, H, Tq, D = q.shape
        Tk = k.shape[-2]
        if Tq > Tk:
            raise ValueError("more queries than keys")
        seen = causal(Tq, Tk).expand(B, 1, Tq, Tk)
        if attention_mask is not None and padding != PADDING[1] and not (padding == PADDING[2] and Tq == 1):
            if padding == PADDING[3]:
                seen = seen & attention_mask[:, None, -Tq:, None]
            elif padding == PADDING[4]:
                v = v * attention_mask[:, None, :, None]
            else:
                seen = seen & attention_mask[:, None, None, :]
        factor = dict(zip(SCALE, (D**-0.5, 1.0, 1 / D, (H * D) ** -0.5), strict=True))[scale]
        scores = q @ k.transpose(-2, -1) * factor
        dim = -1 if axis == "keys" else -2
        if hiding == HIDING[1]:
            return (scores * seen).softmax(dim) @ v
        weights = scores.masked_fill(~seen, -1e9 if hiding == HIDING[2] else -math.inf).softmax(dim)
        return (weights if hiding in HIDING[2:] else weights.masked_fill(~seen, 0.0)) @ v

    return attend


def qkv(seed, Tq, Tk, scale=1.0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    return [(scale * torch.randn(3, 2, T, 11, generator=g)).to(dtype) for T in (Tq, Tk, Tk)]


def a_whole_sequence(impl, seed):
    return impl.attend(*qkv(seed, 7, 7))


def a_chunk_after_cached_keys(impl, seed):
    return impl.attend(*qkv(seed + 1, 3, 8))


def one_query_after_cached_keys(impl, seed):
    return impl.attend(*qkv(seed + 2, 1, 5))


def rows_with_padding(impl, seed):
    attention_mask = torch.arange(8) >= torch.tensor([[0], [2], [5]])
    return impl.attend(*qkv(seed + 3, 3, 8), attention_mask)


def one_query_and_padding(impl, seed):
    attention_mask = torch.arange(5) >= torch.tensor([[0], [1], [3]])
    return impl.attend(*qkv(seed + 4, 1, 5), attention_mask)


def queries_that_see_no_key(impl, seed):
    attention_mask = torch.arange(4) >= torch.tensor([[0], [2], [4]])
    return impl.attend(*qkv(seed + 5, 4, 4), attention_mask)


def scores_in_the_hundreds(impl, seed):
    return impl.attend(*qkv(seed + 6, 4, 6, scale=12.0))


def in_float64(impl, seed):
    return impl.attend(*qkv(seed + 7, 2, 5, dtype=torch.float64))


def the_numbers_of_the_workbook(impl, seed):
    q, k = torch.zeros(1, 1, 2, 1), torch.zeros(1, 1, 5, 1)
    v = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).view(1, 1, 5, 1)
    padding_first = torch.tensor([[False, True, True, True, True]])
    return {"without padding": impl.attend(q, k, v), "key 0 is padding": impl.attend(q, k, v, padding_first)}


def more_queries_than_keys(impl, seed):
    return {"the error": error_of(lambda: impl.attend(*qkv(seed, 5, 4)))}


# ---------------------------------------------------------------- StaticCache

SLOT = ["after", "that writes every chunk at slot 0", "that writes one slot too far"]
VIEW = [
    "filled",
    "that returns its EMPTY slots too",
    "that COPIES all it holds at every step, by cat or clone",
]
LAYER = ["each", "in which all layers share one memory, so only the last layer's keys are kept"]
ROW = ["each", "in which every row of the batch gets the first row's keys"]
AXES = ["B H T D", "with the head and time axes mixed up when it stores"]
VALUE = ["values", "that stores the keys as values too", "whose keys and values share one memory"]
POSITION = [
    "smallest",
    "whose position never advances",
    "whose position counts every LAYER's write",
    "whose position is the count of the layer that is furthest AHEAD",
]
RESET = ["clears", "whose reset leaves the last prompt in place"]
FULL = [
    "raises",
    "that DROPS what does not fit, without a word",
    "that leaves overflow to PyTorch, whose error is no ValueError",
    "that writes over the OLDEST tokens when it is full",
    "that counts the new tokens before it raises, so that nothing fits afterwards",
]
DTYPE = ["asked", "that ignores dtype"]
DEVICE = ["asked", "that ignores device"]
GRADIENT = ["numbers", "that stores the graph of gradients with the keys"]
CACHE_HINTS = {
    SLOT[1]: "Where does the second chunk begin?",
    SLOT[2]: "After three tokens, which slots are filled, and what is in slot 0?",
    VIEW[1]: "A key of zeros has a score of zero, not of minus infinity: does it take part in the softmax?",
    VIEW[2]: "How many bytes does your thousandth token copy?",
    LAYER[1]: "Write something through layer 0, then through layer 1, and look at layer 0 again.",
    ROW[1]: "Two prompts in one batch: do they have the same keys?",
    AXES[1]: "view reads memory in order; transpose changes the order. Which one happened to your heads?",
    VALUE[1]: "Is anything of v still there after the call?",
    VALUE[2]: "b = a gives one tensor two names. How many tensors does the cache need?",
    POSITION[1]: "The next token needs a position embedding: which one will it get?",
    POSITION[2]: "After one token has gone through all layers, how many tokens does the cache hold?",
    POSITION[3]: "Layer 0 has written and layer 1 has not: is the step complete?",
    RESET[1]: "What does the second prompt attend to?",
    FULL[1]: "Would the caller rather have an error or a model that has forgotten the newest token?",
    FULL[2]: "Compare the end with the length before you write.",
    FULL[3]: "A model that forgets its beginning without a word: who will notice?",
    FULL[4]: "After the error, does a token that fits still go in?",
    DTYPE[1]: "A model in bfloat16 asks for a cache in bfloat16: what does it get?",
    DEVICE[1]: "A model on a GPU asks for a cache beside it: what does it get?",
    GRADIENT[1]: "Without no_grad, what does the cache keep alive besides the numbers?",
}


def wrong_cache(
    slot=SLOT[0],
    view=VIEW[0],
    layer=LAYER[0],
    row=ROW[0],
    axes=AXES[0],
    value=VALUE[0],
    position=POSITION[0],
    reset=RESET[0],
    full=FULL[0],
    dtype=DTYPE[0],
    device=DEVICE[0],
    gradient=GRADIENT[0],
):
    ask_dtype, ask_device, how_to_reset = dtype, device, reset

    class Cache:
        def __init__(self, config, batch_size, max_seq_len, dtype=torch.float32, device="cpu"):
            self.layers, self.max_seq_len = config.layers, max_seq_len
            shape = (config.layers, batch_size, config.heads, max_seq_len, config.head_dim)
            dtype = dtype if ask_dtype == DTYPE[0] else torch.float32
            device = device if ask_device == DEVICE[0] else "cpu"
            self.keys = torch.zeros(shape, dtype=dtype, device=device)
            self.values = self.keys if value == VALUE[2] else torch.zeros(shape, dtype=dtype, device=device)
            self.seq_lens = [0] * config.layers

        @property
        def position(self):
            counts = self.seq_lens
            return dict(zip(POSITION, (min(counts), 0, sum(counts), max(counts)), strict=True))[position]

        def reset(self):
            if how_to_reset == "clears":
                self.seq_lens = [0] * self.layers

        def update(self, i, k, v):
            T, start = k.shape[2], self.position if position == POSITION[2] else self.seq_lens[i]
            if start + T > self.max_seq_len:
                if full == FULL[4]:
                    self.seq_lens[i] += T
                if full in (FULL[0], FULL[2], FULL[4]):
                    raise (RuntimeError if full == FULL[2] else ValueError)("full")
                if full == FULL[3]:
                    start = self.max_seq_len - T
                    self.seq_lens[i] = start
                k, v = k[:, :, : self.max_seq_len - start], v[:, :, : self.max_seq_len - start]
                T = k.shape[2]
            at = {SLOT[1]: 0, SLOT[2]: min(start + 1, self.max_seq_len - T)}.get(slot, start)
            if row != "each":
                k, v = k[:1].expand_as(k), v[:1].expand_as(v)
            if axes != "B H T D":
                k, v = (x.transpose(1, 2).contiguous().view(x.shape) for x in (k, v))
            if gradient == GRADIENT[0]:
                k, v = k.detach(), v.detach()
            where = i if layer == "each" else 0
            self.keys[where, :, :, at : at + T] = k
            self.values[where, :, :, at : at + T] = k if value == VALUE[1] else v
            self.seq_lens[i] = start + T if position == POSITION[2] else self.seq_lens[i] + T
            end = self.max_seq_len if view == VIEW[1] else start + T
            out = self.keys[where, :, :, :end], self.values[where, :, :, :end]
            return tuple(x.clone() for x in out) if view == VIEW[2] else out

    return Cache


def kv(seed, T, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed + 100 * T)
    return [torch.randn(3, SHAPE.heads, T, SHAPE.head_dim, generator=g).to(dtype) for _ in range(2)]


def three_chunks_through_every_layer(impl, seed):
    cache, seen = impl.StaticCache(SHAPE, 3, 40), {}
    for n, T in enumerate((4, 2, 1)):
        for layer in range(SHAPE.layers):
            k, v = cache.update(layer, *kv(seed + layer + 10 * n, T))
            seen[f"keys of layer {layer} after chunk {n + 1}"] = k.clone()
            seen[f"values of layer {layer} after chunk {n + 1}"] = v.clone()
            seen[f"position after layer {layer} of chunk {n + 1}"] = cache.position
    return seen


def the_table_of_the_workbook(impl, seed):
    cache = impl.StaticCache(Config(vocab_size=53, context_length=64, layers=2, heads=2, width=14), 3, 5)
    seen = {}
    for T in (3, 1):
        for layer in (0, 1):
            k, v = cache.update(layer, *kv(seed + layer, T))
            seen[f"layer {layer}, {T} tokens: held"] = k.shape[2]
            seen[f"layer {layer}, {T} tokens: position"] = cache.position
    return seen


def an_early_layer_read_again(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 40)
    k, v = cache.update(0, *kv(seed, 2))
    for layer in range(1, SHAPE.layers):
        cache.update(layer, *kv(seed + layer, 2))
    return {"the keys of layer 0": k.clone(), "the values of layer 0": v.clone()}


def memory_that_stays_in_place(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 40)
    old = cache.update(0, *kv(seed, 3))  # both are kept alive: freed memory could be given out again
    new = cache.update(0, *kv(seed, 1))
    return {
        "the keys are where they were": old[0].data_ptr() == new[0].data_ptr(),
        "the values are where they were": old[1].data_ptr() == new[1].data_ptr(),
    }


def used_again_after_reset(impl, seed):
    cache, seen = impl.StaticCache(SHAPE, 3, 40), {}
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    cache.reset()
    seen["position after reset"] = cache.position
    for layer in range(SHAPE.layers):
        k, v = cache.update(layer, *kv(seed + layer, 2))
        seen |= {f"keys of layer {layer}": k.clone(), f"values of layer {layer}": v.clone()}
    seen["position with two new tokens"] = cache.position
    return seen


def filled_beyond_its_length(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    error = error_of(lambda: cache.update(0, *kv(seed + 1, 2)))
    k, v = cache.update(0, *kv(seed + 2, 1))
    return {"the error when 2 tokens do not fit": error, "the keys with 1 that fits": k.clone(), "values": v.clone()}


def filled_to_the_last_slot(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    k, v = cache.update(2, *kv(seed, 4))
    return {"the keys": k.clone(), "the values": v.clone()}


def in_other_dtypes(impl, seed):
    seen = {}
    for dtype in (torch.float64, torch.bfloat16):
        cache = impl.StaticCache(SHAPE, 3, 4, dtype=dtype)
        k, v = cache.update(0, *kv(seed, 2, dtype))
        seen |= {f"keys in {dtype}": k.clone(), f"values in {dtype}": v.clone()}
    return seen


def tensors_of(x):
    """The tensors that an object holds, in attributes, lists and dictionaries."""
    if isinstance(x, torch.Tensor):
        return [x]
    inside = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else getattr(x, "__dict__", {})
    return [t for item in (inside.values() if isinstance(inside, dict) else inside) for t in tensors_of(item)]


def on_another_device(impl, seed):
    """The device "meta" has shapes and no numbers, so it is there on every machine."""
    memory = [t for t in tensors_of(impl.StaticCache(SHAPE, 3, 4, device="meta")) if t.dim() >= 4]
    return {"the memory is on the device": all(t.device.type == "meta" for t in memory)}


def written_with_gradients_on(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    k, v = cache.update(0, *(x.requires_grad_() for x in kv(seed, 2)))
    return {"the keys require gradients": k.requires_grad, "the values require gradients": v.requires_grad}


# ---------------------------------------------------------------- forward_with_cache

OFFSET = ["go on", "with NO position offset (every chunk starts at position 0)", "with positions one too far"]
TRIANGLE = ["bottom right", "with the mask aligned at the TOP LEFT", "with NO causal mask"]
READ = [
    "each layer",
    "that attends to the NEW keys only and forgets what update returns",
    "that writes every layer's keys into layer 0",
    "with keys and values swapped",
]
RESIDUAL = ["kept", "that forgets to keep what finish returns", "that adds the residual a SECOND time"]
END = ["all logits", "that forgets the final norm", "that returns the LAST logits only"]
BYPASS = "a step that hands all the work to model(tokens, cache)"
FORWARD_HINTS = {
    OFFSET[1]: "A text of 10 tokens, fed as 6 and 4: which row of the position table does token 7 need?",
    OFFSET[2]: "The cache holds n tokens, at positions 0 to n - 1. Where does the next one stand?",
    TRIANGLE[1]: "With 4 keys in the cache and 1 new query, how many keys may that query see?",
    TRIANGLE[2]: "Does the first token of a chunk change when the second one does?",
    READ[1]: "Where would the second chunk learn anything about the first?",
    READ[2]: "Do the keys of layer 0 and of layer 2 live in the same space?",
    READ[3]: "Which of the two that update returns is compared with the queries?",
    RESIDUAL[1]: "What does the second layer get to see of the first?",
    RESIDUAL[2]: "finish adds to the residual stream already: what comes out of it?",
    END[1]: "What stands between the last block and the head?",
    END[2]: "The caller wants logits after each of its tokens: how many are there?",
    BYPASS: "Write it from the parts: the model's own forward is switched off in the check.",
}


def wrong_forward(offset=OFFSET[0], triangle=TRIANGLE[0], read=READ[0], residual=RESIDUAL[0], end=END[0]):
    def attend(q, k, v):
        Tq, Tk = q.shape[2], k.shape[2]
        ones = torch.ones(Tq, Tk, dtype=torch.bool)
        seen = {TRIANGLE[0]: ones.tril(Tk - Tq), TRIANGLE[1]: ones.tril()}.get(triangle, ones)
        return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf).softmax(-1) @ v

    def forward_with_cache(model, tokens, cache):
        start = {OFFSET[0]: cache.position, OFFSET[1]: 0}.get(offset, cache.position + 1)
        x = model.wte(tokens) + model.wpe(torch.arange(start, start + tokens.shape[1]))
        for layer, block in enumerate(model.blocks):
            q, k, v = block.project(x)
            old_k, old_v = cache.update(0 if read == READ[2] else layer, k, v)
            if read == READ[3]:
                k, v = old_v, old_k
            elif read != READ[1]:
                k, v = old_k, old_v
            out = block.finish(x, attend(q, k, v))
            x = {RESIDUAL[0]: out, RESIDUAL[1]: x}.get(residual, x + out)
        logits = model.lm_head(x if end == END[1] else model.ln_f(x))
        return logits[:, -1:] if end == END[2] else logits

    return forward_with_cache


def model_and_tokens(seed, T, batch=2, config=SHAPE):
    """A random model whose weights are large enough for positions and attention to matter, and a text for it."""
    model = GPT(config, seed=seed)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10 if p.dim() == 2 else 1)
    return model, torch.randint(SHAPE.vocab_size, (batch, T), generator=torch.Generator().manual_seed(seed))


def parts_only(model):
    """The model with its own forward pass switched off: the task is to write one."""

    def refuse(*args, **kwargs):
        raise RuntimeError("this model's own forward is switched off: write the step from the model's parts")

    model.forward = refuse
    return model


@torch.no_grad()
def in_steps(impl, seed, sizes, dtype=torch.float32, batch=2, static=False):
    model, tokens = model_and_tokens(seed, sum(sizes), batch)
    model = parts_only(model.to(dtype))
    cache = StaticCache(SHAPE, batch, sum(sizes), dtype) if static else GrowingCache(SHAPE)
    seen = {}
    for n, chunk in enumerate(tokens.split(list(sizes), dim=1), 1):
        seen[f"the logits of step {n}, with {chunk.shape[1]} tokens"] = impl.forward_with_cache(model, chunk, cache)
        seen[f"tokens in the cache after step {n}"] = cache.position
    return seen


def a_prompt_at_once(impl, seed):
    return in_steps(impl, seed, [9])


def a_prompt_and_then_single_tokens(impl, seed):
    return in_steps(impl, seed, [5, 1, 1])


def a_prompt_in_chunks(impl, seed):
    return in_steps(impl, seed, [4, 3, 2])


def one_row_in_float64_through_a_static_cache(impl, seed):
    return in_steps(impl, seed, [1, 6, 1], torch.float64, batch=1, static=True)


# ---------------------------------------------------------------- generate

FEED = [
    "new",
    "that RECOMPUTES the whole sequence at every step, without the cache",
    "that feeds the whole sequence AGAIN into the cache at every step",
    "that feeds the prompt's last token a second time",
    "that also feeds the last new token, for logits nobody reads",
]
CLEAR = ["before", "that leaves the LAST PROMPT in the cache", "that resets the cache at its END, not before it begins"]
CHOICE = ["last", "that reads the logits after the FIRST token fed"]
RETURN = [
    "all",
    "that returns only the new tokens, without the prompt",
    "that makes one token too FEW",
    "that returns int32",
]
OWN = "a loop that ignores the cache it is given and makes its own"
GRAD = "a loop that records GRADIENTS"
GENERATE_HINTS = {
    FEED[1]: "Right, and quadratic: how many tokens go through the model for 64 new ones?",
    FEED[2]: "How many tokens does the cache hold after the second step, and how many are there?",
    FEED[3]: "Which token is new to the cache when decoding starts?",
    FEED[4]: "To make n new tokens from a prompt of T, how many tokens must pass through the model?",
    CLEAR[1]: "Call it twice with the same cache: does the second answer depend on the first prompt?",
    CLEAR[2]: "The cache may hold somebody else's prompt when it is handed to you.",
    CHOICE[1]: "The logits at position t are about token t + 1. Which t do you want?",
    RETURN[1]: "What does the caller have to glue together to go on?",
    RETURN[2]: "The prefill gives a token too: how many decode steps are left?",
    RETURN[3]: "Which dtype had the prompt?",
    OWN: "What does the caller find in their cache afterwards?",
    GRAD: "Nobody calls backward here: what is the graph kept for?",
}


def wrong_generate(feed=FEED[0], clear=CLEAR[0], choice=CHOICE[0], returns=RETURN[0], own=False, grad=False):
    def generate(model, tokens, max_new_tokens, cache):
        if own:
            cache = GrowingCache(model.config)
        if clear == CLEAR[0]:
            cache.reset()
        out, T, piece = tokens, tokens.shape[1], tokens
        for n in range(max(0, max_new_tokens - 1) if returns == RETURN[2] else max_new_tokens):
            logits = model(out) if feed == FEED[1] else model(piece, cache)
            new = logits[:, -1 if choice == "last" else 0].argmax(-1, keepdim=True)
            out = torch.cat([out, new], 1)
            piece = {FEED[2]: out, FEED[3]: out[:, -2:] if n == 0 else new}.get(feed, new)
        if feed == FEED[4]:
            model(piece, cache)
        if clear == CLEAR[2]:
            cache.reset()
        out = out.int() if returns == RETURN[3] else out
        return out[:, T:] if returns == RETURN[1] else out

    return generate if grad else torch.no_grad()(generate)


def watch(model, seen):
    """Note how many tokens enter the embedding at each step, and whether gradients are recorded."""

    def note(module, args, out):
        seen["tokens fed at each step"].append(args[0].shape[1])
        seen["gradients are recorded"] = torch.is_grad_enabled()

    return model.wte.register_forward_hook(note)


def a_text_and_its_work(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    seen, cache = {"tokens fed at each step": []}, StaticCache(SHAPE, 2, 64)
    hook = watch(model, seen)
    out = impl.generate(model, tokens, 5, cache)
    hook.remove()
    return {**seen, "the tokens": out, "tokens in the cache afterwards": cache.position, "their dtype": str(out.dtype)}


def a_cache_that_is_not_empty(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    cache = GrowingCache(SHAPE)
    with torch.no_grad():
        model(tokens[:, :3], cache)
    return {"the tokens": impl.generate(model, tokens, 3, cache)}


def two_prompts_through_one_cache(impl, seed):
    model, tokens = model_and_tokens(seed, 7)
    cache = GrowingCache(SHAPE)
    return {f"the tokens after a prompt of {T}": impl.generate(model, tokens[:, :T], 3, cache) for T in (4, 7)}


def one_new_token_and_none(impl, seed):
    model, tokens = model_and_tokens(seed, 3, batch=1)
    return {f"the tokens with {n} new": impl.generate(model, tokens, n, GrowingCache(SHAPE)) for n in (1, 0)}


def more_than_the_cache_or_the_model_has_room_for(impl, seed):
    config = Config(vocab_size=53, context_length=9, layers=1, heads=2, width=6)
    model, tokens = model_and_tokens(seed, 5, config=config)

    def error(max_new_tokens, cache):
        return error_of(lambda: impl.generate(model, tokens, max_new_tokens, cache))

    return {
        "the error when the cache is too short": error(4, StaticCache(config, 2, 7)),
        "the error when the positions run out": error(6, GrowingCache(config)),
        "the tokens that just fit": impl.generate(model, tokens, 5, StaticCache(config, 2, 9)),
    }


# ---------------------------------------------------------------- cache_bytes and decode_flops

BYTES = {
    "pair": ["two", "WITHOUT the factor 2 (keys AND values)", "that counts the QUERIES too (3 where 2 are kept)"],
    "layers": ["all", "of ONE layer"],
    "batch": ["all", "of ONE row of the batch"],
    "tokens": ["all", "of one token too few"],
    "unit": ["bytes", "in BITS", "in ELEMENTS, not bytes"],
    "heads": ["once", "that multiplies the whole width by the heads again", "that forgets the heads"],
}
BYTES_HINTS = {
    BYTES["pair"][1]: "What does the cache keep for a token, apart from its key?",
    BYTES["pair"][2]: "Who asks for a query after its own step?",
    BYTES["layers"][1]: "Does layer 1 use the keys of layer 0?",
    BYTES["batch"][1]: "Do two prompts in one batch share their keys?",
    BYTES["tokens"][1]: "seq_len tokens are held. How many did you count?",
    BYTES["unit"][1]: "itemsize already is in bytes.",
    BYTES["unit"][2]: "How many bytes is one float32?",
    BYTES["heads"][1]: "heads times head_dim is already the width.",
    BYTES["heads"][2]: "Each head has keys of its own.",
}


def wrong_bytes(pair, layers, batch, tokens, unit, heads):
    def cache_bytes(config, batch_size, seq_len, itemsize):
        n = {BYTES["pair"][0]: 2, BYTES["pair"][2]: 3}.get(pair, 1)
        n *= (config.layers if layers == "all" else 1) * (batch_size if batch == "all" else 1)
        n *= seq_len - (tokens != "all")
        n *= config.head_dim * {BYTES["heads"][0]: config.heads, BYTES["heads"][1]: config.heads**2}.get(heads, 1)
        return n * {"bytes": itemsize, BYTES["unit"][1]: 8 * itemsize}.get(unit, 1)

    return cache_bytes


FLOPS = {
    "add": ["two", "that counts a multiply-add as ONE operation"],
    "head": ["once", "WITHOUT the head", "with the head in EACH layer"],
    "keys": [
        "and itself",
        "in which the new token does not meet ITSELF (position keys, not position + 1)",
        "in which the whole SQUARE is computed again",
    ],
    "products": [
        "both",
        "WITHOUT the product of weights and values",
        "WITHOUT attention's products (two operations for each weight, and nothing else)",
    ],
    "mlp": ["in", "WITHOUT the MLP"],
    "batch": ["all", "of ONE row of the batch"],
}
FLOPS_HINTS = {
    FLOPS["add"][1]: "One multiplication and one addition.",
    FLOPS["head"][1]: "In GPT-2 small the head holds 38.6 of 124 million weights.",
    FLOPS["head"][2]: "How often are logits computed in a step?",
    FLOPS["keys"][1]: "How many keys are there after the new one has been cached?",
    FLOPS["keys"][2]: "How many queries are there in a decode step?",
    FLOPS["products"][1]: "Attention has two products: with the keys, and with what?",
    FLOPS["products"][2]: "Queries and keys are no weights. Are they multiplied?",
    FLOPS["mlp"][1]: "Which part of a block holds two thirds of its weights?",
    FLOPS["batch"][1]: "Does the second row of a batch come for free?",
}


def wrong_flops(add, head, keys, products, mlp, batch):
    def decode_flops(config, position, batch_size=1):
        C, n = config.width, position + (keys != FLOPS["keys"][1])
        met = n * n if keys == FLOPS["keys"][2] else n
        attention = {"both": 2, FLOPS["products"][1]: 1}.get(products, 0) * C * met
        heads = {"once": 1, FLOPS["head"][1]: 0}.get(head, config.layers)
        total = config.layers * ((12 if mlp == "in" else 4) * C * C + attention) + heads * C * config.vocab_size
        return (2 if add == "two" else 1) * (batch_size if batch == "all" else 1) * total

    return decode_flops


def a_batch_in_float32(impl, seed):
    return {
        "a small model": impl.cache_bytes(SHAPE, 3, 17 + seed, 4),
        "GPT-2's whole context": impl.cache_bytes(Config.gpt2(), 1, 1024, 4),
        "GPT-2's first token": impl.cache_bytes(Config.gpt2(), 1, 1, 4),
    }


def other_item_sizes(impl, seed):
    return {f"{size} bytes each": impl.cache_bytes(SHAPE, 2, 5, size) for size in (1, 2, 8)}


def one_row(impl, seed):
    return {f"position {p}": impl.decode_flops(SHAPE, p) for p in (1, 7, 30 + seed)}


def a_batch_at_several_positions(impl, seed):
    return {f"position {p}": impl.decode_flops(SHAPE, p, 3) for p in (0, 1, 11 + seed)}


# ---------------------------------------------------------------- quantize and dequantize

SCOPE = [
    "token",
    "with ONE scale for the whole tensor",
    "with a scale per CHANNEL, shared by all tokens",
    "whose scale goes over the TOKENS, not over the numbers of a token",
]
ROUND = ["even", "that cuts off towards zero instead of rounding", "that rounds halves UP, not to even"]
RANGE = [
    "127",
    "that uses -128, which a symmetric scale cannot give back",
    "that divides by 255 as if there were no sign",
    "that is ASYMMETRIC: from the smallest to the largest value",
]
ABS = ["abs", "that takes the largest value, not the largest MAGNITUDE"]
ZERO = [
    "safe",
    "that divides by zero on a row of zeros",
    "with a floor of 1e-5 under the scale, so that small numbers become zeros",
]
STEP = ["step", "that returns the inverse of the scale"]
NANS = ["refused", "that accepts NaN and infinity"]
SCALE_DTYPE = ["float32", "whose scale has the dtype of x, not float32"]
QUANT_HINTS = {
    SCOPE[1]: "One token is a hundred times louder than the rest: how many codes do the others use?",
    SCOPE[2]: "When the next token arrives, do the tokens already stored have to be quantized again?",
    SCOPE[3]: "Which numbers share one scale: those of one token, or those of one channel?",
    ROUND[1]: "What is the mean of x - dequantize(quantize(x)) over positive x?",
    ROUND[2]: "round(0.5), round(1.5), round(2.5): what is the mean error?",
    RANGE[1]: "Quantize x and -x: are the codes each other's negatives?",
    RANGE[2]: "How many codes lie on each side of zero in an int8?",
    RANGE[3]: "Which code stands for zero?",
    ABS[1]: "What happens to a row whose values are all negative?",
    ZERO[1]: "A row of zeros is a perfectly good row.",
    ZERO[2]: "Numbers of 1e-6 have a scale too. What is it?",
    STEP[1]: "codes times scale should be x again.",
    NANS[1]: "What is the largest magnitude of a row that holds NaN?",
    SCALE_DTYPE[1]: "bfloat16 has eight bits of mantissa: how precise is a scale in it?",
}


def wrong_quantize(
    scope=SCOPE[0],
    round=ROUND[0],
    range=RANGE[0],
    abs=ABS[0],
    zero=ZERO[0],
    step=STEP[0],
    nans=NANS[0],
    dtype=SCALE_DTYPE[0],
):
    def quantize(x):
        if nans == NANS[0] and not torch.isfinite(x).all():
            raise ValueError("not finite")
        size = x.abs() if abs == "abs" else x
        if scope == SCOPE[1]:
            top = size.amax().expand(*x.shape[:-1], 1)
        elif scope == SCOPE[2] and x.dim() > 1:
            top = size.amax(tuple(n for n, _ in enumerate(x.shape[:-1])), keepdim=True).expand_as(x)
        elif scope == SCOPE[3] and x.dim() > 1:
            top = size.amax(-2, keepdim=True)
        else:
            top = size.amax(-1, keepdim=True)
        low = x.amin(-1, keepdim=True)
        span = top - low if range == RANGE[3] else top
        span = span if dtype == SCALE_DTYPE[1] else span.float()
        scale = span / {RANGE[1]: 128, RANGE[2]: 255, RANGE[3]: 254}.get(range, 127)
        if zero == ZERO[0]:
            scale = torch.where(span == 0, torch.ones_like(scale), scale)
        elif zero == ZERO[2]:
            scale = scale.clamp(min=1e-5)
        codes = (x - low) / scale - 127 if range == RANGE[3] else x / scale
        codes = {ROUND[1]: codes.trunc(), ROUND[2]: (codes + 0.5).floor()}.get(round, codes.round())
        codes = codes.clamp(-128 if range == RANGE[1] else -127, 127).nan_to_num(0).to(torch.int8)
        return codes, scale if step == "step" else 1 / scale

    return quantize


def values(seed, shape=(3, 2, 5, 16)):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x * torch.linspace(0.1, 4, shape[-2])[:, None]


def told(quantized):
    codes, scale = quantized
    return {"the codes": codes, "their dtype": str(codes.dtype), "the scales": scale, "scales' dtype": str(scale.dtype)}


def some_tokens(impl, seed):
    return told(impl.quantize(values(seed)))


def one_loud_token(impl, seed):
    x = values(seed)
    x[0, 0, 0] *= 300
    return told(impl.quantize(x))


def all_negative_rows(impl, seed):
    return told(impl.quantize(-values(seed).abs() - 0.1))


def a_row_of_zeros(impl, seed):
    x = values(seed)
    x[1, 0, 2] = 0
    codes, scale = impl.quantize(x)
    usable = bool(torch.isfinite(scale).all() and (scale > 0).all()) and scale.shape == (3, 2, 5, 1)
    return {"the codes": codes, "every scale is positive and finite": usable}


def four_numbers_of_the_workbook(impl, seed):
    return told(impl.quantize(torch.tensor([0.5, -1.27, 0.02, 0.0])))


def exact_halves(impl, seed):
    return told(impl.quantize(torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -127.0]])))


def very_small_and_very_large_numbers(impl, seed):
    x = values(seed, (2, 3, 8))
    return {"times 1e-9": told(impl.quantize(x * 1e-9)), "times 1e30": told(impl.quantize(x * 1e30))}


def other_dtypes_to_quantize(impl, seed):
    x = values(seed, (2, 3, 8))
    return {str(dtype): told(impl.quantize(x.to(dtype))) for dtype in (torch.bfloat16, torch.float64)}


def numbers_that_no_scale_represents(impl, seed):
    def error(bad):
        x = values(seed)
        x[0, 1, 2, 3] = bad
        return error_of(lambda: impl.quantize(x))

    return {f"the error of {bad}": error(bad) for bad in (math.nan, math.inf, -math.inf)}


DEQUANT = [
    (
        "a dequantize that DIVIDES by the scale",
        "If code 127 stands for 3.2, what is the scale?",
        lambda codes, scale: codes.to(scale.dtype) / scale,
    ),
    (
        "a dequantize that forgets the scale",
        "Are codes in the unit of x?",
        lambda codes, scale: codes.to(scale.dtype),
    ),
    (
        "a dequantize that rounds to whole numbers",
        "The codes are whole numbers; is x?",
        lambda codes, scale: (codes * scale).round(),
    ),
    (
        "a dequantize with an offset of 128",
        "Which code stands for zero in a symmetric scheme?",
        lambda codes, scale: (codes.to(scale.dtype) + 128) * scale,
    ),
    (
        "a dequantize with the largest scale for every token",
        "Why did quantize return one scale per token?",
        lambda codes, scale: codes.to(scale.dtype) * scale.amax(),
    ),
    (
        "a dequantize that returns float32, whatever the scale is",
        "A model in float64 has scales in float64: what does it want back?",
        lambda codes, scale: codes.float() * scale.float(),
    ),
]


def what_quantize_returned(impl, seed):
    return impl.dequantize(*quantize(values(seed)))


def every_code(impl, seed):
    codes = torch.arange(-127, 128, dtype=torch.int8).repeat(2, 1)
    return impl.dequantize(codes, torch.tensor([[0.5], [0.01 * (seed + 1)]]))


def one_row_of_codes(impl, seed):
    return impl.dequantize(torch.tensor([50, -127, 2, 0], dtype=torch.int8), torch.tensor([0.01]))


def other_dtypes_to_dequantize(impl, seed):
    codes = torch.arange(-4, 4, dtype=torch.int8).view(2, 4)
    seen = {}
    for dtype in (torch.float64, torch.bfloat16):
        out = impl.dequantize(codes, torch.tensor([[0.5], [0.25 * (seed + 1)]], dtype=dtype))
        seen |= {f"with scales in {dtype}": out, f"dtype with scales in {dtype}": str(out.dtype)}
    return seen


# ---------------------------------------------------------------- the catalogue

PROBES = {
    "attend": [
        a_whole_sequence,
        a_chunk_after_cached_keys,
        one_query_after_cached_keys,
        rows_with_padding,
        one_query_and_padding,
        queries_that_see_no_key,
        scores_in_the_hundreds,
        in_float64,
        the_numbers_of_the_workbook,
        more_queries_than_keys,
    ],
    "StaticCache": [
        the_table_of_the_workbook,
        three_chunks_through_every_layer,
        an_early_layer_read_again,
        memory_that_stays_in_place,
        used_again_after_reset,
        filled_beyond_its_length,
        filled_to_the_last_slot,
        in_other_dtypes,
        on_another_device,
        written_with_gradients_on,
    ],
    "forward_with_cache": [
        a_prompt_at_once,
        a_prompt_and_then_single_tokens,
        a_prompt_in_chunks,
        one_row_in_float64_through_a_static_cache,
    ],
    "generate": [
        a_text_and_its_work,
        a_cache_that_is_not_empty,
        two_prompts_through_one_cache,
        one_new_token_and_none,
        more_than_the_cache_or_the_model_has_room_for,
    ],
    "cache_bytes": [a_batch_in_float32, other_item_sizes],
    "decode_flops": [one_row, a_batch_at_several_positions],
    "quantize": [
        some_tokens,
        one_loud_token,
        all_negative_rows,
        a_row_of_zeros,
        four_numbers_of_the_workbook,
        exact_halves,
        very_small_and_very_large_numbers,
        other_dtypes_to_quantize,
        numbers_that_no_scale_represents,
    ],
    "dequantize": [what_quantize_returned, every_code, one_row_of_codes, other_dtypes_to_dequantize],
}


def of(task):
    """Every known mistake of a task."""
    return {
        "attend": attend_mistakes,
        "StaticCache": cache_mistakes,
        "forward_with_cache": forward_mistakes,
        "generate": generate_mistakes,
        "cache_bytes": lambda: combine("cache_bytes", "the cache's size", BYTES, wrong_bytes, BYTES_HINTS),
        "decode_flops": flops_mistakes,
        "quantize": quantize_mistakes,
        "dequantize": lambda: (Mistake("dequantize", s, hint, 1, wrong) for s, hint, wrong in DEQUANT),
    }[task]()


def attend_mistakes():
    pairs = {"scale": SCALE[:3], "mask": MASK[:5], "padding": PADDING[:2], "axis": AXIS}
    yield from combine("attend", "attend", pairs, wrong_attend, ATTEND_HINTS)
    for knob, settings in (("scale", SCALE[3:]), ("mask", MASK[5:]), ("padding", PADDING[2:]), ("hiding", HIDING[1:])):
        yield from combine("attend", "attend", {knob: ["", *settings]}, wrong_attend, ATTEND_HINTS)


def cache_mistakes():
    pairs = {"slot": SLOT, "value": VALUE[:2], "row": ROW, "position": POSITION[:3], "reset": RESET, "full": FULL[:3]}
    same = [(SLOT[1], POSITION[2])]
    yield from combine("StaticCache", "a cache", pairs, wrong_cache, CACHE_HINTS, without=same)
    singles = {
        "view": VIEW[1:],
        "layer": LAYER[1:],
        "axes": AXES[1:],
        "value": VALUE[2:],
        "position": POSITION[3:],
        "full": FULL[3:],
        "dtype": DTYPE[1:],
        "device": DEVICE[1:],
        "gradient": GRADIENT[1:],
    }
    for knob, settings in singles.items():
        yield from combine("StaticCache", "a cache", {knob: ["", *settings]}, wrong_cache, CACHE_HINTS)


def forward_mistakes():
    same = [(TRIANGLE[1], READ[1]), (OFFSET[1], READ[2])]
    pairs = {"offset": OFFSET, "triangle": TRIANGLE, "read": READ}
    yield from combine("forward_with_cache", "a step", pairs, wrong_forward, FORWARD_HINTS, without=same)
    for knob, settings in (("residual", RESIDUAL), ("end", END)):
        yield from combine("forward_with_cache", "a step", {knob: settings}, wrong_forward, FORWARD_HINTS)
    bypass = lambda model, tokens, cache: model(tokens, cache)  # noqa: E731
    yield Mistake("forward_with_cache", BYPASS, FORWARD_HINTS[BYPASS], 1, bypass)


def generate_mistakes():
    uncached = [(FEED[1], wrong) for wrong in CLEAR[1:]]  # what is not used is not left over
    pairs = {"feed": FEED, "clear": CLEAR[:2], "choice": CHOICE}
    yield from combine("generate", "a loop", pairs, wrong_generate, GENERATE_HINTS, without=uncached)
    for knob, settings in (("clear", CLEAR[2:]), ("returns", RETURN[1:])):
        yield from combine("generate", "a loop", {knob: ["", *settings]}, wrong_generate, GENERATE_HINTS)
    yield Mistake("generate", OWN, GENERATE_HINTS[OWN], 1, wrong_generate(own=True))
    yield Mistake("generate", GRAD, GENERATE_HINTS[GRAD], 1, wrong_generate(grad=True))


def flops_mistakes():
    nothing = [(FLOPS["products"][2], wrong) for wrong in FLOPS["keys"][1:]]  # keys that are not multiplied
    yield from combine("decode_flops", "the cost of a step", FLOPS, wrong_flops, FLOPS_HINTS, without=nothing)


def quantize_mistakes():
    pairs = {"scope": SCOPE[:3], "round": ROUND[:2], "range": RANGE[:3], "abs": ABS, "zero": ZERO[:2], "step": STEP}
    never_zero = [(scope, ZERO[1]) for scope in SCOPE[1:3]]  # such a scale is not zero for one row
    yield from combine("quantize", "a quantizer", pairs, wrong_quantize, QUANT_HINTS, without=never_zero)
    singles = {
        "scope": SCOPE[3:],
        "round": ROUND[2:],
        "range": RANGE[3:],
        "zero": ZERO[2:],
        "nans": NANS[1:],
        "dtype": SCALE_DTYPE[1:],
    }
    for knob, settings in singles.items():
        yield from combine("quantize", "a quantizer", {knob: ["", *settings]}, wrong_quantize, QUANT_HINTS)
