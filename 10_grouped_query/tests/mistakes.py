"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import math

import torch
from counting import largest_new
from grader import combine, error_of
from grouped_query import Shape, rms_norm, rotate

TASKS = [
    "split_groups",
    "grouped_attention",
    "cache_bytes_per_token",
    "largest_batch",
    "mean_pool_heads",
    "compress_latent",
    "absorbed_attention",
]
GIVEN = ["Shape", "mask_future", "rms_norm", "rotate"]
GATE_SEEDS = 2


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


FORMAT = [
    "right",
    "that takes 16-bit numbers to float32 and RETURNS float32",
    "that returns float32, whatever comes in",
]
FORMAT_HINTS = {
    FORMAT[1]: "A model in bfloat16 hands you bfloat16. What does its next matrix product need?",
    FORMAT[2]: "A model in float64 hands you float64. What does its next matrix product need?",
}


def in_format(format_, *tensors):
    """The tensors as this mistake computes with them."""
    half = tensors[0].dtype in (torch.bfloat16, torch.float16)
    return [x.float() if format_ == FORMAT[2] or format_ == FORMAT[1] and half else x for x in tensors]


# ---------------------------------------------------------------- split_groups

LAYOUT = [
    "right",
    "that gives query head h to group h mod G, as `repeat` would, and not h // R",
    "with the two group axes in the WRONG ORDER (R before G)",
    "made with `view` alone, so that time and heads are mixed up",
    "that takes every H-th number for a head, and not D neighbours",
    "that leaves the time axis in front of the heads",
    "that gives each group its first query head only, R times over",
    "that reads memory as if x were no part of a wider tensor",
]
GRAPH = ["kept", "that is DETACHED: no gradient gets back to the arguments"]
SPLIT_CHECK = [
    "ValueError",
    "that leaves heads which cannot be shared out to PyTorch, whose error is no ValueError",
    "that refuses as many groups as heads",
]
SPLIT_HINTS = {
    LAYOUT[1]: "The heads are numbered 0, 1, 2, 3 and there are two groups. Which heads are neighbours?",
    LAYOUT[2]: "With four heads in two groups the shape cannot tell the axes apart. Which of them counts the keys?",
    LAYOUT[3]: "A row of x holds all heads of ONE token. What does a plain change of shape read as the second token?",
    LAYOUT[4]: "The first D numbers of a row belong together. To which head?",
    LAYOUT[5]: "Attention multiplies matrices of (T, D). On which axis must T be?",
    LAYOUT[6]: "Are there H different query heads in your output?",
    LAYOUT[7]: "How far apart in memory are two tokens of a slice? Who knows it: `x.shape` or `x.stride()`?",
    GRAPH[1]: "Training differentiates through this function. Which call cuts the output off from x?",
    SPLIT_CHECK[1]: "Five heads in two groups: what does the docstring promise?",
    SPLIT_CHECK[2]: "How are keys cut?",
    **FORMAT_HINTS,
}


def wrong_split(layout, graph, check, format_):
    def split_groups(x, heads, kv_heads):
        (x,) = in_format(format_, x)
        B, T, width = x.shape
        if check == SPLIT_CHECK[2] and heads == kv_heads:
            raise ValueError("as many groups as heads")
        if check != SPLIT_CHECK[1] and (heads % kv_heads or width % heads):
            raise ValueError("uneven")
        G, R, D = kv_heads, heads // kv_heads, width // heads
        if G * R * D != width:
            raise RuntimeError("shape is invalid")
        if graph == GRAPH[1]:
            x = x.detach()
        if layout == LAYOUT[7]:
            return x.as_strided((B, G, R, T, D), (T * width, R * D, D, width, 1), x.storage_offset())
        if layout == LAYOUT[1]:
            return x.reshape(B, T, R, G, D).permute(0, 3, 2, 1, 4)
        if layout == LAYOUT[2]:
            return x.reshape(B, T, G, R, D).permute(0, 3, 2, 1, 4)
        if layout == LAYOUT[3]:
            return x.reshape(B, G, R, T, D)
        if layout == LAYOUT[4]:
            return x.reshape(B, T, D, G, R).permute(0, 3, 4, 1, 2)
        if layout == LAYOUT[5]:
            return x.reshape(B, T, G, R, D)
        grouped = x.reshape(B, T, G, R, D).permute(0, 2, 3, 1, 4)
        return grouped[:, :, :1].expand(-1, -1, R, -1, -1) if layout == LAYOUT[6] else grouped

    return split_groups


def six_heads_in_two_groups(impl, seed):
    return impl.split_groups(randn(seed, 3, 5, 42), 6, 2)


def as_many_groups_as_heads_in_a_group(impl, seed):
    return impl.split_groups(randn(seed + 1, 2, 3, 28), 4, 2)


def keys_whose_heads_are_their_own_groups(impl, seed):
    return impl.split_groups(randn(seed + 2, 2, 3, 15), 3, 3)


def one_group_of_all_heads(impl, seed):
    return impl.split_groups(randn(seed + 3, 2, 3, 20, dtype=torch.float64), 5, 1)


def a_slice_of_a_wider_projection(impl, seed):
    return impl.split_groups(randn(seed + 4, 2, 3, 40)[..., 4:16], 4, 2)


def back(output, argument):
    """The gradient of the sum of squares, None where none gets back."""
    if not output.requires_grad:
        return None
    return torch.autograd.grad(output.square().sum(), argument, allow_unused=True, retain_graph=True)[0]


def the_gradient_of_a_projection(impl, seed):
    x = randn(seed + 5, 2, 3, 12).requires_grad_()
    return {"the gradient": back(impl.split_groups(x, 4, 2), x)}


def heads_that_are_refused(impl, seed):
    x = randn(seed, 1, 2, 30)
    cases = {"5 heads in 2 groups": (5, 2), "4 heads of a width of 30": (4, 2), "3 heads in 3 groups": (3, 3)}
    return {name: error_of(lambda case=case: impl.split_groups(x, *case)) for name, case in cases.items()}


def heads_in_bfloat16(impl, seed):
    return impl.split_groups(torch.arange(16.0).view(1, 2, 8).bfloat16(), 4, 2)


def the_four_heads_of_the_workbook(impl, seed):
    return impl.split_groups(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]]), 4, 2)


# ---------------------------------------------------------------- grouped_attention

