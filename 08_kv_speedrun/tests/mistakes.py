"""The classic mistakes of a KV cache as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs. The first setting of a knob is the right one; every other setting is one
mistake, named by its sentence.
"""

import functools
import math
import weakref

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
    "whose SCORES have the digits of float32 only, where the arguments are float64",
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
    "that leaves padding its weight in the softmax, and takes it out of the sum only AFTERWARDS",
    "that gives ZEROS to the queries at padding too, whatever they may see",
    "with the mask of the FIRST row for every row",
    "that hides the keys where attention_mask is True, and shows the padding",
    "that COUNTS the padding of a row, and takes it to be on the left",
]
AXIS = ["keys", "with its softmax over the QUERIES"]
HIDING = [
    "-inf",
    "that MULTIPLIES the scores by the mask",
    "that fills with a FINITE number, as -1e9, so that a query without any key gets an average",
    "that gives NaN to a query without any key",
    "that adds -10,000 to the scores of hidden keys, which a large score outweighs",
    "that goes through FLOAT32 on its way, whatever the dtype of the arguments",
    "that subtracts the largest score of ALL keys, hidden ones too, so that small weights vanish",
    "that subtracts ONE largest score, of all rows, heads and queries, so that small weights vanish",
    "that gives hidden keys a FINITE score, more than the lowest scores, and clears their weights too late",
    "that returns float32 where the arguments have 16 bits",
    "that gives hidden keys a FINITE score, more than the lowest scores, and leaves them their weights",
    "that gives zeros to a row that is ALL padding, and NaN to a query whose own keys are",
    "that adds a bias of -inf, whose NaN is gone from the output and comes back in the GRADIENTS",
    "that gives zeros only where a row is ALL padding, and an average to other queries without any key",
    "that takes exp of the scores as they are, which OVERFLOWS",
    "that clears the NaN of a query without any key in its OUTPUT, and leaves it in the gradient of v",
]
ATTEND_HINTS = {
    SCALE[1]: "What is the variance of a dot product of two D-dimensional unit-variance vectors?",
    SCALE[2]: "The variance of the scores grows with D; what does their standard deviation grow with?",
    SCALE[3]: "How many numbers does the dot product of one head add up?",
    SCALE[4]: "torch.sqrt(torch.tensor(D)) is a float32. Which digits has math.sqrt(D)?",
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
    PADDING[5]: "The mask is about keys. Key 4 is padding, keys 0 to 3 are not: what does query 4 see?",
    PADDING[6]: "Two prompts of different lengths: is the same key padding in both?",
    PADDING[8]: "The padding may be anywhere in the row: which keys does a mask of 1 0 1 0 1 hide?",
    PADDING[7]: "PyTorch's key_padding_mask is True at padding. What is True here?",
    AXIS[1]: "Whose weights must sum to one, and over what?",
    HIDING[1]: "A score of zero: what weight does the softmax give it?",
    HIDING[2]: "All scores of a row are the same number: what does the softmax make of them?",
    HIDING[3]: "What is the softmax of a row of -inf, and what should the row be?",
    HIDING[4]: "A hidden key has a score of 20,000, the others of 1: what is left of it after the subtraction?",
    HIDING[5]: "float64 has 16 digits: how many are left after a step in float32?",
    HIDING[8]: "Every score that is seen is -8e9, and the hidden ones have your number: who gets the weight?",
    HIDING[10]: "Every score that is seen is -8e9, and the hidden ones have your number: who gets the weight?",
    HIDING[11]: "Key 0 is padding, keys 1 to 4 are not: what does query 0 see?",
    HIDING[12]: "What is the gradient of a softmax that is NaN? Which of `+` and `masked_fill` lets it through?",
    HIDING[13]: "Key 0 is padding, keys 1 to 4 are not: what does query 0 see?",
    HIDING[14]: "What is exp(1000) in float32? What changes if the largest score of the row is subtracted first?",
    HIDING[15]: "The gradient of v is the weights times that of the output: what is NaN times zero?",
    HIDING[9]: "A model in bfloat16 goes on with what it gets: in which dtype?",
    HIDING[7]: "Each query has a softmax of its own: over which axis is its largest score?",
    HIDING[6]: "The largest score belongs to a key that is hidden: how large are the exponentials of the others?",
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
            elif padding == PADDING[5]:
                seen = seen & attention_mask[:, None, None, :] & attention_mask[:, None, -Tq:, None]
            elif padding == PADDING[7]:
                seen = seen & ~attention_mask[:, None, None, :]
            elif padding == PADDING[8]:
                first = (~attention_mask).sum(1)[:, None, None, None]
                seen = seen & (torch.arange(Tk) >= first)
            elif padding == PADDING[6]:
                seen = seen & attention_mask[:1, None, None, :]
            else:
                seen = seen & attention_mask[:, None, None, :]
        short = 1 / torch.tensor(float(D)).sqrt().item()
        factor = dict(zip(SCALE, (D**-0.5, 1.0, 1 / D, (H * D) ** -0.5, short), strict=True))[scale]
        scores = q @ k.transpose(-2, -1) * factor
        dim = -1 if axis == "keys" else -2
        if hiding == HIDING[1]:
            return (scores * seen).softmax(dim) @ v
        if hiding == HIDING[4]:
            return ((scores - 1e4 * ~seen).softmax(dim) * seen) @ v
        if hiding in HIDING[6:8]:
            top = scores.max() if hiding == HIDING[7] else scores.amax(dim, keepdim=True)
            e = (scores - top).exp() * seen
            return e / e.sum(dim, keepdim=True).clamp(min=1e-30) @ v
        if hiding == HIDING[14]:
            e = scores.exp() * seen
            return e / e.sum(dim, keepdim=True).masked_fill(~seen.any(dim, keepdim=True), 1.0) @ v
        if hiding == HIDING[12]:
            return (scores + torch.zeros_like(scores).masked_fill(~seen, -math.inf)).softmax(dim).nan_to_num(0) @ v
        finite = torch.finfo(q.dtype).min if hiding == HIDING[13] else max(-1e9, torch.finfo(q.dtype).min)
        is_finite = hiding in (HIDING[2], HIDING[8], HIDING[10], HIDING[13])
        scores = scores.masked_fill(~seen, finite if is_finite else -math.inf)
        if hiding in (*HIDING[10:12], HIDING[13]):
            whole = hiding != HIDING[10] and attention_mask is not None
            empty = ~(attention_mask[:, None, None] if whole else seen).any(-1, keepdim=True)
            return scores.softmax(dim).masked_fill(empty & (hiding == HIDING[10] or whole), 0.0) @ v
        weights = (scores.float() if hiding == HIDING[5] else scores).softmax(dim).to(q.dtype)
        if hiding == HIDING[15]:
            return (weights @ v).nan_to_num(0)
        out = (weights if hiding in HIDING[2:4] else weights.masked_fill(~seen, 0.0)) @ v
        return out.float() if hiding == HIDING[9] and out.dtype.itemsize == 2 else out

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
    return impl.attend(*qkv(seed + 4, 1, 5), attention_mask=attention_mask)


def queries_that_see_no_key(impl, seed):
    attention_mask = torch.arange(4) >= torch.tensor([[0], [2], [4]])
    return {
        "some rows": impl.attend(*qkv(seed + 5, 4, 4), attention_mask),
        "every key of every row is padding": impl.attend(*qkv(seed + 5, 2, 4), torch.zeros_like(attention_mask)),
        "a single query": impl.attend(*qkv(seed + 5, 1, 4), attention_mask),
    }


def padding_in_the_middle_and_at_the_end(impl, seed):
    attention_mask = torch.ones(3, 7, dtype=torch.bool)
    attention_mask[0, 2:4] = attention_mask[1, 5:] = attention_mask[2, 6] = False
    return impl.attend(*qkv(seed + 8, 4, 7), attention_mask)


def hidden_keys_with_very_large_scores(impl, seed):
    q, k, v = qkv(seed + 9, 2, 5)
    q[..., 0] = 2.0
    k[:, :, 4, 0] = 50_000.0  # query 0 does not see key 4; query 1 sees nothing else
    return impl.attend(q, k, v)[:, :, :1]


def scores_in_the_hundreds(impl, seed):
    return impl.attend(*qkv(seed + 6, 4, 6, scale=12.0))


def in_float64(impl, seed):
    q, k, v = qkv(seed + 7, 2, 5, dtype=torch.float64)
    seen = torch.ones(2, 5, dtype=torch.bool).tril(3)
    whole = torch.arange(1.0, 6, dtype=torch.float64)[:, None].expand_as(v)

    def is_right(q, v, queries=slice(None)):
        want = torch.nn.functional.scaled_dot_product_attention(q, k, v, seen)
        return bool((impl.attend(q, k, v) - want)[:, :, queries].abs().max() < 1e-12)

    return {
        "the output": impl.attend(q, k, v),
        "the digits of float64 are right": is_right(q, v),
        "they are right where all scores are zero": is_right(0 * q, v),
        "the mean of 1, 2, 3 and 4 is right": is_right(0 * q, whole, slice(1)),
    }


def gradients_of_queries_that_see_no_key(impl, seed):
    leaves = [x.requires_grad_() for x in qkv(seed + 10, 4, 4, dtype=torch.float64)]
    impl.attend(*leaves, torch.arange(4) >= torch.tensor([[0], [2], [4]])).square().sum().backward()
    return {f"gradient of {name}": x.grad for name, x in zip("qkv", leaves, strict=True)}


def the_numbers_of_the_workbook(impl, seed):
    q, k = torch.zeros(1, 1, 2, 1), torch.zeros(1, 1, 5, 1)
    v = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).view(1, 1, 5, 1)
    padding_first = torch.tensor([[False, True, True, True, True]])
    return {"without padding": impl.attend(q, k, v), "key 0 is padding": impl.attend(q, k, v, padding_first)}


def more_queries_than_keys(impl, seed):
    attention_mask = torch.ones(3, 4, dtype=torch.bool)
    return {
        "the error": error_of(lambda: impl.attend(*qkv(seed, 5, 4))),
        "the error with an attention_mask": error_of(lambda: impl.attend(*qkv(seed, 5, 4), attention_mask)),
        "the error of 5 queries and 1 key": error_of(lambda: impl.attend(*qkv(seed, 5, 1))),
    }


def single_rows_heads_keys_and_numbers(impl, seed):
    q, k, v = qkv(seed + 11, 2, 4)
    return {
        "one query and one key": impl.attend(*qkv(seed, 1, 1)),
        "one row": impl.attend(q[:1], k[:1], v[:1]),
        "one head": impl.attend(q[:, :1], k[:, :1], v[:, :1]),
        "one number in each head": impl.attend(q[..., :1], k[..., :1], v[..., :1]),
    }


def a_long_text(impl, seed):
    texts = (150, 300), (2, 2100)
    return {f"{Tk} keys": impl.attend(*(x[:1, :1] for x in qkv(seed + 12, Tq, Tk))) for Tq, Tk in texts}


def views_of_other_tensors(impl, seed):
    """As a model and its cache hand them on: transposed, cut from longer memory, expanded."""
    q, k, v = qkv(seed + 13, 3, 6)
    q = q.transpose(1, 2).contiguous().transpose(1, 2)
    k = torch.cat([k, k], dim=2)[:, :, :6]
    attention_mask = torch.tensor([[True, False, True, True, True, True]]).expand(3, 6)
    return impl.attend(q, k, v[:, :1].expand_as(v), attention_mask)


def in_16_bits(impl, seed):
    attention_mask, seen = torch.arange(5) >= torch.tensor([[0], [1], [5]]), {}
    for dtype, room in ((torch.bfloat16, 0.3), (torch.float16, 0.05)):  # scores near 4, to 8 or 11 bits
        q, k, v = qkv(seed + 14, 2, 5, dtype=dtype)
        out = impl.attend(q, k, v, attention_mask)
        mask = attention_mask[:, None, None] & torch.ones(2, 5, dtype=torch.bool).tril(3)
        want = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), mask)
        near = (out.double() - want.nan_to_num(0)).abs().max() < room
        seen |= {f"the dtype for {dtype}": str(out.dtype), f"the numbers in {dtype} are near": bool(near)}
    return seen


def seen_keys_with_very_low_scores(impl, seed):
    """All scores are the same, below -8e9: every key that is seen has the same weight."""
    q, k = torch.zeros(3, 2, 2, 4), torch.zeros(3, 2, 5, 4)
    q[..., 0], k[..., 0] = 2.0**17, -(2.0**17)
    return impl.attend(q, k, qkv(seed + 15, 2, 5)[2][..., :4])


