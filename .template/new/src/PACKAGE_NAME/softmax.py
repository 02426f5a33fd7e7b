"""Softmax with a temperature: scores into probabilities, without overflow.

Dimensions:
    T   number of scores in a row
"""

from jaxtyping import Float
from torch import Tensor


def softmax(scores: Float[Tensor, "*batch T"], temperature: float = 1.0) -> Float[Tensor, "*batch T"]:
    """The probabilities exp(score / temperature) / sum, over the last axis (Bridle 1990).

    The maximum of each row is subtracted first. That changes no probability, and exp can then not overflow.

    Raises:
        ValueError: the temperature is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"temperature={temperature}: must be positive; for the largest score alone use argmax")
    scaled = scores / temperature  # *batch T
    shifted = scaled - scaled.amax(dim=-1, keepdim=True)
    weights = shifted.exp()
    return weights / weights.sum(dim=-1, keepdim=True)