SHARING = [
    "right",
    "in which query head h reads key head h mod G (`repeat` for `repeat_interleave`)",
    "in which ONE key head serves all groups",
    "in which the keys of the batch's FIRST row serve every row",
    "in which keys are shared right, and the values are those of the first group",
    "that COPIES the keys and values for every query head",
]
SCALE = [
    "right",
    "WITHOUT the scale 1/√D",
    "scaled by 1/√(H·D), the width of the model",
    "scaled by 1/√(R·D), the width of a group",
    "scaled by 1/D",
]
MASK = [
    "right",
    "WITHOUT the causal mask",
    "with its mask aligned at the TOP LEFT",
    "that hides a token from itself",
    "with its mask aligned at the top left, which takes more queries than keys too",
    "whose mask takes row n of the R·Tq rows for token n // R, where it is n mod Tq",
]
SOFTMAX = [
    "keys",
    "with its softmax over the QUERIES",
    "with its softmax over the HEADS of a group",
    "with ONE softmax over the keys of all heads of a group together",
    "whose softmax OVERFLOWS at large scores: nothing is subtracted before `exp`",
    "that CUTS OFF large scores before `exp`",
    "that subtracts ONE maximum from the scores of all queries before `exp`",
]
ATTENTION_CHECK = ["ValueError", "that does not refuse more queries than keys"]
ATTENTION_GRAPH = [
    "kept",
    "that DETACHES the keys",
    "that DETACHES the values",
    "that DETACHES queries, keys and values",
]
ATTENTION_HINTS = {
    SHARING[1]: "Query heads 0 and 1 are in the first group. Which key head does head 1 read?",
    SHARING[2]: "Change the keys of the last group: which outputs move?",
    SHARING[3]: "A batch axis of one is broadcast without a word. Whose keys does row 1 read?",
    SHARING[4]: "Who shares a value: the same heads that share a key?",
    SHARING[5]: "The numbers are right. How many bytes are written before the first product?",
    SCALE[1]: "What is the variance of a dot product of two D-dimensional unit-variance vectors?",
    SCALE[2]: "How many products does one score add up?",
    SCALE[3]: "A key is as wide as one query head. Does sharing make it wider?",
    SCALE[4]: "The variance of a score grows with D. What does its deviation grow with?",
    MASK[1]: "Change the last key: may the first query notice?",
    MASK[2]: "One new query and four cached keys: at which position does the query stand?",
    MASK[3]: "What may the first token of a text attend to?",
    MASK[4]: "`is_causal=True` draws a square's mask. Where does one new query stand after four cached keys?",
    MASK[5]: "After `flatten(2, 3)`, rows 0 and 1 are two tokens of one head. Which tokens?",
    SOFTMAX[4]: "What is exp(1000)? Which number may be subtracted from all scores of a query?",
    SOFTMAX[1]: "Whose weights must sum to one, and over what?",
    SOFTMAX[2]: "Do two query heads compete for a key?",
    SOFTMAX[3]: "What is the sum of the weights of one query?",
    ATTENTION_CHECK[1]: "Three queries and two keys: where would the first query stand?",
    SOFTMAX[5]: "Scores of 200 and 2,000 have been cut off at the same number. Which of them should win?",
    SOFTMAX[6]: "The largest score of one query is 0, that of another 5,000. What is exp(0 - 5000)?",
    ATTENTION_GRAPH[1]: "How does k_proj learn?",
    ATTENTION_GRAPH[2]: "How does v_proj learn?",
    ATTENTION_GRAPH[3]: "Training differentiates through this function. Which call cuts the output off?",
    **FORMAT_HINTS,
}


def weights_without_softmax(scores, kind, kinds):
    """exp and a sum, with one of the mistakes in `kinds`: overflow, large scores cut off, one maximum for all."""
    shifted = dict(zip(kinds, (scores, scores.clamp(max=80), scores - scores.max()), strict=True))[kind].exp()
    return shifted / shifted.sum(-1, keepdim=True)


def wrong_attention(sharing, scale, mask, softmax, check, graph, format_):
    def grouped_attention(q, k, v):
        q, k, v = in_format(format_, q, k, v)
        if graph in ATTENTION_GRAPH[1::2]:
            k = k.detach()
        if graph in ATTENTION_GRAPH[2:]:
            v = v.detach()
        if graph == ATTENTION_GRAPH[3]:
            q = q.detach()
        B, G, R, Tq, D = q.shape
        Tk = k.shape[2]
        if Tq > Tk and check == "ValueError" and mask != MASK[4]:
            raise ValueError("queries")
        if sharing == SHARING[1]:
            k, v = (x.repeat(1, R, 1, 1).unflatten(1, (G, R)) for x in (k, v))
        elif sharing == SHARING[2]:
            k, v = (x[:, :1, None].expand(B, G, R, Tk, D) for x in (k, v))
        elif sharing == SHARING[3]:
            k, v = (x[:1, :, None].expand(B, G, R, Tk, D) for x in (k, v))
        elif sharing == SHARING[4]:
            k, v = k[:, :, None], v[:, :1, None].expand(B, G, R, Tk, D)
        elif sharing == SHARING[5]:
            k, v = (x.repeat_interleave(R, 1).unflatten(1, (G, R)) for x in (k, v))
        if k.ndim == 4:
            scores = torch.stack([q[:, :, r] @ k.mT for r in range(R)], 2)
        else:
            scores = q @ k.mT
        widths = dict(zip(SCALE, (D, 1, G * R * D, R * D, D * D), strict=True))
        scores = scores / math.sqrt(widths[scale])
        offset = {MASK[2]: 0, MASK[4]: 0, MASK[3]: Tk - Tq - 1}.get(mask, Tk - Tq)
        if mask == MASK[5]:
            token = (torch.arange(R * Tq) // R).view(R, Tq, 1)
            scores = scores.masked_fill(torch.arange(Tk) > token + offset, -math.inf)
        elif mask != MASK[1]:
            scores = scores.masked_fill(~torch.ones(Tq, Tk, dtype=torch.bool).tril(offset), -math.inf)
        if softmax == SOFTMAX[3]:
            weights = scores.transpose(2, 3).flatten(3).softmax(-1).unflatten(3, (R, Tk)).transpose(2, 3)
        elif softmax in SOFTMAX[4:]:
            weights = weights_without_softmax(scores, softmax, SOFTMAX[4:])
        else:
            weights = scores.softmax({SOFTMAX[0]: -1, SOFTMAX[1]: -2, SOFTMAX[2]: 2}[softmax])
        if v.ndim == 4:
            return torch.stack([weights[:, :, r] @ v for r in range(R)], 2)
        return weights @ v

    return grouped_attention


def qkv(seed, B, G, R, Tq, Tk, D, dtype=torch.float32):
    return [randn(seed, B, G, R, Tq, D, dtype=dtype), *(randn(seed + i, B, G, Tk, D, dtype=dtype) for i in (1, 2))]


def two_groups_of_three_heads(impl, seed):
    return impl.grouped_attention(*qkv(seed, 3, 2, 3, 5, 5, 7))


def as_many_groups_as_heads_in_each(impl, seed):
    return impl.grouped_attention(*qkv(seed + 3, 2, 2, 2, 3, 3, 5))


def new_queries_after_cached_keys(impl, seed):
    return impl.grouped_attention(*qkv(seed + 6, 2, 2, 3, 2, 7, 5))


def one_query_after_cached_keys(impl, seed):
    return impl.grouped_attention(*qkv(seed + 9, 2, 3, 2, 1, 5, 7))


def multi_head_attention(impl, seed):
    return impl.grouped_attention(*qkv(seed + 12, 2, 3, 1, 4, 4, 5))


def multi_query_attention(impl, seed):
    return impl.grouped_attention(*qkv(seed + 15, 2, 1, 5, 3, 4, 3))


def numbers_of_float64(impl, seed):
    q, k, v = qkv(seed + 18, 2, 2, 2, 3, 4, 5, dtype=torch.float64)
    mask = torch.ones(3, 4, dtype=torch.bool).tril(1)
    want = torch.nn.functional.scaled_dot_product_attention(q, k[:, :, None], v[:, :, None], mask)
    out = impl.grouped_attention(q, k, v)
    return {"the output": out, "the digits of float64 are right": bool((out - want).abs().max() < 1e-12)}


def scores_in_the_thousands(impl, seed):
    q, k, v = qkv(seed + 24, 1, 2, 2, 3, 4, 5, dtype=torch.float64)
    return impl.grouped_attention(3_000 * q, k, v)


def the_gradients_of_attention(impl, seed):
    leaves = [x.requires_grad_() for x in qkv(seed + 27, 2, 2, 2, 3, 4, 5, dtype=torch.float64)]
    names = ("the gradient of the queries", "the gradient of the keys", "the gradient of the values")
    return {name: back(impl.grouped_attention(*leaves), x) for name, x in zip(names, leaves, strict=True)}


def a_model_in_bfloat16(impl, seed):
    v = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]).view(1, 2, 3, 1).bfloat16()
    out = impl.grouped_attention(v.new_zeros(1, 2, 2, 3, 1), v.new_zeros(1, 2, 3, 1), v)
    return {"the output, rounded to halves": (2 * out).round() / 2}


