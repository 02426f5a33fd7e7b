"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---------------------------------------------------------------- shapes


def puzzles_by_running_them(B, T, H, D):
    x, q, lengths = torch.zeros(B, T, H * D), torch.zeros(B, H, T, D), torch.zeros(B)
    tries = {
        "A": lambda: x.view(B, T, H, D),
        "B": lambda: x.view(B, T, H, D).transpose(1, 2),
        "C": lambda: q @ q.transpose(-2, -1),
        "D": lambda: q.sum(-1, keepdim=True),
        "E": lambda: q + q.mean(2),
        "F": lambda: torch.arange(T)[:, None] >= torch.arange(T),
        "G": lambda: q.transpose(1, 2).view(B, T, H * D),
        "H": lambda: q.transpose(1, 2).reshape(B, T, H * D),
        "I": lambda: x[:, -1],
        "J": lambda: torch.arange(T) < lengths[:, None, None, None],
    }
    answers = {}
    for letter, run in tries.items():
        try:
            answers[letter] = tuple(run().shape)
        except RuntimeError:
            answers[letter] = None
    return answers


def puzzles_as_lists(B, T, H, D):
    heads = [B, H, T]
    answers = dict(
        A=[B, T, H, D], B=heads + [D], C=heads + [T], D=heads + [1], F=[T] * 2, H=[B, T, D * H], I=[B, D * H]
    )
    return answers | {"E": None, "G": None, "J": [B] + [1] * 2 + [T]}


# ---------------------------------------------------------------- softmax


def softmax_by_log_sum_exp(scores):
    empty = torch.isneginf(scores).all(-1, keepdim=True)
    filled = torch.where(empty, torch.zeros_like(scores), scores)
    weights = (filled - torch.logsumexp(filled, dim=-1, keepdim=True)).exp()
    return torch.where(empty, torch.zeros_like(weights), weights)


def softmax_of_a_detached_largest(scores):
    largest = scores.detach().amax(-1, keepdim=True)
    powers = torch.exp(scores - largest.where(largest.isfinite(), 0))
    total = powers.sum(-1, keepdim=True)
    return powers / total.where(total > 0, 1)


def softmax_of_filled_rows(scores):
    empty = (scores == -math.inf).all(-1, keepdim=True)
    return torch.softmax(scores.masked_fill(empty, 0.0), -1).masked_fill(empty, 0.0)


def softmax_row_by_row(scores):
    rows = []
    for row in scores.reshape(-1, scores.shape[-1]):
        if (row == -math.inf).all():
            rows.append(torch.zeros_like(row))
        else:
            e = torch.exp(row - max(row))
            rows.append(e / sum(e))
    return torch.stack(rows).reshape(scores.shape)


# ---------------------------------------------------------------- attention


def attention_by_einsum(q, k, v, attention_mask=None, dropout_p=0.0, uniforms=None):
    scores = torch.einsum("...id,...jd->...ij", q * q.shape[-1] ** -0.5, k)
    if attention_mask is not None:
        if attention_mask.dtype is not torch.bool:
            raise ValueError("the mask is not boolean")
        scores = torch.where(attention_mask, scores, torch.tensor(-math.inf, dtype=scores.dtype))
    weights = torch.nan_to_num(F.softmax(scores, dim=-1), nan=0.0)
    dropped = weights
    if uniforms is not None:
        dropped = weights.masked_fill(uniforms < dropout_p, 0) / (1 - dropout_p)
    return torch.einsum("...ij,...jd->...id", dropped, v), weights


def attention_of_the_lowest_number(q, k, v, attention_mask=None, dropout_p=0.0, uniforms=None):
    """Hidden scores get the lowest finite number, and their weights are zeroed afterwards."""
    if attention_mask is not None and attention_mask.dtype != torch.bool:
        raise ValueError("not boolean")
    scores = (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) / q.shape[-1] ** 0.5
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, -1) * (1 if attention_mask is None else attention_mask)
    kept = weights if uniforms is None else weights.masked_fill(uniforms < dropout_p, 0) / (1 - dropout_p)
    return kept @ v, weights