def gradients_without_padding(impl, seed):
    seen = {}
    for Tq, Tk in ((3, 5), (1, 4)):
        leaves = [x.requires_grad_() for x in qkv(seed + 16, Tq, Tk, dtype=torch.float64)]
        impl.attend(*leaves).square().sum().backward()
        seen |= {f"{Tq} queries: gradient of {name}": x.grad for name, x in zip("qkv", leaves, strict=True)}
    return seen


# ---------------------------------------------------------------- StaticCache

SLOT = ["after", "that writes every chunk at slot 0", "that writes one slot too far"]
VIEW = [
    "filled",
    "that returns its EMPTY slots too",
    "that COPIES all it holds at every step, by cat or clone",
    "that returns COPIES where a view is not contiguous, by contiguous or reshape",
]
COUNT = [
    "each layer's",
    "with ONE count for all layers, which moves when the last layer writes",
    "that writes where the layer furthest BEHIND ends, so that a layer that is ahead writes over its own tokens",
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
    "whose position is the count of the LAST layer, not of the one that is furthest behind",
]
RESET = [
    "clears",
    "whose reset leaves the last prompt in place",
    "whose reset allocates NEW memory",
    "whose reset does nothing to a step that is NOT COMPLETE",
]
FULL = [
    "raises",
    "that DROPS what does not fit, without a word",
    "that leaves overflow to PyTorch, whose error is no ValueError",
    "that writes over the OLDEST tokens when it is full",
    "that counts the new tokens before it raises, so that nothing fits afterwards",
    "that compares with the layer that is furthest BEHIND, not with the one that writes",
    "that refuses the LAST slot",
    "that leaves overflow to PyTorch, which writes ONE token to no slot at all, and says nothing",
    "that RESETS itself when something does not fit",
]
DTYPE = ["asked", "that ignores dtype", "that ignores dtype and device for its VALUES"]
DEVICE = ["asked", "that ignores device"]
MEMORY = [
    "at the start",
    "that makes its memory at the FIRST UPDATE, in the dtype and on the device of what comes",
    "whose memory belongs to the CLASS, so that two caches write into one",
    "that holds MORE memory than its keys and values need: chunks twice, or slots that nothing can fill",
    "whose memory is kept by its SHAPE, so that the next cache of that shape writes into it",
]
GRADIENT = [
    "numbers",
    "that stores the graph of gradients with the keys",
    "that stores the graph of gradients, and detaches only what it RETURNS",
    "that cuts the CALLER's keys from their graph, with detach_",
    "that switches gradients OFF for the rest of the program",
    "that switches gradients ON when it has written, though they were off before",
]
CACHE_HINTS = {
    SLOT[1]: "Where does the second chunk begin?",
    SLOT[2]: "After three tokens, which slots are filled, and what is in slot 0?",
    VIEW[1]: "A key of zeros has a score of zero, not of minus infinity: does it take part in the softmax?",
    VIEW[3]: "A view of the filled slots is not contiguous: what does contiguous() do then?",
    VIEW[2]: "How many bytes does your thousandth token copy?",
    COUNT[2]: "Layer 0 holds 3 tokens and layer 1 none: in which slot does layer 0 go on?",
    COUNT[1]: "Layer 0 gets two chunks before layer 1 gets one: where does the second begin?",
    LAYER[1]: "Write something through layer 0, then through layer 1, and look at layer 0 again.",
    ROW[1]: "Two prompts in one batch: do they have the same keys?",
    AXES[1]: "view reads memory in order; transpose changes the order. Which one happened to your heads?",
    VALUE[1]: "Is anything of v still there after the call?",
    VALUE[2]: "b = a gives one tensor two names. How many tensors does the cache need?",
    POSITION[1]: "The next token needs a position embedding: which one will it get?",
    POSITION[2]: "After one token has gone through all layers, how many tokens does the cache hold?",
    POSITION[3]: "Layer 0 has written and layer 1 has not: is the step complete?",
    POSITION[4]: "The last layer has written and the others have not: how many tokens does every layer hold?",
    RESET[1]: "What does the second prompt attend to?",
    RESET[3]: "An error stops a step after layer 0. Who forgets what layer 0 has written?",
    RESET[2]: "A server resets for each request: how many bytes does it allocate in a day?",
    FULL[1]: "Would the caller rather have an error or a model that has forgotten the newest token?",
    FULL[2]: "Compare the end with the length before you write.",
    FULL[3]: "A model that forgets its beginning without a word: who will notice?",
    FULL[4]: "After the error, does a token that fits still go in?",
    FULL[5]: "Layer 0 holds 3 of 4 tokens and the others none. How many more fit into layer 0?",
    FULL[6]: "max_seq_len is 4, and 3 are held: does one more fit?",
    FULL[8]: "The caller catches the error: are the old tokens still there?",
    FULL[7]: "x[:, 4:5] of four slots is empty. What does PyTorch do with one token that is assigned to it?",
    MEMORY[1]: "Who decides on the dtype and the device: the caller who builds the cache, or the first key?",
    MEMORY[3]: "How many bytes does your cache hold after 40 tokens, and how many should it?",
    MEMORY[4]: "Two users, two caches of one shape: in whose memory are their keys?",
    MEMORY[2]: "Two models, two caches: what is stored on self, and what on the class?",
    DTYPE[2]: "A model in float64 asks for a cache in float64: which dtype have its keys, and which its values?",
    DTYPE[1]: "A model in bfloat16 asks for a cache in bfloat16: what does it get?",
    DEVICE[1]: "A model on a GPU asks for a cache beside it: what does it get?",
    GRADIENT[3]: "An underscore at the end of a name: whose tensor does it change?",
    GRADIENT[4]: "After your update, somebody trains a model. What do they need of PyTorch?",
    GRADIENT[5]: "The caller works under no_grad: what is the state after your update?",
    GRADIENT[2]: "What does the memory itself hold: the numbers, or the numbers and their history?",
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
    count=COUNT[0],
    memory=MEMORY[0],
):
    ask_dtype, ask_device, how_to_reset, shared, by_shape = dtype, device, reset, {}, {}

    class Cache:
        def __init__(self, config, batch_size, max_seq_len, dtype=torch.float32, device="cpu"):
            self.layers, self.max_seq_len = config.layers, max_seq_len
            shape = (config.layers, batch_size, config.heads, max_seq_len, config.head_dim)
            dtype = torch.float32 if ask_dtype == DTYPE[1] else dtype
            device = device if ask_device == DEVICE[0] else "cpu"
            self.keys = torch.zeros(shape, dtype=dtype, device=device)
            self.values = self.keys if value == VALUE[2] else torch.zeros(shape, dtype=dtype, device=device)
            self.seq_lens = [0] * config.layers
            if ask_dtype == DTYPE[2]:
                self.values = torch.zeros(shape)
            if memory == MEMORY[4]:
                self.keys, self.values = by_shape.setdefault((shape, dtype, str(device)), (self.keys, self.values))
            if memory == MEMORY[1]:
                self.keys = self.values = None
            if memory == MEMORY[2]:
                shared.update(vars(self))
                self.__dict__ = shared

        @property
        def position(self):
            counts = self.seq_lens
            return dict(zip(POSITION, (min(counts), 0, sum(counts), max(counts), counts[-1]), strict=True))[position]

        def reset(self):
            if how_to_reset != RESET[1] and not (how_to_reset == RESET[3] and min(self.seq_lens) == 0):
                self.seq_lens = [0] * self.layers
            if how_to_reset == RESET[2]:
                self.keys, self.values = self.keys.clone(), self.values.clone()

        def update(self, i, k, v):
            T, start = k.shape[2], self.position if position == POSITION[2] else self.seq_lens[i]
            if self.keys is None:
                shape = (self.layers, *k.shape[:2], self.max_seq_len, k.shape[-1])
                self.keys, self.values = k.new_zeros(shape), v.new_zeros(shape)
            if count == COUNT[1]:
                start = self.seq_lens[-1]
            if count == COUNT[2]:
                start = min(self.seq_lens)
            if full == FULL[5] and start + T > self.max_seq_len >= min(self.seq_lens) + T:
                raise RuntimeError("the slice is too short")
            drops = full == FULL[7] and start == self.max_seq_len and T == 1
            if start + T + (full == FULL[6]) > self.max_seq_len and not drops:
                if full == FULL[4]:
                    self.seq_lens[i] += T
                if full == FULL[8]:
                    self.reset()
                if full in (FULL[0], FULL[2], *FULL[4:]):
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
            if gradient == GRADIENT[3]:
                k.detach_(), v.detach_()
            if gradient == GRADIENT[4]:
                torch.set_grad_enabled(False)
            if gradient == GRADIENT[5]:
                torch.set_grad_enabled(True)
            if gradient not in GRADIENT[1:3]:
                k, v = k.detach(), v.detach()
            if memory == MEMORY[3]:
                vars(self).setdefault("chunks", []).append((k.clone(), v.clone()))
            where = i if layer == "each" else 0
            self.keys[where, :, :, at : at + T] = k
            self.values[where, :, :, at : at + T] = k if value == VALUE[1] else v
            if count == COUNT[2]:
                self.seq_lens[i] = start
            self.seq_lens[i] = self.seq_lens[i] + T if position != POSITION[2] else start + T
            if count == COUNT[1]:
                self.seq_lens = [start + T if i == self.layers - 1 else start] * self.layers
            end = self.max_seq_len if view == VIEW[1] else start + T
            out = self.keys[where, :, :, :end], self.values[where, :, :, :end]
            out = tuple(x.detach() for x in out) if gradient == GRADIENT[2] else out
            out = tuple(x.contiguous() for x in out) if view == VIEW[3] else out
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