def a_long_cache(impl, seed):
    q, k, v = qkv(seed + 21, 2, 2, 3, 1, 64, 16)
    copied = largest_new(impl.grouped_attention, q, k, v) > k.numel()
    return {"the output": impl.grouped_attention(q, k, v), "a tensor larger than the keys is written": copied}


def more_queries_than_keys(impl, seed):
    return {"the error": error_of(lambda: impl.grouped_attention(*qkv(seed, 2, 2, 2, 3, 2, 5)))}


def the_two_groups_of_the_workbook(impl, seed):
    v = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]).view(1, 2, 3, 1)
    return impl.grouped_attention(torch.zeros(1, 2, 2, 3, 1), torch.zeros(1, 2, 3, 1), v)


# ---------------------------------------------------------------- cache_bytes_per_token

HEADS = ["right", "sized with the QUERY heads", "of ONE head", "whose head_dim is forgotten"]
FACTOR = ["right", "of the keys ALONE, without the factor 2", "that counts queries too, with a factor 3"]
ELEMENT = [
    "right",
    "in ELEMENTS: the bytes of an element are forgotten",
    "of two bytes an element, whatever is asked",
    "in BITS",
]
LAYERS = ["right", "of ONE layer"]
LATENT = [
    "right",
    "that counts the latent twice, for keys and for values",
    "that forgets the rotated key beside the latent",
    "that keeps a rotated key for EVERY head",
    "that keeps a latent for EVERY head",
    "that ignores the latent, and counts the keys and values made from it",
    "that counts latent AND rotated key twice, as if they were a key and a value",
    "that ADDS the latent to the keys and values of the heads",
    "whose latent has two bytes an element, whatever is asked",
    "that takes a latent without a rotated key for no latent",
]
BYTES_HINTS = {
    HEADS[1]: "Llama 3 has 32 query heads and 8 key/value heads. Which of them are kept?",
    HEADS[2]: "How many key/value heads does a layer have?",
    HEADS[3]: "How many numbers is one key?",
    FACTOR[1]: "What is kept beside the key?",
    FACTOR[2]: "Which later token reads an old query?",
    ELEMENT[1]: "A number in bfloat16 takes how many bytes?",
    ELEMENT[2]: "What does float32 cost?",
    ELEMENT[3]: "Bits or bytes?",
    LAYERS[1]: "Does a layer read the keys of another?",
    LATENT[1]: "Keys and values come from the same latent. How often is it kept?",
    LATENT[2]: "Where does the position of a cached token stand?",
    LATENT[3]: "How many heads share the rotated key?",
    LATENT[4]: "How many heads share the latent?",
    LATENT[5]: "What is written into the cache: the latent, or what is made of it?",
    LATENT[7]: "Keys and values are made from the latent when they are needed. Are they kept too?",
    LATENT[8]: "What does a latent cost in float32?",
    LATENT[9]: "Which of the two widths says that there is a latent?",
    LATENT[6]: "A latent makes both keys and values. Where would a second one come from?",
}


def wrong_bytes(heads, factor, element, layers, latent):
    def cache_bytes_per_token(shape, bytes_per_element=2):
        bytes_ = {ELEMENT[0]: bytes_per_element, ELEMENT[1]: 1, ELEMENT[2]: 2, ELEMENT[3]: 8 * bytes_per_element}
        count = shape.layers if layers == "right" else 1
        C, P, H = shape.latent_dim, shape.rope_dim, shape.heads
        if C and latent != LATENT[5] and (P or latent != LATENT[9]):
            made = {
                LATENT[0]: C + P,
                LATENT[1]: 2 * C + P,
                LATENT[2]: C,
                LATENT[3]: C + H * P,
                LATENT[4]: H * C + P,
                LATENT[6]: 2 * (C + P),
                LATENT[7]: C + P + 2 * shape.kv_heads * shape.head_dim,
            }
            each = 2 if latent == LATENT[8] else bytes_[element]
            return count * made.get(latent, C + P) * each
        kept = {HEADS[0]: shape.kv_heads, HEADS[1]: H, HEADS[2]: 1, HEADS[3]: shape.kv_heads}[heads]
        width = 1 if heads == HEADS[3] else shape.head_dim
        return count * {FACTOR[0]: 2, FACTOR[1]: 1, FACTOR[2]: 3}[factor] * kept * width * bytes_[element]

    return cache_bytes_per_token


SMALL = Shape("small", 7, 15, 5, 11, 100_000)
COMPRESSED = Shape("compressed", 3, 4, 4, 5, 100_000, latent_dim=13, rope_dim=6)


