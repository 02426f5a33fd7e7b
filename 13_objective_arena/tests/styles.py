"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def shift_by_roll(ids, ignore_index=-100):
    labels = torch.roll(ids, shifts=-1, dims=-1)
    labels[..., -1] = ignore_index
    return labels


def shift_by_concatenation(ids, ignore_index=-100):
    return torch.cat([ids[:, 1:], ids.new_full((ids.size(0), 1), ignore_index)], dim=1)


def causal_with_loops(ids, attention_mask, ignore_index=-100):
    B, T = ids.shape
    labels = torch.full((B, T), ignore_index, dtype=ids.dtype)
    for b in range(B):
        for t in range(T - 1):
            if attention_mask[b, t] and attention_mask[b, t + 1]:
                labels[b, t] = ids[b, t + 1]
    return labels


def causal_by_padding(ids, attention_mask, ignore_index=-100):
    pairs = attention_mask[:, :-1] & attention_mask[:, 1:]
    inside = torch.where(pairs, ids[:, 1:], torch.full_like(ids[:, 1:], ignore_index))
    return F.pad(inside, (0, 1), value=ignore_index)


def mask_with_plain_numbers(ids, special_ids, mask_id, vocab_size, uniforms, probability=0.15):
    if not 0 <= probability <= 1:
        raise ValueError("probability")
    special, (B, T), asked = special_ids.tolist(), ids.shape, -100
    words = sorted(set(range(vocab_size)).difference(special))

    def one(token, select, decide, choose):
        if token in special or select >= probability:
            return token, asked
        if decide < 0.8:
            return mask_id, token
        return (words[int(choose * len(words))] if decide < 0.9 else token), token

    pairs = map(one, ids.flatten().tolist(), *uniforms.flatten(1).tolist())
    made = torch.tensor(list(pairs), dtype=torch.int64).reshape(B, T, 2)
    return made[..., 0], made[..., 1]


def mask_by_indexing(ids, special_ids, mask_id, vocab_size, uniforms, probability=0.15):
    if not (0 <= probability <= 1):
        raise ValueError("probability")
    ids, is_special = ids.long(), torch.zeros(vocab_size, dtype=torch.bool)
    is_special[special_ids] = True
    words = (~is_special).nonzero()[:, 0]
    where = (uniforms[0] < probability) & ~is_special[ids]
    labels = ids.masked_fill(~where, -100)
    inputs, kind = ids.clone(), uniforms[1]
    hide, swap = where & (kind < 0.8), where & (kind >= 0.8) & (kind < 0.9)
    inputs[hide] = mask_id
    inputs[swap] = words[torch.floor(uniforms[2][swap] * words.numel()).to(torch.int64)]
    return [inputs, labels]


def prefix_with_loops(prefix_lengths, T):
    lengths = prefix_lengths.tolist()
    if min(lengths) < 0 or max(lengths) > T:
        raise ValueError("prefix")
    rows = [[[k <= q or k < n for k in range(T)] for q in range(T)] for n in lengths]
    return torch.tensor(rows, dtype=torch.bool)


def prefix_by_filling(prefix_lengths, T):
    if any(n < 0 or n > T for n in prefix_lengths):
        raise ValueError("prefix")
    position = torch.arange(T)
    mask = (position[None, :] <= position[:, None]).repeat(len(prefix_lengths), 1, 1)
    for b, n in enumerate(prefix_lengths):
        mask[b, :n, :n] = True
    return mask


def partition_with_a_loop(total, parts, uniforms):
    if parts < 1 or parts > total:
        raise ValueError("parts")
    ranked = sorted(range(total - 1), key=lambda i: uniforms[i].item())
    cut = set(ranked[: parts - 1])
    lengths, current = [], 0
    for item in range(total):
        current += 1
        if item in cut or item == total - 1:
            lengths.append(current)
            current = 0
    return torch.tensor(lengths)


