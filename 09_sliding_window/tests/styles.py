"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import itertools
import math
from collections import deque
from fractions import Fraction

import torch
import torch.nn.functional as F
from sliding_window import attend

# ---------------------------------------------------------------- window_mask


def mask_by_triangles(Tq, Tk, window):
    if Tq > Tk:
        raise ValueError("more queries than keys")
    if not window >= 1:
        raise ValueError("empty window")
    ones = torch.ones((Tk, Tk), dtype=torch.bool)
    return (ones.tril() ^ ones.tril(-window))[Tk - Tq :]


def mask_with_loops(Tq, Tk, window):
    if window <= 0 or Tk < Tq:
        raise ValueError(f"{Tq} {Tk} {window}")
    mask = torch.zeros(Tq, Tk).bool()
    for i in range(Tq):
        own = Tk - Tq + i
        mask[i, max(own - window + 1, 0) : own + 1] = True
    return mask


# ---------------------------------------------------------------- receptive_field


def field_layer_by_layer(layers, window):
    field = 1
    for _ in range(layers):
        field += window - 1
    return field


def field_by_following_masks(layers, window):
    """The set of positions in sight of position 0, where negative positions are the past."""
    first, last = 0, 0
    for _ in range(layers):
        first = first - window + 1
    return len(range(first, last + 1))


# ---------------------------------------------------------------- banded_attention


def band_token_by_token(q, k, v, window):
    out = torch.empty_like(v)
    for t in range(q.shape[-2]):
        seen = slice(max(t + 1 - window, 0), t + 1)
        weights = torch.einsum("bhd,bhsd->bhs", q[:, :, t], k[:, :, seen]) / math.sqrt(q.shape[-1])
        out[:, :, t] = torch.einsum("bhs,bhsd->bhd", weights.softmax(-1), v[:, :, seen])
    return out


def band_by_diagonals(q, k, v, window):
    """The scores of one distance after the other; a row has its W scores from the nearest key to the farthest."""
    T, D = q.shape[2:]
    reach = range(min(window, T))
    scores = q.new_full((*q.shape[:3], len(reach)), float("-inf"))
    for back in reach:
        scores[:, :, back:, back] = (q[:, :, back:] * k[:, :, : T - back]).sum(-1) * D**-0.5
    weights = scores.softmax(dim=-1)
    return sum(F.pad(weights[:, :, back:, back, None] * v[:, :, : T - back], (0, 0, back, 0)) for back in reach)