def bytes_held(x):
    """The bytes of all the memory that an object's tensors lie in."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors_of(x)}.values())


def memory_that_stays_in_place(impl, seed):
    cache, kept, own = impl.StaticCache(SHAPE, 3, 40), [], {}
    for T in (3, 1, 20):  # all are kept alive: freed memory could be given out again
        kept.append([cache.update(layer, *kv(seed, T)) for layer in range(SHAPE.layers)])
        memory = {t.untyped_storage().data_ptr() for t in tensors_of(cache)}
        own[f"what each layer returns for {T} more tokens is the cache's own memory"] = [
            all(x.untyped_storage().data_ptr() in memory for x in pair) for pair in kept[-1]
        ]
    return {
        "tokens held": kept[-1][0][0].shape[2],
        **own,
        **{
            f"the {name} are where they were": all(
                old[layer][i].data_ptr() == kept[0][layer][i].data_ptr()
                for old in kept
                for layer in range(SHAPE.layers)
            )
            for i, name in enumerate(("keys", "values"))
        },
        "it holds no more memory than keys and values need": bytes_held(cache)
        < 1.2 * 2 * SHAPE.layers * 3 * 40 * SHAPE.width * 4,
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


def memory_kept_by_reset(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 5)
    old = [cache.update(layer, *kv(seed, 5)) for layer in range(SHAPE.layers)]  # kept alive, as above
    cache.reset()
    new = [cache.update(layer, *kv(seed + 1, 5)) for layer in range(SHAPE.layers)]  # all the room is free again
    same_place = [
        [a.data_ptr() == b.data_ptr() for a, b in zip(*pair, strict=True)] for pair in zip(old, new, strict=True)
    ]
    return {
        "the keys are where they were": all(keys for keys, _ in same_place),
        "the values are where they were": all(values for _, values in same_place),
    }


def a_reset_in_the_middle_of_a_step(impl, seed):
    cache, seen = impl.StaticCache(SHAPE, 3, 4), {}
    cache.reset()
    cache.update(0, *kv(seed, 3))
    cache.reset()
    cache.reset()
    for layer in range(SHAPE.layers):
        seen[f"the keys of layer {layer}"] = cache.update(layer, *kv(seed + layer, 2))[0].clone()
    return seen | {"the position": cache.position}


def filled_beyond_its_length(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed, 3))
    error = error_of(lambda: cache.update(0, *kv(seed + 1, 2)))
    k, v = cache.update(0, *kv(seed + 2, 1))
    return {"the error when 2 tokens do not fit": error, "the keys with 1 that fits": k.clone(), "values": v.clone()}


def a_layer_that_is_full_before_the_others(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    cache.update(0, *kv(seed, 3))
    return {
        "the error when 2 more do not fit into layer 0": error_of(lambda: cache.update(0, *kv(seed + 1, 2))),
        "tokens of layer 1 after its first 2": cache.update(1, *kv(seed + 2, 2))[0].shape[2],
        "tokens of layer 0 with 1 that fits": cache.update(0, *kv(seed + 3, 1))[0].shape[2],
    }


def filled_to_the_last_slot(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    k, v = cache.update(2, *kv(seed, 4))
    error = error_of(lambda: cache.update(2, *kv(seed, 1)))
    need = 2 * SHAPE.layers * 3 * 4 * SHAPE.width * 4
    return {
        "the keys": k.clone(),
        "the values": v.clone(),
        "the error of one token more": error,
        "it holds no more memory than keys and values need": bytes_held(cache) < 1.2 * need,
    }


def what_does_not_fit_into_an_empty_cache(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    error = error_of(lambda: cache.update(0, *kv(seed, 5)))
    return {"the error": error, "position": cache.position, "keys": cache.update(0, *kv(seed, 4))[0].clone()}


def what_an_error_leaves(impl, seed):
    cache, seen = impl.StaticCache(SHAPE, 3, 4), {}
    for layer in range(SHAPE.layers):
        cache.update(layer, *kv(seed + layer, 3))
    seen["the error of layer 1"] = error_of(lambda: cache.update(1, *kv(seed, 2)))
    seen["position after the error"] = cache.position
    seen["PyTorch records gradients after the error"] = torch.is_grad_enabled()
    for layer in range(SHAPE.layers):
        k, v = cache.update(layer, *kv(seed + layer, 1))
        seen |= {f"keys of layer {layer}": k.clone(), f"values of layer {layer}": v.clone()}
    return seen


def other_numbers_of_layers_rows_and_heads(impl, seed):
    seen, g = {}, torch.Generator().manual_seed(seed)
    for layers, rows, heads, D in ((1, 1, 1, 1), (4, 1, 3, 2), (2, 5, 1, 3)):
        cache = impl.StaticCache(Config(53, 64, layers, heads, heads * D), rows, 6)
        for T in (1, 2):
            for layer in range(layers):
                k, v = cache.update(layer, *torch.randn(2, rows, heads, T, D, generator=g))
        at = f"{layers} layers, {rows} rows, {heads} heads of {D}: "
        seen |= {at + "keys": k.clone(), at + "values": v.clone(), at + "position": cache.position}
    return seen


def three_hundred_tokens(impl, seed):
    cache = impl.StaticCache(Config(53, 64, 1, 1, 2), 1, 300)
    k, v = torch.randn(2, 1, 1, 300, 2, generator=torch.Generator().manual_seed(seed))
    for part in (slice(0, 200), slice(200, 300)):
        keys, values = cache.update(0, k[:, :, part], v[:, :, part])
    return {"keys": keys.clone(), "values": values.clone(), "position": cache.position}


def in_the_model_of_the_workbook(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    cache = impl.StaticCache(SHAPE, 2, 5)
    with torch.no_grad():
        seen = {f"the logits of {x.shape[1]} tokens": model(x, cache) for x in tokens.split([3, 2], dim=1)}
    return seen | {"layers": cache.layers, "max_seq_len": cache.max_seq_len, "position": cache.position}


def views_of_other_keys(impl, seed):
    k, v = kv(seed, 2)
    k = k.transpose(1, 2).contiguous().transpose(1, 2)
    k, v = impl.StaticCache(SHAPE, 3, 4).update(0, k, v[:1].expand_as(v))
    return {"the keys": k.clone(), "the values": v.clone()}


def what_the_caller_keeps(impl, seed):
    cache, leaves = impl.StaticCache(SHAPE, 3, 2), [x.requires_grad_() for x in kv(seed, 2)]
    k, v = (2 * x for x in leaves)
    held = cache.update(0, k, v)
    seen = {
        "the caller's keys have their graph": k.requires_grad,
        "the caller's values have their graph": v.requires_grad,
        "PyTorch records gradients": torch.is_grad_enabled(),
    }
    with torch.no_grad():
        cache.update(1, *kv(seed, 2))
        seen["gradients were off: they are on afterwards"] = torch.is_grad_enabled()
    with torch.no_grad():
        k.zero_(), v.zero_()
    return seen | {"the keys when the caller's change": held[0].clone(), "the values": held[1].clone()}


def layers_in_another_order(impl, seed):
    cache, seen = impl.StaticCache(SHAPE, 3, 40), {}
    order = (2, 0, 1, 0, 0, 2, 1, 2, 1)  # layer 0 is two chunks ahead for a while
    for n, layer in enumerate(order, 1):
        held = cache.update(layer, *kv(seed + layer, 2))[0].shape[2]
        after = f"after writes of layers {', '.join(map(str, order[:n]))}"
        seen |= {f"position {after}": cache.position, f"tokens held by layer {layer} {after}": held}
    return seen


def two_caches_side_by_side(impl, seed):
    one, other = impl.StaticCache(SHAPE, 3, 6), impl.StaticCache(SHAPE, 3, 6)
    k, v = one.update(0, *kv(seed, 2))
    there = other.update(0, *kv(seed + 1, 3))[0].shape[2]
    return {"the keys of the first": k.clone(), "its values": v.clone(), "tokens in the second": there}


def in_other_dtypes(impl, seed):
    seen = {}
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        cache = impl.StaticCache(SHAPE, 3, 4, dtype, torch.device("cpu"))
        memory = [t.dtype == dtype for t in tensors_of(cache) if t.numel() > 4 * SHAPE.layers]
        seen[f"memory asked for in {dtype} has that dtype before the first token"] = all(memory)
        k, v = cache.update(0, *kv(seed, 2, dtype))
        seen |= {f"keys in {dtype}": k.clone(), f"values in {dtype}": v.clone()}
    return seen


def tensors_of(x, seen=None):
    """The tensors that an object holds, in attributes, slots, lists and dictionaries."""
    seen = {} if seen is None else seen
    if isinstance(x, torch.Tensor):
        return [x]
    if id(x) in seen or isinstance(x, (str, type)):
        return []
    seen[id(x)] = x
    slots = [name for c in type(x).__mro__ for name in getattr(c, "__slots__", ()) if hasattr(x, name)]
    inside = [*getattr(x, "__dict__", {}).values(), *(getattr(x, name) for name in slots)]
    inside += x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return [t for item in inside for t in tensors_of(item, seen)]


def on_another_device(impl, seed):
    """The device "meta" has shapes and no numbers, so it is there on every machine."""
    memory = [t for t in tensors_of(impl.StaticCache(SHAPE, 3, 4, device="meta")) if t.numel() > 4 * SHAPE.layers]
    size = 2 * SHAPE.layers * 3 * SHAPE.heads * 4 * SHAPE.head_dim
    return {
        "the memory is there before the first token": sum(t.numel() for t in memory) >= size,
        "the part of the memory that is on the device": sum(t.numel() for t in memory if t.is_meta)
        / max(1, sum(t.numel() for t in memory)),
    }


def written_with_gradients_on(impl, seed):
    cache = impl.StaticCache(SHAPE, 3, 4)
    k, v = cache.update(0, *(x.requires_grad_() for x in kv(seed, 2)))
    return {
        "the keys require gradients": k.requires_grad,
        "the values require gradients": v.requires_grad,
        "what is stored requires gradients": any(t.requires_grad for t in tensors_of(cache)),
    }


# ---------------------------------------------------------------- forward_with_cache

OFFSET = [
    "go on",
    "with NO position offset (every chunk starts at position 0)",
    "with positions one too far",
    "that gives ONE position to all new tokens of a later step",
    "that gives ONE position to all tokens of a step",
    "with positions one too far in each step AFTER THE FIRST",
    "that counts the tokens of each cache ITSELF, and does not ask for its position",
    "that begins at position 0 again when MORE THAN ONE token comes",
]
TRIANGLE = [
    "bottom right",
    "with the mask aligned at the TOP LEFT",
    "with NO causal mask",
    "with the mask aligned at the top left, and none for a single token",
]
READ = [
    "each layer",
    "that attends to the NEW keys only and forgets what update returns",
    "that writes every layer's keys into layer 0",
    "with keys and values swapped",
    "that RESETS the cache before it reads it",
    "that resets the cache when MORE THAN ONE token comes",
]
RESIDUAL = ["kept", "that forgets to keep what finish returns", "that adds the residual a SECOND time"]
END = ["all logits", "that forgets the final norm", "that returns the LAST logits only"]
PASSES = ["one", "that feeds its tokens ONE AT A TIME"]
DIGITS = ["the model's", "that goes through FLOAT32 on its way, whatever the dtype of the model"]
STEP_OFF = "a step that leaves gradients switched off for the rest of the program"
STEP_ON = "a step that switches gradients ON when it ends, though they were off before"
STEP_THAWED = "a step after which EVERY parameter of the model requires gradients"
STEP_FLOAT = "a step that returns its logits in FLOAT32, whatever the dtype of the model"
STEP_FROZEN = "a step that takes the gradients from the model's parameters for good"
BYPASS = "a step that hands all the work to model(tokens, cache)"
FORWARD_HINTS = {
    OFFSET[1]: "A text of 10 tokens, fed as 6 and 4: which row of the position table does token 7 need?",
    OFFSET[2]: "The cache holds n tokens, at positions 0 to n - 1. Where does the next one stand?",
    OFFSET[3]: "The cache holds 4 tokens and 2 come: are both at position 4?",
    OFFSET[4]: "Two tokens come: may both stand at the same position?",
    OFFSET[6]: "The cache holds 4 tokens that somebody else fed, or it has been reset: what does your count say?",
    DIGITS[1]: "float64 has 16 digits: how many are left after a step in float32? torch.sqrt(torch.tensor(D)) is one.",
    OFFSET[7]: "A text of 10 tokens, fed as 6 and 4: which row of the position table does token 7 need?",
    OFFSET[5]: "The cache holds tokens 0 to n - 1. Which row of the position table comes next?",
    READ[5]: "A long text comes in two chunks of two tokens: what has the second one to attend to?",
    TRIANGLE[3]: "A prompt and single tokens come out right. Which keys does the first of two new tokens see?",
    READ[4]: "Where would the second chunk learn anything about the first? Who knows when a new text begins?",
    TRIANGLE[1]: "With 4 keys in the cache and 1 new query, how many keys may that query see?",
    TRIANGLE[2]: "Does the first token of a chunk change when the second one does?",
    READ[1]: "Where would the second chunk learn anything about the first?",
    READ[2]: "Do the keys of layer 0 and of layer 2 live in the same space?",
    READ[3]: "Which of the two that update returns is compared with the queries?",
    RESIDUAL[1]: "What does the second layer get to see of the first?",
    RESIDUAL[2]: "finish adds to the residual stream already: what comes out of it?",
    END[1]: "What stands between the last block and the head?",
    END[2]: "The caller wants logits after each of its tokens: how many are there?",
    PASSES[1]: "Right, and slow: how often are the weights read for a prompt of 1,000 tokens?",
    STEP_OFF: "After your step, somebody trains a model. Which form of no_grad ends with the function?",
    STEP_ON: "The caller works under no_grad: what is the state after your step?",
    STEP_THAWED: "Half of the model is frozen, for fine-tuning. Which parameters require gradients after your step?",
    STEP_FLOAT: "Which dtype does lm_head return, and what have you done to it?",
    STEP_FROZEN: "After your step, somebody trains this model. Are its parameters as they were?",
    BYPASS: "Write it from the parts: the model's own forward is switched off in the check.",
}


def wrong_forward(
    offset=OFFSET[0],
    triangle=TRIANGLE[0],
    read=READ[0],
    residual=RESIDUAL[0],
    end=END[0],
    passes=PASSES[0],
    digits=DIGITS[0],
):
    def attend(q, k, v):
        Tq, Tk = q.shape[2], k.shape[2]
        ones = torch.ones(Tq, Tk, dtype=torch.bool)
        seen = {TRIANGLE[0]: ones.tril(Tk - Tq), TRIANGLE[1]: ones.tril()}.get(triangle, ones)
        if triangle == TRIANGLE[3] and Tq > 1:
            seen = ones.tril()
        dtype = q.dtype
        q, k, v = (x.float() for x in (q, k, v)) if digits == DIGITS[1] else (q, k, v)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf).softmax(-1)
        return (weights @ v).to(dtype)

    counts = weakref.WeakKeyDictionary()

    def forward_with_cache(model, tokens, cache):
        if read == READ[4] or (read == READ[5] and tokens.shape[1] > 1):
            cache.reset()
        own = counts.get(cache, 0)
        counts[cache] = own + tokens.shape[1]
        start = {OFFSET[1]: 0, OFFSET[2]: cache.position + 1, OFFSET[6]: own}.get(offset, cache.position)
        start += offset == OFFSET[5] and start > 0
        start *= offset != OFFSET[7] or tokens.shape[1] == 1
        positions = torch.arange(start, start + tokens.shape[1])
        same = offset == OFFSET[4] or (offset == OFFSET[3] and start)
        x = model.wte(tokens) + model.wpe(positions * 0 + start if same else positions)
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

    if passes == PASSES[1]:
        return lambda model, tokens, cache: torch.cat(
            [forward_with_cache(model, token, cache) for token in tokens.split(1, dim=1)], dim=1
        )
    return forward_with_cache


def wrong_forward_and_leave(after):
    """A right step that changes what does not belong to it."""

    def forward_with_cache(model, tokens, cache):
        out = wrong_forward()(model, tokens, cache)
        if after in (STEP_FROZEN, STEP_THAWED):
            model.requires_grad_(after == STEP_THAWED)
        if after in (STEP_OFF, STEP_ON):
            torch.set_grad_enabled(after == STEP_ON)
        return out.float() if after == STEP_FLOAT else out

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


def counting(kind):
    """The same cache, with a count of its updates."""

    class Counting(kind):
        updates = 0

        def update(self, layer, k, v):
            self.updates += 1
            return super().update(layer, k, v)

    Counting.__name__ = kind.__name__
    return Counting


@torch.no_grad()
def in_steps(impl, seed, sizes, dtype=torch.float32, batch=2, static=False):
    model, tokens = model_and_tokens(seed, sum(sizes), batch)
    model = parts_only(model.to(dtype))
    cache = counting(StaticCache)(SHAPE, batch, sum(sizes), dtype) if static else counting(GrowingCache)(SHAPE)
    seen = {}
    for n, chunk in enumerate(tokens.split(list(sizes), dim=1), 1):
        seen[f"the logits of step {n}, with {chunk.shape[1]} tokens"] = impl.forward_with_cache(model, chunk, cache)
        seen[f"tokens in the cache after step {n}"] = cache.position
        seen[f"updates of layers so far, after step {n}"] = cache.updates
    return seen


def a_prompt_at_once(impl, seed):
    return in_steps(impl, seed, [9])


def a_prompt_and_then_single_tokens(impl, seed):
    return in_steps(impl, seed, [5, 1, 1])


def a_prompt_in_chunks(impl, seed):
    return in_steps(impl, seed, [4, 3, 2])


def one_row_in_float64_through_a_static_cache(impl, seed):
    return in_steps(impl, seed, [1, 6, 1], torch.float64, batch=1, static=True)


class NothingElse:
    """A cache with the five names that a model needs, and no other."""

    max_seq_len = None

    def __init__(self, config):
        self.layers, self._inside = config.layers, GrowingCache(config)

    @property
    def position(self):
        return self._inside.position

    def update(self, layer, k, v):
        return self._inside.update(layer, k, v)

    def reset(self):
        self._inside.reset()


@torch.no_grad()
def the_digits_of_float64(impl, seed):
    """A step of the attempt beside the model's own, of logits of order ten."""
    model, tokens = model_and_tokens(seed, 7)
    model, cache = model.double(), GrowingCache(SHAPE)
    want = model(tokens)
    model = parts_only(model)
    got = torch.cat([impl.forward_with_cache(model, x, cache) for x in tokens.split([4, 1, 2], dim=1)], dim=1)
    return {"the logits": got, "they are right to 1e-10": bool((got - want).abs().max() < 1e-10)}


