"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math

import torch
import torch.nn.functional as F


def logprobs_by_cross_entropy(logits, tokens, prompt_len, temperature=1.0):
    if prompt_len < 1 or prompt_len >= tokens.shape[1]:
        raise ValueError("prompt_len")
    guesses = (logits / temperature)[:, :-1].transpose(1, 2)
    return -F.cross_entropy(guesses, tokens[:, 1:], reduction="none")[:, prompt_len - 1 :]


def logprobs_with_a_loop(logits, tokens, prompt_len, temperature=1.0):
    if not 0 < prompt_len < tokens.size(1):
        raise ValueError("no prompt or no answer")
    columns = []
    for t in range(prompt_len, tokens.size(1)):
        scaled = logits[:, t - 1] / temperature
        own = scaled[torch.arange(len(tokens)), tokens[:, t]]
        columns.append(own - scaled.logsumexp(1))
    return torch.stack(columns, dim=1)


def bradley_terry_by_softplus(chosen, rejected, margin=0.0):
    return F.softplus(rejected + margin - chosen).mean()


def bradley_terry_by_logsumexp(chosen, rejected, margin=0.0):
    zero = torch.zeros_like(chosen)
    both = torch.stack([zero, margin - (chosen - rejected)])
    return torch.logsumexp(both, 0).sum() / len(chosen)


def last_with_a_loop(scores, real):
    found = []
    for row, flags in zip(scores, real, strict=True):
        places = flags.nonzero()
        if len(places) == 0:
            raise ValueError("a row of padding")
        found.append(row[places[-1, 0]])
    return torch.stack(found)


def last_by_flipping(scores, real):
    if bool((real.sum(dim=1) == 0).any()):
        raise ValueError("a row of padding")
    from_the_right = real.flip(1).int().argmax(dim=1)
    return scores[torch.arange(scores.size(0)), real.size(1) - 1 - from_the_right]


def k3_by_expm1(logprobs, ref_logprobs):
    difference = logprobs - ref_logprobs
    return torch.expm1(-difference) + difference


def k3_by_one_minus_the_ratio(logprobs, ref_logprobs):
    d = ref_logprobs - logprobs
    return -(1.0 - torch.exp(d)) - d


def shaped_with_a_loop(scores, logprobs, ref_logprobs, mask, beta):
    out = torch.zeros_like(logprobs)
    with torch.no_grad():
        for b in range(len(scores)):
            n = int(mask[b].sum())
            if n == 0:
                raise ValueError("an answer of no token")
            out[b, :n] = beta * (ref_logprobs[b, :n] - logprobs[b, :n])
            out[b, n - 1] += scores[b]
    return out


def shaped_by_one_hot(scores, logprobs, ref_logprobs, mask, beta):
    lengths = mask.sum(dim=1)
    if int(lengths.min()) < 1:
        raise ValueError("an answer of no token")
    last = F.one_hot(lengths - 1, mask.size(1)).to(scores.dtype)
    penalty = (logprobs - ref_logprobs).masked_fill(~mask, 0.0)
    return (scores[:, None] * last - beta * penalty).detach()


def gae_by_the_sum(rewards, values, mask, gamma=1.0, lam=0.95):
    with torch.no_grad():
        r, v = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
        delta = r + gamma * F.pad(v[:, 1:], (0, 1)) - v
        N = r.shape[1]
        distance = torch.arange(N)[:, None] - torch.arange(N)[None, :]  # later minus now
        weights = torch.where(distance >= 0, float(gamma * lam) ** distance.clamp(min=0), 0.0).to(r.dtype)
        advantages = delta @ weights * mask
        return advantages, (advantages + v) * mask