def band_by_padded_blocks(q, k, v, window):
    """All blocks at once: each has its own keys and those of the block before it, zeros before the first."""
    B, H, T, D = q.shape
    W = min(window, T)
    n = -(-T // W)

    def pairs(x):
        x = F.pad(x, (0, 0, W, n * W - T)).reshape(B, H, n + 1, W, D)
        return torch.cat((x[:, :, :-1], x[:, :, 1:]), 3)

    behind = torch.arange(W, 2 * W)[:, None] - torch.arange(2 * W)
    shown = ((behind >= 0) & (behind < W)).repeat(n, 1, 1)
    shown[0, :, :W] = False
    queries = F.pad(q, (0, 0, 0, n * W - T)).reshape(B, H, n, W, D)
    weights = (queries @ pairs(k).mT / math.sqrt(D)).masked_fill(~shown, -math.inf).softmax(-1)
    return (weights @ pairs(v)).reshape(B, H, n * W, D)[:, :, :T]


def band_in_small_blocks(q, k, v, window):
    T, parts, size = q.size(2), [], max(window // 2, 1)
    for at in range(0, T, size):
        rows = torch.arange(at, min(at + size, T)).unsqueeze(1)
        low = max(0, at - (window - 1))
        columns = torch.arange(low, min(at + size, T))
        shown = (columns <= rows) & (columns > rows - window)
        parts.append(attend(q[:, :, rows[:, 0]], k[:, :, columns], v[:, :, columns], mask=shown))
    return torch.cat(parts, 2)


# ---------------------------------------------------------------- RollingCache


class CacheByConcatenation:
    """No ring at all: the newest W tokens are cut off and kept."""

    def __init__(self, batch_size, heads, window, head_dim, dtype=torch.float32):
        if window < 1:
            raise ValueError("window")
        self.window, self.sizes, self.dtype = window, (batch_size, heads, 0, head_dim), dtype
        self.reset()

    def reset(self):
        self.position = 0
        self.kept = [torch.empty(self.sizes, dtype=self.dtype) for _ in "kv"]

    def update(self, k, v):
        first = max(self.kept[0].shape[2] - self.window + 1, 0)
        seen = [torch.cat([old[:, :, first:], new], 2) for old, new in zip(self.kept, (k, v), strict=True)]
        both = [torch.cat([old, new], 2) for old, new in zip(self.kept, (k, v), strict=True)]
        self.kept = [x[:, :, max(x.shape[2] - self.window, 0) :].clone() for x in both]
        self.position += k.shape[2]
        return tuple(seen)


class CacheOfSingleTokens:
    """A deque of one key and one value each."""

    def __init__(self, batch_size, heads, window, head_dim, dtype=torch.float32):
        if window <= 0:
            raise ValueError(window)
        self.window, self.tokens, self.position = window, deque(maxlen=window), 0

    def update(self, k, v):
        pairs = [(k[:, :, i].clone(), v[:, :, i].clone()) for i in range(k.size(2))]
        older = list(self.tokens)
        older = older[len(older) - (self.window - 1) :] if len(older) >= self.window else older
        shown = [*older, *pairs]
        self.tokens.extend(pairs)
        self.position = self.position + len(pairs)
        keys, values = zip(*shown, strict=True)
        return torch.stack(keys, 2), torch.stack(values, 2)

    def reset(self):
        self.tokens.clear()
        self.position = 0


class CacheWithLoops:
    """A ring written token by token, read with modulo."""

    def __init__(self, batch_size, heads, window, head_dim, dtype=torch.float32):
        if window < 1:
            raise ValueError("at least one slot")
        self.ring = torch.full((2, batch_size, heads, window, head_dim), float("nan"), dtype=dtype)
        self.position = 0

    def update(self, k, v):
        size = self.ring.shape[3]
        old = [t % size for t in range(max(0, self.position + 1 - size), self.position)]
        result = [torch.cat((self.ring[i][:, :, old], x), dim=-2) for i, x in enumerate((k, v))]
        for i in range(k.shape[2]):
            self.ring[0][:, :, self.position % size] = k[:, :, i]
            self.ring[1][:, :, self.position % size] = v[:, :, i]
            self.position += 1
        return result[0], result[1]

    def reset(self):
        self.ring.fill_(float("nan"))
        self.position = 0


# ---------------------------------------------------------------- cache_positions


def positions_by_counting(text_positions):
    return (text_positions[None, :] < text_positions[:, None]).sum(1)


def positions_by_a_dictionary(text_positions):
    place = {p: i for i, p in enumerate(sorted(text_positions.tolist()))}
    return torch.tensor([place[p] for p in text_positions.tolist()])


def positions_by_sorting_twice(text_positions):
    return torch.argsort(torch.argsort(text_positions))


# ---------------------------------------------------------------- sink_slots


def slots_with_loops(positions, sinks, window):
    slots = [p if p < sinks else (p - sinks) % window + sinks for p in positions.tolist()]
    return torch.tensor(slots, dtype=torch.long)


def slots_by_arithmetic(positions, sinks, window):
    rolling = (positions - sinks).clamp(min=0) % window
    return positions.clamp(max=sinks) + rolling


# ---------------------------------------------------------------- causal_conv1d


def conv_by_the_library(x, weight, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    reach = (weight.shape[-1] - 1) * dilation
    return F.conv1d(x, weight, padding=reach, dilation=dilation)[..., : x.shape[-1]]


def conv_with_loops(x, weight, dilation=1):
    if dilation <= 0:
        raise ValueError(f"{dilation}")
    out = torch.zeros(x.size(0), weight.size(0), x.size(2), dtype=x.dtype)
    for t, i in itertools.product(range(x.size(2)), range(weight.size(2))):
        source = t - (weight.size(2) - 1 - i) * dilation
        if source >= 0:
            out[:, :, t] += torch.einsum("bi,oi->bo", x[:, :, source], weight[:, :, i])
    return out


# ---------------------------------------------------------------- conv_receptive_field


def stack_from_the_output_down(layers):
    """One output, followed down: which inputs of each layer does it need?"""
    first, last, jump = 0, 0, 1
    for kernel, stride, dilation, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + (kernel - 1) * dilation
        jump *= stride
    return last - first + 1, jump, first


def stack_by_sums(layers):
    strides = [layer.stride for layer in layers]
    jumps = [math.prod(strides[:i]) for i in range(len(layers) + 1)]
    rows = list(zip(layers, jumps, strict=False))
    grown = sum(Fraction((layer.kernel - 1) * layer.dilation * jump) for layer, jump in rows)
    return [1 + int(grown), jumps[-1], -sum(layer.padding * jump for layer, jump in rows)]


STYLES = {
    "window_mask": {"two triangles": mask_by_triangles, "row by row": mask_with_loops},
    "receptive_field": {"layer by layer": field_layer_by_layer, "as a range": field_by_following_masks},
    "banded_attention": {
        "token by token": band_token_by_token,
        "one distance after the other": band_by_diagonals,
        "all blocks at once, padded": band_by_padded_blocks,
        "blocks of half a window": band_in_small_blocks,
    },
    "RollingCache": {
        "concatenated and cut": CacheByConcatenation,
        "a deque of tokens": CacheOfSingleTokens,
        "a ring token by token": CacheWithLoops,
    },
    "cache_positions": {
        "counted": positions_by_counting,
        "a dictionary": positions_by_a_dictionary,
        "sorted twice": positions_by_sorting_twice,
    },
    "sink_slots": {"a list": slots_with_loops, "two clamps": slots_by_arithmetic},
    "causal_conv1d": {"F.conv1d": conv_by_the_library, "tap by tap": conv_with_loops},
    "conv_receptive_field": {"from the output down": stack_from_the_output_down, "sums": stack_by_sums},
}