@torch.no_grad()
def two_caches_in_turns(impl, seed):
    model, tokens = model_and_tokens(seed, 9)
    model, one, other = parts_only(model), GrowingCache(SHAPE), StaticCache(SHAPE, 2, 9)
    return {
        "6 tokens into the first cache": impl.forward_with_cache(model, tokens[:, :6], one),
        "3 into the second": impl.forward_with_cache(model, tokens[:, 2:5], other),
        "1 more into the first": impl.forward_with_cache(model, tokens[:, 6:7], one),
        "2 more into the second": impl.forward_with_cache(model, tokens[:, 5:7], other),
    }


@torch.no_grad()
def a_cache_that_others_have_used(impl, seed):
    """Filled by the model itself, then used in turn with another cache, then reset."""
    model, tokens = model_and_tokens(seed, 9)
    cache, other = GrowingCache(SHAPE), StaticCache(SHAPE, 2, 9)
    model(tokens[:, :4], cache)
    model, seen = parts_only(model), {}
    seen["after 4 tokens of the model's own"] = impl.forward_with_cache(model, tokens[:, 4:6], cache)
    seen["a second cache"] = impl.forward_with_cache(model, tokens[:, 1:4], other)
    seen["the first cache again"] = impl.forward_with_cache(model, tokens[:, 6:8], cache)
    seen["the second cache again"] = impl.forward_with_cache(model, tokens[:, 4:], other)
    cache.reset()
    seen["after a reset"] = impl.forward_with_cache(model, tokens[:, :2], cache)
    return seen


@torch.no_grad()
def other_models(impl, seed):
    seen = {}
    for layers, heads, width, sizes in ((1, 1, 6, (5, 3)), (5, 3, 12, (5, 3)), (1, 2, 4, (65, 64, 1))):
        T = sum(sizes)  # to the model's last position
        config = Config(vocab_size=53, context_length=T, layers=layers, heads=heads, width=width)
        model, tokens = model_and_tokens(seed, T, config=config)
        cache = NothingElse(config)
        for chunk in tokens.int().split(list(sizes), dim=1):
            at = f"{layers} layers and {heads} heads: the logits of {chunk.shape[1]} tokens in int32"
            seen[at] = impl.forward_with_cache(parts_only(model), chunk, cache)
    return seen


def to_the_last_position(impl, seed):
    return in_steps(impl, seed, [60, 1, 3], batch=1)


@torch.no_grad()
def a_model_in_bfloat16(impl, seed):
    model, tokens = model_and_tokens(seed, 4)
    out = impl.forward_with_cache(parts_only(model.bfloat16()), tokens, StaticCache(SHAPE, 2, 4, torch.bfloat16))
    return {"the dtype": str(out.dtype), "the shape": list(out.shape), "finite": bool(out.isfinite().all())}


def what_a_step_leaves_behind(impl, seed):
    model, tokens = model_and_tokens(seed, 3)
    impl.forward_with_cache(parts_only(model), tokens, GrowingCache(SHAPE))
    seen = {
        "gradients are on afterwards": torch.is_grad_enabled(),
        "the model can be trained": all(p.requires_grad for p in model.parameters()),
    }
    model.blocks[0].requires_grad_(False)
    before = [p.requires_grad for p in model.parameters()]
    with torch.no_grad():
        impl.forward_with_cache(model, tokens, GrowingCache(SHAPE))
        seen["gradients were off: they are on afterwards"] = torch.is_grad_enabled()
    return seen | {"frozen and other parameters are as before": before == [p.requires_grad for p in model.parameters()]}


# ---------------------------------------------------------------- generate

FEED = [
    "new",
    "that RECOMPUTES the whole sequence at every step, without the cache",
    "that feeds the whole sequence AGAIN into the cache at every step",
    "that feeds the prompt's last token a second time",
    "that also feeds the last new token, for logits nobody reads",
    "that feeds the prompt, and then the prompt's last token AGAIN",
    "that feeds the prompt ONE TOKEN AT A TIME",
]
CLEAR = [
    "before",
    "that leaves the LAST PROMPT in the cache",
    "that resets the cache at its END, not before it begins",
    "that resets the cache only if its POSITION is not 0",
]
CHOICE = [
    "last",
    "that reads the logits after the FIRST token fed",
    "that SAMPLES the next token",
    "that gives every row the FIRST row's token",
]
RETURN = [
    "all",
    "that returns only the new tokens, without the prompt",
    "that makes one token too FEW",
    "that returns int32",
    "that returns int64, whatever the prompt is",
    "that STOPS at token 0, as if it ended the text",
    "that makes a token when NONE is asked for",
    "that STOPS at the last token of the vocabulary, as if it ended the text",
    "that REFUSES a cache with room for all tokens but the last, which is never fed",
]
OWN = "a loop that ignores the cache it is given and makes its own"
GRAD = "a loop that records GRADIENTS"
OFF = "a loop that leaves gradients switched off for the rest of the program"
ON = "a loop that switches gradients ON when it ends, though they were off before"
AFTER_ERROR = "a loop that leaves gradients switched off after an ERROR"
THAWED = "a loop after which EVERY parameter of the model requires gradients"
FROZEN = "a loop that takes the gradients from the model's parameters for good"
GENERATE_HINTS = {
    FEED[1]: "Right, and quadratic: how many tokens go through the model for 64 new ones?",
    FEED[2]: "How many tokens does the cache hold after the second step, and how many are there?",
    FEED[3]: "Which token is new to the cache when decoding starts?",
    FEED[4]: "To make n new tokens from a prompt of T, how many tokens must pass through the model?",
    FEED[5]: "The prompt has been fed: whose logits tell you the first new token?",
    FEED[6]: "Prefill: how many steps does a prompt of 1,000 tokens need?",
    RETURN[6]: "max_new_tokens is 0: what should come back?",
    CHOICE[3]: "Two prompts in one batch: does the second go on as the first does?",
    CHOICE[2]: "Greedy takes the most likely token: is there any chance in it?",
    CLEAR[1]: "Call it twice with the same cache: does the second answer depend on the first prompt?",
    CLEAR[
        3
    ]: "A step that an error stopped has written layer 0 only: what is the position, and what does layer 0 hold?",
    CLEAR[2]: "The cache may hold somebody else's prompt when it is handed to you.",
    CHOICE[1]: "The logits at position t are about token t + 1. Which t do you want?",
    RETURN[1]: "What does the caller have to glue together to go on?",
    RETURN[2]: "The prefill gives a token too: how many decode steps are left?",
    RETURN[3]: "Which dtype had the prompt?",
    RETURN[4]: "argmax gives int64. What does cat make of int32 and int64?",
    RETURN[8]: "A prompt of 7 and 4 new tokens: how many tokens go through the model?",
    RETURN[7]: "Which token ends a text here? Did the caller ask for max_new_tokens, or for at most as many?",
    RETURN[5]: "Which token ends a text here? Did the caller ask for max_new_tokens, or for at most as many?",
    OWN: "What does the caller find in their cache afterwards?",
    GRAD: "Nobody calls backward here: what is the graph kept for?",
    OFF: "After your call, somebody trains a model. Which form of no_grad ends with the function?",
    ON: "The caller works under no_grad: what is the state after your call?",
    AFTER_ERROR: "The cache refuses a token. Which line of yours is not reached any more?",
    THAWED: "Half of the model is frozen, for fine-tuning. Which parameters require gradients after your call?",
    FROZEN: "After your call, somebody trains this model. Are its parameters as they were?",
}


def wrong_generate(feed=FEED[0], clear=CLEAR[0], choice=CHOICE[0], returns=RETURN[0], own=False, grad=False, after=""):
    def generate(model, tokens, max_new_tokens, cache):
        if own:
            cache = GrowingCache(model.config)
        if clear == CLEAR[0] or clear == CLEAR[3] and cache.position:
            cache.reset()
        out, T, piece = tokens, tokens.shape[1], tokens
        if returns == RETURN[8] and cache.max_seq_len is not None and T + max_new_tokens > cache.max_seq_len:
            raise ValueError("no room")
        steps = {RETURN[2]: max(0, max_new_tokens - 1), RETURN[6]: max(1, max_new_tokens)}
        for n in range(steps.get(returns, max_new_tokens)):
            if feed == FEED[5] and n == 0:
                model(tokens, cache)
                piece = tokens[:, -1:]
            for token in piece[:, :-1].split(1, dim=1) if feed == FEED[6] and n == 0 else ():
                model(token, cache)
            piece = piece[:, -1:] if feed == FEED[6] else piece
            logits = model(out) if feed == FEED[1] else model(piece, cache)
            if returns in (RETURN[5], RETURN[7]) and n and (piece == (returns == RETURN[7]) * 52).all():
                break
            logits = logits[:, 0 if choice == CHOICE[1] else -1]
            new = logits.softmax(-1).multinomial(1) if choice == CHOICE[2] else logits.argmax(-1, keepdim=True)
            new = new[:1].expand_as(new) if choice == CHOICE[3] else new
            new = new if returns == RETURN[4] else new.to(tokens.dtype)
            out = torch.cat([out, new], 1)
            piece = {FEED[2]: out, FEED[3]: out[:, -2:] if n == 0 else new}.get(feed, new)
        if feed == FEED[4]:
            model(piece, cache)
        if clear == CLEAR[2]:
            cache.reset()
        out = out.int() if returns == RETURN[3] else out
        if after in (FROZEN, THAWED):
            model.requires_grad_(after == THAWED)
        return out[:, T:] if returns == RETURN[1] else out

    def and_leave_gradients_off(*args, **kwargs):
        torch.set_grad_enabled(False)
        return generate(*args, **kwargs)

    def and_set_them_at_the_end(*args, **kwargs):
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        out = generate(*args, **kwargs)
        torch.set_grad_enabled(before or after == ON)
        return out

    if after in (ON, AFTER_ERROR):
        return and_set_them_at_the_end
    if after == OFF:
        return and_leave_gradients_off
    return generate if grad else torch.no_grad()(generate)


