"""Contrastive search (Su et al. 2022): likely, and unlike what has been said.

Of the k likeliest tokens, the one with the largest (1 - α) p(token) - α · (largest cosine between the hidden state that
the token would have and the hidden states so far).

Dimensions:
    k   candidates        T   tokens so far        C   width of a hidden state
"""

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor


@torch.no_grad()
def contrastive_search(
    model,
    prompt: Int[Tensor, "T"],
    max_new_tokens: int,
    k: int = 4,
    alpha: int | float = 0.6,
) -> Int[Tensor, "N"]:
    """The prompt with `max_new_tokens` more. The model needs `hidden(tokens)`, as both transformers have it.

    Every step runs the k candidate texts in full: plain, and quadratic.

    Raises:
        ValueError: the prompt is empty, k is below 1, or alpha is not in [0, 1].
    """
    if len(prompt) == 0 or k < 1 or not 0 <= alpha <= 1:
        raise ValueError(f"prompt={len(prompt)}, {k=}, {alpha=}: a prompt, k of 1 or more, alpha from 0 to 1")
    tokens = prompt
    for _ in range(max_new_tokens):
        probs = model(tokens[None])[0, -1].softmax(dim=-1)
        likely = probs.topk(k)
        texts = torch.cat((tokens.expand(k, -1), likely.indices[:, None]), dim=1)  # k T+1
        states = F.normalize(model.hidden(texts), dim=-1)  # k T+1 C
        degeneration = (states[:, :-1] @ states[:, -1:].transpose(1, 2)).amax(dim=(1, 2))  # k
        scores = (1 - alpha) * likely.values - alpha * degeneration
        tokens = torch.cat((tokens, likely.indices[scores.argmax()][None]))
    return tokens
