"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math
from collections import Counter

import torch
from entropy_plotter import eta, frequency_penalty, presence_penalty, typical

INF = float("inf")

# ---------------------------------------------------------------- entropy


def entropy_by_log_softmax(logits):
    logs = torch.log_softmax(logits, -1)
    return -(logs.exp() * logs.clamp(min=-1e30)).sum(-1) / math.log(2)


def entropy_by_the_library(logits):
    p = torch.softmax(logits, dim=-1)
    return -torch.xlogy(p, p).sum(dim=-1) / torch.log(torch.tensor(2.0, dtype=p.dtype))


# ---------------------------------------------------------------- temperature


def temperature_by_a_factor(logits, value):
    if not value > 0:
        raise ValueError(f"a temperature of {value}")
    return torch.div(logits, value)


def temperature_by_the_reciprocal(logits, value):
    if value <= 0:
        raise ValueError("above 0")
    return logits * (1 / value)


def temperature_row_by_row(logits, value):
    if value == 0 or value < 0:
        raise ValueError("positive only")
    flat = logits.reshape(-1, logits.shape[-1])
    return torch.stack([row / value for row in flat]).reshape(logits.shape)


# ---------------------------------------------------------------- top_k


def top_k_by_sorting(logits, k):
    if k <= 0:
        raise ValueError("k must be positive")
    if k >= logits.size(-1):
        return logits.clone()
    edge = torch.sort(logits, dim=-1, descending=True).values[..., k - 1].unsqueeze(-1)
    return torch.where(logits >= edge, logits, torch.full_like(logits, -INF))


def top_k_with_a_loop(logits, k):
    if k < 1:
        raise ValueError(k)
    out = torch.full_like(logits, -INF)
    for row, target in zip(logits.reshape(-1, logits.shape[-1]), out.view(-1, logits.shape[-1]), strict=True):
        edge = sorted(row.tolist())[max(0, len(row) - k)]
        for i, x in enumerate(row):
            if x >= edge:
                target[i] = x
    return out


# ---------------------------------------------------------------- top_p


def top_p_from_the_top(logits, p):
    if p <= 0 or p > 1:
        raise ValueError("p")
    probs, ids = logits.softmax(-1).sort(dim=-1, descending=True)
    before = probs.cumsum(-1) - probs
    keep = before < p
    keep[..., 0] = True
    mask = torch.zeros_like(keep)
    mask.scatter_(-1, ids, keep)
    return logits.masked_fill(~mask, -INF)


def top_p_with_a_loop(logits, p):
    if not (0 < p <= 1):
        raise ValueError("p is a share")
    out = torch.full_like(logits, -INF)
    flat, target = logits.reshape(-1, logits.shape[-1]), out.view(-1, logits.shape[-1])
    for r, row in enumerate(flat):
        probs, total = torch.softmax(row, 0).tolist(), 0.0
        for i in sorted(range(len(row)), key=lambda i: -probs[i]):
            target[r, i] = row[i]
            total += probs[i]
            if total >= p:
                break
    return out


# ---------------------------------------------------------------- min_p


def min_p_in_log_space(logits, p):
    if not 0 < p <= 1:
        raise ValueError("p")
    return torch.where(
        logits - logits.max(-1, keepdim=True).values >= math.log(p), logits, torch.tensor(-INF).to(logits)
    )


def min_p_by_a_ratio(logits, p):
    if p <= 0.0 or p > 1.0:
        raise ValueError("not a share")
    ratio = (logits - logits.amax(dim=-1, keepdim=True)).exp()
    out = logits.clone()
    out[ratio < p] = -INF
    return out


# ---------------------------------------------------------------- repetition_penalty


def repetition_with_a_mask(logits, tokens, penalty):
    if penalty <= 0:
        raise ValueError("penalty")
    seen = torch.zeros_like(logits, dtype=torch.bool)
    for row, ids in enumerate(tokens):
        seen[row, ids] = True
    changed = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, changed, logits)


def repetition_with_sets(logits, tokens, penalty):
    if not penalty > 0:
        raise ValueError
    out = logits.clone()
    for r in range(tokens.shape[0]):
        for t in set(tokens[r].tolist()):
            out[r, t] = out[r, t] * penalty if out[r, t] < 0 else out[r, t] / penalty
    return out


# ---------------------------------------------------------------- warp


def warp_written_out(logits, tokens, params):
    if params.repetition_penalty is not None:
        logits = repetition_with_a_mask(logits, tokens, params.repetition_penalty)
    if params.frequency_penalty is not None:
        logits = frequency_penalty(logits, tokens, params.frequency_penalty)
    if params.presence_penalty is not None:
        logits = presence_penalty(logits, tokens, params.presence_penalty)
    if params.temperature is not None:
        logits = temperature_row_by_row(logits, params.temperature)
    if params.top_k is not None:
        logits = top_k_by_sorting(logits, params.top_k)
    if params.top_p is not None:
        logits = top_p_from_the_top(logits, params.top_p)
    if params.min_p is not None:
        logits = min_p_by_a_ratio(logits, params.min_p)
    if params.typical is not None:
        logits = typical(logits, params.typical)
    return logits if params.eta is None else eta(logits, params.eta)