def watch(model, seen):
    """Note how many tokens enter the first block at each step, and whether gradients are recorded.

    A step from the model's parts may read the embedding's table itself, which calls no module.
    """

    def note(module, args, out):
        seen["tokens fed at each step"].append(args[0].shape[1])
        seen["gradients are recorded"] = seen.get("gradients are recorded", False) or out.requires_grad

    return model.blocks[0].ln_1.register_forward_hook(note)


def a_text_and_its_work(impl, seed):
    model, tokens = model_and_tokens(seed, 5)
    seen, cache = {"tokens fed at each step": []}, StaticCache(SHAPE, 2, 64)
    hook = watch(model, seen)
    out = impl.generate(model, tokens, max_new_tokens=5, cache=cache)
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


def a_prompt_in_int32(impl, seed):
    model, tokens = model_and_tokens(seed, 4)
    out = impl.generate(model, tokens.int(), 3, GrowingCache(SHAPE))
    none = impl.generate(model, tokens.int(), 0, GrowingCache(SHAPE))
    return {"the tokens": out.long(), "their dtype": str(out.dtype), "the dtype with 0 new": str(none.dtype)}


def gradients_put_back(probe):
    """The probe, after which PyTorch records gradients as before, whatever the attempt has switched off."""

    @functools.wraps(probe)
    def inside(impl, seed):
        with torch.enable_grad():
            return probe(impl, seed)

    return inside


def always(token, seed, T=4):
    """A model whose logits are largest for one token, whatever it reads, and a text for it."""
    model, tokens = model_and_tokens(seed, T)
    with torch.no_grad():
        model.ln_f.weight.zero_()
        model.ln_f.bias.zero_()[0] = 1.0
        model.wte.weight[:, 0] = -(torch.arange(SHAPE.vocab_size) - token).abs() / SHAPE.vocab_size
    return model, tokens


def a_model_that_always_says_token_0(impl, seed):
    return impl.generate(*always(0, seed), 4, GrowingCache(SHAPE))


def a_model_that_always_says_the_same(impl, seed):
    seen = {}
    for token in (1, 2, SHAPE.vocab_size - 1):
        seen[f"token {token}"] = impl.generate(*always(token, seed), 4, GrowingCache(SHAPE))
    return seen


def a_text_through_every_token(impl, seed):
    """Each position says the next token of the vocabulary, whatever the model reads."""
    n = 33  # tokens in the vocabulary, and positions
    model = GPT(Config(vocab_size=n, context_length=n, layers=1, heads=1, width=14), seed=seed)
    with torch.no_grad():
        model.blocks[0].o_proj.weight.zero_(), model.blocks[0].down_proj.weight.zero_()
        table = torch.nn.functional.normalize(model.wte.weight - model.wte.weight.mean(-1, keepdim=True), dim=-1)
        model.wte.weight.copy_(table)
        model.wpe.weight.copy_(1000 * table.roll(-1, 0))
    return impl.generate(model, torch.zeros(1, 1, dtype=torch.long), n, GrowingCache(model.config))


def forty_tokens_from_a_prompt_of_one(impl, seed):
    config = Config(vocab_size=53, context_length=40, layers=1, heads=1, width=6)
    model, tokens = model_and_tokens(seed, 1, config=config)
    seen = {"tokens fed at each step": []}
    hook = watch(model, seen)
    out = impl.generate(model, tokens, 40, GrowingCache(config))
    hook.remove()
    return {**seen, "the tokens": out}


def a_cache_with_the_promised_names_only(impl, seed):
    model, tokens = model_and_tokens(seed, 6)
    cache = NothingElse(SHAPE)
    return {f"the tokens after a prompt of {T}": impl.generate(model, tokens[:, :T], 3, cache) for T in (6, 2)}


def a_cache_left_in_the_middle_of_a_step(impl, seed):
    model, tokens = model_and_tokens(seed, 4)
    cache = GrowingCache(SHAPE)
    cache.update(0, *(30 * x[:2] for x in kv(seed, 2)))
    out = impl.generate(model, tokens, 3, cache)
    return {"the tokens": out, "tokens held by layer 0": cache.update(0, *(x[:2] for x in kv(seed, 1)))[0].shape[2] - 1}


def gradients_before_and_after(impl, seed):
    model, tokens = model_and_tokens(seed, 3)
    frozen = [*model.blocks[0].requires_grad_(False).parameters()]
    others, seen = [p for p in model.parameters() if p.requires_grad], {}

    def note(when):
        for name, parameters in (("frozen", frozen), ("other", others)):
            seen[f"{name} parameters that require gradients {when}"] = sum(p.requires_grad for p in parameters)

    with torch.no_grad():
        impl.generate(model, tokens, 2, GrowingCache(SHAPE))
        seen["gradients were off: they are on afterwards"] = torch.is_grad_enabled()
    note("afterwards")
    seen["the error of a full cache"] = error_of(lambda: impl.generate(model, tokens, 4, StaticCache(SHAPE, 2, 5)))
    seen["gradients are on after an error"] = torch.is_grad_enabled()
    note("after an error")
    return seen


def what_is_left_behind(impl, seed):
    model, tokens = model_and_tokens(seed, 3)
    impl.generate(model, tokens, 2, GrowingCache(SHAPE))
    return {
        "gradients are on afterwards": torch.is_grad_enabled(),
        "the model can be trained": all(p.requires_grad for p in model.parameters()),
    }


def one_new_token_and_none(impl, seed):
    model, tokens = model_and_tokens(seed, 3, batch=1)
    seen, cache = {"tokens fed at each step": []}, GrowingCache(SHAPE)
    with torch.no_grad():
        model(tokens[:, 1:], cache)  # somebody else's prompt
    hook = watch(model, seen)
    seen["the tokens with 1 new"] = impl.generate(model, tokens, 1, cache)
    hook.remove()
    return {**seen, "tokens held": cache.position, "the tokens with 0 new": impl.generate(model, tokens, 0, cache)}


def more_than_the_cache_or_the_model_has_room_for(impl, seed):
    config = Config(vocab_size=53, context_length=9, layers=1, heads=2, width=6)
    model, tokens = model_and_tokens(seed, 5, config=config)

    def error(max_new_tokens, cache):
        return error_of(lambda: impl.generate(model, tokens, max_new_tokens, cache))

    no_position = "an error" if error(6, GrowingCache(config)) in ("ValueError", "IndexError") else "no such error"
    return {
        "the error when the cache is too short": error(4, StaticCache(config, 2, 7)),
        "the error when the positions run out": no_position,
        "the tokens that just fit": impl.generate(model, tokens, 5, StaticCache(config, 2, 9)),
        "the tokens that just have positions": impl.generate(model, tokens, 5, GrowingCache(config)),
    }


# ---------------------------------------------------------------- cache_bytes and decode_flops

UNEQUAL = Config(vocab_size=53, context_length=61, layers=3, heads=5, width=35)  # no size is another's double or root

BYTES = {
    "pair": ["two", "WITHOUT the factor 2 (keys AND values)", "that counts the QUERIES too (3 where 2 are kept)"],
    "layers": ["all", "of ONE layer"],
    "batch": ["all", "of ONE row of the batch"],
    "tokens": [
        "all",
        "of one token too few",
        "of the whole context_length, not of seq_len tokens",
        "of whole blocks of 16 tokens, not of seq_len tokens",
        "that stops at context_length tokens, though seq_len may be more",
        "that takes NO token for one",
    ],
    "unit": [
        "bytes",
        "in BITS",
        "in ELEMENTS, not bytes",
        "divided by 8, as if itemsize were in bits",
        "with 4 bytes for each number, whatever itemsize is",
        "with a scale for each token and head added where itemsize is 1",
    ],
    "heads": [
        "once",
        "that multiplies the whole width by the heads again",
        "that forgets the heads",
        "with heads of 64 numbers, whatever the config is",
    ],
    "shape": ["the config's", "of GPT-2's shape, whatever the config is"],
    "count": [
        "any",
        "counted in INT32, which wraps round",
        "rounded to FLOAT32, which has 24 bits",
        "rounded to FLOAT64, which has 53 bits",
    ],
}
BYTES_HINTS = {
    BYTES["pair"][1]: "What does the cache keep for a token, apart from its key?",
    BYTES["pair"][2]: "Who asks for a query after its own step?",
    BYTES["layers"][1]: "Does layer 1 use the keys of layer 0?",
    BYTES["batch"][1]: "Do two prompts in one batch share their keys?",
    BYTES["tokens"][1]: "seq_len tokens are held. How many did you count?",
    BYTES["tokens"][2]: "The context may be 1,024 tokens long. How many does the caller ask about?",
    BYTES["tokens"][4]: "The question is about seq_len tokens. Who says that they fit into this model?",
    BYTES["tokens"][5]: "An empty cache holds no key. How many bytes are that?",
    BYTES["unit"][5]: "A number takes itemsize bytes. Which numbers does the formula count?",
    BYTES["heads"][3]: "Which of your factors do not come from the arguments?",
    BYTES["count"][1]: "How large may an int32 be, and how many bytes are 200 GB?",
    BYTES["count"][3]: "Python's whole numbers are exact. What makes floats of yours: /, numpy, a float constant?",
    BYTES["count"][2]: "Python's whole numbers are exact. What makes floats of yours?",
    BYTES["tokens"][3]: "This cache is no paged one: how many slots does one token take?",
    BYTES["unit"][3]: "What is the itemsize of float32 in PyTorch: 4 or 32?",
    BYTES["unit"][4]: "How large is the same cache in bfloat16?",
    BYTES["shape"][1]: "Which of your factors do not come from the arguments?",
    BYTES["unit"][1]: "itemsize already is in bytes.",
    BYTES["unit"][2]: "How many bytes is one float32?",
    BYTES["heads"][1]: "heads times head_dim is already the width.",
    BYTES["heads"][2]: "Each head has keys of its own.",
}


def counted_in(count, total):
    """A whole number as int32, float32 or float64 holds it."""
    if count == COUNT_IN[3]:
        return int(float(total))
    if count == COUNT_IN[2]:
        return int(torch.tensor(float(total), dtype=torch.float32).double())
    return (total + 2**31) % 2**32 - 2**31 if count == COUNT_IN[1] else total


COUNT_IN = BYTES["count"]


