"""From logits to a token: the most likely one, or a draw.

Dimensions: B batch, V vocabulary.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class SamplingParams:
    """Temperature 0 takes the most likely token. `top_k` restricts the draw to the k most likely ones.

    Raises:
        ValueError: `temperature` is negative or infinite, or `top_k` is below 1.
    """

    temperature: float = 0.0
    top_k: int | None = None

    def __post_init__(self):
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature}: must be finite and at least 0 (0 is greedy)")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: must be at least 1, or None for the whole vocabulary")


def sample(
    logits: Float[Tensor, "B V"], sampling_params: SamplingParams, generator: torch.Generator | None = None
) -> Int[Tensor, "B"]:
    """One token per row: the most likely, or a draw from softmax(logits / temperature) over the top k."""
    if sampling_params.temperature == 0:
        return logits.argmax(dim=-1)
    if sampling_params.top_k is not None:
        logits = keep_top_k(logits, sampling_params.top_k)
    # The largest logit is subtracted first: at temperature 1e-40 the quotient alone would overflow.
    logits = (logits - logits.max(dim=-1, keepdim=True).values) / sampling_params.temperature
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]


def keep_top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """All but k logits of each row set to -inf. Of equal logits the lower token is kept, as argmax does."""
    order = logits.sort(dim=-1, descending=True, stable=True).indices  # B V
    return logits.scatter(-1, order[:, k:], -torch.inf)