def attention_query_by_query(q, k, v, attention_mask=None, dropout_p=0.0, uniforms=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if attention_mask is None:
        attention_mask = torch.ones(shape, dtype=torch.bool)
    if attention_mask.dtype != torch.bool:
        raise ValueError(attention_mask.dtype)
    seen, rows = attention_mask.expand(shape), []
    for i in range(q.shape[-2]):
        row = (q[..., i : i + 1, :] * k).sum(-1) / math.sqrt(q.shape[-1])  # *batch Tk
        e = torch.exp(row - row.amax(-1, keepdim=True)) * seen[..., i, :]
        least = row.masked_fill(~seen[..., i, :], -math.inf).amax(-1, keepdim=True)
        e = torch.where(seen[..., i, :], torch.exp(row - torch.nan_to_num(least, neginf=0.0)), torch.zeros_like(e))
        rows.append(e / e.sum(-1, keepdim=True).clamp(min=1e-30 if e.dtype != torch.float16 else 1e-7))
    weights = torch.stack(rows, -2)
    factor = 1 if uniforms is None else (uniforms >= dropout_p).to(q.dtype) / (1 - dropout_p)
    return torch.matmul(weights * factor, v), weights


# ---------------------------------------------------------------- masks


def causal_by_tril(query_len, key_len=None):
    if key_len is None:
        key_len = query_len
    return torch.ones((query_len, key_len), dtype=torch.bool).tril(diagonal=key_len - query_len)


def causal_by_numpy(query_len, key_len=None):
    keys = query_len if key_len is None else key_len
    rows = [[j - (keys - query_len) <= i for j in range(keys)] for i in range(query_len)]
    return torch.from_numpy(np.array(rows, dtype=bool))


def causal_by_positions(query_len, key_len=None):
    if key_len is None:
        key_len = query_len
    return torch.arange(key_len - query_len, key_len)[:, None] >= torch.arange(key_len)


def padding_by_loop(lengths, seq_len):
    mask = torch.zeros(len(lengths), 1, 1, seq_len, dtype=torch.bool)
    for b, n in enumerate(lengths.tolist()):
        if not 0 <= n <= seq_len:
            raise ValueError(f"length {n}")
        mask[b, ..., :n] = True
    return mask


def padding_by_cumsum(lengths, seq_len):
    if lengths.min() < 0 or lengths.max() > seq_len:
        raise ValueError("a length does not fit")
    places = torch.ones(len(lengths), seq_len).cumsum(-1)
    return ~(places > lengths.unsqueeze(1)).unsqueeze(1).unsqueeze(1)


# ---------------------------------------------------------------- heads


def split_by_chunks(x, heads):
    if x.size(-1) % heads != 0:
        raise ValueError(f"{heads} heads do not fit into {x.size(-1)} channels")
    return torch.stack(torch.chunk(x, heads, dim=-1), dim=1)


def split_by_permute(x, heads):
    try:
        cut = x.unflatten(-1, (heads, x.shape[-1] // heads))
    except RuntimeError as error:
        raise ValueError("heads") from error
    return cut.permute(0, 2, 1, 3)


def merge_by_cat(x):
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)


def merge_by_contiguous_view(x):
    B, H, T, D = x.size()
    return x.permute(0, 2, 1, 3).contiguous().view(B, T, H * D)


def multi_by_sdpa(projections, x, context, heads, attention_mask=None):
    d = x.shape[-1] // heads
    q, k, v = (
        p(y).unflatten(-1, (heads, d)).transpose(1, 2)
        for p, y in ((projections.q_proj, x), (projections.k_proj, context), (projections.v_proj, context))
    )
    bias = 0.0 if attention_mask is None else torch.zeros(attention_mask.shape).masked_fill(~attention_mask, -math.inf)
    weights = torch.nan_to_num(torch.softmax(q @ k.mT * d**-0.5 + bias, -1)).to(x.dtype)
    return projections.o_proj((weights @ v).transpose(1, 2).reshape(x.shape)), weights


def multi_head_by_head(projections, x, context, heads, attention_mask=None):
    q, k, v = projections.q_proj(x), projections.k_proj(context), projections.v_proj(context)
    d, outputs, pictures = q.shape[2] // heads, [], []
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool) if attention_mask is None else attention_mask
    mask = mask.expand(*([1] * (4 - mask.dim())), *mask.shape) if mask.dim() < 4 else mask
    mask = mask.expand(x.shape[0], heads, x.shape[1], context.shape[1])
    for h in range(heads):
        cut = slice(h * d, (h + 1) * d)
        scores = torch.bmm(q[..., cut], k[..., cut].transpose(1, 2)) / d**0.5
        weights = scores.masked_fill(~mask[:, h], float("-inf")).softmax(dim=2)
        weights = torch.where(weights.isnan(), torch.zeros_like(weights), weights)
        outputs.append(torch.bmm(weights, v[..., cut]))
        pictures.append(weights)
    return projections.o_proj(torch.cat(outputs, 2)), torch.stack(pictures, 1)


# ---------------------------------------------------------------- online softmax


def online_by_merging(blocks):
    """Each block is finished alone; two finished parts are weighed by their log-sums."""
    output = log_sum = None
    for scores, values in blocks:
        part = torch.logsumexp(scores, -1, keepdim=True)
        own = torch.nan_to_num(torch.softmax(scores, -1)) @ values
        if output is None:
            output, log_sum = own, part
            continue
        both = torch.logaddexp(log_sum, part)
        old, new = (torch.nan_to_num((x - both).exp()) for x in (log_sum, part))
        output, log_sum = old * output + new * own, both
    return output, log_sum


def online_with_a_first_block(blocks):
    blocks = iter(blocks)
    scores, values = next(blocks)
    m = scores.max(-1, keepdim=True).values
    e = torch.where(scores == -math.inf, torch.zeros_like(scores), torch.exp(scores - m))
    total, numerator = e.sum(-1, keepdim=True), e @ values
    for scores, values in blocks:
        larger = torch.maximum(m, scores.max(-1, keepdim=True).values)
        e = torch.where(scores == -math.inf, torch.zeros_like(scores), torch.exp(scores - larger))
        factor = torch.where(m == -math.inf, torch.zeros_like(m), torch.exp(m - larger))
        total, numerator, m = factor * total + e.sum(-1, keepdim=True), factor * numerator + e @ values, larger
    answer = torch.where(total > 0, numerator / total, torch.zeros_like(numerator))
    return answer, torch.log(total) + torch.where(total > 0, m, torch.zeros_like(m))


def online_key_by_key(blocks):
    m = None
    for scores, values in blocks:
        for j in range(scores.shape[-1]):
            s, v = scores[..., j : j + 1], values[..., j : j + 1, :]
            if m is None:
                m, total, output = torch.full_like(s, -math.inf), torch.zeros_like(s), torch.zeros_like(s * v)
            new = torch.maximum(m, s)
            safe = torch.where(new == -math.inf, torch.zeros_like(new), new)
            factor, weight = torch.exp(m - safe), torch.exp(s - safe)
            m, total, output = new, total * factor + weight, output * factor + weight * v
    return output / torch.where(total == 0, torch.ones_like(total), total), m + total.log()


STYLES = {
    "shape_puzzles": {"by running them": puzzles_by_running_them, "as lists": puzzles_as_lists},
    "softmax": {
        "by log-sum-exp": softmax_by_log_sum_exp,
        "row by row": softmax_row_by_row,
        "empty rows filled": softmax_of_filled_rows,
        "largest detached": softmax_of_a_detached_largest,
    },
    "scaled_dot_product_attention": {
        "by einsum": attention_by_einsum,
        "query by query": attention_query_by_query,
        "lowest number": attention_of_the_lowest_number,
    },
    "causal_mask": {"by tril": causal_by_tril, "by numpy": causal_by_numpy, "by positions": causal_by_positions},
    "padding_mask": {"by a loop": padding_by_loop, "by counting": padding_by_cumsum},
    "split_heads": {"by chunks": split_by_chunks, "by permute": split_by_permute},
    "merge_heads": {"by cat": merge_by_cat, "by a contiguous view": merge_by_contiguous_view},
    "multi_head_attention": {"with a bias": multi_by_sdpa, "head by head": multi_head_by_head},
    "online_softmax": {
        "by merging": online_by_merging,
        "first block apart": online_with_a_first_block,
        "key by key": online_key_by_key,
    },
}