def gae_row_by_row(rewards, values, mask, gamma=1.0, lam=0.95):
    advantages, returns = torch.zeros_like(rewards), torch.zeros_like(rewards)
    for b, n in enumerate(mask.sum(1).tolist()):
        running = 0.0
        for t in range(n - 1, -1, -1):
            following = values[b, t + 1].item() if t + 1 < n else 0.0
            running = rewards[b, t].item() + gamma * following - values[b, t].item() + gamma * lam * running
            advantages[b, t] = running
            returns[b, t] = running + values[b, t].item()
    return [advantages, returns]


def whiten_by_sums(x, mask, shift_mean=True):
    n = int(mask.sum())
    if n < 2:
        raise ValueError("at least two")
    real = x.masked_fill(~mask, 0.0)
    mean = real.sum() / n
    var = ((real - mean) * mask).pow(2).sum() / (n - 1)
    centred = (real - mean) / torch.sqrt(var + 1e-8)
    return (centred if shift_mean else centred + mean) * mask


def whiten_in_place_of_a_copy(x, mask, shift_mean=True):
    if mask.long().sum().item() <= 1:
        raise ValueError("at least two")
    out = torch.zeros_like(x)
    real = x[mask]
    var, mean = torch.var_mean(real)
    out[mask] = (real - mean) * (var + 1e-8) ** -0.5 + (0.0 if shift_mean else mean)
    return out


def clip_by_min_of_objectives(logprobs, old_logprobs, advantages, mask, clip=0.2):
    new, old, a = logprobs[mask], old_logprobs[mask].detach(), advantages[mask].detach()
    ratio = torch.exp(new - old)
    objective = torch.minimum(ratio * a, torch.clip(ratio, 1 - clip, 1 + clip) * a)
    return -objective.sum() / mask.sum()


def clip_case_by_case(logprobs, old_logprobs, advantages, mask, clip=0.2):
    a = torch.where(mask, advantages, 0).detach()
    ratio = torch.exp(torch.where(mask, logprobs, 0) - torch.where(mask, old_logprobs, 0).detach())
    limit = torch.where(a >= 0, (1 + clip) * a, (1 - clip) * a)  # the most that the objective may be
    return (torch.max(-ratio * a, -limit) * mask).sum() / mask.sum()


def clip_where_at_the_end(logprobs, old_logprobs, advantages, mask, clip=0.2):
    a, ratio = advantages.detach(), torch.exp(logprobs - old_logprobs.detach())
    objective = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -torch.where(mask, objective, 0).sum() / mask.sum()


def clip_by_sides(logprobs, old_logprobs, advantages, mask, clip=0.2):
    new, old, a = logprobs[mask], old_logprobs[mask].detach(), advantages[mask].detach()
    ratio = torch.exp(new - old)
    limit = torch.where(a > 0, 1 + clip, 1 - clip)  # float32, whatever the dtype of the ratio is
    counted = torch.where(a > 0, torch.minimum(ratio, limit), torch.maximum(ratio, limit))
    return -(counted * a).mean()


def value_with_maximum(values, old_values, returns, mask, clip=0.2):
    v, old, target = values[mask], old_values[mask].detach(), returns[mask].detach()
    near = torch.maximum(torch.minimum(v, old + clip), old - clip)
    return torch.maximum((v - target) ** 2, (near - target) ** 2).sum() / (2 * mask.sum())


def value_by_where(values, old_values, returns, mask, clip=0.2):
    zero = torch.zeros((), dtype=values.dtype)
    v, old, target = (torch.where(mask, x, zero) for x in (values, old_values.detach(), returns.detach()))
    near = torch.clip(v, min=old - clip, max=old + clip)
    first, second = F.mse_loss(v, target, reduction="none"), F.mse_loss(near, target, reduction="none")
    larger = torch.where(first > second, first, second)
    return 0.5 * larger.sum() / mask.count_nonzero()


def adapt_by_cases(beta, kl, target, samples, horizon=10_000):
    if not target > 0:
        raise ValueError("target")
    error = (kl - target) / target
    if error > 0.2:
        error = 0.2
    elif error < -0.2:
        error = -0.2
    return beta + beta * error * samples / horizon