def wrong_bytes(pair, layers, batch, tokens, unit, heads, shape, count):
    def cache_bytes(config, batch_size, seq_len, itemsize):
        config = Config.gpt2() if shape == BYTES["shape"][1] else config
        n = {BYTES["pair"][0]: 2, BYTES["pair"][2]: 3}.get(pair, 1)
        n *= (config.layers if layers == "all" else 1) * (batch_size if batch == "all" else 1)
        n *= {
            BYTES["tokens"][1]: seq_len - 1,
            BYTES["tokens"][2]: config.context_length,
            BYTES["tokens"][3]: -(-seq_len // 16) * 16,
            BYTES["tokens"][4]: min(seq_len, config.context_length),
            BYTES["tokens"][5]: max(seq_len, 1),
        }.get(tokens, seq_len)
        head_dim = 64 if heads == BYTES["heads"][3] else config.head_dim
        scales = 4 if unit == BYTES["unit"][5] and itemsize == 1 else 0
        n *= {BYTES["heads"][1]: config.heads**2, BYTES["heads"][2]: 1}.get(heads, config.heads)
        if count != COUNT_IN[0] or scales:
            return counted_in(count, n * (head_dim * itemsize + scales))
        n *= head_dim
        if unit == BYTES["unit"][3]:
            return n * itemsize // 8
        each = {"bytes": itemsize, BYTES["unit"][1]: 8 * itemsize, BYTES["unit"][2]: 1, BYTES["unit"][4]: 4}
        return n * each.get(unit, itemsize)

    return cache_bytes


FLOPS = {
    "add": [
        "two",
        "that counts a multiply-add as ONE operation",
        "in which a sum of k products takes k - 1 additions, not k",
    ],
    "head": ["once", "WITHOUT the head", "with the head in EACH layer", "with the head ONCE for all rows of the batch"],
    "keys": [
        "and itself",
        "in which the new token does not meet ITSELF (position keys, not position + 1)",
        "in which the whole SQUARE is computed again",
        "in which ALL tokens go through the model again",
        "with the steps BEFORE it added up as well",
        "in which each row meets the keys of ALL rows",
    ],
    "products": [
        "both",
        "with ONE of attention's two products, or with half of each",
        "WITHOUT attention's products (two operations for each weight, and nothing else)",
        "with the attention of ONE head",
        "in which EACH head has the whole width",
        "in which the weights miss the value of the NEW token",
        "WITHOUT attention when the cache is EMPTY",
        *(f"with {n} operation{'s' * (n > 1)} more for each score, as for a softmax" for n in range(1, 6)),
    ],
    "mlp": ["in", "WITHOUT the MLP", "with ONE of the two matrices of the MLP"],
    "batch": ["all", "of ONE row of the batch"],
    "count": COUNT_IN,
}
FLOPS_HINTS = {
    **{more: "Which of the operations of attention does the table count?" for more in FLOPS["products"][7:]},
    FLOPS["products"][6]: "The first token of a text: how many keys does it meet, with its own?",
    COUNT_IN[1]: "How large may an int32 be, and how many operations are 4 TFLOP?",
    COUNT_IN[3]: "Python's whole numbers are exact. What makes floats of yours: /, numpy, a float constant?",
    COUNT_IN[2]: "Python's whole numbers are exact. What makes floats of yours?",
    FLOPS["add"][1]: "One multiplication and one addition.",
    FLOPS["head"][1]: "In GPT-2 small the head holds 38.6 of 124 million weights.",
    FLOPS["head"][2]: "How often are logits computed in a step?",
    FLOPS["add"][2]: "By the convention of the task, how many operations has an (m, k) by (k, n) product?",
    FLOPS["head"][3]: "Does each row need logits of its own?",
    FLOPS["keys"][3]: "How many tokens are fed in a decode step?",
    FLOPS["products"][3]: "heads times head_dim is C: how many heads have scores?",
    FLOPS["keys"][4]: "A decode step feeds one token per row. How often does that happen in one step?",
    FLOPS["keys"][5]: "Two texts in one batch: does one attend to the other?",
    FLOPS["products"][4]: "heads times head_dim is C: how long is one head's key?",
    FLOPS["products"][5]: "The new token's own key has a score. Has its value a weight?",
    FLOPS["mlp"][2]: "C to 4C, and back: how many matrices are that?",
    FLOPS["keys"][1]: "How many keys are there after the new one has been cached?",
    FLOPS["keys"][2]: "How many queries are there in a decode step?",
    FLOPS["products"][1]: "Attention multiplies with the keys, and with what else? How many keys does one query meet?",
    FLOPS["products"][2]: "Queries and keys are no weights. Are they multiplied?",
    FLOPS["mlp"][1]: "Which part of a block holds two thirds of its weights?",
    FLOPS["batch"][1]: "Does the second row of a batch come for free?",
}


def wrong_flops(add, head, keys, products, mlp, batch, count):
    def decode_flops(config, position, batch_size=1):
        C, n = config.width, position + (keys != FLOPS["keys"][1])
        if keys == FLOPS["keys"][4]:
            one = wrong_flops(add, head, FLOPS["keys"][0], products, mlp, batch, count)
            return sum(one(config, earlier, batch_size) for earlier in range(n))
        met = n * {FLOPS["keys"][2]: n, FLOPS["keys"][3]: n, FLOPS["keys"][5]: batch_size}.get(keys, 1)
        width = {FLOPS["products"][3]: config.head_dim, FLOPS["products"][4]: C * config.heads}.get(products, C)
        attention = {FLOPS["products"][1]: 1, FLOPS["products"][2]: 0}.get(products, 2) * width * met
        attention -= C if products == FLOPS["products"][5] else 0
        attention *= products != FLOPS["products"][6] or position > 0
        fed = n if keys == FLOPS["keys"][3] else 1
        weights = {FLOPS["mlp"][1]: 4, FLOPS["mlp"][2]: 8}.get(mlp, 12) * C * C * fed
        heads = {FLOPS["head"][1]: 0, FLOPS["head"][2]: config.layers}.get(head, 1) * C * config.vocab_size * fed
        rows = batch_size if batch == "all" else 1
        total = rows * (config.layers * (weights + attention) + heads)
        if head == FLOPS["head"][3]:
            total -= (rows - 1) * heads
        if products in FLOPS["products"][7:]:
            more = 1 + FLOPS["products"][7:].index(products)
            return 2 * total + more * rows * config.layers * config.heads * n
        sums = config.layers * (9 * C + config.heads * n + C) + config.vocab_size
        total = total if add == FLOPS["add"][1] else 2 * total - (rows * sums if add == FLOPS["add"][2] else 0)
        return counted_in(count, total)

    return decode_flops


# A probe of these two tasks holds three numbers at most. From four on, mutants are searched, and a mutant that raises
# a number to the power of such a large one computes for hours in a single step, which no limit of time interrupts.


def a_batch_in_float32(impl, seed):
    return {
        "a small model": impl.cache_bytes(UNEQUAL, 3, 24 + seed % 37, 4),
        "GPT-2's whole context": impl.cache_bytes(Config.gpt2(), 1, 1024, 4),
        "GPT-2's first token": impl.cache_bytes(Config.gpt2(), 1, 1, 4),
    }


def single_layers_heads_and_tokens(impl, seed):
    one = Config(vocab_size=53, context_length=61, layers=1, heads=1, width=1)
    return {
        "one layer, one head of one": impl.cache_bytes(config=one, batch_size=7, seq_len=3, itemsize=4),
        "no token yet": impl.cache_bytes(UNEQUAL, 2, 0, 2),
    }


def more_tokens_than_the_context(impl, seed):
    return {f"{n} tokens": impl.cache_bytes(UNEQUAL, 2, n, 2) for n in (61, 62, 100)}


def the_same_tokens_in_other_models(impl, seed):
    shapes = (UNEQUAL, Config(53, 61, 2, 5, 35), Config(53, 61, 3, 5, 45))
    return {f"{c.layers} layers, {c.heads} heads, width {c.width}": impl.cache_bytes(c, 2, 23, 4) for c in shapes}


def the_same_model_with_other_numbers(impl, seed):
    asked = ((2, 23, 2), (3, 23, 2), (2, 22, 2))
    return {f"{B} rows, {T} tokens, {size} bytes": impl.cache_bytes(UNEQUAL, B, T, size) for B, T, size in asked}


def more_than_a_float32_counts(impl, seed):
    """Odd multiples of 2, above 2^25: float32 has 24 bits."""
    shape = Config(50_257, 1025, 13, 5, 5 * 153)
    return {f"{n} tokens": impl.cache_bytes(shape, 3, n, 1) for n in (1021, 1023)}


def more_than_an_int32_counts(impl, seed):
    shape = Config(32_000, 2**17, 31, 29, 29 * 127)
    return {"a large model and a long text": impl.cache_bytes(shape, 3, 131_071, 2)}


def more_than_a_float64_counts(impl, seed):
    """An odd multiple of 2, above 2^54: float64 has 53 bits."""
    return impl.cache_bytes(Config(32_000, 2**17, 127, 131, 131 * 127), 65_537, 131_071, 1)


def other_item_sizes(impl, seed):
    return {f"{size} bytes each": impl.cache_bytes(UNEQUAL, 7, 11, size) for size in (1, 2, 8)}


def one_row(impl, seed):
    seen = {f"position {p}": impl.decode_flops(UNEQUAL, p) for p in (6, 30 + seed % 29)}
    return seen | {"the example of the workbook": impl.decode_flops(SHAPE, 7)}


def the_first_and_the_last_positions(impl, seed):
    return {f"position {p} of 61": impl.decode_flops(UNEQUAL, p) for p in (0, 1, 60)}


def a_batch_at_several_positions(impl, seed):
    return {f"position {p}": impl.decode_flops(UNEQUAL, p, 3) for p in (0, 1, 11 + seed % 50)}


def the_same_position_in_other_models(impl, seed):
    shapes = (UNEQUAL, Config(53, 61, 2, 5, 35), Config(59, 61, 3, 5, 45))
    return {f"{c.layers} layers, width {c.width}, {c.vocab_size}": impl.decode_flops(c, 23, 2) for c in shapes}


def other_shapes(impl, seed):
    one = Config(vocab_size=7, context_length=61, layers=1, heads=1, width=1)
    return {
        "one layer, one head of one": impl.decode_flops(one, 4),
        "batch_size by name": impl.decode_flops(config=UNEQUAL, position=5, batch_size=2),
    }


def more_operations_than_a_float32_counts(impl, seed):
    """Odd multiples of 2, above 2^25: float32 has 24 bits."""
    shape = Config(50_257, 64, 13, 5, 765)
    return {f"position {p}": impl.decode_flops(shape, p) for p in (0, 2, 62)}


def more_operations_than_an_int32_counts(impl, seed):
    return {"a large model": impl.decode_flops(Config(32_000, 2**17, 32, 32, 4096), 100_000, 64)}


def more_operations_than_a_float64_counts(impl, seed):
    """An odd multiple of 2, above 2^54: float64 has 53 bits."""
    return impl.decode_flops(Config(32_003, 2**20, 127, 127, 127 * 127), 1000, 65_537)


# ---------------------------------------------------------------- quantize and dequantize

SCOPE = [
    "token",
    "with ONE scale for the whole tensor",
    "with a scale per CHANNEL, shared by all tokens",
    "whose scale goes over the TOKENS, not over the numbers of a token",
    "whose scale goes over the FIRST axis, not over the last",
    "with one scale for ALL TOKENS of a head: over the last two axes",
    *(f"whose scale goes over axis {n}, counted from the left, whatever axes there are" for n in (1, 2, 3)),
]
ROUND = [
    "even",
    "that cuts off towards zero instead of rounding",
    "that rounds halves UP, not to even",
    "that rounds halves AWAY from zero, not to even",
    "that rounds halves TOWARDS zero, not to even",
]
RANGE = [
    "127",
    "that uses -128, which a symmetric scale cannot give back",
    "that divides by 255 as if there were no sign",
    "that is ASYMMETRIC: from the smallest to the largest value",
    "whose scale is the row's RANGE by 254, not its largest magnitude by 127",
]
ABS = ["abs", "that takes the largest value, not the largest MAGNITUDE"]
ZERO = [
    "safe",
    "WITHOUT a positive, finite scale for a row of zeros",
    "with a floor of 1e-5 under the scale, so that small numbers become zeros",
    "that adds 1e-8 to every scale",
    "with a floor of 1e-8 under the scale, so that very small numbers become zeros",
    "with a floor of 1e-12 under the scale, so that the smallest numbers become zeros",
]
STEP = [
    "step",
    "that returns the inverse of the scale",
    "whose scale is rounded up to a power of two",
    "that multiplies by 127 / a, which is rounded, so that exact halves are lost",
]
NANS = [
    "refused",
    "that accepts NaN and infinity",
    "that accepts INFINITY",
    "that looks for NaN in the SUM, which overflows where the numbers do not",
    "that looks for NaN and infinity in the FIRST row only",
]
SCALE_DTYPE = [
    "float32",
    "whose scale has the dtype of x, not float32",
    "that divides in the dtype of x, and makes the scale float32 too late",
]
SHAPED = ["kept", "that SQUEEZES its scales, which loses axes of length one"]
QUANT_HINTS = {
    SHAPED[1]: "x of shape (2, 1, 4) has scales of shape (2, 1, 1): what does squeeze leave of them?",
    SCOPE[1]: "One token is a hundred times louder than the rest: how many codes do the others use?",
    SCOPE[2]: "When the next token arrives, do the tokens already stored have to be quantized again?",
    SCOPE[3]: "Which numbers share one scale: those of one token, or those of one channel?",
    ROUND[1]: "What is the mean of x - dequantize(quantize(x)) over positive x?",
    ROUND[2]: "round(0.5), round(1.5), round(2.5): what is the mean error?",
    RANGE[1]: "Quantize x and -x: are the codes each other's negatives?",
    RANGE[2]: "How many codes lie on each side of zero in an int8?",
    RANGE[3]: "Which code stands for zero?",
    ABS[1]: "What happens to a row whose values are all negative?",
    ZERO[1]: "A row of zeros is a perfectly good row. What is zero divided by its scale?",
    ZERO[2]: "Numbers of 1e-6 have a scale too. What is it?",
    STEP[1]: "codes times scale should be x again.",
    NANS[1]: "What is the largest magnitude of a row that holds NaN?",
    SCOPE[4]: "x has any number of axes. Which of them holds the numbers of one token?",
    **{axis: "A row alone has one axis, the cache's keys have four: which axis do they share?" for axis in SCOPE[6:]},
    SCOPE[5]: "Each token has its own scale: how many does a head with five tokens get?",
    ZERO[5]: "Numbers of 1e-28 have scales of 1e-30: what does a scale of 1e-12 make of them?",
    ZERO[4]: "Numbers of 1e-9 have scales of 1e-11: what does a scale of 1e-8 make of them?",
    STEP[3]: "With s = 0.3, is 0.15 times 1 / s exactly one half? Is 0.15 / s?",
    ROUND[4]: "0.5, 1.5 and 2.5 steps become 0, 2 and 2: what does your rounding make of 1.5?",
    ROUND[3]: "0.5, 1.5 and 2.5 steps become 0, 2 and 2: what does your rounding make of them?",
    RANGE[4]: "A row from 1 to 2 has a range of 1: which code would 2 need?",
    ZERO[3]: "Numbers of 1e-9 have scales of 1e-11: what does 1e-8 do to them?",
    STEP[2]: "Does the largest number of a row get code 127?",
    NANS[2]: "A row with infinity has an infinite scale: what are its codes?",
    NANS[4]: "The fifth token holds a NaN: who sees it?",
    NANS[3]: "Two numbers of 3e38 are finite. Is their sum?",
    SCALE_DTYPE[2]: "bfloat16 has eight bits: what is a / 127 in it, and what is it in float32?",
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
    shaped=SHAPED[0],
):
    def quantize(x):
        refused = {NANS[0]: ~torch.isfinite(x), NANS[2]: torch.isnan(x), NANS[3]: ~torch.isfinite(x.sum())}
        refused[NANS[4]] = ~torch.isfinite(x.reshape(-1, x.shape[-1])[0])
        if nans in refused and refused[nans].any():
            raise ValueError("not finite")
        size = x.abs() if abs == "abs" else x
        if scope == SCOPE[1]:
            top = size.amax().expand(*x.shape[:-1], 1)
        elif scope == SCOPE[2] and x.dim() > 1:
            top = size.amax(tuple(n for n, _ in enumerate(x.shape[:-1])), keepdim=True).expand_as(x)
        elif scope == SCOPE[3] and x.dim() > 1:
            top = size.amax(-2, keepdim=True)
        elif scope == SCOPE[5] and x.dim() > 1:
            top = size.amax((-2, -1), keepdim=True).expand(*x.shape[:-1], 1)
        elif scope == SCOPE[4]:
            top = size.amax(0, keepdim=True)
        elif scope in SCOPE[6:]:
            top = size.amax(1 + SCOPE[6:].index(scope), keepdim=True)
        else:
            top = size.amax(-1, keepdim=True)
        low = x.amin(-1, keepdim=True)
        span = x.amax(-1, keepdim=True) - low if range in RANGE[3:] else top
        span = span if dtype in SCALE_DTYPE[1:] else span.float()
        scale = span / {RANGE[1]: 128, RANGE[2]: 255, RANGE[3]: 254, RANGE[4]: 254}.get(range, 127)
        scale = scale.float() if dtype == SCALE_DTYPE[2] else scale
        if zero in ZERO[4:]:
            scale = scale.clamp(min=1e-8 if zero == ZERO[4] else 1e-12)
        elif zero == ZERO[0]:
            scale = torch.where(span == 0, torch.ones_like(scale), scale)
        elif zero == ZERO[2]:
            scale = scale.clamp(min=1e-5)
        elif zero == ZERO[3]:
            scale = scale + 1e-8
        if step == STEP[2]:
            scale = 2 ** scale.log2().ceil()
        codes = (x - low) / scale - 127 if range == RANGE[3] else x / scale
        codes = x.float() * (127 / span.masked_fill(span == 0, 127)) if step == STEP[3] else codes
        away = codes.sign() * (codes.abs() + 0.5).floor()
        nearer = codes.sign() * (codes.abs() - 0.5).ceil()
        other = {ROUND[1]: codes.trunc(), ROUND[2]: (codes + 0.5).floor(), ROUND[3]: away, ROUND[4]: nearer}
        codes = other.get(round, codes.round())
        codes = codes.clamp(-128 if range == RANGE[1] else -127, 127).nan_to_num(0).to(torch.int8)
        scale = scale.squeeze()[..., None] if shaped == SHAPED[1] and x.dim() > 1 else scale
        return codes, 1 / scale if step == STEP[1] else scale

    return quantize


def off_the_halves(x):
    """x, with the largest number of its row where x / s is near a half, so that float64 gives the codes of float32."""
    top = x.double().abs().amax(-1, keepdim=True)
    steps = x.double() / (top / 127).float().masked_fill(top == 0, 1)
    near = (steps - steps.floor() - 0.5).abs() < 1e-3
    return torch.where(near, x.sign() * top.to(x.dtype), x)


def values(seed, shape=(3, 2, 5, 16)):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return off_the_halves(x * torch.linspace(0.1, 4, shape[-2])[:, None])


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
    return told(impl.quantize(off_the_halves(-values(seed).abs() - 0.1)))


def a_row_of_zeros(impl, seed):
    x = values(seed)
    x[1, 0, 2] = 0
    codes, scale = impl.quantize(x)
    usable = bool(torch.isfinite(scale).all() and (scale > 0).all()) and scale.shape == (3, 2, 5, 1)
    return {"the codes": codes, "every scale is positive and finite": usable}


def nothing_but_zeros(impl, seed):
    seen = {}
    for x in (torch.zeros(2, 3, 4), -torch.zeros(4), torch.zeros(2, 4, dtype=torch.float16)):
        codes, scale = impl.quantize(x)
        usable = bool(torch.isfinite(scale).all() and (scale > 0).all())
        at = f"{x.ndim} axes in {x.dtype}: "
        seen |= {at + "the codes": codes, at + "every scale is positive and finite": usable}
    return seen


def four_numbers_of_the_workbook(impl, seed):
    return told(impl.quantize(torch.tensor([0.5, -1.27, 0.02, 0.0])))


def exact_halves(impl, seed):
    return told(impl.quantize(torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -127.0]])))