def warp_by_a_list(logits, tokens, params):
    steps = [
        (params.repetition_penalty, lambda x, v: repetition_with_sets(x, tokens, v)),
        (params.frequency_penalty, lambda x, v: frequency_penalty(x, tokens, penalty=v)),
        (params.presence_penalty, lambda x, v: presence_penalty(x, tokens, v)),
        (params.temperature, temperature_by_a_factor),
        (params.top_k, top_k_with_a_loop),
        (params.top_p, top_p_with_a_loop),
        (params.min_p, min_p_in_log_space),
        (params.typical, lambda x, v: typical(x, mass=v)),
        (params.eta, eta),
    ]
    for value, step in steps:
        logits = logits if value is None else step(logits, value)
    return logits


# ---------------------------------------------------------------- sample


def sample_by_counting(logits, uniforms):
    cdf = torch.softmax(logits.double(), -1).cumsum(-1)
    cdf = cdf / cdf[:, -1:]
    return (cdf <= uniforms.double().unsqueeze(-1)).sum(-1)


def sample_with_a_loop(logits, uniforms):
    drawn = []
    for row, u in zip(logits.double(), uniforms.tolist(), strict=True):
        weights = (row - row.max()).exp()
        running = torch.cumsum(weights, 0)
        goal = u * running[-1].item()
        drawn.append(next(i for i, total in enumerate(running.tolist()) if total > goal))
    return torch.tensor(drawn)


# ---------------------------------------------------------------- speculative_accept


def speculation_with_a_counter(target_probs, draft_probs, drafted, uniforms):
    G, n = len(drafted), 0
    while n < G and uniforms[n] * draft_probs[n, drafted[n]] < target_probs[n, drafted[n]]:
        n += 1
    weights = target_probs[n] if n == G else torch.relu(target_probs[n] - draft_probs[n])
    one_more = sample_by_counting(weights[None].log(), uniforms[G:])
    return drafted[:n].tolist() + one_more.tolist()


def speculation_vectorised(target_probs, draft_probs, drafted, uniforms):
    at = torch.arange(len(drafted))
    rejected = uniforms[:-1] >= target_probs[at, drafted] / draft_probs[at, drafted]
    n = int(rejected.long().argmax()) if rejected.any() else len(drafted)
    padded = torch.cat((draft_probs, torch.zeros_like(target_probs[:1])))
    rest = (target_probs[n] - padded[n]).clamp_min(0)
    cdf = (rest / rest.sum()).double().cumsum(0)
    token = int(torch.searchsorted(cdf, uniforms[-1].double() * cdf[-1], right=True))
    return [int(t) for t in drafted[:n]] + [token]


# ---------------------------------------------------------------- majority_vote


def vote_by_counter(chains, marker="="):
    answers = [chain.split(marker)[-1].strip() for chain in chains if marker in chain]
    answers = [a for a in answers if a]
    return Counter(answers).most_common(1)[0][0] if answers else None


def vote_with_a_dictionary(chains, marker="="):
    votes, best = {}, None
    for chain in chains:
        at = chain.rfind(marker)
        answer = chain[at + len(marker) :].strip() if at >= 0 else ""
        if answer:
            votes[answer] = votes.get(answer, 0) + 1
    for answer, count in votes.items():
        if best is None or count > votes[best]:
            best = answer
    return best


STYLES = {
    "entropy": {"by log-softmax": entropy_by_log_softmax, "by xlogy": entropy_by_the_library},
    "temperature": {
        "by torch.div": temperature_by_a_factor,
        "row by row": temperature_row_by_row,
        "by the reciprocal": temperature_by_the_reciprocal,
    },
    "top_k": {"by sorting": top_k_by_sorting, "with a loop": top_k_with_a_loop},
    "top_p": {"from the top": top_p_from_the_top, "with a loop": top_p_with_a_loop},
    "min_p": {"in log space": min_p_in_log_space, "by a ratio": min_p_by_a_ratio},
    "repetition_penalty": {"with a mask": repetition_with_a_mask, "with sets": repetition_with_sets},
    "warp": {"written out": warp_written_out, "by a list": warp_by_a_list},
    "sample": {"by counting": sample_by_counting, "with a loop": sample_with_a_loop},
    "speculative_accept": {"with a counter": speculation_with_a_counter, "vectorised": speculation_vectorised},
    "majority_vote": {"by Counter": vote_by_counter, "with a dictionary": vote_with_a_dictionary},
}