def shared_heads(impl, seed):
    return {f"{n} bytes an element": impl.cache_bytes_per_token(SMALL, n) for n in (1, 2, 4)}


def two_bytes_by_default(impl, seed):
    return impl.cache_bytes_per_token(SMALL)


def a_latent(impl, seed):
    return {f"{n} bytes an element": impl.cache_bytes_per_token(COMPRESSED, n) for n in (1, 2, 4)}


def a_latent_without_a_rotated_key(impl, seed):
    return impl.cache_bytes_per_token(Shape("bare", 2, 4, 4, 5, 100_000, latent_dim=9))


def llama_3_of_the_workbook(impl, seed):
    return impl.cache_bytes_per_token(Shape("Llama 3 8B", 32, 32, 8, 128, 8_030_000_000))


# ---------------------------------------------------------------- largest_batch

WEIGHTS = [
    "right",
    "that forgets that the WEIGHTS need memory too",
    "that takes the weights' number for their bytes",
    "whose weights have two bytes an element, whatever is asked",
]
CONTEXT = ["right", "that forgets the context: one token a text"]
ROUND = [
    "right",
    "that rounds UP",
    "that rounds to the NEAREST number",
    "that is not rounded",
    "of at least one text, where none fits",
    "with a TOLERANCE: a text for which a byte is missing counts",
]
BATCH_ELEMENT = [
    "right",
    "whose cache has two bytes an element, whatever is asked",
    "that ignores the latent or shared heads",
]
BATCH_CHECK = [
    "ValueError",
    "that does not refuse a card on which the weights alone do not fit",
    "that refuses a card on which no text fits",
    "that refuses a card which the weights fill to the last byte",
]
BATCH_HINTS = {
    WEIGHTS[1]: "What is on the card before the first prompt comes?",
    WEIGHTS[2]: "8 billion parameters in bfloat16: how many bytes?",
    WEIGHTS[3]: "A model in one byte an element: how many bytes are its weights?",
    CONTEXT[1]: "How many tokens does each text keep?",
    ROUND[1]: "Half a text: does it fit?",
    ROUND[2]: "2.6 texts' memory is left. How many run?",
    ROUND[3]: "A batch is a whole number.",
    ROUND[4]: "The weights fit, and one text does not. What is promised?",
    ROUND[5]: "Bytes are whole numbers. Which division of whole numbers needs no tolerance?",
    BATCH_ELEMENT[1]: "A cache in one byte an element holds twice as many texts.",
    BATCH_ELEMENT[2]: "Task 3 is there to be called.",
    BATCH_CHECK[1]: "What does the docstring promise where the model cannot be loaded?",
    BATCH_CHECK[2]: "The model can be loaded. Is that an error?",
    BATCH_CHECK[3]: "Nothing is left, and the model can be loaded. How many texts fit?",
}


def wrong_batch(weights, context, rounding, element, check):
    def largest_batch(shape, context_, memory_bytes, bytes_per_element=2):
        need = shape.parameters * (2 if weights == WEIGHTS[3] else bytes_per_element)
        free = memory_bytes - {WEIGHTS[0]: need, WEIGHTS[1]: 0, WEIGHTS[2]: shape.parameters}.get(weights, need)
        if memory_bytes < (need if weights != WEIGHTS[2] else shape.parameters) and weights != WEIGHTS[1]:
            if check == BATCH_CHECK[1]:
                return 0
            raise ValueError("weights")
        elements = 2 * shape.kv_heads * shape.head_dim
        if shape.latent_dim:
            elements = shape.latent_dim + shape.rope_dim
        if element == BATCH_ELEMENT[2]:
            elements = 2 * shape.heads * shape.head_dim
        each = shape.layers * elements * (2 if element == BATCH_ELEMENT[1] else bytes_per_element)
        each *= 1 if context == CONTEXT[1] else context_
        if check == BATCH_CHECK[3] and free == 0:
            raise ValueError("weights")
        if check == BATCH_CHECK[2] and free < each:
            raise ValueError("no text fits")
        number = free / each
        rounds = {
            ROUND[0]: int,
            ROUND[1]: math.ceil,
            ROUND[2]: round,
            ROUND[3]: float,
            ROUND[4]: lambda x: max(1, int(x)),
            ROUND[5]: lambda x: int(x + 1e-6),
        }
        return rounds[rounding](number)

    return lambda shape, context, memory_bytes, bytes_per_element=2: largest_batch(
        shape, context, memory_bytes, bytes_per_element
    )


EACH = 7 * 2 * 5 * 11  # elements of a token of SMALL


def cards_of_several_sizes(impl, seed):
    memory = [100_000 * 2 + int(n * EACH * 2 * 13) for n in (0.0, 0.4, 1.0, 2.3, 2.6, 9.99, 10.0)]
    return {f"{m} bytes": impl.largest_batch(SMALL, 13, m) for m in memory}


def other_numbers_of_bytes(impl, seed):
    return {f"{n} bytes an element": impl.largest_batch(SMALL, 13, 3_000_000, n) for n in (1, 4)}


def a_model_with_a_latent(impl, seed):
    return {f"context {n}": impl.largest_batch(COMPRESSED, n, 1_000_000) for n in (1, 100, 1_000)}


def seven_texts_and_one_byte_less(impl, seed):
    shape = Shape("Llama 3 8B", 32, 32, 8, 128, 8_030_000_000)
    enough = 2 * 8_030_000_000 + 7 * 131_072 * 131_072
    return {name: impl.largest_batch(shape, 131_072, enough - n) for name, n in (("enough", 0), ("a byte less", 1))}


def a_card_on_which_no_text_fits(impl, seed):
    return {"texts": impl.largest_batch(SMALL, 1_000, 210_000)}


def a_card_that_is_too_small(impl, seed):
    cases = {"one byte short": 199_999, "exactly the weights": 200_000, "no memory": 0}
    return {name: error_of(lambda m=m: impl.largest_batch(SMALL, 13, m)) for name, m in cases.items()}


def the_card_of_the_workbook(impl, seed):
    return impl.largest_batch(Shape("Llama 3 8B", 32, 32, 8, 128, 8_030_000_000), 8_192, 24 * 10**9)


# ---------------------------------------------------------------- mean_pool_heads