def exact_halves_of_another_scale(impl, seed):
    g = torch.Generator().manual_seed(seed)
    scale = torch.randint(2**9, 2**12, (12, 1), generator=g) / 2**14  # 12 bits, so all products are exact
    halves = torch.tensor([127.0, 0.5, 1.5, 2.5, 3.5, 10.5, 40.5, 99.5, -0.5, -1.5, -2.5, -126.5])
    return told(impl.quantize(scale * halves))


def very_small_and_very_large_numbers(impl, seed):
    x = values(seed, (2, 3, 8))
    seen = {f"times {f}": told(impl.quantize(x * f)) for f in (1e-9, 1e30, 1e-28)}
    for f in (1e-9, 1e-28):
        seen[f"times {f}"]["the scales"] = seen[f"times {f}"]["the scales"] / f  # as large as the others
    codes, scale = impl.quantize(torch.tensor([1.1e-30, 5e-31, 0.0]))
    return seen | {"the codes of 1.1e-30, 5e-31 and 0": codes, "their scale, times 1e30": 1e30 * scale}


def wide_single_and_many_rows(impl, seed):
    return {
        "rows of 300 numbers": told(impl.quantize(values(seed, (2, 2, 300)))),
        "rows of one number": told(impl.quantize(values(seed, (3, 4, 1)))),
        "one row of one number": told(impl.quantize(torch.tensor([-3.0]))),
        "200 rows": told(impl.quantize(values(seed, (200, 3)))),
        "axes of length one": [told(impl.quantize(values(seed, s))) for s in ((2, 1, 4), (1, 3, 4), (2, 1, 1, 3, 4))],
    }


def views_of_other_numbers(impl, seed):
    x = values(seed, (3, 5, 2, 8))
    x[..., ::2] = off_the_halves(x[..., ::2])  # x keeps the largest number of each row: both are off the halves
    return {
        "transposed": told(impl.quantize(x.transpose(1, 2))),
        "every second number": told(impl.quantize(x[..., ::2])),
        "expanded": told(impl.quantize(x[:, :1].expand(3, 4, 2, 8))),
    }


def exact_halves_in_other_dtypes(impl, seed):
    x = torch.tensor([127.0, 0.5, 1.5, 2.5, 40.5, -0.5, -1.5, -63.5]) * torch.tensor([[1.0], [0.25], [8.0]])
    return {str(d): told(impl.quantize(x.to(d))) for d in (torch.float16, torch.bfloat16, torch.float64)}


def sixteen_bits_to_quantize(impl, seed):
    seen = {}
    for dtype in (torch.float16, torch.bfloat16):
        x = values(seed, (16, 64)).to(dtype)
        codes, scale = impl.quantize(x)
        off = (x.double() / scale.double() - codes.double()).abs().max()
        seen |= {
            f"the scales of {dtype}": scale,
            f"no number of {dtype} is off by more than half a step": bool(off < 0.5001),
        }
    return seen


def numbers_near_the_largest_of_their_dtype(impl, seed):
    x = 1 + torch.rand(2, 3, 8, generator=torch.Generator().manual_seed(seed))
    return {
        "float32": told(impl.quantize(off_the_halves(x * 1.5e38))),
        "float16": told(impl.quantize(off_the_halves((x * 3e4).half()))),
    }


def large_numbers_in_bfloat16(impl, seed):
    x = 1 + torch.rand(2, 3, 8, generator=torch.Generator().manual_seed(seed))
    return told(impl.quantize(off_the_halves((x * 1.5e38).bfloat16())))


def other_dtypes_to_quantize(impl, seed):
    x = values(seed, (2, 3, 8))
    return {str(d): told(impl.quantize(off_the_halves(x.to(d)))) for d in (torch.bfloat16, torch.float64)}