def adapt_by_sorting(beta, kl, target, samples, horizon=10_000):
    if target <= 0:
        raise ValueError("target")
    error = sorted([-0.2, kl / target - 1.0, 0.2])[1]
    return (1.0 + error * (samples / horizon)) * beta


def dpo_by_softplus(chosen, rejected, ref_chosen, ref_rejected, chosen_mask, rejected_mask, beta=0.1):
    def implicit(logprobs, ref, mask):
        return beta * (logprobs.masked_fill(~mask, 0.0) - ref.detach().masked_fill(~mask, 0.0)).sum(-1)

    difference = implicit(chosen, ref_chosen, chosen_mask) - implicit(rejected, ref_rejected, rejected_mask)
    return F.softplus(-difference).mean()


def dpo_pair_by_pair(chosen, rejected, ref_chosen, ref_rejected, chosen_mask, rejected_mask, beta=0.1):
    losses = []
    for b in range(len(chosen)):
        good = chosen[b][chosen_mask[b]].sum() - ref_chosen[b][chosen_mask[b]].sum().detach()
        bad = rejected[b][rejected_mask[b]].sum() - ref_rejected[b][rejected_mask[b]].sum().detach()
        losses.append(torch.logaddexp(torch.zeros_like(good), beta * (bad - good)))
    return torch.stack(losses).mean()


def groups_with_a_loop(rewards, mask, group_size, scale_std=True):
    if group_size <= 1 or len(rewards) % group_size != 0:
        raise ValueError("group_size")
    rows = []
    for start in range(0, len(rewards), group_size):
        group = rewards[start : start + group_size]
        mean = sum(group) / group_size
        deviation = torch.sqrt(sum((r - mean) ** 2 for r in group) / (group_size - 1))
        for i, r in enumerate(group, start):
            rows.append((r - mean) / (deviation + 1e-4 if scale_std else 1.0) * mask[i])
    return torch.stack(rows)


def groups_by_repeating(rewards, mask, group_size, scale_std=True):
    if group_size < 2 or math.remainder(len(rewards), group_size):
        raise ValueError("group_size")
    groups = rewards.reshape(len(rewards) // group_size, group_size)
    std, mean = torch.std_mean(groups, dim=1)
    mean, std = (x.repeat_interleave(group_size) for x in (mean, std))
    advantages = rewards - mean
    if scale_std:
        advantages = advantages / (std + 1e-4)
    return advantages.unsqueeze(1).expand(mask.shape).masked_fill(~mask, 0.0)


STYLES = {
    "answer_logprobs": {"cross-entropy": logprobs_by_cross_entropy, "a loop": logprobs_with_a_loop},
    "bradley_terry_loss": {"softplus": bradley_terry_by_softplus, "logsumexp": bradley_terry_by_logsumexp},
    "last_token_scores": {"a loop": last_with_a_loop, "flipped": last_by_flipping},
    "k3_estimator": {"expm1": k3_by_expm1, "one minus the ratio": k3_by_one_minus_the_ratio},
    "shaped_rewards": {"a loop": shaped_with_a_loop, "one-hot": shaped_by_one_hot},
    "gae": {"one product": gae_by_the_sum, "row by row": gae_row_by_row},
    "whiten": {"sums": whiten_by_sums, "into zeros": whiten_in_place_of_a_copy},
    "ppo_clip_loss": {
        "min of objectives": clip_by_min_of_objectives,
        "case by case": clip_case_by_case,
        "where at the end": clip_where_at_the_end,
        "by sides": clip_by_sides,
    },
    "value_loss": {"maximum": value_with_maximum, "where": value_by_where},
    "adapt_kl_coef": {"cases": adapt_by_cases, "sorted": adapt_by_sorting},
    "dpo_loss": {"softplus": dpo_by_softplus, "pair by pair": dpo_pair_by_pair},
    "group_advantages": {"a loop": groups_with_a_loop, "repeated": groups_by_repeating},
}
