"""The classic mistakes of windows, rolling caches, sinks and receptive fields, and the inputs that tell them apart.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import copy
import importlib
import math
from collections import deque
from collections.abc import Mapping
from functools import partial

import torch
import torch.nn.functional as F
from grader import Mistake, combine, error_of
from sliding_window import Conv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

importlib.import_module("torch._dynamo")  # counting needs it; its first import takes seconds, on nobody's clock

TASKS = [
    "window_mask",
    "receptive_field",
    "banded_attention",
    "RollingCache",
    "cache_positions",
    "sink_slots",
    "causal_conv1d",
    "conv_receptive_field",
]
GIVEN = ["attend", "rotate", "Conv"]
GATE_SEEDS = 3
PARTS = {"RollingCache": ["__init__", "update", "reset"]}


def listed(task, noun, mistakes):
    """Mistakes that do not combine: (what it does, hint, implementation)."""
    for words, hint, implementation in mistakes:
        yield Mistake(task, f"{noun} {words}", hint, 1, implementation)


def made(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


# ---------------------------------------------------------------- window_mask

WIDTH = [
    "window",
    "that shows window + 1 keys",
    "that shows window - 1 keys",
    "that IGNORES the window",
    "that shows the query's own BLOCK of keys instead of a window that slides",
]
SIDE = ["past", "that looks FORWARD instead of back", "that looks to BOTH sides"]
ALIGNED = ["bottom right", "aligned at the TOP LEFT"]
TRUE = ["seen", "in which True is HIDDEN"]
REFUSED = [
    "both",
    "that accepts a window of 0",
    "that accepts more queries than keys",
    "that accepts a NEGATIVE window",
    "that refuses a window longer than the text",
]
MASK_KNOBS = {"width": WIDTH, "side": SIDE, "aligned": ALIGNED, "true": TRUE, "refused": REFUSED}
MASK_HINTS = {
    WIDTH[1]: "Window 1: how many keys does a token see, and which?",
    WIDTH[2]: "Window 1 shows the token itself. What does your mask show then?",
    WIDTH[3]: "Query 5 and window 2: does it see key 0?",
    WIDTH[4]: "Query 4 and window 4: does it see key 3, which lies right before it?",
    SIDE[1]: "Which tokens exist already when query 3 is computed?",
    SIDE[2]: "Does the output of token 3 change when token 4 changes?",
    ALIGNED[1]: "Two new tokens after three cached ones: which key belongs to the first query?",
    TRUE[1]: "`attend` hides a key where the mask is False.",
    REFUSED[1]: "A window of 0 shows nothing at all: what is the softmax of an empty row?",
    REFUSED[2]: "Each query has a key of its own. Can there be more queries than keys?",
    REFUSED[3]: "A window of -1: is it below 1?",
    REFUSED[4]: "Two tokens and a window of 50: what do the tokens see?",
}


def wrong_mask(width=WIDTH[0], side=SIDE[0], aligned=ALIGNED[0], true=TRUE[0], refused=REFUSED[0]):
    def window_mask(Tq, Tk, window):
        accepted = {REFUSED[1]: window < 1, REFUSED[3]: window < 0}.get(refused, False)
        too_long = refused == REFUSED[4] and window > Tk
        if (window < 1 and not accepted) or (Tq > Tk and refused != REFUSED[2]) or too_long:
            raise ValueError("refused")
        query = torch.arange(Tq)[:, None] + (Tk - Tq if aligned == ALIGNED[0] else 0)
        behind = query - torch.arange(Tk)
        if side == SIDE[1]:
            behind = -behind
        if side == SIDE[2]:
            behind = behind.abs()
        limit = {WIDTH[1]: window + 1, WIDTH[2]: window - 1, WIDTH[3]: Tk + 1}.get(width, window)
        shown = (behind >= 0) & (behind < limit)
        if width == WIDTH[4]:
            shown = (behind >= 0) & (query // max(window, 1) == torch.arange(Tk) // max(window, 1))
        return shown if true == TRUE[0] else ~shown

    return window_mask


def a_whole_text(impl, seed):
    return impl.window_mask(9, 9, 2 + seed % 3)


def a_chunk_after_cached_keys(impl, seed):
    return impl.window_mask(3, 11, 3 + seed % 2)


def one_query_after_cached_keys(impl, seed):
    return impl.window_mask(1, 7, 4)


def a_window_of_one(impl, seed):
    return impl.window_mask(4, 6, 1)


def a_window_as_long_as_the_text_and_longer(impl, seed):
    return {"as long": impl.window_mask(5, 5, 5), "longer": impl.window_mask(2, 5, 50)}


def no_query(impl, seed):
    return impl.window_mask(0, 5, 3)


def window_masks_that_are_refused(impl, seed):
    cases = {"window 0": (3, 3, 0), "window -1": (3, 3, -1), "4 queries, 3 keys": (4, 3, 2), "window 1": (3, 3, 1)}
    return {name: error_of(lambda c=c: impl.window_mask(*c)) for name, c in cases.items()}


def the_mask_of_the_workbook(impl, seed):
    return impl.window_mask(2, 5, 3)


# ---------------------------------------------------------------- receptive_field

FIELD_MISTAKES = [
    ("of L·W", "Two layers of window 2 at position 9: list the tokens. Is it four?", lambda L, W: L * W),
    ("of L·W + 1", "One layer of window 2: which two tokens are seen?", lambda L, W: L * W + 1),
    ("without the token itself", "Window 1 in each layer: how many tokens are seen?", lambda L, W: L * (W - 1)),
    ("of ONE layer", "The keys of layer 2 are outputs of layer 1. What have those seen?", lambda L, W: W),
    ("of W to the power of L", "Does a second layer multiply the reach, or add to it?", lambda L, W: W**L),
    ("of L - 1 layers", "One layer of window 4: how many tokens?", lambda L, W: (L - 1) * (W - 1) + 1),
    (
        "of L·(W - 1) + W",
        "One layer of window 4 sees 4 tokens: does your formula say so?",
        lambda L, W: L * (W - 1) + W,
    ),
    ("of L·W - 1", "Three layers of window 2: 4 tokens. What does the formula say?", lambda L, W: L * W - 1),
    ("of 2·L·(W - 1) + 1, to both sides", "May a token look ahead?", lambda L, W: 2 * L * (W - 1) + 1),
    ("of TWO layers, however many there are", "One layer of window 4: how many tokens?", lambda L, W: 2 * W - 1),
    ("of W layers of window L", "Which of the two numbers is the window?", lambda L, W: W * (L - 1) + 1),
    ("that is no int", "How many tokens is 7.0? Tokens are counted.", lambda L, W: float(L * (W - 1) + 1)),
]


def stacks_of_windows(impl, seed):
    cases = [(1, 1), (1, 4), (2, 2), (3, 2), (2, 5), (7, 3), (5, 1), (32, 4096), (3 + seed % 5, 11)]
    return {f"{layers} layers of window {window}": impl.receptive_field(layers, window) for layers, window in cases}


def no_layer_at_all(impl, seed):
    return impl.receptive_field(0, 6)


# ---------------------------------------------------------------- banded_attention

EDGE = [
    "W - 1",
    "whose blocks MISS the W - 1 keys before them",
    "whose blocks reach back one key too FEW",
    "whose windows show W + 1 keys",
    "whose blocks show every key back to the start of the block before them",
    "whose blocks show every key that was passed, also those that have left a query's window",
]
FUTURE = ["hidden", "that sees LATER keys inside of a block"]
SHORT = [
    "masked",
    "whose LAST, shorter block is masked as if it were aligned at the top left",
    "that leaves out the tokens after the last full block",
    "that attends to zeros before the beginning of the text",
]
SQUARE = [
    "blocks",
    "that builds the whole T × T square and masks it",
    "that copies the keys of every window, T·W·D numbers",
    "that gives every block ALL the older keys, so that the work grows with T²",
]
PRECISE = ["kept", "that computes in float32, whatever the dtype is"]
SCALE = ["scaled", "WITHOUT the 1/sqrt(D) scale"]
LARGE = ["any size", "whose softmax takes the exponential of large scores as they are, and overflows"]
BAND_KNOBS = {"edge": EDGE, "future": FUTURE, "short": SHORT, "square": SQUARE, "scale": SCALE, "precise": PRECISE,
              "large": LARGE}  # fmt: skip
BAND_HINTS = {
    EDGE[1]: "The first query of a block sees W tokens. How many of them are in its own block?",
    EDGE[2]: "Window 4, block from 8 on: query 8 sees keys 5 to 8. Where must the keys begin?",
    EDGE[3]: "How many keys does a window of W show, the query's own included?",
    EDGE[4]: "The last query of a block sees no key of the block before. Does your mask say so?",
    EDGE[5]: "Window 4, block from 8 on: the keys are 5 to 11. Which of them does query 11 see?",
    FUTURE[1]: "Change the last token of a block. Does the output of the first one change?",
    SHORT[1]: "The last block has fewer queries, and as many keys before it as the others.",
    SHORT[2]: "T = 10, W = 4: in which block is token 9?",
    SHORT[3]: "A key of zeros has the score 0. What weight does the softmax give it?",
    SCALE[1]: "What is the variance of a dot product of two D-dimensional unit-variance vectors?",
    SQUARE[1]: "T = 100,000 and W = 256: how many scores do you compute, and how many are shown?",
    SQUARE[2]: "One key stands in W windows. Must it be in memory W times?",
    SQUARE[3]: "Window 4, block from 1,000 on: does any of its queries see key 0?",
    LARGE[1]: "What is exp(1000) as a float? What does a softmax take off before it?",
    PRECISE[1]: "How many digits has a float64, and how many are left after `.float()`?",
}


def wrong_band(edge=EDGE[0], future=FUTURE[0], short=SHORT[0], square=SQUARE[0], scale=SCALE[0], precise=PRECISE[0],
               large=LARGE[0]):  # fmt: skip
    def banded_attention(q, k, v, window):
        T, dtype = q.shape[2], q.dtype
        if precise == PRECISE[1]:
            q, k, v = q.float(), k.float(), v.float()
        if square == SQUARE[2]:
            k.new_zeros(*k.shape[:3], window, k.shape[3])
        out, step = [], T if square == SQUARE[1] else window
        for start in range(0, T, step):
            end = min(start + step, T)
            if short == SHORT[2] and end - start < step:
                break
            reach = {EDGE[1]: 0, EDGE[2]: max(window - 2, 0), EDGE[3]: window, EDGE[4]: window}.get(edge, window - 1)
            first = start - reach
            lead = max(-first, 0) if short == SHORT[3] else 0
            first = 0 if square == SQUARE[3] else max(first, 0)
            keys, values = (F.pad(x[:, :, first:end], (0, 0, lead, 0)) for x in (k, v))
            query = torch.arange(start, end)[:, None]
            key = torch.arange(first - lead, end)
            if short == SHORT[1] and end == T and T % window and square != SQUARE[1]:
                query = query - start + first
            behind = query - key
            limit = {EDGE[3]: window + 1, EDGE[4]: 2 * T + window, EDGE[5]: 2 * T + window}.get(edge, window)
            shown = behind < limit
            if edge in EDGE[1:3] and square in (SQUARE[1], SQUARE[3]):
                shown = shown & (key >= query // window * window - reach)
            if future == FUTURE[0]:
                shown = shown & (behind >= 0)
            width = q.shape[-1] if scale == SCALE[0] else 1
            scores = q[:, :, start:end] @ keys.transpose(-2, -1) / math.sqrt(width)
            scores = scores.masked_fill(~shown, -math.inf)
            if large == LARGE[1]:
                out.append(scores.exp() / scores.exp().sum(-1, keepdim=True) @ values)
            else:
                out.append(scores.softmax(-1) @ values)
        return torch.cat(out, 2).to(dtype)

    return banded_attention


def qkv(seed, T, dtype=torch.float32, B=2, H=3, D=7):
    return [made(seed + i, B, H, T, D, dtype=dtype) for i in range(3)]


def whole_blocks_only(impl, seed):
    return impl.banded_attention(*qkv(seed, 12), 4)


def a_last_block_that_is_short(impl, seed):
    return impl.banded_attention(*qkv(seed + 3, 13), 5)


def windows_of_one_token(impl, seed):
    return impl.banded_attention(*qkv(seed + 6, 5), 1)


def windows_of_two_tokens(impl, seed):
    return impl.banded_attention(*qkv(seed + 9, 7), 2)


def a_window_longer_than_the_text(impl, seed):
    return impl.banded_attention(*qkv(seed + 12, 6), 9)


def a_single_token(impl, seed):
    return impl.banded_attention(*qkv(seed + 15, 1), 4)


def has_more_digits(found, single):
    """Whether a float64 result differs from the float32 one: what is computed in float32 has the same digits."""
    return not torch.equal(found.float(), single.float())


def bands_in_float64(impl, seed):
    inputs = qkv(seed + 18, 11, torch.float64)
    found, single = impl.banded_attention(*inputs, 3), impl.banded_attention(*(x.float() for x in inputs), 3)
    return {"values": found, "more digits than in float32": has_more_digits(found, single)}


def scores_in_the_thousands(impl, seed):
    q, k, v = qkv(seed + 20, 9, torch.float64)
    return impl.banded_attention(1_000 * q, k, v, 2)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that any operation makes. A view is as large as its memory, if that is less."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        sizes = [min(x.numel(), x.untyped_storage().nbytes() // x.element_size()) for x in tensors]
        self.numel = max([self.numel, *sizes])
        return out


def the_memory_of_a_long_text(impl, seed):
    q, k, v = qkv(seed + 21, 80, B=1, H=1, D=4)
    with Largest() as largest:
        impl.banded_attention(q, k, v, 5)
    return {"no tensor holds more than 4·T·W numbers a head": largest.numel <= 4 * 80 * 5}


def the_memory_of_a_wide_head(impl, seed):
    q, k, v = qkv(seed + 24, 12, B=1, H=1, D=5)
    with Largest() as largest:
        impl.banded_attention(q, k, v, 4)
    return {"no tensor holds more than 4·T·W numbers a head": largest.numel <= 4 * 12 * 4}


def the_work_of_a_long_text(impl, seed):
    q, k, v = qkv(seed + 27, 80, B=1, H=1, D=4)
    with FlopCounterMode(display=False) as counter:
        impl.banded_attention(q, k, v, 5)
    return {"no more than 2·T·W scores are computed": counter.get_total_flops() <= 2 * 2 * 80 * (2 * 5) * 4}


def the_numbers_of_the_workbook(impl, seed):
    zeros = torch.zeros(1, 1, 5, 1)
    v = torch.tensor([1.0, 2.0, 3.0, 4.0, 10.0]).view(1, 1, 5, 1)
    return impl.banded_attention(zeros, zeros, v, 2)


# ---------------------------------------------------------------- RollingCache

ORDER = ["text", "that returns its keys in the order of the SLOTS"]
EVICTION = [
    "after",
    "that EVICTS before the first new query has used the oldest tokens",
    "that returns W older tokens and not W - 1",
    "that returns W - 2 older tokens and not W - 1",
    "that never evicts",
    "that returns the older tokens only",
    "that returns the new tokens only",
]
SLOT = [
    "t mod W",
    "that writes every chunk from slot 0 on",
    "that keeps the FIRST W tokens of a long chunk",
    "that goes round W - 1 slots",
]
COUNT = ["tokens", "whose position counts updates and not tokens", "whose position never goes beyond the window"]
VALUES = ["values", "that stores the keys as values too"]
RESET = ["clears", "whose reset KEEPS the last text", "whose reset sets the position only, and shows old tokens"]
DTYPE = ["asked", "that ignores dtype", "whose slots are float32, whatever the dtype is"]
WINDOW = ["refused", "that accepts a window of 0"]
MEMORY = [
    "bounded",
    "that keeps EVERY token in memory, and shows the last ones only",
    "that keeps the whole memory of a long CHUNK, of which it needs the last W tokens",
]
RETURNED = ["copies", "that returns a VIEW of its slots where they are in order, and overwrites it later"]
CACHE_KNOBS = {"order": ORDER, "eviction": EVICTION, "slot": SLOT, "count": COUNT, "values": VALUES, "reset": RESET,
               "dtype": DTYPE, "window_": WINDOW, "memory": MEMORY, "returned": RETURNED}  # fmt: skip
CACHE_HINTS = {
    ORDER[1]: "W = 3 and five tokens: slot 0 holds token 3. Which key must come first?",
    EVICTION[1]: "W = 4, six tokens cached, two new ones: which keys does the FIRST new query see?",
    EVICTION[2]: "The query's own key is one of the W. How many older ones are left?",
    EVICTION[3]: "The query's own key is one of the W. How many older ones are left?",
    EVICTION[4]: "After a million tokens, how much memory does the cache have?",
    EVICTION[5]: "Does a token see itself?",
    EVICTION[6]: "What is the cache for, if nothing comes out of it?",
    SLOT[1]: "Token t has its own slot, whichever chunk brings it.",
    SLOT[2]: "A prompt of 10 tokens and a window of 4: which tokens does the next query need?",
    SLOT[3]: "Window 4: how many slots are there before a token is overwritten?",
    COUNT[1]: "Two chunks of three tokens: how many tokens have been read?",
    COUNT[2]: "The ring is full. Where does the next token go, if the count stands still?",
    VALUES[1]: "Is anything of v still there after the call?",
    RESET[1]: "What does the first token of the next text see?",
    RESET[2]: "The position is 0 and the slots are full. How does the cache know that they are old?",
    DTYPE[1]: "A model in bfloat16 asks for a cache in bfloat16: what does it get?",
    DTYPE[2]: "How many digits has a float64, and how many are left after a stay in float32?",
    WINDOW[1]: "A window of 0: which token would the cache hold?",
    MEMORY[1]: "After a million tokens, how many keys does the object hold?",
    MEMORY[2]: "A slice of 3 tokens out of a chunk of 10,000 is a view: how much memory does it keep?",
    RETURNED[1]: "What you return now is read after the next token, too. Which numbers stand there then?",
}


def wrong_cache(order=ORDER[0], eviction=EVICTION[0], slot=SLOT[0], count=COUNT[0], values=VALUES[0], reset=RESET[0],
                dtype=DTYPE[0], window_=WINDOW[0], memory=MEMORY[0], returned=RETURNED[0]):  # fmt: skip
    """The held tokens as a list of (slot, key, value), oldest first."""
    how_to_reset, asked = reset, dtype

    class RollingCache:
        def __init__(self, batch_size, heads, window, head_dim, dtype=torch.float32):
            if window < 1 and window_ == WINDOW[0]:
                raise ValueError("window")
            self.window, self.dtype = window, torch.float32 if asked == DTYPE[1] else dtype
            self.slots = torch.zeros(2, batch_size, heads, max(window, 0), head_dim, dtype=self.dtype)
            self.text, self.held, self.position, self.rows = [], [], 0, (batch_size, heads, 0, head_dim)

        def cut(self, held, most):
            return held[max(len(held) - most, 0) :] if most > 0 else []

        def joined(self, held, which):
            empty = torch.zeros(self.rows, dtype=self.dtype)
            return torch.cat([empty, *(item[which] for item in held)], 2)

        def update(self, k, v):
            k, v = k.to(self.dtype), (k if values == VALUES[1] else v).to(self.dtype)
            W, n = self.window, k.shape[2]
            if memory == MEMORY[1]:
                self.text.append((k, v))
            start = 0 if slot == SLOT[1] else self.position
            if count == COUNT[2]:
                start = min(start, W)
            size = max(W - 1 if slot == SLOT[3] else W, 1)
            own = (lambda x: x) if memory == MEMORY[2] else torch.clone
            new = [((start + i) % size, own(k[:, :, i : i + 1]), own(v[:, :, i : i + 1])) for i in range(n)]
            older = {EVICTION[2]: W, EVICTION[3]: W - 2, EVICTION[4]: 10**6, EVICTION[6]: 0}.get(eviction, W - 1)
            seen = self.cut(self.held, older)
            stored = new[:W] if slot == SLOT[2] else new
            replaced = {item[0] for item in stored}
            everything = [*self.held, *stored]
            if eviction == EVICTION[4]:
                kept = everything
            elif slot in (SLOT[1], SLOT[3]) or count == COUNT[2]:  # by slot: the last writer of a slot wins
                last = {item[0]: item for item in stored}
                kept = [item for item in self.held if item[0] not in replaced] + list(last.values())
            else:
                kept = self.cut(everything, W)
            if eviction == EVICTION[1]:
                shown = self.cut(kept, max(W, 1))
            elif eviction == EVICTION[5]:
                shown = seen
            else:
                shown = [*(sorted(seen, key=lambda item: item[0]) if order == ORDER[1] else seen), *new]
            if order == ORDER[1] and eviction == EVICTION[1]:
                shown = sorted(shown, key=lambda item: item[0])
            if asked == DTYPE[2]:
                kept = [(at, *(x.float().to(self.dtype) for x in pair)) for at, *pair in kept]
            self.held = kept
            self.position += 1 if count == COUNT[1] else n
            if count == COUNT[2]:
                self.position = min(self.position, W)
            if returned == RETURNED[1]:
                for at, *pair in new:
                    self.slots[:, :, :, at] = torch.stack(pair)[:, :, :, 0]
                if n == 1 and len(shown) == W and self.position % W == 0:
                    return self.slots[0], self.slots[1]
            return self.joined(shown, 1), self.joined(shown, 2)

        def reset(self):
            if how_to_reset != RESET[1]:
                self.position = 0
            if how_to_reset == RESET[0]:
                self.held = []

    return RollingCache


def fed(impl, seed, window, sizes, B=2, H=3, D=5, dtype=torch.float32, reset_after=()):
    """Everything that `update` returns and the positions, chunk after chunk."""
    cache = impl.RollingCache(B, H, window, D, dtype)
    found = {"position of an empty cache": cache.position}
    for i, n in enumerate(sizes):
        keys, values = cache.update(*(made(seed + 2 * i + j, B, H, n, D, dtype=dtype) for j in range(2)))
        keys, values = copy.deepcopy((keys, values))  # as they are now, whatever a later update does
        found |= {f"keys of chunk {i}": keys, f"values of chunk {i}": values, f"position after {i}": cache.position}
        if i in reset_after:
            cache.reset()
            found[f"position after the reset after {i}"] = cache.position
    return found


def token_by_token(impl, seed):
    return fed(impl, seed, 3, [1] * 8)


def chunks_shorter_than_the_window(impl, seed):
    return fed(impl, seed + 20, 5, [2, 3, 2, 4, 1, 2])


def chunks_longer_than_the_window(impl, seed):
    return fed(impl, seed + 40, 3, [7, 1, 5, 2])


def chunks_as_long_as_the_window(impl, seed):
    return fed(impl, seed + 60, 4, [4, 4, 1])


def a_cache_for_one_token(impl, seed):
    return fed(impl, seed + 80, 1, [1, 2, 1])


def a_second_text_after_reset(impl, seed):
    return fed(impl, seed + 100, 4, [3, 2, 1, 2, 3], reset_after=(1, 3))


def caches_in_other_formats(impl, seed):
    found = fed(impl, seed + 120, 3, [2, 2], dtype=torch.float64)
    older = found["keys of chunk 1"][:, :, :2].double()
    kept = {"older keys in float64 have their digits": not torch.equal(older, older.float().double())}
    return found | kept | fed(impl, seed, 3, [2], dtype=torch.bfloat16)


def a_cache_in_the_default_format(impl, seed):
    cache = impl.RollingCache(1, 1, 2, 3)
    cache.update(made(seed, 1, 1, 1, 3), made(seed + 1, 1, 1, 1, 3))
    return [str(x.dtype) for x in cache.update(made(seed, 1, 1, 1, 3), made(seed + 1, 1, 1, 1, 3))]


def caches_that_are_refused(impl, seed):
    return {f"window {w}": error_of(lambda w=w: impl.RollingCache(1, 1, w, 2)) for w in (0, -3, 1)}


def the_tokens_of_the_workbook(impl, seed):
    cache, shown = impl.RollingCache(1, 1, 3, 1), {}
    for first, last in ((0, 3), (4, 4), (5, 6)):
        tokens = torch.arange(first, last + 1.0).view(1, 1, -1, 1)
        keys, values = copy.deepcopy(cache.update(tokens, 10 * tokens))
        shown[f"tokens {first} to {last}"] = keys.flatten(), values.flatten()
    return shown


def what_was_returned_stays_as_it_was(impl, seed):
    cache, passed, returned, before = impl.RollingCache(1, 2, 3, 2), [], [], []
    for i, n in enumerate((2, 1, 1, 1, 3, 1, 4, 1, 1)):
        passed.append((made(seed + 2 * i, 1, 2, n, 2), made(seed + 2 * i + 1, 1, 2, n, 2)))
        first = copy.deepcopy(passed[-1])
        returned.append(cache.update(*passed[-1]))
        before.append((first, copy.deepcopy(returned[-1])))
    alike = lambda a, b: all(map(torch.equal, a, b))  # noqa: E731
    kept = [(p[0].shape[2], alike(r, old[1])) for p, r, old in zip(passed, returned, before, strict=True)]
    return {
        "the chunks that were returned are as they were": all(same for n, same in kept if n > 1),
        "what was returned for single tokens is as it was": all(same for n, same in kept if n == 1),
        "what was passed in is as it was": all(alike(p, old[0]) for p, old in zip(passed, before, strict=True)),
    }


def numbers_held(x, seen):
    """The numbers in the memory of all tensors that an object holds, those under a view included."""
    if id(x) in seen:
        return 0
    seen[id(x)] = x
    if isinstance(x, torch.Tensor):
        memory = x.untyped_storage()
        key = ("memory", memory.data_ptr())
        new = key not in seen
        seen[key] = x
        return memory.nbytes() // x.element_size() if new else 0
    if isinstance(x, Mapping):
        return sum(numbers_held(y, seen) for y in x.values())
    if isinstance(x, list | tuple | set | deque):
        return sum(numbers_held(y, seen) for y in x)
    return numbers_held(x.__dict__, seen) if hasattr(x, "__dict__") and not isinstance(x, type) else 0


def the_memory_after_many_tokens(impl, seed):
    cache, held = impl.RollingCache(1, 1, 4, 2), []
    for i in range(45):
        cache.update(made(seed + i, 1, 1, 1, 2), made(seed + i + 1, 1, 1, 1, 2))
        held.append(numbers_held(cache, {}))
    return {"as many numbers are held after 45 tokens as after 15": max(held[30:]) <= max(held[:15])}


def the_memory_after_a_long_chunk(impl, seed):
    held = []
    for sizes in ([1] * 45, [45], [3, 60]):
        cache, most = impl.RollingCache(1, 1, 4, 2), 0
        for i, n in enumerate(sizes):
            cache.update(made(seed + i, 1, 1, n, 2), made(seed + i + 1, 1, 1, n, 2))
            most = max(most, numbers_held(cache, {}))
        held.append(most)
    return {"a long chunk leaves no more numbers than single tokens do": max(held) == held[0]}


# ---------------------------------------------------------------- cache_positions


def ranks(x):
    return x.argsort().argsort()


def without_sinks(x):
    return torch.where(x == x.min(), 0, (x - x.max() + len(x) - 1).clamp(min=0))


POSITION_MISTAKES = [
    ("of the TEXT", "The text has a million tokens. Which positions has the model met?", lambda x: x.clone()),
    ("of the SLOTS", "Slot 2 may hold the newest token. Is it the third oldest?", lambda x: torch.arange(len(x))),
    ("that are slots, not positions (one argsort)", "argsort says which slot comes next. Asked is the place of each "
     "slot: the inverse.", lambda x: x.argsort()),
    ("that start at 1", "RoPE's first position is 0. Which position has the oldest token?", lambda x: ranks(x) + 1),
    ("that count from the NEWEST", "Is 0 the oldest token that is held, or the newest?",
     lambda x: len(x) - 1 - ranks(x)),
    ("that are text positions minus the oldest", "Sinks 0 and 1, then token 900: what lies between them in the cache?",
     lambda x: x - x.min()),
    ("that are text positions minus the number of evicted tokens, sinks too", "The sinks have not moved. Which "
     "positions do they have?", lambda x: x - x.max() + len(x) - 1),
    ("that are text positions modulo the number of slots", "Two tokens, a cache apart in the text: can they have the "
     "same position?", lambda x: x % len(x)),
    ("that give every sink position 0", "Four sinks stand beside each other. Do they have one position?",
     without_sinks),
    ("that are no integers", "Which dtype does torch.arange have?", lambda x: ranks(x).float()),
    ("that compare the text positions in float32", "What is 16,777,217 as a float32?",
     lambda x: (x.float()[:, None] > x.float()).sum(1)),
    ("that compare the text positions in int32", "What is 2,147,483,648 as an int32?", lambda x: ranks(x.int())),
    ("found by searchsorted among slots that are NOT sorted", "searchsorted halves a sorted list. Is a ring sorted?",
     lambda x: torch.searchsorted(x, x)),
    ("with room for the evicted tokens halved", "Positions in the cache have no gap at all.",
     lambda x: (x + ranks(x)) // 2),
]  # fmt: skip


def a_ring_that_has_wrapped(impl, seed):
    return impl.cache_positions(torch.tensor([10, 11, 7, 8, 9]))


def sinks_and_a_ring(impl, seed):
    return impl.cache_positions(torch.tensor([0, 1, 2, 3, 906, 902, 903, 904, 905]))


def a_text_that_still_fits(impl, seed):
    return impl.cache_positions(torch.arange(6))


def slots_in_any_order(impl, seed):
    order = torch.randperm(11, generator=torch.Generator().manual_seed(seed))
    held = (torch.arange(11) * 7 + 3)[order]
    before = held.clone()
    found = impl.cache_positions(held)
    return {"positions": found, "the argument is as it was": bool((held == before).all())}


def a_text_of_billions_of_tokens(impl, seed):
    sinks_and_ring = lambda n: torch.tensor([0, 1, n + 1, n - 2, n - 1, n])  # noqa: E731
    return {
        "a ring": impl.cache_positions(torch.tensor([3, 1, 0, 4, 2]) + 5_000_000_000 + seed),
        "sinks, and a ring around 2**31": impl.cache_positions(sinks_and_ring(2**31)),
        "sinks, and a ring around 2**33": impl.cache_positions(sinks_and_ring(2**33)),
    }


def one_slot(impl, seed):
    return impl.cache_positions(torch.tensor([41]))


def positions_of_the_workbook(impl, seed):
    return impl.cache_positions(torch.tensor([0, 8, 9, 6, 7]))


# ---------------------------------------------------------------- sink_slots


def rolled(positions, sinks, window, from_=0, size=0):
    return torch.where(positions < sinks, positions, sinks + (positions - sinks + from_) % max(window + size, 1))


SLOT_MISTAKES = [
    ("that OVERWRITE the sinks when the ring wraps", "Four sinks and a window of 8: where does token 12 go?",
     lambda p, s, w: p % (s + w)),
    ("without sinks", "Where is token 0 after a window has passed?", lambda p, s, w: p % w),
    ("in which the sinks are counted INSIDE the window", "How many slots are there in all: sinks + window, or window?",
     lambda p, s, w: torch.where(p < s, p, s + (p - s) % (w - s))),
    ("whose first rolling token is not in the first free slot", "Two sinks and a window of 5: token 2 comes right "
     "after the sinks. Which slot?", lambda p, s, w: torch.where(p < s, p, s + p % w)),
    ("with one slot too many in the ring", "The slots are numbered from 0. Which is the last one?",
     lambda p, s, w: rolled(p, s, w, size=1)),
    ("with one slot too few in the ring", "Is the last slot ever used?", lambda p, s, w: rolled(p, s, w, size=-1)),
    ("that never wrap", "Slot 1,000 of a cache of 12 slots?", lambda p, s, w: p.clone()),
    ("that stay at the last slot", "Each new token overwrites the one before it. Which should it overwrite?",
     lambda p, s, w: p.clamp(max=s + w - 1)),
    ("in which every sink has slot 0", "Four sinks are four tokens. Do they fit into one slot?",
     lambda p, s, w: torch.where(p < s, 0, s + (p - s) % w)),
    ("in which the sinks stand at the END", "Which tokens have the first slots?",
     lambda p, s, w: torch.where(p < s, w + p, (p - s) % w)),
    ("that are one slot late in the ring", "Which slot has the first token after the sinks?",
     lambda p, s, w: rolled(p, s, w, from_=1)),
    ("that send the sinks through the ring too", "Is token 0 a sink? Which slot has it?",
     lambda p, s, w: s + (p - s) % w),
    ("that take the remainder (fmod) for the sinks too", "Six sinks and a window of 2: what is fmod(-5, 2)?",
     lambda p, s, w: torch.fmod(p - s, w) + s),
    ("of a token's place in the tensor, not of its position", "Asked are tokens 100 and 101 only. Is 100 a sink?",
     lambda p, s, w: rolled(torch.arange(len(p)), s, w)),
    ("computed in float32", "What is 16,777,217 as a float32?",
     lambda p, s, w: torch.where(p < s, p, p - w * torch.floor((p - s) / w).long())),
    ("with one sink too many", "With 2 sinks, is token 2 a sink?",
     lambda p, s, w: torch.where(p <= s, p, s + 1 + (p - s - 1) % w)),
    ("with a sink where none is asked for", "No sinks and a window of 4: which slot is free for token 4?",
     lambda p, s, w: rolled(p, max(s, 1), w)),
    ("with no more sinks than the window has slots", "Six sinks and a window of 2: where does token 3 stay?",
     lambda p, s, w: rolled(p, min(s, w), w)),
    ("computed in int32", "What is 2,147,483,648 as an int32?",
     lambda p, s, w: rolled(p.int(), s, w).long()),
]  # fmt: skip


def from_the_first_token_on(impl, seed):
    return impl.sink_slots(torch.arange(30), 3, 5)


def far_into_the_text(impl, seed):
    return impl.sink_slots(torch.arange(100_000, 100_017) + seed, 4, 7)


def beyond_billions_of_tokens(impl, seed):
    return impl.sink_slots(torch.arange(5_000_000_000, 5_000_000_009) + seed, 2, 7)


def no_sinks(impl, seed):
    return impl.sink_slots(torch.arange(13), 0, 4)


def a_ring_of_one_slot(impl, seed):
    return impl.sink_slots(torch.arange(6), 2, 1)


def more_sinks_than_window(impl, seed):
    return impl.sink_slots(torch.arange(14), 6, 2)


def one_sink(impl, seed):
    return impl.sink_slots(torch.tensor([5, 0, 9, 1]), 1, 4)


def slots_of_the_workbook(impl, seed):
    positions = torch.tensor([0, 1, 2, 3, 4, 5, 6])
    found = impl.sink_slots(positions, 2, 3)
    return {"slots": found, "the argument is as it was": positions.tolist() == list(range(7))}


# ---------------------------------------------------------------- causal_conv1d

PADDED = [
    "left",
    "padded on BOTH sides, so that it sees the future",
    "padded on the RIGHT, so that it sees the future",
    "that is NOT padded, so that the output is shorter",
    "padded by K - 1 and not by (K - 1)·dilation",
    "that goes ROUND: the end of the text stands before its beginning",
    "that is cut to NOTHING where the kernel has one tap",
]
SPREAD = ["dilated", "that IGNORES the dilation"]
FLIPPED = ["correlation", "that FLIPS the kernel"]
CURRENT = ["seen", "that does not see the current input"]
CHANNELS = ["(out, in)", "that SWAPS the channels in and out where they are as many"]
NOT_DILATED = ["refused", "that accepts a dilation of 0"]
CONV_KNOBS = {"padded": PADDED, "spread": SPREAD, "flipped": FLIPPED, "current": CURRENT, "channels": CHANNELS,
              "precise": PRECISE, "refused": NOT_DILATED}  # fmt: skip
CONV_HINTS = {
    PADDED[1]: "Change the last input. Does the output at the position before it change?",
    PADDED[2]: "Change the last input. Which outputs change?",
    PADDED[3]: "How many zeros must stand before the text, so that the first output has all its taps?",
    PADDED[4]: "Kernel 2, dilation 8: how far back does the first tap lie?",
    PADDED[5]: "What stands before the first input: zeros, or the last inputs?",
    CHANNELS[1]: "The weights are (out, in, K): which row makes output channel 0?",
    PRECISE[1]: BAND_HINTS[PRECISE[1]],
    SPREAD[1]: "Kernel 2, dilation 4: which two inputs does output 9 see?",
    PADDED[6]: "What is x[:-0]?",
    FLIPPED[1]: "F.conv1d does not flip: which weight meets the current input?",
    CURRENT[1]: "Which input does the last weight meet at output 5?",
    NOT_DILATED[1]: "A dilation of 0 puts all taps on one input. What is the kernel then?",
}


def wrong_conv(padded=PADDED[0], spread=SPREAD[0], flipped=FLIPPED[0], current=CURRENT[0], channels=CHANNELS[0],
               precise=PRECISE[0], refused=NOT_DILATED[0]):  # fmt: skip
    def causal_conv1d(x, weight, dilation=1):
        if dilation < 1:
            if refused == NOT_DILATED[0]:
                raise ValueError("dilation")
            dilation = 1
        step, dtype = dilation if spread == SPREAD[0] else 1, x.dtype
        if precise == PRECISE[1]:
            x, weight = x.float(), weight.float()
        if channels == CHANNELS[1] and weight.shape[0] == weight.shape[1]:
            weight = weight.transpose(0, 1)
        K, T = weight.shape[2], x.shape[2]
        reach = (K - 1) * step
        if current == CURRENT[1]:
            x = F.pad(x, (1, 0))[:, :, :T]
        sides = {PADDED[1]: (reach - reach // 2, reach // 2), PADDED[2]: (0, reach), PADDED[3]: (0, 0),
                 PADDED[4]: (K - 1, 0)}.get(padded, (reach, 0))  # fmt: skip
        weight = weight.flip(2) if flipped == FLIPPED[1] else weight
        wide = x[:, :, torch.arange(-reach, T) % T] if padded == PADDED[5] else F.pad(x, sides)
        out = F.conv1d(wide, weight, dilation=step).to(dtype)
        return out[:, :, :0] if padded == PADDED[6] and K == 1 else out

    return causal_conv1d


def conv_of(impl, seed, K, T, *dilation, dtype=torch.float32, B=2, inputs=3, outputs=5, **named):
    return impl.causal_conv1d(made(seed, B, inputs, T, dtype=dtype), made(seed + 1, outputs, inputs, K, dtype=dtype),
                              *dilation, **named)  # fmt: skip


def a_dilated_kernel(impl, seed):
    return conv_of(impl, seed, 3, 17, 2)


def a_kernel_of_two_far_apart(impl, seed):
    return conv_of(impl, seed + 2, 2, 13, dilation=5)


def no_dilation_given(impl, seed):
    return conv_of(impl, seed + 4, 4, 11)


def a_kernel_of_one(impl, seed):
    return conv_of(impl, seed + 6, 1, 7, 3)


def a_text_shorter_than_the_kernel(impl, seed):
    cases = {"kernel 3, dilation 4, 4 tokens": (3, 4, 4), "kernel 2, dilation 7, 5 tokens": (2, 5, 7),
             "kernel 4, 2 tokens": (4, 2)}  # fmt: skip
    return {name: conv_of(impl, seed + 8, *case) for name, case in cases.items()}


def convolutions_in_float64(impl, seed):
    x, weight = made(seed + 10, 2, 3, 9, dtype=torch.float64), made(seed + 11, 5, 3, 3, dtype=torch.float64)
    found, single = impl.causal_conv1d(x, weight, 2), impl.causal_conv1d(x.float(), weight.float(), 2)
    return {"values": found, "more digits than in float32": has_more_digits(found, single)}


def as_many_channels_out_as_in(impl, seed):
    return conv_of(impl, seed + 12, 2, 8, 3, inputs=4, outputs=4)


def dilations_that_are_refused(impl, seed):
    return {f"dilation {d}": error_of(lambda d=d: conv_of(impl, seed, 2, 5, d)) for d in (0, -1, 1)}


def the_convolution_of_the_workbook(impl, seed):
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 4)
    return impl.causal_conv1d(x, torch.tensor([10.0, 1.0]).view(1, 1, 2), 2)


# ---------------------------------------------------------------- conv_receptive_field

SIZE = [
    "right",
    "that multiplies the stride into its OWN layer",
    "whose size ignores the strides",
    "whose size ignores the dilation",
    "whose size adds the kernel and not kernel - 1",
    "whose size starts at 0",
    "whose dilated kernel spans kernel·dilation",
    "whose size is the last layer's kernel",
]
JUMP = ["product", "whose jump ADDS the strides", "whose jump is the last stride"]
START = [
    "right",
    "whose start ignores the padding",
    "whose start adds the paddings without the jump",
    "whose start is positive where there is padding",
    "whose start multiplies the padding by the stride of its own layer too",
    "whose start multiplies the padding by the dilation",
    "whose start is the CENTRE of the span of output 0, not its beginning",
]
TOP_DOWN = ["up", "that reads the layers from the top down"]
NUMBERS = ["ints", "whose start is a float", "whose numbers are floats"]
STACK_KNOBS = {"size": SIZE, "jump": JUMP, "start": START, "order": TOP_DOWN, "numbers": NUMBERS}
STACK_HINTS = {
    SIZE[1]: "A single layer of kernel 3 and stride 2: how many inputs does one output see?",
    SIZE[2]: "After a layer of stride 2, how far apart are two neighbouring values in the input?",
    SIZE[3]: "Kernel 3, dilation 4: how far apart are its first and last tap?",
    SIZE[4]: "A layer of kernel 1 sees nothing new. Does your size grow?",
    SIZE[5]: "No layer at all: how many inputs does an input see?",
    SIZE[6]: "Kernel 3, dilation 2 has taps at 0, 2 and 4. How many inputs does that span?",
    SIZE[7]: "Two layers of kernel 3: how many inputs?",
    JUMP[1]: "Two layers of stride 2: how far apart in the input are two neighbouring outputs?",
    JUMP[2]: "Stride 2, then stride 1: are neighbouring outputs neighbouring inputs?",
    START[1]: "Kernel 3 with padding 1: where does the span of output 0 begin?",
    START[2]: "Padding 1 after a stride of 2: how many inputs wide is one padded value?",
    START[3]: "Padding puts values BEFORE the text. At which positions?",
    START[4]: "The padding stands at the layer's input. Has its own stride been applied there?",
    START[5]: "A padding of 2 puts 2 values before the layer's input. Does a dilation of 3 put 6 there?",
    START[6]: "Kernel 3 without padding: which is the first input that output 0 sees?",
    NUMBERS[1]: "Which input is number -5.0? Inputs are counted.",
    NUMBERS[2]: "How many inputs are 11.0? Inputs are counted.",
    TOP_DOWN[1]: "Stride 2 then kernel 5, or kernel 5 then stride 2: do both see the same?",
}


def wrong_stack(size=SIZE[0], jump=JUMP[0], start=START[0], order=TOP_DOWN[0], numbers=NUMBERS[0]):
    def conv_receptive_field(layers):
        layers = list(layers)[::-1] if order == TOP_DOWN[1] else list(layers)
        span, step, begin = (0 if size == SIZE[5] else 1), 1, 0
        for kernel, stride, dilation, padding in layers:
            unit = {SIZE[1]: step * stride, SIZE[2]: 1}.get(size, step)
            taps = {SIZE[3]: kernel - 1, SIZE[4]: kernel * dilation, SIZE[6]: kernel * dilation - 1}
            grown = taps.get(size, (kernel - 1) * dilation)
            span = kernel if size == SIZE[7] else span + grown * unit
            wide = {START[1]: 0, START[2]: 1, START[3]: -step, START[4]: step * stride, START[5]: step * dilation}
            begin -= padding * wide.get(start, step)
            if start == START[6]:
                begin += (kernel - 1) * dilation // 2 * step
            step = {JUMP[1]: step + stride - (1 if step == 1 else 0), JUMP[2]: stride}.get(jump, step * stride)
        if numbers == NUMBERS[2]:
            return float(span), float(step), float(begin)
        return span, step, float(begin) if numbers == NUMBERS[1] else begin

    return conv_receptive_field


def drawn_stack(seed, count):
    g = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (), generator=g))  # noqa: E731
    return [Conv(draw(1, 6), draw(1, 4), draw(1, 4), draw(0, 4)) for _ in range(count)]


def stacks_of_any_kind(impl, seed):
    stacks = [drawn_stack(50 * seed + i, 2 + i) for i in range(4)]
    return {str([tuple(layer) for layer in s]): impl.conv_receptive_field(s) for s in stacks}


def a_single_layer(impl, seed):
    cases = [Conv(3), Conv(3, 2), Conv(3, 1, 4), Conv(5, 3, 2, 2), Conv(1), Conv(1, 2)]
    return {str(tuple(c)): impl.conv_receptive_field([c]) for c in cases}


def no_layers(impl, seed):
    return impl.conv_receptive_field([])


def five_layers_of_three(impl, seed):
    return impl.conv_receptive_field([Conv(3, padding=1)] * 5)


def a_wavenet(impl, seed):
    return impl.conv_receptive_field([Conv(2, dilation=2**i) for i in range(10)])


def strides_and_then_padding(impl, seed):
    layers = (Conv(3, 2, 1, 1), Conv(2, 2), Conv(3, 2, 2, 2), Conv(4, 3, 1, 3), Conv(2))
    return impl.conv_receptive_field(layers)


def the_stack_of_the_workbook(impl, seed):
    return impl.conv_receptive_field([Conv(3, stride=2, padding=1), Conv(3, dilation=2, padding=2)])


PROBES = {
    "window_mask": [a_whole_text, a_chunk_after_cached_keys, one_query_after_cached_keys, a_window_of_one,
                    a_window_as_long_as_the_text_and_longer, no_query, window_masks_that_are_refused,
                    the_mask_of_the_workbook],
    "receptive_field": [stacks_of_windows, no_layer_at_all],
    "banded_attention": [whole_blocks_only, a_last_block_that_is_short, windows_of_one_token, windows_of_two_tokens,
                         a_window_longer_than_the_text, a_single_token, bands_in_float64, scores_in_the_thousands,
                         the_memory_of_a_long_text, the_memory_of_a_wide_head, the_work_of_a_long_text,
                         the_numbers_of_the_workbook],
    "RollingCache": [token_by_token, chunks_shorter_than_the_window, chunks_longer_than_the_window,
                     chunks_as_long_as_the_window, a_cache_for_one_token, a_second_text_after_reset,
                     caches_in_other_formats, a_cache_in_the_default_format, caches_that_are_refused,
                     the_tokens_of_the_workbook, what_was_returned_stays_as_it_was,
                     the_memory_after_many_tokens, the_memory_after_a_long_chunk],
    "cache_positions": [a_ring_that_has_wrapped, sinks_and_a_ring, a_text_that_still_fits, slots_in_any_order,
                        a_text_of_billions_of_tokens, one_slot, positions_of_the_workbook],
    "sink_slots": [from_the_first_token_on, far_into_the_text, beyond_billions_of_tokens, no_sinks, a_ring_of_one_slot,
                   more_sinks_than_window, one_sink, slots_of_the_workbook],
    "causal_conv1d": [a_dilated_kernel, a_kernel_of_two_far_apart, no_dilation_given, a_kernel_of_one,
                      a_text_shorter_than_the_kernel, convolutions_in_float64, as_many_channels_out_as_in,
                      dilations_that_are_refused, the_convolution_of_the_workbook],
    "conv_receptive_field": [stacks_of_any_kind, a_single_layer, no_layers, five_layers_of_three, a_wavenet,
                             strides_and_then_padding, the_stack_of_the_workbook],
}  # fmt: skip

BAND_WITHOUT = (
    (SHORT[1], SQUARE[1]),
    (SHORT[2], SQUARE[1]),
    (EDGE[1], SHORT[1]),
    (EDGE[1], SHORT[3]),
    (EDGE[5], SQUARE[1]),
    (EDGE[4], SQUARE[3]),
    (EDGE[5], SQUARE[3]),
    (SHORT[1], SQUARE[3]),
)

MISTAKES = {
    "window_mask": partial(combine, "window_mask", "a mask", MASK_KNOBS, wrong_mask, MASK_HINTS),
    "receptive_field": partial(listed, "receptive_field", "a receptive field", FIELD_MISTAKES),
    "banded_attention": partial(
        combine, "banded_attention", "a band", BAND_KNOBS, wrong_band, BAND_HINTS, without=BAND_WITHOUT
    ),
    "RollingCache": partial(combine, "RollingCache", "a cache", CACHE_KNOBS, wrong_cache, CACHE_HINTS, most=1),
    "cache_positions": partial(listed, "cache_positions", "positions", POSITION_MISTAKES),
    "sink_slots": partial(listed, "sink_slots", "slots", SLOT_MISTAKES),
    "causal_conv1d": partial(
        combine, "causal_conv1d", "a convolution", CONV_KNOBS, wrong_conv, CONV_HINTS, without=((PADDED[4], SPREAD[1]),)
    ),
    "conv_receptive_field": partial(
        combine, "conv_receptive_field", "a receptive field", STACK_KNOBS, wrong_stack, STACK_HINTS
    ),
}


def of(task):
    """Every known mistake of a task."""
    yield from MISTAKES[task]()