def numbers_that_no_scale_represents(impl, seed):
    def error(bad):
        x = values(seed)
        x[0, 1, 2, 3] = bad
        return error_of(lambda: impl.quantize(x))

    seen = {f"the error of {bad}": error(bad) for bad in (math.nan, math.inf, -math.inf)}
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        x = values(seed, (40, 4)).to(dtype)
        x[39, 3] = math.nan
        seen[f"the error of NaN at the end, in {dtype}"] = error_of(functools.partial(impl.quantize, x))
        seen[f"the error of infinity in one row, in {dtype}"] = error_of(
            lambda dtype=dtype: impl.quantize(torch.tensor([0.0, math.inf, -math.inf], dtype=dtype))
        )
    return seen


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
    (
        "a dequantize that returns float32 where the scale has 16 bits",
        "Which dtype is promised, that of the codes, float32, or that of the scale?",
        lambda codes, scale: codes.float() * scale,
    ),
    (
        "a dequantize with the FIRST token's scale for every token",
        "Why did quantize return one scale per token?",
        lambda codes, scale: codes * scale.flatten()[0],
    ),
    (
        "a dequantize that reads the codes as UNSIGNED numbers",
        "Code -1 has the same bits as 255: which of the two does it stand for?",
        lambda codes, scale: codes.view(torch.uint8) * scale,
    ),
    (
        "a dequantize that returns whole numbers in the dtype of the CODES",
        "The codes are whole numbers; is x?",
        lambda codes, scale: (codes * scale).to(codes.dtype),
    ),
    (
        "a dequantize that divides the codes by 127",
        "The scale is a / 127 already: which code stands for a?",
        lambda codes, scale: codes * scale / 127,
    ),
    (
        "a dequantize that goes through HALF precision",
        "A float16 has eleven bits: what is left of a scale in float32?",
        lambda codes, scale: (codes.half() * scale.half()).to(scale.dtype),
    ),
    (
        "a dequantize that multiplies in float32, though the scale is float64",
        "0.1 in float32 is 0.100000001: how many digits of a float64 scale are left?",
        lambda codes, scale: (codes.float() * scale.float()).to(scale.dtype),
    ),
    (
        "a dequantize that SQUEEZES the scale, which loses axes of length one",
        "A batch of codes (2, 1, 4) has scales (2, 1, 1): what does squeeze leave of them?",
        lambda codes, scale: codes * scale.squeeze()[..., None],
    ),
    (
        "a dequantize that puts the scales into ONE column",
        "Codes may have any number of axes: which shape have the scales of (3, 2, 5, 16)?",
        lambda codes, scale: codes * scale.reshape(-1, 1),
    ),
    (
        "a dequantize that calls view, which needs memory in order",
        "The codes may be a slice or a transpose: which of view and reshape takes any tensor?",
        lambda codes, scale: (codes.view(-1, codes.shape[-1]) * scale.reshape(-1, 1)).view(codes.shape),
    ),
    (
        "a dequantize that rounds to FOUR decimals",
        "Who promises that a number is larger than 0.0001?",
        lambda codes, scale: (codes * scale).round(decimals=4),
    ),
    (
        "a dequantize with a floor of 1e-8 under the scale",
        "Numbers of 1e-9 have scales of 1e-11: what does your floor make of them?",
        lambda codes, scale: codes * scale.clamp(min=1e-8),
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
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        scale = torch.tensor([[0.5], [0.1 * (seed % 4 + 1)]], dtype=dtype)
        out = impl.dequantize(codes, scale)
        seen |= {f"with scales in {dtype}": out, f"dtype with scales in {dtype}": str(out.dtype)}
        seen[f"dtype of one row with its scale in {dtype}"] = str(impl.dequantize(codes[1], scale[1]).dtype)
        if dtype == torch.float64:
            want = codes.double() * scale
            seen["the digits of float64 are right"] = bool((out.double() - want).abs().max() < 1e-13)
    return seen


def very_small_and_very_large_scales(impl, seed):
    codes = torch.arange(-127, 128, 2, dtype=torch.int8).repeat(3, 1)
    scale = torch.tensor([[1e-11], [1e-30], [2.6e36]])
    return {"the numbers, in units of their scale": impl.dequantize(codes, scale) / scale}


def views_of_other_codes(impl, seed):
    """As a cache hands them out: cut from longer memory."""
    codes, scale = quantize(values(seed, (3, 2, 8, 16)))
    return {
        "the first of more tokens": impl.dequantize(codes[:, :, :5], scale[:, :, :5]),
        "transposed": impl.dequantize(codes.transpose(0, 2), scale.transpose(0, 2)),
        "expanded": impl.dequantize(codes[:, :1].expand_as(codes), scale[:1].expand_as(scale)),
    }


def axes_of_length_one(impl, seed):
    """The tensors are whole, so that a view of them is one of their memory."""
    seen = {}
    for shape in ((2, 1, 4), (1, 3, 4), (2, 1, 3, 4), (1, 1, 4), (1, 1, 1, 1)):
        codes, scale = quantize(values(seed, shape))
        seen[f"codes {list(shape)}"] = impl.dequantize(codes, scale)
    return seen


def rows_of_one_code(impl, seed):
    codes = torch.tensor([[127], [-127], [3], [0]], dtype=torch.int8)
    return impl.dequantize(codes, torch.tensor([[0.5], [0.25], [2.0], [1.0 + seed % 9]]))


# ---------------------------------------------------------------- the catalogue

PROBES = {
    "attend": [
        a_whole_sequence,
        a_chunk_after_cached_keys,
        one_query_after_cached_keys,
        rows_with_padding,
        one_query_and_padding,
        queries_that_see_no_key,
        gradients_of_queries_that_see_no_key,
        padding_in_the_middle_and_at_the_end,
        hidden_keys_with_very_large_scores,
        scores_in_the_hundreds,
        in_float64,
        the_numbers_of_the_workbook,
        single_rows_heads_keys_and_numbers,
        a_long_text,
        views_of_other_tensors,
        in_16_bits,
        seen_keys_with_very_low_scores,
        gradients_without_padding,
        more_queries_than_keys,
    ],
    "StaticCache": [
        the_table_of_the_workbook,
        three_chunks_through_every_layer,
        an_early_layer_read_again,
        memory_that_stays_in_place,
        used_again_after_reset,
        memory_kept_by_reset,
        a_reset_in_the_middle_of_a_step,
        filled_beyond_its_length,
        a_layer_that_is_full_before_the_others,
        filled_to_the_last_slot,
        what_does_not_fit_into_an_empty_cache,
        what_an_error_leaves,
        layers_in_another_order,
        other_numbers_of_layers_rows_and_heads,
        three_hundred_tokens,
        two_caches_side_by_side,
        in_other_dtypes,
        on_another_device,
        written_with_gradients_on,
        views_of_other_keys,
        what_the_caller_keeps,
        in_the_model_of_the_workbook,
    ],
    "forward_with_cache": [
        a_prompt_at_once,
        a_prompt_and_then_single_tokens,
        a_prompt_in_chunks,
        one_row_in_float64_through_a_static_cache,
        to_the_last_position,
        the_digits_of_float64,
        two_caches_in_turns,
        a_cache_that_others_have_used,
        other_models,
        a_model_in_bfloat16,
        what_a_step_leaves_behind,
    ],
    "generate": [
        a_text_and_its_work,
        a_cache_that_is_not_empty,
        two_prompts_through_one_cache,
        one_new_token_and_none,
        a_prompt_in_int32,
        a_model_that_always_says_token_0,
        a_model_that_always_says_the_same,
        a_text_through_every_token,
        forty_tokens_from_a_prompt_of_one,
        a_cache_with_the_promised_names_only,
        a_cache_left_in_the_middle_of_a_step,
        what_is_left_behind,
        gradients_before_and_after,
        more_than_the_cache_or_the_model_has_room_for,
    ],
    "cache_bytes": [
        a_batch_in_float32,
        other_item_sizes,
        single_layers_heads_and_tokens,
        more_tokens_than_the_context,
        the_same_tokens_in_other_models,
        the_same_model_with_other_numbers,
        more_than_a_float32_counts,
        more_than_an_int32_counts,
        more_than_a_float64_counts,
    ],
    "decode_flops": [
        one_row,
        the_first_and_the_last_positions,
        a_batch_at_several_positions,
        the_same_position_in_other_models,
        other_shapes,
        more_operations_than_a_float32_counts,
        more_operations_than_an_int32_counts,
        more_operations_than_a_float64_counts,
    ],
    "quantize": [
        some_tokens,
        one_loud_token,
        all_negative_rows,
        a_row_of_zeros,
        nothing_but_zeros,
        wide_single_and_many_rows,
        views_of_other_numbers,
        four_numbers_of_the_workbook,
        exact_halves,
        exact_halves_of_another_scale,
        exact_halves_in_other_dtypes,
        very_small_and_very_large_numbers,
        numbers_near_the_largest_of_their_dtype,
        large_numbers_in_bfloat16,
        other_dtypes_to_quantize,
        sixteen_bits_to_quantize,
        numbers_that_no_scale_represents,
    ],
    "dequantize": [
        what_quantize_returned,
        every_code,
        one_row_of_codes,
        rows_of_one_code,
        axes_of_length_one,
        views_of_other_codes,
        very_small_and_very_large_scales,
        other_dtypes_to_dequantize,
    ],
}


PROBES = {task: [gradients_put_back(probe) for probe in probes] for task, probes in PROBES.items()}


def of(task):
    """Every known mistake of a task."""
    return {
        "attend": attend_mistakes,
        "StaticCache": cache_mistakes,
        "forward_with_cache": forward_mistakes,
        "generate": generate_mistakes,
        "cache_bytes": bytes_mistakes,
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
    pairs = {
        "slot": SLOT,
        "value": VALUE[:2],
        "row": ROW,
        "position": POSITION[:3],
        "reset": RESET[:2],
        "full": FULL[:3],
    }
    same = [(SLOT[1], POSITION[2])]
    yield from combine("StaticCache", "a cache", pairs, wrong_cache, CACHE_HINTS, without=same)
    singles = {
        "view": VIEW[1:],
        "layer": LAYER[1:],
        "axes": AXES[1:],
        "value": VALUE[2:],
        "position": POSITION[3:],
        "full": FULL[3:],
        "count": COUNT[1:],
        "reset": RESET[2:],
        "dtype": DTYPE[1:],
        "device": DEVICE[1:],
        "gradient": GRADIENT[1:],
        "memory": MEMORY[1:],
    }
    for knob, settings in singles.items():
        yield from combine("StaticCache", "a cache", {knob: ["", *settings]}, wrong_cache, CACHE_HINTS)


def forward_mistakes():
    same = [(TRIANGLE[1], READ[1]), (OFFSET[1], READ[2])]
    pairs = {"offset": OFFSET[:3], "triangle": TRIANGLE[:3], "read": READ[:4]}
    yield from combine("forward_with_cache", "a step", pairs, wrong_forward, FORWARD_HINTS, without=same)
    singles = {"offset": ["", *OFFSET[3:]], "triangle": ["", *TRIANGLE[3:]], "read": ["", *READ[4:]]}
    singles |= {"residual": RESIDUAL, "end": END, "passes": PASSES, "digits": DIGITS}
    for knob, settings in singles.items():
        yield from combine("forward_with_cache", "a step", {knob: settings}, wrong_forward, FORWARD_HINTS)
    bypass = lambda model, tokens, cache: model(tokens, cache)  # noqa: E731
    yield Mistake("forward_with_cache", BYPASS, FORWARD_HINTS[BYPASS], 1, bypass)
    for after in (STEP_OFF, STEP_FROZEN, STEP_ON, STEP_THAWED, STEP_FLOAT):
        yield Mistake("forward_with_cache", after, FORWARD_HINTS[after], 1, wrong_forward_and_leave(after))


def generate_mistakes():
    uncached = [(FEED[1], wrong) for wrong in CLEAR[1:]]  # what is not used is not left over
    pairs = {"feed": FEED[:5], "clear": CLEAR[:2], "choice": CHOICE[:2]}
    yield from combine("generate", "a loop", pairs, wrong_generate, GENERATE_HINTS, without=uncached)
    for knob, settings in (("clear", CLEAR[2:]), ("returns", RETURN[1:]), ("feed", FEED[5:]), ("choice", CHOICE[2:])):
        yield from combine("generate", "a loop", {knob: ["", *settings]}, wrong_generate, GENERATE_HINTS)
    yield Mistake("generate", OWN, GENERATE_HINTS[OWN], 1, wrong_generate(own=True))
    yield Mistake("generate", GRAD, GENERATE_HINTS[GRAD], 1, wrong_generate(grad=True))
    for after in (OFF, FROZEN, ON, AFTER_ERROR, THAWED):
        yield Mistake("generate", after, GENERATE_HINTS[after], 1, wrong_generate(after=after))


def only(knobs, task, noun, build, hints, new):
    """The settings of `new`, each alone, beside knobs that combine."""
    for knob, settings in new.items():
        rest = {name: [choices[0]] for name, choices in knobs.items()}
        yield from combine(task, noun, {**rest, knob: [knobs[knob][0], *settings]}, build, hints)


def bytes_mistakes():
    alone = {"tokens": BYTES["tokens"][2:], "unit": BYTES["unit"][3:], "shape": BYTES["shape"][1:]}
    alone |= {"heads": BYTES["heads"][3:], "count": COUNT_IN[1:]}
    pairs = {knob: [c for c in choices if c not in alone.get(knob, ())] for knob, choices in BYTES.items()}
    common = ("cache_bytes", "the cache's size")
    yield from combine(*common, pairs, wrong_bytes, BYTES_HINTS)
    yield from only(BYTES, *common, wrong_bytes, BYTES_HINTS, alone)


def flops_mistakes():
    nothing = [(FLOPS["products"][2], wrong) for wrong in FLOPS["keys"][1:3]]  # keys that are not multiplied
    alone = {"add": FLOPS["add"][2:], "head": FLOPS["head"][3:], "keys": FLOPS["keys"][3:]}
    alone |= {"products": FLOPS["products"][3:], "mlp": FLOPS["mlp"][2:], "count": COUNT_IN[1:]}
    pairs = {knob: [c for c in choices if c not in alone.get(knob, ())] for knob, choices in FLOPS.items()}
    common = ("decode_flops", "the cost of a step")
    yield from combine(*common, pairs, wrong_flops, FLOPS_HINTS, without=nothing)
    yield from only(FLOPS, *common, wrong_flops, FLOPS_HINTS, alone)


def quantize_mistakes():
    pairs = {"scope": SCOPE[:3], "round": ROUND[:2], "range": RANGE[:3], "abs": ABS, "zero": ZERO[:2], "step": STEP[:2]}
    pairs["dtype"] = [SCALE_DTYPE[0], SCALE_DTYPE[2]]
    never_zero = [(scope, ZERO[1]) for scope in SCOPE[1:3]]  # such a scale is not zero for one row
    late = "that divides in the dtype of x, and makes the scale float32 too late"
    never_zero.append(("that uses -128, which a symmetric scale cannot give back", late))  # a division by 128 is exact
    yield from combine("quantize", "a quantizer", pairs, wrong_quantize, QUANT_HINTS, without=never_zero)
    singles = {
        "scope": SCOPE[3:],
        "round": ROUND[2:],
        "range": RANGE[3:],
        "zero": ZERO[2:],
        "step": STEP[2:],
        "nans": NANS[1:],
        "dtype": SCALE_DTYPE[1:2],
        "shaped": SHAPED[1:],
    }
    for knob, settings in singles.items():
        yield from combine("quantize", "a quantizer", {knob: ["", *settings]}, wrong_quantize, QUANT_HINTS)