def partition_by_counting(total, parts, uniforms):
    if not 0 < parts <= total:
        raise ValueError("parts")
    cut = torch.zeros(total, dtype=torch.int64)
    cut[torch.topk(uniforms, parts - 1, largest=False).indices + 1] = 1
    return torch.bincount(cut.cumsum(0), minlength=parts)


def corrupt_token_by_token(ids, spans, sentinel_id, eos_id):
    pairs = [tuple(p) for p in spans.tolist()]
    last = 0
    for start, end in pairs:
        if start < last or end <= start or end > ids.numel():
            raise ValueError("spans")
        last = end
    inputs, targets = [], []
    starts = {start: i for i, (start, _) in enumerate(pairs)}
    hidden = {t for start, end in pairs for t in range(start, end)}
    for t, token in enumerate(ids.tolist()):
        if t in starts:
            inputs.append(sentinel_id - starts[t])
            targets.append(sentinel_id - starts[t])
        (targets if t in hidden else inputs).append(token)
    return torch.tensor([*inputs, eos_id], dtype=ids.dtype), torch.tensor([*targets, eos_id], dtype=ids.dtype)


def corrupt_from_the_end(ids, spans, sentinel_id, eos_id):
    inputs, targets = ids.tolist(), []
    border = len(inputs)
    for i in reversed(range(len(spans))):
        start, end = int(spans[i, 0]), int(spans[i, 1])
        if not 0 <= start < end <= border:
            raise ValueError("spans")
        targets = [sentinel_id - i, *inputs[start:end], *targets]
        inputs[start:end] = [sentinel_id - i]
        border = start
    return ids.new_tensor(inputs + [eos_id]), ids.new_tensor(targets + [eos_id])


def middle_by_lists(ids, start, end, marks, order="psm"):
    if order not in {"psm", "spm"} or start < 0 or start > end or end > len(ids):
        raise ValueError("no such middle")
    text = ids.tolist()
    pre, suf, mid, eot = marks.tolist()
    tail = text[start:end] + [eot]
    if order == "psm":
        made = [pre] + text[:start] + [suf] + text[end:] + [mid] + tail
    else:
        made = [pre, suf] + text[end:] + [mid] + text[:start] + tail
    return torch.tensor(made, dtype=ids.dtype)


def middle_by_filling(ids, start, end, marks, order="psm"):
    T = ids.shape[0]
    if not (0 <= start <= end <= T):
        raise ValueError("middle")
    pieces = {"psm": (0, slice(0, start), 1, slice(end, T), 2, slice(start, end), 3)}
    pieces["spm"] = (0, 1, slice(end, T), 2, slice(0, start), slice(start, end), 3)
    if order not in pieces:
        raise ValueError("order")
    out, at = ids.new_zeros(T + 4), 0
    for piece in pieces[order]:
        part = ids[piece] if isinstance(piece, slice) else marks[piece : piece + 1]
        out[at : at + len(part)] = part
        at += len(part)
    return out


def loss_with_logsumexp(logits, labels, ignore_index=-100):
    rows = [i for i, label in enumerate(labels.tolist()) if label != ignore_index]
    if not rows:
        raise ValueError("no labels")
    losses = [torch.logsumexp(logits[i], 0) - logits[i, labels[i]] for i in rows]
    return torch.stack(losses).sum() / len(rows)


def loss_by_one_hot(logits, labels, ignore_index=-100):
    weight = (labels != ignore_index).to(logits.dtype)
    if weight.sum() == 0:
        raise ValueError("no labels")
    one_hot = F.one_hot(labels.masked_fill(labels == ignore_index, 0), logits.shape[-1]).to(logits.dtype)
    return -((one_hot * torch.log_softmax(logits, dim=-1)).sum(-1) * weight).sum() / weight.sum()


def smoothed_by_targets(logits, labels, smoothing=0.1, ignore_index=-100):
    if smoothing < 0 or smoothing > 1:
        raise ValueError("smoothing")
    kept = labels != ignore_index
    if kept.sum() == 0:
        raise ValueError("no labels")
    V = logits.size(1)
    target = torch.full_like(logits[kept], smoothing / V)
    target[torch.arange(len(target)), labels[kept]] += 1 - smoothing
    return -(target * logits[kept].log_softmax(1)).sum(1).mean()


