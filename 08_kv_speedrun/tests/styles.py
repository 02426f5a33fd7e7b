"""Right solutions in other styles than the reference's: the tests must find all of them RIGHT."""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# ---------------------------------------------------------------- attend


def attend_with_loops(q, k, v, attention_mask=None):
    """One row, one head, one query at a time: only the keys that are seen are ever touched."""
    B, H, Tq, D = q.shape
    Tk = k.shape[2]
    if Tk < Tq:
        raise ValueError("a query has no key of its own")
    out = q.new_zeros(B, H, Tq, v.shape[-1])
    for b, h, i in itertools.product(range(B), range(H), range(Tq)):
        seen = torch.arange(Tk - Tq + i + 1)
        if attention_mask is not None:
            seen = seen[attention_mask[b, seen]]
        if len(seen):
            weights = torch.softmax((k[b, h, seen] * q[b, h, i]).sum(-1) * D**-0.5, 0)
            out[b, h, i] = weights @ v[b, h, seen]
    return out


def attend_with_einsum(q, k, v, attention_mask=None):
    """The softmax by hand, with a bias in place of a mask."""
    Tq, Tk = q.size(-2), k.size(-2)
    if Tq > Tk:
        raise ValueError(f"{Tq} queries, {Tk} keys")
    at = torch.arange(Tk - Tq, Tk).unsqueeze(1)
    hidden = torch.arange(Tk).unsqueeze(0) > at
    hidden = hidden.expand(q.size(0), 1, Tq, Tk)
    if attention_mask is not None:
        hidden = hidden | attention_mask.logical_not().view(q.size(0), 1, 1, Tk)
    scores = torch.einsum("bhqd,bhkd->bhqk", q / math.sqrt(q.size(-1)), k)
    top = scores.masked_fill(hidden, torch.finfo(q.dtype).min).amax(-1, keepdim=True)
    e = torch.where(hidden, 0.0, torch.exp(torch.where(hidden, 0.0, scores - top)))
    return torch.einsum("bhqk,bhkd->bhqd", e / e.sum(-1, keepdim=True).clamp(min=torch.finfo(q.dtype).tiny), v)


def attend_by_the_library(q, k, v, attention_mask=None):
    Tq, Tk = q.shape[2], k.shape[2]
    if Tq > Tk:
        raise ValueError("more queries than keys")
    mask = torch.ones(q.shape[0], 1, Tq, Tk, dtype=torch.bool).tril(Tk - Tq)
    if attention_mask is not None:
        mask = mask & attention_mask[:, None, None]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return torch.where(mask.any(-1, keepdim=True), out, torch.zeros_like(out))


# ---------------------------------------------------------------- StaticCache


class TensorPerLayer:
    """Two lists of tensors, and narrow and copy_ in place of slices."""

    def __init__(self, config, batch_size, max_seq_len, dtype=torch.float32, device="cpu"):
        self.layers, self.max_seq_len = config.layers, max_seq_len
        shape = (batch_size, config.heads, max_seq_len, config.head_dim)
        self.k = [torch.empty(shape, dtype=dtype, device=device) for _ in range(config.layers)]
        self.v = [torch.empty(shape, dtype=dtype, device=device) for _ in range(config.layers)]
        self.used = {layer: 0 for layer in range(config.layers)}

    @property
    def position(self):
        return min(self.used.values())

    @torch.no_grad()
    def update(self, layer, k, v):
        n, used = k.size(2), self.used[layer]
        if used + n > self.max_seq_len:
            raise ValueError(f"only {self.max_seq_len} slots")
        self.k[layer].narrow(2, used, n).copy_(k)
        self.v[layer].narrow(2, used, n).copy_(v)
        self.used[layer] += n
        return self.k[layer].narrow(2, 0, used + n), self.v[layer].narrow(2, 0, used + n)

    def reset(self):
        for layer in self.used:
            self.used[layer] = 0


class OneBuffer:
    """One tensor for everything, time first, and a tensor of counts."""

    def __init__(self, config, batch_size, max_seq_len, dtype=torch.float32, device="cpu"):
        self.layers, self.max_seq_len = config.layers, max_seq_len
        self.buffer = torch.zeros(
            2, config.layers, max_seq_len, batch_size, config.heads, config.head_dim, dtype=dtype, device=device
        )
        self.counts = torch.zeros(config.layers, dtype=torch.long)

    @property
    def position(self) -> int:
        return int(self.counts.min())

    def update(self, layer, k, v):
        begin = int(self.counts[layer])
        stop = begin + k.shape[2]
        if stop > self.max_seq_len:
            raise ValueError("full")
        for which, x in enumerate((k, v)):
            self.buffer[which, layer, begin:stop] = x.detach().permute(2, 0, 1, 3)
        self.counts[layer] = stop
        return tuple(self.buffer[which, layer, :stop].permute(1, 2, 0, 3) for which in (0, 1))

    def reset(self):
        self.counts.zero_()