POOL = [
    "right",
    "that SUMS the heads",
    "that pools across the WIDTH of a head, and not across heads",
    "that pools heads which are g apart, and not neighbours",
    "that keeps the FIRST head of each group",
    "that pools ALL heads into one, and repeats it",
    "that divides by the number of groups, not by the size of a group",
    "whose groups OVERLAP: each starts one head after the last",
    "that divides by the ROOT of the size of a group",
    "that takes the width of a head from d_model, and not from the rows",
]
WHICH = ["both", "that pools the keys, and takes the first head of the VALUES", "whose values are those of the KEYS"]
ORDER = ["k, v", "that returns the values first"]
POOL_CHECK = ["ValueError", "that leaves heads which cannot be shared out to PyTorch, whose error is no ValueError"]
POOL_HINTS = {
    POOL[1]: "What becomes of the size of the scores when two keys are added up?",
    POOL[2]: "Row 0 and row 1 belong to the same head. Which rows belong to the same channel of two heads?",
    POOL[3]: "Which query heads will read the new head, and which old heads did they read?",
    POOL[4]: "What of the second head is left in your output?",
    POOL[5]: "Two groups: may their new heads be the same?",
    POOL[6]: "A mean of how many heads?",
    POOL[7]: "Six heads into two: which is the first head of the second group?",
    POOL[8]: "Four equal heads are pooled. What is their mean?",
    POOL[9]: "With fewer key heads than query heads, how many rows has k_weight, and how many of them has a head?",
    WHICH[1]: "Values are shared by the same query heads as keys.",
    WHICH[2]: "Is v_weight used?",
    ORDER[1]: "In which order does the docstring return them?",
    POOL_CHECK[1]: "Six heads into four: what does the docstring promise?",
    **FORMAT_HINTS,
}


