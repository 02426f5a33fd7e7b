"""The next token of each request, from a generator of its own.

Dimensions:
    N   requests that need a token    V   vocabulary
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .request import SamplingParams


def sample(
    logits: Float[Tensor, "N V"], params: list[SamplingParams], generators: list[torch.Generator]
) -> tuple[list[int], Float[Tensor, "N"]]:
    """One token for each row, and its log-probability under the model itself (temperature 1, nothing cut).

    Temperature 0 takes the largest logit and draws nothing. Otherwise a row draws one number u from its own generator,
    `torch.rand(1, generator=generator, dtype=torch.float64)`, and takes the first token, in the order of the ids, at
    which the running sum of the probabilities in float64 exceeds u. top_p keeps the likeliest tokens whose sum reaches
    top_p, at least one, and their probabilities are scaled to sum to one (Holtzman et al. 2020).
    """
    chosen = []
    for row, how, generator in zip(logits, params, generators, strict=True):
        if how.temperature == 0:
            chosen.append(int(row.argmax()))
            continue
        probs = torch.softmax(row.double() / how.temperature, -1)
        probs = keep_nucleus(probs, how.top_p)
        u = torch.rand(1, generator=generator, dtype=torch.float64)
        chosen.append(int(torch.searchsorted(probs.cumsum(-1), u.item() * probs.sum(), right=True)))
    picked = logits.gather(1, torch.tensor(chosen, device=logits.device)[:, None])[:, 0]
    return chosen, picked - logits.logsumexp(-1)


def keep_nucleus(probs: Float[Tensor, "V"], top_p: int | float) -> Float[Tensor, "V"]:
    """Zero for the tokens after the likeliest ones that together reach top_p."""
    ordered, ids = probs.sort(descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered  # the sum of the likelier ones
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probs).scatter(0, ids, kept)
