"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math

import torch
from expert_router import expert_load


def gate_by_sorting(logits, k, bias=None, noise=None, training=False):
    E = logits.size(-1)
    if k < 1 or k > E:
        raise ValueError("k")
    scores = logits.clone()
    if training and noise is not None:
        scores = scores + noise
    wanted = scores.detach().clone()
    if bias is not None:
        wanted += bias
    return scores, torch.argsort(wanted, dim=-1, descending=True)[..., :k]


def gate_one_by_one(logits, k, bias=None, noise=None, training=False):
    if k not in range(1, logits.shape[-1] + 1):
        raise ValueError(f"{k} experts cannot be chosen")
    scores = logits if not training or noise is None else torch.add(logits, noise)
    left = (scores if bias is None else bias + scores).detach().clone()
    found = []
    for _ in range(k):
        best = left.argmax(dim=-1, keepdim=True)
        found.append(best)
        left = left.scatter(-1, best, -math.inf)
    return (scores, torch.cat(found, dim=-1))


def weights_by_hand(scores, indices, normalize=False):
    if normalize and indices.size(-1) < 2:
        raise ValueError("one normalised expert")
    chosen = torch.take_along_dim(scores, indices, dim=-1)
    pool = chosen if normalize else scores
    top = pool.amax(-1, keepdim=True)
    return (chosen - top).exp() / (pool - top).exp().sum(-1, keepdim=True)


def weights_by_logarithms(scores, indices, normalize=False):
    k = indices.shape[-1]
    if k == 1 and normalize:
        raise ValueError
    chosen = scores.gather(-1, indices)
    if normalize:
        return torch.softmax(chosen, dim=-1)
    return (chosen - torch.logsumexp(scores, -1, keepdim=True)).exp()


def loss_with_given_counts(scores, indices, mask=None):
    E, k = scores.shape[-1], indices.shape[-1]
    if mask is None:
        mask = torch.ones(scores.shape[:-1], dtype=torch.bool)
    if int(mask.sum()) == 0:
        raise ValueError("nothing but padding")
    f = expert_load(indices, E, mask) / (k * mask.sum())
    P = torch.softmax(scores, -1)[mask].mean(0)
    return E * torch.dot(f.to(P.dtype), P)


def loss_expert_by_expert(scores, indices, mask=None):
    E = scores.shape[-1]
    probabilities = scores.softmax(-1).reshape(-1, E)
    chosen = indices.reshape(-1, indices.shape[-1])
    real = torch.ones(len(chosen)) if mask is None else mask.reshape(-1).float()
    real = real.to(scores.dtype)
    if real.sum() == 0:
        raise ValueError("mask")
    total = 0.0
    for e in range(E):
        share = ((chosen == e).to(real.dtype) * real[:, None]).sum() / (real.sum() * chosen.shape[1])
        total = total + share * (probabilities[:, e] * real).sum() / real.sum()
    return total * E


def z_by_hand(logits, mask=None):
    if mask is not None and not bool(mask.any()):
        raise ValueError("mask")
    top = logits.max(dim=-1, keepdim=True).values.detach()
    z = (top + (logits - top).exp().sum(-1, keepdim=True).log())[..., 0]
    kept = z.reshape(-1) if mask is None else z[mask]
    return (kept * kept).sum() / kept.numel()


def z_with_a_weighted_mean(logits, mask=None):
    z = torch.logsumexp(logits, dim=-1) ** 2
    if mask is None:
        return torch.mean(z)
    if mask.sum() == 0:
        raise ValueError("no real token")
    return (z * mask).sum() / mask.sum()


def bias_in_a_loop(bias, load, rate):
    numbers = load.tolist()
    mean = sum(numbers) / len(numbers)
    new = bias.clone()
    for i, n in enumerate(numbers):
        if n < mean:
            new[i] += rate
        elif n > mean:
            new[i] -= rate
    return new


