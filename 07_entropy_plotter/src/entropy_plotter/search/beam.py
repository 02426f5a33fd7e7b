"""Beam search (Lowerre 1976; for neural models Sutskever et al. 2014) with the length penalty of Wu et al. 2016.

Dimensions:
    K   beams        T   tokens so far        V   vocabulary
"""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from ..sample import LanguageModel


class Beam(NamedTuple):
    """A finished text: its new tokens, the sum of their log-probabilities, and the score that ranks it."""

    tokens: list[int]
    log_prob: float
    score: float


def length_penalised(log_prob: float, length: int, alpha: int | float) -> float:
    """log P / length^alpha: 0 prefers short texts, 1 compares log-probabilities a token."""
    return log_prob / length**alpha


@torch.no_grad()
def beam_search(
    model: LanguageModel,
    prompt: Int[Tensor, "T"],
    max_new_tokens: int,
    num_beams: int,
    alpha: int | float = 0.0,
    stop_token: int | None = None,
) -> list[Beam]:
    """The best texts found, best first, at most `num_beams`. A text ends with `stop_token` or at `max_new_tokens`.

    Raises:
        ValueError: the prompt is empty, or a number is below 1.
    """
    if len(prompt) == 0 or max_new_tokens < 1 or num_beams < 1:
        raise ValueError(f"prompt={len(prompt)}, {max_new_tokens=}, {num_beams=}: each must be at least 1")
    cache, finished = model.new_cache(), []
    log_probs = model(prompt[None], cache)[:, -1].log_softmax(dim=-1).double()  # 1 V
    sums, tokens = torch.zeros(1, 1, dtype=torch.float64), torch.empty(1, 0, dtype=torch.long)
    for step in range(max_new_tokens):
        candidates = sums + log_probs  # K V
        V = candidates.shape[1]
        best = candidates.flatten().topk(min(num_beams, candidates.numel()))
        rows, new = best.indices // V, best.indices % V
        tokens = torch.cat((tokens[rows], new[:, None]), dim=1)
        ends = new == stop_token if stop_token is not None else torch.zeros_like(new, dtype=torch.bool)
        ends |= torch.tensor(step + 1 == max_new_tokens)
        for row, log_prob in zip(tokens[ends].tolist(), best.values[ends].tolist(), strict=True):
            finished.append(Beam(row, log_prob, length_penalised(log_prob, len(row), alpha)))
        if ends.all():
            break
        cache.select(rows[~ends])
        tokens, sums = tokens[~ends], best.values[~ends, None]
        log_probs = model(tokens[:, -1:], cache)[:, -1].log_softmax(dim=-1).double()
    return sorted(finished, key=lambda beam: -beam.score)[:num_beams]
