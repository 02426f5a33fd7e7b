"""Which logit belongs to which answer token.

The logits at position t are a guess at token t + 1. So the first answer token, at position `prompt_len`, is guessed at
`prompt_len - 1`, and the logits of the last position guess a token that nobody has written.

Dimensions:
    B rows   T tokens of prompt and answer   N = T - prompt_len tokens of the answer   V vocabulary
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def answer_logprobs(
    logits: Float[Tensor, "B T V"], tokens: Int[Tensor, "B T"], prompt_len: int, temperature: float | int = 1.0
) -> Float[Tensor, "B N"]:
    """The log-probability of each answer token, at the temperature at which it was sampled.

    Raises:
        ValueError: no token stands before the answer, or there is no answer.
    """
    if not 1 <= prompt_len < tokens.shape[1]:
        raise ValueError(f"prompt_len={prompt_len}: must be from 1 to {tokens.shape[1] - 1}")
    logits = logits[:, prompt_len - 1 : -1] / temperature  # B N V
    answer = tokens[:, prompt_len:]  # B N
    return logits.log_softmax(-1).gather(-1, answer[..., None])[..., 0]


def masked_mean(x: Float[Tensor, "B N"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, ""]:
    """The mean over the real tokens of all answers."""
    return x[mask].mean()


def last_position(mask: Bool[Tensor, "B T"]) -> Int[Tensor, "B"]:
    """The last real position of each row, wherever the padding stands."""
    return (torch.arange(mask.shape[1]) * mask).argmax(1)