def bias_with_where(bias, load, rate):
    mean = load.double().mean()
    up, down = (load < mean).to(bias.dtype), (load > mean).to(bias.dtype)
    return torch.add(bias, up - down, alpha=rate)


def drop_in_a_loop(indices, num_experts, capacity_factor):
    if not capacity_factor > 0:
        raise ValueError("capacity_factor")
    groups, tokens, k = indices.shape
    room = -(-(capacity_factor * tokens * k) // num_experts)
    kept = torch.zeros(groups, tokens, k, dtype=torch.bool)
    for g in range(groups):
        left = {e: room for e in range(num_experts)}
        for j in range(k):
            for n in range(tokens):
                e = indices[g, n, j].item()
                kept[g, n, j] = left[e] > 0
                left[e] -= 1
    return kept


def drop_by_comparing_pairs(indices, num_experts, capacity_factor):
    if capacity_factor <= 0:
        raise ValueError("capacity_factor must be positive")
    G, N, K = indices.shape
    capacity = math.ceil(capacity_factor * K * N / num_experts)
    line = torch.cat([indices[:, :, j] for j in range(K)], dim=1)
    same = line[:, :, None] == line[:, None, :]
    before = same.tril(-1).sum(-1)
    return torch.stack((before < capacity).chunk(K, dim=1), dim=-1)


def dispatch_by_looping(residual, x, indices, weights, kept, experts, shared=None):
    out = residual + shared(x) if shared is not None else residual + 0
    for e in sorted(set(indices[kept].tolist())):
        tokens, choice = torch.where((indices == e) & kept)
        out = out.index_add(0, tokens, experts(x[tokens], e) * weights[tokens, choice].unsqueeze(1))
    return out


def dispatch_by_a_dictionary(residual, x, indices, weights, kept, experts, shared=None):
    waiting = {}
    for n in range(indices.shape[0]):
        for j in range(indices.shape[1]):
            if kept[n, j]:
                waiting.setdefault(int(indices[n, j]), []).append((n, j))
    rows = list(residual.unbind(0))
    if shared is not None:
        rows = [row + extra for row, extra in zip(rows, shared(x).unbind(0), strict=True)]
    for e, pairs in waiting.items():
        made = experts(torch.stack([x[n] for n, _ in pairs]), e)
        for row, (n, j) in zip(made, pairs, strict=True):
            rows[n] = rows[n] + weights[n, j] * row
    return torch.stack(rows)


def copies_by_repeat(gate_up, down, num_experts):
    if num_experts <= 0:
        raise ValueError("no expert")
    with torch.no_grad():
        return gate_up.unsqueeze(0).repeat(num_experts, 1, 1), down.unsqueeze(0).repeat(num_experts, 1, 1)


def copies_into_new_memory(gate_up, down, num_experts):
    if num_experts < 1:
        raise ValueError("num_experts")
    made = []
    for weight in (gate_up, down):
        stacked = torch.empty(num_experts, *weight.shape, dtype=weight.dtype)
        for e in range(num_experts):
            stacked[e] = weight.data
        made.append(stacked)
    return made


STYLES = {
    "top_k_gate": {"a sort": gate_by_sorting, "one expert after the other": gate_one_by_one},
    "combine_weights": {"exponentials by hand": weights_by_hand, "log-probabilities": weights_by_logarithms},
    "load_balancing_loss": {"the counts that are given": loss_with_given_counts, "a loop": loss_expert_by_expert},
    "z_loss": {"the largest logit first": z_by_hand, "a weighted mean": z_with_a_weighted_mean},
    "update_bias": {"a loop": bias_in_a_loop, "two comparisons": bias_with_where},
    "drop_overflow": {"a loop": drop_in_a_loop, "pairs": drop_by_comparing_pairs},
    "grouped_dispatch": {"a loop": dispatch_by_looping, "a dictionary": dispatch_by_a_dictionary},
    "upcycle": {"repeat": copies_by_repeat, "a loop, a list": copies_into_new_memory},
}
