"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import torch


def refuse(temperature):
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")


def by_log_sum_exp(scores, temperature=1.0):
    refuse(temperature)
    logits = scores / temperature
    return (logits - torch.logsumexp(logits, dim=-1, keepdim=True)).exp()


def row_by_row(scores, temperature=1.0):
    refuse(temperature)
    rows = []
    for row in scores.reshape(-1, scores.shape[-1]):
        weights = torch.exp((row - max(row)) / temperature)
        rows.append(weights / weights.sum())
    return torch.stack(rows).reshape(scores.shape)


STYLES = {"softmax": {"by log-sum-exp": by_log_sum_exp, "row by row": row_by_row}}