class AsModule(nn.Module):
    """A module with buffers, filled by index_copy_."""

    def __init__(self, config, batch_size, max_seq_len, dtype=torch.float32, device="cpu"):
        super().__init__()
        self.layers, self.max_seq_len = config.layers, max_seq_len
        shape = (2 * config.layers, batch_size, config.heads, max_seq_len, config.head_dim)
        self.register_buffer("memory", torch.zeros(shape, dtype=dtype, device=device))
        self.reset()

    def reset(self):
        self.filled = [0 for _ in range(self.layers)]

    @property
    def position(self):
        return sorted(self.filled)[0]

    def update(self, layer, k, v):
        new = torch.arange(self.filled[layer], self.filled[layer] + k.shape[-2], device=k.device)
        if len(new) and new[-1] >= self.max_seq_len:
            raise ValueError(f"no room in {self.max_seq_len}")
        keys, values = self.memory[2 * layer], self.memory[2 * layer + 1]
        keys.index_copy_(2, new, k.data)
        values.index_copy_(2, new, v.data)
        self.filled[layer] += len(new)
        return keys[:, :, : self.filled[layer]], values[:, :, : self.filled[layer]]


# ---------------------------------------------------------------- forward_with_cache


def forward_with_positions_first(model, tokens, cache):
    """Embedding by F.embedding, the library's attention, an explicit layer counter."""
    held, T = cache.position, tokens.shape[1]
    positions = held + torch.arange(T)
    x = F.embedding(tokens, model.wte.weight) + model.wpe.weight[positions]
    layer = 0
    while layer < len(model.blocks):
        q, new_k, new_v = model.blocks[layer].project(x)
        k, v = cache.update(layer, new_k, new_v)
        mask = torch.arange(k.shape[2])[None] <= positions[:, None]
        x = model.blocks[layer].finish(x, F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        layer += 1
    return F.linear(model.ln_f(x), model.lm_head.weight)


def forward_in_small_functions(model, tokens, cache):
    """The same, with the attention of one query at a time."""
    start = cache.position

    def attention(q, k, v):
        rows = []
        for i in range(q.shape[2]):
            n = start + i + 1
            weights = (q[:, :, i : i + 1] @ k[:, :, :n].mT / q.shape[-1] ** 0.5).softmax(-1)
            rows.append(weights @ v[:, :, :n])
        return torch.cat(rows, dim=2)

    x = model.wte(tokens) + model.wpe(torch.arange(start, start + tokens.size(1))).unsqueeze(0)
    for layer, block in enumerate(model.blocks):
        q, *new = block.project(x)
        x = block.finish(x=x, attn_out=attention(q, *cache.update(layer, *new)))
    return model.lm_head(model.ln_f(x))


# ---------------------------------------------------------------- generate


def generate_into_a_buffer(model, tokens, max_new_tokens, cache):
    """A preallocated result, filled from the left."""
    B, T = tokens.shape
    out = torch.empty(B, T + max_new_tokens, dtype=tokens.dtype)
    out[:, :T] = tokens
    cache.reset()
    with torch.no_grad():
        fed = 0
        for end in range(T, T + max_new_tokens):
            logits = model(out[:, fed:end], cache)
            out[:, end] = logits[:, -1].max(-1).indices
            fed = end
    return out


@torch.inference_mode()
def generate_prefill_then_decode(model, tokens, max_new_tokens, cache):
    """Prefill and decode apart, rows as lists."""
    if max_new_tokens == 0:
        return tokens.clone()
    cache.reset()
    rows = tokens.tolist()
    last = model(tokens, cache, last_only=True)[:, 0].argmax(-1)
    for step in range(max_new_tokens):
        for row, token in zip(rows, last.tolist(), strict=True):
            row.append(token)
        if step < max_new_tokens - 1:
            last = model(last.unsqueeze(1), cache)[:, -1].argmax(-1)
    return torch.tensor(rows, dtype=tokens.dtype)


@torch.no_grad()
def generate_by_a_step_of_its_own(model, tokens, max_new_tokens, cache):
    """With a step from the model's parts, which checks nothing: the cache and the position table do."""
    cache.reset()
    pieces = [tokens]
    while len(pieces) <= max_new_tokens:
        logits = forward_with_positions_by_name(model, pieces[-1], cache)
        pieces.append(logits[:, -1:].argmax(-1).type_as(tokens))
    return torch.cat(pieces, 1)


def forward_with_positions_by_name(model, tokens, cache):
    x = model.wte.weight[tokens] + model.wpe(torch.arange(cache.position, cache.position + tokens.shape[1]))
    for layer, block in enumerate(model.blocks):
        q, k, v = block.project(x)
        x = block.finish(x, attend_by_the_library(q, *cache.update(layer, k, v)))
    return model.lm_head(model.ln_f(x))


# ---------------------------------------------------------------- formulas


def cache_bytes_by_counting(config, batch_size, seq_len, itemsize):
    total = 0
    for _layer in range(config.layers):
        for _kind in ("keys", "values"):
            total += math.prod((batch_size, config.heads, seq_len, config.head_dim)) * itemsize
    return total


def cache_bytes_by_a_tensor(config, batch_size, seq_len, itemsize):
    numbers = torch.empty(2, config.layers, batch_size, seq_len, config.width, device="meta").numel()
    return itemsize * numbers


def decode_flops_matrix_by_matrix(config, position, batch_size=1):
    def product(m, k, n):
        return 2 * m * k * n

    C, B = config.width, batch_size
    keys = position + 1
    projections = product(B, C, 3 * C) + product(B, C, C)
    attention = B * config.heads * (product(1, config.head_dim, keys) + product(1, keys, config.head_dim))
    mlp = product(B, C, 4 * C) + product(B, 4 * C, C)
    return config.layers * (projections + attention + mlp) + product(B, C, config.vocab_size)


def decode_flops_by_weights(config, position, batch_size=1):
    weights = config.layers * 12 * config.width**2 + config.vocab_size * config.width
    per_token = 2 * weights + 4 * config.layers * config.width * (position + 1)
    return batch_size * per_token


# ---------------------------------------------------------------- quantize and dequantize


def quantize_flat(x):
    """All rows in one matrix, the largest magnitude from the two ends."""
    rows = x.reshape(-1, x.shape[-1])
    if not bool(torch.isfinite(rows).all()):
        raise ValueError("not a number")
    top = torch.maximum(rows.max(-1).values, -rows.min(-1).values).float()
    scale = top / 127
    scale[scale == 0] = 1.0
    codes = torch.round(rows / scale[:, None]).to(torch.int8)
    return codes.reshape(x.shape), scale.reshape(*x.shape[:-1], 1)


def quantize_in_numpy(x):
    """NumPy, whose rint rounds to even too."""
    a = x.double().numpy()
    if np.isnan(a).any() or np.isinf(a).any():
        raise ValueError("NaN or infinity")
    scale = (np.abs(a).max(axis=-1, keepdims=True).astype(np.float32) / np.float32(127)).astype(np.float32)
    scale = np.where(scale > 0, scale, np.float32(1))
    codes = np.clip(np.rint(a / scale), -127, 127).astype(np.int8)
    return torch.from_numpy(codes), torch.from_numpy(scale)


def dequantize_with_mul(codes, scale):
    return torch.mul(codes.type(scale.dtype), scale.expand(codes.shape))


def dequantize_row_by_row(codes, scale):
    flat, scales = codes.reshape(-1, codes.shape[-1]), scale.reshape(-1)
    rows = [s * row.to(s.dtype) for row, s in zip(flat, scales, strict=True)]
    return torch.stack(rows).reshape(codes.shape)


STYLES = {
    "attend": {
        "loops over rows, heads and queries": attend_with_loops,
        "einsum, and a softmax by hand": attend_with_einsum,
        "the library's attention": attend_by_the_library,
    },
    "StaticCache": {
        "a tensor for each layer": TensorPerLayer,
        "one buffer, time first": OneBuffer,
        "a module with buffers": AsModule,
    },
    "forward_with_cache": {
        "the library's attention, a while loop": forward_with_positions_first,
        "one query at a time": forward_in_small_functions,
    },
    "generate": {
        "into a preallocated result": generate_into_a_buffer,
        "prefill and decode apart, rows as lists": generate_prefill_then_decode,
        "with a step of its own": generate_by_a_step_of_its_own,
    },
    "cache_bytes": {"counting": cache_bytes_by_counting, "the size of a tensor": cache_bytes_by_a_tensor},
    "decode_flops": {"matrix by matrix": decode_flops_matrix_by_matrix, "by weights": decode_flops_by_weights},
    "quantize": {"one flat matrix": quantize_flat, "NumPy": quantize_in_numpy},
    "dequantize": {"mul and expand": dequantize_with_mul, "row by row": dequantize_row_by_row},
}