def wrong_pool(pool, which, order, check, format_):
    def pooled(w, G, g):
        size = G // g
        if pool == POOL[9]:
            return w.reshape(g, size, w.shape[1] // G, w.shape[1]).mean(1).flatten(0, 1)
        heads = w.reshape(g, size, -1, w.shape[1])
        return {
            POOL[0]: lambda: heads.mean(1).flatten(0, 1),
            POOL[1]: lambda: heads.sum(1).flatten(0, 1),
            POOL[2]: lambda: w.reshape(-1, size, w.shape[1]).mean(1),
            POOL[3]: lambda: w.reshape(size, g, -1, w.shape[1]).mean(0).flatten(0, 1),
            POOL[4]: lambda: heads[:, 0].flatten(0, 1),
            POOL[5]: lambda: w.reshape(G, -1, w.shape[1]).mean(0).repeat(g, 1),
            POOL[6]: lambda: heads.sum(1).flatten(0, 1) / g,
            POOL[8]: lambda: heads.sum(1).flatten(0, 1) / size**0.5,
            POOL[7]: lambda: w.unflatten(0, (G, -1)).unfold(0, size, 1)[:g].mean(-1).flatten(0, 1),
        }[pool]()

    def mean_pool_heads(k_weight, v_weight, kv_heads, new_kv_heads):
        if kv_heads % new_kv_heads:
            raise (ValueError if check == "ValueError" else RuntimeError)("uneven")
        k_weight, v_weight = in_format(format_, k_weight, v_weight)
        k, v = pooled(k_weight, kv_heads, new_kv_heads), pooled(v_weight, kv_heads, new_kv_heads)
        if which == WHICH[1]:
            v = v_weight.unflatten(0, (new_kv_heads, kv_heads // new_kv_heads, -1))[:, 0].flatten(0, 1)
        if which == WHICH[2]:
            v = k.clone()
        return (v, k) if order == ORDER[1] else (k, v)

    return mean_pool_heads


def pool_of(impl, seed, G, g, D, W, dtype=torch.float32):
    k, v = randn(seed, G * D, W, dtype=dtype), randn(seed + 1, G * D, W, dtype=dtype)
    out = impl.mean_pool_heads(k, v, G, g)
    return {"the keys": out[0], "the values": out[1]}


def six_heads_into_two(impl, seed):
    return pool_of(impl, seed, 6, 2, 4, 5)


def twelve_heads_into_three(impl, seed):
    return pool_of(impl, seed + 2, 12, 3, 4, 3, torch.float64)


def all_heads_into_one(impl, seed):
    return pool_of(impl, seed + 4, 3, 1, 2, 7)


def as_many_heads_as_before(impl, seed):
    return pool_of(impl, seed + 6, 4, 4, 2, 3)


def a_square_projection(impl, seed):
    return pool_of(impl, seed + 8, 4, 2, 3, 12)


def weights_in_bfloat16(impl, seed):
    k = torch.tensor([[1.0], [3.0], [5.0], [9.0]]).bfloat16()
    out = impl.mean_pool_heads(k, 10 * k, 4, 2)
    return {"the keys": out[0], "the values": out[1]}


def groups_that_are_refused(impl, seed):
    w = randn(seed, 12, 5)
    return {f"6 heads into {g}": error_of(lambda g=g: impl.mean_pool_heads(w, w, 6, g)) for g in (4, 5, 3, 12)}


def the_four_heads_of_width_one_of_the_workbook(impl, seed):
    k = torch.tensor([[1.0], [3.0], [5.0], [9.0]])
    out = impl.mean_pool_heads(k, 10 * k, 4, 2)
    return {"the keys": out[0], "the values": out[1]}


# ---------------------------------------------------------------- compress_latent

NORM = [
    "right",
    "WITHOUT the norm of the latent",
    "that normalises the latent AND the rotated key together",
    "that subtracts the MEAN, as LayerNorm does",
    "that ignores the weight of the norm",
    "that normalises the rotated key too, apart from the latent",
    "that divides by the LENGTH of the latent, not by the root of the mean square",
    "whose norm adds nothing under its root: a latent of zeros becomes NaN",
    "whose norm adds PyTorch's default under its root, and not 1e-6",
]
ROTATION = [
    "right",
    "whose key is NOT rotated",
    "that rotates the LATENT too, where the position cannot be absorbed",
    "that counts positions from 0, whatever it is told",
    "that rotates channel i with channel i + P/2, and not with its neighbour",
]
CUT = [
    "right",
    "that takes the FIRST rows of the projection for the rotated key",
    "that cuts the projection in HALF, wherever the latent ends",
]
COMPRESS_HINTS = {
    NORM[1]: "The latent is cached and multiplied twice. What keeps its size?",
    NORM[2]: "Which of the two parts does the equation normalise?",
    NORM[3]: "RMS: of what is the mean taken?",
    NORM[4]: "What is `norm_weight` for?",
    NORM[5]: "The rotated key is used as it is.",
    NORM[6]: "RMS: of what is the root taken, a sum or a mean?",
    ROTATION[1]: "Where does the cached token's position come from?",
    ROTATION[2]: "Between query and latent stands the up-projection. Can a rotation by the distance get past it?",
    ROTATION[3]: "A new token after 100 cached ones: which angle?",
    CUT[1]: "Read the docstring again: which rows make the latent?",
    CUT[2]: "A latent of 512 numbers and a rotated key of 64: where is the border?",
    NORM[7]: "What is 0 / 0? Call the `rms_norm` that is handed out.",
    NORM[8]: "Call the `rms_norm` that is handed out.",
    ROTATION[4]: "There are two conventions. Call the `rotate` that is handed out.",
    **FORMAT_HINTS,
}


def rotate_halves(x, positions):
    """RoPE in the other convention: the first half of the channels with the second."""
    first, second = x.chunk(2, -1)
    mixed = rotate(torch.stack((first, second), -1).flatten(-2), positions)
    return torch.cat((mixed[..., 0::2], mixed[..., 1::2]), -1)


def wrong_compress(norm, rotation, cut, format_):
    def compress_latent(x, kv_down, norm_weight, positions):
        x, kv_down, norm_weight = in_format(format_, x, kv_down, norm_weight)
        C = len(norm_weight)
        both = x @ kv_down.T
        P = both.shape[-1] - C
        halves = tuple(both.chunk(2, -1))
        latent, key = dict(
            zip(CUT, ((both[..., :C], both[..., C:]), (both[..., P:], both[..., :P]), halves), strict=True)
        )[cut]
        plain = torch.ones(P, dtype=x.dtype)
        if norm == NORM[2]:
            together = rms_norm(torch.cat((latent, key), -1), torch.cat((norm_weight, plain)))
            latent, key = together[..., :C], together[..., C:]
        elif norm == NORM[3]:
            latent = rms_norm(latent - latent.mean(-1, keepdim=True), norm_weight)
        elif norm == NORM[4]:
            latent = rms_norm(latent, torch.ones_like(norm_weight))
        elif norm == NORM[6]:
            latent = latent / latent.norm(dim=-1, keepdim=True) * norm_weight
        elif norm == NORM[7]:
            latent = latent / latent.square().mean(-1, keepdim=True).sqrt() * norm_weight
        elif norm == NORM[8]:
            latent = torch.nn.functional.rms_norm(latent, (C,), norm_weight)
        elif norm != NORM[1]:
            latent = rms_norm(latent, norm_weight)
        if norm == NORM[5]:
            key = rms_norm(key, plain)
        at = positions - positions[0] if rotation == ROTATION[3] else positions
        if rotation == ROTATION[2]:
            latent = rotate(latent, at)
        if rotation == ROTATION[4]:
            return latent, rotate_halves(key, at)
        return latent, key if rotation == ROTATION[1] else rotate(key, at)

    return compress_latent


def compressed(impl, seed, B, T, W, C, P, start=0, dtype=torch.float32):
    x, down, weight = (randn(seed + i, *s, dtype=dtype) for i, s in enumerate(((B, T, W), (C + P, W), (C,))))
    out = impl.compress_latent(x, down, weight, torch.arange(start, start + T))
    return {"the latent": out[0], "the rotated key": out[1]}


def a_prompt(impl, seed):
    return compressed(impl, seed, 2, 5, 7, 6, 4)


def new_tokens_at_later_positions(impl, seed):
    return compressed(impl, seed + 3, 3, 2, 5, 8, 2, start=11)


def a_latent_as_wide_as_the_rotated_key(impl, seed):
    return compressed(impl, seed + 6, 1, 3, 7, 4, 4, start=2, dtype=torch.float64)


def a_token_of_zeros_and_small_ones(impl, seed):
    x = randn(seed + 9, 1, 3, 4, dtype=torch.float64) * torch.tensor([0.0, 1e-3, 1e-2])[:, None]
    down, weight = randn(seed + 10, 5, 4, dtype=torch.float64), randn(seed + 11, 3, dtype=torch.float64)
    out = impl.compress_latent(x, down, weight, torch.arange(3))
    return {"the latent": out[0], "the rotated key": out[1]}


def tokens_in_bfloat16(impl, seed):
    down = torch.tensor([[3.0], [4.0], [1.0], [0.0]]).bfloat16()
    latent, key = impl.compress_latent(down.new_ones(1, 2, 1), down, down.new_full((2,), 5.0), torch.tensor([0, 1]))
    return {"the latent, rounded": latent.round(), "the rotated key, rounded to halves": (2 * key).round() / 2}


def the_four_numbers_of_the_workbook(impl, seed):
    down = torch.tensor([[3.0], [4.0], [1.0], [0.0]])
    out = impl.compress_latent(torch.ones(1, 2, 1), down, torch.ones(2), torch.tensor([0, 1]))
    return {"the latent": out[0], "the rotated key": out[1]}


# ---------------------------------------------------------------- absorbed_attention

SIDE = [
    "right",
    "absorbed on the WRONG SIDE: k_up is transposed",
    "in which the FIRST head's up-projections serve all heads",
    "that multiplies the values with k_up",
    "that MAKES the keys and values of every head",
    "that MAKES the keys of every head",
    "that MAKES the values of every head",
    "that COPIES the latent for every head",
]
LATENT_SCALE = [
    "right",
    "scaled by 1/√N, without the rotated width",
    "scaled by 1/√(C + P), the width of what is cached",
    "WITHOUT a scale",
    "in which each of the two parts has a scale of its own, 1/√N and 1/√P",
    "that scales the first part of the score ALONE",
    "that scales the rotated part of the score ALONE",
]
PARTS_USED = ["right", "that leaves out the ROTATED part", "that leaves out the latent part of the scores"]
LATENT_MASK = ["right", "WITHOUT the causal mask"]
LATENT_SOFTMAX = [
    "keys",
    "with its softmax over the QUERIES",
    "whose softmax OVERFLOWS at large scores: nothing is subtracted before `exp`",
    "that CUTS OFF large scores before `exp`",
    "that subtracts ONE maximum from the scores of all heads and queries before `exp`",
]
LATENT_CHECK = ["ValueError", "that does not refuse more queries than tokens"]
LATENT_GRAPH = ["kept", "that DETACHES the latents", "that DETACHES both up-projections"]
ABSORBED_HINTS = {
    SIDE[1]: "q · (U c) = (Uᵀ q) · c: which axis of k_up meets the query?",
    SIDE[2]: "What is left that tells the heads' keys apart?",
    SIDE[3]: "Two up-projections: one makes keys. And the other?",
    SIDE[4]: "The numbers are right. How many did you write for each cached token?",
    SIDE[5]: "The numbers are right. How many did you write for each cached token, before the scores?",
    SIDE[6]: "The numbers are right. Can the sum over tokens come before v_up?",
    SIDE[7]: "All heads read the same latent. What does a copy for each of them cost?",
    LATENT_SCALE[5]: "Which sum does the equation divide?",
    LATENT_SCALE[6]: "Which sum does the equation divide?",
    LATENT_SOFTMAX[1]: "Whose weights must sum to one, and over what?",
    LATENT_SOFTMAX[2]: "What is exp(1000)? Which number may be subtracted from all scores of a query?",
    LATENT_CHECK[1]: "Three queries and two tokens: where would the first query stand?",
    LATENT_SOFTMAX[3]: ATTENTION_HINTS[SOFTMAX[5]],
    LATENT_SOFTMAX[4]: ATTENTION_HINTS[SOFTMAX[6]],
    LATENT_GRAPH[1]: "How does kv_down learn?",
    LATENT_GRAPH[2]: "How do k_up and v_up learn?",
    **FORMAT_HINTS,
    LATENT_SCALE[1]: "How many numbers does a whole key have?",
    LATENT_SCALE[2]: "The absorbed form must give the numbers of the expanded one. What is the scale there?",
    LATENT_SCALE[3]: "What is the variance of a sum of N + P products?",
    LATENT_SCALE[4]: "The two parts are one key. How wide is it?",
    PARTS_USED[1]: "Exchange two cached tokens: does anything change?",
    PARTS_USED[2]: "Is q_nope used?",
    LATENT_MASK[1]: "Change the last token's latent: may the first query notice?",
}


def wrong_absorbed(side, scale, parts, mask, softmax, check, graph, format_):
    def absorbed_attention(q_nope, q_rope, latent, k_rope, k_up, v_up):
        q_nope, q_rope, latent, k_rope, k_up, v_up = in_format(format_, q_nope, q_rope, latent, k_rope, k_up, v_up)
        if graph == LATENT_GRAPH[1]:
            latent = latent.detach()
        if graph == LATENT_GRAPH[2]:
            k_up, v_up = k_up.detach(), v_up.detach()
        H, N, C = k_up.shape
        P = q_rope.shape[-1]
        Tq, Tk = q_nope.shape[2], latent.shape[1]
        if Tq > Tk and check == "ValueError":
            raise ValueError("queries")
        if side == SIDE[2]:
            k_up, v_up = k_up[:1].expand_as(k_up), v_up[:1].expand_as(v_up)
        if side in (SIDE[4], SIDE[5]):
            scores = q_nope @ torch.einsum("btc,hnc->bhtn", latent, k_up).mT
        else:
            if side == SIDE[1] and N != C:
                raise RuntimeError("shapes do not fit")
            q_latent = torch.einsum("bhtn,hcn->bhtc" if side == SIDE[1] else "bhtn,hnc->bhtc", q_nope, k_up)
            scores = torch.stack([q_latent[:, h] @ latent.mT for h in range(H)], 1)
        if side == SIDE[7]:
            torch.cat((latent, k_rope), -1)[:, None].repeat(1, H, 1, 1)
        rotated = torch.stack([q_rope[:, h] @ k_rope.mT for h in range(H)], 1)
        if scale == LATENT_SCALE[4]:
            scores, rotated = scores / math.sqrt(N), rotated / math.sqrt(P)
        if scale == LATENT_SCALE[5]:
            scores = scores / math.sqrt(N + P)
        if scale == LATENT_SCALE[6]:
            rotated = rotated / math.sqrt(N + P)
        scores = {PARTS_USED[0]: scores + rotated, PARTS_USED[1]: scores, PARTS_USED[2]: rotated}[parts]
        scores = scores / math.sqrt(dict(zip(LATENT_SCALE, (N + P, N, C + P, 1, 1, 1, 1), strict=True))[scale])
        if mask != LATENT_MASK[1]:
            scores = scores.masked_fill(~torch.ones(Tq, Tk, dtype=torch.bool).tril(Tk - Tq), -math.inf)
        if softmax in LATENT_SOFTMAX[2:]:
            weights = weights_without_softmax(scores, softmax, LATENT_SOFTMAX[2:])
        else:
            weights = scores.softmax(-1 if softmax == "keys" else -2)
        if side in (SIDE[4], SIDE[6]):
            return weights @ torch.einsum("btc,hvc->bhtv", latent, v_up)
        out = torch.stack([weights[:, h] @ latent for h in range(H)], 1)
        return torch.einsum("bhtc,hvc->bhtv", out, k_up if side == SIDE[3] else v_up)

    return absorbed_attention


def latent_inputs(seed, B, H, Tq, Tk, N, P, C, V, dtype=torch.float32):
    shapes = ((B, H, Tq, N), (B, H, Tq, P), (B, Tk, C), (B, Tk, P), (H, N, C), (H, V, C))
    return [randn(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes)]


def a_whole_text(impl, seed):
    return impl.absorbed_attention(*latent_inputs(seed, 2, 3, 5, 5, 6, 2, 7, 4))


def one_new_query(impl, seed):
    return impl.absorbed_attention(*latent_inputs(seed + 10, 2, 3, 1, 6, 5, 4, 3, 7))


def two_new_queries(impl, seed):
    return impl.absorbed_attention(*latent_inputs(seed + 20, 3, 2, 2, 5, 3, 2, 5, 4))


def widths_that_are_all_equal(impl, seed):
    return impl.absorbed_attention(*latent_inputs(seed + 30, 2, 2, 3, 4, 4, 4, 4, 4))


def in_float64(impl, seed):
    args = latent_inputs(seed + 40, 1, 3, 2, 5, 3, 2, 4, 5, torch.float64)
    return impl.absorbed_attention(*args)


def written(impl, args):
    """The output, and what the largest tensor that was written may be, where it is as large as all heads' keys."""
    q_nope, _, latent, k_rope, _, v_up = args
    (B, H, _, N), P = q_nope.shape, k_rope.shape[-1]
    (Tk, C), V = latent.shape[1:], v_up.shape[1]
    width = largest_new(impl.absorbed_attention, *args) / (B * H * Tk)
    names = {N: "keys", N + P: "keys", C: "latents", C + P: "latents", V: "values"}
    found = "nothing" if width < N else names.get(width, "another tensor")
    return {"the output": impl.absorbed_attention(*args), "made for every head and token": found}


def a_long_text(impl, seed):
    return written(impl, latent_inputs(seed + 50, 2, 3, 1, 64, 16, 4, 18, 23))


def a_long_text_with_narrow_values(impl, seed):
    return written(impl, latent_inputs(seed + 55, 2, 3, 1, 64, 23, 4, 12, 14))


def latent_scores_in_the_thousands(impl, seed):
    q_nope, *rest = latent_inputs(seed + 60, 1, 2, 3, 4, 3, 2, 4, 5, torch.float64)
    return impl.absorbed_attention(3_000 * q_nope, *rest)


def the_gradients_of_the_absorbed_form(impl, seed):
    leaves = [x.requires_grad_() for x in latent_inputs(seed + 70, 2, 2, 2, 3, 3, 2, 4, 5, torch.float64)]
    names = ("q_nope", "q_rope", "the latents", "the rotated keys", "k_up", "v_up")
    out = impl.absorbed_attention(*leaves)
    found = zip(names, leaves, strict=True)
    return {f"the gradient of {name}": back(out, x) for name, x in found}


def a_latent_model_in_bfloat16(impl, seed):
    latent = torch.tensor([[[1.0], [2.0], [3.0]]]).bfloat16()
    zeros = latent.new_zeros(1, 1, 3, 1), latent.new_zeros(1, 1, 3, 2)
    ups = latent.new_ones(1, 1, 1), latent.new_full((1, 1, 1), 10.0)
    out = impl.absorbed_attention(*zeros, latent, latent.new_zeros(1, 3, 2), *ups)
    return {"the output, rounded to halves": (2 * out).round() / 2}


def more_queries_than_tokens(impl, seed):
    return {"the error": error_of(lambda: impl.absorbed_attention(*latent_inputs(seed, 1, 2, 3, 2, 4, 2, 3, 4)))}


def the_three_latents_of_the_workbook(impl, seed):
    latent, ten = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[[10.0]]])
    zeros = torch.zeros(1, 1, 3, 1), torch.zeros(1, 1, 3, 2)
    return impl.absorbed_attention(*zeros, latent, torch.zeros(1, 3, 2), torch.ones(1, 1, 1), ten)


PROBES = {
    "split_groups": [
        six_heads_in_two_groups,
        as_many_groups_as_heads_in_a_group,
        keys_whose_heads_are_their_own_groups,
        one_group_of_all_heads,
        a_slice_of_a_wider_projection,
        the_gradient_of_a_projection,
        heads_in_bfloat16,
        heads_that_are_refused,
        the_four_heads_of_the_workbook,
    ],
    "grouped_attention": [
        two_groups_of_three_heads,
        as_many_groups_as_heads_in_each,
        new_queries_after_cached_keys,
        one_query_after_cached_keys,
        multi_head_attention,
        multi_query_attention,
        numbers_of_float64,
        scores_in_the_thousands,
        the_gradients_of_attention,
        a_model_in_bfloat16,
        a_long_cache,
        more_queries_than_keys,
        the_two_groups_of_the_workbook,
    ],
    "cache_bytes_per_token": [
        shared_heads,
        two_bytes_by_default,
        a_latent,
        a_latent_without_a_rotated_key,
        llama_3_of_the_workbook,
    ],
    "largest_batch": [
        cards_of_several_sizes,
        other_numbers_of_bytes,
        a_model_with_a_latent,
        seven_texts_and_one_byte_less,
        a_card_on_which_no_text_fits,
        a_card_that_is_too_small,
        the_card_of_the_workbook,
    ],
    "mean_pool_heads": [
        six_heads_into_two,
        twelve_heads_into_three,
        all_heads_into_one,
        as_many_heads_as_before,
        a_square_projection,
        weights_in_bfloat16,
        groups_that_are_refused,
        the_four_heads_of_width_one_of_the_workbook,
    ],
    "compress_latent": [
        a_prompt,
        new_tokens_at_later_positions,
        a_latent_as_wide_as_the_rotated_key,
        a_token_of_zeros_and_small_ones,
        tokens_in_bfloat16,
        the_four_numbers_of_the_workbook,
    ],
    "absorbed_attention": [
        a_whole_text,
        one_new_query,
        two_new_queries,
        widths_that_are_all_equal,
        in_float64,
        latent_scores_in_the_thousands,
        the_gradients_of_the_absorbed_form,
        a_latent_model_in_bfloat16,
        a_long_text,
        a_long_text_with_narrow_values,
        more_queries_than_tokens,
        the_three_latents_of_the_workbook,
    ],
}

SPLIT_KNOBS = {"layout": LAYOUT, "graph": GRAPH, "check": SPLIT_CHECK, "format_": FORMAT}
ATTENTION_KNOBS = {
    "sharing": SHARING,
    "scale": SCALE,
    "mask": MASK,
    "softmax": SOFTMAX,
    "check": ATTENTION_CHECK,
    "graph": ATTENTION_GRAPH,
    "format_": FORMAT,
}
BYTES_KNOBS = {"heads": HEADS, "factor": FACTOR, "element": ELEMENT, "layers": LAYERS, "latent": LATENT}
BATCH_KNOBS = {
    "weights": WEIGHTS,
    "context": CONTEXT,
    "rounding": ROUND,
    "element": BATCH_ELEMENT,
    "check": BATCH_CHECK,
}
POOL_KNOBS = {"pool": POOL, "which": WHICH, "order": ORDER, "check": POOL_CHECK, "format_": FORMAT}
COMPRESS_KNOBS = {"norm": NORM, "rotation": ROTATION, "cut": CUT, "format_": FORMAT}
ABSORBED_KNOBS = {
    "side": SIDE,
    "scale": LATENT_SCALE,
    "parts": PARTS_USED,
    "mask": LATENT_MASK,
    "softmax": LATENT_SOFTMAX,
    "check": LATENT_CHECK,
    "graph": LATENT_GRAPH,
    "format_": FORMAT,
}


def of(task):
    """Every known mistake of a task."""
    made = {
        "split_groups": lambda: combine(task, "a split", SPLIT_KNOBS, wrong_split, SPLIT_HINTS, most=1),
        "grouped_attention": lambda: combine(
            task, "an attention", ATTENTION_KNOBS, wrong_attention, ATTENTION_HINTS, most=1
        ),
        "cache_bytes_per_token": lambda: combine(task, "a cache", BYTES_KNOBS, wrong_bytes, BYTES_HINTS, most=1),
        "largest_batch": lambda: combine(task, "a batch", BATCH_KNOBS, wrong_batch, BATCH_HINTS, most=1),
        "mean_pool_heads": lambda: combine(task, "a pooling", POOL_KNOBS, wrong_pool, POOL_HINTS, most=1),
        "compress_latent": lambda: filter(
            of_one_or_plain, combine(task, "a compression", COMPRESS_KNOBS, wrong_compress, COMPRESS_HINTS)
        ),
        "absorbed_attention": lambda: filter(
            of_one_or_a_copy, combine(task, "an attention", ABSORBED_KNOBS, wrong_absorbed, ABSORBED_HINTS)
        ),
    }
    yield from made[task]()


def of_one_or_a_copy(mistake):
    """A broadcast product copies the latent without a word, so this mistake often comes with another."""
    return mistake.knobs == 1 or SIDE[7] in mistake.sentence


def of_one_or_plain(mistake):
    """Rare mistakes come alone."""
    rare = (*NORM[7:], ROTATION[4], CUT[2], *FORMAT[1:])
    return mistake.knobs == 1 or not any(sentence in mistake.sentence for sentence in rare)