def smoothed_by_divergence(logits, labels, smoothing=0.1, ignore_index=-100):
    if not (0 <= smoothing <= 1):
        raise ValueError("smoothing")
    total, n, V = 0.0, 0, logits.shape[1]
    for scores, label in zip(logits, labels.tolist(), strict=True):
        if label != ignore_index:
            log_p = scores - torch.logsumexp(scores, 0)
            total = total - (1 - smoothing) * log_p[label] - smoothing * log_p.sum() / V
            n += 1
    if n == 0:
        raise ValueError("no labels")
    return total / n


def nce_with_loops(a, b, temperature=0.1):
    if not temperature > 0:
        raise ValueError("temperature")
    views = [F.normalize(v, dim=0) for v in (*a, *b)]
    B, total = len(a), 0.0
    for i, view in enumerate(views):
        scores = torch.stack([view @ other / temperature for j, other in enumerate(views) if j != i])
        partner = (i + B) % (2 * B)
        total = total + torch.logsumexp(scores, 0) - view @ views[partner] / temperature
    return total / (2 * B)


def nce_by_blocks(a, b, temperature=0.1):
    if temperature <= 0:
        raise ValueError("temperature")
    a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    hide = torch.diag(torch.full((len(a),), math.inf, dtype=a.dtype))
    aa, bb, ab = a @ a.mT / temperature - hide, b @ b.mT / temperature - hide, a @ b.mT / temperature
    first = torch.cat([ab, aa], 1).log_softmax(1).diagonal()
    second = torch.cat([ab.mT, bb], 1).log_softmax(1).diagonal()
    return -(first.mean() + second.mean()) / 2


def pair_by_flattening(documents, document, sentence, uniforms):
    own = documents[document]
    if sentence == len(own) - 1 or len(documents) == 1:
        raise ValueError("no pair")
    follows, which, where = uniforms
    if follows < 0.5:
        return [own[sentence], own[sentence + 1], 0]
    index = math.floor(which * (len(documents) - 1))
    other = documents[index if index < document else index + 1]
    return [own[sentence], other[math.floor(where * len(other))], 1]


def pair_by_searching(documents, document, sentence, uniforms):
    if len(documents) < 2:
        raise ValueError("one document")
    if sentence + 2 > len(documents[document]):
        raise ValueError("no next sentence")
    label = int(uniforms[0] >= 0.5)
    rest = list(documents)
    del rest[document]
    chosen = rest[int(np.floor(uniforms[1] * len(rest)))]
    b = chosen[int(np.floor(uniforms[2] * len(chosen)))] if label else documents[document][sentence + 1]
    return documents[document][sentence], b, label


STYLES = {
    "shift_labels": {"by roll": shift_by_roll, "by concatenation": shift_by_concatenation},
    "causal_labels": {"with loops": causal_with_loops, "by padding": causal_by_padding},
    "mask_tokens": {"with plain numbers": mask_with_plain_numbers, "by indexing, a list": mask_by_indexing},
    "prefix_attention_mask": {"with loops": prefix_with_loops, "by filling a square": prefix_by_filling},
    "random_partition": {"with a loop": partition_with_a_loop, "by counting": partition_by_counting},
    "span_corruption": {"token by token": corrupt_token_by_token, "from the end": corrupt_from_the_end},
    "fill_in_the_middle": {"by lists": middle_by_lists, "by filling": middle_by_filling},
    "cross_entropy": {"with logsumexp": loss_with_logsumexp, "by one-hot targets": loss_by_one_hot},
    "smoothed_cross_entropy": {"by soft targets": smoothed_by_targets, "row by row": smoothed_by_divergence},
    "info_nce": {"with loops": nce_with_loops, "by blocks": nce_by_blocks},
    "sentence_pair": {"by an index that is moved": pair_by_flattening, "by deleting": pair_by_searching},
}
