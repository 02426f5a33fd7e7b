"""Diverse beam search (Vijayakumar et al. 2018): groups of beams, one after the other at each step.

A group pays a penalty for each token that earlier groups have chosen at the same step.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from ..sample import LanguageModel
from .beam import Beam


@torch.no_grad()
def diverse_beam_search(
    model: LanguageModel,
    prompt: Int[Tensor, "T"],
    max_new_tokens: int,
    groups: int,
    beams_per_group: int = 1,
    diversity: int | float = 1.0,
) -> list[Beam]:
    """The best text of each group, in the order of the groups. Scores do not hold the penalty.

    Raises:
        ValueError: the prompt is empty, or a number is below 1.
    """
    if len(prompt) == 0 or min(max_new_tokens, groups, beams_per_group) < 1:
        raise ValueError(f"prompt={len(prompt)}, {max_new_tokens=}, {groups=}, {beams_per_group=}: each at least 1")
    caches = [model.new_cache() for _ in range(groups)]
    logits = [model(prompt[None], cache)[:, -1] for cache in caches]
    sums = [torch.zeros(1, 1, dtype=torch.float64) for _ in range(groups)]
    tokens = [torch.empty(1, 0, dtype=torch.long) for _ in range(groups)]
    for step in range(max_new_tokens):
        chosen = torch.zeros(model.vocab_size, dtype=torch.float64)  # how often earlier groups took each token
        for g in range(groups):
            candidates = sums[g] + logits[g].log_softmax(dim=-1).double()  # K V
            V = candidates.shape[1]
            order = (candidates - diversity * chosen).flatten().topk(min(beams_per_group, candidates.numel())).indices
            rows, new = order // V, order % V
            chosen += torch.bincount(new, minlength=V)
            sums[g] = candidates.flatten()[order][:, None]
            tokens[g] = torch.cat((tokens[g][rows], new[:, None]), dim=1)
            if step + 1 < max_new_tokens:
                caches[g].select(rows)
                logits[g] = model(new[:, None], caches[g])[:, -1]
    best = [int(s.argmax()) for s in sums]
    return [Beam(t[b].tolist(), float(s[b]), float(s[b])) for t, s, b in zip(tokens, sums, best, strict=True)]
