"""Greedy and beam search.

Dimensions:
    B sentences, S source tokens, K beams
"""

import torch
from jaxtyping import Int
from torch import Tensor

from .model import Translator


@torch.no_grad()
def greedy(model: Translator, source: Int[Tensor, "B S"], max_new_tokens: int) -> list[list[int]]:
    """The likeliest token at each step, until every sentence has ended."""
    config, memory = model.config, model.encode(source)
    out = torch.full((len(source), 1), config.bos_id)
    for _ in range(max_new_tokens):
        token = model.decode(out, memory, source)[:, -1].argmax(-1, keepdim=True)
        out = torch.cat([out, token], 1)
        if (out == config.eos_id).any(1).all():
            break
    return [until_end(row, config.eos_id) for row in out[:, 1:].tolist()]


def until_end(ids: list[int], eos_id: int) -> list[int]:
    """The ids before the end token."""
    return ids[: ids.index(eos_id)] if eos_id in ids else ids


@torch.no_grad()
def beam_search(
    model: Translator, source: Int[Tensor, "1 S"], max_new_tokens: int, beams: int = 4, length_penalty: float = 0.6
) -> list[int]:
    """The best of `beams` hypotheses by log probability / ((5 + length) / 6)^length_penalty (Wu et al. 2016).

    One sentence at a time, the plain form. The search ends when no open hypothesis can beat a finished one any more,
    for a penalty of 0 or more.

    Raises:
        ValueError: no beam.
    """
    if beams < 1:
        raise ValueError(f"beams={beams}: choose 1 or more")
    config, memory = model.config, model.encode(source)
    alive, finished = [(0.0, [config.bos_id])], []
    for step in range(1, max_new_tokens + 1):
        inputs = torch.tensor([ids for _, ids in alive])
        many = len(alive)
        logits = model.decode(inputs, memory.expand(many, -1, -1), source.expand(many, -1))[:, -1]
        scores = torch.tensor([score for score, _ in alive])[:, None] + logits.log_softmax(-1)
        best = scores.flatten().topk(min(2 * beams, scores.numel()))
        candidates = []
        for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            ids = [*alive[place // scores.shape[1]][1], place % scores.shape[1]]
            if ids[-1] == config.eos_id:
                finished.append((score / penalty(step, length_penalty), ids))
            else:
                candidates.append((score, ids))
        alive = candidates[:beams]
        most = max((score for score, _ in finished), default=-float("inf"))
        if not alive or most >= alive[0][0] / penalty(max_new_tokens, length_penalty):
            break
    finished += [(score / penalty(len(ids) - 1, length_penalty), ids) for score, ids in alive if not finished]
    return until_end(max(finished)[1][1:], config.eos_id)


def penalty(length: int, power: float) -> float:
    """By what a score is divided, so that long sentences are not at a disadvantage."""
    return ((5 + length) / 6) ** power
