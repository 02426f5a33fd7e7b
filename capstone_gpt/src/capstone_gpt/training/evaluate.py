"""The loss on text that the model has not seen: the same windows each time, and training does not notice.

Dimensions:
    N  windows      T  tokens of a window
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn


def evaluate(model: nn.Module, x: Int[Tensor, "N T"], y: Int[Tensor, "N T"], batch_size: int = 32) -> float:
    """Mean loss in nats over all N · T targets, in evaluation mode and without gradients.

    `model(x)` gives logits of shape (rows, T, V). The last batch may be smaller. It counts by its targets, so the
    batch size does not change the result. Afterwards the model is in the mode in which it was.
    """
    was_training = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(x), batch_size):
            logits = model(x[first : first + batch_size]).flatten(0, 1)
            targets = y[first : first + batch_size].flatten()
            total += F.cross_entropy(logits, targets, reduction="sum").item()
    model.train(was_training)
    return total / y.numel()


def bits_per_byte(nats_per_token: float | int, tokens: int, text_bytes: int) -> float:
    """A loss that can be compared between tokenizers: bits for each byte of the text."""
    return nats_per_token * tokens / (text_bytes * math.log(2))
